"""Ends a read of a socket that takes too long, which a read timeout cannot: every byte begins it anew."""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import suppress


class Watchdog:
    """Watches reads of one socket, from a thread of its own that sleeps most of the time; of None it watches nothing.

    The socket is shut down, not closed, so that the read ends wherever it is.
    """

    def __init__(self, watched: socket.socket | None) -> None:
        self.has_bitten = False
        """It has shut the socket down."""
        self._socket = watched
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._due = self._wakes_at = math.inf
        self._is_stopped = False

    def watch(self, seconds: float) -> None:
        """A read begins: shut the socket down unless `rest` is called in time."""
        if self._socket is None:
            return
        with self._changed:
            self._due = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="runoutcome stream", daemon=True)
                with suppress(RuntimeError):  # no more threads, or the interpreter is about to exit
                    self._thread.start()
            elif self._due < self._wakes_at:
                self._changed.notify()

    def rest(self) -> None:
        """The read has ended."""
        with self._changed:  # nobody is woken: the thread looks again when the time of this read is up
            self._due = math.inf

    def stop(self) -> None:
        """Never touch the socket again: it may be somebody else's soon."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._is_stopped:
                left = self._due - time.monotonic()
                if left <= 0:
                    self._bite()
                    return
                self._wakes_at = self._due
                self._changed.wait(min(left, threading.TIMEOUT_MAX))

    def _bite(self) -> None:
        self.has_bitten = True
        if self._socket is not None:
            with suppress(OSError):
                # As that of a plain socket: a socket of TLS would first forget what it is reading.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
