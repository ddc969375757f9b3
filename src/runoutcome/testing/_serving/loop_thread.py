"""`LoopThread`: the thread of an emulator, in which every request is answered."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress


class LoopThread:
    """An event loop in a thread of its own. It starts for the first holder and ends with the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: set[object] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._over = asyncio.Event()

    def hold(self, holder: object) -> asyncio.AbstractEventLoop:
        """The running loop, until `holder` releases it."""
        with self._lock:
            if self._loop is None:
                self._loop = self._start()
            self._holders.add(holder)
            return self._loop

    def release(self, *holders: object) -> None:
        """Release the loop; the last release ends its tasks and waits for the end of the thread."""
        with self._lock:
            loop = self._loop
            if loop is None or self._holders.isdisjoint(holders):
                return
        left: Future[threading.Thread | None] = Future()
        loop.call_soon_threadsafe(lambda: left.set_result(self._leave(*holders)))
        if thread := left.result():
            thread.join()

    def end(self) -> None:
        """Release all holders. The loop can be held again."""
        with self._lock:
            holders = tuple(self._holders)
        self.release(*holders)

    def forget(self, holder: object) -> None:
        """Release without waiting and without a lock: for finalizers, which may run in any thread at any moment."""
        if loop := self._loop:
            with suppress(RuntimeError):  # it has just been closed
                loop.call_soon_threadsafe(self._leave, holder)

    def _start(self) -> asyncio.AbstractEventLoop:
        started: Future[asyncio.AbstractEventLoop] = Future()
        self._over = asyncio.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(_live(started, self._over)), name="runoutcome-emulator", daemon=True
        )
        self._thread.start()
        return started.result()

    def _leave(self, *holders: object) -> threading.Thread | None:
        # Only called in the loop's own thread.
        with self._lock:
            self._holders.difference_update(holders)
            if self._holders:
                return None
            thread, self._thread, self._loop = self._thread, None, None
        self._over.set()
        return thread


async def _live(started: Future[asyncio.AbstractEventLoop], over: asyncio.Event) -> None:
    started.set_result(asyncio.get_running_loop())
    await over.wait()
