"""Output of `run` and `demo`: progress while they work, and a summary with what to do about each kind of failure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..._errors.snapshot import cut
from ...batch import JobReport, Progress
from .._output.console import print_line, print_table
from .._output.text import counted, visible

_WORDS = {"finished": "ended", "unfinished": "not finished", "held": "held", "not_submitted": "not submitted"}


class ProgressView:
    """Progress of `total` jobs: a live table on a terminal, one plain line per job elsewhere.

    Use as a context manager; call it with each `Progress`.
    """

    def __init__(
        self, console: Console, total: int, *, skipped: int = 0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._console, self._total, self._skipped, self._now = console, total, skipped, now
        self._started = now()
        self._states: dict[str, str] = {}
        self._ended: Counter[str] = Counter()
        self._live = Live(self, console=console, refresh_per_second=8, transient=True) if console.is_terminal else None

    def __enter__(self) -> ProgressView:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Record one step of a job, and print a line at its end."""
        if progress.report is None:
            self._states[progress.job.custom_id] = progress.step
            return
        self._states.pop(progress.job.custom_id, None)
        self._ended[verdict(progress.report)] += 1
        line = visible(job_line(progress.report))
        if self._console.is_terminal:
            print_line(self._console, line)
        else:
            self._console.print(Text(line), soft_wrap=True, highlight=False)

    def __rich__(self) -> Table:
        counts = Counter(self._states.values())
        done = sum(self._ended.values())
        rows = [
            ("queued", str(counts["queued"] + counts["submitting"] + counts["resubmitting"])),
            ("running", str(counts["in_progress"])),
            ("done", f"{done + self._skipped} of {self._total + self._skipped}"),
            *((word, str(count)) for word, count in sorted(self._ended.items())),
            ("left", time_left(done, self._total, self._now() - self._started)),
        ]
        fits = max(len(word) for word, _ in rows) + max(len(count) for _, count in rows) + 2 <= self._console.width
        table = Table.grid(padding=(0, 2))
        for word, count in rows:
            # Side by side in a narrow terminal, the longest count would cut the longest class name.
            cells = (word, count) if fits else (f"{word} {count}",)
            table.add_row(*(Text(cell, no_wrap=True) for cell in cells))
        return table


def time_left(done: int, total: int, elapsed_seconds: float) -> str:
    """Return the time for the rest at the pace so far, in words; unknown before the first job has ended."""
    if done == 0:
        return "unknown yet"
    seconds = round(elapsed_seconds / done * (total - done))
    minutes, hours = seconds // 60, seconds // 3600
    return f"about {seconds} s" if minutes < 2 else f"about {minutes} min" if hours < 2 else f"about {hours} h"


def verdict(report: JobReport) -> str:
    """Return the word a job is counted under: the exception class, "completed", or why it has not ended."""
    if report.end == "finished":
        return report.exception or "completed"
    return _WORDS[report.end]


def label_of(report: JobReport) -> str:
    """Return the failure's own word; empty if the outcome has none."""
    outcome = report.outcome
    return (outcome.code or outcome.reason or outcome.status or "") if outcome else ""


def job_line(report: JobReport) -> str:
    """Return one job in one line: its id, its end, and what it took."""
    words = [report.job.custom_id, verdict(report)]
    label = label_of(report)
    if report.end != "finished" and report.exception:
        words.append(report.exception)
    if label and label != "completed":
        words.append(label)
    if report.earlier:
        words.append(f"(run {report.attempts}, after {', '.join(report.earlier)})")
    elif report.attempts > 1:
        words.append(f"(run {report.attempts})")
    if report.faults:
        words.append(f"({counted(len(report.faults), 'poll fault')} survived)")
    return "  ".join(words)


def print_summary(console: Console, reports: Sequence[JobReport]) -> None:
    """Print one row per kind of ending, the most frequent first, failures with what to do about them."""
    kinds: Counter[tuple[str, str]] = Counter()
    advice: dict[tuple[str, str], tuple[str, str]] = {}
    for report in reports:
        kind = (verdict(report), label_of(report))
        kinds[kind] += 1
        advice.setdefault(kind, (_retryable(report), _advice(report)))
    rows = [
        (word if label in ("", word) else f"{word} {label}", str(count), *advice[word, label])
        for (word, label), count in kinds.most_common()
    ]
    if rows:
        print_table(console, ("what happened", "jobs", "retryable", "what to do"), rows, keep={1, 2})


def _retryable(report: JobReport) -> str:
    if report.exception is None or report.outcome is None:
        return "-"
    return "yes" if report.end == "finished" and report.outcome.retryable else "no"


def _advice(report: JobReport) -> str:
    if report.end == "not_submitted":
        return f"Nothing was submitted. {report.detail}".strip()
    if report.end == "finished" and report.outcome is not None:
        if report.exception is None:
            return "-"
        if report.outcome.entry is not None:
            message = report.outcome.message if report.outcome.phase == "unknown" else None
            return f"{report.outcome.remedy} Server message: {cut(message, 200)}" if message else report.outcome.remedy
    return report.detail or "Run the same command again to go on."


def print_totals(console: Console, reports: Sequence[JobReport], skipped: int, output: Path | None) -> None:
    """Print the number of jobs and how they ended, in one line."""
    finished = sum(report.end == "finished" for report in reports)
    completed = sum(verdict(report) == "completed" for report in reports)
    parts = [f"{completed} completed", f"{finished - completed} ended otherwise"]
    if len(reports) > finished:
        parts.append(f"{len(reports) - finished} not finished")
    if skipped:
        parts.append(f"{skipped} of them had a result already")
    results = f" Results: {output}" if output else ""
    console.print(f"{counted(len(reports), 'job')}: {', '.join(parts)}.{results}", soft_wrap=True, markup=False)


def summary_data(reports: Sequence[JobReport], skipped: int) -> dict[str, Any]:
    """Return the summary as data, for `--json`."""
    return {
        "jobs": len(reports),
        "skipped": skipped,
        "by_end": dict(Counter(report.end for report in reports)),
        "by_outcome": dict(Counter(verdict(report) for report in reports)),
        "reports": [
            {
                "custom_id": report.job.custom_id,
                "end": report.end,
                "exception": report.exception,
                "code": label_of(report) or None,
                "retryable": report.outcome.retryable if report.outcome else False,
                "action": report.outcome.action if report.outcome else "none",
                "response_id": report.response_id,
                "runs": report.attempts,
                "poll_faults": list(report.faults),
            }
            for report in reports
        ],
    }
