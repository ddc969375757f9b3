"""Whether and when to make the same run again. Pure, but for the token bucket, which only counts."""

from __future__ import annotations

import threading

from ._model import Outcome

FIRST_DELAY_SECONDS = {"resubmit": 1.0, "resubmit_later": 5.0}
MAX_DELAY_SECONDS = 120.0


class ResubmitBudget:
    """A token bucket that bounds resubmissions; share one between several `Runs` to bound them together.

    `capacity` resubmissions may be made at once; one more comes back every `seconds_per_resubmission` seconds.
    Thread-safe. Raises ValueError for a capacity below 0 or a time of 0 seconds or less.
    """

    def __init__(self, capacity: int = 20, seconds_per_resubmission: float = 30.0) -> None:
        if capacity < 0 or not seconds_per_resubmission > 0:
            raise ValueError("a budget has a capacity of 0 or more and a time of more than 0 seconds")
        self.capacity = capacity
        self.seconds_per_resubmission = seconds_per_resubmission
        self._tokens = float(capacity)
        self._counted_at: float | None = None
        self._lock = threading.Lock()

    def take(self, now: float) -> bool:
        """Whether a resubmission may be made at `now` (a monotonic clock, in seconds); counts it if so."""
        with self._lock:
            passed = 0.0 if self._counted_at is None else max(0.0, now - self._counted_at)
            self._tokens = min(float(self.capacity), self._tokens + passed / self.seconds_per_resubmission)
            self._counted_at = now
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True


def resubmit_delay(outcome: Outcome, *, attempt: int, jitter: float = 1.0) -> float | None:
    """Seconds to wait before the run is made again; None if it must not be.

    `attempt` is the number of the run that ended, from 1. The server's `retry_after` is the least that is waited.
    """
    if outcome.phase != "terminal" or not outcome.retryable:
        return None
    growth = 2.0 ** min(attempt - 1, 20)
    if outcome.retry_after is not None:
        return max(outcome.retry_after, min(MAX_DELAY_SECONDS, outcome.retry_after * growth)) * max(1.0, jitter)
    first = FIRST_DELAY_SECONDS.get(outcome.action, FIRST_DELAY_SECONDS["resubmit_later"])
    return min(MAX_DELAY_SECONDS, first * growth) * jitter
