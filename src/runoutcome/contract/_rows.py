"""Comparing what is alike in every part of a catalog: the fields of a row, and the rows of a small table. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ._change import Change, Severity

Row = Mapping[str, Any]
_LONGEST = 40


def field_changes(kind: str, row_id: str, old: Row, new: Row, severities: Mapping[str, Severity]) -> Iterator[Change]:
    """One change for each field of a row that differs.

    A field without a severity is one that this code does not know: it may come, but not change and not go.
    """
    for field in dict.fromkeys((*old, *new)):
        if old.get(field) != new.get(field):
            severity = severities.get(field, Severity.BREAKING if field in old else Severity.MINOR)
            yield field_change(severity, kind, row_id, field, old.get(field), new.get(field))


def field_change(severity: Severity, kind: str, row_id: str, field: str, old: Any, new: Any) -> Change:
    """The change of one field, told with its values where they are short."""
    words = f"{json.dumps(old)} -> {json.dumps(new)}"
    what = f"{field}: {words}" if len(words) <= _LONGEST else f"{field} changed"
    return Change(severity, kind, row_id, what, field, old, new)


def table_changes(kind: str, old: Row, new: Row) -> Iterator[Change]:
    """The changes of a table from a name to a value: a name may come, but not change and not go."""
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Change(Severity.BREAKING, kind, name, "removed", old=old[name])
        elif name not in old:
            yield Change(Severity.MINOR, kind, name, "added", new=new[name])
        elif old[name] != new[name]:
            yield Change(Severity.BREAKING, kind, name, "changed", old=old[name], new=new[name])
