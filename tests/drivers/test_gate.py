"""How many requests are in flight, and how fast they start: the decision, and who waits for it in which order."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import pytest
from hypothesis import given, strategies as st

from colours import COLOURS, Colour
from runoutcome._drivers.clock import AsyncSystemClock, SystemClock
from runoutcome._drivers.limiter import BURST_SECONDS, AsyncGate, Gate, Pace

rates = st.floats(0.5, 1000)


@pytest.mark.parametrize(("limit", "rate"), [(0, None), (-1, None), (1, 0.0), (1, -2.0), (1, math.inf), (1, math.nan)])
def test_limits_that_let_nothing_through_are_refused(limit: int, rate: float | None) -> None:
    """A limit of none, or a rate that is no rate, is an error at once and not a wait for ever."""
    with pytest.raises(ValueError, match="got"):
        Pace(limit, rate)


def test_a_full_gate_says_that_somebody_must_leave() -> None:
    """No number of seconds helps where all places are taken."""
    pace = Pace(2)
    assert [pace.enter(0.0) for _ in range(3)] == [0.0, 0.0, math.inf]
    pace.leave()
    assert pace.enter(0.0) == 0.0


@given(rates, st.lists(st.floats(0, 0.2), min_size=1, max_size=200))
def test_no_rate_is_exceeded(rate: float, gaps: list[float]) -> None:
    """In no stretch of time do more requests start than the rate allows, a small burst aside."""
    pace, now, starts = Pace(10**6, rate), 0.0, []
    for gap in gaps:
        now += gap
        delay = pace.enter(now)
        if delay == 0:
            starts.append(now)
        else:
            assert 0 < delay <= 1 / rate + 1e-9
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            allowed = (starts[last] - starts[first] + BURST_SECONDS) * rate + 1
            assert last - first + 1 <= allowed + 1e-6


@given(rates)
def test_what_is_asked_for_again_in_time_gets_through(rate: float) -> None:
    """Whoever waits as long as he was told is let in."""
    pace, now = Pace(10**6, rate), 5.0
    for _ in range(100):
        while (delay := pace.enter(now)) > 0:
            now = math.nextafter(now + delay, math.inf)
    assert now <= 5.0 + 100 / rate + 1e-6


def test_a_hold_stops_everybody_for_its_time() -> None:
    """Where the server asks to slow down, nobody starts before that; a shorter hold does not shorten it."""
    pace = Pace(5)
    pace.hold(10.0)
    pace.hold(4.0)
    assert pace.enter(7.0) == 3.0
    assert pace.enter(10.0) == 0.0


def passage(colour: Colour, limit: int, visitors: int, **options: Any) -> tuple[list[int], int]:
    """The order in which visitors got through, and how many were inside at most."""
    order: list[int] = []
    inside = most = 0

    def enter(number: int) -> None:
        nonlocal inside, most
        inside, most = inside + 1, max(most, inside + 1)
        order.append(number)

    def leave() -> None:
        nonlocal inside
        inside -= 1

    async def go_async() -> None:
        gate = AsyncGate(Pace(limit, **options), AsyncSystemClock())

        async def visit(number: int) -> None:
            with await gate.enter():
                enter(number)
                await asyncio.sleep(0)
                leave()

        await asyncio.gather(*(visit(number) for number in range(visitors)))

    if colour == "async":
        asyncio.run(go_async())
        return order, most

    gate, guard = Gate(Pace(limit, **options), SystemClock()), threading.Lock()

    def visit(number: int) -> None:
        with gate.enter():
            with guard:
                enter(number)
            with guard:
                leave()

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return order, most


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("options", [{}, {"per_second": 2000.0}])
def test_everybody_gets_through_a_narrow_gate(colour: Colour, options: dict[str, Any]) -> None:
    """With three places for forty, never more than three are inside, and nobody is forgotten."""
    order, most = passage(colour, 3, 40, **options)
    assert sorted(order) == list(range(40))
    assert most <= 3


def test_tasks_get_through_in_the_order_they_came() -> None:
    """First come, first served."""
    order, _ = passage("async", 1, 20)
    assert order == list(range(20))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_wait_for_a_place_ends_in_time(colour: Colour) -> None:
    """Who has no time left gets a TimeoutError, and leaves the queue to the others."""
    if colour == "sync":
        gate = Gate(Pace(1), SystemClock())
        gate.enter()
        with pytest.raises(TimeoutError):
            gate.enter(0.01)
        gate.leave()
        with gate.enter(0.0):
            assert gate.pace.in_flight == 1
        return

    async def go() -> None:
        gate = AsyncGate(Pace(1), AsyncSystemClock())
        await gate.enter()
        with pytest.raises(TimeoutError):
            await gate.enter(0.01)
        gate.leave()
        with await gate.enter(0.0):
            assert gate.pace.in_flight == 1

    asyncio.run(go())


def test_a_task_that_is_cancelled_leaves_the_queue() -> None:
    """Whoever comes after it is not held up."""

    async def go() -> None:
        gate = AsyncGate(Pace(1), AsyncSystemClock())
        await gate.enter()
        first, second = (asyncio.ensure_future(gate.enter()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        gate.leave()
        await second
        assert (first.cancelled(), gate.pace.in_flight) == (True, 1)

    asyncio.run(go())
