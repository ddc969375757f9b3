"""Requests that wait for a slot: in which order, for how long, and that no interrupt keeps one."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from colours import COLOURS, Colour
from interrupts import Interrupt, interrupt_everywhere
from runoutcome._drivers import driver as _driver, limiter as _limiter
from runoutcome._drivers.clock import AsyncSystemClock, SystemClock
from runoutcome._drivers.driver import Driver
from runoutcome._drivers.limiter import AsyncLimiter, Limiter
from runoutcome._operations.effects import Admit, Poll, Steps
from runoutcome._waiting import pace as _pace
from runoutcome._waiting.pace import Pace


def new_limiter(limit: int, **options: Any) -> Limiter:
    """A limiter for threads."""
    return Limiter(Pace(limit, **options), SystemClock())


def new_async_limiter(limit: int, **options: Any) -> AsyncLimiter:
    """A limiter for tasks."""
    return AsyncLimiter(Pace(limit, **options), AsyncSystemClock())


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
        limiter = new_async_limiter(limit, **options)

        async def visit(number: int) -> None:
            slot = limiter.slot()
            with slot:
                await limiter.enter(slot)
                enter(number)
                await asyncio.sleep(0)
                leave()

        await asyncio.gather(*(visit(number) for number in range(visitors)))

    if colour == "async":
        asyncio.run(go_async())
        return order, most

    limiter, guard = new_limiter(limit, **options), threading.Lock()

    def visit(number: int) -> None:
        slot = limiter.slot()
        with slot:
            limiter.enter(slot)
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
def test_every_request_gets_its_slot(colour: Colour, options: dict[str, Any]) -> None:
    """With three slots for forty, never more than three are in flight, and none is forgotten."""
    order, most = passage(colour, 3, 40, **options)
    assert sorted(order) == list(range(40))
    assert most <= 3


def test_tasks_get_through_in_the_order_they_came() -> None:
    """First come, first served."""
    order, _ = passage("async", 1, 20)
    assert order == list(range(20))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_wait_for_a_slot_ends_in_time(colour: Colour) -> None:
    """A request that has no time left gets a TimeoutError, and leaves the queue to the others."""

    async def go() -> None:
        limiter: Any = new_limiter(1) if colour == "sync" else new_async_limiter(1)

        async def enter(slot: Any, seconds: float | None = None) -> None:
            entering = limiter.enter(slot, seconds)
            if colour == "async":
                await entering

        first, late, second = (limiter.slot() for _ in range(3))
        with first:
            await enter(first)
            with pytest.raises(TimeoutError), late:
                await enter(late, 0.01)
        with second:
            await enter(second, 0.0)
            assert limiter.pace.in_flight == {second}

    asyncio.run(go())


def test_a_task_that_is_cancelled_leaves_the_queue() -> None:
    """The next one is not held up."""

    async def go() -> None:
        limiter = new_async_limiter(1)

        async def enter() -> None:
            slot = limiter.slot()
            with slot:
                await limiter.enter(slot)

        taken = limiter.slot()
        await limiter.enter(taken)
        first, second = (asyncio.ensure_future(enter()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        limiter.leave(taken)
        await second
        assert (first.cancelled(), limiter.pace.in_flight) == (True, set())

    asyncio.run(go())


# Interrupts


INTERRUPTED = (_limiter, _driver, _pace)
"""The modules in which Ctrl-C comes, one time after the other, wherever Python looks for it."""


def polling(driver: Driver) -> None:
    """One wait with a create and two polls."""

    def steps() -> Steps[None]:
        with (yield Admit()):
            yield Poll("resp_1", None)
        yield Poll("resp_1", None)

    driver.run(steps())


def new_driver() -> Driver:
    """A driver whose polls are answered at once, with one slot of each kind."""
    answer: Any = lambda response_id, timeout_seconds: None  # noqa: E731 - a name for an answer
    client: Any = None
    return Driver(client, SystemClock(), answer, new_limiter(1), new_limiter(1))


def test_no_interrupt_keeps_a_slot() -> None:
    """Wherever Ctrl-C comes in a wait, both slots are free after it and the next wait has them."""

    def check(driver: Driver, interrupt: Interrupt | None) -> None:
        assert (driver.polls.pace.in_flight, driver.submits.pace.in_flight) == (set(), set())
        polling(driver)

    assert interrupt_everywhere(INTERRUPTED, new_driver, polling, check) > 50


class LeavingClock(SystemClock):
    """A clock that has a slot of its limiter left when it is read the second time, in the middle of a wait."""

    def __init__(self) -> None:
        self.limiter = Limiter(Pace(1), self)
        self.taken = self.limiter.slot()
        self.limiter.pace.in_flight.add(self.taken)
        self.reads = 0

    def monotonic(self) -> float:
        """Leave, perhaps."""
        self.reads += 1
        if self.reads == 2:
            self.limiter.leave(self.taken)
        return 0.0


def test_no_interrupt_of_a_request_that_waits_holds_up_the_next() -> None:
    """Wherever Ctrl-C comes while a request waits for a slot, nothing waits or is in flight after it."""

    def wait(clock: LeavingClock) -> None:
        slot = clock.limiter.slot()
        with slot, slot:
            clock.limiter.enter(slot)

    def check(clock: LeavingClock, interrupt: Interrupt | None) -> None:
        clock.limiter.leave(clock.taken)
        assert (clock.limiter.pace.in_flight, clock.limiter._turns) == (set(), {})

    assert interrupt_everywhere(INTERRUPTED, LeavingClock, wait, check) > 20
