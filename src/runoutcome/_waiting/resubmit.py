"""Decision to make the same run again, and its delay. Pure, but for the shared budget, which only counts."""

import threading
from dataclasses import dataclass
from typing import Literal

from .._checks import check_finite_number, check_whole_number
from .._outcome.outcome import Outcome

FIRST_DELAY_SECONDS = {"resubmit": 1.0, "resubmit_later": 5.0}
MAX_DELAY_SECONDS = 120.0
LONGEST_DELAY_SECONDS = 3600.0
"""A longer wish of the server is waited for only within a limit of the caller's: it must not park a job for days."""

Refusal = Literal["attempts", "tokens", "time", "budget", "tools", "identity"]
"""Reason why a retryable run was not made again: the job's number of runs, tokens or time, the shared budget, or tools
that acted in the run."""


@dataclass(frozen=True)
class ResubmitPolicy:
    """Limits on making a run of one job again: number, time and tokens.

    It is only ever made again where its end is retryable. Raises ValueError for a number that is below 0 or not
    finite, and TypeError for what is no number, or no whole one where one is counted.
    """

    __module__ = "runoutcome"

    max_resubmissions: int
    """Further runs after the first."""
    max_seconds: float | None = None
    """No run is made later than this after the first one was submitted; None for no limit but the deadline."""
    max_tokens: int | None = None
    """No run is made once the runs that ended have used so many tokens. What a body does not say counts as 0."""
    after_tools: bool = False
    """A run is made again although a tool acted in the one before (`Outcome.tools_ran`): it may act twice."""

    def __post_init__(self) -> None:
        check_whole_number(
            self.max_resubmissions,
            "resubmit is the number of further runs that may be made (max_resubmissions), 0 or more",
        )
        if self.max_seconds is not None:
            check_finite_number(self.max_seconds, "max_seconds is 0 or more seconds, or None for no limit")
        if self.max_tokens is not None:
            check_whole_number(self.max_tokens, "max_tokens is a number of 0 or more, or None for no limit")


class ResubmitBudget:
    """A token bucket that bounds resubmissions; share one between several `Runs` to bound them together.

    `capacity` resubmissions may be made at once; one more comes back every `seconds_per_resubmission` seconds.
    `max_tokens` bounds what failed runs may cost, for as long as the budget lives: once the runs of all its jobs that
    ended without success have used so many tokens (as far as their bodies say), none of them is made again.
    Thread-safe. Raises ValueError for a number that is below 0 or not finite, or a time of 0 seconds, and TypeError for
    what is no number, or no whole one where one is counted.
    """

    __module__ = "runoutcome"

    def __init__(
        self, capacity: int = 20, seconds_per_resubmission: float = 30.0, *, max_tokens: int | None = None
    ) -> None:
        check_whole_number(capacity, "capacity, the resubmissions that may be made at once, is 0 or more")
        check_finite_number(
            seconds_per_resubmission, "seconds_per_resubmission is a time of more than 0 seconds", is_above=True
        )
        if max_tokens is not None:
            check_whole_number(max_tokens, "max_tokens is a number of 0 or more, or None for no limit")
        self.capacity = capacity
        self.seconds_per_resubmission = seconds_per_resubmission
        self.max_tokens = max_tokens
        self._spent_tokens = 0
        self._tokens = float(capacity)
        self._counted_at: float | None = None
        self._lock = threading.Lock()

    @property
    def spent_tokens(self) -> int:
        """Tokens used by the runs that ended without success, as far as that is known."""
        return self._spent_tokens

    def spend(self, tokens: int) -> None:
        """Count what a run that ended without success has used."""
        with self._lock:
            self._spent_tokens += tokens

    def take(self, now: float) -> bool:
        """True if a resubmission may be made at `now` (a monotonic clock, in seconds), which counts it."""
        with self._lock:
            if self.max_tokens is not None and self._spent_tokens >= self.max_tokens:
                return False
            passed = 0.0 if self._counted_at is None else max(0.0, now - self._counted_at)
            self._tokens = min(float(self.capacity), self._tokens + passed / self.seconds_per_resubmission)
            self._counted_at = now
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True


@dataclass(frozen=True)
class Used:
    """Use of a job when one of its runs has ended."""

    attempts: int
    """The number of the run that ended, from 1."""
    seconds: float = 0.0
    """Time since the first run was submitted."""
    tokens: int = 0
    """Of all runs that ended, as far as their bodies say."""
    left_seconds: float | None = None
    """Time until the deadline of the wait; None if there is none."""


@dataclass(frozen=True)
class Again:
    """Make the run again after so many seconds."""

    delay_seconds: float


@dataclass(frozen=True)
class NotAgain:
    """Raise what the run ended with."""

    why: Refusal | None
    """None where it was not to be made again anyway: not asked for, or not retryable."""


def decide(
    policy: ResubmitPolicy, budget: ResubmitBudget, outcome: Outcome, used: Used, now: float, *, jitter: float = 1.0
) -> Again | NotAgain:
    """The decision about a run that ended so; `Again` takes from the budget."""
    delay = resubmit_delay(outcome, attempt=used.attempts, jitter=jitter)
    if policy.max_resubmissions == 0 or delay is None:
        return NotAgain(None)
    if outcome.tools_ran and not policy.after_tools:
        return NotAgain("tools")
    if used.attempts > policy.max_resubmissions:
        return NotAgain("attempts")
    if policy.max_tokens is not None and used.tokens >= policy.max_tokens:
        return NotAgain("tokens")
    left = [used.left_seconds, None if policy.max_seconds is None else policy.max_seconds - used.seconds]
    is_endless = delay > LONGEST_DELAY_SECONDS and left == [None, None]
    if is_endless or any(seconds is not None and delay >= seconds for seconds in left):
        return NotAgain("time")
    return Again(delay) if budget.take(now) else NotAgain("budget")


def resubmit_delay(outcome: Outcome, *, attempt: int, jitter: float = 1.0) -> float | None:
    """Seconds to wait before the run is made again; None if it must not be.

    `attempt` is the number of the run that ended, from 1. The delay is at least what the server asked for, uncut.
    """
    if outcome.phase != "terminal" or not outcome.retryable:
        return None
    growth = 2.0 ** min(attempt - 1, 20)
    wish = outcome.retry_after if outcome.retry_after_requested is None else outcome.retry_after_requested
    if wish is not None:
        return max(wish, min(MAX_DELAY_SECONDS, wish * growth)) * max(1.0, jitter)
    first = FIRST_DELAY_SECONDS.get(outcome.action, FIRST_DELAY_SECONDS["resubmit_later"])
    return min(MAX_DELAY_SECONDS, first * growth) * jitter
