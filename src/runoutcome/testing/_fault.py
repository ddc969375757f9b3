"""The table of faults: every way in which an answer can go wrong, and whether the request took effect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from ._errors import unknown

Shape = Literal["ok", "envelope", "html", "cut", "empty", "object", "reset", "stall"]
"""`envelope` is the API's JSON error; `cut` the true body without its end; `object` the literal `{}`."""


@dataclass(frozen=True)
class Fault:
    """One fault. `applied`: a create or cancel took effect before its answer went wrong; a poll changes nothing."""

    word: str
    shape: Shape
    status: int = 200
    applied: bool = True
    retry_after: float | None = None
    """Seconds, sent as the `retry-after` header."""
    code: str | None = None
    message: str | None = None


_SHAPES: Mapping[str, tuple[Shape, bool]] = MappingProxyType(
    {
        "ok": ("ok", True),
        "html": ("html", True),
        "cut": ("cut", True),
        "empty": ("empty", True),
        "{}": ("object", True),
        "no-id": ("object", True),
        "reset": ("reset", False),
        "lost": ("reset", True),
        "stall": ("stall", True),
    }
)
_BY_STATUS = re.compile(r"(?P<status>[45]\d\d)(?P<html>-html(?P<rejected>-rejected)?)?")
_ALSO = "400 to 599 (the API's error envelope), NNN-html, NNN-html-rejected, or a table {status = 503, retry_after = 1}"
_KEYS = ("status", "retry_after", "code", "message")


def parse_fault(value: object) -> Fault:
    """The fault that a word, a status or a table names. Raises ValueError saying what is allowed."""
    if isinstance(value, Mapping):
        return _from_table(value)  # pyright: ignore[reportUnknownArgumentType]
    word = str(value).strip()
    if word in _SHAPES:
        shape, applied = _SHAPES[word]
        return Fault(word, shape, applied=applied)
    match = _BY_STATUS.fullmatch(word)
    if not match:
        raise ValueError(unknown("fault", word, _SHAPES, _ALSO))
    status = int(match["status"])
    if match["html"]:
        return Fault(word, "html", status, applied=not match["rejected"])
    return Fault(word, "envelope", status, applied=False)


def _from_table(table: Mapping[str, Any]) -> Fault:
    for key in table:
        if key not in _KEYS:
            raise ValueError(unknown("key of a fault", key, _KEYS))
    fault = parse_fault(table.get("status", ""))
    if fault.status == 200:
        raise ValueError(f"the status of a fault is 400 to 599, got {table.get('status')!r}")
    retry_after = table.get("retry_after")
    if retry_after is not None and (isinstance(retry_after, bool) or not isinstance(retry_after, (int, float))):
        raise ValueError(f"retry_after of a fault is a number of seconds, got {retry_after!r}")
    for key in ("code", "message"):
        if not isinstance(table.get(key, ""), str):
            raise ValueError(f"{key} of a fault is a string, got {table[key]!r}")
    return replace(fault, retry_after=retry_after, code=table.get("code"), message=table.get("message"))
