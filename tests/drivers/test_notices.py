"""What a wait hears of its run."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from colours import COLOURS, Colour
from runoutcome._drivers import clock as _clock
from runoutcome._drivers.clock import AsyncSystemClock, SystemClock
from runoutcome._drivers.notices import AsyncNoticeListener, NoticeListener

both = pytest.mark.parametrize("colour", COLOURS)
SOON, LONG = 0.001, 600.0


class Bell:
    """Notices that a test rings."""

    def __init__(self) -> None:
        self.wakes: dict[str, Callable[[], None]] = {}
        self.log: list[str] = []

    def listen(self, response_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Part of the interface of notices."""
        self.wakes[response_id] = wake
        self.log.append(f"listen {response_id}")

        def stop() -> None:
            del self.wakes[response_id]
            self.log.append(f"stop {response_id}")

        return stop


def hear(colour: Colour, bell: Bell | None, *acts: Any) -> list[bool]:
    """What the sleeps gave; an act is the arguments of a sleep, the id of a run to listen to, or something to do."""

    async def go() -> list[bool]:
        listener: Any = (
            NoticeListener(SystemClock(), bell) if colour == "sync" else AsyncNoticeListener(AsyncSystemClock(), bell)
        )
        slept = []
        for act in acts:
            if isinstance(act, tuple):
                result = listener.sleep(*act)
                slept.append(result if colour == "sync" else await result)
            elif isinstance(act, str):
                listener.listen(act)
            else:
                act()
                await asyncio.sleep(0)  # a loop is told by its next turn
        listener.close()
        listener.close()
        return slept

    return asyncio.run(go())


@both
def test_without_notices_it_only_sleeps(colour: Colour) -> None:
    """There is nothing to hlistener."""
    assert hear(colour, None, "resp_1", (SOON, "resp_1"), (SOON, None)) == [False, False]


@both
def test_it_listens_once_and_stops_at_the_end(colour: Colour) -> None:
    """From the first poll or sleep on, over all of them."""
    bell = Bell()
    assert hear(colour, bell, "resp_1", (SOON, "resp_1"), "resp_1", (SOON, "resp_1")) == [False, False]
    assert bell.log == ["listen resp_1", "stop resp_1"]


@both
def test_a_notice_between_two_sleeps_ends_the_next_one_only(colour: Colour) -> None:
    """Each notice ends one sleep; two that came together end one."""
    bell = Bell()
    ring = lambda: [bell.wakes["resp_1"](), bell.wakes["resp_1"]()]  # noqa: E731 - a name for an act
    assert hear(colour, bell, "resp_1", ring, (LONG, "resp_1"), (SOON, "resp_1")) == [True, False]


@both
def test_a_sleep_that_nothing_may_end_leaves_the_notice_to_the_next(colour: Colour) -> None:
    """What the server asked for is slept in full, and the notice is not lost."""
    bell = Bell()
    assert hear(colour, bell, "resp_1", lambda: bell.wakes["resp_1"](), (SOON, None), (LONG, "resp_1")) == [False, True]


@both
def test_another_run_is_listened_to_in_place_of_the_first(colour: Colour) -> None:
    """A run that is made again has notices of its own."""
    bell = Bell()
    assert hear(colour, bell, "resp_1", "resp_2", lambda: bell.wakes["resp_2"](), (LONG, "resp_2")) == [True]
    assert bell.log == ["listen resp_1", "stop resp_1", "listen resp_2", "stop resp_2"]


def test_a_wait_in_slices_ends_with_its_event_or_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a wait has to be looked up from, for Ctrl-C, it is as long as without that."""
    monkeypatch.setattr(_clock, "LONGEST_SLEEP_SECONDS", 0.001)
    event = threading.Event()
    started = time.monotonic()
    assert not _clock.wait_for(event, 0.02)
    assert time.monotonic() - started >= 0.02
    assert not _clock.wait_for(event, -1.0)
    threading.Timer(0.02, event.set).start()
    assert _clock.wait_for(event, math.inf)
