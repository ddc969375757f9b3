"""What a wait hears of its run, from its first poll to its end: no notice falls between two pauses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .._operations.effects import Clock, Notices
from .._sdk import event_loop as _async_backend
from .clock import wait_for


class _EarBase:
    """What both colours share."""

    def __init__(self, clock: Clock, notices: Notices | None) -> None:
        self._clock = clock
        self._notices = notices
        self._response_id: str | None = None
        self._stop: Callable[[], None] | None = None

    def listen(self, response_id: str) -> None:
        """Remember from now on whether a notice of this run has come; of one run at a time."""
        if self._notices is not None and response_id != self._response_id:
            self.close()
            self._stop = self._notices.listen(response_id, self._begin())
            self._response_id = response_id

    def _begin(self) -> Callable[[], None]:
        """Nothing has come so far; gives what is to be called, from any thread, when something does."""
        raise NotImplementedError

    def close(self) -> None:
        """Listen no more."""
        stop, self._stop, self._response_id = self._stop, None, None
        if stop is not None:
            stop()


class Ear(_EarBase):
    """Listens for one wait, with a thread."""

    _came: threading.Event

    def _begin(self) -> Callable[[], None]:
        self._came = threading.Event()
        return self._came.set

    def sleep(self, seconds: float, response_id: str | None) -> bool:
        """Whether a notice of the run came, before or within these seconds, which ends them; of None comes none."""
        if response_id is None or self._notices is None:
            self._clock.sleep(seconds)
            return False
        self.listen(response_id)
        if has_come := wait_for(self._came, seconds):
            self._came.clear()
        return has_come


class AsyncEar(_EarBase):
    """The async twin of `Ear`."""

    _came: _async_backend.Event

    def _begin(self) -> Callable[[], None]:
        self._came = _async_backend.Event()
        return _async_backend.from_any_thread(self._note)

    async def sleep(self, seconds: float, response_id: str | None) -> bool:
        """Whether a notice of the run came, before or within these seconds, which ends them; of None comes none."""
        if response_id is None or self._notices is None:
            await self._clock.sleep(seconds)
            return False
        self.listen(response_id)
        if has_come := await _async_backend.wait_for(self._came, seconds):
            self._came = _async_backend.Event()  # anyio's cannot be cleared
        return has_come

    def _note(self) -> Any:
        self._came.set()
