"""A kill at any moment: the same command again finishes every job, and nothing is paid for twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from batches import Batch, Event, KilledError, Moment

from colours import PARAMS

JOBS = 5
OUTCOMES = ["completed", "server_error,completed", "content_filter", "completed", "rate_limit_exceeded,completed"]
RUNS = JOBS + 2
"""What the batch costs when nothing goes wrong: two jobs need a second run."""
# Each line is written once per job, or once per run.
MOMENTS: list[tuple[Moment, Event]] = [
    (moment, event) for event in ("submitting", "submitted", "result") for moment in ("before", "after")
]


def survivors(work: Batch) -> set[str]:
    """The jobs whose last POST may have gone through: the next runs hold them."""
    return {report.job.custom_id for report in work.run(resubmit=1) if report.end == "held"}


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize(("moment", "event"), MOMENTS)
def test_a_batch_survives_a_kill(tmp_path: Path, moment: Moment, event: Event, nth: int, concurrency: int) -> None:
    """After a kill and a restart every job has one result line or is held; resubmitting the held ones finishes all."""
    work = Batch(tmp_path, OUTCOMES)
    try:
        work.die_at(moment, event, nth)
        with pytest.raises(KilledError):
            work.run(resubmit=1, concurrency=concurrency)
        work.restart()
        before = work.paid
        unanswered = len({job for job, last in dict(work.journal).items() if last == "submitting"})

        held = survivors(work)
        assert len(held) == unanswered
        assert sorted(held | set(work.row_of)) == sorted(job.custom_id for job in work.jobs)
        assert len(work.rows) == JOBS - len(held)
        # What was paid before the kill was waited for, not made again.
        assert work.paid <= RUNS
        assert before <= work.paid

        work.run(resubmit=1, on_ambiguous="resubmit")
        assert sorted(row["custom_id"] for row in work.rows) == [job.custom_id for job in work.jobs]
        # A held job may cost one run more, with the user's word; nothing else does.
        assert work.paid <= RUNS + len(held)
        assert work.run(resubmit=1) == []
    finally:
        work.world.close()


@pytest.mark.parametrize(
    ("moment", "event", "held", "paid"),
    [
        ("after", "submitting", 1, 3),
        ("before", "submitted", 1, 4),
        ("after", "submitted", 0, 3),
        ("before", "result", 0, 3),
        ("after", "result", 0, 3),
    ],
)
def test_each_moment_costs_what_it_must(tmp_path: Path, moment: Moment, event: Event, held: int, paid: int) -> None:
    """Only a kill between the POST and the id leaves a run nobody knows of; it is made again on the user's word."""
    work = Batch(tmp_path, ["completed"] * 3)
    try:
        work.die_at(moment, event, 2)
        with pytest.raises(KilledError):
            work.run(concurrency=1)
        work.restart()
        assert len(survivors(work)) == held
        if held:
            work.run(on_ambiguous="resubmit")
        assert (work.paid, len(work.rows)) == (paid, 3)
    finally:
        work.world.close()


@pytest.mark.parametrize(("moment", "held"), [("before", 1), ("after", 0)])
def test_a_refusal_that_was_noted_is_not_held(tmp_path: Path, moment: Moment, held: int) -> None:
    """A kill between two POSTs of a job: once the refusal is on disk the job is simply submitted again."""
    work = Batch(tmp_path, bodies=[{**PARAMS, "metadata": {"emulate_create": "429,ok"}}, dict(PARAMS)])
    try:
        work.die_at(moment, "refused", 1)
        with pytest.raises(KilledError):
            work.run(concurrency=1)
        work.restart()
        assert len(survivors(work)) == held
        work.run(on_ambiguous="resubmit")
        assert (work.paid, len(work.rows)) == (2, 2)
    finally:
        work.world.close()


def test_a_kill_in_the_middle_of_a_line_is_survived(tmp_path: Path) -> None:
    """Half a result line, whose end is not in the journal, is written anew after one more poll."""
    work = Batch(tmp_path, ["completed"] * 3)
    try:
        work.die_at("before", "result", 2)
        with pytest.raises(KilledError):
            work.run(concurrency=1)
        work.restart()
        whole = work.results_path.read_bytes()
        work.results_path.write_bytes(whole + whole[:200].replace(b"job-0", b"job-1"))
        assert survivors(work) == set()
        assert work.results_path.read_bytes().startswith(whole)
        assert sorted(row["custom_id"] for row in work.rows) == ["job-0", "job-1", "job-2"]
        assert work.paid == 3
    finally:
        work.world.close()


def test_kill_after_kill_gets_there(tmp_path: Path) -> None:
    """A machine that dies at every result, before or after it is written, still finishes and pays for nothing twice."""
    work = Batch(tmp_path, OUTCOMES)
    moments: list[Moment] = ["before", "after"]
    kills = 0
    try:
        for number in range(20):
            work.die_at(moments[number % 2], "result", 1)
            try:
                work.run(resubmit=1, concurrency=1)
                break
            except KilledError:
                work.restart()
                kills += 1
        assert kills == 2 * JOBS
        assert sorted(row["custom_id"] for row in work.rows) == [job.custom_id for job in work.jobs]
        assert work.paid == RUNS
    finally:
        work.world.close()
