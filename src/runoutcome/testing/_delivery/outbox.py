"""`Outbox`: queue of webhooks by due time. No I/O: runs, time and the receiver's answers are arguments."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace

from .._state.runs import EmulatedRun, ended_at, has_come
from .event import Attempt, DeliverySettings, WebhookEvent, event_of, first_attempts, next_attempt


class Outbox:
    """The deliveries that are planned, due and under way. For one thread at a time."""

    def __init__(self, settings: DeliverySettings, runs: Iterable[EmulatedRun] = (), now: float = 0.0) -> None:
        """Of these runs, those that have ended by `now` (Unix seconds) are left out."""
        self._settings = settings
        self._runs: dict[str, EmulatedRun] = {}
        self._numbers: dict[str, int] = {}
        self._events: dict[str, WebhookEvent] = {}
        self._queue: list[tuple[float, int, Attempt]] = []
        self._queued = 0
        self._under_way: set[Attempt] = set()
        self._held: dict[str, WebhookEvent] = {}
        known = list(runs)
        self._begun = {run.id for run in known if (end := ended_at(run)) is not None and has_come(end, now)}
        self.update(known)

    def update(self, runs: Iterable[EmulatedRun]) -> None:
        """Take note of the runs, oldest first, that are new or have changed; sent events stay as they are."""
        for run in runs:
            if self._runs.get(run.id) is run:
                continue
            self._runs[run.id] = run
            nth = self._numbers.setdefault(run.id, len(self._numbers) + 1)
            if run.id not in self._begun:
                self._plan(run.id, event_of(run, nth, self._settings))

    def take(self, now: float, most: int) -> list[Attempt]:
        """Due attempts in order, `most` at a time; each is under way until `settle` or `give_back`."""
        attempts: list[Attempt] = []
        while self._is_due(now) and len(attempts) < most:
            attempt = self._queue[0][2]
            # A held event comes after all that is ahead of it, not beside it.
            if attempt.event.held and self._under_way:
                break
            heapq.heappop(self._queue)
            self._held.pop(attempt.event.run_id, None)
            self._begun.add(attempt.event.run_id)
            self._under_way.add(attempt)
            attempts.append(attempt)
        return attempts

    def settle(self, attempt: Attempt, status: int | None) -> None:
        """Take note of the receiver's answer."""
        self._under_way.remove(attempt)
        if status is not None and 200 <= status < 300:
            self._release(attempt)
        elif later := next_attempt(attempt):
            self._push(later)

    def give_back(self, attempt: Attempt) -> None:
        """Make an attempt due again that was broken off on our side."""
        self._under_way.remove(attempt)
        self._push(attempt)

    def is_idle(self, now: float) -> bool:
        """True if no delivery is due or under way."""
        return not self._under_way and not self._is_due(now)

    def _is_due(self, now: float) -> bool:
        while self._queue and self._is_stale(self._queue[0][2]):
            heapq.heappop(self._queue)
        return bool(self._queue) and has_come(self._queue[0][0], now)

    def _is_stale(self, attempt: Attempt) -> bool:
        return self._events.get(attempt.event.run_id) is not attempt.event

    def _plan(self, run_id: str, event: WebhookEvent | None) -> None:
        self._held.pop(run_id, None)
        if event is None:
            self._events.pop(run_id, None)
            return
        self._events[run_id] = event
        if event.held:
            self._held[run_id] = event
        for attempt in first_attempts(event):
            self._push(attempt)

    def _release(self, delivered: Attempt) -> None:
        ready = [event for event in self._held.values() if event.due_at <= delivered.due_at]
        for event in sorted(ready, key=lambda event: event.due_at):
            self._plan(event.run_id, replace(event, held=False, due_at=delivered.due_at))

    def _push(self, attempt: Attempt) -> None:
        self._queued += 1
        heapq.heappush(self._queue, (attempt.due_at, self._queued, attempt))
