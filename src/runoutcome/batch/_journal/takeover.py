"""Takes over the journal of an earlier release, which was a text file: `RESULTS.runs`, one JSON line for each event.

Its events are replayed into the database, in one transaction. Then a line takes its place that the earlier release
refuses to read, so that it cannot go on beside the database; the old lines are kept in `RESULTS.runs.taken-over`. A
kill between the two is repaired at the next start, by the hash of the text that the database notes.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, get_args

from ..._waiting.resume_token import loads
from .endings import Ending
from .errors import NEW_BATCH, StoreError
from .owner import lock
from .place import sync_folder
from .results_file import result_line
from .transitions import Batch, Event

EVENT = "taken over"
_NOTE = "# This batch goes on in {database}, by a later release of runoutcome. The lines of this file are in {aside}.\n"
_BEGINNING = b'{"custom_id": "'


@dataclass(frozen=True)
class TextJournal:
    """The journal of an earlier release, whole."""

    path: Path
    rows: list[dict[str, Any]]
    data: bytes

    @property
    def digest(self) -> str:
        """Hash of the file, by which the database knows what it took over."""
        return hashlib.sha256(self.data).hexdigest()

    @classmethod
    def read(cls, path: Path) -> "TextJournal | None":
        """Return the journal; None if there is none, or if it was taken over. A torn last line is left out.

        Raises StoreError for a file of another program.
        """
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from None
        if data.startswith(_NOTE.split("{")[0].encode()):
            return None
        return cls(path, _rows(path, data.split(b"\n")), data)

    @property
    def server(self) -> str:
        """Host of the runs; empty if no line names one."""
        return next((row["place"] for row in self.rows if row.get("place")), "")

    def replay(self, db: sqlite3.Connection, batch: Batch, results: Mapping[str, dict[str, Any]]) -> None:
        """Carry the events over. Called within a transaction."""
        times = self._times()
        for row in self.rows:
            key, custom_id, token = row.get("key"), row["custom_id"], row.get("token") or ""
            at = times.get((loads(token).key if token else key) or "", self.path.stat().st_mtime)
            then = replace(batch, now=partial(float, at))
            then.add_row(db, custom_id, row.get("body"))
            match row["event"]:
                case "submitting":
                    then.submitting(db, custom_id, key)
                case "submitted":
                    then.submitted(db, custom_id, loads(token).response_id, token)
                case "refused":
                    then.left(db, custom_id, "refused")
                case _:
                    if custom_id in results:
                        result = results[custom_id]
                        line = result_line(result).data
                        then.ended(db, custom_id, Ending.of_row(result), line, is_forgotten=True)

    def put_aside(self, database: Path) -> None:
        """Replace the file by a line that an earlier release refuses, and keep its lines in a file beside it."""
        aside, note = (self.path.with_name(f"{self.path.name}.{end}") for end in ("taken-over", "new"))
        for path, data in (
            (aside, self.data),
            (note, _NOTE.format(database=database.name, aside=aside.name).encode("utf-8", "surrogateescape")),
        ):
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        note.replace(self.path)
        sync_folder(self.path.parent)

    def _times(self) -> dict[str, float]:
        """Return the time of each submission, by the key of its POST."""
        tokens = [loads(row["token"]) for row in self.rows if row.get("token")]
        return {token.key or "": token.submitted_at for token in tokens if token.submitted_at is not None}


@contextlib.contextmanager
def locked(journals: list[TextJournal]) -> Generator[None]:
    """A block in which no process of an earlier release can write these journals. POSIX only."""
    with contextlib.ExitStack() as stack:
        for journal in journals if os.name == "posix" else ():
            file: IO[bytes] = stack.enter_context(journal.path.open("rb"))
            lock(file, journal.path)
        yield


def _rows(path: Path, lines: list[bytes]) -> list[dict[str, Any]]:
    rows = list(map(_row, lines))
    last = lines[-1]
    for number, row in enumerate(rows, 1):
        is_torn = number == len(lines) and (last.startswith(_BEGINNING) or _BEGINNING.startswith(last))
        if row is None and not is_torn:
            raise StoreError(f"{path}, line {number} is not a journal line of a batch; {NEW_BATCH}")
    return [row for row in rows if row is not None]


def _row(line: bytes) -> dict[str, Any] | None:
    with contextlib.suppress(ValueError):
        row = json.loads(line)
        if isinstance(row, dict) and isinstance(row.get("custom_id"), str) and row.get("event") in get_args(Event)[:4]:
            return row if row["event"] != "submitted" or _is_token(row.get("token")) else None
    return None


def _is_token(token: object) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(token, str) and bool(loads(token))
    return False
