"""Requests of other processes to the owner of a journal: the only table that they write.

Each is a row; the owner reads the open ones, carries them out, and answers in the same row.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

from .errors import clear_errors
from .owner import Owner
from .schema import check_version, connect


@dataclass(frozen=True)
class Request:
    """A request that is open."""

    id: int
    asked_by: str
    batch: str | None
    """Name of the batch; None for the only one of the file."""
    command: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


def ask(path: Path, command: str, arguments: Mapping[str, Any], batch: str | None = None, who: str = "") -> int:
    """Write a request to the owner of a journal; return its id. Raises StoreError for a file that is no journal."""
    with clear_errors(path):
        db = connect(path)
        try:
            check_version(db, path)
            db.execute("PRAGMA synchronous = FULL")
            row = db.execute(
                "INSERT INTO requests (at, asked_by, batch, command, arguments) VALUES (?, ?, ?, ?, ?)",
                (time(), who or str(Owner.this_process()), batch, command, json.dumps(arguments)),
            ).lastrowid
        finally:
            db.close()
    assert row is not None
    return row


def read_requests(db: sqlite3.Connection) -> list[Request]:
    """Return the open requests, oldest first."""
    rows = db.execute("SELECT id, asked_by, batch, command, arguments FROM requests WHERE done_at IS NULL ORDER BY id")
    return [Request(row, who, batch, command, json.loads(text)) for row, who, batch, command, text in rows]


def answer(db: sqlite3.Connection, request: int, text: str) -> None:
    """Close a request with an answer. Called within a transaction of the owner."""
    db.execute("UPDATE requests SET done_at = ?, answer = ? WHERE id = ?", (time(), text, request))


def read_answer(path: Path, request: int) -> str | None:
    """Return the owner's answer; None while the request is open."""
    with clear_errors(path):
        db = connect(path, is_reader=True)
        try:
            row = db.execute("SELECT answer FROM requests WHERE id = ?", (request,)).fetchone()
        finally:
            db.close()
    return row[0] if row else None
