"""Options of the methods of `Runs` and `AsyncRuns`: frozen values, checked when they are made.

A method takes them as `**options`. Type checkers see their names in the overloads, `help()` and IPython by `named`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, TypedDict, TypeVar

from .. import _sdk
from .._checks import check_number, check_type, check_whole_number, refuse_type
from .._errors.raising import Accept, Require, check_require
from .._operations.interrupts import OnInterrupt
from .._operations.poll import OnTimeout
from .._operations.stream import IDLE_TIMEOUT_SECONDS
from .._outcome.outcome import Outcome
from .._waiting.attempts import Attempt
from .._waiting.polling import window_seconds
from .._waiting.resubmit import ResubmitPolicy

Options = TypeVar("Options", bound="WaitOptions")
Method = TypeVar("Method", bound=Callable[..., Any])


class Auto(Enum):
    """Type of `AUTO`."""

    __module__ = "runoutcome"
    AUTO = "auto"


AUTO = Auto.AUTO
"""Wait for 1 hour, or 1.25 times the completion window where one is known."""

MaxWait = float | None | Auto
Run = str | _sdk.Response | Mapping[str, Any]
"""A response id, a resume token, or a response."""
LONGEST_IDLE_SECONDS = 86_400.0
_WORDS = ("on_timeout", "on_interrupt")


@dataclass(frozen=True)
class WaitOptions:
    """Options of one wait. Raises TypeError and ValueError, naming the option, for a value that makes no sense."""

    max_wait_seconds: MaxWait = AUTO
    poll_interval_ms: float | None = None
    on_timeout: OnTimeout = "leave"
    accept: Accept | Iterable[Accept] = ()
    on_update: Callable[[Outcome], Any] | None = None
    on_fault: Callable[[BaseException], Any] | None = None
    completion_window: str | None = None
    on_interrupt: OnInterrupt = "leave"
    require: Require | None = None
    text_format: Any = None

    def __post_init__(self) -> None:
        for name in (spec.name for spec in fields(self) if spec.name.startswith("on_")):
            value = getattr(self, name)
            if name in _WORDS and value not in ("leave", "cancel"):
                raise ValueError(f"{name} is 'leave' or 'cancel'; got {value!r}")
            if name not in _WORDS and value is not None and not callable(value):
                refuse_type(value, f"{name} is a function, or None")
        check_require(self.require)
        if not isinstance(self.max_wait_seconds, Auto) and self.max_wait_seconds is not None:
            check_number(self.max_wait_seconds, "max_wait_seconds is a number of seconds, or None for no limit")
        if self.poll_interval_ms is not None:
            check_number(self.poll_interval_ms, "poll_interval_ms is a number of milliseconds above 0, or None")
        if self.completion_window not in (None, "soonest"):
            expected = 'completion_window is "soonest", or a time such as "30m", "2h" or "8h"'
            check_type(self.completion_window, str, expected)
            if not window_seconds(self.completion_window):
                raise ValueError(f"{expected}; got {self.completion_window!r}")


@dataclass(frozen=True)
class ManyOptions(WaitOptions):
    """Options of a wait for many runs."""

    max_in_flight: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_in_flight is not None:
            expected = "max_in_flight is the number of runs waited for at once, 1 or more, or None for no limit"
            check_whole_number(self.max_in_flight, expected, least=1)


@dataclass(frozen=True)
class StreamOptions(WaitOptions):
    """Options of a stream of a run that exists."""

    starting_after: int | None = None
    idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_idle(self.idle_timeout_seconds)
        if self.starting_after is not None and (type(self.starting_after) is not int or self.starting_after < 0):
            expected = "starting_after is the sequence_number of an event, 0 or more"
            raise ValueError(f"{expected}; got {self.starting_after!r}")


@dataclass(frozen=True)
class SubmitOptions(WaitOptions):
    """Options of a create that is waited for."""

    key: str | None = None
    on_submitting: Callable[[str], Any] | None = None
    on_refused: Callable[[str], Any] | None = None
    on_submitted: Callable[[str], Any] | None = None


@dataclass(frozen=True)
class JobOptions(SubmitOptions):
    """Options of `create_and_poll`."""

    resubmit: int | ResubmitPolicy = 0
    resume: Run | None = None
    on_resubmitting: Callable[[Attempt], Any] | None = None

    @property
    def policy(self) -> ResubmitPolicy:
        """The policy that `resubmit` names."""
        return self.resubmit if isinstance(self.resubmit, ResubmitPolicy) else ResubmitPolicy(self.resubmit)


@dataclass(frozen=True)
class NewStreamOptions(SubmitOptions):
    """Options of `create_and_stream`."""

    idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_idle(self.idle_timeout_seconds)


class WaitKeywords(TypedDict, total=False):
    """Keyword arguments of `poll`, for type checkers; `text_format` stands in the overloads."""

    max_wait_seconds: MaxWait
    poll_interval_ms: float | None
    on_timeout: OnTimeout
    accept: Accept | Iterable[Accept]
    on_update: Callable[[Outcome], Any] | None
    on_fault: Callable[[BaseException], Any] | None
    completion_window: str | None
    on_interrupt: OnInterrupt
    require: Require | None


class ManyKeywords(WaitKeywords, total=False):
    """Keyword arguments of `poll_many` and `gather`."""

    max_in_flight: int | None


class StreamKeywords(WaitKeywords, total=False):
    """Keyword arguments of `stream`."""

    starting_after: int | None
    idle_timeout_seconds: float


def split(kind: type[Options], keywords: Mapping[str, Any]) -> tuple[Options, dict[str, Any]]:
    """The options of this kind among the keyword arguments, and the others."""
    names = {spec.name for spec in fields(kind)}
    options = {name: value for name, value in keywords.items() if name in names}
    return kind(**options), {name: value for name, value in keywords.items() if name not in names}


def only(kind: type[Options], keywords: Mapping[str, Any]) -> Options:
    """The options of this kind. Raises TypeError for any other keyword argument."""
    options, others = split(kind, keywords)
    if others:
        names = ", ".join(spec.name for spec in fields(kind))
        raise TypeError(f"got an unexpected keyword argument {min(others)!r}; the options are {names}")
    return options


def named(kind: type[WaitOptions]) -> Callable[[Method], Method]:
    """A decorator that puts the options of this kind into the signature of a method that takes them by `**`."""
    options = [
        inspect.Parameter(spec.name, inspect.Parameter.KEYWORD_ONLY, default=spec.default, annotation=spec.type)
        for spec in fields(kind)
    ]

    def with_signature(method: Method) -> Method:
        signature = inspect.signature(method)
        *parameters, keywords = signature.parameters.values()
        rest = [keywords] if keywords.name == "params" else []
        method.__signature__ = signature.replace(parameters=[*parameters, *options, *rest])  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
        return method

    return with_signature


def _check_idle(seconds: object) -> None:
    check_number(seconds, "idle_timeout_seconds is a number of seconds")
    if not 0 < seconds <= LONGEST_IDLE_SECONDS:  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
        raise ValueError(f"idle_timeout_seconds is more than 0, and a day at most; got {seconds!r}")
