"""What changed among the entries. Pure.

An entry promises `error_class`, `error_type`, `retryable`, and the HTTP status that follows from it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from .._catalog.rows import HOME
from ._change import Change, Severity
from ._rows import Row, field_change, field_changes

Document = Mapping[str, Any]

PROMISED = ("error_class", "error_type", "retryable")
WORDS = ("title", "cause", "remedy", "since", "evidence")
JUDGED_HERE = ("status_code", "deprecated")
ENTRY_FIELDS = {
    **dict.fromkeys(PROMISED, Severity.BREAKING),
    "action": Severity.MINOR,
    **dict.fromkeys(WORDS, Severity.PATCH),
    **dict.fromkeys(("sdk_since", "documented", "inferred", "confidence", "contested", "alternatives"), Severity.PATCH),
}


def entry_changes(old: Document, new: Document, deprecated: Container[str]) -> Iterator[Change]:
    """The changes from the entries of `old` to those of `new`; `deprecated` are the ids of those that may go."""
    before, after = entries_of(old), entries_of(new)
    for name, row in before.items():
        if name in after:
            yield from _changes(name, row, old, after[name], new)
        elif name in deprecated:
            yield Change(Severity.BREAKING, "entry", name, "removed; it was deprecated")
        else:
            yield Change(Severity.FORBIDDEN, "entry", name, "removed, and no version has deprecated it")
    for name, row in after.items():
        if name not in before:
            yield _addition(name, row, new, before.get(_inherited(row, old) or ""), old)


def entries_of(document: Document) -> dict[str, Row]:
    """The rows of a catalog by their ids."""
    return {_id(row["surface"], row["field"], row): row for row in document["entries"]}


def _id(surface: str, field: str, row: Row) -> str:
    return f"{surface}/{field}/{row['value'] if row['match'] == 'literal' else '<' + row['match'] + '>'}"


def _changes(name: str, old: Row, old_document: Document, new: Row, new_document: Document) -> Iterator[Change]:
    yield from field_changes("entry", name, _without(old), _without(new), ENTRY_FIELDS)
    if old["status_code"] != new["status_code"]:
        before, after = _status(old, old_document), _status(new, new_document)
        severity = Severity.PATCH if before == after else Severity.MINOR if before is None else Severity.BREAKING
        yield field_change(severity, "entry", name, "status_code", old["status_code"], new["status_code"])
    before, after = old.get("deprecated"), new.get("deprecated")
    if before != after:
        severity = Severity.PATCH if before and after else Severity.MINOR
        what = "deprecated" if not before else "deprecated in other words" if after else "no longer deprecated"
        yield Change(severity, "entry", name, what, "deprecated", before, after)


def _without(row: Row) -> Row:
    return {field: value for field, value in row.items() if field not in JUDGED_HERE}


def _status(row: Row, document: Document) -> int | None:
    """The HTTP status an outcome gets: the row's own, else that of its error type."""
    own: int | None = row["status_code"]
    return own if own is not None else document["error_types"].get(row["error_type"], {}).get("status_code")


def _addition(name: str, row: Row, new: Document, inherited: Row | None, old: Document) -> Change:
    """What nobody knew so far may become known; what the row on `response` decided so far stays decided like that."""
    if inherited is not None and _promise(inherited, old) != _promise(row, new):
        return Change(Severity.BREAKING, "entry", name, f"added, and differs from {HOME}'s row, which decided so far")
    return Change(Severity.MINOR, "entry", name, "added")


def _inherited(row: Row, old: Document) -> str | None:
    """The id of the row on `response` that decided so far what this new row decides; None where none can have.

    Codes, and what there is for none or an unknown one, are looked up there; a literal status or reason never is.
    """
    surface = old["surfaces"].get(row["surface"])
    if surface is None or row["surface"] == HOME:
        return None
    failure = surface.get("failure_field", "error")
    field = {failure: "error", f"{failure}.code": "error.code"}.get(row["field"])
    if field is None and row["match"] != "literal":
        field = "status" if row["field"] == "status" else "incomplete_details.reason"
    return _id(HOME, field, row) if field else None


def _promise(row: Row, document: Document) -> tuple[Any, ...]:
    return (*(row[field] for field in PROMISED), _status(row, document))
