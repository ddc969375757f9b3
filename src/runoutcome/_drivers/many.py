"""Many runs at once: their results as they end, through the one scheduler of a `Runs`.

The caller's own functions are called in the caller's thread or task, when it asks for the next result: the scheduler
puts their calls in a queue.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from .. import _sdk
from .._catalog.catalog import Catalog
from .._errors.results import RunExceptionGroup, RunResult, result_of
from .._operations.effects import Steps, Tell
from .._operations.interrupts import OnInterrupt, is_asked_for, tell
from .._sdk import event_loop
from .._waiting.resume_token import ResumeToken
from .cancel_many import cancel_many, cancel_many_async
from .pending_run import PendingRun
from .scheduler import AsyncScheduler, AsyncSchedulers, Scheduler

Begin = Callable[[Any], tuple[ResumeToken, Steps[_sdk.Response]]]
"""A function from a run as the caller names it to its token and the steps of waiting for it."""

CTRL_C_SECONDS = 1.0
"""How long a thread sleeps at most without looking for Ctrl-C: some platforms do not end a sleep for it."""


class _Entry(NamedTuple):
    """A run as the caller named it, its position among the runs, and its token."""

    position: int
    run: Any
    token: ResumeToken


class _End(NamedTuple):
    """The end of one wait: a response, or an exception."""

    run: PendingRun
    value: Any


class PendingRuns:
    """The runs that one call waits for, each from when it is drawn until its result is handed on."""

    def __init__(self, begin: Begin, catalog: Catalog, limit: int | None, put: Callable[[_End | Tell], None]) -> None:
        """`put` takes the ends of runs, and calls of the caller's functions, from any thread."""
        self._begin, self._catalog, self._limit, self._put = begin, catalog, limit, put
        self._drawn: deque[Any] = deque()
        self._entries: dict[PendingRun, _Entry] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[PendingRun]:
        return iter(self._entries)

    @property
    def has_room(self) -> bool:
        """One more run may be waited for."""
        return self._limit is None or len(self._entries) < self._limit

    def draw(self, source: Iterator[Any]) -> PendingRun | None:
        """Add the next run of `source`; None at its end. Raises TypeError or ValueError for what names no run."""
        self._drawn.extend(
            islice(source, 1)
        )  # one call, in C: an interrupt loses no run that `source` has just created
        return self.add(self._drawn[0]) if self._drawn else None

    def add(self, run: Any) -> PendingRun:
        """Add one run. Raises TypeError or ValueError for what names no run."""
        token, steps = self._begin(run)
        pending = PendingRun(token.response_id, steps, self._put, lambda run, value: self._put(_End(run, value)))
        self._entries[pending] = _Entry(self._count, run, token)
        self._drawn.clear()
        self._count += 1
        return pending

    def result(self, end: _End) -> RunResult[Any]:
        """Return the result of a run that ended. Raises what is not about one run, such as SystemExit."""
        if isinstance(end.value, BaseException) and not isinstance(end.value, Exception):
            raise end.value
        position, run, token = self._entries[end.run]
        return result_of(run, position, token.response_id, end.value, self._catalog)

    def discard(self, run: PendingRun) -> None:
        """Forget a run: its result is handed on."""
        del self._entries[run]

    def add_tokens(self, error: BaseException, rest: Iterable[Any]) -> None:
        """Note the tokens of the runs, in their order, on an exception that leaves; `rest` was not drawn yet."""
        with suppress(Exception):
            self.add(self._drawn[0])  # an interrupt came just after it was drawn
        for run in rest:
            with suppress(Exception):  # it names no run
                self.add(run)
        tell(error, "run_tokens", tuple(entry.token.dumps() for entry in self._entries.values()))


def poll_many(
    scheduler: Scheduler,
    runs: Iterable[Any],
    begin: Begin,
    catalog: Catalog,
    limit: int | None,
    on_interrupt: OnInterrupt = "leave",
) -> Iterator[RunResult[Any]]:
    """Yield the results of `runs` as they end. `runs` is drawn from in the caller's thread, as far as there is room."""
    events: queue.SimpleQueue[_End | Tell] = queue.SimpleQueue()
    pending, source = PendingRuns(begin, catalog, limit, events.put), iter(runs)
    is_collection = isinstance(runs, Collection)
    try:
        # A generator of its own: Python guards not every jump of a loop that stands in a `try`.
        yield from _results(scheduler, pending, source, events, is_eager=is_collection)
    except GeneratorExit:
        raise
    except BaseException as error:
        pending.add_tokens(error, source if is_collection else ())
        if is_asked_for(on_interrupt, error):
            scheduler.remove(pending)
            cancel_many(scheduler.driver, [run.response_id for run in pending], error)
        raise
    finally:
        scheduler.remove(pending)


def _results(
    scheduler: Scheduler,
    pending: PendingRuns,
    source: Iterator[Any],
    events: queue.SimpleQueue[_End | Tell],
    *,
    is_eager: bool,
) -> Iterator[RunResult[Any]]:
    """Yield the results; a source that is not drawn from eagerly may take its time, and holds up no results."""
    is_open = True
    while True:
        while is_open and pending.has_room and (is_eager or events.empty()):
            run = pending.draw(source)
            if is_open := run is not None:
                scheduler.add(run)
        if not len(pending):
            return
        event = _next(events)
        if isinstance(event, _End):
            yield pending.result(event)
            pending.discard(event.run)  # not before: an interrupt loses no result
        else:
            scheduler.driver.carry_out(event)


def _next(events: queue.SimpleQueue[_End | Tell]) -> _End | Tell:
    while True:
        with suppress(queue.Empty):
            return events.get(timeout=CTRL_C_SECONDS)


async def poll_many_async(
    schedulers: AsyncSchedulers,
    runs: Iterable[Any] | AsyncIterable[Any],
    begin: Begin,
    catalog: Catalog,
    limit: int | None,
    on_interrupt: OnInterrupt = "leave",
) -> AsyncIterator[RunResult[Any]]:
    """The async twin of `poll_many`. An async iterable is drawn from in a task of its own, as it may have to wait."""
    scheduler, events = schedulers.of_this_loop(), _AsyncQueue()
    pending = PendingRuns(begin, catalog, limit, events.put)
    feed = _Feed(scheduler, pending, events)
    source = iter(()) if isinstance(runs, AsyncIterable) else iter(runs)
    is_open, is_collection = True, isinstance(runs, Collection)
    if isinstance(runs, AsyncIterable):
        feed.start(runs)
    try:
        while True:
            while is_open and pending.has_room and (is_collection or not len(events)):
                run = pending.draw(source)
                if is_open := run is not None:
                    scheduler.add(run)
            if not feed.is_open and not len(pending):
                return
            event = await events.get()
            if isinstance(event, _End):
                result = pending.result(event)
                pending.discard(event.run)
                feed.has_room.set()
                yield result
            else:
                await scheduler.driver.carry_out(event)
    except GeneratorExit:
        raise
    except BaseException as error:
        pending.add_tokens(error, source if is_collection else ())
        if is_asked_for(on_interrupt, error):
            feed.stop()  # no more runs than these
            await scheduler.remove(pending)
            await cancel_many_async(scheduler.driver, [run.response_id for run in pending], error)
        raise
    finally:
        feed.stop()
        await scheduler.remove(pending)


class _Feed:
    """Draws runs from an async iterable as long as there is room."""

    def __init__(self, scheduler: AsyncScheduler, pending: PendingRuns, events: _AsyncQueue) -> None:
        self.is_open = False
        """There may be more runs to come."""
        self.has_room = event_loop.Event()
        self._scheduler, self._pending, self._events = scheduler, pending, events
        self._scope = event_loop.CancelScope()
        self._task: object = None

    def start(self, runs: AsyncIterable[Any]) -> None:
        self.is_open = True
        self._task = event_loop.spawn(partial(self._draw, runs), copy_context())

    def stop(self) -> None:
        self._scope.cancel()

    async def _draw(self, runs: AsyncIterable[Any]) -> None:
        failure: BaseException | None = None
        with self._scope:
            try:
                async for run in runs:
                    self._scheduler.add(self._pending.add(run))
                    while not self._pending.has_room:
                        self.has_room = event_loop.Event()
                        await self.has_room.wait()
            except BaseException as error:
                failure = error
                if not isinstance(error, Exception):
                    raise
            finally:
                self.is_open = False
                self._events.put(Tell(_raise_if_any, failure))


def _raise_if_any(failure: BaseException | None) -> None:
    if failure is not None:
        raise failure


class _AsyncQueue:
    """A queue for one task that waits for its items."""

    def __init__(self) -> None:
        self._items: deque[_End | Tell] = deque()
        self._is_filled = event_loop.Event()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: _End | Tell) -> None:
        self._items.append(item)
        self._is_filled.set()

    async def get(self) -> _End | Tell:
        while not self._items:
            self._is_filled = event_loop.Event()
            await self._is_filled.wait()
        return self._items.popleft()


def responses_of(results: list[RunResult[Any]]) -> list[Any]:
    """Return the responses in the order of their runs. Raises a RunExceptionGroup if one is missing."""
    results.sort(key=lambda result: result.index)
    responses = [result.response for result in results if result.response is not None]
    if len(responses) < len(results):
        group = RunExceptionGroup.of(results)
        del results, responses  # error trackers send the variables of every frame, and these hold prompts and output
        raise group
    return responses
