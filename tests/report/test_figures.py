"""Figures of a report: those of a journal that real runs made, and of journals without any."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from journals import Made, query

from runoutcome.batch import Store
from runoutcome.report import Report, read_report, read_status
from runoutcome.report._figures import percentile


@pytest.fixture
def report(mixed: Made) -> Report:
    """The report of the mixed batch."""
    return read_report(mixed.results)


def test_the_report_has_the_status_of_its_journal(mixed: Made, report: Report) -> None:
    """Batches, failures, held jobs and spend are those that `status` shows."""
    (batch,) = read_status(mixed.results).batches
    assert report.status.batches == (batch,)
    assert (report.failures, report.held, report.spend) == (batch.failures, batch.held, batch.spend)


def test_durations_are_those_of_the_view_of_runs(mixed: Made, report: Report) -> None:
    """Each run that ended is counted once, overall and under its end; the percentiles are values of these runs."""
    sql = "SELECT state, max(0, ended_at - submitted_at) FROM attempts WHERE ended_at IS NOT NULL"
    rows = query(mixed.folder, sql)
    every = sorted(seconds for _, seconds in rows)
    first, *ends = report.durations
    assert (first.state, first.runs, first.longest) == (None, len(mixed.world.emulator.runs), every[-1])
    assert (first.p50, first.p95, first.p99) == tuple(percentile(every, percent) for percent in (50, 95, 99))
    assert {row.state: row.runs for row in ends} == Counter(state for state, _ in rows)
    assert sum(part.runs for part in report.histogram) == len(every)


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (75, 3), (95, 4), (99, 4), (0, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    """The percentile of so many percent is the smallest value that they do not exceed."""
    assert percentile([1, 2, 3, 4], percent) == value
    assert percentile([7], percent) == 7


def test_the_timeline_ends_with_the_counts_of_the_journal(mixed: Made, report: Report) -> None:
    """The bands add up to the jobs that are known at each moment; at the last one every job has ended."""
    timeline = report.timeline
    assert timeline is not None
    bands = (timeline.queued, timeline.running, timeline.held, timeline.completed, timeline.ended_otherwise)
    known = [sum(counts) for counts in zip(*bands, strict=True)]
    assert known == sorted(known)
    assert [band[-1] for band in bands] == [0, 0, 0, 10, 8]
    assert min(map(min, bands)) == 0
    assert known[-1] == 18
    assert len(timeline.opened) == 1


def test_runs_made_again_are_told_with_their_reason(mixed: Made, report: Report) -> None:
    """Each further run is counted under the end that it follows, and 3 of them completed."""
    (retries,) = report.retries
    again = len(mixed.world.emulator.runs) - 18
    assert (retries.reason, retries.runs, retries.completed) == ("after failed server_error", again, 3)
    assert again == sum(job.attempts - 1 for job in mixed.reports) > 3


def test_the_slowest_runs_come_first(mixed: Made, report: Report) -> None:
    """At most 20 runs are listed, the slowest first, with job and id."""
    assert len(report.slowest) == 20
    assert list(report.slowest) == sorted(report.slowest, key=lambda run: -run.seconds)
    ids = {run.id for run in mixed.world.emulator.runs}
    assert {run.response_id for run in report.slowest} <= ids


def test_limits_that_were_met_are_counted(mixed: Made, report: Report, tmp_path: Path) -> None:
    """Runs that ended for a limit, refused POSTs, and events of the whole batch but its starts and ends."""
    assert [(met.what, met.times) for met in report.limits_met] == [("run ended: insufficient_quota", 1)]
    with Store(tmp_path / "results.jsonl") as store:
        journal = store.journal_path
    with closing(sqlite3.connect(journal)) as db, db:
        db.executemany("INSERT INTO events (at, batch, event, detail) VALUES (?, 1, 'paused', '429')", [(1.0,), (5.0,)])
    (met,) = read_report(journal).limits_met
    assert (met.what, met.times, met.first, met.last) == ("paused: 429", 2, 1.0, 5.0)


def test_a_journal_without_jobs_has_a_report(tmp_path: Path) -> None:
    """A batch that has no job yet has no timeline, no durations and no spend."""
    with Store(tmp_path / "results.jsonl"):
        report = read_report(tmp_path / "results.jsonl")
    assert (report.timeline, report.durations, report.histogram, report.spend) == (None, (), (), ())


def test_the_figures_are_data(mixed: Made, report: Report) -> None:
    """The figures are plain JSON, without prompts and outputs."""
    text = json.dumps(report.to_dict())
    assert "secret prompt" not in text
    assert json.loads(text)["retries"][0]["runs"] == len(mixed.world.emulator.runs) - 18
