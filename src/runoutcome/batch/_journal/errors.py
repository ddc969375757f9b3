"""Errors of the files of a batch."""

import contextlib
import errno
import sqlite3
from collections.abc import Generator
from pathlib import Path

NEW_BATCH = "choose another output, where its jobs become new, paid runs"


class StoreError(ValueError):
    """Files that cannot be used; the message says which, and what to do."""

    __module__ = "runoutcome.batch"


def os_error(error: sqlite3.Error, path: Path) -> OSError:
    """Return the OSError that a failed write stands for: a full disk, or a disk that cannot be written."""
    is_full = "full" in str(error)
    return OSError(errno.ENOSPC if is_full else errno.EIO, str(error), str(path))


@contextlib.contextmanager
def clear_errors(path: Path) -> Generator[None]:
    """A block whose errors of SQLite become a StoreError that names the file and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(_describe(error, path)) from error


def _describe(error: sqlite3.Error, path: Path) -> str:
    text = str(error)
    if "not a database" in text:
        return f"{path} is not a journal: no SQLite database. It was left as it is; choose another --db"
    if "malformed" in text or "corrupt" in text:
        return damaged(path, text)
    if "locked" in text or "busy" in text:
        return f"{path} is locked by another program ({text}); close it there, then run the same command again"
    if "full" in text:
        return f"{path} cannot be written: the disk is full; make room, then run the same command again"
    return f"{path} cannot be used ({text}); check that the file and its folder can be read and written"


def damaged(path: Path, text: str) -> str:
    """Return the words for a database whose pages contradict each other."""
    return (
        f"{path} is damaged ({' '.join(text.split())[:120]}). It was left as it is. Restore a copy, or save "
        f"what can be read: sqlite3 {path} .recover | sqlite3 recovered.db"
    )
