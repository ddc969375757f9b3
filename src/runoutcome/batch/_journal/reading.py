"""Reads the journal: batches, and the last run of each job."""

import sqlite3
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from .transitions import Event

ENDS = ("completed", "failed", "incomplete", "cancelled", "expired", "refused")


@dataclass(frozen=True)
class Past:
    """The journal's record of one job."""

    event: Event
    token: str | None
    """Resume token of the job's last run; None if its last POST may have gone through without an answer."""
    token_before: str | None
    """Token of the run before that one, if there was any."""
    digest: str | None
    key: str | None = None
    """Key of the job's last POST, to find it in the provider's logs."""


class Spent(NamedTuple):
    """The tokens of a batch over all its attempts."""

    tokens: int = 0
    counted: int = 0
    """Attempts whose usage is known."""
    open: int = 0
    """Attempts that are or may be going."""


class BatchRow(NamedTuple):
    """A batch of the journal."""

    id: int
    name: str
    server: str


class JobRow(NamedTuple):
    """A job of the journal."""

    digest: str | None
    line: int | None
    was_submitted: bool


_EVENTS: dict[str, Event] = {"submitting": "submitting", "unknown": "submitting", "refused": "refused"}


def read_batches(db: sqlite3.Connection) -> list[BatchRow]:
    """Return the batches of a journal, oldest first."""
    return [BatchRow(*row) for row in db.execute("SELECT id, name, server FROM batches ORDER BY id")]


def read_past(db: sqlite3.Connection, batch: int) -> dict[str, Past]:
    """Return the record of each job that was submitted, by key."""
    rows = db.execute(
        """
        SELECT jobs.key, jobs.digest, last.state, last.key, last.token, (
          SELECT token FROM attempts
          WHERE job = jobs.id AND number < last.number AND token IS NOT NULL ORDER BY number DESC LIMIT 1)
        FROM jobs JOIN attempts AS last ON last.job = jobs.id
        WHERE jobs.batch = ? AND last.number = (SELECT max(number) FROM attempts WHERE job = jobs.id)
        """,
        (batch,),
    )
    return {custom_id: _past(*columns) for custom_id, *columns in rows}


def _past(digest: str | None, state: str, key: str | None, token: str | None, before: str | None) -> Past:
    event = _EVENTS.get(state, "submitted" if token else "forgotten")
    # A refused POST made no run: the run before it, if any, is still the job's last one.
    return Past(event, before if event == "refused" else token, before, digest, key)


def read_jobs_of(db: sqlite3.Connection, batch: int) -> dict[str, JobRow]:
    """Return the jobs of a batch, by key."""
    rows = db.execute(
        "SELECT key, digest, line, EXISTS (SELECT 1 FROM attempts WHERE job = jobs.id) FROM jobs WHERE batch = ?",
        (batch,),
    )
    return {key: JobRow(digest, line, bool(was_submitted)) for key, digest, line, was_submitted in rows}


def read_ended(db: sqlite3.Connection, batch: int) -> dict[str, None]:
    """Return the keys of the jobs that have ended, in the order of their ends."""
    last_event = "(SELECT max(id) FROM events WHERE job = jobs.id)"
    rows = db.execute(f"SELECT key FROM jobs WHERE batch = ? AND state IN {ENDS} ORDER BY {last_event}", (batch,))
    return dict.fromkeys(key for (key,) in rows)


def read_line(db: sqlite3.Connection, batch: int, key: str) -> bytes | None:
    """Return the result line of a job, with its line break; None if its body was not kept."""
    row = db.execute(
        """
        SELECT outputs.line FROM outputs
        JOIN attempts ON attempts.id = outputs.attempt JOIN jobs ON jobs.id = attempts.job
        WHERE jobs.batch = ? AND jobs.key = ? ORDER BY attempts.number DESC LIMIT 1
        """,
        (batch, key),
    ).fetchone()
    return zlib.decompress(row[0]) if row else None


def count_paid_twice(db: sqlite3.Connection, batch: int) -> int:
    """Return how many runs that may exist, because their POST had no answer or they are gone, were made again."""
    (count,) = db.execute(
        "SELECT count(*) FROM attempts JOIN jobs ON jobs.id = attempts.job WHERE jobs.batch = ? "
        "AND attempts.state IN ('unknown', 'gone') AND EXISTS (SELECT 1 FROM attempts AS later "
        "WHERE later.job = attempts.job AND later.number > attempts.number AND later.state <> 'refused')",
        (batch,),
    ).fetchone()
    return int(count)


def read_spent(db: sqlite3.Connection, batch: int) -> Spent:
    """Return what a batch has spent, and how many of its attempts have no end."""
    row = db.execute(
        "SELECT coalesce(sum(total_tokens), 0), count(total_tokens), "
        "count(CASE WHEN attempts.state IN ('submitting', 'in_flight', 'unknown', 'gone') THEN 1 END) "
        "FROM attempts JOIN jobs ON jobs.id = attempts.job WHERE jobs.batch = ?",
        (batch,),
    ).fetchone()
    return Spent(*row)


def has_event(db: sqlite3.Connection, batch: int, event: str, detail: str) -> bool:
    """Return whether an event of the whole batch was noted."""
    where = "batch = ? AND job IS NULL AND event = ? AND detail = ?"
    return db.execute(f"SELECT 1 FROM events WHERE {where} LIMIT 1", (batch, event, detail)).fetchone() is not None


def last_event(db: sqlite3.Connection, batch: int) -> str | None:
    """Return the last event of a batch and its jobs; None if there is none."""
    row = db.execute("SELECT event FROM events WHERE batch = ? ORDER BY id DESC LIMIT 1", (batch,)).fetchone()
    return row[0] if row else None
