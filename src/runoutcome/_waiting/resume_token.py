"""Resume tokens: plain text that says which run to go on with, on this machine or another. No secret inside."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from .._outcome.retry_after import parse_seconds

VERSION = 1
_LEAVES_ITS_PLACE = re.compile(r"[ /?#\\]")
_DOTS = ("", ".", "..")
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""A W3C `traceparent`."""


@dataclass(frozen=True)
class ResumeToken:
    """Data to go on waiting for a run that was submitted elsewhere or earlier."""

    response_id: str
    submitted_at: float | None = None
    """Wall-clock time of the submission, in seconds since the epoch."""
    key: str | None = None
    """The run's `runoutcome_key`, by which it can be found in the provider's logs."""
    completion_window: str | None = None
    seen: bool = False
    """A poll has found the run, so a 404 means that it is gone, not that the id is wrong."""
    first_submitted_at: float | None = None
    """Time of submission of the first run of its job; None if this is the first."""
    spent_tokens: int = 0
    """Tokens used by the earlier runs of its job, as far as that is known."""
    cursor: int | None = None
    """The number of the last event of its stream that was passed on; None where none was."""
    trace: str | None = None
    """The W3C `traceparent` of the span in which it was submitted; None without telemetry."""
    include: tuple[str, ...] = ()
    """Fields that the API gives on request only, and that the polls ask for."""

    def age_at(self, now: float) -> float | None:
        """Seconds from the submission to `now`, by the wall clock; None where the time of the submission is unknown."""
        return None if self.submitted_at is None else max(0.0, now - self.submitted_at)

    def dumps(self) -> str:
        """The token as one line of JSON."""
        values: dict[str, Any] = {"runoutcome": VERSION, "id": self.response_id}
        if self.submitted_at is not None:
            values["at"] = round(self.submitted_at, 3)
        if self.key is not None:
            values["key"] = self.key
        if self.completion_window is not None:
            values["window"] = self.completion_window
        if self.seen:
            values["seen"] = True
        if self.first_submitted_at is not None:
            values["first"] = round(self.first_submitted_at, 3)
        if self.spent_tokens:
            values["spent"] = self.spent_tokens
        if self.cursor is not None:
            values["cursor"] = self.cursor
        if self.trace is not None:
            values["trace"] = self.trace
        if self.include:
            values["include"] = self.include
        return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def loads(text: str) -> ResumeToken:
    """The token in `text`, which may also be a bare response id.

    Raises ValueError, saying what is wrong, for text that is neither.
    """
    text = text.strip()
    if not text:
        raise ValueError("an empty text is neither a response id nor a resume token")
    if not text.startswith("{"):
        return ResumeToken(text)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"not a resume token ({reason}): give the whole token, in quotes, or the response id"
        ) from None
    if not isinstance(values, dict):
        raise ValueError("not a resume token: a JSON object was expected")
    if values.get("runoutcome") != VERSION:
        raise ValueError(
            f"this resume token has version {values.get('runoutcome')!r}; this release reads version {VERSION}"
        )
    response_id, spent, cursor = values.get("id"), values.get("spent"), values.get("cursor")
    trace = _text(values.get("trace"))
    if not isinstance(response_id, str) or not response_id:
        raise ValueError("not a resume token: it holds no response id")
    return ResumeToken(
        response_id,
        epoch_seconds(values.get("at")),
        _text(values.get("key")),
        _text(values.get("window")),
        values.get("seen") is True,
        epoch_seconds(values.get("first")),
        spent if type(spent) is int and spent > 0 else 0,
        cursor if type(cursor) is int and cursor >= 0 else None,
        trace if is_trace(trace or "") else None,
        names_in(values.get("include")),
    )


def names_in(value: object) -> tuple[str, ...]:
    """The texts in a list; none in anything else."""
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, (list, tuple)) else ()


def is_trace(text: str) -> bool:
    """True for a W3C `traceparent`."""
    return _TRACE.fullmatch(text) is not None


def check_id(response_id: str) -> None:
    """Raises ValueError for an id that would make a request of something else than a run: the id is part of its path.

    Nothing else is asked of an id, as gateways make their own. What a proxy would decode counts as decoded.
    """
    for text in (response_id, unquote(response_id)):
        if text in _DOTS or not text.isprintable() or _LEAVES_ITS_PLACE.search(text):
            raise ValueError(
                f"{response_id[:80]!r} is not a response id: an id has no spaces, no line breaks, none of / \\ ? #, "
                "and is not made of dots"
            )


def epoch_seconds(value: object) -> float | None:
    """A time that a token or a body holds; None for what is no finite number of 0 or more."""
    return parse_seconds(value) if not isinstance(value, str) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
