"""A verdict on a terminal: the numbers, then what the client did wrong and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from .._output.console import print_line, print_pairs, print_table

if TYPE_CHECKING:
    from ...testing import Verdict

_STYLES = {"error": "red", "warning": "yellow"}
_COLUMNS = ("finding", "times", "the client", "for example")


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print the totals, a table with one row for each kind of finding, and a remedy for each."""
    totals = verdict.totals()
    print_pairs(console, [(name.replace("_", " "), _number(value)) for name, value in totals.items()])
    console.print()
    counts = verdict.counts()
    if not counts:
        print_line(console, "No finding: the client paid once for each job, and read every run to its end.", "green")
    else:
        firsts = [(verdict.of_kind(kind)[0], count) for kind, count in counts.items()]
        rows = [(Text(one.kind, _STYLES[one.severity]), str(count), one.title, one.text) for one, count in firsts]
        print_table(console, _COLUMNS, rows, keep={0, 1})
        console.print()
        print_pairs(console, [(one.kind, one.remedy) for one, _ in firsts])
    if not verdict.is_whole:
        print_line(console, "There were too many requests to keep: the oldest are not part of this.", "yellow")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"
