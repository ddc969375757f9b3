"""Retry advice for an exception: `is_retryable` and `retry_after`."""

from __future__ import annotations

import sys
import time
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from .. import _sdk
from .._catalog.catalog import Catalog
from .._catalog.lookup import Failure, is_retryable_status, lookup, names_quota
from .._outcome.body import look, word
from .._outcome.retry_after import parse_seconds
from .bases import RunError
from .exceptions import RunGoneError

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

MAX_RETRY_AFTER_SECONDS = 120.0
"""The SDK does not send a request again if the server asks for a longer wait (2.x, 3.x)."""


def is_retryable(exc: BaseException) -> bool:
    """True if an identical *new* run (or, for an HTTP error of the SDK, the same request) may succeed.

    For tenacity, stamina and backoff. A `RunError` answers by its outcome, any other `openai` error by the SDK's own
    rule less what is a matter of quota or billing, a group only if all its members do, anything else False. Errors
    after which the run may still be going are never retryable: poll their token instead.
    """
    if isinstance(exc, BaseExceptionGroup):
        return all(is_retryable(member) for member in exc.exceptions)
    if isinstance(exc, RunError):
        return exc.retryable
    if isinstance(exc, RunGoneError) or getattr(exc, "run_token", None):
        return False  # the error is about a poll, not about the run
    if isinstance(exc, _sdk.APIConnectionError):
        return True
    return isinstance(exc, _sdk.APIStatusError) and _is_retryable_answer(exc)


is_retryable.__module__ = "runoutcome"


def retry_after(exc: BaseException) -> float | None:
    """Seconds the server asked to wait, from the outcome or the HTTP headers; of a group the longest; else None."""
    if isinstance(exc, BaseExceptionGroup):
        return max((delay for member in exc.exceptions if (delay := retry_after(member)) is not None), default=None)
    if isinstance(exc, RunError):
        return exc.outcome.retry_after
    return retry_after_of(exc.response.headers) if isinstance(exc, _sdk.APIStatusError) else None


retry_after.__module__ = "runoutcome"


def retry_after_of(headers: Any) -> float | None:
    """Seconds by `retry-after-ms` or `Retry-After` (seconds or an HTTP date) of an answer; None if neither is sane."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = parse_seconds(headers.get(name), scale)
        if seconds is not None:
            return seconds
    date = parsedate_tz(headers.get("retry-after") or "")
    try:
        return max(0.0, mktime_tz(date) - time.time()) if date else None
    except (ValueError, OverflowError):
        return None


def _is_retryable_answer(error: _sdk.APIStatusError) -> bool:
    """The SDK's `_should_retry` (1.109 to 3.54), less quota: the SDK retries every 429."""
    catalog, body, headers = Catalog.load(), error.body, error.response.headers
    # Before 3.14 the SDK hands on a code of any type.
    failure = Failure(code=word(error.code), message=word(look(body, "message")), type=word(look(body, "type")))
    if lookup(catalog, "response", failure).action == "fix_account" or names_quota(catalog, failure):
        return False
    if (retry_after_of(headers) or 0.0) > MAX_RETRY_AFTER_SECONDS:
        return False
    should_retry = headers.get("x-should-retry")
    if should_retry in ("true", "false"):
        return should_retry == "true"
    return is_retryable_status(catalog, error.status_code)
