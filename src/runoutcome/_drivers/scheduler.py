"""One heap for all runs that are waited for together: a few workers poll whichever is due, and nobody waits alone.

There is no worker per run: there are at most as many as polls may be in flight, each started when it is needed. One of
those that have nothing to do, the leader, waits until the next run is due.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Collection
from contextvars import copy_context
from functools import partial
from typing import Any

from .._operations.effects import Effect, Immediate, Pause
from .._sdk import event_loop as _async_backend
from .._waiting.schedule import Schedule
from .driver import AsyncDriver, Driver
from .pending_run import Request, Watch

NOBODY = -math.inf
"""Until when nobody leads."""
LOCK_SECONDS = 0.05
"""How long to try for the lock where waiting for it may be in vain; nobody holds it for long otherwise."""
LINGER_SECONDS = 5.0
"""How long a thread that has nothing to do stays for more: to start one costs as much as a poll."""


class Scheduler:
    """Waits for runs with threads, which end by themselves when there is nothing more to wait for."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._limit = driver.polls.pace.limit
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._schedule: Schedule[Watch] = Schedule()
        self._left: deque[Watch] = deque()
        """Those to be taken out of the schedule by whoever has the lock next."""
        self._lock = threading.Lock()
        self._next_is_due = threading.Condition(self._lock)
        """What the leader waits for."""
        self._leader_is_needed = threading.Condition(self._lock)
        """What the others wait for."""
        self._leads_until = NOBODY
        """When the run is due that the leader waits for."""
        self._idle = 0
        self._workers = 0

    def add(self, watch: Watch) -> None:
        """Begin to wait for a run."""
        if self._process != os.getpid():  # a fork copies no threads, but what they held
            self._begin_anew()
        if self.driver.notices is not None:
            watch.stop_listening = self.driver.notices.listen(watch.response_id, partial(self._notice, watch))
        with self._lock:
            self._put(watch, self._now())
            self._see_to_a_leader()

    def remove(self, watches: Collection[Watch]) -> None:
        """Stop waiting for these runs, and leave them alone."""
        for watch in watches:
            watch.leave()
        self._left.extend(watches)
        # The garbage collector may call this in any thread: also in one that whoever has the lock is waiting for.
        if self._lock.acquire(timeout=LOCK_SECONDS):
            try:
                self._forget_the_left()
                self._next_is_due.notify()  # nobody is to wait for what is not there
            finally:
                self._lock.release()

    def _forget_the_left(self) -> None:
        while self._left:
            self._schedule.remove(self._left.popleft())

    def _notice(self, watch: Watch) -> None:
        with self._lock:
            watch.is_noticed = True
            if watch.is_listening and watch in self._schedule:
                self._put(watch, self._now())

    def _work(self) -> None:
        while (watch := self._next()) is not None:
            effect = watch.wake()
            while effect is not None and not isinstance(effect, Pause):
                try:
                    result = self.driver.carry_out(effect)
                except BaseException as error:  # noqa: BLE001 - the steps decide about all
                    effect = watch.go_on(None, error)
                else:
                    effect = watch.go_on(result)
            if effect is not None:
                with self._lock:
                    if not watch.is_over:
                        self._put(watch, self._now() + watch.pause(effect))

    def _put(self, watch: Watch, due: float) -> None:
        self._schedule.put(watch, due)
        if due < self._leads_until:
            self._next_is_due.notify()

    def _next(self) -> Watch | None:
        """The run that is due, once one is; None if this worker is not needed any more."""
        with self._lock:
            while True:
                self._forget_the_left()
                now = self._now()
                taken = self._schedule.take(now)
                if taken is not None:
                    self._see_to_a_leader()
                    return taken[0]
                due = self._schedule.next_due()
                if due is None:
                    self._leader_is_needed.notify_all()
                elif self._leads_until == NOBODY:
                    self._leads_until = due
                    self._next_is_due.wait(min(due - now, threading.TIMEOUT_MAX))
                    self._leads_until = NOBODY
                    continue
                elif self._is_needed_soon():
                    continue
                self._workers -= 1
                return None

    def _is_needed_soon(self) -> bool:
        self._idle += 1
        is_called = self._leader_is_needed.wait(LINGER_SECONDS)
        self._idle -= 1
        return is_called or self._leads_until == NOBODY  # a call that came just when the time was up is not heard

    def _see_to_a_leader(self) -> None:
        """Have somebody wait for the next run while this one is polled."""
        if self._leads_until != NOBODY or not len(self._schedule):
            return
        if self._idle:
            self._leader_is_needed.notify()
        elif self._workers < self._limit:
            self._workers += 1
            try:
                threading.Thread(target=copy_context().run, args=(self._work,), name="runoutcome", daemon=True).start()
            except RuntimeError:  # no more threads: those that are there do it all
                self._workers -= 1
                if not self._workers:
                    raise

    def _now(self) -> float:
        return self.driver.clock.monotonic()


class AsyncScheduler:
    """Waits for runs with tasks; the async twin of `Scheduler`."""

    def __init__(self, driver: AsyncDriver) -> None:
        self.driver = driver
        self._limit = driver.polls.pace.limit
        self._schedule: Schedule[Watch] = Schedule()
        self._next_is_due = _async_backend.Event()
        """What the leader waits for; a new one each time."""
        self._leads_until = NOBODY
        """When the run is due that the leader waits for."""
        self._workers: dict[object, object] = {}
        """The task of each worker: nobody else keeps it."""

    def add(self, watch: Watch) -> None:
        """Begin to wait for a run."""
        if self.driver.notices is not None:
            notice = _async_backend.from_any_thread(partial(self._notice, watch))
            watch.stop_listening = self.driver.notices.listen(watch.response_id, notice)
        self._put(watch, self._now())
        self._see_to_a_leader()

    async def remove(self, watches: Collection[Watch]) -> None:
        """Stop waiting for these runs, and leave them alone; what is in flight for them is called off."""
        requests = [watch.in_flight for watch in watches if watch.in_flight is not None]
        for watch in watches:
            watch.leave()
            self._schedule.remove(watch)
        self._next_is_due.set()  # nobody is to wait for what is not there
        for request in requests:
            request.scope.cancel()
        with _async_backend.CancelScope(shield=True):  # they end at once, and the caller may close his client then
            for request in requests:
                await request.has_ended.wait()

    def _notice(self, watch: Watch) -> None:
        watch.is_noticed = True
        if watch.is_listening and watch in self._schedule:
            self._put(watch, self._now())

    async def _work(self, worker: object) -> None:
        try:
            while (watch := await self._next()) is not None:
                effect = watch.wake()
                while effect is not None and not isinstance(effect, Pause):
                    effect = await self._carry_out(watch, effect)
                if effect is not None:
                    self._put(watch, self._now() + watch.pause(effect))
        except BaseException as error:  # somebody cancels every task there is: whoever waits for these runs is told
            for watch in self._schedule.clear():
                watch.go_on(None, error)
            raise
        finally:
            self._workers.pop(worker, None)

    def _put(self, watch: Watch, due: float) -> None:
        self._schedule.put(watch, due)
        if due < self._leads_until:
            self._next_is_due.set()

    async def _carry_out(self, watch: Watch, effect: Immediate) -> Effect | None:
        watch.in_flight = request = Request()
        result: Any = None
        try:
            with request.scope:
                result = await self.driver.carry_out(effect)
        except Exception as error:  # noqa: BLE001 - the steps decide about all
            return watch.go_on(None, error)
        except BaseException as error:  # the loop is being shut down, and this worker with it
            watch.go_on(None, error)
            raise
        finally:
            watch.in_flight = None
            request.has_ended.set()
        return watch.go_on(result)

    async def _next(self) -> Watch | None:
        """The run that is due, once one is; None if this worker is not needed any more."""
        while True:
            now = self._now()
            taken = self._schedule.take(now)
            if taken is not None:
                self._see_to_a_leader()
                return taken[0]
            due = self._schedule.next_due()
            if due is None or self._leads_until != NOBODY:
                return None
            self._leads_until = due
            self._next_is_due = _async_backend.Event()
            try:
                await _async_backend.wait_for(self._next_is_due, due - now)
            finally:
                self._leads_until = NOBODY

    def _see_to_a_leader(self) -> None:
        """Have somebody wait for the next run while this one is polled."""
        if self._leads_until == NOBODY and len(self._schedule) and len(self._workers) < self._limit:
            worker = object()
            self._workers[worker] = None
            task = _async_backend.spawn(partial(self._work, worker), copy_context())
            if worker in self._workers:  # an eager task may have ended before it is here
                self._workers[worker] = task

    def _now(self) -> float:
        return self.driver.clock.monotonic()

    @property
    def is_idle(self) -> bool:
        """Nothing is waited for, and nobody works."""
        return not len(self._schedule) and not self._workers


class AsyncSchedulers:
    """An `AsyncScheduler` for each event loop: what one loop has left undone is nothing to the next."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver
        self._by_loop: dict[object, AsyncScheduler] = {}

    def of_this_loop(self) -> AsyncScheduler:
        """That of the loop of this moment."""
        loop = _async_backend.this_loop()
        if loop not in self._by_loop:
            for other, scheduler in list(self._by_loop.items()):
                if scheduler.is_idle or _async_backend.is_over(other):
                    self._by_loop.pop(other, None)
            self._by_loop[loop] = AsyncScheduler(self._driver)
        return self._by_loop[loop]
