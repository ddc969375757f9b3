"""The waiting core: how long to sleep before the next poll, and when to stop. A frozen state and pure steps.

Everything that decides about waiting lives here, and nothing here does I/O or reads a clock: `now` is an argument
(any monotonic clock, in seconds) and so is `jitter` (a factor, 1.0 for none). So a wait can be pickled, stored,
resumed, and tested with integers.

    poll answered: pending ------> pending()  --> Sleep, or Stop("deadline")
    poll answered: unknown status  unknown()  --> Sleep, or Stop("deadline")
    poll did not answer ---------> fault()    --> Sleep, Stop("deadline") or Stop("lost")
    poll answered: 404 ----------> missing()  --> Sleep (a known run, once more), Stop("missing") or Stop("gone")
    a notice came ---------------> noticed()  --> poll at once, and quickly from then on

A poll fault is never evidence about the run: a fault never ends a wait before its own budget is spent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

FIRST_DELAY_SECONDS = 0.5
GROWTH = 0.08
"""Delay per second of the run's age: half of it is the expected lag, 4 %, below 5 % with jitter at its worst."""
CAP_SECONDS = 10.0
CAPS_BY_WINDOW = ((8 * 3600.0, 300.0), (2 * 3600.0, 60.0))
"""(completion window in seconds, longest delay in seconds), longest window first."""
DEFAULT_MAX_WAIT_SECONDS = 3600.0
LONGEST_WAIT_SECONDS = 1e9
WINDOW_MARGIN = 1.25
MIN_HINT_SECONDS = 0.1
MIN_INTERVAL_SECONDS = 0.001
JITTER = 0.2
MAX_FAULT_DELAY_SECONDS = 5.0
MAX_RETRY_AFTER_SECONDS = 600.0
"""A poll's Retry-After is believed up to this; asking again after ten minutes does no harm."""
FAULT_BUDGET_SECONDS = 600.0
FAULT_BUDGET_COUNT = 20
CREATE_GRACE_SECONDS = 5.0
MISSING_SECONDS = 5.0
"""Time between the first 404 of a known run and the one that makes it gone."""
SAFETY_NET_SECONDS = 60.0, 300.0
"""Shortest and longest delay where notices are expected: polls only catch what a lost notice would have told."""
LAST_POLL_SHARE, LAST_POLL_SECONDS = 0.1, 1.0
"""The end of a wait that is kept for one last poll: this share of it, at most this long."""
MIN_POLL_SECONDS = 1.0
"""Until when, from the start of the wait, its first poll may take: waiting for 0 seconds means asking once."""


@dataclass(frozen=True)
class WaitPolicy:
    """Limits of one wait, as the caller set them."""

    max_wait_seconds: float | None = DEFAULT_MAX_WAIT_SECONDS
    interval_seconds: float | None = None
    """A constant delay, without growth and jitter; it beats the server's hint."""
    cap_seconds: float = CAP_SECONDS
    is_noticed: bool = False
    """Notices of the run's end are expected (webhooks), and polls are the safety net."""


@dataclass(frozen=True)
class WaitState:
    """State of one wait. Times are the caller's monotonic clock, in seconds."""

    started: float
    age_seconds: float = 0.0
    """Age of the run when this wait began."""
    known: bool = False
    """The run has been seen: a 404 means that it is gone."""
    created: float | None = None
    """Time of the run's creation; None if that is not known."""
    polls: int = 0
    faults: int = 0
    """Poll faults in a row."""
    first_fault: float | None = None
    first_unknown: float | None = None
    first_missing: float | None = None
    """Time of the first 404 since the run was last seen."""
    is_renamed: bool = False
    """The server gives the run an id that nobody knows: that was asked about once, and is its way."""
    noticed_at: float | None = None
    """Time of the last notice. The next poll may reach a server that does not know of the end yet."""


@dataclass(frozen=True)
class Sleep:
    """Sleep this many seconds, then poll."""

    seconds: float


@dataclass(frozen=True)
class Stop:
    """Stop polling. The run is left alone."""

    reason: Literal["deadline", "lost", "missing", "gone"]


Next = Sleep | Stop


def policy_for(
    max_wait_seconds: float | Literal["auto"] | None,
    poll_interval_ms: float | None,
    completion_window: str | None,
    *,
    is_noticed: bool = False,
) -> WaitPolicy:
    """The policy for a caller's arguments. Raises ValueError for a number out of range."""
    window = window_seconds(completion_window)
    if max_wait_seconds == "auto":
        max_wait_seconds = window * WINDOW_MARGIN if window else DEFAULT_MAX_WAIT_SECONDS
    elif max_wait_seconds is not None and not 0 <= max_wait_seconds <= LONGEST_WAIT_SECONDS:
        raise ValueError(f"max_wait_seconds is 0 or more seconds, or None for no limit; got {max_wait_seconds!r}")
    interval = None
    if poll_interval_ms is not None:
        if not 0 < poll_interval_ms <= LONGEST_WAIT_SECONDS * 1000:
            raise ValueError(f"poll_interval_ms is a number of milliseconds above 0; got {poll_interval_ms!r}")
        interval = max(MIN_INTERVAL_SECONDS, poll_interval_ms / 1000)
    cap = next((cap for length, cap in CAPS_BY_WINDOW if window and window >= length), CAP_SECONDS)
    return WaitPolicy(max_wait_seconds, interval, cap, is_noticed)


def window_seconds(completion_window: str | None) -> float | None:
    """Length of a completion window such as "2h"; None for "soonest" and for what is not understood."""
    match = re.fullmatch(r"(\d{1,4})([hm])", completion_window or "")
    return float(match[1]) * (3600.0 if match[2] == "h" else 60.0) if match else None


def remaining(policy: WaitPolicy, state: WaitState, now: float) -> float | None:
    """Seconds until the deadline, not below 0; None if there is none."""
    if policy.max_wait_seconds is None:
        return None
    return max(0.0, state.started + policy.max_wait_seconds - now)


def room(policy: WaitPolicy, state: WaitState, now: float) -> float | None:
    """Seconds until the end of a wait that is kept for one last poll, below 0 within it; None without a deadline."""
    left = remaining(policy, state, now)
    if left is None or policy.max_wait_seconds is None:
        return None
    return left - min(LAST_POLL_SECONDS, LAST_POLL_SHARE * policy.max_wait_seconds)


def poll_seconds(policy: WaitPolicy, state: WaitState, now: float) -> float | None:
    """Time that the next poll request may take, in seconds; None for no bound."""
    left = remaining(policy, state, now)
    if left is None or state.polls:
        return left
    if policy.max_wait_seconds == 0:
        return MIN_POLL_SECONDS  # it asks once, whenever it has its turn
    # Counted from the start: of many, those that wait for their turn are not to have a second each after the deadline.
    return max(left, state.started + MIN_POLL_SECONDS - now)


def is_fresh(state: WaitState, now: float) -> bool:
    """True if the run was created just now, so that not every server may know it yet."""
    return state.created is not None and now - state.created < CREATE_GRACE_SECONDS


def pending(
    policy: WaitPolicy, state: WaitState, now: float, *, hint_seconds: float | None = None, jitter: float = 1.0
) -> tuple[WaitState, Next]:
    """After a good poll that found the run pending."""
    state = replace(state, known=True, polls=state.polls + 1, faults=0, first_fault=None)
    state = replace(state, first_missing=None, first_unknown=None)
    return state, _sleep(policy, state, now, _delay(policy, state, now, hint_seconds, jitter))


def unknown(
    policy: WaitPolicy, state: WaitState, now: float, *, hint_seconds: float | None = None, jitter: float = 1.0
) -> tuple[WaitState, Next]:
    """After a good poll with an unknown status: as pending, but never without an end."""
    since = now if state.first_unknown is None else state.first_unknown
    state, step = pending(policy, state, now, hint_seconds=hint_seconds, jitter=jitter)
    if policy.max_wait_seconds is None and now - since >= DEFAULT_MAX_WAIT_SECONDS:
        step = Stop("deadline")
    return replace(state, first_unknown=since), step


def fault(
    policy: WaitPolicy, state: WaitState, now: float, *, retry_after: float | None = None, jitter: float = 1.0
) -> tuple[WaitState, Next]:
    """After a poll that failed in a way that says nothing about the run."""
    since = now if state.first_fault is None else state.first_fault
    state = replace(state, polls=state.polls + 1, faults=state.faults + 1, first_fault=since)
    if state.faults >= FAULT_BUDGET_COUNT and now - since >= FAULT_BUDGET_SECONDS:
        return state, Stop("lost")
    fixed = policy.interval_seconds
    first = FIRST_DELAY_SECONDS if fixed is None else min(FIRST_DELAY_SECONDS, fixed)
    delay = min(MAX_FAULT_DELAY_SECONDS, first * 2.0 ** min(state.faults - 1, 30))
    delay *= jitter if fixed is None else 1.0
    return state, _sleep(policy, state, now, max(delay, min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)))


def missing(policy: WaitPolicy, state: WaitState, now: float) -> tuple[WaitState, Next]:
    """After a poll that was answered 404: a known run is asked for once more, and soon if it was just created."""
    since = now if state.first_missing is None else state.first_missing
    state = replace(state, polls=state.polls + 1, first_missing=since)
    if not state.known:
        return state, Stop("missing")
    left = since + MISSING_SECONDS - now
    if left < MIN_INTERVAL_SECONDS:
        return state, Stop("gone")
    return state, _sleep(policy, state, now, min(left, FIRST_DELAY_SECONDS) if is_fresh(state, now) else left)


def noticed(state: WaitState, now: float) -> WaitState:
    """After a notice: what it tells of is asked for at once, and again soon where the answer does not know it yet."""
    return replace(state, noticed_at=now)


def _delay(policy: WaitPolicy, state: WaitState, now: float, hint_seconds: float | None, jitter: float) -> float:
    if policy.interval_seconds is not None:
        return policy.interval_seconds
    age = max(0.0, state.age_seconds + now - state.started)
    if policy.is_noticed and state.noticed_at is None:
        shortest, longest = SAFETY_NET_SECONDS
        return min(max(shortest, GROWTH * age, hint_seconds or 0.0), longest) * jitter
    if hint_seconds is not None:
        return min(max(hint_seconds, MIN_HINT_SECONDS), policy.cap_seconds)
    if state.noticed_at is not None:
        age = max(0.0, now - state.noticed_at)
    return min(max(FIRST_DELAY_SECONDS, GROWTH * age), policy.cap_seconds) * jitter


def _sleep(policy: WaitPolicy, state: WaitState, now: float, delay: float) -> Next:
    left = room(policy, state, now)
    if left is None:
        return Sleep(delay)
    # What is left by rounding is no room: a sleep of 1e-14 s would be a poll without a delay.
    return Sleep(min(delay, left)) if left >= MIN_INTERVAL_SECONDS else Stop("deadline")
