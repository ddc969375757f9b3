"""The waiting core, with integers for a clock."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from runoutcome._waiting import polling as _wait
from runoutcome._waiting.polling import (
    Next,
    Sleep,
    Stop,
    WaitPolicy,
    WaitState,
    fault,
    missing,
    noticed,
    pending,
    policy_for,
    poll_seconds,
    remaining,
    unknown,
    window_seconds,
)

ENDLESS = WaitPolicy(max_wait_seconds=None)
NEW = WaitState(started=0.0)
HOUR = 3600.0


def seconds(step: Next) -> float:
    """The length of a sleep."""
    assert isinstance(step, Sleep)
    return step.seconds


def fault_delays(count: int, policy: WaitPolicy = ENDLESS, **options: Any) -> list[float]:
    """The sleeps after so many faults in a row."""
    state, delays = NEW, []
    for _ in range(count):
        state, step = fault(policy, state, 1.0, **options)
        delays.append(seconds(step))
    return delays


# --- the policy ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "length", "max_wait", "cap"),
    [
        (None, None, HOUR, 10.0),
        ("soonest", None, HOUR, 10.0),
        ("2h", 2 * HOUR, 2.5 * HOUR, 60.0),
        ("8h", 8 * HOUR, 10 * HOUR, 300.0),
        ("24h", 24 * HOUR, 30 * HOUR, 300.0),
        ("90m", 1.5 * HOUR, 1.875 * HOUR, 10.0),
        ("0h", 0.0, HOUR, 10.0),
        ("", None, HOUR, 10.0),
        ("2 h", None, HOUR, 10.0),
        ("99999h", None, HOUR, 10.0),
        ("2h\n", None, HOUR, 10.0),
    ],
)
def test_policy_by_window(window: str | None, length: float | None, max_wait: float, cap: float) -> None:
    """Left alone, a wait lasts 1 h or 1.25 times the completion window, and the window sets the longest delay."""
    assert window_seconds(window) == length
    assert policy_for("auto", None, window) == WaitPolicy(max_wait, None, cap)


@pytest.mark.parametrize("max_wait", [None, 0, 0.5, 10, 10**6])
def test_policy_by_limit(max_wait: float | None) -> None:
    """A limit that is given beats the window, which still sets the longest delay."""
    assert policy_for(max_wait, None, "8h") == WaitPolicy(max_wait, None, 300.0)


@pytest.mark.parametrize(("milliseconds", "interval"), [(None, None), (0.5, 0.001), (1, 0.001), (2500, 2.5)])
def test_policy_by_interval(milliseconds: float | None, interval: float | None) -> None:
    """An interval is given in milliseconds and is at least one."""
    assert policy_for(None, milliseconds, None).interval_seconds == interval


@pytest.mark.parametrize("number", [-1, -0.001, float("nan"), float("inf"), float("-inf")])
def test_policy_of_nonsense(number: float) -> None:
    """A negative or non-finite number is a ValueError that says what is expected."""
    with pytest.raises(ValueError, match="max_wait_seconds is 0 or more seconds"):
        policy_for(number, None, None)
    with pytest.raises(ValueError, match="poll_interval_ms is a number of milliseconds above 0"):
        policy_for(None, number, None)


def test_an_interval_of_nothing_is_refused() -> None:
    """An interval of 0 ms would poll without a pause."""
    with pytest.raises(ValueError, match="poll_interval_ms is a number of milliseconds above 0"):
        policy_for(None, 0, None)


# --- the deadline --------------------------------------------------------------------------------------------------


def test_remaining() -> None:
    """What remains counts down to 0; without a limit there is no end."""
    policy = WaitPolicy(max_wait_seconds=10.0)
    state = WaitState(started=100.0)
    assert [remaining(policy, state, now) for now in (100, 104, 110, 999)] == [10, 6, 0, 0]
    assert remaining(ENDLESS, state, 1e9) is None


def test_the_poll_in_flight_is_bounded_by_the_deadline() -> None:
    """A poll may take the time that is left; the first one may take until a second after the start of the wait."""
    policy = WaitPolicy(max_wait_seconds=10.0)
    first, later = WaitState(started=0.0), WaitState(started=0.0, polls=3)
    assert poll_seconds(policy, first, 4.0) == poll_seconds(policy, later, 4.0) == 6.0
    assert poll_seconds(policy, first, 10.0) == 0.0
    assert poll_seconds(WaitPolicy(max_wait_seconds=0.25), first, 0.5) == 0.5
    assert poll_seconds(WaitPolicy(max_wait_seconds=0.0), first, 500.0) == 1.0
    assert poll_seconds(policy, later, 9.75) == 0.25
    assert poll_seconds(ENDLESS, first, 4.0) is None


@pytest.mark.parametrize("step", [pending, unknown, fault])
def test_waiting_for_nothing_asks_once(step: Callable[..., tuple[WaitState, Next]]) -> None:
    """With 0 seconds to wait the first poll is the last."""
    assert step(WaitPolicy(max_wait_seconds=0.0), NEW, 0.0)[1] == Stop("deadline")


@pytest.mark.parametrize("step", [pending, unknown, fault])
def test_the_last_sleep_leaves_time_for_a_poll(step: Callable[..., tuple[WaitState, Next]]) -> None:
    """The last sleep is cut so that a second is left before the deadline; when that is gone the wait is over."""
    policy = WaitPolicy(max_wait_seconds=60.0, interval_seconds=30.0)
    state = replace(NEW, faults=30, first_fault=58.0)
    assert step(policy, state, 58.0)[1] == Sleep(1.0)
    assert step(policy, state, 59.0)[1] == Stop("deadline")
    short = WaitPolicy(max_wait_seconds=2.0, interval_seconds=30.0)
    assert seconds(step(short, state, 1.0)[1]) == pytest.approx(min(0.8, 5.0))


# --- delays while pending ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "window", "delay"),
    [
        (0, None, 0.5),
        (6, None, 0.5),
        (25, None, 2.0),
        (100, None, 8.0),
        (125, None, 10.0),
        (10_000, None, 10.0),
        (500, "2h", 40.0),
        (10_000, "2h", 60.0),
        (2000, "8h", 160.0),
        (30_000, "8h", 300.0),
    ],
)
def test_delay_grows_with_the_runs_age(age: float, window: str | None, delay: float) -> None:
    """The delay starts at 0.5 s and is 8 % of the run's age, up to the cap of its window."""
    policy = policy_for(None, None, window)
    assert pending(policy, NEW, age)[1] == Sleep(delay)
    assert pending(policy, WaitState(started=age, age_seconds=age), age)[1] == Sleep(delay)


def test_a_clock_that_goes_back_does_not_spin() -> None:
    """An age below 0, from clocks that disagree, is a fresh run."""
    assert pending(ENDLESS, replace(NEW, age_seconds=-500.0), 1.0)[1] == Sleep(0.5)


@pytest.mark.parametrize("jitter", [0.8, 1.0, 1.2])
def test_jitter_is_a_factor(jitter: float) -> None:
    """Jitter stretches the delay, the capped one too, and neither a hint nor a given interval."""
    assert seconds(pending(ENDLESS, NEW, 25.0, jitter=jitter)[1]) == pytest.approx(2.0 * jitter)
    assert seconds(pending(ENDLESS, NEW, 1e6, jitter=jitter)[1]) == pytest.approx(10.0 * jitter)
    assert pending(ENDLESS, NEW, 25.0, hint_seconds=3.0, jitter=jitter)[1] == Sleep(3.0)
    fixed = WaitPolicy(None, interval_seconds=2.0)
    assert pending(fixed, NEW, 25.0, jitter=jitter)[1] == Sleep(2.0)
    assert fault(fixed, NEW, 25.0, jitter=jitter)[1] == Sleep(0.5)


def test_jitter_drawn_outside_stays_in_its_bounds() -> None:
    """The jitter that the loops draw is within 20 %, both ways."""
    from runoutcome._operations.poll import jitter

    drawn = [jitter() for _ in range(2000)]
    assert 0.8 <= min(drawn) < 0.85
    assert 1.15 < max(drawn) <= 1.2


@pytest.mark.parametrize(
    ("hint", "window", "delay"),
    [(0.0, None, 0.1), (0.05, None, 0.1), (-3.0, None, 0.1), (3.0, None, 3.0), (99.0, None, 10.0), (99.0, "8h", 99.0)],
)
def test_a_hint_is_clamped(hint: float, window: str | None, delay: float) -> None:
    """The server's hint wins over the growth, from 0.1 s, so that 0 never spins, up to the cap."""
    assert pending(policy_for(None, None, window), NEW, 1.0, hint_seconds=hint)[1] == Sleep(delay)
    assert unknown(policy_for(None, None, window), NEW, 1.0, hint_seconds=hint)[1] == Sleep(delay)


def test_a_hint_is_for_one_sleep() -> None:
    """A hint is not remembered: the next poll has its own, or none."""
    state, first = pending(ENDLESS, NEW, 1.0, hint_seconds=7.0)
    state, second = pending(ENDLESS, state, 2.0, hint_seconds=2.0)
    _, third = pending(ENDLESS, state, 3.0)
    assert [seconds(step) for step in (first, second, third)] == [7.0, 2.0, 0.5]


def test_an_interval_beats_the_hint_and_the_growth() -> None:
    """A given interval is the delay, always."""
    policy = policy_for(None, 20_000, None)
    assert pending(policy, NEW, 1e6, hint_seconds=1.0, jitter=1.2)[1] == Sleep(20.0)


def test_expected_lag() -> None:
    """A run of more than 10 s is noticed, on the average over the jitter, within 5 % of its duration."""
    rng = random.Random(20261123)

    def lag(duration: float, window: str | None) -> float:
        policy, state, now = policy_for(None, None, window), NEW, 0.0
        while now < duration:
            state, step = pending(policy, state, now, jitter=rng.uniform(1 - _wait.JITTER, 1 + _wait.JITTER))
            now += seconds(step)
        return (now - duration) / duration

    for window, durations in ((None, (10.5, 12, 15, 20, 35, 60, 110, 130, 300)), ("8h", (300, 2000, 5000))):
        for duration in durations:
            lags = [lag(duration * rng.uniform(1, 1.1), window) for _ in range(400)]
            assert sum(lags) / len(lags) < 0.05, duration


# --- faults --------------------------------------------------------------------------------------------------------


def test_fault_delays() -> None:
    """After faults in a row the delay doubles from 0.5 s to 5 s."""
    assert fault_delays(7) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("milliseconds", "delays"),
    [
        (100, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]),
        (500, [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]),
        (30_000, [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]),
    ],
)
def test_fault_delays_start_at_a_short_interval(milliseconds: float, delays: list[float]) -> None:
    """With a given interval shorter than 0.5 s, the delay after faults starts there."""
    assert fault_delays(7, policy_for(None, milliseconds, None)) == pytest.approx(delays)


def test_fault_delays_with_jitter() -> None:
    """Faults are jittered like polls, so that many waits do not come back together."""
    assert fault_delays(5, jitter=1.2) == pytest.approx([0.6, 1.2, 2.4, 4.8, 6.0])


@pytest.mark.parametrize(("retry_after", "delay"), [(None, 0.5), (0.0, 0.5), (0.2, 0.5), (7.0, 7.0), (1e9, 600.0)])
def test_a_longer_retry_after_wins(retry_after: float | None, delay: float) -> None:
    """A `Retry-After` that is longer than the delay is waited, up to 10 minutes."""
    assert fault(ENDLESS, NEW, 1.0, retry_after=retry_after)[1] == Sleep(delay)
    assert fault(WaitPolicy(None, 0.25), NEW, 1.0, retry_after=retry_after)[1] == Sleep(
        delay if delay > 0.5 else max(0.25, min(retry_after or 0.0, 0.5))
    )


def test_a_retry_after_does_not_pass_the_deadline() -> None:
    """A `Retry-After` beyond the deadline is cut to it: the run may end before."""
    assert seconds(fault(WaitPolicy(20.0), NEW, 10.0, retry_after=500.0)[1]) == 9.0


@pytest.mark.parametrize("step", [pending, unknown])
def test_a_good_poll_resets_the_faults(step: Callable[..., tuple[WaitState, Next]]) -> None:
    """After a good poll, also one with an unknown status, faults are counted from the beginning."""
    state = NEW
    for now in range(10):
        state, _ = fault(ENDLESS, state, float(now))
    state, _ = step(ENDLESS, state, 10.0)
    assert (state.faults, state.first_fault) == (0, None)
    state, after = fault(ENDLESS, state, 11.0)
    assert (state.faults, state.first_fault, after) == (1, 11.0, Sleep(0.5))


@pytest.mark.parametrize(
    ("count", "elapsed", "lost"),
    [(20, 600.0, True), (19, 6000.0, False), (2000, 599.0, False), (20, 599.9, False), (21, 601.0, True)],
)
def test_the_budget_is_time_and_number(count: int, elapsed: float, lost: bool) -> None:
    """Polling is lost after at least 10 minutes and at least 20 faults in a row, not after either alone."""
    state = replace(NEW, faults=count - 1, first_fault=1000.0)
    _, step = fault(ENDLESS, state, 1000.0 + elapsed)
    assert (step == Stop("lost")) is lost


def test_the_budget_comes_before_the_deadline() -> None:
    """When the budget is spent and the time is up too, the loss is what is told."""
    state = replace(NEW, faults=30, first_fault=0.0)
    assert fault(WaitPolicy(700.0), state, 700.0)[1] == Stop("lost")


def test_a_fault_says_nothing_about_the_run() -> None:
    """A fault neither makes a run known nor forgets that it was."""
    assert fault(ENDLESS, NEW, 1.0)[0].known is False
    assert fault(ENDLESS, replace(NEW, known=True), 1.0)[0].known is True


# --- 404 -----------------------------------------------------------------------------------------------------------


def test_404_for_an_id_never_seen() -> None:
    """A 404 for an id that was never seen stops at once: it may be mistyped."""
    assert missing(ENDLESS, NEW, 0.0)[1] == Stop("missing")


def test_404_for_a_known_run() -> None:
    """A run that was there is asked for once more after 5 s, and the second 404 makes it gone."""
    state, _ = pending(ENDLESS, NEW, 0.0)
    state, step = missing(ENDLESS, state, 10.0)
    assert step == Sleep(5.0)
    assert missing(ENDLESS, state, 12.0)[1] == Sleep(3.0)
    assert missing(ENDLESS, state, 15.0)[1] == Stop("gone")


def test_a_run_that_was_read_again_begins_anew() -> None:
    """Only a 404 that is followed by another makes a run gone."""
    state, _ = missing(ENDLESS, pending(ENDLESS, NEW, 0.0)[0], 10.0)
    state, _ = pending(ENDLESS, state, 15.0)
    assert missing(ENDLESS, state, 25.0)[1] == Sleep(5.0)


@pytest.mark.parametrize(
    ("now", "expected"), [(0.0, Sleep(0.5)), (4.9, Sleep(0.5)), (5.0, Sleep(5.0)), (60.0, Sleep(5.0))]
)
def test_404_right_after_our_own_create(now: float, expected: Next) -> None:
    """A run that we created ourselves is asked for often in its first 5 s, to become readable."""
    state = WaitState(started=0.0, known=True, created=0.0)
    assert missing(ENDLESS, state, now)[1] == expected


def test_404_in_the_grace_time_is_bounded_by_the_deadline() -> None:
    """The grace after a create ends at the deadline."""
    state = WaitState(started=0.0, known=True, created=0.0)
    assert missing(WaitPolicy(2.0), state, 1.9)[1] == Stop("deadline")


# --- unknown status ------------------------------------------------------------------------------------------------


def test_an_unknown_status_is_polled_on() -> None:
    """An unknown status is waited for like a pending one."""
    assert unknown(ENDLESS, NEW, 25.0) == (replace(NEW, known=True, polls=1, first_unknown=25.0), Sleep(2.0))


def test_an_unknown_status_ends_without_a_deadline() -> None:
    """Without a deadline a wait for an unknown status ends after an hour of it, faults between or not."""
    state, step = unknown(ENDLESS, NEW, 100.0)
    state, _ = fault(ENDLESS, state, 200.0)
    state, step = unknown(ENDLESS, state, 100.0 + HOUR - 1)
    assert isinstance(step, Sleep)
    assert unknown(ENDLESS, state, 100.0 + HOUR)[1] == Stop("deadline")


def test_a_known_status_forgets_an_unknown_one() -> None:
    """A pending status in between starts that hour again."""
    state, _ = unknown(ENDLESS, NEW, 0.0)
    state, _ = pending(ENDLESS, state, HOUR - 1)
    state, _ = unknown(ENDLESS, state, HOUR)
    assert isinstance(unknown(ENDLESS, state, 2 * HOUR - 1)[1], Sleep)
    assert unknown(ENDLESS, state, 2 * HOUR)[1] == Stop("deadline")


# --- notices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "hint", "delay"),
    [(0, None, 60.0), (25, 3.0, 60.0), (2000, None, 160.0), (10_000, None, 300.0), (25, 99.0, 99.0), (25, 1e6, 300.0)],
)
def test_where_notices_are_expected_polls_are_rare(age: float, hint: float | None, delay: float) -> None:
    """Polls are the safety net for a notice that is lost: from a minute to five, and a hint only makes them rarer."""
    policy = policy_for(None, None, "8h", is_noticed=True)
    assert pending(policy, NEW, age, hint_seconds=hint)[1] == Sleep(delay)


def test_an_interval_beats_the_notices() -> None:
    """Who names an interval is polled for at that interval, notices or not."""
    assert pending(policy_for(None, 2500, None, is_noticed=True), NEW, 100.0)[1] == Sleep(2.5)


@pytest.mark.parametrize("is_noticed", [False, True])
def test_after_a_notice_polls_are_quick_again(is_noticed: bool) -> None:
    """A server that has not heard of the end when its notice came is asked again soon, as for a run just begun."""
    policy = policy_for(None, None, "8h", is_noticed=is_noticed)
    state = noticed(NEW, 5000.0)
    assert [pending(policy, state, 5000.0 + later)[1] for later in (0, 1, 25, 1000, 9000)] == [
        Sleep(0.5),
        Sleep(0.5),
        Sleep(2.0),
        Sleep(80.0),
        Sleep(300.0),
    ]


def test_a_fault_after_a_notice_is_a_fault() -> None:
    """A notice says that a poll is worth while; one that fails is made again like any other."""
    state = noticed(NEW, 1000.0)
    assert fault(policy_for(None, None, None, is_noticed=True), state, 1000.0)[1] == Sleep(0.5)


# --- any sequence of events ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """What happens to a wait: perhaps a notice, then the answer to a poll, with the jitter that is drawn for it."""

    step: Callable[..., tuple[WaitState, Next]]
    options: dict[str, float]
    jitter: float
    has_notice: bool = False

    def take(self, policy: WaitPolicy, state: WaitState, now: float) -> tuple[WaitState, Next]:
        """Where the wait stands after it, and what comes next."""
        if self.has_notice:
            state = noticed(state, now)
        if self.step is missing:
            return missing(policy, state, now)
        return self.step(policy, state, now, jitter=self.jitter, **self.options)


seconds_of_time = st.floats(0, 1e6)
jitters = st.floats(1 - _wait.JITTER, 1 + _wait.JITTER)
notices = st.sampled_from([False, False, False, True])
hints = st.fixed_dictionaries({}, optional={"hint_seconds": st.floats(-1, 1e6)})
answers = st.builds(Event, st.sampled_from([pending, unknown]), hints, jitters, notices)
faults = st.builds(
    Event, st.just(fault), st.fixed_dictionaries({}, optional={"retry_after": seconds_of_time}), jitters, notices
)
events = st.one_of(answers, faults, st.just(Event(missing, {}, 1.0)))
intervals = st.one_of(st.none(), st.floats(0, 1e5, exclude_min=True))
windows = st.sampled_from([None, "soonest", "2h", "8h"])
policies = st.builds(
    policy_for, st.one_of(st.just("auto"), st.floats(0, 1e5)), intervals, windows, is_noticed=st.booleans()
)
endless_policies = st.builds(policy_for, st.none(), intervals, windows, is_noticed=st.booleans())
histories = st.lists(st.tuples(events, seconds_of_time), max_size=25)
"""Events, and how long the poll after each took."""


def begun(started: float, known: bool) -> WaitState:
    """A wait that begins; for a run of our own if it is known."""
    return WaitState(started, known=known, created=started if known else None)


@settings(max_examples=200)
@given(policies, histories, seconds_of_time, st.booleans())
def test_no_sleep_passes_the_deadline(
    policy: WaitPolicy, history: list[tuple[Event, float]], started: float, known: bool
) -> None:
    """Whatever happened, a sleep is not negative and ends before the deadline, also if polls took very long."""
    assert policy.max_wait_seconds is not None
    state, now = begun(started, known), started
    for event, took in history:
        state, step = event.take(policy, state, now)
        if isinstance(step, Stop):
            return
        assert step.seconds >= 0
        assert now + step.seconds <= started + policy.max_wait_seconds
        now += step.seconds + took


@settings(max_examples=60)
@given(
    st.one_of(st.floats(0, 2000), st.none()),
    st.one_of(st.none(), st.floats(100, 1e5)),
    st.lists(events, min_size=1, max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_every_wait_ends(
    limit: float | None, interval_ms: float | None, cycle: list[Event], known: bool, is_noticed: bool
) -> None:
    """Any events, repeated for ever, end every wait with a deadline, and one without unless the run is pending.

    Polls take no time here, so the number of steps is bounded by the shortest sleep, and never by luck.
    """
    if limit is None and any(event.step is pending for event in cycle):
        return
    policy = policy_for(limit, interval_ms, None, is_noticed=is_noticed)
    state, now = begun(0.0, known), 0.0
    for place in range(40_000):
        state, step = cycle[place % len(cycle)].take(policy, state, now)
        if isinstance(step, Stop):
            return
        now += step.seconds
    pytest.fail(f"still waiting after {now:.0f} s")


@settings(max_examples=60)
@given(
    endless_policies.filter(lambda policy: policy.interval_seconds is None or policy.interval_seconds > 0.1),
    st.lists(faults, min_size=1, max_size=5),
    st.booleans(),
)
def test_faults_end_by_their_budget(policy: WaitPolicy, cycle: list[Event], known: bool) -> None:
    """Faults alone end every wait as lost: within the budget's time and number, and what one last delay adds."""
    state, now = begun(0.0, known), 0.0
    for place in range(10_000):
        state, step = cycle[place % len(cycle)].take(policy, state, now)
        if isinstance(step, Stop):
            break
        before, now = now, now + step.seconds
    assert step == Stop("lost")
    assert state.faults >= _wait.FAULT_BUDGET_COUNT
    assert now >= _wait.FAULT_BUDGET_SECONDS
    assert before < _wait.FAULT_BUDGET_SECONDS or state.faults == _wait.FAULT_BUDGET_COUNT


@given(policies, histories)
def test_a_delay_is_what_was_asked_for(policy: WaitPolicy, history: list[tuple[Event, float]]) -> None:
    """After a good poll: the interval, else the hint within its bounds, else within the cap and its jitter."""
    state, now = begun(0.0, True), 0.0
    endless = replace(policy, max_wait_seconds=None)
    for event, took in history:
        at_once, step = event.take(endless, state, now)
        state, cut = event.take(policy, state, now)
        assert at_once == state
        if isinstance(step, Stop) or event.step not in (pending, unknown):
            now += took
            continue
        delay, hint, longest = step.seconds, event.options.get("hint_seconds"), policy.cap_seconds
        if policy.interval_seconds is not None:
            assert delay == policy.interval_seconds
        elif policy.is_noticed and state.noticed_at is None:
            shortest, longest = _wait.SAFETY_NET_SECONDS
            assert shortest * event.jitter <= delay <= longest * event.jitter
        elif hint is not None:
            assert delay == min(max(hint, _wait.MIN_HINT_SECONDS), longest)
        else:
            assert _wait.FIRST_DELAY_SECONDS * event.jitter <= delay <= longest * event.jitter
        assert isinstance(cut, Stop) or cut.seconds <= delay  # the deadline makes a sleep shorter, never longer
        now += delay + took


@given(endless_policies, st.lists(seconds_of_time, min_size=2, max_size=10).map(sorted), jitters)
def test_the_delay_never_shrinks_with_age(policy: WaitPolicy, ages: list[float], jitter: float) -> None:
    """The older a run, the longer the delay, or as long."""
    delays = [seconds(pending(policy, NEW, age, jitter=jitter)[1]) for age in ages]
    assert delays == sorted(delays)


@given(endless_policies, st.integers(1, 60), jitters)
def test_the_delay_never_shrinks_from_fault_to_fault(policy: WaitPolicy, count: int, jitter: float) -> None:
    """The more faults in a row, the longer the delay, or as long, up to 5 s and its jitter."""
    delays = fault_delays(count, policy, jitter=jitter)
    assert delays == sorted(delays)
    assert delays[-1] <= _wait.MAX_FAULT_DELAY_SECONDS * (jitter if policy.interval_seconds is None else 1)


def pickled(policy: WaitPolicy, state: WaitState) -> tuple[WaitPolicy, WaitState]:
    """Both, stored and loaded again."""
    loaded: tuple[WaitPolicy, WaitState] = pickle.loads(pickle.dumps((policy, state)))
    return loaded


def as_json(policy: WaitPolicy, state: WaitState) -> tuple[WaitPolicy, WaitState]:
    """Both, stored and loaded again, by somebody who does not know Python."""
    text = json.dumps([asdict(policy), asdict(state)], allow_nan=False)
    fields_of_policy, fields_of_state = json.loads(text)
    return WaitPolicy(**fields_of_policy), WaitState(**fields_of_state)


@pytest.mark.parametrize("stored", [pickled, as_json])
@given(policy=st.one_of(policies, endless_policies), history=histories, known=st.booleans())
def test_a_wait_survives_being_stored(
    stored: Callable[[WaitPolicy, WaitState], tuple[WaitPolicy, WaitState]],
    policy: WaitPolicy,
    history: list[tuple[Event, float]],
    known: bool,
) -> None:
    """A wait that is stored and loaded again between any two steps goes on just the same."""
    kept, now = begun(0.0, known), 0.0
    travelled = kept
    for event, took in history:
        kept, step = event.take(policy, kept, now)
        policy_twin, travelled = stored(policy, travelled)
        travelled, step_twin = event.take(policy_twin, travelled, now)
        assert (policy_twin, travelled, step_twin) == (policy, kept, step)
        now += took


def test_a_step_survives_a_pickle() -> None:
    """What comes next can be stored as well."""
    assert pickle.loads(pickle.dumps((Sleep(1.0), Stop("lost")))) == (Sleep(1.0), Stop("lost"))


@given(st.lists(events, max_size=30), intervals, st.booleans())
def test_no_sleep_is_shorter_than_a_millisecond(
    history: list[Event], interval_ms: float | None, is_noticed: bool
) -> None:
    """Nothing makes a wait spin: without a deadline no sleep is shorter than a millisecond."""
    policy, state = policy_for(None, interval_ms, None, is_noticed=is_noticed), begun(0.0, True)
    for now, event in enumerate(history):
        state, step = event.take(policy, state, float(now))
        assert not isinstance(step, Sleep) or step.seconds >= 0.001
