"""The machine's own time, for a `Runs` and for an `AsyncRuns`."""

from __future__ import annotations

import time
from typing import Any

from . import _async_backend


class SystemClock:
    """The machine's own time, for `Runs`."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> Any:
        """Block for so many seconds."""
        time.sleep(seconds)


class AsyncSystemClock(SystemClock):
    """The machine's own time, for `AsyncRuns`; sleeps under asyncio and trio."""

    def sleep(self, seconds: float) -> Any:
        """A coroutine that sleeps."""
        return _async_backend.sleep(seconds)
