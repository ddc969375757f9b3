"""From an outcome to the exception it amounts to, and from an exception to what may be done about it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from email.utils import mktime_tz, parsedate_tz
from typing import Any, Literal, TypeVar

from .. import _sdk
from .._catalog.catalog import Catalog
from .._catalog.lookup import Failure, is_retryable_status, lookup, names_quota
from .._checks import check_type
from .._outcome.body import Reading, look, word
from .._outcome.classify import examine
from .._outcome.outcome import Outcome
from .._outcome.retry_after import parse_seconds
from . import exceptions as errors
from .bases import Origin, RunError

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

Accept = Literal["incomplete", "cancelled", "pending"]
ACCEPTED: tuple[Accept, ...] = ("incomplete", "cancelled", "pending")
_T = TypeVar("_T")
MAX_RETRY_AFTER_SECONDS = 120.0
"""The SDK does not send a request again where the server asks for a longer wait (2.x, 3.x)."""

_CLASSES: dict[str, type[RunError]] = {
    "BadRequestError": errors.RunBadRequestError,
    "AuthenticationError": errors.RunAuthenticationError,
    "PermissionDeniedError": errors.RunPermissionDeniedError,
    "NotFoundError": errors.RunNotFoundError,
    "ConflictError": errors.RunConflictError,
    "UnprocessableEntityError": errors.RunUnprocessableEntityError,
    "RateLimitError": errors.RunRateLimitError,
    "InternalServerError": errors.RunInternalServerError,
    "APIStatusError": errors.RunStatusError,
    "ContentFilterFinishReasonError": errors.RunContentFilterError,
}
_BY_STATUS: dict[str, type[RunError]] = {
    "incomplete": errors.RunIncompleteError,
    "cancelled": errors.RunCancelledError,
    "expired": errors.RunExpiredError,
}
_BY_TYPE = {f"{status}_error": cls for status, cls in _BY_STATUS.items()}


def error_for(obj: object, *, surface: str | None = None, catalog: Catalog | None = None) -> RunError | None:
    """A fresh exception for what `obj` says became of its run; None if it is completed or still pending.

    Takes what `classify` takes, and raises nothing for any of it: what is no run body gives a `RunUnknownError`.
    Raises ValueError for a `surface` that the catalog does not have.
    """
    _check_surface(surface, catalog)
    outcome, reading = examine(obj, surface=surface, catalog=catalog)
    if outcome.ok or outcome.phase == "pending":
        return None
    error = _error_about(obj, outcome, reading)
    if isinstance(obj, RunError):
        error.run_token, error.attempts, error.not_resubmitted = obj.run_token, obj.attempts, obj.not_resubmitted
    return error


error_for.__module__ = "runoutcome"


def raise_for_status(
    obj: _T, *, accept: Accept | Iterable[Accept] = (), surface: str | None = None, catalog: Catalog | None = None
) -> _T:
    """`obj` itself if its run is completed, or ended (or goes on) in a way that `accept` names.

    Raises the `RunError` that `obj` amounts to otherwise: what is returned is completed. Raises ValueError for a
    word in `accept` that is not one of "incomplete", "cancelled" and "pending" or a `surface` that the catalog
    does not have, and TypeError for an `accept` that is no words at all.
    """
    _check_surface(surface, catalog)
    accepted = parse_accept(accept)
    outcome, reading = examine(obj, surface=surface, catalog=catalog)
    if is_accepted(outcome, accepted):
        return obj
    error = _error_about(obj, outcome, reading)
    del obj, reading  # error trackers send the variables of every frame, and these hold prompts and output
    raise error from None


raise_for_status.__module__ = "runoutcome"


def _check_surface(surface: object, catalog: Catalog | None) -> None:
    """`classify` is total, and takes a name it does not know for an unknown body; here that would blame the body."""
    if surface is None:
        return
    surfaces = (catalog or Catalog.load()).surfaces
    if not isinstance(surface, str) or surface not in surfaces:
        raise ValueError(f"surface is one of {', '.join(map(repr, surfaces))}; got {surface!r}")


def _error_about(obj: object, outcome: Outcome, reading: Reading) -> RunError:
    if reading.kind == "none" and hasattr(type(obj), "__await__"):
        error = make_error(outcome, Origin())  # it is no body, and could not be copied
        error.message = f"This is a {type(obj).__name__}: did you forget await? {error.message}"
        return error
    return make_error(outcome, origin_of(obj, reading))


def parse_accept(accept: Iterable[str]) -> frozenset[str]:
    """The words of `accept`, one word standing for itself; ValueError for any other, TypeError for what is no word."""
    expected = f"accept takes {', '.join(map(repr, ACCEPTED))}"
    check_type(accept, Iterable, f"{expected}, or several of them")
    words = (accept,) if isinstance(accept, str) else tuple(accept)
    unknown = sorted({str(other) for other in words if other not in ACCEPTED})
    if unknown:
        raise ValueError(f"{expected}; got {', '.join(map(repr, unknown))}")
    return frozenset(words)


def is_accepted(outcome: Outcome, accepted: frozenset[str]) -> bool:
    """Whether a body with this outcome is returned rather than raised."""
    if outcome.phase == "pending":
        return "pending" in accepted
    if outcome.ok or outcome.phase == "unknown":
        return outcome.ok
    return outcome.status in accepted or (outcome.known and f"{outcome.error_type}".removesuffix("_error") in accepted)


def class_for(outcome: Outcome) -> type[RunError]:
    """The exception class of an outcome that is not completed."""
    if outcome.phase != "terminal":
        return errors.RunPendingError if outcome.phase == "pending" else errors.RunUnknownError
    cls = _CLASSES.get(outcome.error_class or "") or _BY_STATUS.get(outcome.status or "")
    if cls is None:
        # Not every surface has a status for it: a row of a batch that expired has "failed".
        cls = _BY_TYPE.get(outcome.error_type or "", errors.RunFailedError) if outcome.known else errors.RunFailedError
    # A status class without a status would be half an exception.
    if issubclass(cls, errors.RunStatusError) and outcome.status_code is None:
        return errors.RunFailedError
    return cls


def make_error(outcome: Outcome, origin: Origin) -> RunError:
    """A fresh exception for an outcome that is not completed."""
    return class_for(outcome).of(outcome, origin)


def origin_of(obj: object, reading: Reading) -> Origin:
    """What an object that was handed to us tells about the poll it came from."""
    if isinstance(obj, RunError):
        return obj.origin
    run = reading.run if reading.run is not None else (None if isinstance(obj, Outcome) else obj)
    if reading.kind == "none":  # nothing more is asked of an object that may raise anything
        return Origin(run)
    if _sdk.is_http_response(obj):
        return Origin(run, reading.error, *_sdk.facts_of(obj))
    if reading.request_id is not None:
        return Origin(run, reading.error, None, reading.request_id)
    request_id = look(obj, "_request_id") if not isinstance(obj, dict) else None
    # The SDK sets `_request_id` on what it parsed from a successful answer, and on nothing else.
    polled = isinstance(request_id, str)
    return Origin(run, reading.error, 200 if polled else None, request_id if polled else None)


def is_retryable(exc: BaseException) -> bool:
    """Whether an identical *new* run (or, for an HTTP error of the SDK, the same request) may succeed.

    For tenacity, stamina and backoff. A `RunError` answers by its outcome, any other `openai` error by the SDK's own
    rule less what is a matter of quota or billing, a group only if all its members do, anything else False. Errors
    after which the run may still be going are never retryable: poll their token instead.
    """
    if isinstance(exc, BaseExceptionGroup):
        return all(is_retryable(member) for member in exc.exceptions)
    if isinstance(exc, RunError):
        return exc.retryable
    if isinstance(exc, errors.RunGoneError) or getattr(exc, "run_token", None):
        return False  # a poll was refused, and not the run
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


def _is_retryable_answer(exc: _sdk.APIStatusError) -> bool:
    """The SDK's `_should_retry` (1.109 to 3.54), less quota: it retries every 429."""
    catalog = Catalog.load()
    body = exc.body
    # Before 3.14 the SDK hands on a code of any type.
    failure = Failure(code=word(exc.code), message=word(look(body, "message")), type=word(look(body, "type")))
    verdict = lookup(catalog, "response", failure)
    if verdict.action == "fix_account" or names_quota(catalog, failure):
        return False
    if (retry_after_of(exc.response.headers) or 0.0) > MAX_RETRY_AFTER_SECONDS:
        return False
    told = exc.response.headers.get("x-should-retry")
    if told in ("true", "false"):
        return told == "true"
    return is_retryable_status(catalog, exc.status_code)
