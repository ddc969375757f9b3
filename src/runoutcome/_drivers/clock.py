"""The machine's own clock, for `Runs` and `AsyncRuns`."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from .._sdk import event_loop

LONGEST_SLEEP_SECONDS = 1.0 if sys.platform == "win32" else threading.TIMEOUT_MAX
"""On Windows Ctrl-C does not end the wait for an event, but is seen after it."""


class SystemClock:
    """The machine's own clock, for `Runs`."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> Any:
        """Block for so many seconds."""
        time.sleep(seconds)


class AsyncSystemClock(SystemClock):
    """The machine's own clock, for `AsyncRuns`, on asyncio and trio."""

    def sleep(self, seconds: float) -> Any:
        """Return a coroutine that sleeps for so many seconds."""
        return event_loop.sleep(seconds)


def wait_for(event: threading.Event, seconds: float) -> bool:
    """Return whether the event was set within so many seconds; infinity waits without end."""
    end = time.monotonic() + seconds
    while not event.wait(min(max(seconds, 0.0), LONGEST_SLEEP_SECONDS)):
        seconds = end - time.monotonic()
        if seconds <= 0:
            return False
    return True
