"""Retry advice for an exception: `is_retryable`, `retry_after` and `action_for`."""

from __future__ import annotations

import sys

from .. import _sdk
from .._catalog.catalog import Catalog
from .._catalog.lookup import is_retryable_status, lookup_answer
from .._catalog.rows import HOME
from .._outcome.body import read_failure
from .._outcome.outcome import may_resubmit, safe_action
from .._sdk.faults import read_fault
from .bases import RunError, WaitError
from .exceptions import RunGoneError

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

MAX_RETRY_AFTER_SECONDS = 120.0
"""The SDK does not send a request again if the server asks for a longer wait (2.x, 3.x)."""


def is_retryable(exc: BaseException, *, after_tools: bool = False) -> bool:
    """True if an identical *new* run (or, for an HTTP error of the SDK, the same request) may succeed.

    For tenacity, stamina and backoff. A `RunError` answers by its outcome, but False where tools acted in the run (an
    MCP call, a hosted shell call): they may have changed the world, and a new run would do it again; `after_tools=True`
    allows that. Any other `openai` error answers by the SDK's own rule, unless its code or message says that the same
    request fails again; a group only if all its members do; anything else is False. Errors after which the run may
    still be going are never retryable: poll their token instead.
    """
    if isinstance(exc, BaseExceptionGroup):
        return all(is_retryable(member, after_tools=after_tools) for member in exc.exceptions)
    if isinstance(exc, RunError):
        return exc.retryable if after_tools else may_resubmit(exc.outcome)
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
    return exc.outcome.retry_after if isinstance(exc, RunError) else read_fault(exc).retry_after


retry_after.__module__ = "runoutcome"


def action_for(exc: BaseException) -> str:
    """The action to take about an exception, such as "resubmit", "fix_account" or "wait"; "none" for a foreign one.

    A `RunError` answers by its outcome, but with "none" for a retryable run in which tools acted: first look at what
    they did. After a wait that ended before its run the action is "wait": poll the token. Any other `openai` error is
    judged by its code and HTTP status. A group has the action that all its members share, or "none".
    """
    if isinstance(exc, BaseExceptionGroup):
        actions = {action_for(member) for member in exc.exceptions}
        return actions.pop() if len(actions) == 1 else "none"
    if isinstance(exc, RunError):
        return safe_action(exc.outcome)
    if isinstance(exc, WaitError) or getattr(exc, "run_token", None):
        return "wait" if getattr(exc, "run_token", None) else "none"
    fault = read_fault(exc)
    if not isinstance(exc, _sdk.APIError) or fault.kind == "foreign":
        return "none"
    if fault.status_code is None:
        return "resubmit"
    return lookup_answer(Catalog.load(), HOME, read_failure(fault.words), fault.status_code).action


action_for.__module__ = "runoutcome"


def _is_retryable_answer(error: _sdk.APIStatusError) -> bool:
    """The SDK's `_should_retry` (1.109 to 3.54), less what fails again by its code or words: it retries every 429."""
    catalog, fault = Catalog.load(), read_fault(error)
    # 500 alone is retryable, so under it a no is that of the code or of the words.
    if not lookup_answer(catalog, HOME, read_failure(fault.words), 500).retryable:
        return False
    if (fault.retry_after or 0.0) > MAX_RETRY_AFTER_SECONDS:
        return False
    should_retry = error.response.headers.get("x-should-retry")
    if should_retry in ("true", "false"):
        return should_retry == "true"
    return is_retryable_status(catalog, error.status_code)
