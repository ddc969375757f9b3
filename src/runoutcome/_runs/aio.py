"""`AsyncRuns`: the methods of `Runs` over the same steps, with the word `await`."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .. import _sdk
from .._catalog.catalog import Catalog
from .._drivers import many as _many
from .._drivers.clock import AsyncSystemClock
from .._drivers.driver import AsyncDriver, OnAnswer
from .._drivers.limiter import AsyncLimiter
from .._drivers.scheduler import AsyncSchedulers
from .._errors.raising import Accept, Require
from .._errors.results import RunResult
from .._operations.cancel import WAIT_SECONDS
from .._operations.effects import Clock, Notices
from .._operations.interrupts import OnInterrupt
from .._operations.poll import OnTimeout
from .._operations.run_event import Observer
from .._operations.stream import IDLE_TIMEOUT_SECONDS
from .._outcome.outcome import Outcome
from .._sdk import fast_transport as _transport
from .._sdk.fast_transport import Transport
from .._sdk.forks import ProcessClient
from .._waiting.attempts import Attempt
from .._waiting.pace import Pace
from .._waiting.resubmit import ResubmitBudget, ResubmitPolicy
from .base import MAX_POLLS_IN_FLIGHT, MAX_SUBMITS_IN_FLIGHT, RunsBase
from .options import (
    AUTO,
    JobOptions,
    ManyKeywords,
    ManyOptions,
    MaxWait,
    NewStreamOptions,
    Run,
    StreamKeywords,
    StreamOptions,
    WaitKeywords,
    WaitOptions,
    named,
    only,
    split,
)
from .stream import AsyncRunStream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._sdk.structured_output import ParsedResponse

_T = TypeVar("_T")


class AsyncRuns(RunsBase):
    """Background runs through an `AsyncOpenAI` client (Azure clients too); see `Runs`.

    The callbacks of the async methods may be plain functions or coroutine functions.
    """

    __module__ = "runoutcome"
    _iterable_by = ("__iter__", "__getitem__", "__aiter__")

    def __init__(
        self,
        client: _sdk.AsyncOpenAI,
        *,
        catalog: Catalog | None = None,
        resubmit_budget: ResubmitBudget | None = None,
        notices: Notices | None = None,
        observer: Observer | None = None,
        max_polls_in_flight: int = MAX_POLLS_IN_FLIGHT,
        max_polls_per_second: float | None = None,
        max_submits_in_flight: int = MAX_SUBMITS_IN_FLIGHT,
        transport: Transport = "client",
        clock: Clock | None = None,
    ) -> None:
        if isinstance(client, _sdk.OpenAI):
            raise TypeError("AsyncRuns takes an AsyncOpenAI; use Runs for a sync client")
        super().__init__(client, clock or AsyncSystemClock(), catalog, resubmit_budget, notices, observer)
        polls = Pace(max_polls_in_flight, max_polls_per_second)
        self._driver = AsyncDriver(
            ProcessClient(client).get,
            self._clock,
            fetch=_transport.connect_async(client, transport, max_polls_in_flight),
            polls=AsyncLimiter(polls, self._clock),
            submits=AsyncLimiter(Pace(max_submits_in_flight), self._clock),
            notices=notices,
            events=self._events,
            check_loop=_transport.readiness(transport),
        )
        self._schedulers = AsyncSchedulers(self._driver)

    @overload
    async def create(self, *, text_format: None = None, **params: Any) -> _sdk.Response: ...

    @overload
    async def create(self, *, text_format: type[_T], **params: Any) -> ParsedResponse[_T]: ...

    async def create(self, *, text_format: Any = None, **params: Any) -> _sdk.Response:
        """The async twin of `Runs.create`."""
        steps = self._create_steps(params, text_format)
        del params
        return await self._driver.run(steps)

    @overload
    async def poll(self, run: Run, *, text_format: None = None, **options: Unpack[WaitKeywords]) -> _sdk.Response: ...

    @overload
    async def poll(self, run: Run, *, text_format: type[_T], **options: Unpack[WaitKeywords]) -> ParsedResponse[_T]: ...

    @named(WaitOptions)
    async def poll(self, run: Run, **options: Any) -> _sdk.Response:
        """The async twin of `Runs.poll`."""
        return await self._driver.run(self._poll_steps(run, only(WaitOptions, options)))

    @overload
    async def create_and_poll(
        self,
        *,
        resubmit: int | ResubmitPolicy = 0,
        resume: Run | None = None,
        on_resubmitting: Callable[[Attempt], Any] | None = None,
        key: str | None = None,
        on_submitting: Callable[[str], Any] | None = None,
        on_refused: Callable[[str], Any] | None = None,
        on_submitted: Callable[[str], Any] | None = None,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        require: Require | None = None,
        text_format: None = None,
        **params: Any,
    ) -> _sdk.Response: ...

    @overload
    async def create_and_poll(
        self,
        *,
        resubmit: int | ResubmitPolicy = 0,
        resume: Run | None = None,
        on_resubmitting: Callable[[Attempt], Any] | None = None,
        key: str | None = None,
        on_submitting: Callable[[str], Any] | None = None,
        on_refused: Callable[[str], Any] | None = None,
        on_submitted: Callable[[str], Any] | None = None,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        require: Require | None = None,
        text_format: type[_T],
        **params: Any,
    ) -> ParsedResponse[_T]: ...

    @named(JobOptions)
    async def create_and_poll(self, **params: Any) -> _sdk.Response:
        """The async twin of `Runs.create_and_poll`."""
        options, params = split(JobOptions, params)
        steps = self._job_steps(params, options)
        del params
        return await self._driver.run(steps)

    @overload
    def poll_many(
        self, runs: Iterable[Run] | AsyncIterable[Run], *, text_format: None = None, **options: Unpack[ManyKeywords]
    ) -> AsyncIterator[RunResult[_sdk.Response]]: ...

    @overload
    def poll_many(
        self, runs: Iterable[Run] | AsyncIterable[Run], *, text_format: type[_T], **options: Unpack[ManyKeywords]
    ) -> AsyncIterator[RunResult[ParsedResponse[_T]]]: ...

    @named(ManyOptions)
    def poll_many(self, runs: Iterable[Run] | AsyncIterable[Run], **options: Any) -> AsyncIterator[RunResult[Any]]:
        """The async twin of `Runs.poll_many`: an async iterator; `runs` may be one, too."""
        wanted = only(ManyOptions, options)
        begin = self._many_steps(runs, wanted)
        return _many.poll_many_async(
            self._schedulers, runs, begin, self._catalog, wanted.max_in_flight, wanted.on_interrupt
        )

    @overload
    async def gather(
        self, runs: Iterable[Run] | AsyncIterable[Run], *, text_format: None = None, **options: Unpack[ManyKeywords]
    ) -> list[_sdk.Response]: ...

    @overload
    async def gather(
        self, runs: Iterable[Run] | AsyncIterable[Run], *, text_format: type[_T], **options: Unpack[ManyKeywords]
    ) -> list[ParsedResponse[_T]]: ...

    @named(ManyOptions)
    async def gather(self, runs: Iterable[Run] | AsyncIterable[Run], **options: Any) -> list[Any]:
        """The async twin of `Runs.gather`."""
        return _many.responses_of([result async for result in self.poll_many(runs, **options)])

    @overload
    def stream(
        self, run: Run, *, text_format: None = None, **options: Unpack[StreamKeywords]
    ) -> AsyncRunStream[_sdk.Response]: ...

    @overload
    def stream(
        self, run: Run, *, text_format: type[_T], **options: Unpack[StreamKeywords]
    ) -> AsyncRunStream[ParsedResponse[_T]]: ...

    @named(StreamOptions)
    def stream(self, run: Run, **options: Any) -> AsyncRunStream[Any]:
        """The async twin of `Runs.stream`: `async with`, `async for`. Not itself awaited."""
        wanted = only(StreamOptions, options)
        return AsyncRunStream(self._driver, self._stream_steps(run, wanted), wanted.on_interrupt)

    @overload
    def create_and_stream(
        self,
        *,
        key: str | None = None,
        on_submitting: Callable[[str], Any] | None = None,
        on_refused: Callable[[str], Any] | None = None,
        on_submitted: Callable[[str], Any] | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        require: Require | None = None,
        text_format: None = None,
        **params: Any,
    ) -> AsyncRunStream[_sdk.Response]: ...

    @overload
    def create_and_stream(
        self,
        *,
        key: str | None = None,
        on_submitting: Callable[[str], Any] | None = None,
        on_refused: Callable[[str], Any] | None = None,
        on_submitted: Callable[[str], Any] | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        require: Require | None = None,
        text_format: type[_T],
        **params: Any,
    ) -> AsyncRunStream[ParsedResponse[_T]]: ...

    @named(NewStreamOptions)
    def create_and_stream(self, **params: Any) -> AsyncRunStream[Any]:
        """The async twin of `Runs.create_and_stream`: `async with`, `async for`. Not itself awaited."""
        options, params = split(NewStreamOptions, params)
        return AsyncRunStream(self._driver, self._new_stream_steps(params, options), options.on_interrupt)

    async def cancel(self, run: Run, *, wait_seconds: float = WAIT_SECONDS) -> _sdk.Response:
        """The async twin of `Runs.cancel`."""
        return await self._driver.run(self._cancel_steps(run, wait_seconds))


def with_answers(runs: AsyncRuns, on_answer: OnAnswer) -> AsyncRuns:
    """The same runs; they tell a function of the headers and errors of the answers to their creates."""
    told = copy.copy(runs)
    told._driver = replace(runs._driver, on_answer=on_answer)
    return told


def clock_of(runs: AsyncRuns) -> Clock:
    """The clock that these runs live by."""
    return runs._clock
