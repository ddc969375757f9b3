"""Many runs at once: their results as they come, through the one scheduler of a `Runs`.

The caller's own functions are called by the caller's own thread or task, when it asks for the next result: the
scheduler's workers only put down what is to be told.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, NamedTuple

from .. import _sdk
from .._catalog.catalog import Catalog
from .._errors.results import RunExceptionGroup, RunResult, result_of
from .._operations.effects import Steps, Tell
from .._operations.interrupts import OnInterrupt, is_asked_for, tell
from .._sdk import event_loop as _async_backend
from .._waiting.resume_token import ResumeToken
from .cancel_many import stop_many, stop_many_async
from .pending_run import Watch
from .scheduler import AsyncScheduler, AsyncSchedulers, Scheduler

Begin = Callable[[Any], tuple[ResumeToken, Steps[_sdk.Response]]]
"""From a run as the caller names it to its token, and the steps of waiting for it."""

CTRL_C_SECONDS = 1.0
"""How long a thread sleeps at most without looking for Ctrl-C: some platforms do not end a sleep for it."""


class _Given(NamedTuple):
    """One run as it was given, and its place."""

    place: int
    run: Any
    token: ResumeToken


class _Ended(NamedTuple):
    """What came of a wait: a response, or an exception."""

    watch: Watch
    value: Any


class Crowd:
    """The runs that one call waits for, and what is to be handed on about them."""

    def __init__(self, begin: Begin, catalog: Catalog, limit: int | None, put: Callable[[Any], None]) -> None:
        self._begin, self._catalog, self._limit, self._put = begin, catalog, limit, put
        self._given: dict[Watch, _Given] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._given)

    @property
    def has_room(self) -> bool:
        """One more run may be waited for."""
        return self._limit is None or len(self._given) < self._limit

    @property
    def response_ids(self) -> list[str]:
        """Of the runs that are still waited for."""
        return [watch.response_id for watch in self._given]

    @property
    def watches(self) -> list[Watch]:
        """What is still waited for."""
        return list(self._given)

    def take_up(self, run: Any) -> Watch:
        """One more run. Raises TypeError or ValueError for what names no run."""
        token, steps = self._begin(run)
        watch = Watch(token.response_id, steps, self._put, lambda watch, value: self._put(_Ended(watch, value)))
        self._given[watch] = _Given(self._count, run, token)
        self._count += 1
        return watch

    def result(self, ended: _Ended) -> RunResult[Any]:
        """The result of a run that ended. Raises what is no matter of one run, such as SystemExit."""
        if isinstance(ended.value, BaseException) and not isinstance(ended.value, Exception):
            raise ended.value
        given = self._given.pop(ended.watch)
        return result_of(given.run, given.place, given.token.response_id, ended.value, self._catalog)

    def tell_how_to_go_on(self, error: BaseException) -> None:
        """What leaves early carries the tokens of the runs that have not ended, in their order."""
        tell(error, "run_tokens", tuple(given.token.dumps() for given in self._given.values()))


def poll_many(
    scheduler: Scheduler,
    runs: Iterable[Any],
    begin: Begin,
    catalog: Catalog,
    limit: int | None,
    on_interrupt: OnInterrupt = "leave",
) -> Iterator[RunResult[Any]]:
    """The results of `runs` as they come. `runs` is drawn from in the caller's thread, where there is room."""
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    crowd, source, is_open = Crowd(begin, catalog, limit, events.put), iter(runs), True
    are_at_hand = isinstance(runs, Collection)  # what has to be made first is not to hold up what has ended
    try:
        while True:
            while is_open and crowd.has_room and (are_at_hand or events.empty()):
                run = next(source, _DRAWN)
                if is_open := run is not _DRAWN:
                    scheduler.add(crowd.take_up(run))
            if not len(crowd):
                return
            event = _next(events)
            if isinstance(event, _Ended):
                yield crowd.result(event)
            else:
                scheduler.driver.carry_out(event)
    except GeneratorExit:
        raise
    except BaseException as error:
        crowd.tell_how_to_go_on(error)
        if is_asked_for(on_interrupt, error):
            scheduler.remove(crowd.watches)
            stop_many(scheduler.driver, crowd.response_ids, error)
        raise
    finally:
        scheduler.remove(crowd.watches)


def _next(events: queue.SimpleQueue[Any]) -> Any:
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
    crowd = Crowd(begin, catalog, limit, events.put)
    feeder = _Feeder(scheduler, crowd, events)
    source = iter(()) if isinstance(runs, AsyncIterable) else iter(runs)
    is_open, are_at_hand = True, isinstance(runs, Collection)
    if isinstance(runs, AsyncIterable):
        feeder.start(runs)
    try:
        while True:
            while is_open and crowd.has_room and (are_at_hand or not len(events)):
                run = next(source, _DRAWN)
                if is_open := run is not _DRAWN:
                    scheduler.add(crowd.take_up(run))
            if not feeder.is_open and not len(crowd):
                return
            event = await events.get()
            if isinstance(event, _Ended):
                result = crowd.result(event)
                feeder.has_room.set()
                yield result
            else:
                await scheduler.driver.carry_out(event)
    except GeneratorExit:
        raise
    except BaseException as error:
        crowd.tell_how_to_go_on(error)
        if is_asked_for(on_interrupt, error):
            feeder.stop()  # no more runs than these
            await scheduler.remove(crowd.watches)
            await stop_many_async(scheduler.driver, crowd.response_ids, error)
        raise
    finally:
        feeder.stop()
        await scheduler.remove(crowd.watches)


class _Feeder:
    """Draws runs from an async iterable while there is room."""

    def __init__(self, scheduler: AsyncScheduler, crowd: Crowd, events: _AsyncQueue) -> None:
        self.is_open = False
        """There may be more runs to come."""
        self.has_room = _async_backend.Event()
        self._scheduler, self._crowd, self._events = scheduler, crowd, events
        self._scope = _async_backend.CancelScope()
        self._task: object = None

    def start(self, runs: AsyncIterable[Any]) -> None:
        self.is_open = True
        self._task = _async_backend.spawn(partial(self._feed, runs), copy_context())

    def stop(self) -> None:
        self._scope.cancel()

    async def _feed(self, runs: AsyncIterable[Any]) -> None:
        failure: BaseException | None = None
        with self._scope:
            try:
                async for run in runs:
                    self._scheduler.add(self._crowd.take_up(run))
                    while not self._crowd.has_room:
                        self.has_room = _async_backend.Event()
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
    """What is to be handed on, for one task that waits for it."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._has_come = _async_backend.Event()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._has_come.set()

    async def get(self) -> Any:
        while not self._items:
            self._has_come = _async_backend.Event()
            await self._has_come.wait()
        return self._items.popleft()


def responses_of(results: list[RunResult[Any]]) -> list[Any]:
    """The responses in the order of their runs. Raises a RunExceptionGroup if there is not one for each."""
    results.sort(key=lambda result: result.index)
    responses = [result.response for result in results if result.response is not None]
    if len(responses) < len(results):
        group = RunExceptionGroup.of(results)
        del results, responses  # error trackers send the variables of every frame, and these hold prompts and output
        raise group
    return responses


_DRAWN = object()
