"""Output of `explain`: one outcome in words, or a table of the lines that did not complete."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from ..._catalog.catalog import Catalog
from ..._catalog.rows import ACTIONS, Entry, Rule
from ..._outcome.judge import ROW
from ..._outcome.outcome import Outcome, may_resubmit, safe_action
from ...contract._address import docs_of, value_of
from ...contract._meaning import Meaning, advice, basis, http, other_view, since
from .._errors import UserError
from .._output.console import fitting_columns, print_command, print_line, print_pairs, print_table, select
from .._output.outcomes import counts_of, hollow, without_texts
from .._output.text import Cell, counted
from .advice import billed, example, except_line
from .subject import Line, outcome_of_body

Pair = tuple[str, Cell | Sequence[str]]

_COLUMNS = ("id", "what ended how", "code", "exception", "retryable", "action", "title")
_KEPT = range(6)
_NARROW = (0, 2, 4, 5)
"""Numbers of the columns that 80 characters have room for."""
_MOST_NAMES = 12
_ACTED = "tools acted"


def heading(meaning: Meaning) -> str:
    """Return the value and its title."""
    outcome, entry = meaning.outcome, meaning.outcome.entry
    if entry is None or entry.match in ("unknown", "http_status"):  # the word of the body is not that of the row
        return f"{outcome.label}: {outcome.title}"
    return f"{value_of(entry)}: {outcome.title}"


def body_pairs(outcome: Outcome) -> Iterator[Pair]:
    """Yield the facts that only a body has, each with its label."""
    if outcome.surface == ROW and outcome.status is None:
        yield "status", "none: this row has neither an answer nor an error"
    elif outcome.status is None:
        yield "status", "none: this is an error alone, without its run, which may still be going"
    else:
        yield "status", f"{outcome.status} ({outcome.phase})"
    yield "kind", outcome.surface if outcome.surface not in (None, "response") else ""
    yield "id", outcome.response_id or ""
    yield "code", outcome.code or ""
    yield "reason", outcome.reason or ""
    yield "param", outcome.param or ""
    yield "server says", outcome.message or ""
    yield "model", outcome.model or ""
    yield "counts", ", ".join(f"{name} {count}" for name, count in (outcome.counts or {}).items())
    if outcome.retry_after is not None:
        yield "retry after", f"{outcome.retry_after:g} s (by {outcome.retry_after_source})"
    yield (
        "output",
        "some was written; it is on `.run` of the exception" if outcome.has_output and not outcome.ok else "",
    )


def print_meaning(console: Console, meaning: Meaning, catalog: Catalog, of_body: Outcome | None = None) -> None:
    """Print what a value or a body means, with the line that catches it; for a value an example of a body, too."""
    print_line(console, heading(meaning), "bold")
    print_pairs(console, [*(body_pairs(of_body) if of_body else ()), *pairs(meaning)])
    if line := except_line(meaning.outcome.entry, meaning):
        print_line(console, "To catch it:")
        print_command(console, line)
    if meaning.outcome.entry and of_body is None:
        print_line(console, "For example:")
        print_command(console, json.dumps(example(catalog, meaning.outcome.entry, meaning)))


def pairs(meaning: Meaning) -> Iterator[Pair]:
    """Yield the facts of the catalog, each with its label."""
    outcome, entry = meaning.outcome, meaning.outcome.entry
    yield "exception", _exception(meaning)
    yield "retryable", meaning.why
    yield "action", safe_action(outcome)
    yield "cause", outcome.cause
    yield "what to do", outcome.remedy
    yield "billed", billed(meaning)
    yield "HTTP", http(outcome)
    yield "error.type", outcome.error_type or ""
    if outcome.rule:
        yield "refined by", f"rule {outcome.rule.id}, by the server's message"
    yield "decided by", f"overlay {outcome.overlay}" if outcome.overlay else ""
    if entry:
        yield "stands in", f"{entry.field} of a {entry.surface}"
        yield "basis", basis(entry)
        yield "since", since(entry) if docs_of(entry) else ""
        yield "deprecated", _deprecated(entry)
    yield "unless", [_exception_to(rule) for rule in meaning.rules]
    if entry and entry.contested:
        yield "contested", [other_view(view) for view in entry.alternatives] or "others decide otherwise"
    source = outcome.rule or entry
    yield "evidence", list(source.evidence) if source else []
    if entry and docs_of(entry):
        yield "more", f"runoutcome catalog pages DIR writes {docs_of(entry)}"


def to_dict(meaning: Meaning, catalog: Catalog) -> dict[str, Any]:
    """Return the same facts as JSON."""
    outcome = meaning.outcome
    names = ("title", "cause", "remedy", "error_class", "error_type", "status_code", "retryable", "action", "known")
    return {
        "exception": meaning.exception,
        "catch": except_line(outcome.entry, meaning) or None,
        "billed": billed(meaning),
        "example": example(catalog, outcome.entry, meaning) if outcome.entry else None,
        **{name: getattr(outcome, name) for name in names},
        "overlay": outcome.overlay,
        "entry": asdict(outcome.entry) if outcome.entry else None,
        "rule": asdict(outcome.rule) if outcome.rule else None,
        "refining_rules": [rule.id for rule in meaning.rules],
        "docs": docs_of(outcome.entry) if outcome.entry else None,
    }


def _exception(meaning: Meaning) -> str:
    if meaning.exception is None:
        return "none: the run is returned"
    if meaning.outcome.phase == "pending":
        return f"none while it is polled; {meaning.exception} from raise_for_status"
    return f"{meaning.exception} (also openai.{meaning.sdk_class})"


def _deprecated(entry: Entry) -> str:
    old = entry.deprecated
    if old is None:
        return ""
    return f"since catalog {old.since}: {old.reason}{f' Use {old.use}.' if old.use else ''}"


def _exception_to(rule: Rule) -> str:
    return f"its message tells of: {rule.title} (then {advice(rule.retryable)}, {rule.action}; rule {rule.id})"


@dataclass(frozen=True)
class Row:
    """A line with the meaning of its body."""

    line: int
    custom_id: str | None
    meaning: Meaning

    @property
    def name(self) -> str:
        """Its custom id, else the id of its body, else its line."""
        return self.custom_id or self.meaning.outcome.response_id or f"line {self.line}"

    @property
    def word(self) -> str:
        """Its code, reason or status, or its HTTP status if it has no other."""
        outcome = self.meaning.outcome
        is_by_number = outcome.entry is not None and outcome.entry.match == "http_status"
        return f"HTTP {outcome.status_code}" if is_by_number else outcome.label

    @property
    def group(self) -> str:
        """The action, or `acted` where tools did and would again: the same for all rows of a group."""
        outcome = self.meaning.outcome
        if outcome.retryable and not may_resubmit(outcome):
            return _ACTED
        return "unknown" if outcome.phase == "unknown" else outcome.action

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        outcome = self.meaning.outcome
        return (
            self.name,
            f"{outcome.surface or 'notice'} {outcome.status or 'unknown'}",
            self.word,
            self.meaning.exception or "-",
            "yes" if may_resubmit(outcome) else "no",
            safe_action(outcome),
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
            "outcome": without_texts(outcome),
        }


def read_rows(lines: Iterable[Line], catalog: Catalog) -> tuple[list[Row], list[Line]]:
    """Return the rows, and the other lines with the problem of each."""
    rows: list[Row] = []
    broken: list[Line] = []
    for line in lines:
        if line.body is None:
            broken.append(line)
            continue
        try:
            outcome = outcome_of_body(line.body, catalog)
            rows.append(Row(line.number, _custom_id(line.body), Meaning.of(outcome, catalog)))
        except UserError as error:
            broken.append(Line(line.number, None, error.message))
    return rows, broken


def _custom_id(body: Mapping[str, Any]) -> str | None:
    custom_id = body.get("custom_id")
    return custom_id if isinstance(custom_id, str) else None


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """Print the rows that did not complete, then what may be done about them, group by group."""
    left = [row for row in rows if not row.meaning.outcome.ok]
    if left:
        cells = [row.cells() for row in left]
        numbers = fitting_columns(console, _COLUMNS, [cells], _NARROW, _KEPT)
        print_table(console, [_COLUMNS[number] for number in numbers], select(cells, numbers), keep=_KEPT)
        if numbers is _NARROW:
            print_line(console, "Exceptions and titles need more width, or --json.")
        console.print()
        print_pairs(console, _groups(left))
        console.print()
    lacks = Counter(lack for row in rows if (lack := hollow(row.meaning.outcome)))
    apart = f" ({counts_of(lacks)})" if lacks else ""
    print_line(console, f"{counted(len(rows), 'row')}: {len(rows) - len(left)} completed{apart}, {len(left)} not.")


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[str]]]:
    for group in (*ACTIONS, _ACTED, "unknown"):
        members = [row for row in rows if row.group == group]
        if members:
            names = ", ".join(row.name for row in members[:_MOST_NAMES])
            more = f", and {len(members) - _MOST_NAMES} more" if len(members) > _MOST_NAMES else ""
            yield group, [f"{counted(len(members), 'row')}: {members[0].meaning.reason}", names + more]
