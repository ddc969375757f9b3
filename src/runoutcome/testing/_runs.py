"""The state of a run is a function of the run and the time: nothing ticks, so a restart and a test agree. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ._request import metadata_of
from ._script import STUCK, OutcomeScript

PENDING = ("queued", "in_progress")

# Wall time as a float has steps of a quarter of a microsecond: a moment that is reached counts as passed.
_GRAIN = 1e-6


class Clock(Protocol):
    """Where an emulator reads the time."""

    def now(self) -> float:
        """Seconds of wall time (Unix)."""
        ...


class SystemClock:
    """The wall clock of this machine."""

    def now(self) -> float:
        """Seconds of wall time (Unix)."""
        return time.time()


class ManualClock:
    """A clock that a test moves; it starts at `start` seconds (Unix) and stands still in between."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds of wall time (Unix)."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`. Raises ValueError if negative."""
        if seconds < 0:
            raise ValueError(f"time does not go back: advance({seconds})")
        self._now += seconds


@dataclass(frozen=True)
class EmulatedRun:
    """A created run, which would have been paid for."""

    id: str
    created_at: float
    """Seconds (Unix)."""
    request: Mapping[str, Any] = field(hash=False, repr=False)
    word: str
    """The outcome word that was chosen."""
    outcome: OutcomeScript
    submission: int
    """1 for the first run of this request, 2 for its first resubmission, ..."""
    cancelled_at: float | None = None
    """Seconds (Unix); None if no cancel took effect."""

    @property
    def runoutcome_key(self) -> str | None:
        """`metadata.runoutcome_key` of the request."""
        return metadata_of(self.request).get("runoutcome_key")


def status_at(run: EmulatedRun, now: float) -> str:
    """The status of the run at `now` (Unix seconds)."""
    if run.cancelled_at is not None:
        return "cancelled"
    elapsed = now - run.created_at + _GRAIN
    if run.outcome.status == STUCK or elapsed < run.outcome.queued_seconds:
        return "queued"
    if elapsed < run.outcome.queued_seconds + run.outcome.running_seconds:
        return "in_progress"
    return run.outcome.status


def ended_at(run: EmulatedRun) -> float | None:
    """When the run ends, or ended (Unix seconds); None if it never does."""
    if run.cancelled_at is not None:
        return run.cancelled_at
    if run.outcome.status in (STUCK, *PENDING):
        return None
    return run.created_at + run.outcome.queued_seconds + run.outcome.running_seconds


def is_forgotten(run: EmulatedRun, now: float) -> bool:
    """The server no longer knows the run: it was not stored, or its time is over."""
    if run.request.get("store") is False:
        return True
    ended, kept = ended_at(run), run.outcome.expires_after_seconds
    return ended is not None and kept is not None and now + _GRAIN >= ended + kept
