"""Status of the batches of a journal: counts, failures by what to do, held jobs, spend, limits."""

import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..batch._journal.reading import ENDS, BatchRow, count_paid_twice, read_batches
from ._advice import HELD, advice_for, urgency
from ._source import OwnerStatus, opened, read_owner_status

HELD_STATES = ("unknown", "gone")
GOING_STATES = ("submitting", "in_flight")

IS_AGAIN = (
    "EXISTS (SELECT 1 FROM attempts AS earlier WHERE earlier.job = attempts.job "
    "AND earlier.number < attempts.number AND earlier.state <> 'refused')"
)
"""Condition of SQL: the attempt is a further run of its job."""


@dataclass(frozen=True)
class Failures:
    """Jobs that did not complete for one reason."""

    __module__ = "runoutcome.report"

    action: str
    """Action of the catalog; `look_up` for held jobs."""
    state: str
    code: str | None
    exception: str | None
    retryable: bool
    jobs: int

    @property
    def advice(self) -> str:
        """The action in one sentence."""
        return advice_for(self.action)


@dataclass(frozen=True)
class Spend:
    """Runs of one model with one end. A refused POST made no run."""

    __module__ = "runoutcome.report"

    model: str | None
    state: str
    is_again: bool
    """True for runs that were made after an earlier run of their job."""
    runs: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int
    cost: float | None
    """By the prices at that time; None if none were given."""
    without_usage: int
    """Runs whose usage is not known, or not known yet."""

    @property
    def is_going(self) -> bool:
        """True while the usage is to come."""
        return self.state in GOING_STATES


@dataclass(frozen=True)
class HeldJob:
    """A job whose run may exist and be paid for."""

    __module__ = "runoutcome.report"

    job: str
    state: str
    """`unknown` for a POST without an answer, `gone` for a run that the server no longer has."""
    runoutcome_key: str | None
    response_id: str | None
    since: float


@dataclass(frozen=True)
class Limit:
    """A limit in force."""

    __module__ = "runoutcome.report"

    name: str
    value: float | None
    changed_at: float
    changed_by: str


@dataclass(frozen=True)
class BatchStatus:
    """One batch of a journal."""

    __module__ = "runoutcome.report"

    name: str
    server: str
    jobs: int
    ended: int
    """Jobs that have a result."""
    states: Mapping[str, int]
    """Number of jobs by state."""
    in_flight_since: float | None
    """Time at which the oldest run in flight was made."""
    last_change: float | None
    paid_twice: int
    """Runs that may exist and were made again, because the user asked for it."""
    failures: Sequence[Failures]
    """Grouped by what to do, the most urgent first."""
    held: Sequence[HeldJob]
    spend: Sequence[Spend]
    limits: Sequence[Limit]
    open_requests: int
    """Requests of other processes that the owner has not carried out."""


@dataclass(frozen=True)
class Status:
    """A journal at one moment. Times are seconds since the epoch."""

    __module__ = "runoutcome.report"

    journal: str
    at: float
    owner: OwnerStatus | None
    batches: Sequence[BatchStatus]

    @property
    def jobs(self) -> int:
        """Number of jobs of all batches."""
        return sum(batch.jobs for batch in self.batches)

    @property
    def states(self) -> Mapping[str, int]:
        """Number of jobs of all batches, by state."""
        return sum((Counter(batch.states) for batch in self.batches), Counter[str]())

    @property
    def is_finished(self) -> bool:
        """True if every job has a result."""
        return all(batch.ended == batch.jobs for batch in self.batches)

    def to_dict(self) -> dict[str, Any]:
        """Return the status as JSON."""
        return asdict(self)


def read_status(path: Path, *, held: int = -1) -> Status:
    """Return the status of a journal, with so many held jobs of each batch; all if the number is negative.

    Raises StoreError for a file that is no journal, or is damaged.
    """
    with opened(path) as (db, journal):
        batches = tuple(read_batch(db, batch, held) for batch in read_batches(db))
    return Status(str(journal), time.time(), read_owner_status(journal), batches)


def read_batch(db: sqlite3.Connection, batch: BatchRow, held: int = -1) -> BatchStatus:
    """Return the status of one batch."""
    states = dict(db.execute("SELECT state, count(*) FROM jobs WHERE batch = ? GROUP BY state", (batch.id,)))
    (since,) = db.execute(
        "SELECT min(coalesce(submitted_at, attempts.created_at)) FROM jobs JOIN attempts ON attempts.job = jobs.id "
        "WHERE jobs.batch = ? AND jobs.state IN ('submitting', 'in_flight') "
        "AND attempts.state IN ('submitting', 'in_flight')",
        (batch.id,),
    ).fetchone()
    last = db.execute("SELECT at FROM events WHERE batch = ? ORDER BY id DESC LIMIT 1", (batch.id,)).fetchone()
    limits = db.execute("SELECT name, value, changed_at, changed_by FROM limits WHERE batch = ?", (batch.id,))
    (requests,) = db.execute(
        "SELECT count(*) FROM requests WHERE done_at IS NULL AND (batch = ? OR batch IS NULL)", (batch.name,)
    ).fetchone()
    return BatchStatus(
        batch.name,
        batch.server,
        sum(states.values()),
        sum(states.get(state, 0) for state in ENDS),
        states,
        since,
        last[0] if last else None,
        count_paid_twice(db, batch.id),
        read_failures(db, [batch.id]),
        read_held(db, [batch.id], held),
        read_spend(db, [batch.id]),
        tuple(Limit(*row) for row in limits),
        requests,
    )


def read_failures(db: sqlite3.Connection, batches: Sequence[int]) -> tuple[Failures, ...]:
    """Return the jobs that did not complete, grouped by what to do, the most urgent first."""
    rows = db.execute(
        f"""
        SELECT CASE WHEN jobs.state IN {HELD_STATES} THEN ? ELSE coalesce(last.action, 'none') END AS what,
               jobs.state, last.code, last.exception, coalesce(last.retryable, 0), count(*)
        FROM jobs JOIN attempts AS last ON last.job = jobs.id
        WHERE jobs.batch IN ({_marks(batches)})
          AND last.number = (SELECT max(number) FROM attempts WHERE attempts.job = jobs.id)
          AND (jobs.state IN {HELD_STATES} OR (last.exception IS NOT NULL AND jobs.state = last.state))
        GROUP BY 1, 2, 3, 4, 5
        """,
        (HELD, *batches),
    )
    groups = [
        Failures(what, state, code, exception, bool(again), jobs) for what, state, code, exception, again, jobs in rows
    ]
    return tuple(sorted(groups, key=lambda group: (urgency(group.action), group.action, -group.jobs, str(group.code))))


def read_held(db: sqlite3.Connection, batches: Sequence[int], limit: int = -1) -> tuple[HeldJob, ...]:
    """Return the jobs that are held, in the order of the job file."""
    rows = db.execute(
        f"""
        SELECT jobs.key, jobs.state, last.key, last.response_id, last.created_at
        FROM jobs JOIN attempts AS last ON last.job = jobs.id
        WHERE jobs.batch IN ({_marks(batches)}) AND jobs.state IN {HELD_STATES}
          AND last.number = (SELECT max(number) FROM attempts WHERE attempts.job = jobs.id)
        ORDER BY jobs.id LIMIT ?
        """,
        (*batches, limit),
    )
    return tuple(HeldJob(*row) for row in rows)


def read_spend(db: sqlite3.Connection, batches: Sequence[int]) -> tuple[Spend, ...]:
    """Return what the runs used, by model, end, and whether they were made again."""
    sums = ", ".join(f"coalesce(sum({kind}_tokens), 0)" for kind in ("input", "cached", "output", "reasoning", "total"))
    rows = db.execute(
        f"""
        SELECT attempts.model, attempts.state, {IS_AGAIN} AS is_again, count(*), {sums}, sum(cost),
               sum(total_tokens IS NULL)
        FROM attempts JOIN jobs ON jobs.id = attempts.job
        WHERE jobs.batch IN ({_marks(batches)}) AND attempts.state <> 'refused'
        GROUP BY attempts.model, attempts.state, is_again ORDER BY sum(total_tokens) DESC, 1, 2, 3
        """,
        tuple(batches),
    )
    return tuple(Spend(model, state, bool(is_again), *rest) for model, state, is_again, *rest in rows)


def _marks(batches: Sequence[int]) -> str:
    return ", ".join("?" * len(batches))
