"""Cancels many runs whose wait is interrupted, if the caller asked for that: a few at a time, each once.

The interrupt stays the exception it was, as for one run (`_operations/interrupts`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from .._operations import interrupts
from .._operations.effects import Cancel
from .._operations.events import Events
from .._outcome.classify import classify
from .._sdk import event_loop
from .._waiting.resume_token import ResumeToken
from .driver import AsyncDriver, Driver

MAX_CANCELS_IN_FLIGHT = 8


class _Cancels:
    """The cancel requests that are to be sent, and the runs that they cancelled."""

    def __init__(self, response_ids: Iterable[str], events: Events) -> None:
        self._left = deque(dict.fromkeys(response_ids))
        self._total, self._events = len(self._left), events
        self._cancelled: list[str] = []
        self.workers = range(min(MAX_CANCELS_IN_FLIGHT, self._total))

    def next(self) -> Cancel | None:
        """Return the next request; None if there is no more."""
        with suppress(IndexError):
            return Cancel(self._left.popleft(), max_retries=0)
        return None

    def take_answer(self, cancel: Cancel, response: object) -> None:
        """Note the state of the run after its request."""
        status = classify(response).status
        self._events.tell("cancelled", ResumeToken(cancel.response_id), status=status)
        if status == "cancelled":
            self._cancelled.append(cancel.response_id)

    def end(self, interrupt: BaseException) -> None:
        """Send no more; note on the interrupt which runs are cancelled."""
        self._left.clear()
        if not self._total:
            return
        cancelled = tuple(self._cancelled)
        interrupts.tell(interrupt, "runs_cancelled", cancelled)
        interrupts.tell(interrupt, "run_cancelled", len(cancelled) == self._total)
        interrupts.note(
            interrupt,
            f"{self._total} runs were to stop, and {len(cancelled)} are cancelled now (`.runs_cancelled`); "
            "the others may be going still: poll their tokens (`.run_tokens`).",
        )


def cancel_many(driver: Driver, response_ids: Iterable[str], interrupt: BaseException) -> None:
    """Ask the server to cancel these runs, for 10 seconds at most; another Ctrl-C gives up. Raises nothing."""
    cancels = _Cancels(response_ids, driver.events)

    def work() -> None:
        while (cancel := cancels.next()) is not None:
            with suppress(Exception):  # the next run is asked for in any case
                cancels.take_answer(cancel, driver.carry_out(cancel))

    threads = [threading.Thread(target=work, name="runoutcome cancel", daemon=True) for _ in cancels.workers]
    end = time.monotonic() + interrupts.CANCEL_SECONDS
    with suppress(BaseException):  # the first interrupt is the one that is raised
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    cancels.end(interrupt)


async def cancel_many_async(driver: AsyncDriver, response_ids: Iterable[str], interrupt: BaseException) -> None:
    """The async twin of `cancel_many`; a scope that is cancelled around it does not end it."""
    cancels = _Cancels(response_ids, driver.events)

    async def work() -> None:
        while (cancel := cancels.next()) is not None:
            with suppress(Exception):
                cancels.take_answer(cancel, await driver.carry_out(cancel))

    with suppress(BaseException), event_loop.move_on_after(interrupts.CANCEL_SECONDS, shield=True):
        async with event_loop.create_task_group() as group:
            for _ in cancels.workers:
                group.start_soon(work)
    cancels.end(interrupt)
