"""One heap for all runs that are waited for together: a few workers poll whichever is due, and nobody waits alone.

There is no worker per run: there are at most as many as polls may be in flight, each started when it is needed. One of
those that have nothing to do, the leader, waits until the next run is due.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextvars import copy_context
from functools import partial
from typing import Any

from . import _async_backend, _sdk
from ._drive import AsyncDriver, Driver
from ._effects import Effect, Pause, Steps, Tell
from ._schedule import Schedule

LINGER_SECONDS = 5.0
"""How long a thread that has nothing to do stays for more: to start one costs as much as a poll."""


class Watch:
    """One run that is waited for: its steps, and whom they tell. Whoever carries out its effects owns it meanwhile."""

    __slots__ = (
        "_has_begun",
        "in_flight",
        "is_listening",
        "is_noticed",
        "is_over",
        "on_end",
        "on_tell",
        "response_id",
        "steps",
        "stop_listening",
    )

    def __init__(
        self,
        response_id: str,
        steps: Steps[_sdk.Response],
        on_tell: Callable[[Tell], None],
        on_end: Callable[[Watch, Any], None],
    ) -> None:
        self.response_id = response_id
        self.steps = steps
        self.on_tell = on_tell
        """Called with what the caller's own functions are to be told."""
        self.on_end = on_end
        """Called once, with the response or the exception."""
        self.is_noticed = False
        """A notice came that no pause has ended for yet."""
        self.is_listening = True
        """A notice ends the pause that it is in."""
        self.is_over = False
        self.in_flight: _Request | None = None
        """The request that is made for it now (async only)."""
        self.stop_listening: Callable[[], None] | None = None
        self._has_begun = False

    def wake(self) -> Effect | None:
        """What the steps ask for when the run is due; None if that was their end."""
        if not self._has_begun:
            self._has_begun = True
            return self.go_on(None)
        noticed, self.is_noticed = self.is_noticed, False
        return self.go_on(noticed)

    def go_on(self, result: Any, error: BaseException | None = None) -> Effect | None:
        """What the steps ask for next, given what came of the last effect; None if that was their end."""
        if self.is_over:
            self.steps.close()
            return None
        try:
            effect = self.steps.send(result) if error is None else self.steps.throw(error)
            while isinstance(effect, Tell):
                self.on_tell(effect)
                effect = self.steps.send(None)
            return effect
        except StopIteration as end:
            self._end(end.value)
        except BaseException as ended:  # noqa: BLE001 - it is the caller's to see, whatever it is
            self._end(ended)
        return None

    def pause(self, effect: Pause) -> float:
        """How long to wait until it is woken, in seconds: not at all for a notice that has come meanwhile."""
        self.is_listening = effect.response_id is not None
        return 0.0 if self.is_noticed and self.is_listening else effect.seconds

    def leave(self) -> None:
        """Nobody waits for this run any more; it goes on by itself."""
        self.is_over = True
        stop, self.stop_listening = self.stop_listening, None
        if stop is not None:
            stop()

    def _end(self, ended: Any) -> None:
        self.leave()
        self.on_end(self, ended)


class _Request:
    """A request in flight that may be called off."""

    def __init__(self) -> None:
        self.scope = _async_backend.CancelScope()
        self.has_ended = _async_backend.Event()


class Scheduler:
    """Waits for runs with threads, which end by themselves when there is nothing more to wait for."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._limit = driver.polls.pace.limit
        self._schedule: Schedule[Watch] = Schedule()
        self._lock = threading.Lock()
        self._next_is_due = threading.Condition(self._lock)
        """What the leader waits for."""
        self._leader_is_needed = threading.Condition(self._lock)
        """What the others wait for."""
        self._has_leader = False
        self._idle = 0
        self._workers = 0

    def add(self, watch: Watch) -> None:
        """Begin to wait for a run."""
        if self.driver.notices is not None:
            watch.stop_listening = self.driver.notices.listen(watch.response_id, partial(self._notice, watch))
        with self._lock:
            self._schedule.put(watch, self._now())
            self._next_is_due.notify()
            self._see_to_a_leader()

    def remove(self, watches: Collection[Watch]) -> None:
        """Stop waiting for these runs, and leave them alone."""
        for watch in watches:
            watch.leave()
        with self._lock:
            for watch in watches:
                self._schedule.remove(watch)
            self._next_is_due.notify()

    def _notice(self, watch: Watch) -> None:
        with self._lock:
            watch.is_noticed = True
            if watch.is_listening and watch in self._schedule:
                self._schedule.put(watch, self._now())
                self._next_is_due.notify()

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
                    self._schedule.put(watch, self._now() + watch.pause(effect))
                    self._next_is_due.notify()

    def _next(self) -> Watch | None:
        """The run that is due, once one is; None if this worker is not needed any more."""
        with self._lock:
            while True:
                now = self._now()
                taken = self._schedule.take(now)
                if taken is not None:
                    self._see_to_a_leader()
                    return taken[0]
                due = self._schedule.next_due()
                if due is None:
                    self._leader_is_needed.notify_all()
                elif not self._has_leader:
                    self._has_leader = True
                    self._next_is_due.wait(min(due - now, threading.TIMEOUT_MAX))
                    self._has_leader = False
                    continue
                elif self._is_needed_soon():
                    continue
                self._workers -= 1
                return None

    def _is_needed_soon(self) -> bool:
        self._idle += 1
        is_called = self._leader_is_needed.wait(LINGER_SECONDS)
        self._idle -= 1
        return is_called or not self._has_leader  # a call that came just when the time was up is not heard

    def _see_to_a_leader(self) -> None:
        """Have somebody wait for the next run while this one is polled."""
        if self._has_leader or not len(self._schedule):
            return
        if self._idle:
            self._leader_is_needed.notify()
        elif self._workers < self._limit:
            self._workers += 1
            threading.Thread(target=copy_context().run, args=(self._work,), name="runoutcome", daemon=True).start()

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
        self._has_leader = False
        self._workers: dict[object, object] = {}
        """The task of each worker: nobody else keeps it."""

    def add(self, watch: Watch) -> None:
        """Begin to wait for a run."""
        if self.driver.notices is not None:
            notice = _async_backend.from_any_thread(partial(self._notice, watch))
            watch.stop_listening = self.driver.notices.listen(watch.response_id, notice)
        self._schedule.put(watch, self._now())
        self._next_is_due.set()
        self._see_to_a_leader()

    async def remove(self, watches: Collection[Watch]) -> None:
        """Stop waiting for these runs, and leave them alone; what is in flight for them is called off."""
        requests = [watch.in_flight for watch in watches if watch.in_flight is not None]
        for watch in watches:
            watch.leave()
            self._schedule.remove(watch)
        self._next_is_due.set()
        for request in requests:
            request.scope.cancel()
        with _async_backend.CancelScope(shield=True):  # they end at once, and the caller may close his client then
            for request in requests:
                await request.has_ended.wait()

    def _notice(self, watch: Watch) -> None:
        watch.is_noticed = True
        if watch.is_listening and watch in self._schedule:
            self._schedule.put(watch, self._now())
            self._next_is_due.set()

    async def _work(self, worker: object) -> None:
        try:
            while (watch := await self._next()) is not None:
                effect = watch.wake()
                while effect is not None and not isinstance(effect, Pause):
                    effect = await self._carry_out(watch, effect)
                if effect is not None:
                    self._schedule.put(watch, self._now() + watch.pause(effect))
                    self._next_is_due.set()
        finally:
            self._workers.pop(worker, None)

    async def _carry_out(self, watch: Watch, effect: Effect) -> Effect | None:
        watch.in_flight = request = _Request()
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
            if due is None or self._has_leader:
                return None
            self._has_leader = True
            self._next_is_due = _async_backend.Event()
            try:
                await _async_backend.wait_for(self._next_is_due, due - now)
            finally:
                self._has_leader = False

    def _see_to_a_leader(self) -> None:
        """Have somebody wait for the next run while this one is polled."""
        if not self._has_leader and len(self._schedule) and len(self._workers) < self._limit:
            worker = object()
            self._workers[worker] = None
            self._workers[worker] = _async_backend.spawn(partial(self._work, worker), copy_context())

    def _now(self) -> float:
        return self.driver.clock.monotonic()
