"""Calls with a deadline, on daemon threads.

A blocking call cannot be ended from outside. So a worker makes it, and the caller returns when the time is up;
what the call brings after that is dropped.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

_T = TypeVar("_T")
Work = Callable[[], Callable[[], object]]
"""A function that a thread calls; it returns what the thread calls when it is free again."""
LINGER_SECONDS = 5.0
"""How long a thread that has nothing to do stays for more."""
_SLICE_SECONDS = 1.0
"""On Windows Ctrl-C does not end the wait for a lock, but is seen after it."""


class Workers:
    """Threads that are started when needed, and end by themselves. They keep no interpreter from exiting."""

    def __init__(self, name: str = "runoutcome poll") -> None:
        self._name = name
        self._idle: list[SimpleQueue[Work]] = []
        """The inboxes of those that have nothing to do."""
        self._process = os.getpid()

    def call(self, function: Callable[[], _T], timeout_seconds: float | None) -> _T:
        """The result of `function()`, called in the caller's context; without a deadline in the caller's thread.

        Raises what the function raises, and TimeoutError.
        """
        if timeout_seconds is None:
            return function()
        if timeout_seconds <= 0:
            raise TimeoutError("no time was left")
        deadline = time.monotonic() + timeout_seconds
        call = _Call(function)
        try:
            self.start(call.make)
        except RuntimeError:  # no more threads, or the interpreter is about to exit
            return function()
        left = timeout_seconds
        while not call.done.acquire(timeout=min(left, _SLICE_SECONDS)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the call had not ended after {timeout_seconds:.3g} s")
        result: _T = call.outcome()
        return result

    def start(self, work: Work) -> None:
        """Begin `work`, which raises nothing, on a thread of its own. Raises RuntimeError if there can be no more."""
        if self._process != os.getpid():  # a fork copies no threads
            self._idle, self._process = [], os.getpid()
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = SimpleQueue()
            threading.Thread(target=self._work, args=(inbox, self._idle), name=self._name, daemon=True).start()
        inbox.put(work)

    @staticmethod
    def _work(inbox: SimpleQueue[Work], idle: list[SimpleQueue[Work]]) -> None:
        while True:
            try:
                work = inbox.get(timeout=LINGER_SECONDS)
            except Empty:
                try:
                    idle.remove(inbox)
                except ValueError:  # taken at this very moment: work is about to come
                    work = inbox.get()
                else:
                    return
            tell_end = work()
            idle.append(inbox)  # first: what is begun for it then has this thread
            tell_end()
            del work, tell_end


class _Call:
    """One call, and what it brought."""

    __slots__ = ("_context", "_error", "_function", "_result", "done")

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._context = copy_context()
        self._result: Any = None
        self._error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def make(self) -> Callable[[], object]:
        try:
            self._result = self._context.run(self._function)
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._error = error
        return self.done.release

    def outcome(self) -> Any:
        if self._error is None:
            return self._result
        try:
            raise self._error
        finally:
            self._error = None  # else the error and this frame would keep each other alive
