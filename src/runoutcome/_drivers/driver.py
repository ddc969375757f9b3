"""The two loops that carry out the effects of steps: one sync, one async. They decide nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from inspect import GEN_CLOSED, getgeneratorstate
from itertools import starmap
from typing import Any, TypeVar, cast

from .. import _sdk
from .._errors.portable import Portable
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
    Submit,
    SubmitStream,
    Tell,
)
from .._operations.events import Events
from .._operations.last_post import LastPost
from .._sdk import event_loop, event_stream
from .._sdk.client_transport import AsyncFetch, Fetch
from .._sdk.responses import Answer, parse_raw, plain_responses
from .._sdk.worker_threads import Workers
from .limiter import AsyncLimiter, Limiter, Slot
from .notices import AsyncNoticeListener, NoticeListener

_T = TypeVar("_T")
OnAnswer = Callable[[str, Mapping[str, str], _sdk.APIStatusError | None], None]
"""A function of each answer to a create: the key of the run, the headers, and the error if it is one."""
MAX_HOLD_SECONDS = 60.0


def without_steps(error: BaseException) -> BaseException:
    """`error`; an exception of ours without the frames of the steps inside, which tell a reader nothing."""
    return error.with_traceback(None) if isinstance(error, Portable) else error


@dataclass(frozen=True)
class Driver:
    """Carries out effects with a sync client."""

    client: Callable[[], _sdk.OpenAI]
    """Gives the client of this process."""
    clock: Clock
    fetch: Fetch
    polls: Limiter
    submits: Limiter
    notices: Notices | None = None
    events: Events = field(default_factory=Events)

    def run(self, steps: Steps[_T]) -> _T:
        """Run `steps` to their end, and return what they return. What leaves after a create names its run."""
        post = LastPost()
        try:
            return self._run(steps, post)
        except BaseException as error:  # noqa: BLE001 - raised again
            post.label(error)
            raise without_steps(error)  # noqa: B904 - the same exception

    def _run(self, steps: Steps[_T], post: LastPost) -> _T:
        listener, slot = NoticeListener(self.clock, self.notices), self.submits.slot()
        errors: list[BaseException] = []  # one at most; popped, since a variable would tie it to this frame
        try:
            with slot, slot:  # an interrupt ends one of the two exits at most
                while True:
                    try:
                        if errors:
                            effect = steps.throw(errors.pop())
                            post.forget_unanswered()
                        else:
                            effect = steps.send(None)
                        while True:
                            if isinstance(effect, Pause):
                                result = listener.sleep(effect.seconds, effect.response_id)
                            else:
                                if isinstance(effect, Poll):
                                    listener.listen(effect.response_id)
                                post.note(effect)
                                result = self.carry_out(effect, slot)
                            effect = steps.send(result)
                    except BaseException as raised:  # the steps decide about all, Ctrl-C too
                        if getgeneratorstate(steps) != GEN_CLOSED:
                            errors.append(raised)
                        elif isinstance(raised, StopIteration):
                            return cast(_T, raised.value)
                        else:
                            raise
        finally:
            listener.close()

    def carry_out(self, effect: Immediate, slot: Slot | None = None) -> Any:
        """Carry out one effect, and return its result. `slot` is the one that `Admit` fills."""
        match effect:
            case Poll():
                return self._poll(effect)
            case Admit():
                slot = slot or self.submits.slot()
                self.submits.enter(slot)
                return slot
            case Submit(params, _, answers):
                responses = plain_responses(self.client().with_options(max_retries=0))
                create = partial(responses.create, **params)
                answers.extend(starmap(create, ((),)))  # one call, in C: no interrupt comes between answer and deque
                return answers[0]
            case SubmitStream(params):
                return event_stream.submit_stream(self.client(), params)
            case OpenStream(response_id, starting_after, read_seconds, include):
                return event_stream.open_stream(self.client(), response_id, starting_after, read_seconds, include)
            case NextEvent(stream, seconds):
                return stream.next_event(seconds)
            case CloseStream(stream):
                return stream.close()
            case Cancel(response_id, max_retries, shielded_seconds):
                client = self.client() if max_retries is None else self.client().with_options(max_retries=max_retries)
                seconds = shielded_seconds or _sdk.POLL_TIMEOUT_SECONDS
                cancel = partial(client.responses.cancel, response_id, timeout=seconds)
                return Workers().call(cancel, shielded_seconds)  # the timeout is for each read of an answer
            case Tell(function, argument):
                return _refuse_awaitable(function(argument))

    def _poll(self, poll: Poll) -> Answer:
        timeout_seconds = poll.timeout_seconds
        fetch = partial(self.fetch, **_unusual(poll))
        slot, started = self.polls.slot(), self.clock.monotonic()
        with slot, slot:  # an interrupt ends one of the two exits at most
            self.polls.enter(slot, timeout_seconds)
            try:
                return fetch(poll.response_id, _left(timeout_seconds, self.clock.monotonic() - started))
            except _sdk.RateLimitError as error:
                self.polls.pace.hold(self.clock.monotonic() + _hold_seconds(error))
                raise


@dataclass(frozen=True)
class AsyncDriver:
    """Carries out effects with an async client."""

    client: Callable[[], _sdk.AsyncOpenAI]
    clock: Clock
    fetch: AsyncFetch
    polls: AsyncLimiter
    submits: AsyncLimiter
    notices: Notices | None = None
    events: Events = field(default_factory=Events)
    check_loop: Callable[[], None] = lambda: None
    """Raises where the run could not be polled; called before a submission."""
    on_answer: OnAnswer | None = None

    async def run(self, steps: Steps[_T]) -> _T:
        """Run `steps` to their end, and return what they return. What leaves after a create names its run."""
        post = LastPost()
        try:
            return await self._run(steps, post)
        except BaseException as error:  # noqa: BLE001 - raised again
            post.label(error)
            raise without_steps(error)  # noqa: B904 - the same exception

    async def _run(self, steps: Steps[_T], post: LastPost) -> _T:
        listener, slot = AsyncNoticeListener(self.clock, self.notices), self.submits.slot()
        errors: list[BaseException] = []  # one at most; popped, since a variable would tie it to this frame
        try:
            with slot, slot:  # an interrupt ends one of the two exits at most
                while True:
                    try:
                        if errors:
                            effect = steps.throw(errors.pop())
                            post.forget_unanswered()
                        else:
                            effect = steps.send(None)
                        while True:
                            if isinstance(effect, Pause):
                                result = await listener.sleep(effect.seconds, effect.response_id)
                            else:
                                if isinstance(effect, Poll):
                                    listener.listen(effect.response_id)
                                post.note(effect)
                                result = await self.carry_out(effect, slot)
                            effect = steps.send(result)
                    except BaseException as raised:  # the steps decide about all, Ctrl-C too
                        if getgeneratorstate(steps) != GEN_CLOSED:
                            errors.append(raised)
                        elif isinstance(raised, StopIteration):
                            return cast(_T, raised.value)
                        else:
                            raise
        finally:
            listener.close()

    async def carry_out(self, effect: Immediate, slot: Slot | None = None) -> Any:
        """Carry out one effect, and return its result. `slot` is the one that `Admit` fills."""
        match effect:
            case Poll():
                return await self._poll(effect)
            case Admit():
                self.check_loop()
                slot = slot or self.submits.slot()
                await self.submits.enter(slot)
                return slot
            case Submit(params, key, answers):
                responses = plain_responses(self.client().with_options(max_retries=0))
                answers.append(await _create(responses, params, key, self.on_answer))
                return answers[0]
            case SubmitStream(params):
                return await event_stream.submit_stream_async(self.client(), params)
            case OpenStream(response_id, after, read_seconds, include):
                return await event_stream.open_stream_async(self.client(), response_id, after, read_seconds, include)
            case NextEvent(stream, seconds):
                return await stream.next_event(seconds)
            case CloseStream(stream):
                return await stream.close()
            case Cancel(response_id, max_retries, shielded_seconds):
                client = self.client() if max_retries is None else self.client().with_options(max_retries=max_retries)
                with event_loop.shielded(shielded_seconds):
                    return await client.responses.cancel(response_id, timeout=_sdk.POLL_TIMEOUT_SECONDS)
            case Tell(function, argument):
                return await _await(function(argument))

    async def _poll(self, poll: Poll) -> Answer:
        timeout_seconds = poll.timeout_seconds
        fetch = partial(self.fetch, **_unusual(poll))
        slot, started = self.polls.slot(), self.clock.monotonic()
        with slot:
            await self.polls.enter(slot, timeout_seconds)
            try:
                return await fetch(poll.response_id, _left(timeout_seconds, self.clock.monotonic() - started))
            except _sdk.RateLimitError as error:
                self.polls.pace.hold(self.clock.monotonic() + _hold_seconds(error))
                raise


async def _create(responses: Any, params: Mapping[str, Any], key: str, on_answer: OnAnswer | None) -> Any:
    """Create a run; tell the headers of the answer to a listener, as the SDK's response does not keep them."""
    if on_answer is None:
        return await responses.create(**params)
    try:
        raw = await responses.with_raw_response.create(**params)
    except _sdk.APIStatusError as error:
        on_answer(key, error.response.headers, error)
        raise
    response = parse_raw(raw)
    on_answer(key, raw.headers, None)
    return response


def _unusual(poll: Poll) -> dict[str, Any]:
    """The arguments of `Fetch` that few polls need."""
    arguments = {"on_new_connection": poll.on_new_connection, "include": poll.include}
    return {name: value for name, value in arguments.items() if value}


def _hold_seconds(error: _sdk.RateLimitError) -> float:
    """Return how long all polls wait after a 429: its limit is that of the account, not of one run."""
    return min(retry_after(error) or 0.0, MAX_HOLD_SECONDS)


def _left(timeout_seconds: float | None, passed: float) -> float | None:
    return None if timeout_seconds is None else max(0.0, timeout_seconds - passed)


def _refuse_awaitable(result: object) -> None:
    if inspect.iscoroutine(result):
        result.close()
    if inspect.isawaitable(result):
        raise TypeError("Runs calls plain functions; use AsyncRuns for a callback that is a coroutine function")


async def _await(result: object) -> None:
    if inspect.isawaitable(result):
        await result
