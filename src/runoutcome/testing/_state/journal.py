"""Journal of an emulator, its state file: one JSON line per event, on disk before the client has its response."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from .._errors import EmulatorError

if sys.platform != "win32":
    import fcntl


class Journal:
    """An append-only file of events. One emulator at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: IO[bytes] | None = None

    def hold(self) -> None:
        """Keep other emulators off the file, until `release`; Windows has no such lock.

        Raises EmulatorError if another one holds it, or if it cannot be written.
        """
        try:
            self._held = self.path.open("ab")
        except OSError as error:
            raise EmulatorError(f"{self.path}: cannot be written: {error.strerror}") from error
        if sys.platform != "win32":
            try:
                fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self.release()
                raise EmulatorError(f"{self.path}: another emulator is using this state file") from error

    def release(self) -> None:
        """Let other emulators have the file. Does nothing if it is not held."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def events(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line number and event, oldest first. Cuts off a torn last line; raises EmulatorError for any other."""
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise EmulatorError(f"{self.path}: cannot be read: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            try:
                event = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                event = None
            if isinstance(event, dict):
                yield number, cast("dict[str, Any]", event)
            elif number < len(lines):
                raise EmulatorError(f"{self.path}: line {number} is not an event of the emulator")
            else:
                # The next event must start a line of its own.
                with self.path.open("r+b") as file:
                    file.truncate(sum(map(len, lines[:-1])))

    def append(self, event: dict[str, Any]) -> None:
        """Write one event; it survives the death of this process, but not that of the machine."""
        with self.path.open("ab") as file:
            file.write(json.dumps(event).encode() + b"\n")
