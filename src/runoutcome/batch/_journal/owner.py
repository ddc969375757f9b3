"""The owner of a journal: the one process that may write it. Its lock is a file beside the database.

The database itself is never locked or opened here: closing any descriptor of it would drop SQLite's own locks. The lock
file is never removed: another process may have opened it already. After a kill it names the process that died; the
lock itself ends with the process.
"""

import contextlib
import datetime
import json
import os
import re
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from .errors import StoreError

if os.name == "posix":
    import fcntl


@dataclass(frozen=True)
class Owner:
    """A process that owns a journal."""

    pid: int
    host: str
    since: str
    """Local time with its offset, in ISO 8601."""
    command: str

    @classmethod
    def this_process(cls, command: str = "") -> "Owner":
        """Return the owner that this process is. `command` is shown to other users of the machine."""
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        command = command or Path(sys.argv[0] if sys.argv else "python").name
        text = command.encode("utf-8", "backslashreplace").decode()  # file names may be no text
        return cls(os.getpid(), socket.gethostname(), since, re.sub(r"//[^/@\s]+@", "//…@", text))

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid} on {self.host}, since {self.since})"


class OwnerLock:
    """The lock of a journal, held until it is released or the process ends. POSIX only."""

    def __init__(self, database: Path) -> None:
        self.path: Path = database.with_name(database.name + ".lock")
        self._file: IO[str] | None = None

    def acquire(self, owner: Owner, what: Path) -> None:
        """Take the lock and write the owner's name. Raises StoreError, which names the owner, if another has it."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}") from None
        file = os.fdopen(descriptor, "r+", encoding="utf-8")
        try:
            lock(file, what, read_owner(self.path))
            file.truncate()
            json.dump(asdict(owner), file)
            file.flush()
        except BaseException:
            file.close()
            raise
        self._file = file

    def release(self) -> None:
        """Release the lock. Does nothing if it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


def lock(file: IO[str] | IO[bytes], what: Path, owner: Owner | None = None) -> None:
    """Lock an open file until it is closed. Raises StoreError if another process has it."""
    if os.name == "posix":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            by = f": {owner}" if owner else ""
            raise StoreError(f"another process is writing {what}{by}; wait for it to end") from None


def read_owner(lock_file: Path) -> Owner | None:
    """Return the last owner that a lock file names; it may have ended. None if it cannot be read."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Owner(**json.loads(lock_file.read_text("utf-8")))
    return None
