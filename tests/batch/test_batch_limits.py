"""A batch under rate limits: what the emulator refuses, and what a batch does before and after that."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from batches import Batch, Open, always

from colours import PARAMS, reply
from runoutcome.batch import BatchOptions
from runoutcome.testing import Emulator, FaultRule, Scenario, parse_fault


def statuses(work: Batch) -> Counter[int | None]:
    """How often the creates were answered with each status."""
    return Counter(post.status for post in work.world.posts)


def ends(work: Batch, **options: Any) -> Counter[str]:
    """How the jobs of a call ended."""
    return Counter(report.end for report in work.run(**options))


def test_headers_keep_a_batch_below_the_limit(batch: Open) -> None:
    """Of 6 creates a minute, 20 jobs need no refused one: the headers say when there is room."""
    work = batch(["completed"] * 20, {"requests_per_minute": 6})
    assert ends(work, concurrency=8, max_submits=1) == {"finished": 20}
    assert statuses(work) == {200: 20}
    assert work.world.elapsed >= 140


def test_headers_keep_a_batch_below_the_tokens(batch: Open) -> None:
    """The tokens of a create are counted as the API counts them."""
    bodies = [{**PARAMS, "max_output_tokens": 500, "metadata": {"nr": str(nr)}} for nr in range(6)]
    work = batch(bodies=bodies, scenario={"tokens_per_minute": 1200})
    assert ends(work, concurrency=6, max_submits=1) == {"finished": 6}
    assert statuses(work) == {200: 6}


def test_many_creates_at_once_meet_few_refusals(batch: Open) -> None:
    """Before the first answer nobody knows the limit; then one pause is shared, and every job gets its run."""
    work = batch(["completed"] * 24, real_time=True)
    work.world._emulator = Emulator(requests_per_minute=4, speed=240)
    assert ends(work, concurrency=16, max_submits=8) == {"finished": 24}
    assert statuses(work)[200] == work.paid == 24
    assert statuses(work)[429] <= 8


def test_the_users_limits_are_spread_evenly(batch: Open) -> None:
    """The fifth of 6 a minute starts 40 seconds after the first."""
    work = batch(["completed"] * 5)
    assert ends(work, requests_per_minute=6) == {"finished": 5}
    assert work.world.elapsed >= 40


def test_one_pause_is_shared_by_all_workers(batch: Open) -> None:
    """After a 429 nobody submits before its Retry-After is over, and then one create tries first."""
    fault = parse_fault({"status": 429, "retry_after": 30})
    work = batch(["completed"] * 8, Scenario(faults=(FaultRule("create", fault, 1, 1),)))
    assert ends(work, concurrency=4, max_submits=1) == {"finished": 8}
    first, second = work.world.posts[:2]
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= 30
    assert work.world.emulator.verdict().counts().get("retry_after_ignored") is None


def test_a_job_is_submitted_again_however_often_others_are_refused(batch: Open) -> None:
    """More refusals than the client's own retries do not leave the job for later."""
    fault = parse_fault({"status": 429, "retry_after_ms": 500})
    work = batch(["completed"] * 2, Scenario(faults=(FaultRule("create", fault, 1, 9),)))
    assert ends(work) == {"finished": 2}
    assert (statuses(work), work.paid) == ({429: 9, 200: 2}, 2)


def test_refusals_without_an_end_stop_the_batch(batch: Open) -> None:
    """After two minutes of nothing but 429 the batch stops, as for a long Retry-After; all is left to be done."""
    work = batch(["completed"] * 4, always({"status": 429, "retry_after": 50}))
    reports = work.run()
    assert {report.end for report in reports} == {"not_submitted"}
    assert next(report.stop for report in reports if report.stop) == "limited"
    assert 100 <= work.world.elapsed <= 900
    assert (work.paid, work.rows) == (0, [])


def test_a_stop_does_not_wait_for_the_limit(batch: Open) -> None:
    """A refused key stops the creates that wait for their turn at one an hour."""
    work = batch(["completed"] * 3, Scenario(faults=(FaultRule("create", parse_fault("401")),)))
    assert ends(work, requests_per_minute=1 / 60, concurrency=3) == {"not_submitted": 3}
    assert len(work.world.posts) == 1
    assert work.world.elapsed < 3600


def test_runs_that_end_by_a_rate_limit_lower_the_number_in_flight(batch: Open) -> None:
    """Their resubmissions and later jobs are fewer at once than before; every job gets its result."""
    work = batch(["rate_limit_exceeded,completed"] * 8 + ["completed"] * 8)
    assert ends(work, concurrency=8) == {"finished": 16}
    assert work.paid == 24
    assert work.most_at_once() <= 8


def test_a_create_above_the_whole_limit_is_a_result(batch: Open) -> None:
    """No wait helps it, so it gets its final line, and the other jobs go on."""
    bodies = [{**PARAMS, "max_output_tokens": 5000}, dict(PARAMS)]
    work = batch(bodies=bodies, scenario={"tokens_per_minute": 1200})
    assert ends(work) == {"finished": 2}
    assert work.row_of["job-0"]["outcome"]["action"] == "change_request"


def test_an_answer_that_cannot_be_read_is_ambiguous(batch: Open) -> None:
    """A create answered in an unknown charset may have made a run: the job is held."""
    odd = "application/json; charset=hex"
    work = batch(["completed"], answer=lambda request: reply(None, 200, "{}", content_type=odd))
    (report,) = work.run()
    assert (report.end, report.exception) == ("held", "SubmissionUnknownError")


@pytest.mark.parametrize("options", [{"requests_per_minute": 0}, {"tokens_per_minute": -1}, {"max_submits": 0}])
def test_limits_that_let_nothing_through_are_refused(options: Any) -> None:
    """They are errors of the options, before anything is sent."""
    with pytest.raises(ValueError, match=next(iter(options))):
        BatchOptions(**options)
