"""Delay that a server asks for before a new run: in `error.headers` or in its message. Pure and total."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from .._catalog.lookup import Failure
from .body import look

MAX_DELAY_SECONDS = 3600.0
"""`Outcome.retry_after` is at most this: a number found in prose must not park a job for days."""

_SECONDS = {"m": 60.0, "h": 3600.0, "s": 1.0}
_AMOUNT = r"(\d{1,9}(?:\.\d{1,9})?)\s?(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h)(?![a-z])"
# "Please try again in 2.512s", "424ms", "1h12m0s"; Azure writes "retry after 20 seconds".
# "try again" or "retry": that it begins with a plain word makes the search three times as fast.
_WISH = re.compile(rf"try(?: again|(?<=retry))\s(?:in|after)\s((?:{_AMOUNT}\s?){{1,4}})", re.ASCII)
_PART = re.compile(_AMOUNT, re.ASCII)


def delay_of(error: object, failure: Failure, *, reads_message: bool) -> tuple[float, str] | None:
    """Seconds and source of the delay that an error asks for, uncut; the message only where `reads_message`."""
    if (delay := delay_from_headers(look(error, "headers")) or delay_from_field(error)) is not None:
        return delay
    if failure.claim is not None and failure.claim.retry_after is not None:
        return failure.claim.retry_after, "outcome.retry_after_ms"
    return delay_from_message(failure.message) if reads_message else None


def delay_from_field(error: object) -> tuple[float, str] | None:
    """Seconds by `resets_in_seconds`, as ChatGPT's usage limits have it."""
    seconds = parse_seconds(look(error, "resets_in_seconds"))
    return None if seconds is None else (seconds, "error.resets_in_seconds")


def delay_from_headers(headers: object) -> tuple[float, str] | None:
    """Seconds and source by `retry-after-ms` or `retry-after` (seconds); None where neither is a sane number.

    A date is ignored: turning it into a delay needs a clock, and these functions have none.
    """
    if not isinstance(headers, Mapping):
        return None
    lowered = {key.lower(): value for key, value in headers.items() if isinstance(key, str)}
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = parse_seconds(lowered.get(name), scale)
        if seconds is not None:
            return seconds, f"error.headers.{name}"
    return None


def delay_from_message(message: str | None) -> tuple[float, str] | None:
    """Seconds and source by a wording such as "Please try again in 2.512s"; None where there is none."""
    wish = _WISH.search(message[:2000].lower()) if message else None
    if wish is None:
        return None
    seconds = sum(float(number) * _scale(unit) for number, unit in _PART.findall(wish.group(1)))
    return seconds, "error.message"


def parse_seconds(value: object, scale: float = 1.0) -> float | None:
    """`value` (a number or its text) times `scale` as seconds; None unless it is finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value) * scale
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _scale(unit: str) -> float:
    return 0.001 if unit.startswith(("ms", "milli")) else _SECONDS[unit[0]]
