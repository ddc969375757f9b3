"""How `run` and `demo` end: a table of what happened, and what to do about each kind of failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ..._errors.snapshot import cut
from ...batch import JobReport
from .._output.console import print_table
from .progress import label_of, verdict


def print_summary(console: Console, reports: Sequence[JobReport]) -> None:
    """Print one row per kind of ending, the most frequent first, failures with what to do about them."""
    kinds: Counter[tuple[str, str]] = Counter()
    advice: dict[tuple[str, str], tuple[str, str]] = {}
    for report in reports:
        kind = (verdict(report), label_of(report))
        kinds[kind] += 1
        advice.setdefault(kind, (_retryable(report), _advice(report)))
    rows = [(_what(*kind), str(count), *advice[kind]) for kind, count in kinds.most_common()]
    if rows:
        print_table(console, ("what happened", "jobs", "retryable", "what to do"), rows, keep={1, 2})


def print_totals(console: Console, reports: Sequence[JobReport], skipped: int, output: Path | None) -> None:
    """Print how many jobs there were and how they ended, in one line."""
    finished = sum(report.end == "finished" for report in reports)
    completed = sum(verdict(report) == "completed" for report in reports)
    parts = [f"{completed} completed", f"{finished - completed} ended otherwise"]
    if len(reports) > finished:
        parts.append(f"{len(reports) - finished} not finished")
    if skipped:
        parts.append(f"{skipped} of them had a result already")
    where = f" Results: {output}" if output else ""
    console.print(f"{len(reports)} jobs: {', '.join(parts)}.{where}", soft_wrap=True, markup=False)


def summary_data(reports: Sequence[JobReport], skipped: int) -> dict[str, Any]:
    """The same as data, for `--json`."""
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


def _what(word: str, label: str) -> str:
    return word if label in ("", word) else f"{word} {label}"


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
            said = report.outcome.message if report.outcome.phase == "unknown" else None
            return f"{report.outcome.remedy} Server message: {cut(said, 200)}" if said else report.outcome.remedy
    return report.detail or "Run the same command again to go on."
