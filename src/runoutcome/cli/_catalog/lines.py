"""Many bodies, one a line, as `explain` tells of them: a table of those that did not complete, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from ..._catalog.catalog import Catalog
from ..._catalog.rows import ACTIONS
from ...contract._address import docs_of
from ...contract._meaning import Meaning
from .._errors import UserError
from .._output.console import fits, print_line, print_pairs, print_table
from .judged import judged
from .subject import Line

_COLUMNS = ("id", "what ended how", "code", "exception", "retryable", "action", "title")
_NARROW = (0, 2, 4, 5)
"""The columns that 80 characters have room for."""
_MOST_NAMES = 12


@dataclass(frozen=True)
class Row:
    """A line whose body says what became of something."""

    line: int
    custom_id: str | None
    meaning: Meaning

    @property
    def name(self) -> str:
        """What to call it: its custom id, else the id of its body, else its line."""
        return self.custom_id or self.meaning.outcome.response_id or f"line {self.line}"

    @property
    def word(self) -> str:
        """Its code, reason or status, or the HTTP status where nothing else is told."""
        outcome = self.meaning.outcome
        is_by_number = outcome.entry is not None and outcome.entry.match == "http_status"
        return f"HTTP {outcome.status_code}" if is_by_number else outcome.label

    @property
    def group(self) -> str:
        """What is to be done: the same for all rows of a group."""
        outcome = self.meaning.outcome
        return "unknown" if outcome.phase == "unknown" else outcome.action

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        outcome = self.meaning.outcome
        return (
            self.name,
            f"{outcome.surface or 'notice'} {outcome.status or 'unknown'}",
            self.word,
            self.meaning.exception or "-",
            "yes" if outcome.retryable else "no",
            outcome.action,
            outcome.title,
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        outcome = self.meaning.outcome
        return {
            "line": self.line,
            "custom_id": self.custom_id,
            "exception": self.meaning.exception,
            "docs": docs_of(outcome.entry) if outcome.entry else None,
            "outcome": outcome.to_dict(),
        }


def read_rows(lines: Iterable[Line], catalog: Catalog) -> tuple[list[Row], list[Line]]:
    """The rows, and the lines that are none, each with what is wrong with it."""
    rows: list[Row] = []
    broken: list[Line] = []
    for line in lines:
        if line.body is None:
            broken.append(line)
            continue
        try:
            rows.append(Row(line.number, _custom_id(line.body), Meaning.of(judged(line.body, catalog), catalog)))
        except UserError as error:
            broken.append(Line(line.number, None, error.message))
    return rows, broken


def _custom_id(body: Mapping[str, Any]) -> str | None:
    custom_id = body.get("custom_id")
    return custom_id if isinstance(custom_id, str) else None


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """Print those that did not complete, then what may be done about them, group by group."""
    left = [row for row in rows if not row.meaning.outcome.ok]
    if left:
        _print_table(console, [row.cells() for row in left])
        console.print()
        print_pairs(console, _groups(left))
        console.print()
    done = len(rows) - len(left)
    print_line(console, f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}: {done} completed, {len(left)} not.")


def _print_table(console: Console, table: list[tuple[str, ...]]) -> None:
    narrow_columns = [_COLUMNS[index] for index in _NARROW]
    narrow = [[cells[index] for index in _NARROW] for cells in table]
    if not fits(console, _COLUMNS, table, range(6)) and fits(console, narrow_columns, narrow, range(4)):
        print_table(console, narrow_columns, narrow, keep=range(4))
        print_line(console, "Exceptions and titles need more width, or --json.")
    else:
        print_table(console, _COLUMNS, table, keep=range(6))


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[str]]]:
    for group in (*ACTIONS, "unknown"):
        found = [row for row in rows if row.group == group]
        if found:
            count = f"{len(found)} {'row' if len(found) == 1 else 'rows'}"
            names = ", ".join(row.name for row in found[:_MOST_NAMES])
            more = f", and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
            yield group, [f"{count}: {found[0].meaning.reason}", names + more]
