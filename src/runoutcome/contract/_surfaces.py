"""What changed among the surfaces: what is found, and what its statuses mean. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._change import Change, Severity
from ._rows import Row, field_changes

_DEFAULTS: dict[str, Any] = {
    "aliases": [],
    "completed": ["completed"],
    "failure_field": "error",
    "output_field": None,
    "counts_field": None,
    "legacy": False,
    "sdk_model": None,
    "openapi_schema": None,
}
"""What a surface means that leaves a field out, as catalogs before 1.1.0 do."""
JUDGED_HERE = ("object", "aliases", "pending", "terminal", "completed", "decided_by")
SURFACE_FIELDS = {
    "status_field": Severity.BREAKING,
    "failure_field": Severity.BREAKING,
    "legacy": Severity.MINOR,
    "sdk_model": Severity.PATCH,
    "openapi_schema": Severity.PATCH,
}
MAY_BE_LEARNED = ("output_field", "counts_field")


def surface_changes(old: Row, new: Row) -> Iterator[Change]:
    """The changes from the surfaces `old` to the surfaces `new`, each by name."""
    for name, surface in old.items():
        if name in new:
            yield from _changes(name, {**_DEFAULTS, **surface}, {**_DEFAULTS, **new[name]})
        else:
            yield Change(Severity.BREAKING, "surface", name, "removed")
    for name in new:
        if name not in old:
            yield Change(Severity.MINOR, "surface", name, "added")


def _changes(name: str, old: Row, new: Row) -> Iterator[Change]:
    learned = {field: Severity.MINOR if old[field] is None else Severity.BREAKING for field in MAY_BE_LEARNED}
    yield from field_changes("surface", name, _without(old), _without(new), {**SURFACE_FIELDS, **learned})
    yield from _name_changes(name, old, new)
    yield from _status_changes(name, old, new)
    yield from _decider_changes(name, old, new)


def _without(surface: Row) -> Row:
    return {field: value for field, value in surface.items() if field not in JUDGED_HERE}


def _name_changes(name: str, old: Row, new: Row) -> Iterator[Change]:
    """A body that was found must still be found, by whatever it calls itself."""
    before, after = ({row["object"], *row["aliases"]} - {None} for row in (old, new))
    for called in sorted(before ^ after):
        severity, verb = (Severity.BREAKING, "no longer") if called in before else (Severity.MINOR, "now also")
        yield Change(severity, "surface", name, f"{verb} found by the object {called!r}", "object")
    if before == after and old["object"] != new["object"]:
        yield Change(Severity.PATCH, "surface", name, f"calls itself {new['object']!r} first", "object")


def _status_changes(name: str, old: Row, new: Row) -> Iterator[Change]:
    before, after = _meanings(old), _meanings(new)
    for status in dict.fromkeys((*before, *after)):
        was, becomes = before.get(status), after.get(status)
        if was != becomes:
            severity = Severity.MINOR if was is None else Severity.BREAKING
            what = f"status {status!r}: {was or 'unknown'} -> {becomes or 'unknown'}"
            yield Change(severity, "surface", name, what, "status", was, becomes)


def _meanings(surface: Row) -> dict[str, str]:
    """Status -> `pending`, `completed`, or `terminal` for every other end."""
    ends = {status: "completed" if status in surface["completed"] else "terminal" for status in surface["terminal"]}
    return {**dict.fromkeys(surface["pending"], "pending"), **ends}


def _decider_changes(name: str, old: Row, new: Row) -> Iterator[Change]:
    known = _meanings(old)
    before, after = old["decided_by"], new["decided_by"]
    for status in dict.fromkeys((*before, *after)):
        was, becomes = before.get(status), after.get(status)
        if was != becomes and status in known:  # one that is new here had no answer that could change
            what = f"status {status!r} decided by {was or 'its own row'} -> {becomes or 'its own row'}"
            yield Change(Severity.BREAKING, "surface", name, what, "decided_by", was, becomes)
