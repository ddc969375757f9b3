"""One schedule for all runs that a `Runs` waits for: a dispatcher starts the polls that are due.

There is no thread or task for each run: there is the dispatcher, and one for each poll in flight. They end by
themselves when no run is waited for.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from .._operations.effects import Effect, Immediate, Pause
from .._sdk import event_loop
from .._sdk.worker_threads import Workers
from .._waiting.schedule import Schedule
from .driver import AsyncDriver, Driver
from .pending_run import PendingRun, Request


class Scheduler:
    """Waits for runs with threads.

    Only the dispatcher touches the schedule. Other threads leave it messages, functions to call, and take no lock: the
    garbage collector can close an iterator, and so call `remove`, at any point of any thread.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._limit, self._now = driver.polls.pace.limit, driver.clock.monotonic
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._workers = Workers("runoutcome worker")
        self._schedule: Schedule[PendingRun] = Schedule()
        self._free = self._limit
        """The number of polls that may still start."""
        self._is_dispatching = threading.Lock()
        self._messages: deque[Callable[[], None]] = deque()
        self._alarm: SimpleQueue[None] = SimpleQueue()
        self._alarm_time = -math.inf
        """The time at which the dispatcher looks for messages by itself; while it is awake, it always does."""

    def add(self, run: PendingRun) -> None:
        """Begin to wait for a run. Raises RuntimeError if no thread can be started."""
        if self._process != os.getpid():  # a fork copies no threads
            self._begin_anew()
        if self.driver.notices is not None:
            notice = partial(self._send, partial(self._notice, run))
            run.stops = iter((self.driver.notices.listen(run.response_id, notice),))
        self._send(partial(self._put, run, self._now()))
        if not self._is_dispatching.locked():
            threading.Thread(target=self._dispatch, name="runoutcome dispatcher", daemon=True).start()

    def remove(self, runs: Iterable[PendingRun]) -> None:
        """Stop waiting for these runs, and leave them alone; a poll in flight ends in the background."""
        for run in runs:
            run.leave()
            self._send(partial(self._forget, run))

    def _forget(self, run: PendingRun) -> None:
        self._schedule.remove(run)
        run.close()

    def _send(self, message: Callable[[], None]) -> None:
        self._messages.append(message)
        self._alert(-math.inf)

    def _alert(self, due: float) -> None:
        """Wake the dispatcher if it sleeps longer than this."""
        if due < self._alarm_time:
            self._alarm_time = -math.inf  # once is enough
            self._alarm.put(None)

    def _dispatch(self) -> None:
        # A sender that sees the lock taken may rely on it: messages are looked for once more after its release.
        while self._messages and self._is_dispatching.acquire(blocking=False):
            try:
                while self._messages or len(self._schedule) or self._free < self._limit:
                    self._sleep()
                    while self._messages:
                        self._messages.popleft()()
                    self._begin_polls(self._now())
            finally:
                self._is_dispatching.release()

    def _sleep(self) -> None:
        due = self._schedule.next_due() if self._free else None
        seconds = None if due is None else min(max(due - self._now(), 0.0), threading.TIMEOUT_MAX)
        self._alarm_time = math.inf if due is None else due
        if not self._messages:  # the time is set before: a message that comes after this look rings the alarm
            with suppress(Empty):
                self._alarm.get(timeout=seconds)
        self._alarm_time = -math.inf

    def _begin_polls(self, now: float) -> None:
        while self._free and (entry := self._schedule.take(now)):
            self._begin_poll(entry[0])

    def _begin_poll(self, run: PendingRun) -> None:
        self._free -= 1
        result = run.end_pause()

        def work() -> Callable[[], None]:
            return run.context.run(self._poll, run, result)

        try:
            self._workers.start(work)
        except RuntimeError:  # no more threads
            work()()

    def _poll(self, run: PendingRun, result: Any) -> Callable[[], None]:
        """Carry out the effects of a run up to its next pause; return what tells the dispatcher."""
        effect = run.advance(result)
        while effect is not None and not isinstance(effect, Pause):
            try:
                result = self.driver.carry_out(effect)
            except BaseException as error:  # noqa: BLE001 - the steps decide about all
                effect = run.advance(None, error)
            else:
                effect = run.advance(result)
        return partial(self._tell_end, run, effect, self._now())

    def _tell_end(self, run: PendingRun, pause: Pause | None, now: float) -> None:
        self._messages.append(partial(self._end_poll, run, pause, now))
        # The message comes first: a notice that the dispatcher hears of after this look finds the run there.
        self._alert(-math.inf if pause is None or run.is_noticed else now + pause.seconds)

    def _end_poll(self, run: PendingRun, pause: Pause | None, now: float) -> None:
        self._free += 1
        if pause is not None:
            self._put(run, now + run.pause(pause))

    def _notice(self, run: PendingRun) -> None:
        if run.notice() and run in self._schedule:
            self._put(run, self._now())

    def _put(self, run: PendingRun, due: float) -> None:
        if not run.is_over:
            self._schedule.put(run, due)


class AsyncScheduler:
    """Waits for runs with tasks, in one loop; the async twin of `Scheduler`."""

    def __init__(self, driver: AsyncDriver) -> None:
        self.driver = driver
        self._limit, self._now = driver.polls.pace.limit, driver.clock.monotonic
        self._schedule: Schedule[PendingRun] = Schedule()
        self._in_flight: dict[PendingRun, object] = {}
        """The runs that are polled, each with the task that does it, which nothing else keeps."""
        self._dispatcher: object = None
        """The task of the dispatcher, if there is one."""
        self._alarm = event_loop.Event()
        self._alarm_time = math.inf
        """The time at which the dispatcher looks again by itself."""

    def add(self, run: PendingRun) -> None:
        """Begin to wait for a run."""
        if self.driver.notices is not None:
            notice = event_loop.from_any_thread(partial(self._notice, run))
            run.stops = iter((self.driver.notices.listen(run.response_id, notice),))
        self._put(run)

    async def remove(self, runs: Iterable[PendingRun]) -> None:
        """Stop waiting for these runs, and leave them alone; polls in flight are called off first."""
        requests: list[Request] = []
        left = list(runs)
        for run in left:
            run.leave()
            self._schedule.remove(run)
            if run.request is not None:
                run.request.scope.cancel()
                requests.append(run.request)
        self._alert(-math.inf)
        with event_loop.CancelScope(shield=True):  # they end at once, and the caller may close his client then
            for request in requests:
                await request.has_ended.wait()
            for run in left:
                run.close()

    async def _dispatch(self) -> None:
        try:
            while not self.is_idle:
                self._begin_polls(self._now())
                await self._sleep()
        except BaseException as error:  # every task there is gets cancelled: those who wait for these runs are told
            for run in [*self._schedule.clear(), *self._in_flight]:
                run.advance(None, error)
            raise
        finally:
            self._dispatcher = None

    @property
    def is_idle(self) -> bool:
        """True while no run is waited for."""
        return not len(self._schedule) and not self._in_flight

    async def _sleep(self) -> None:
        due = self._schedule.next_due() if len(self._in_flight) < self._limit else None
        self._alarm_time = math.inf if due is None else due
        if self._alarm.is_set():
            self._alarm = event_loop.Event()
        if not self.is_idle:
            await event_loop.wait_for(self._alarm, self._alarm_time - self._now())

    def _alert(self, due: float) -> None:
        """Wake the dispatcher if it sleeps longer than this; start one if there is none."""
        if self._dispatcher is not None and not event_loop.is_over(self._dispatcher):
            if due < self._alarm_time:
                self._alarm.set()
        elif len(self._schedule):
            self._dispatcher = self  # an eager task runs before it is here
            self._dispatcher = event_loop.spawn(self._dispatch, copy_context())

    def _begin_polls(self, now: float) -> None:
        while len(self._in_flight) < self._limit and (entry := self._schedule.take(now)):
            run, _ = entry
            self._in_flight[run] = None
            task = event_loop.spawn(partial(self._poll, run), run.context)
            if run in self._in_flight:  # an eager task may have ended
                self._in_flight[run] = task

    async def _poll(self, run: PendingRun) -> None:
        """Carry out the effects of a run up to its next pause."""
        due = -math.inf
        try:
            effect = run.advance(run.end_pause())
            while effect is not None and not isinstance(effect, Pause):
                effect = await self._carry_out(run, effect)
            if effect is not None:
                due = self._now() + run.pause(effect)
                self._schedule.put(run, due)
        finally:
            self._in_flight.pop(run, None)
            self._alert(due)

    async def _carry_out(self, run: PendingRun, effect: Immediate) -> Effect | None:
        run.request = request = Request()
        result: Any = None
        try:
            with request.scope:
                result = await self.driver.carry_out(effect)
        except Exception as error:  # noqa: BLE001 - the steps decide about all
            return run.advance(None, error)
        except BaseException as error:  # the loop is being shut down, and this task with it
            run.advance(None, error)
            raise
        finally:
            run.request = None
            request.has_ended.set()
        return run.advance(result)

    def _notice(self, run: PendingRun) -> None:
        if run.notice() and run in self._schedule:
            self._put(run)

    def _put(self, run: PendingRun) -> None:
        now = self._now()
        self._schedule.put(run, now)
        self._alert(now)


class AsyncSchedulers:
    """An `AsyncScheduler` for each event loop, so that one loop leaves nothing to the next."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver
        self._by_loop: dict[object, AsyncScheduler] = {}

    def of_this_loop(self) -> AsyncScheduler:
        """Return the scheduler of the running loop; forget those of loops that have ended or wait for nothing."""
        loop = event_loop.this_loop()
        if loop not in self._by_loop:
            for other, scheduler in list(self._by_loop.items()):
                if scheduler.is_idle or event_loop.is_over(other):
                    self._by_loop.pop(other, None)
            self._by_loop[loop] = AsyncScheduler(self._driver)
        return self._by_loop[loop]
