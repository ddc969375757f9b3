"""Transitions of the jobs of one batch: what the tables say after each. Called within a transaction.

    queued -> submitting -> in_flight -> completed | failed | incomplete | cancelled | expired
                    |           '-> gone          the server no longer has it, or never had it
                    |-> refused                   the POST made no run
                    '-> unknown                   it has no answer: the run may exist and be paid for

A job has the state of its last attempt, with two exceptions. A refused POST leaves its job queued, unless the refusal
is final. While a run that failed is about to be made again, its job stays in flight.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Literal

from .._jobs import JobLine
from .endings import Ending

Event = Literal["submitting", "submitted", "refused", "forgotten", "unknown", "gone"]
"""`forgotten`: the job has a result, and the journal of its run was lost."""


@dataclass(frozen=True)
class Batch:
    """Changes to one batch of a journal."""

    id: int
    keeps_bodies: bool = True
    now: Callable[[], float] = time

    def add(self, db: sqlite3.Connection, job: JobLine) -> int:
        """Register a job; return its row. Its body is kept for a resubmission and for the report."""
        now = self.now()
        row = db.execute(
            "INSERT INTO jobs (batch, key, line, digest, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?)",
            (self.id, job.custom_id, job.line, job.digest, now, now),
        ).lastrowid
        assert row is not None
        self._keep_input(db, row, job)
        return row

    def add_row(self, db: sqlite3.Connection, custom_id: str, digest: str | None) -> None:
        """Register a job of which only the hash of its body is known, if it is new."""
        now = self.now()
        db.execute(
            "INSERT INTO jobs (batch, key, digest, created_at, changed_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (batch, key) DO UPDATE SET digest = coalesce(excluded.digest, digest)",
            (self.id, custom_id, digest, now, now),
        )

    def change(self, db: sqlite3.Connection, job: JobLine) -> None:
        """Replace the body of a job that was never submitted."""
        row = self.ensure(db, job)
        db.execute("UPDATE jobs SET digest = ?, line = ? WHERE id = ?", (job.digest, job.line, row))
        self._keep_input(db, row, job)

    def ensure(self, db: sqlite3.Connection, job: JobLine) -> int:
        """Register a job if it is new; return its row."""
        return self._find(db, job.custom_id) or self.add(db, job)

    def submitting(self, db: sqlite3.Connection, custom_id: str, key: str | None) -> None:
        """Note the intent of a POST. The same key again is the same attempt: its POST before was refused."""
        row, last = self._find(db, custom_id), self._last(db, custom_id)
        attempt: int | None
        if last is not None and last.state == "refused" and last.key == key:
            attempt = last.id
            db.execute("UPDATE attempts SET state = 'submitting', posts = posts + 1 WHERE id = ?", (attempt,))
        else:
            number, reason = (last.number + 1, last.reason) if last is not None else (1, None)
            columns = "job, number, reason, key, state, created_at"
            attempt = db.execute(
                f"INSERT INTO attempts ({columns}) VALUES (?, ?, ?, ?, 'submitting', ?)",
                (row, number, reason, key, self.now()),
            ).lastrowid
        self._reach(db, row, attempt, "submitting")

    def submitted(self, db: sqlite3.Connection, custom_id: str, response_id: str, token: str) -> None:
        """Note the id of the run that a POST made."""
        row, attempt = self._current(db, custom_id)
        db.execute(
            "UPDATE attempts SET state = 'in_flight', response_id = ?, token = ?, submitted_at = ? WHERE id = ?",
            (response_id, token, self.now(), attempt),
        )
        self._reach(db, row, attempt, "in_flight")

    def left(self, db: sqlite3.Connection, custom_id: str, state: str, detail: str | None = None) -> None:
        """Note that the last attempt was refused, has no answer, or is gone."""
        row, attempt = self._current(db, custom_id)
        db.execute("UPDATE attempts SET state = ? WHERE id = ?", (state, attempt))
        self._reach(db, row, attempt, state, detail, "queued" if state == "refused" else state)

    def unanswered(self, db: sqlite3.Connection) -> None:
        """Note that POSTs in flight when the last owner ended have no answer."""
        these = (
            "FROM attempts JOIN jobs ON jobs.id = attempts.job WHERE jobs.batch = ? AND attempts.state = 'submitting'"
        )
        db.execute(
            "INSERT INTO events (at, batch, job, attempt, event, detail) "
            f"SELECT ?, jobs.batch, jobs.id, attempts.id, 'unknown', 'no answer before the process ended' {these}",
            (self.now(), self.id),
        )
        db.execute("UPDATE jobs SET state = 'unknown' WHERE batch = ? AND state = 'submitting'", (self.id,))
        db.execute(f"UPDATE attempts SET state = 'unknown' WHERE id IN (SELECT attempts.id {these})", (self.id,))

    def run_ended(self, db: sqlite3.Connection, custom_id: str, ending: Ending) -> None:
        """Note the end of a run that is followed by another one: the job itself goes on."""
        last = self._last(db, custom_id)
        if last is not None:
            self._end(db, last.id, ending)
            self._note(db, self._find(db, custom_id), last.id, ending.state, ending.code)

    def ended(
        self, db: sqlite3.Connection, custom_id: str, ending: Ending, line: bytes, *, is_forgotten: bool = False
    ) -> None:
        """Note the end of a job, with its result line. A run that the journal did not know becomes an attempt."""
        self.add_row(db, custom_id, None)
        row, attempt = self._current(db, custom_id)
        if attempt is None:
            attempt = db.execute(
                "INSERT INTO attempts (job, number, state, created_at) VALUES (?, 1, 'in_flight', ?)",
                (row, self.now()),
            ).lastrowid
        self._end(db, attempt, ending)
        if self.keeps_bodies:
            db.execute("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)", (attempt, len(line), zlib.compress(line)))
        if is_forgotten:
            self._note(db, row, attempt, "forgotten", "its result was there, and the journal did not know it")
        self._reach(db, row, attempt, ending.state, ending.code)

    def reopen(self, db: sqlite3.Connection, custom_id: str) -> None:
        """Have a job polled, or submitted, again: its result line is lost, and its body was not kept."""
        row, attempt = self._current(db, custom_id)
        ended = "UPDATE attempts SET state = 'in_flight', ended_at = NULL WHERE id = ? AND token IS NOT NULL"
        state = "in_flight" if db.execute(ended, (attempt,)).rowcount else "queued"
        self._reach(db, row, attempt, state, "its result was lost")

    def event(self, db: sqlite3.Connection, event: str, detail: str | None = None) -> None:
        """Note an event of the whole batch."""
        self._note(db, None, None, event, detail)

    def _find(self, db: sqlite3.Connection, custom_id: str) -> int | None:
        row = db.execute("SELECT id FROM jobs WHERE batch = ? AND key = ?", (self.id, custom_id)).fetchone()
        return row[0] if row else None

    def _current(self, db: sqlite3.Connection, custom_id: str) -> tuple[int | None, int | None]:
        """Return the rows of a job and of its last attempt."""
        last = self._last(db, custom_id)
        return self._find(db, custom_id), last.id if last is not None else None

    def _last(self, db: sqlite3.Connection, custom_id: str) -> "_Last | None":
        row = db.execute(
            "SELECT id, number, state, key, code FROM attempts WHERE job = "
            "(SELECT id FROM jobs WHERE batch = ? AND key = ?) ORDER BY number DESC LIMIT 1",
            (self.id, custom_id),
        ).fetchone()
        return _Last(*row) if row else None

    def _keep_input(self, db: sqlite3.Connection, row: int, job: JobLine) -> None:
        if self.keeps_bodies:
            body = json.dumps(job.body, separators=(",", ":")).encode()  # its order of keys is the user's
            db.execute("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?)", (row, len(body), zlib.compress(body)))

    def _end(self, db: sqlite3.Connection, attempt: int | None, ending: Ending) -> None:
        columns = ", ".join(f"{name} = coalesce(?, {name})" for name in Ending._fields)
        db.execute(f"UPDATE attempts SET {columns}, ended_at = ? WHERE id = ?", (*ending, self.now(), attempt))

    def _reach(
        self,
        db: sqlite3.Connection,
        row: int | None,
        attempt: int | None,
        event: str,
        detail: str | None = None,
        state: str | None = None,
    ) -> None:
        db.execute("UPDATE jobs SET state = ?, changed_at = ? WHERE id = ?", (state or event, self.now(), row))
        self._note(db, row, attempt, event, detail)

    def _note(
        self, db: sqlite3.Connection, row: int | None, attempt: int | None, event: str, detail: str | None
    ) -> None:
        db.execute(
            "INSERT INTO events (at, batch, job, attempt, event, detail) VALUES (?, ?, ?, ?, ?, ?)",
            (self.now(), self.id, row, attempt, event, detail),
        )


@dataclass(frozen=True)
class _Last:
    """The last attempt of a job."""

    id: int
    number: int
    state: str
    key: str | None
    code: str | None

    @property
    def reason(self) -> str:
        """Reason why another attempt is made after this one."""
        return f"after {self.state}" + (f" {self.code}" if self.code else "")
