"""Decides when a request may start, by the number in flight and the rate of starts. No I/O, no clock."""

from __future__ import annotations

import math

from .._checks import check_number, check_whole_number

BURST_SECONDS = 0.1
"""Starts may run ahead of an even spacing by this much: a sleep ends late, and the next start makes up for it."""


class Pace:
    """Limits on requests: `limit` in flight, `per_second` started.

    Raises ValueError for limits that let nothing through, and TypeError for values that are not numbers.
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
        self.in_flight: set[object] = set()
        self._spacing = 1 / per_second if per_second is not None else 0.0
        self._next = -math.inf
        self._held_until = -math.inf

    def enter(self, request: object, now: float) -> float:
        """Put a request in flight and return 0 if it may start now; otherwise return the seconds to wait.

        Infinity stands for: until another request has left.
        """
        if len(self.in_flight) >= self.limit:
            return math.inf
        delay = max(self._next - BURST_SECONDS if self._spacing else self._next, self._held_until) - now
        if delay > 0:
            return delay
        self._next = max(self._next, now) + self._spacing
        self.in_flight.add(request)
        return 0.0

    def leave(self, request: object) -> None:
        """End a request; one that is not in flight changes nothing."""
        self.in_flight.discard(request)

    def hold(self, until: float) -> None:
        """Start no request before this time: the server asked to slow down."""
        self._held_until = max(self._held_until, until)
