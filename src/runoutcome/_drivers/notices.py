"""Wakes one wait when a notice of its run arrives. It listens from the first poll on, so no notice falls in between."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .._operations.effects import Clock, Notices
from .._sdk import event_loop
from .clock import wait_for


class _NoticeListenerBase:
    """The part that both colours share."""

    def __init__(self, clock: Clock, notices: Notices | None) -> None:
        self._clock = clock
        self._notices = notices
        self._response_id: str | None = None
        self._stop: Callable[[], None] | None = None

    def listen(self, response_id: str) -> None:
        """Remember from now on whether a notice of this run arrives. It replaces the run of before."""
        if self._notices is not None and response_id != self._response_id:
            self.close()
            self._stop = self._notices.listen(response_id, self._make_event())
            self._response_id = response_id

    def _make_event(self) -> Callable[[], None]:
        """Make a new event; return a function that sets it, from any thread."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening."""
        stop, self._stop, self._response_id = self._stop, None, None
        if stop is not None:
            stop()


class NoticeListener(_NoticeListenerBase):
    """Listens for a wait in a thread."""

    _notice: threading.Event

    def _make_event(self) -> Callable[[], None]:
        self._notice = threading.Event()
        return self._notice.set

    def sleep(self, seconds: float, response_id: str | None) -> bool:
        """Sleep, and return whether a notice of the run ended that or came before. Without a run nothing ends it."""
        if response_id is None or self._notices is None:
            self._clock.sleep(seconds)
            return False
        self.listen(response_id)
        if has_come := wait_for(self._notice, seconds):
            self._notice.clear()
        return has_come


class AsyncNoticeListener(_NoticeListenerBase):
    """Listens for a wait in a task; the async twin of `NoticeListener`."""

    _notice: event_loop.Event

    def _make_event(self) -> Callable[[], None]:
        self._notice = event_loop.Event()
        return event_loop.from_any_thread(lambda: self._notice.set())

    async def sleep(self, seconds: float, response_id: str | None) -> bool:
        """Sleep, and return whether a notice of the run ended that or came before. Without a run nothing ends it."""
        if response_id is None or self._notices is None:
            await self._clock.sleep(seconds)
            return False
        self.listen(response_id)
        if has_come := await event_loop.wait_for(self._notice, seconds):
            self._notice = event_loop.Event()  # those of anyio cannot be cleared
        return has_come
