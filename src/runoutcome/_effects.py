"""What the steps of waiting and submitting ask for, and the two loops that carry it out: one sync, one async.

The steps (`_poll`, `_submit`) are generators without I/O: they yield an effect and get its result back, or have
its exception thrown into them. So there is one logic, and two loops of a dozen lines that cannot drift.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from . import _sdk

_T = TypeVar("_T")


@dataclass(frozen=True)
class Poll:
    """One poll request, without the SDK's own retries; gives an `_sdk.Answer`."""

    response_id: str
    timeout_seconds: float | None


@dataclass(frozen=True)
class Submit:
    """One POST, without the SDK's own retries; gives what the SDK made of the answer."""

    params: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Cancel:
    """One cancel request; it is idempotent, so the client's own retries apply unless told otherwise."""

    response_id: str
    max_retries: int | None = None


@dataclass(frozen=True)
class Pause:
    """Sleep for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Tell:
    """Call a caller's function."""

    function: Callable[[Any], Any]
    argument: Any


Effect = Poll | Submit | Cancel | Pause | Tell
Steps = Generator[Effect, Any, _T]


class Clock(Protocol):
    """The time a `Runs` lives in; tests bring their own."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> Any:
        """Sleep; a coroutine function for `AsyncRuns`."""
        ...


class SystemClock:
    """The machine's own time, for `Runs`."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> Any:
        """Block for so many seconds."""
        time.sleep(seconds)


class AsyncSystemClock(SystemClock):
    """The machine's own time, for `AsyncRuns`; sleeps under asyncio and trio."""

    def sleep(self, seconds: float) -> Any:
        """A coroutine that sleeps."""
        return _sdk.sleep_async(seconds)


def drive(steps: Steps[_T], client: _sdk.OpenAI, clock: Clock) -> _T:
    """Run `steps` to their end with a sync client, and give what they return."""
    try:
        effect = next(steps)
        while True:
            try:
                result = _carry_out(effect, client, clock)
            except BaseException as error:  # noqa: BLE001 - the steps decide about all, Ctrl-C too
                effect = steps.throw(error)
            else:
                effect = steps.send(result)
    except StopIteration as end:
        value: _T = end.value
        return value


async def drive_async(steps: Steps[_T], client: _sdk.AsyncOpenAI, clock: Clock) -> _T:
    """Run `steps` to their end with an async client, and give what they return."""
    try:
        effect = next(steps)
        while True:
            try:
                result = await _carry_out_async(effect, client, clock)
            except BaseException as error:  # noqa: BLE001 - the steps decide about all, Ctrl-C too
                effect = steps.throw(error)
            else:
                effect = steps.send(result)
    except StopIteration as end:
        value: _T = end.value
        return value


def _carry_out(effect: Effect, client: _sdk.OpenAI, clock: Clock) -> Any:
    match effect:
        case Poll(response_id, timeout):
            return _sdk.fetch(client, response_id, timeout)
        case Submit(params):
            return client.with_options(max_retries=0).responses.create(**params)
        case Cancel(response_id, max_retries):
            patient = client if max_retries is None else client.with_options(max_retries=max_retries)
            return patient.responses.cancel(response_id, timeout=_sdk.POLL_TIMEOUT_SECONDS)
        case Pause(seconds):
            return clock.sleep(seconds)
        case Tell(function, argument):
            result = function(argument)
            if inspect.isawaitable(result):
                _discard(result)
                raise TypeError("Runs calls plain functions; use AsyncRuns for a callback that is a coroutine function")
            return None


async def _carry_out_async(effect: Effect, client: _sdk.AsyncOpenAI, clock: Clock) -> Any:
    match effect:
        case Poll(response_id, timeout):
            return await _sdk.fetch_async(client, response_id, timeout)
        case Submit(params):
            return await client.with_options(max_retries=0).responses.create(**params)
        case Cancel(response_id, max_retries):
            patient = client if max_retries is None else client.with_options(max_retries=max_retries)
            return await patient.responses.cancel(response_id, timeout=_sdk.POLL_TIMEOUT_SECONDS)
        case Pause(seconds):
            return await clock.sleep(seconds)
        case Tell(function, argument):
            result = function(argument)
            if inspect.isawaitable(result):
                await result
            return None


def _discard(result: Awaitable[Any]) -> None:
    if inspect.iscoroutine(result):
        result.close()
