"""Output of `run` and `demo`: progress while they work, and a summary with what to do about each kind of failure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..._errors.snapshot import cut
from ...batch import JobReport, Progress, Store
from ...batch._refusals import Stop
from ...batch._runner import HELD
from ...batch._store import Resumed
from .._options import Verbosity
from .._output.console import print_line, print_table
from .._output.outcomes import counts_of, hollow, remedy_here
from .._output.text import counted, visible

_STOPS: Mapping[Stop, str] = {
    "refused": "Stopped: the API refused for a reason that concerns every job. Nothing more was submitted.",
    "limited": "Stopped: the API asks for a long wait. Nothing more was submitted.",
    "unreachable": "Stopped: no connection to the API was made. Nothing more was submitted.",
    "failing": "Stopped: too many runs in a row ended by the same failure. Nothing more was submitted.",
    "spent": "Stopped: the budget has no room for another run. Nothing more was submitted.",
    "broken": "Stopped: a request failed on this side. Nothing more was submitted.",
}
_LONGEST_WAIT_SECONDS = 366 * 86_400
_WORDS = {"finished": "ended", "unfinished": "not finished", "held": "held", "not_submitted": "not submitted"}


class ProgressView:
    """Progress of `total` jobs: a live table on a terminal, one plain line per job elsewhere.

    Verbose, it prints each step of a job too; quiet, nothing. Use as a context manager; call it with each `Progress`.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        *,
        skipped: int = 0,
        verbosity: Verbosity = Verbosity.NORMAL,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._total, self._skipped, self._now = console, total, skipped, now
        self._is_quiet, self._is_verbose = verbosity is Verbosity.QUIET, verbosity is Verbosity.VERBOSE
        self._started = now()
        self._states: dict[str, str] = {}
        self._ended: Counter[str] = Counter()
        is_live = console.is_terminal and not self._is_quiet
        self._live = Live(self, console=console, refresh_per_second=8, transient=True) if is_live else None

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
        custom_id, report = progress.job.custom_id, progress.report
        if report is None:
            if self._is_verbose and self._states.get(custom_id) != progress.step:
                self._print(f"{custom_id}  {progress.step}")
            self._states[custom_id] = progress.step
            return
        self._states.pop(custom_id, None)
        self._ended[verdict(report)] += 1
        if not self._is_quiet:
            self._print(job_line(report, is_verbose=self._is_verbose))

    def _print(self, line: str) -> None:
        if self._console.is_terminal:
            print_line(self._console, line)
        else:
            self._console.print(Text(visible(line)), soft_wrap=True, highlight=False)

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
    return f"about {duration(elapsed_seconds / done * (total - done))}"


def duration(seconds: float) -> str:
    """Return a time in the largest unit that it has two of: `90 s`, `45 min`, `30 h`."""
    whole = round(seconds)
    minutes, hours = whole // 60, whole // 3600
    return f"{whole} s" if minutes < 2 else f"{minutes} min" if hours < 2 else f"{hours} h"


def verdict(report: JobReport) -> str:
    """Return the word a job is counted under: the exception class, "completed" and with what, or why it has no end."""
    if report.end != "finished":
        return _WORDS[report.end]
    lack = hollow(report.outcome) if report.outcome else None
    return report.exception or (f"completed {lack}" if lack else "completed")


def label_of(report: JobReport) -> str:
    """Return the failure's own word; empty if the outcome has none."""
    outcome = report.outcome
    return (outcome.code or outcome.reason or outcome.status or "") if outcome else ""


def job_line(report: JobReport, *, is_verbose: bool = False) -> str:
    """Return one job in one line: its id, its end, and what it took; verbose, with the run's id and each poll fault."""
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
        names = f": {', '.join(report.faults)}" if is_verbose else ""
        words.append(f"({counted(len(report.faults), 'poll fault')} survived{names})")
    if is_verbose and report.response_id:
        words.append(report.response_id)
    return "  ".join(words)


def print_resumption(console: Console, store: Store, *, has_work: bool, on_ambiguous: str) -> None:
    """Print what was mended in the files, and in one line what a batch that goes on finds."""
    for note in store.notes:
        print_line(console, note)
    resumed = store.resumed
    if resumed is None or not has_work:
        return
    unknown = f"{resumed.unknown} unknown"
    if resumed.unknown:
        unknown += ", submitted again" if on_ambiguous == "resubmit" else ", held"
    print_line(console, f"Resumed: {resumed.polled_on} polled on, {resumed.paid_twice} paid twice, {unknown}.")


def print_summary(console: Console, reports: Sequence[JobReport]) -> None:
    """Print one row per kind of ending, the most frequent first, failures with what to do about them."""
    kinds: Counter[tuple[str, str]] = Counter()
    advice: dict[tuple[str, str], tuple[str, str]] = {}
    for report in reports:
        kind = (verdict(report), label_of(report))
        kinds[kind] += 1
        advice.setdefault(kind, (_retryable(report), _advice(report)))
    rows = [
        (word if label in ("", "completed", word) else f"{word} {label}", str(count), *advice[word, label])
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
        reason = "" if report.stop else report.detail  # why a batch stopped is said below the table
        return f"Nothing was submitted. {reason}".strip()
    if report.end == "held" and (report.stop or not report.detail):
        return HELD
    if report.end == "finished" and report.outcome is not None:
        remedy = remedy_here(report.outcome, "in the results")
        if report.exception is None:
            return remedy if hollow(report.outcome) else "-"
        if report.outcome.entry is not None:
            message = report.outcome.message if report.outcome.phase == "unknown" else None
            return f"{remedy} Server message: {cut(message, 200)}" if message else remedy
    return report.detail or "Run the same command again to go on."


def print_stop(console: Console, reports: Sequence[JobReport]) -> Stop | None:
    """Print why nothing more was submitted, and when the server wants to be asked again; return the reason."""
    stopping = next((report for report in reports if report.stop), None)
    if stopping is not None and stopping.stop is not None:
        print_line(console, f"{_STOPS[stopping.stop]} {stopping.detail}")
    wait = _longest_wait(reports)
    if wait:
        at = datetime.now().astimezone() + timedelta(seconds=wait)
        print_line(console, f"The API asks to wait {duration(wait)}: run it again after {at:%Y-%m-%d %H:%M %Z}.")
    return stopping.stop if stopping else None


def _longest_wait(reports: Sequence[JobReport]) -> float | None:
    """Return the seconds to wait before the same command; None where no wait helps, as with an empty account."""
    waits = [
        report.retry_after
        for report in reports
        if report.retry_after and (report.outcome is None or report.outcome.action != "fix_account")
    ]
    return min(max(waits), _LONGEST_WAIT_SECONDS) if waits else None


def print_totals(console: Console, reports: Sequence[JobReport], skipped: int, output: Path | None) -> None:
    """Print the number of jobs and how they ended, in one line."""
    finished = [report for report in reports if report.end == "finished"]
    completed = [report for report in finished if report.exception is None]
    lacks = Counter(lack for report in completed if report.outcome and (lack := hollow(report.outcome)))
    parts = [f"{len(completed)} completed" + (f" ({counts_of(lacks)})" if lacks else "")]
    parts.append(f"{len(finished) - len(completed)} ended otherwise")
    if len(reports) > len(finished):
        parts.append(f"{len(reports) - len(finished)} not finished")
    if skipped:
        parts.append(f"{skipped} of them had a result already")
    results = f" Results: {output}" if output else ""
    console.print(f"{counted(len(reports), 'job')}: {', '.join(parts)}.{results}", soft_wrap=True, markup=False)


def summary_data(reports: Sequence[JobReport], skipped: int, resumed: Resumed | None = None) -> dict[str, Any]:
    """Return the summary as data, for `--json`. It holds no text of a model."""
    return {
        "jobs": len(reports),
        "skipped": skipped,
        "resumed": resumed._asdict() if resumed is not None else None,
        "by_end": dict(Counter(report.end for report in reports)),
        "by_outcome": dict(Counter(verdict(report) for report in reports)),
        "stop": next((report.stop for report in reports if report.stop), None),
        "retry_after_seconds": _longest_wait(reports),
        "reports": [_report_data(report) for report in reports],
    }


def _report_data(report: JobReport) -> dict[str, Any]:
    outcome = report.outcome
    return {
        "custom_id": report.job.custom_id,
        "end": report.end,
        "exception": report.exception,
        "code": label_of(report) or None,
        "retryable": outcome.retryable if outcome else False,
        "action": outcome.action if outcome else "none",
        "has_refusal": outcome is not None and outcome.refusal is not None,
        "has_output": outcome is not None and outcome.has_output,
        "failed_items": [{"type": item.type, "code": item.code} for item in outcome.failed_items] if outcome else [],
        "response_id": report.response_id,
        "key": report.key,
        "runs": report.attempts,
        "poll_faults": list(report.faults),
    }
