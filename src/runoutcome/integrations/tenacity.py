"""tenacity: strategies that decide by the outcome of a run. Needs the extra `runoutcome[tenacity]`.

They see exceptions only: of a function that returns a failed run they know nothing, so let it raise.
"""

from __future__ import annotations

import sys
from functools import partial

from .._catalog.rows import ACTIONS
from .._checks import check_finite_number, check_functions
from .._errors.bases import RunError
from .._errors.retryable import action_for, is_retryable, retry_after

try:
    from tenacity import RetryCallState, wait_exponential_jitter
    from tenacity.retry import retry_if_exception
    from tenacity.stop import stop_base
    from tenacity.wait import WaitBaseT, wait_base
except ImportError as _error:
    raise ImportError('runoutcome.integrations.tenacity needs tenacity: pip install "runoutcome[tenacity]"') from _error

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

__all__ = ["retry_if_retryable", "stop_if_action", "stop_if_retry_after_exceeds", "wait_retry_after"]


class retry_if_retryable(retry_if_exception):  # noqa: N801 - tenacity names its strategies so
    """Retry if `is_retryable` says that an identical new run may succeed.

    Not if the run may still be going, and not if a tool acted in it, unless `after_tools=True`.
    """

    def __init__(self, *, after_tools: bool = False) -> None:
        super().__init__(partial(is_retryable, after_tools=after_tools))


class wait_retry_after(wait_base):  # noqa: N801
    """Wait as long as the server asked; if it asked for nothing, as long as `fallback` says.

    Raises TypeError for a `fallback` that is no strategy, such as a number.
    """

    def __init__(self, fallback: WaitBaseT | None = None) -> None:
        check_functions(fallback=fallback)
        self.fallback: WaitBaseT = fallback or wait_exponential_jitter()

    def __call__(self, retry_state: RetryCallState) -> float:
        """The seconds to wait before the next attempt."""
        exc = _exception_of(retry_state)
        seconds = retry_after(exc) if exc is not None else None
        return self.fallback(retry_state) if seconds is None else seconds


class stop_if_action(stop_base):  # noqa: N801
    """Stop if the action for the exception (`action_for`) is one of these, such as "fix_account".

    Raises ValueError for a word that is no action.
    """

    def __init__(self, *actions: str) -> None:
        if unknown := sorted(set(actions) - set(ACTIONS)):
            raise ValueError(f"an action is one of {', '.join(ACTIONS)}; got {unknown[0]!r}")
        self.actions: frozenset[str] = frozenset(actions)

    def __call__(self, retry_state: RetryCallState) -> bool:
        """True if no further attempt is to be made."""
        exc = _exception_of(retry_state)
        return exc is not None and action_for(exc) in self.actions


class stop_if_retry_after_exceeds(stop_base):  # noqa: N801
    """Stop if the server asked for a longer wait than this. Raises TypeError and ValueError for what is no time."""

    def __init__(self, seconds: float) -> None:
        check_finite_number(seconds, "seconds is a number of seconds, 0 or more")
        self.seconds: float = seconds

    def __call__(self, retry_state: RetryCallState) -> bool:
        """True if no further attempt is to be made."""
        exc = _exception_of(retry_state)
        return exc is not None and _requested_seconds(exc) > self.seconds


def _exception_of(retry_state: RetryCallState) -> BaseException | None:
    return retry_state.outcome.exception() if retry_state.outcome is not None else None


def _requested_seconds(exc: BaseException) -> float:
    """The wait that the server asked for, uncut; 0.0 for none; the longest of a group."""
    if isinstance(exc, BaseExceptionGroup):
        return max(map(_requested_seconds, exc.exceptions))
    requested = exc.outcome.retry_after_requested if isinstance(exc, RunError) else retry_after(exc)
    return requested or 0.0
