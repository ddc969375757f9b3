"""Compares two catalogs and rates each change. Pure; `docs/versioning.md` is this policy in words.

Works on the plain documents, so that versions older and newer than this code can be compared.

The promise is about answers: a body that a row decides gets the same class, error type, HTTP status and `retryable` for
as long as the major version stays. A new code, or a status without a row, may become known.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._catalog.rows import HOME
from ._change import Change, Diff, Severity, version_of

Document = Mapping[str, Any]
Row = Mapping[str, Any]
Severities = Mapping[str, Severity | None]
"""Severity of a change of each field; None for a field that is rated by a function of its own."""

_TABLES = {
    "error_types": "error type",
    "http_statuses": "HTTP status",
    "upstream_error_types": "upstream error type",
}
"""The small tables of a catalog, and the name for a row of each."""
SECTIONS = {"$schema", "catalog_version", "surfaces", "entries", "rules", "retryable_statuses", "errata", *_TABLES}

_PROMISED = ("error_class", "error_type", "retryable")
_CORRECTABLE = ("error_class", "error_type", "status_code")
_WORDS = ("title", "cause", "remedy", "since", "evidence")
ENTRY_FIELDS: Severities = {
    **dict.fromkeys(_PROMISED, Severity.BREAKING),
    "action": Severity.MINOR,
    **dict.fromkeys(_WORDS, Severity.PATCH),
    **dict.fromkeys(("sdk_since", "documented", "inferred", "confidence", "contested", "alternatives"), Severity.PATCH),
    **dict.fromkeys(("status_code", "deprecated")),
}
RULE_FIELDS: Severities = {
    **dict.fromkeys(("surface", "code", "pattern", "retryable"), Severity.BREAKING),
    "action": Severity.MINOR,
    **dict.fromkeys(_WORDS, Severity.PATCH),
    "words": None,
}
_LEARNED = ("output_field", "counts_field")
SURFACE_FIELDS: Severities = {
    **dict.fromkeys(("status_field", "failure_field", *_LEARNED), Severity.BREAKING),
    "legacy": Severity.MINOR,
    **dict.fromkeys(("sdk_model", "openapi_schema"), Severity.PATCH),
    **dict.fromkeys(("object", "aliases", "pending", "terminal", "completed", "decided_by")),
}
_SURFACE_DEFAULTS: dict[str, Any] = {
    "aliases": [],
    "completed": ["completed"],
    "failure_field": "error",
    "output_field": None,
    "counts_field": None,
    "legacy": False,
    "sdk_model": None,
    "openapi_schema": None,
}
"""Fields that catalogs before 1.1.0 leave out."""
_LONGEST_VALUES = 40


def diff(old: Document, new: Document, between: Iterable[Document] = ()) -> Diff:
    """Return everything that changed from `old` to `new`, the most severe first, else in the order of the catalog.

    `between` are the versions released between the two: an entry that one of them deprecated may go. A correction that
    `new` lists under `errata` is minor.
    """
    deprecated = {
        name for document in (old, *between) for name, row in entries_of(document).items() if row.get("deprecated")
    }
    changes = [
        *_surface_changes(old["surfaces"], new["surfaces"]),
        *_entry_changes(old, new, deprecated),
        *_rule_changes(old["rules"], new["rules"]),
        *_table_changes(old, new),
    ]
    reasons = _errata(old, new)
    changes = [_corrected(change, reasons[change.id]) if change.id in reasons else change for change in changes]
    changes.sort(key=lambda change: -change.severity)
    return Diff(old["catalog_version"], new["catalog_version"], tuple(changes))


def _errata(old: Document, new: Document) -> Mapping[str, str]:
    """Return id -> reason of the entries that a version after `old` corrects."""
    errata = [row for row in new.get("errata", ()) if version_of(row["since"]) > version_of(old["catalog_version"])]
    return {row["id"]: row["reason"] for row in errata}


def _corrected(change: Change, reason: str) -> Change:
    """Rate the correction of a mistake: minor, if nothing becomes retryable by it."""
    is_correction = change.field in _CORRECTABLE or (change.field == "retryable" and change.new is False)
    if change.kind != "entry" or change.severity is not Severity.BREAKING or not is_correction:
        return change
    return replace(change, severity=Severity.MINOR, what=f"{change.what}; an erratum: {reason}")


def _surface_changes(old: Row, new: Row) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Change(Severity.BREAKING, "surface", name, "removed")
        elif name not in old:
            yield Change(Severity.MINOR, "surface", name, "added")
        else:
            before, after = {**_SURFACE_DEFAULTS, **old[name]}, {**_SURFACE_DEFAULTS, **new[name]}
            learned = dict.fromkeys((field for field in _LEARNED if before[field] is None), Severity.MINOR)
            yield from _field_changes("surface", name, before, after, {**SURFACE_FIELDS, **learned})
            yield from _object_changes(name, before, after)
            yield from _status_changes(name, before, after)


def _object_changes(name: str, old: Row, new: Row) -> Iterator[Change]:
    """Compare the names by which bodies are found: a body that was found must still be found."""
    before, after = ({row["object"], *row["aliases"]} - {None} for row in (old, new))
    for called in sorted(before ^ after):
        severity, verb = (Severity.BREAKING, "no longer") if called in before else (Severity.MINOR, "now also")
        yield Change(severity, "surface", name, f"{verb} found by the object {called!r}", "object")
    if before == after and old["object"] != new["object"]:
        yield Change(Severity.PATCH, "surface", name, f"calls itself {new['object']!r} first", "object")


def _status_changes(name: str, old: Row, new: Row) -> Iterator[Change]:
    """Compare the meaning of each status, and the field that decides about it."""
    before, after = _meanings(old), _meanings(new)
    for status in dict.fromkeys((*before, *after)):
        was, becomes = before.get(status), after.get(status)
        if was != becomes:
            severity = Severity.MINOR if was is None else Severity.BREAKING
            what = f"status {status!r}: {was or 'unknown'} -> {becomes or 'unknown'}"
            yield Change(severity, "surface", name, what, "status", was, becomes)
    for status in dict.fromkeys((*old["decided_by"], *new["decided_by"])):
        was, becomes = old["decided_by"].get(status), new["decided_by"].get(status)
        if was != becomes and status in before:  # a status that is new had no answer that could change
            what = f"status {status!r} decided by {was or 'its own row'} -> {becomes or 'its own row'}"
            yield Change(Severity.BREAKING, "surface", name, what, "decided_by", was, becomes)


def _meanings(surface: Row) -> dict[str, str]:
    """Return status -> `pending`, `completed`, or `terminal` for every other end."""
    ends = {status: "completed" if status in surface["completed"] else "terminal" for status in surface["terminal"]}
    return {**dict.fromkeys(surface["pending"], "pending"), **ends}


def _entry_changes(old: Document, new: Document, deprecated: Container[str]) -> Iterator[Change]:
    """Compare the entries; `deprecated` are the ids of those that may go."""
    before, after = entries_of(old), entries_of(new)
    for name, row in before.items():
        if name in after:
            yield from _entry_change(name, row, old, after[name], new)
        elif name in deprecated:
            yield Change(Severity.BREAKING, "entry", name, "removed; it was deprecated")
        else:
            yield Change(Severity.FORBIDDEN, "entry", name, "removed, and no version has deprecated it")
    for name, row in after.items():
        if name not in before:
            yield _addition(name, row, new, before.get(_inherited(row, old) or ""), old)


def entries_of(document: Document) -> dict[str, Row]:
    """Return the entries of a catalog by their ids."""
    return {_id(row["surface"], row["field"], row): row for row in document["entries"]}


def _id(surface: str, field: str, row: Row) -> str:
    return f"{surface}/{field}/{row['value'] if row['match'] == 'literal' else '<' + row['match'] + '>'}"


def _entry_change(name: str, old: Row, old_document: Document, new: Row, new_document: Document) -> Iterator[Change]:
    yield from _field_changes("entry", name, old, new, ENTRY_FIELDS)
    if old["status_code"] != new["status_code"]:
        before, after = _status(old, old_document), _status(new, new_document)
        severity = Severity.PATCH if before == after else Severity.MINOR if before is None else Severity.BREAKING
        yield _field_change(severity, "entry", name, "status_code", old["status_code"], new["status_code"])
    before, after = old.get("deprecated"), new.get("deprecated")
    if before != after:
        severity = Severity.PATCH if before and after else Severity.MINOR
        what = "deprecated" if not before else "deprecated in other words" if after else "no longer deprecated"
        yield Change(severity, "entry", name, what, "deprecated", before, after)


def _status(row: Row, document: Document) -> int | None:
    """Return the HTTP status of an outcome: the row's own, else that of its error type."""
    own: int | None = row["status_code"]
    return own if own is not None else document["error_types"].get(row["error_type"], {}).get("status_code")


def _addition(name: str, row: Row, new: Document, inherited: Row | None, old: Document) -> Change:
    """Rate a new entry: if the row on `response` decided until now, the new one has to agree with it."""
    if inherited is not None and _promise(inherited, old) != _promise(row, new):
        return Change(Severity.BREAKING, "entry", name, f"added, and differs from {HOME}'s row, which decided so far")
    return Change(Severity.MINOR, "entry", name, "added")


def _inherited(row: Row, old: Document) -> str | None:
    """Return the id of the row on `response` that decided until now in place of this new one; None if there is none.

    Codes, and the rows for no code and an unknown one, are looked up there; a literal status or reason never is.
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
    return (*(row[field] for field in _PROMISED), _status(row, document))


def _rule_changes(old: Sequence[Row], new: Sequence[Row]) -> Iterator[Change]:
    """Compare the rules. They speak about bodies that have an answer, so a new one may only take `retryable` away.

    It cannot be computed which messages another pattern matches, so a pattern stays; another rule can be added.
    """
    before, after = {row["id"]: row for row in old}, {row["id"]: row for row in new}
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield Change(Severity.BREAKING, "rule", name, "removed")
        elif name in before:
            yield from _field_changes("rule", name, before[name], after[name], RULE_FIELDS)
            if any("words" in row for row in old):  # catalogs before 1.1.0 do not have them
                yield from _trigger_changes(name, before[name].get("words", []), after[name].get("words", []))
        elif after[name]["retryable"]:
            yield Change(Severity.BREAKING, "rule", name, "added, and makes failures retryable that were not")
        else:
            names = list(after)
            later = ", ".join(other for other in names[names.index(name) :] if other in before)
            yield Change(Severity.MINOR, "rule", name, f"added, and tried before {later}" if later else "added")
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield Change(Severity.BREAKING, "rule", "*", "in another order, and the first that matches decides")


def _trigger_changes(name: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """Compare the words that a message needs before a rule looks at it: each old one has to be enough as before."""
    if old != new:
        is_covered = not new or (bool(old) and all(any(word in other for word in new) for other in old))
        yield _field_change(Severity.PATCH if is_covered else Severity.BREAKING, "rule", name, "words", old, new)


def _table_changes(old: Document, new: Document) -> Iterator[Change]:
    """Compare the small tables, and the sections that this code does not know."""
    for section, kind in _TABLES.items():
        # An HTTP status has an answer without a row of its own: batch rows with a known code get another class by one.
        added = Severity.BREAKING if section == "http_statuses" else Severity.MINOR
        yield from _name_changes(kind, old[section], new[section], added)
    before, after = set(old["retryable_statuses"]), set(new["retryable_statuses"])
    for status in sorted(before ^ after):
        what = "removed" if status in before else "added"
        yield Change(Severity.BREAKING, "retryable HTTP status", str(status), what)
    known = SECTIONS | {"overlays"}
    sections = [{name: part for name, part in document.items() if name not in known} for document in (old, new)]
    yield from _name_changes("section", sections[0], sections[1])


def _name_changes(kind: str, old: Row, new: Row, added: Severity = Severity.MINOR) -> Iterator[Change]:
    """Compare tables from a name to a value: a name may come, but not change and not go."""
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Change(Severity.BREAKING, kind, name, "removed", old=old[name])
        elif name not in old:
            yield Change(added, kind, name, "added", new=new[name])
        elif old[name] != new[name]:
            yield Change(Severity.BREAKING, kind, name, "changed", old=old[name], new=new[name])


def _field_changes(kind: str, row_id: str, old: Row, new: Row, severities: Severities) -> Iterator[Change]:
    """Compare the fields of a row. A field that this code does not know may come, but not change and not go."""
    for field in dict.fromkeys((*old, *new)):
        severity = severities.get(field, Severity.BREAKING if field in old else Severity.MINOR)
        if old.get(field) != new.get(field) and severity is not None:
            yield _field_change(severity, kind, row_id, field, old.get(field), new.get(field))


def _field_change(severity: Severity, kind: str, row_id: str, field: str, old: Any, new: Any) -> Change:
    """Describe the change of one field, with its values if they are short."""
    values = f"{json.dumps(old)} -> {json.dumps(new)}"
    what = f"{field}: {values}" if len(values) <= _LONGEST_VALUES else f"{field} changed"
    return Change(severity, kind, row_id, what, field, old, new)
