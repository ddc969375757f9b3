"""What `run` shows while it works: a live table on a terminal, one plain line per job elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ...batch import JobReport, Progress
from .._output.console import print_line
from .._output.text import visible

_WORDS = {"finished": "ended", "unfinished": "not finished", "held": "held", "not_submitted": "not submitted"}


class ProgressView:
    """Shows a batch of `total` jobs as it goes. Use as a context manager; call it with each `Progress`."""

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
        """Take in one thing that happened."""
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
            ("left", eta(done, self._total, self._now() - self._started)),
        ]
        fits = max(len(word) for word, _ in rows) + max(len(count) for _, count in rows) + 2 <= self._console.width
        table = Table.grid(padding=(0, 2))
        for word, count in rows:
            # Side by side in a narrow terminal, the longest count would cut the longest class name.
            cells = (word, count) if fits else (f"{word} {count}",)
            table.add_row(*(Text(cell, no_wrap=True) for cell in cells))
        return table


def eta(done: int, total: int, elapsed_seconds: float) -> str:
    """How long the rest will take at the pace so far, for a person; unknown before the first job has ended."""
    if done == 0:
        return "unknown yet"
    seconds = round(elapsed_seconds / done * (total - done))
    minutes, hours = seconds // 60, seconds // 3600
    return f"about {seconds} s" if minutes < 2 else f"about {minutes} min" if hours < 2 else f"about {hours} h"


def verdict(report: JobReport) -> str:
    """The word a job is counted under: the exception class, "completed", or why it has not ended."""
    if report.end == "finished":
        return report.exception or "completed"
    return _WORDS[report.end]


def job_line(report: JobReport) -> str:
    """One job in one line: id, what became of it, and what it took."""
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
        words.append(f"({len(report.faults)} poll faults survived)")
    return "  ".join(words)


def label_of(report: JobReport) -> str:
    """The failure's own word; empty where the outcome has none."""
    outcome = report.outcome
    return (outcome.code or outcome.reason or outcome.status or "") if outcome else ""
