"""How many requests are in flight at once, and how fast new ones may start: one gate per `Runs` and kind of request.

`Pace` decides, and nothing in it waits or reads a clock. `Gate` and `AsyncGate` wait by it, first come, first served.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque

from .._checks import check_number, check_whole_number
from .._operations.effects import Clock
from .._sdk import event_loop as _async_backend
from .clock import wait_for

NO_PLACE = "no place among the requests in flight was free in time"
BURST_SECONDS = 0.1
"""How far the starts may run ahead of an even spacing: sleeps end late, and what was late may be made up for."""


class Pace:
    """Counts what is in flight, and spaces what starts. Raises ValueError for limits that let nothing through,
    and TypeError for what is no number.
    """

    def __init__(self, limit: int, per_second: float | None = None) -> None:
        check_whole_number(limit, "the number of requests in flight (max_..._in_flight) is 1 or more", least=1)
        if per_second is not None:
            check_number(per_second, "max_polls_per_second is a number above 0, or None for no limit")
        if per_second is not None and not 0 < per_second < math.inf:
            raise ValueError(
                f"a rate is a number of requests per second above 0, or None for no limit; got {per_second!r}"
            )
        self.limit = limit
        self.in_flight = 0
        self._spacing = 1 / per_second if per_second is not None else 0.0
        self._next = -math.inf
        self._held_until = -math.inf

    def enter(self, now: float) -> float:
        """0 if one more may start, which counts it; else the seconds to wait (inf: until one in flight leaves)."""
        if self.in_flight >= self.limit:
            return math.inf
        delay = max(self._next - BURST_SECONDS if self._spacing else self._next, self._held_until) - now
        if delay > 0:
            return delay
        self.in_flight += 1
        self._next = max(self._next, now) + self._spacing
        return 0.0

    def leave(self) -> None:
        """One that was in flight has ended."""
        self.in_flight -= 1

    def hold(self, until: float) -> None:
        """Let nothing start before then: the server asked everybody to slow down."""
        self._held_until = max(self._held_until, until)


class Gate:
    """A `Pace` for threads. As a context manager it gives back the place that `enter` took."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self.pace = pace
        self._clock = clock
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self.pace.in_flight = 0

    def enter(self, timeout_seconds: float | None = None) -> Gate:
        """Wait for a place. Raises TimeoutError if there is none in time; None waits for ever."""
        if self._process != os.getpid():  # a fork copies no threads, but the places they have
            self._begin_anew()
        now = self._clock.monotonic()
        with self._lock:
            if not self._queue and self.pace.enter(now) == 0:
                return self
            turn = threading.Event()
            self._queue.append(turn)
        try:
            deadline = math.inf if timeout_seconds is None else now + timeout_seconds
            while (delay := self._delay(turn)) > 0:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise TimeoutError(NO_PLACE)
                if delay < math.inf:
                    self._clock.sleep(min(delay, left))
                else:
                    wait_for(turn, left)
            return self
        finally:
            with self._lock:
                self._queue.remove(turn)
                self._call_next()

    def leave(self) -> None:
        """Give the place back."""
        if self._process != os.getpid():  # it is the other process that has it
            return
        with self._lock:
            self.pace.leave()
            self._call_next()

    def _delay(self, turn: threading.Event) -> float:
        turn.clear()
        with self._lock:
            return self.pace.enter(self._clock.monotonic()) if self._queue[0] is turn else math.inf

    def _call_next(self) -> None:
        if self._queue:
            self._queue[0].set()

    def __enter__(self) -> None:
        """The place was taken by `enter`."""

    def __exit__(self, *_: object) -> None:
        self.leave()


class AsyncGate:
    """A `Pace` for tasks; the async twin of `Gate`."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self.pace = pace
        self._clock = clock
        self._queue: deque[_Turn] = deque()

    async def enter(self, timeout_seconds: float | None = None) -> AsyncGate:
        """Wait for a place. Raises TimeoutError if there is none in time; None waits for ever."""
        now = self._clock.monotonic()
        if not self._queue and self.pace.enter(now) == 0:
            return self
        turn = _Turn()
        self._queue.append(turn)
        try:
            deadline = math.inf if timeout_seconds is None else now + timeout_seconds
            while (delay := self._delay(turn)) > 0:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise TimeoutError(NO_PLACE)
                if delay < math.inf:
                    await self._clock.sleep(min(delay, left))
                else:
                    await _async_backend.wait_for(turn.event, left if left < math.inf else None)
            return self
        finally:
            self._queue.remove(turn)
            self._call_next()

    def leave(self) -> None:
        """Give the place back."""
        self.pace.leave()
        self._call_next()

    def _delay(self, turn: _Turn) -> float:
        turn.event = _async_backend.Event()
        return self.pace.enter(self._clock.monotonic()) if self._queue[0] is turn else math.inf

    def _call_next(self) -> None:
        if self._queue:
            self._queue[0].event.set()

    def __enter__(self) -> None:
        """The place was taken by `enter`."""

    def __exit__(self, *_: object) -> None:
        self.leave()


class _Turn:
    """One task in the queue; the event is a new one for each look, as those of anyio cannot be cleared."""

    event: _async_backend.Event
