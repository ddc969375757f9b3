"""Figures of a report: aggregated, so that 100,000 jobs make no larger page than 100."""

import math
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import Any

from ..batch._journal.reading import ENDS, read_batches
from ._source import opened, read_owner_status
from ._status import (
    HELD_STATES,
    IS_AGAIN,
    BatchStatus,
    Failures,
    HeldJob,
    Spend,
    Status,
    read_batch,
    read_failures,
    read_held,
    read_spend,
)

LONGEST_LIST = 20
"""Rows of a list of jobs, of models, of reasons."""
_POINTS = 120
_BINS = 24
_SHORTEST_SECONDS = 0.001
_LARGEST_START_LIST = 200


@dataclass(frozen=True)
class Timeline:
    """Number of jobs in each state at moments that are equally far apart."""

    __module__ = "runoutcome.report"

    start: float
    """Seconds since the epoch."""
    step: float
    """Seconds between two moments."""
    queued: Sequence[int]
    running: Sequence[int]
    held: Sequence[int]
    completed: Sequence[int]
    ended_otherwise: Sequence[int]
    opened: Sequence[float]
    """Times at which a process began to work on a batch; the first 200."""


@dataclass(frozen=True)
class Durations:
    """Seconds from the answer of the POST to the poll that saw the end."""

    __module__ = "runoutcome.report"

    state: str | None
    """End of these runs; None for all runs."""
    runs: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Bin:
    """Runs that took from `start` to `end` seconds; shorter ones are in the first bin."""

    __module__ = "runoutcome.report"

    start: float
    end: float
    runs: int


@dataclass(frozen=True)
class Retries:
    """Runs that were made again for one reason."""

    __module__ = "runoutcome.report"

    reason: str | None
    runs: int
    completed: int
    total_tokens: int
    without_usage: int


@dataclass(frozen=True)
class SlowRun:
    """One of the runs that took longest."""

    __module__ = "runoutcome.report"

    job: str
    attempt: int
    state: str
    code: str | None
    model: str | None
    response_id: str | None
    seconds: float
    total_tokens: int | None


@dataclass(frozen=True)
class LimitMet:
    """A limit, pause or stop that a batch met, by its event or the failure's code."""

    __module__ = "runoutcome.report"

    what: str
    times: int
    first: float | None
    last: float | None


@dataclass(frozen=True)
class Report:
    """Figures of a journal at one moment: all its batches together. Times are seconds since the epoch."""

    __module__ = "runoutcome.report"

    status: Status
    """The batches; their lists of held jobs are cut."""
    failures: Sequence[Failures]
    held: Sequence[HeldJob]
    """The first 20."""
    timeline: Timeline | None
    """None for a journal without jobs."""
    durations: Sequence[Durations]
    """All runs first, then by end; empty if none ended."""
    histogram: Sequence[Bin]
    spend: Sequence[Spend]
    retries: Sequence[Retries]
    posts_again: int
    """POSTs that were refused for the moment, and sent again. They made no run."""
    slowest: Sequence[SlowRun]
    limits_met: Sequence[LimitMet]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        return asdict(self)


def read_report(path: Path) -> Report:
    """Return the figures of a journal. Raises StoreError for a file that is no journal, or is damaged."""
    with opened(path) as (db, journal):
        rows = read_batches(db)
        ids = [row.id for row in rows]
        batches: tuple[BatchStatus, ...] = tuple(read_batch(db, row, LONGEST_LIST) for row in rows)
        seconds = _read_seconds(db)
        (posts_again,) = db.execute("SELECT coalesce(sum(posts - 1), 0) FROM attempts").fetchone()
        return Report(
            Status(str(journal), time(), read_owner_status(journal), batches),
            read_failures(db, ids),
            read_held(db, ids, LONGEST_LIST),
            _read_timeline(db),
            _durations(seconds),
            _histogram(sorted(value for values in seconds.values() for value in values)),
            read_spend(db, ids),
            _read_retries(db),
            posts_again,
            _read_slowest(db),
            _read_limits_met(db),
        )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that is not exceeded by so many percent of the values, which are in order."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


_SECONDS = "max(0.0, ended_at - coalesce(submitted_at, attempts.created_at))"
_IS_RUN = f"ended_at IS NOT NULL AND attempts.state IN {ENDS} AND attempts.state <> 'refused'"


def _read_seconds(db: sqlite3.Connection) -> Mapping[str, "array[float]"]:
    """Return the durations of the runs that ended, by end."""
    found: dict[str, array[float]] = defaultdict(lambda: array("d"))
    for state, seconds in db.execute(f"SELECT state, {_SECONDS} FROM attempts WHERE {_IS_RUN}"):
        found[state].append(seconds)
    return found


def _durations(seconds: Mapping[str, Sequence[float]]) -> tuple[Durations, ...]:
    if not seconds:
        return ()
    groups: list[tuple[str | None, list[float]]] = [
        (None, sorted(value for values in seconds.values() for value in values)),
        *((state, sorted(seconds[state])) for state in ENDS if state in seconds),
    ]
    return tuple(
        Durations(state, len(group), percentile(group, 50), percentile(group, 95), percentile(group, 99), group[-1])
        for state, group in groups
    )


def _histogram(ordered: Sequence[float]) -> tuple[Bin, ...]:
    """Return bins whose edges grow by the same factor: a few runs often take far longer than the others."""
    if not ordered:
        return ()
    start = max(_SHORTEST_SECONDS, ordered[0])
    factor = max(1.001, max(start, ordered[-1]) / start) ** (1 / _BINS)
    counts = [0] * _BINS
    for value in ordered:
        counts[min(_BINS - 1, int(math.log(max(start, value) / start, factor)))] += 1
    edges = [start * factor**number for number in range(_BINS + 1)]
    return tuple(map(Bin, edges, edges[1:], counts))


def _read_timeline(db: sqlite3.Connection) -> Timeline | None:
    start, changed = db.execute("SELECT min(created_at), max(changed_at) FROM jobs").fetchone()
    if start is None:
        return None
    (noted,) = db.execute("SELECT coalesce(max(at), 0) FROM events").fetchone()
    step = max(changed - start, noted - start, 1.0) / _POINTS
    states = ("queued", "running", "held", "completed", "ended_otherwise")
    changes = {state: [0] * (_POINTS + 1) for state in states}

    def move(at: float, source: str | None, target: str) -> None:
        point = min(_POINTS, max(0, round((at - start) / step)))
        changes[target][point] += 1
        if source is not None:
            changes[source][point] -= 1

    rows = db.execute(
        f"""
        SELECT created_at, (SELECT min(created_at) FROM attempts WHERE attempts.job = jobs.id), state,
               CASE WHEN state IN {HELD_STATES} THEN (SELECT max(at) FROM events WHERE events.job = jobs.id)
                    ELSE changed_at END
        FROM jobs
        """
    )
    for created, submitted, state, changed_at in rows:
        move(created, None, "queued")
        if submitted is None or state == "queued":
            continue
        submitted = max(created, submitted)  # a clock may jump
        move(submitted, "queued", "running")
        if state in ENDS or state in HELD_STATES:
            end = "held" if state in HELD_STATES else "completed" if state == "completed" else "ended_otherwise"
            move(max(submitted, changed_at), "running", end)
    opens = db.execute("SELECT at FROM events WHERE event = 'opened' ORDER BY id LIMIT ?", (_LARGEST_START_LIST,))
    queued, running, held, completed, otherwise = (_sums(changes[state]) for state in states)
    return Timeline(start, step, queued, running, held, completed, otherwise, tuple(at for (at,) in opens))


def _sums(changes: Sequence[int]) -> tuple[int, ...]:
    total = 0
    return tuple(total := total + change for change in changes)


def _read_retries(db: sqlite3.Connection) -> tuple[Retries, ...]:
    rows = db.execute(
        f"""
        SELECT reason, count(*), sum(state = 'completed'), coalesce(sum(total_tokens), 0), sum(total_tokens IS NULL)
        FROM attempts WHERE {IS_AGAIN} AND state <> 'refused'
        GROUP BY reason ORDER BY count(*) DESC, reason LIMIT ?
        """,
        (LONGEST_LIST,),
    )
    return tuple(Retries(*row) for row in rows)


def _read_slowest(db: sqlite3.Connection) -> tuple[SlowRun, ...]:
    rows = db.execute(
        f"""
        SELECT jobs.key, attempts.number, attempts.state, attempts.code, attempts.model, attempts.response_id,
               {_SECONDS} AS seconds, attempts.total_tokens
        FROM attempts JOIN jobs ON jobs.id = attempts.job
        WHERE {_IS_RUN} ORDER BY seconds DESC, attempts.id LIMIT ?
        """,
        (LONGEST_LIST,),
    )
    return tuple(SlowRun(*row) for row in rows)


def _read_limits_met(db: sqlite3.Connection) -> tuple[LimitMet, ...]:
    """Return refused POSTs, runs that ended for a limit, and events of whole batches, but for their starts and ends."""
    rows = db.execute(
        """
        SELECT 'POST refused, or not sent', count(*), min(at), max(at) FROM events
        WHERE event = 'refused' AND job IS NOT NULL HAVING count(*)
        UNION ALL
        SELECT * FROM (
          SELECT 'run ended: ' || coalesce(code, 'rate_limit_error'), count(*), min(ended_at), max(ended_at)
          FROM attempts WHERE error_type = 'rate_limit_error' AND state <> 'refused'
          GROUP BY code ORDER BY count(*) DESC LIMIT ?)
        UNION ALL
        SELECT * FROM (
          SELECT event || coalesce(': ' || substr(detail, 1, 120), ''), count(*), min(at), max(at)
          FROM events WHERE job IS NULL AND event NOT IN ('opened', 'closed', 'taken over')
          GROUP BY 1 ORDER BY count(*) DESC LIMIT ?)
        """,
        (LONGEST_LIST, LONGEST_LIST),
    )
    return tuple(LimitMet(*row) for row in rows)
