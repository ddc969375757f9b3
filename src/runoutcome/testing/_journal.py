"""The state file: one JSON line per event, on disk before the client has its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ._errors import EmulatorError


class Journal:
    """An append-only file of events. One emulator at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def events(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line number and event, oldest first. A torn last line is cut off; raises EmulatorError for any other."""
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise EmulatorError(f"{self.path}: cannot be read: {error.strerror}") from error
        whole = 0
        for number, line in enumerate(lines, 1):
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict) or not line.endswith(b"\n"):
                if number < len(lines):
                    raise EmulatorError(f"{self.path}: line {number} is not an event of the emulator")
                # What is appended next must start a line of its own.
                with self.path.open("r+b") as file:
                    file.truncate(whole)
                return
            whole += len(line)
            yield number, cast("dict[str, Any]", event)

    def append(self, event: dict[str, Any]) -> None:
        """Write one event; it survives the death of this process, not that of the machine."""
        with self.path.open("ab") as file:
            file.write(json.dumps(event).encode() + b"\n")
