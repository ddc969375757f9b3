"""An async client whose `responses.create` is a background run, for frameworks that take an `AsyncOpenAI` client.

The framework goes on making the request and reading the response; only how the response is fetched changes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from .. import _sdk
from .._checks import check_type
from .._errors.raising import Require
from .._operations.interrupts import OnInterrupt
from .._operations.poll import OnTimeout
from .._operations.submit import include_of
from .._outcome.outcome import Outcome
from .._runs.aio import AsyncRuns
from .._runs.base import token_of
from .._runs.options import JobOptions, MaxWait, Run
from .._runs.stream import AsyncRunStream
from .._waiting.attempts import Attempt
from .._waiting.resubmit import ResubmitPolicy
from .._waiting.stream_cursor import TERMINAL_EVENTS

if TYPE_CHECKING:
    from .._sdk.event_stream import ResponseStreamEvent

_OF_CREATE_AND_POLL = ("resubmit", "on_resubmitting")
_OF_SUBMISSIONS = (*_OF_CREATE_AND_POLL, "on_submitting", "on_refused", "on_submitted")


class BackgroundOptions(TypedDict, total=False):
    """Options of each turn: those of `create_and_poll` that say neither what is asked nor what is returned."""

    resubmit: int | ResubmitPolicy
    on_resubmitting: Callable[[Attempt], Any] | None
    on_submitting: Callable[[str], Any] | None
    on_refused: Callable[[str], Any] | None
    on_submitted: Callable[[str], Any] | None
    max_wait_seconds: MaxWait
    poll_interval_ms: float | None
    on_timeout: OnTimeout
    on_update: Callable[[Outcome], Any] | None
    on_fault: Callable[[BaseException], Any] | None
    completion_window: str | None
    on_interrupt: OnInterrupt
    require: Require | None


class BackgroundResponses:
    """The `responses` of a `BackgroundClient`: `create` and `retrieve` wait to the end of the run."""

    def __init__(self, runs: AsyncRuns, resume: Run | None, options: Mapping[str, Any]) -> None:
        self._runs = runs
        self._resume = resume
        self._options = options

    async def create(self, *, stream: Any = False, **params: Any) -> Any:
        """The completed response of a new run or, the first time, of the run to resume.

        With `stream=True`, an async iterator of its events. Raises what `create_and_poll` raises; the iterator raises
        it in place of an event that ends the run otherwise.
        """
        resume, self._resume = self._resume, None
        if stream is True:
            return _events(self._stream(resume, params))
        return await self._runs.create_and_poll(resume=resume, **self._options, **params)

    async def retrieve(self, response_id: str, *, include: Any = (), **_: Any) -> Any:
        """The completed response of a run that exists. Raises what `poll` raises."""
        token = replace(token_of(response_id)[0], include=include_of({"include": include})).dumps()
        return await self._runs.poll(token, **_without(_OF_SUBMISSIONS, self._options))

    def __getattr__(self, name: str) -> Any:
        # `with_streaming_response` and `with_raw_response` would go round `create`.
        if name.startswith(("_", "with_")):
            raise AttributeError(name)
        return getattr(self._runs._client.responses, name)

    def _stream(self, resume: Run | None, params: Mapping[str, Any]) -> AsyncRunStream[_sdk.Response]:
        if resume is None:
            return self._runs.create_and_stream(**_without(_OF_CREATE_AND_POLL, self._options), **params)
        # From the first event on: the framework has seen none of them.
        token = replace(token_of(resume)[0], cursor=None).dumps()
        return self._runs.stream(token, **_without(_OF_SUBMISSIONS, self._options))


class BackgroundClient:
    """An `AsyncOpenAI` client with `BackgroundResponses`; everything else is the client's own.

    Raises TypeError and ValueError for options that make no sense.
    """

    def __init__(self, runs: AsyncRuns, resume: Run | None, options: BackgroundOptions) -> None:
        check_type(runs, AsyncRuns, "runs is an AsyncRuns")
        names = BackgroundOptions.__annotations__
        if unknown := sorted(options.keys() - names.keys()):
            raise TypeError(f"got an unexpected keyword argument {unknown[0]!r}; the options are {', '.join(names)}")
        runs._wait(JobOptions(resume=resume, **options), None)  # its numbers are checked there
        if resume is not None:
            token_of(resume)
        self.responses = BackgroundResponses(runs, resume, options)
        self._original = runs._client

    def with_options(self, **_: Any) -> BackgroundClient:
        """This client itself: frameworks ask for other retries of a request so, and a run has its own."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name == "_original":  # not there yet, in a copy that is being made
            raise AttributeError(name)
        return getattr(self._original, name)


async def _events(stream: AsyncRunStream[_sdk.Response]) -> AsyncIterator[ResponseStreamEvent]:
    """The events of a run; raises what the run ended in before the event that tells it."""
    async with stream:
        async for event in stream:
            if event.type in TERMINAL_EVENTS:
                await stream.get_final_response()
            yield event


def _without(names: tuple[str, ...], options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}
