"""The journal that a path names, opened to be read. Its file is opened by SQLite only."""

import contextlib
import os
import socket
import sqlite3
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..batch._journal.errors import StoreError, clear_errors
from ..batch._journal.owner import read_owner
from ..batch._journal.reading import read_batches
from ..batch._journal.schema import open_reader

LOCKS = Path("/proc/locks")


class Source(NamedTuple):
    """A journal at one moment: what its owner commits later is not seen."""

    db: sqlite3.Connection
    path: Path


@dataclass(frozen=True)
class OwnerStatus:
    """The process that has a journal, or had it last."""

    __module__ = "runoutcome.report"

    pid: int
    host: str
    since: str
    """Local time with its offset, in ISO 8601."""
    command: str
    is_alive: bool | None
    """None for a process of another host."""


def journal_of(path: Path) -> Path:
    """Return the journal that a path names: the one beside results, else the file itself. No file is opened.

    Raises StoreError for a path without a journal.
    """
    real = Path(os.path.realpath(path))
    beside = _beside(real, ".db")
    if beside.is_file():
        return beside
    if _beside(real, ".runs").is_file():
        raise StoreError(
            f"{path} has a journal of an earlier release, {path}.runs; run the same command again to take it over"
        )
    if real.is_dir():
        raise StoreError(f"{path} is a directory; name a journal, or results beside their journal")
    if not real.exists():
        raise StoreError(f"{path} does not exist, and there is no {path}.db")
    if real.stat().st_size == 0 and not _beside(real, "-wal").exists():
        raise StoreError(f"{path} is empty, and there is no {path}.db")
    return real


def files_of(path: Path) -> list[Path]:
    """Return the files of a journal: those of the database, its lock, and the results of its batches.

    Raises what `opened` raises.
    """
    with opened(path) as (db, journal):
        results = [journal.parent / batch.name for batch in read_batches(db)]
    return [*(_beside(journal, suffix) for suffix in ("", "-wal", "-shm", ".lock")), *results]


@contextlib.contextmanager
def opened(path: Path) -> Generator[Source]:
    """A block in which the journal that a path names is read as it is now.

    Raises StoreError for a path without a journal, and for one that is foreign, newer or damaged.
    """
    journal = journal_of(path)
    try:
        with clear_errors(journal), contextlib.closing(open_reader(journal)) as db:
            db.execute("BEGIN")
            yield Source(db, journal)
    except StoreError as error:  # there is no --db here
        hint = "name a journal, or results beside their journal"
        raise StoreError(str(error).replace("choose another --db", hint)) from error


def read_owner_status(journal: Path, locks: Path = LOCKS) -> OwnerStatus | None:
    """Return who has a journal, or had it last; None if nobody ever had, as of a copy."""
    lock_file = _beside(journal, ".lock")
    owner = read_owner(lock_file)
    if owner is None:
        return None
    is_alive = _is_alive(owner.pid, lock_file, locks) if owner.host == socket.gethostname() else None
    return OwnerStatus(owner.pid, owner.host, owner.since, owner.command, is_alive)


def _is_alive(pid: int, lock_file: Path, locks: Path) -> bool:
    """Return whether a process has the lock. Trying the lock would keep an owner out that starts in that moment."""
    try:
        held = [line.split() for line in locks.read_text("utf-8").splitlines() if "FLOCK" in line]
    except OSError:  # no Linux: the process may be a later one with the same id
        return _exists(pid)
    inode = str(lock_file.stat().st_ino)
    return any(words[4] == str(pid) and words[5].split(":")[-1] == inode for words in held if len(words) > 5)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0) if os.name == "posix" else None
    except PermissionError:
        return True
    except OSError:
        return False
    return os.name == "posix"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
