"""Limits the requests of one kind that a `Runs` makes at the same time: first come, first served. `Pace` decides.

A request has its slot before it asks to start, and leaves in any case, so no interrupt keeps the slot:

    slot = limiter.slot()
    with slot:
        limiter.enter(slot)
        ...
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from typing import Any

from .._operations.effects import Clock
from .._sdk import event_loop
from .._waiting.pace import Pace
from .clock import wait_for


class Slot:
    """One request of a limiter, waiting or in flight. A context manager that takes nothing and leaves at its end.

    Leaving again changes nothing: in `with slot, slot:` an interrupt that ends one call leaves the other.
    """

    __slots__ = ("_limiter",)

    def __init__(self, limiter: _LimiterBase) -> None:
        self._limiter = limiter

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        self._limiter.leave(self)


class _LimiterBase:
    """A `Pace` and the queue before it, for both colours."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self.pace = pace
        self._clock = clock
        self._turns: OrderedDict[Slot, Any] = OrderedDict()
        """The requests that wait, in the order of arrival, each with the event that tells it to look again."""

    def slot(self) -> Slot:
        """Make a slot for one request."""
        return Slot(self)

    def leave(self, slot: Slot) -> None:
        """End a request, whether it waits, is in flight or has left before.

        It takes no lock, which an interrupt could keep: each step is one of Python's own, and can be made again.
        """
        self.pace.leave(slot)
        self._turns.pop(slot, None)
        self._tell_first()

    def _admit(self, slot: Slot, now: float) -> float:
        """Return 0 if the request is in flight now; otherwise the seconds to wait, or infinity until it is told."""
        is_first = self._first() in (None, slot)
        delay = self.pace.enter(slot, now) if is_first else math.inf
        if delay == 0:
            self._turns.pop(slot, None)
            self._tell_first()
        return delay

    def _tell_first(self) -> None:
        first = self._first()
        turn = None if first is None else self._turns.get(first)
        if turn is not None:
            turn.set()

    def _first(self) -> Slot | None:
        while self._turns:
            try:
                return next(iter(self._turns))
            except (RuntimeError, StopIteration):  # another thread has left meanwhile
                continue
        return None

    def _seconds_left(self, deadline: float) -> float:
        seconds = deadline - self._clock.monotonic()
        if seconds <= 0:
            raise TimeoutError("no place among the requests in flight was free in time")
        return seconds


class Limiter(_LimiterBase):
    """A `Pace` for threads."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        super().__init__(pace, clock)
        self._process, self._lock = os.getpid(), threading.Lock()

    def enter(self, slot: Slot, timeout_seconds: float | None = None) -> None:
        """Wait until the request may start. Raises TimeoutError if it may not in time; None sets no limit."""
        if self._process != os.getpid():  # a fork copies no threads, but the lock and the slots that they hold
            self._process, self._lock = os.getpid(), threading.Lock()
            self._turns.clear()
            self.pace.in_flight.clear()
        now = self._clock.monotonic()
        deadline = math.inf if timeout_seconds is None else now + timeout_seconds
        while (delay := self._look(slot, now)) > 0:
            seconds = self._seconds_left(deadline)
            if delay < math.inf:
                self._clock.sleep(min(delay, seconds))
            else:
                wait_for(self._turns[slot], seconds)
            now = self._clock.monotonic()

    def _look(self, slot: Slot, now: float) -> float:
        with self._lock:
            delay = self._admit(slot, now)
            if delay > 0:
                self._turns.setdefault(slot, threading.Event()).clear()
                delay = self._admit(slot, now)  # again: a slot that was given back meanwhile woke none
            return delay

    def leave(self, slot: Slot) -> None:
        """End a request, whether it waits, is in flight or has left before."""
        if self._process == os.getpid():  # otherwise the slot is that of the other process
            super().leave(slot)


class AsyncLimiter(_LimiterBase):
    """A `Pace` for tasks; the async twin of `Limiter`."""

    async def enter(self, slot: Slot, timeout_seconds: float | None = None) -> None:
        """Wait until the request may start. Raises TimeoutError if it may not in time; None sets no limit."""
        now = self._clock.monotonic()
        deadline = math.inf if timeout_seconds is None else now + timeout_seconds
        while (delay := self._admit(slot, now)) > 0:
            self._turns[slot] = turn = event_loop.Event()  # a new one for each look: those of anyio cannot be cleared
            seconds = self._seconds_left(deadline)
            if delay < math.inf:
                await self._clock.sleep(min(delay, seconds))
            else:
                await event_loop.wait_for(turn, seconds)
            now = self._clock.monotonic()
