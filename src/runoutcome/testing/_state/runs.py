"""Runs, whose state is a function of the time: nothing ticks, so a restart and a test agree. Pure."""

import asyncio
import time
import warnings
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from .._scenario.script import STUCK, OutcomeScript
from .request import request_key, runoutcome_key

PENDING = ("queued", "in_progress")

_DAY = 24 * 3600.0
STORED_SECONDS = 30 * _DAY
"""Seconds for which a run is kept, from its creation."""
UNSTORED_SECONDS = 600.0
"""Seconds for which a background run with `store` false can be polled, from its end."""
STREAMABLE_SECONDS = 300.0
"""Seconds for which a stream of a run can be opened, from its creation."""

MAX_READS = 10_000
"""Reads of a manual clock that stands still, before it warns."""

# Wall time as a float has steps of a quarter of a microsecond.
_GRAIN = 1e-6


class Clock(Protocol):
    """Clock of an emulator."""

    def now(self) -> float:
        """Seconds of wall time (Unix)."""
        ...


Clock.__module__ = "runoutcome.testing"


class SystemClock:
    """The wall clock of this machine."""

    def now(self) -> float:
        """Seconds of wall time (Unix)."""
        return time.time()


class ManualClock:
    """A clock that stands still until a test moves it; it starts at `start` seconds (Unix).

    It is also a clock for `Runs` and `AsyncRuns`: each of their sleeps moves it, so a wait of hours takes milliseconds.
    Warns (RuntimeWarning) where it is asked for the time 10,000 times without being moved: a loop that polls in real
    time, or by another clock, would never see an end.
    """

    __module__ = "runoutcome.testing"

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._reads = 0
        """How often it was asked since it was moved."""

    def now(self) -> float:
        """Seconds of wall time (Unix)."""
        self._reads += 1
        if self._reads == MAX_READS:
            warnings.warn(
                f"this manual clock was asked for the time {MAX_READS:,} times and stands still: move it with "
                "advance(seconds), or make the client sleep by it, as Runs(client, clock=clock) does",
                RuntimeWarning,
                stacklevel=2,
            )
        return self._now

    def time(self) -> float:
        """Return the same as `now`."""
        return self.now()

    def monotonic(self) -> float:
        """Return the same as `now`: it never goes back."""
        return self.now()

    def sleep(self, seconds: float) -> Any:
        """Move on by `seconds` at once; what is returned can be awaited, to let other tasks run."""
        self.advance(max(0.0, seconds))
        return _Slept()

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`. Raises ValueError if negative."""
        if seconds < 0:
            raise ValueError(f"time does not go back: advance({seconds})")
        self._now += seconds
        if seconds > 0:
            self._reads = 0


class _Slept:
    """The end of a sleep, for those that await it: other tasks of asyncio run meanwhile."""

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        yield from asyncio.sleep(0).__await__()


@dataclass(frozen=True)
class EmulatedRun:
    """A created run, which would have been paid for."""

    __module__ = "runoutcome.testing"

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
    deleted_at: float | None = None
    """Seconds (Unix); None if it was not deleted."""
    speed: float = 1.0
    """Divides the durations for which the API keeps runs and their streams."""

    @property
    def runoutcome_key(self) -> str | None:
        """`metadata.runoutcome_key` of the request."""
        return runoutcome_key(self.request)

    @cached_property
    def job(self) -> str:
        """The `request_key`, equal for all submissions of the same request."""
        return request_key(self.request)


def status_at(run: EmulatedRun, now: float) -> str:
    """The status of the run at `now` (Unix seconds)."""
    if run.cancelled_at is not None and has_come(run.cancelled_at + run.outcome.cancelling_seconds, now):
        ended, flip = ended_at(run), run.outcome.completes_despite_cancel_seconds
        return "cancelled" if flip is None or ended is None or not has_come(ended, now) else "completed"
    # Until a cancel takes effect, the run stays as it was at that time.
    elapsed = (now if run.cancelled_at is None else run.cancelled_at) - run.created_at + _GRAIN
    if run.outcome.status == STUCK or elapsed < run.outcome.queued_seconds:
        return "queued"
    if elapsed < run.outcome.queued_seconds + run.outcome.running_seconds:
        return "in_progress"
    return run.outcome.status


def ended_at(run: EmulatedRun) -> float | None:
    """Unix seconds of the end of the run, in the future or the past; None if it never ends."""
    if run.cancelled_at is not None:
        later = run.outcome.completes_despite_cancel_seconds or 0.0
        return run.cancelled_at + run.outcome.cancelling_seconds + later
    if run.outcome.status in (STUCK, *PENDING):
        return None
    return run.created_at + run.outcome.queued_seconds + run.outcome.running_seconds


def has_come(moment: float, now: float) -> bool:
    """The moment is reached or passed at `now` (both Unix seconds)."""
    return now + _GRAIN >= moment


def is_forgotten(run: EmulatedRun, now: float) -> bool:
    """The server does not know the run: not yet, not at the moment, or no longer; or it was not stored."""
    until = _kept_until(run)
    is_missing = _is_missing(run.outcome, now - run.created_at + _GRAIN)
    return run.deleted_at is not None or is_missing or (until is not None and has_come(until, now))


def is_streamable(run: EmulatedRun, now: float) -> bool:
    """The run is young enough for a stream of it to be opened."""
    return not has_come(run.created_at + STREAMABLE_SECONDS / run.speed, now)


def _kept_until(run: EmulatedRun) -> float | None:
    """Unix seconds; None for a run that is kept while it goes on."""
    ended, kept = ended_at(run), run.outcome.expires_after_seconds
    if kept is None and run.request.get("store") is not False:
        return run.created_at + STORED_SECONDS / run.speed
    if kept is None:
        kept = UNSTORED_SECONDS / run.speed if run.request.get("background") else 0.0
    return None if ended is None else ended + kept


def _is_missing(script: OutcomeScript, elapsed: float) -> bool:
    start, end = script.missing_from_seconds, script.missing_until_seconds
    in_gap = start is not None and elapsed >= start and (end is None or elapsed < end)
    return in_gap or elapsed < script.hidden_seconds
