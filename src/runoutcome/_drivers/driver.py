"""The two loops that carry out what the steps ask for: one sync, one async. Nothing is decided here."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from .. import _sdk
from .._errors.retryable import retry_after
from .._operations.effects import (
    Admit,
    Cancel,
    Clock,
    CloseStream,
    Immediate,
    NextEvent,
    Notices,
    OpenStream,
    Pause,
    Poll,
    Steps,
    StreamEffect,
    Submit,
    SubmitStream,
    Tell,
)
from .._sdk import event_loop as _async_backend, event_stream as _sdk_stream
from .._sdk.worker_threads import Workers
from .limiter import AsyncGate, Gate
from .notices import AsyncEar, Ear

_T = TypeVar("_T")
MAX_HOLD_SECONDS = 60.0


@dataclass(frozen=True)
class Driver:
    """Carries out effects with a sync client."""

    client: _sdk.OpenAI
    clock: Clock
    fetch: Callable[[str, float | None], _sdk.Answer]
    """One poll request: a response id, and how many seconds it may take."""
    polls: Gate
    submits: Gate
    notices: Notices | None = None

    def run(self, steps: Steps[_T]) -> _T:
        """Run `steps` to their end, and give what they return."""
        ear = Ear(self.clock, self.notices)
        try:
            effect = next(steps)
            while True:
                try:
                    if isinstance(effect, Pause):
                        result = ear.sleep(effect.seconds, effect.response_id)
                    else:
                        if isinstance(effect, Poll):
                            ear.listen(effect.response_id)
                        result = self.carry_out(effect)
                except BaseException as error:  # noqa: BLE001 - the steps decide about all, Ctrl-C too
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as end:
            value: _T = end.value
            return value
        finally:
            ear.close()

    def carry_out(self, effect: Immediate) -> Any:
        """What one effect gives, or raises."""
        match effect:
            case Poll(response_id, timeout):
                return self._poll(response_id, timeout)
            case Admit():
                return self.submits.enter()
            case Submit(params):
                return self.client.with_options(max_retries=0).responses.create(**params)
            case SubmitStream() | OpenStream() | NextEvent() | CloseStream():
                return self._stream(effect)
            case Cancel(response_id, max_retries, shielded_seconds):
                patient = self.client if max_retries is None else self.client.with_options(max_retries=max_retries)
                seconds = shielded_seconds or _sdk.POLL_TIMEOUT_SECONDS
                cancel = partial(patient.responses.cancel, response_id, timeout=seconds)
                return Workers().call(cancel, shielded_seconds)  # the timeout is for each read of an answer
            case Tell(function, argument):
                result = function(argument)
                if inspect.isawaitable(result):
                    _discard(result)
                    raise TypeError(
                        "Runs calls plain functions; use AsyncRuns for a callback that is a coroutine function"
                    )
                return None

    def _poll(self, response_id: str, timeout_seconds: float | None) -> _sdk.Answer:
        started = self.clock.monotonic()
        with self.polls.enter(timeout_seconds):
            try:
                return self.fetch(response_id, _left(timeout_seconds, self.clock.monotonic() - started))
            except _sdk.RateLimitError as error:
                self.polls.pace.hold(self.clock.monotonic() + _hold_seconds(error))
                raise

    def _stream(self, effect: StreamEffect) -> Any:
        match effect:
            case SubmitStream(params):
                return _sdk_stream.submit_stream(self.client, params)
            case OpenStream(response_id, starting_after, read_seconds):
                return _sdk_stream.open_stream(self.client, response_id, starting_after, read_seconds)
            case NextEvent(stream, seconds):
                return stream.next_event(seconds)
            case CloseStream(stream):
                return stream.close()


@dataclass(frozen=True)
class AsyncDriver:
    """Carries out effects with an async client."""

    client: _sdk.AsyncOpenAI
    clock: Clock
    fetch: Callable[[str, float | None], Awaitable[_sdk.Answer]]
    polls: AsyncGate
    submits: AsyncGate
    notices: Notices | None = None
    check_loop: Callable[[], None] = lambda: None
    """Called before a submission: raises where the run could not be polled."""

    async def run(self, steps: Steps[_T]) -> _T:
        """Run `steps` to their end, and give what they return."""
        ear = AsyncEar(self.clock, self.notices)
        try:
            effect = next(steps)
            while True:
                try:
                    if isinstance(effect, Pause):
                        result = await ear.sleep(effect.seconds, effect.response_id)
                    else:
                        if isinstance(effect, Poll):
                            ear.listen(effect.response_id)
                        result = await self.carry_out(effect)
                except BaseException as error:  # noqa: BLE001 - the steps decide about all, Ctrl-C too
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as end:
            value: _T = end.value
            return value
        finally:
            ear.close()

    async def carry_out(self, effect: Immediate) -> Any:
        """What one effect gives, or raises."""
        match effect:
            case Poll(response_id, timeout):
                return await self._poll(response_id, timeout)
            case Admit():
                self.check_loop()
                return await self.submits.enter()
            case Submit(params):
                return await self.client.with_options(max_retries=0).responses.create(**params)
            case SubmitStream() | OpenStream() | NextEvent() | CloseStream():
                return await self._stream(effect)
            case Cancel(response_id, max_retries, shielded_seconds):
                patient = self.client if max_retries is None else self.client.with_options(max_retries=max_retries)
                with _async_backend.shielded(shielded_seconds):
                    return await patient.responses.cancel(response_id, timeout=_sdk.POLL_TIMEOUT_SECONDS)
            case Tell(function, argument):
                result = function(argument)
                if inspect.isawaitable(result):
                    await result
                return None

    async def _poll(self, response_id: str, timeout_seconds: float | None) -> _sdk.Answer:
        started = self.clock.monotonic()
        with await self.polls.enter(timeout_seconds):
            try:
                return await self.fetch(response_id, _left(timeout_seconds, self.clock.monotonic() - started))
            except _sdk.RateLimitError as error:
                self.polls.pace.hold(self.clock.monotonic() + _hold_seconds(error))
                raise

    async def _stream(self, effect: StreamEffect) -> Any:
        match effect:
            case SubmitStream(params):
                return await _sdk_stream.submit_stream_async(self.client, params)
            case OpenStream(response_id, starting_after, read_seconds):
                return await _sdk_stream.open_stream_async(self.client, response_id, starting_after, read_seconds)
            case NextEvent(stream, seconds):
                return await stream.next_event(seconds)
            case CloseStream(stream):
                return await stream.close()


def _hold_seconds(error: _sdk.RateLimitError) -> float:
    """How long all polls wait when one was told to: the limit is that of the account, not of one run."""
    return min(retry_after(error) or 0.0, MAX_HOLD_SECONDS)


def _left(timeout_seconds: float | None, passed: float) -> float | None:
    return None if timeout_seconds is None else max(0.0, timeout_seconds - passed)


def _discard(result: Awaitable[Any]) -> None:
    if inspect.iscoroutine(result):
        result.close()
