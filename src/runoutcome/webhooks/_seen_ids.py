"""Which webhooks have come before. One is sent again for up to 72 hours, and sometimes twice for no reason."""

from __future__ import annotations

import threading
from typing import Protocol

MAX_IDS = 10_000
MAX_AGE_SECONDS = 72 * 3600.0


class SeenIds(Protocol):
    """Remembers webhook ids, for about 72 hours; used from several threads.

    What a method raises goes to whoever received the webhook, who then answers 500, so that it is sent again.
    """

    def add(self, webhook_id: str, now: float) -> bool:
        """Remember the id, at `now` (seconds since the epoch), in one step; True if it was not known."""
        ...

    def discard(self, webhook_id: str) -> None:
        """Forget the id, if it is known: what was to be done about it failed, and its next copy counts as new."""
        ...


class MemorySeenIds:
    """Remembers in this process: so many ids at most, none longer than so many seconds. Thread-safe.

    Raises ValueError for a bound that is not more than 0.
    """

    def __init__(self, max_ids: int = MAX_IDS, max_age_seconds: float = MAX_AGE_SECONDS) -> None:
        if not (max_ids > 0 and max_age_seconds > 0):
            raise ValueError("an id is remembered for more than 0 seconds, and there is room for more than 0 ids")
        self._max_ids = max_ids
        self._max_age_seconds = max_age_seconds
        self._seen: dict[str, float] = {}  # oldest first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many ids are remembered."""
        return len(self._seen)

    def add(self, webhook_id: str, now: float) -> bool:
        """Remember the id; True if it was not known."""
        with self._lock:
            while self._seen and now - next(iter(self._seen.values())) >= self._max_age_seconds:
                self._drop_oldest()
            if webhook_id in self._seen:
                return False
            self._seen[webhook_id] = now
            if len(self._seen) > self._max_ids:
                self._drop_oldest()
            return True

    def discard(self, webhook_id: str) -> None:
        """Forget the id."""
        with self._lock:
            self._seen.pop(webhook_id, None)

    def _drop_oldest(self) -> None:
        del self._seen[next(iter(self._seen))]
