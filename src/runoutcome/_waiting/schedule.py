"""Priority queue of due times. No I/O, no clock; `now` is an argument."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

_T = TypeVar("_T")
SPARE_ENTRIES = 64
"""Entries that are out of date are left in the heap up to this many, and to as many as there are good ones."""


class Schedule(Generic[_T]):
    """Items in the order of their due times; those due at the same time in the order they were put. Not thread-safe.

    An item is hashable, and is due once. The item that was due first is taken first, however late it is.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _T]] = []
        self._numbers: dict[_T, int] = {}
        """Which entry of an item counts: the others in the heap are out of date."""
        self._next = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, item: object) -> bool:
        return item in self._numbers

    def put(self, item: _T, due: float) -> None:
        """Make an item due then, and not when it was due before."""
        self._next += 1
        self._numbers[item] = self._next
        heapq.heappush(self._heap, (due, self._next, item))
        if len(self._heap) > 2 * len(self._numbers) + SPARE_ENTRIES:
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapq.heapify(self._heap)

    def remove(self, item: _T) -> None:
        """Forget an item; one that is not there is nothing to forget."""
        self._numbers.pop(item, None)

    def clear(self) -> list[_T]:
        """Forget all items; gives them."""
        items = list(self._numbers)
        self._heap.clear()
        self._numbers.clear()
        return items

    def take(self, now: float) -> tuple[_T, float] | None:
        """The item that was due first, and since when; None if nothing is due yet. It is out of the schedule then."""
        due = self.next_due()
        if due is None or due > now:
            return None
        _, _, item = heapq.heappop(self._heap)
        del self._numbers[item]
        return item, due

    def next_due(self) -> float | None:
        """Due time of the next item; None if there is none."""
        while self._heap and not self._counts(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _counts(self, entry: tuple[float, int, _T]) -> bool:
        return self._numbers.get(entry[2]) == entry[1]
