"""The table of faults: every way in which an answer can go wrong, and whether the request took effect."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, cast

from .._errors import unknown

Shape = Literal[
    "ok",
    "envelope",
    "html",
    "cut",
    "empty",
    "object",
    "text-plain",
    "octet-stream",
    "bad-gzip",
    "redirect",
    "torn",
    "reset",
    "stall",
    "stream-cut",
    "stream-eof",
    "stream-stall",
    "stream-duplicate",
    "stream-skip",
]
"""`envelope` is the API's JSON error; `cut` the true body without its end, `torn` half of it and then a reset; `object`
the literal `{}`; `text-plain` and `octet-stream` the true body under that type. A `stream-` shape is for streams only:
`-cut` a reset, `-eof` a silent end, `-stall` silence, `-duplicate` an event twice, `-skip` an event left out."""

Words = str | int | Mapping[str, object]
"""What names a fault: a word, a status, or a table with more detail."""


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
    retry_after_ms: int | None = None
    """Milliseconds, sent as the `retry-after-ms` header."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """More headers of the answer."""
    stall_seconds: float = 0.0
    """Real seconds before the answer; a `stall` without them never answers."""
    drip_seconds: float = 0.0
    """Real seconds that the body takes, byte by byte."""
    after: int = 2
    """The events of a stream that are sent as they should be, before the fault bites."""

    @property
    def is_of_a_stream(self) -> bool:
        """It is about the events of a stream, and means nothing to other answers."""
        return self.shape.startswith("stream-")

    @property
    def is_readable(self) -> bool:
        """The client can read the true body in the end, though late, slowly, or under another type."""
        return self.shape in ("ok", "text-plain", "octet-stream") or self.is_of_a_stream

    def at_speed(self, speed: float) -> Fault:
        """The same fault, its durations divided by `speed`."""
        return replace(self, stall_seconds=self.stall_seconds / speed, drip_seconds=self.drip_seconds / speed)


_SLOW_SECONDS = 2.0
_FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        fault.word: fault
        for fault in (
            Fault("ok", "ok"),
            Fault("html", "html"),
            Fault("cut", "cut"),
            Fault("empty", "empty"),
            Fault("{}", "object"),
            Fault("no-id", "object"),
            Fault("text-plain", "text-plain"),
            Fault("octet-stream", "octet-stream"),
            Fault("bad-gzip", "bad-gzip"),
            Fault("redirect", "redirect", 307, applied=False),
            Fault("torn", "torn"),
            Fault("reset", "reset", applied=False),
            Fault("lost", "reset"),
            Fault("stall", "stall"),
            Fault("slow", "ok", stall_seconds=_SLOW_SECONDS),
            Fault("drip", "ok", drip_seconds=_SLOW_SECONDS),
            Fault("stream-cut", "stream-cut"),
            Fault("stream-eof", "stream-eof"),
            Fault("stream-stall", "stream-stall"),
            Fault("stream-duplicate", "stream-duplicate"),
            Fault("stream-skip", "stream-skip"),
        )
    }
)
FAULT_WORDS = tuple(_FAULTS)
"""The words that are no status."""
_BY_STATUS = re.compile(r"(?P<status>[45]\d\d)(?P<html>-html(?P<rejected>-rejected)?)?")
_ALSO = "400 to 599 (the API's error envelope), NNN-html, NNN-html-rejected, or a table {status = 503, retry_after = 1}"
# What can be sent; how long the answer is, HTTP itself says.
_HEADER = re.compile(r"(?!content-length$|transfer-encoding$)[\w!#$%&'*+.^`|~-]+", re.ASCII | re.IGNORECASE)
_HEADER_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_SECONDS = ("retry_after", "stall_seconds", "drip_seconds")
_COUNTS = ("retry_after_ms", "after")
_TEXTS = ("kind", "code", "message")
_KEYS = ("kind", "status", *_SECONDS, *_COUNTS, *_TEXTS, "applied", "headers")


def parse_fault(value: object) -> Fault:
    """The fault that a word, a status or a table names. Raises ValueError saying what is allowed."""
    if isinstance(value, Fault):
        return value
    if isinstance(value, Mapping):
        return _from_table(cast("Mapping[str, Any]", value))
    word = str(value).strip()
    if word in _FAULTS:
        return _FAULTS[word]
    match = _BY_STATUS.fullmatch(word)
    if not match:
        raise ValueError(unknown("fault", word, _FAULTS, _ALSO))
    status = int(match["status"])
    if match["html"]:
        return Fault(word, "html", status, applied=not match["rejected"])
    return Fault(word, "envelope", status, applied=False)


def _from_table(table: Mapping[str, Any]) -> Fault:
    for key, value in table.items():
        _check(key, value)
    changes = {key: value for key, value in table.items() if key not in ("kind", "status")}
    fault = replace(_base(table), **changes)
    if fault.shape == "stall" and "stall_seconds" in table:
        return replace(fault, shape="ok")
    return fault


def _base(table: Mapping[str, Any]) -> Fault:
    if "kind" in table and "status" in table:
        raise ValueError("a fault has a kind or a status, not both")
    if "status" in table:
        fault = parse_fault(table["status"])
        if fault.status < 400:
            raise ValueError(f"the status of a fault is 400 to 599, got {table['status']!r}")
        return fault
    if "kind" in table:
        return parse_fault(table["kind"])
    # An answer that is good, but slow.
    for word, key in (("slow", "stall_seconds"), ("drip", "drip_seconds")):
        if key in table:
            return Fault(word, "ok")
    raise ValueError("a fault has a kind, a status, stall_seconds or drip_seconds")


def _check(key: str, value: object) -> None:
    if key not in _KEYS:
        raise ValueError(unknown("key of a fault", key, _KEYS))
    if key in _SECONDS and not _is_number(value):
        raise ValueError(f"{key} of a fault is a number of seconds, got {value!r}")
    if key in _COUNTS and not (_is_number(value) and isinstance(value, int)):
        raise ValueError(f"{key} of a fault is a whole number, 0 or more, got {value!r}")
    if key in _TEXTS and not isinstance(value, str):
        raise ValueError(f"{key} of a fault is a string, got {value!r}")
    if key == "applied" and not isinstance(value, bool):
        raise ValueError(f"applied of a fault is true or false, got {value!r}")
    if key == "headers" and not _is_headers(value):
        raise ValueError(f"headers of a fault is a table of strings that HTTP can send, got {value!r}")


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value) and value >= 0


def _is_headers(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        _HEADER.fullmatch(name) and isinstance(text, str) and _HEADER_TEXT.fullmatch(text)
        for name, text in cast("Mapping[str, object]", value).items()
    )
