"""How many requests are in flight, and how fast they start: the decision alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from runoutcome._waiting.pace import BURST_SECONDS, Pace

rates = st.floats(0.5, 1000)


@pytest.mark.parametrize(("limit", "rate"), [(0, None), (-1, None), (1, 0.0), (1, -2.0), (1, math.inf), (1, math.nan)])
def test_limits_that_let_nothing_through_are_refused(limit: int, rate: float | None) -> None:
    """A limit of none, or a rate that is no rate, is an error at once and not a wait for ever."""
    with pytest.raises(ValueError, match="got"):
        Pace(limit, rate)


def test_at_the_limit_somebody_must_leave() -> None:
    """No number of seconds helps while as many requests as may be are in flight."""
    pace = Pace(2)
    assert [pace.enter(number, 0.0) for number in range(3)] == [0.0, 0.0, math.inf]
    pace.leave(0)
    assert pace.enter(2, 0.0) == 0.0


def test_a_request_leaves_once() -> None:
    """Leaving again frees nothing, and so does a request that never entered."""
    pace = Pace(2)
    for number in (1, 2):
        pace.enter(number, 0.0)
    for number in (1, 1, 3):
        pace.leave(number)
    assert pace.in_flight == {2}


@given(rates, st.lists(st.floats(0, 0.2), min_size=1, max_size=200))
def test_no_rate_is_exceeded(rate: float, gaps: list[float]) -> None:
    """In no stretch of time do more requests start than the rate allows, a small burst aside."""
    pace, now, starts = Pace(10**6, rate), 0.0, []
    for gap in gaps:
        now += gap
        delay = pace.enter(object(), now)
        if delay == 0:
            starts.append(now)
        else:
            assert 0 < delay <= 1 / rate + 1e-9
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            allowed = (starts[last] - starts[first] + BURST_SECONDS) * rate + 1
            assert last - first + 1 <= allowed + 1e-6


@given(rates)
def test_a_request_that_waits_as_long_as_it_was_told_may_start(rate: float) -> None:
    """The delay is enough."""
    pace, now = Pace(10**6, rate), 5.0
    for number in range(100):
        while (delay := pace.enter(number, now)) > 0:
            now = math.nextafter(now + delay, math.inf)
    assert now <= 5.0 + 100 / rate + 1e-6


def test_a_hold_stops_every_request_for_its_time() -> None:
    """Where the server asks to slow down, nothing starts before that; a shorter hold does not shorten it."""
    pace = Pace(5)
    pace.hold(10.0)
    pace.hold(4.0)
    assert pace.enter("a", 7.0) == 3.0
    assert pace.enter("a", 10.0) == 0.0
