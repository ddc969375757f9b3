"""What becomes of many runs whose wait is interrupted: with "cancel" each is asked to stop, a few at a time.

The interrupt stays the exception it was, as for one run (`_leaving`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from .._operations import interrupts as _leaving
from .._operations.effects import Cancel
from .._operations.interrupts import note, tell
from .._outcome.classify import classify
from .._sdk import event_loop as _async_backend
from .driver import AsyncDriver, Driver

AT_ONCE = 8


class _Stops:
    """The runs that are to be asked, and what their answers say."""

    def __init__(self, response_ids: Iterable[str]) -> None:
        self._to_ask = deque(dict.fromkeys(response_ids))
        self._number = len(self._to_ask)
        self._cancelled: list[str] = []

    @property
    def workers(self) -> range:
        """One for each that asks at the same time."""
        return range(min(AT_ONCE, self._number))

    def next(self) -> Cancel | None:
        """The next request, which is not made again; None if there is none."""
        with suppress(IndexError):
            return Cancel(self._to_ask.popleft(), max_retries=0)
        return None

    def answered(self, cancel: Cancel, response: object) -> None:
        """What one request brought."""
        if classify(response).status == "cancelled":
            self._cancelled.append(cancel.response_id)

    def end(self, interrupt: BaseException) -> None:
        """Nobody asks any more; the interrupt says what came of it."""
        self._to_ask.clear()
        if not self._number:
            return
        cancelled = tuple(self._cancelled)
        tell(interrupt, "runs_cancelled", cancelled)
        tell(interrupt, "run_cancelled", len(cancelled) == self._number)
        note(
            interrupt,
            f"{self._number} runs were to stop, and {len(cancelled)} are cancelled now (`.runs_cancelled`); "
            "the others may be going still: poll their tokens (`.run_tokens`).",
        )


def stop_many(driver: Driver, response_ids: Iterable[str], interrupt: BaseException) -> None:
    """Have the server asked to stop these runs, for 10 seconds at most; another Ctrl-C gives up."""
    stops = _Stops(response_ids)

    def work() -> None:
        while (cancel := stops.next()) is not None:
            with suppress(Exception):  # the others are asked, too
                stops.answered(cancel, driver.carry_out(cancel))

    threads = [threading.Thread(target=work, name="runoutcome stop", daemon=True) for _ in stops.workers]
    end = time.monotonic() + _leaving.CANCEL_SECONDS
    with suppress(BaseException):  # what interrupted first is what leaves
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    stops.end(interrupt)


async def stop_many_async(driver: AsyncDriver, response_ids: Iterable[str], interrupt: BaseException) -> None:
    """The async twin of `stop_many`; scopes that go on cancelling do not get in."""
    stops = _Stops(response_ids)

    async def work() -> None:
        while (cancel := stops.next()) is not None:
            with suppress(Exception):
                stops.answered(cancel, await driver.carry_out(cancel))

    with suppress(BaseException), _async_backend.move_on_after(_leaving.CANCEL_SECONDS, shield=True):
        async with _async_backend.create_task_group() as group:
            for _ in stops.workers:
                group.start_soon(work)
    stops.end(interrupt)
