"""The budget of a batch, and the stop after failures in a row."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from batches import Batch, Open

from colours import PARAMS
from runoutcome.batch import BatchOptions
from runoutcome.batch._budget import Budget
from runoutcome.testing import FaultRule, Scenario, parse_fault


def spent(work: Batch) -> int:
    """The tokens of all attempts in the journal."""
    ((tokens,),) = work.query("SELECT coalesce(sum(total_tokens), 0) FROM attempts")
    return int(tokens)


def usage_of_one(batch: Open) -> int:
    """The tokens that one run of these tests uses."""
    work = batch(["completed"])
    work.run()
    return spent(work)


def test_open_runs_are_reserved_with_the_mean() -> None:
    """Two runs used 10 and 30; one is open: with the next, 40 are reserved."""
    budget = Budget(100, 40, 2, 1)
    assert budget.has_room(1000)
    assert not Budget(79, 40, 2, 1).has_room(0)
    assert budget.ended(30) == Budget(100, 70, 3, 0)
    assert budget.ended(None) == Budget(100, 40, 2, 0)


def test_before_the_first_end_the_estimate_is_reserved() -> None:
    """Nothing is known of the usage but what the create may use at most."""
    assert Budget(100, open=1).has_room(50)
    assert not Budget(100, open=1).has_room(51)
    assert Budget(None, open=10**9).has_room(10**9)


def test_a_batch_stays_within_its_budget(batch: Open) -> None:
    """The runs that fit are made, nothing more is submitted, and one report says why."""
    one = usage_of_one(batch)
    work = batch(["completed"] * 8)
    reports = work.run(max_tokens_spent=one * 5 + 1, concurrency=2)
    assert (spent(work), work.paid) == (one * 5, 5)
    assert Counter(report.end for report in reports) == {"finished": 5, "not_submitted": 3}
    (stopped,) = [report for report in reports if report.stop]
    assert (stopped.stop, stopped.detail) == ("spent", f"{one * 5} of {one * 5 + 1} tokens are spent.")


def test_the_budget_covers_all_calls(batch: Open) -> None:
    """A second call makes no further run; with a larger budget it goes on."""
    one = usage_of_one(batch)
    work = batch(["completed"] * 4)
    work.run(max_tokens_spent=one * 2, concurrency=1)
    assert {report.end for report in work.run(max_tokens_spent=one * 2)} == {"not_submitted"}
    assert work.paid == 2
    assert {report.end for report in work.run(max_tokens_spent=one * 4)} == {"finished"}
    assert (work.paid, spent(work)) == (4, one * 4)


def test_failed_runs_and_their_resubmissions_are_spent(batch: Open) -> None:
    """Each attempt with usage counts, also one that is made again."""
    one = usage_of_one(batch)
    work = batch(["max_output_tokens"] * 2 + ["completed"] * 4)
    work.run(max_tokens_spent=one * 3, concurrency=1)
    assert spent(work) <= one * 3
    assert work.paid < 6


def test_a_create_without_an_answer_stays_reserved(batch: Open) -> None:
    """It may be paid for, so it takes the place of one run, in later calls too."""
    one = usage_of_one(batch)
    scenario = Scenario(faults=(FaultRule("create", parse_fault("lost"), 2, 2),))
    work = batch(["completed"] * 6, scenario)
    for _ in range(2):
        reports = work.run(max_tokens_spent=one * 4, concurrency=1)
        assert work.paid == 4
    stopped = next(report for report in reports if report.stop)
    assert stopped.detail == f"{one * 3} of {one * 4} tokens are spent, and 1 more may have been paid for."


def test_a_large_estimate_waits_for_the_first_end(batch: Open) -> None:
    """A budget below the estimates of all runs, but above their usage, is enough for all of them."""
    bodies = [{**PARAMS, "max_output_tokens": 2000, "metadata": {"nr": str(nr)}} for nr in range(5)]
    work = batch(bodies=bodies)
    assert {report.end for report in work.run(max_tokens_spent=2500)} == {"finished"}
    assert work.paid == 5


def test_failures_of_one_kind_in_a_row_stop_the_batch(batch: Open) -> None:
    """After the third, nothing more is submitted; other ends in between start the count anew."""
    work = batch(["invalid_prompt", "completed", "invalid_prompt", "invalid_prompt", "invalid_prompt", "completed"])
    reports = work.run(concurrency=1, stop_after_failures=3)
    assert [report.stop for report in reports if report.stop] == ["failing"]
    assert Counter(report.end for report in reports) == {"finished": 5, "not_submitted": 1}
    mixed = batch(["invalid_prompt", "max_output_tokens"] * 3)
    assert [report.stop for report in mixed.run(concurrency=1, stop_after_failures=2)] == [None] * 6


@pytest.mark.parametrize("options", [{"max_tokens_spent": 0}, {"stop_after_failures": 0}])
def test_a_budget_of_nothing_is_refused(options: Any) -> None:
    """They are errors of the options, before anything is sent."""
    with pytest.raises(ValueError, match=next(iter(options))):
        BatchOptions(**options)
