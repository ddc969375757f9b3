"""Stores of webhook ids, to recognise copies: the provider sends for up to 72 hours, and sometimes twice."""

import threading
from typing import Protocol

MAX_IDS = 10_000
MAX_AGE_SECONDS = 72 * 3600.0


class SeenIds(Protocol):
    """Remembers webhook ids, for about 72 hours; used from several threads.

    The receiver of the webhook gets the exceptions of its methods, and answers 500, so that the webhook is sent again.
    """

    def add(self, webhook_id: str, now: float) -> bool:
        """Remember the id, at `now` (seconds since the epoch), in one step; True if it was not known."""
        ...

    def discard(self, webhook_id: str) -> None:
        """Forget the id, if it is known: its delivery failed, and its next copy counts as new."""
        ...


SeenIds.__module__ = "runoutcome.webhooks"  # in the body it would be a member of the protocol


class MemorySeenIds:
    """Remembers ids in this process: at most `max_ids`, none longer than `max_age_seconds`. Thread-safe.

    Raises ValueError for a bound that is not more than 0.
    """

    __module__ = "runoutcome.webhooks"

    def __init__(self, max_ids: int = MAX_IDS, max_age_seconds: float = MAX_AGE_SECONDS) -> None:
        if not (max_ids > 0 and max_age_seconds > 0):
            raise ValueError("max_ids and max_age_seconds are more than 0")
        self._max_ids = max_ids
        self._max_age_seconds = max_age_seconds
        self._seen: dict[str, float] = {}  # oldest first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of ids that are remembered."""
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
