"""The thread that owns the journal's connection: it commits in groups, and says when each change is on disk.

While one group is being synced, the next one gathers; so thousands of writers share a few syncs. A group is one
transaction: all its changes, then the result lines, which are synced, then the commit. If that fails, each change is
tried by itself, so that a result that finds no room on a full disk does not take the id of a paid run with it.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import os_error
from .results_file import ResultLine, ResultsFile

MAX_GROUP = 1000

Change = Callable[[sqlite3.Connection], None]


class Commit:
    """A change on its way to the disk. Wait for it with `await` or with `result()`; it is written in any case.

    Both raise OSError if it could not be written.
    """

    def __init__(self) -> None:
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()  # from here on it cannot be cancelled

    def result(self) -> None:
        """Wait in a thread."""
        self.future.result()

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.wrap_future(self.future).__await__()


@dataclass(frozen=True)
class _Write:
    change: Change
    lines: Sequence[ResultLine]
    output: ResultsFile | None
    after: Callable[[], None]
    commit: Commit = field(default_factory=Commit)


class Writer:
    """Writes a journal from a thread of its own, in the order of the calls."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="runoutcome-journal", daemon=True)
        self._thread.start()

    def write(
        self,
        change: Change,
        *,
        lines: Sequence[ResultLine] = (),
        output: ResultsFile | None = None,
        after: Callable[[], None] = lambda: None,
    ) -> Commit:
        """Have a change committed, and its lines appended to the output. `after` is called once both are on disk."""
        write = _Write(change, lines, output, after)
        with self._gate:
            if self._is_closed:
                raise RuntimeError("the store is not open")
            self._queue.put(write)
        return write.commit

    def close(self) -> None:
        """Write what is on its way, and close the connection."""
        with self._gate:
            if self._is_closed:
                return
            self._is_closed = True
            self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            first = self._queue.get()
            group: list[_Write] = []
            while first is not None:
                group.append(first)
                if len(group) == MAX_GROUP:
                    break
                try:
                    first = self._queue.get_nowait()
                except queue.Empty:
                    break
            is_open = first is not None
            if group:
                self._commit(group)

    def _commit(self, group: list[_Write]) -> None:
        try:
            self._transact(group)
        except Exception as error:  # noqa: BLE001 - told to the one who wrote it
            if len(group) > 1:
                for write in group:
                    self._commit([write])
                return
            told = os_error(error, self._path) if isinstance(error, sqlite3.OperationalError) else error
            group[0].commit.future.set_exception(told)
        else:
            for write in group:
                write.after()
                write.commit.future.set_result(None)

    def _transact(self, group: list[_Write]) -> None:
        outputs = list({id(write.output): write.output for write in group if write.output is not None}.values())
        lines = [[line for write in group if write.output is output for line in write.lines] for output in outputs]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for write in group:
                write.change(self._connection)
            for output, those in zip(outputs, lines, strict=True):
                output.append(those)
            self._connection.execute("COMMIT")
        except BaseException:
            for output in outputs:
                output.undo()
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        for output, those in zip(outputs, lines, strict=True):
            output.keep(those)
