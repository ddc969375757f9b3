"""Faults: the ways in which a response can go wrong, and whether the request took effect. A table."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from ..._catalog.validator import ValidationError, anything, flag, string, table
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


@dataclass(frozen=True)
class Fault:
    """One way in which a response goes wrong."""

    __module__ = "runoutcome.testing"

    word: str
    shape: Shape
    status: int = 200
    applied: bool = True
    """A create or a cancel takes effect before its response goes wrong."""
    retry_after: float | None = None
    """Seconds, sent as the `retry-after` header."""
    code: str | None = None
    message: str | None = None
    retry_after_ms: int | None = None
    """Milliseconds, sent as the `retry-after-ms` header."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """Further headers of the response."""
    stall_seconds: float = 0.0
    """Real seconds before the response; a `stall` without them never responds."""
    drip_seconds: float = 0.0
    """Real seconds for the body, byte by byte."""
    after: int = 2
    """Number of events that a stream sends before the fault."""

    @property
    def is_of_a_stream(self) -> bool:
        """True for a fault of the events of a stream, which has no effect on other responses."""
        return self.shape.startswith("stream-")

    @property
    def is_readable(self) -> bool:
        """True if the client can read the true body, though late, slowly, or under another content type."""
        return self.shape in ("ok", "text-plain", "octet-stream") or self.is_of_a_stream

    def at_speed(self, speed: float) -> "Fault":
        """The same fault, its durations divided by `speed`."""
        return replace(self, stall_seconds=self.stall_seconds / speed, drip_seconds=self.drip_seconds / speed)


FaultLike = Fault | str | int | Mapping[str, object]
"""A fault, or what names one: a word, a status, or a table with more detail."""

_SLOW_SECONDS = 2.0
_FAULTS: Mapping[str, Fault] = MappingProxyType(
    {shape: Fault(shape, shape) for shape in get_args(Shape) if shape not in ("envelope", "object")}
    | {
        fault.word: fault
        for fault in (
            Fault("{}", "object"),
            Fault("no-id", "object"),
            Fault("redirect", "redirect", 307, applied=False),
            Fault("reset", "reset", applied=False),
            Fault("lost", "reset"),
            Fault("slow", "ok", stall_seconds=_SLOW_SECONDS),
            Fault("drip", "ok", drip_seconds=_SLOW_SECONDS),
        )
    }
)
FAULT_WORDS = tuple(_FAULTS)
"""Every word that names a fault, apart from statuses."""
_BY_STATUS = re.compile(r"(?P<status>[45]\d\d)(?P<html>-html(?P<rejected>-rejected)?)?")
_ALSO = "400 to 599 (the API's error envelope), NNN-html, NNN-html-rejected, or a table {status = 503, retry_after = 1}"
# Content-length and transfer-encoding are left to HTTP.
_HEADER = re.compile(r"(?!content-length$|transfer-encoding$)[\w!#$%&'*+.^`|~-]+", re.ASCII | re.IGNORECASE)
_HEADER_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def parse_fault(value: object) -> Fault:
    """The fault that a word, a status or a table names. Raises ValueError with the allowed words and keys."""
    if isinstance(value, Fault):
        return value
    if isinstance(value, Mapping):
        return _from_table(value)
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


parse_fault.__module__ = "runoutcome.testing"


def _from_table(value: object) -> Fault:
    try:
        fields = _TABLE(value)
    except ValidationError as error:
        problem = error.problems[0]
        if problem.kind == "key":
            raise ValueError(unknown("key of a fault", str(problem.value), problem.allowed)) from None
        raise ValueError(f"{problem.path[0]} of a fault is {problem.text}, got {problem.value!r}") from None
    fault = replace(_base(fields), **{key: fields[key] for key in fields if key not in ("kind", "status")})
    return replace(fault, shape="ok") if fault.shape == "stall" and "stall_seconds" in fields else fault


def _base(fields: Mapping[str, Any]) -> Fault:
    if "kind" in fields and "status" in fields:
        raise ValueError("a fault has a kind or a status, not both")
    if "status" in fields:
        fault = parse_fault(fields["status"])
        if fault.status < 400:
            raise ValueError(f"the status of a fault is 400 to 599, got {fields['status']!r}")
        return fault
    if "kind" in fields:
        return parse_fault(fields["kind"])
    # A good response, but a slow one.
    for word, key in (("slow", "stall_seconds"), ("drip", "drip_seconds")):
        if key in fields:
            return Fault(word, "ok")
    raise ValueError("a fault has a kind, a status, stall_seconds or drip_seconds")


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValidationError.expected("a number of seconds", value)
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValidationError.expected("a whole number, 0 or more", value)
    return value


def _headers(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(
        _HEADER.fullmatch(name) and isinstance(text, str) and _HEADER_TEXT.fullmatch(text)
        for name, text in cast("Mapping[str, object]", value).items()
    ):
        raise ValidationError.expected("a table of strings that HTTP can send", value)
    return value


_TABLE = table(
    {
        "kind": string(),
        "status": anything,
        **dict.fromkeys(("retry_after", "stall_seconds", "drip_seconds"), _seconds),
        **dict.fromkeys(("retry_after_ms", "after"), _count),
        **dict.fromkeys(("code", "message"), string()),
        "applied": flag,
        "headers": _headers,
    }
)
