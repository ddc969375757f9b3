"""The machine's own time, for a `Runs` and for an `AsyncRuns`."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from .._sdk import event_loop as _async_backend

LONGEST_SLEEP_SECONDS = 1.0 if sys.platform == "win32" else threading.TIMEOUT_MAX
"""On Windows Ctrl-C does not end the wait for an event, but is seen after it."""


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


def wait_for(event: threading.Event, seconds: float) -> bool:
    """Whether the event was set before so many seconds were over; infinity waits for ever."""
    end = time.monotonic() + seconds
    while not event.wait(min(max(seconds, 0.0), LONGEST_SLEEP_SECONDS)):
        seconds = end - time.monotonic()
        if seconds <= 0:
            return False
    return True


class AsyncSystemClock(SystemClock):
    """The machine's own time, for `AsyncRuns`; sleeps under asyncio and trio."""

    def sleep(self, seconds: float) -> Any:
        """A coroutine that sleeps."""
        return _async_backend.sleep(seconds)
