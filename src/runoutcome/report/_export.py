"""Results written anew from the journal, one after the other, so that a million jobs need little memory."""

import csv
import io
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..batch._journal.errors import StoreError
from ..batch._journal.reading import ENDS, BatchRow, read_batches
from ._source import opened
from ._words import iso_text

COLUMNS = (
    "key", "state", "code", "action", "exception", "response_id", "attempts", "model", "input_tokens", "output_tokens",
    "total_tokens", "cost", "without_usage", "created", "submitted", "ended", "seconds",
)  # fmt: skip
"""Columns of the table. Tokens and cost are sums over the attempts of a job."""


def jsonl_lines(path: Path, batch: str | None = None) -> Iterator[bytes]:
    """Yield the result lines of a batch, in the order in which the jobs ended; empty for a body that was not kept.

    Raises StoreError for a file that is no journal, and for a batch that it lacks.
    """
    with opened(path) as (db, journal):
        # The outer loop goes over the events in their order, so that nothing is sorted.
        lines = db.execute(
            f"""
            SELECT (SELECT outputs.line FROM attempts JOIN outputs ON outputs.attempt = attempts.id
                    WHERE attempts.job = jobs.id ORDER BY attempts.number DESC LIMIT 1)
            FROM events CROSS JOIN jobs ON jobs.id = events.job
            WHERE jobs.batch = ? AND jobs.state IN {ENDS}
              AND events.id = (SELECT max(id) FROM events AS later WHERE later.job = jobs.id)
            ORDER BY events.id
            """,
            (_find(db, journal, batch).id,),
        )
        for (line,) in lines:
            yield zlib.decompress(line) if line is not None else b""


def csv_lines(path: Path, batch: str | None = None) -> Iterator[bytes]:
    """Yield a head, then a row for each job of a batch, in the order of the job file. Times are in UTC.

    Raises StoreError for a file that is no journal, and for a batch that it lacks.
    """
    with opened(path) as (db, journal):
        rows = db.execute(
            """
            SELECT jobs.key, jobs.state, last.code, last.action, last.exception, last.response_id,
                   (SELECT count(*) FROM attempts WHERE job = jobs.id), last.model,
                   (SELECT sum(input_tokens) FROM attempts WHERE job = jobs.id),
                   (SELECT sum(output_tokens) FROM attempts WHERE job = jobs.id),
                   (SELECT sum(total_tokens) FROM attempts WHERE job = jobs.id),
                   (SELECT sum(cost) FROM attempts WHERE job = jobs.id),
                   (SELECT count(*) FROM attempts WHERE job = jobs.id AND state <> 'refused' AND total_tokens IS NULL),
                   jobs.created_at, last.submitted_at, last.ended_at
            FROM jobs LEFT JOIN attempts AS last ON last.job = jobs.id
              AND last.number = (SELECT max(number) FROM attempts WHERE job = jobs.id)
            WHERE jobs.batch = ? ORDER BY jobs.id
            """,
            (_find(db, journal, batch).id,),
        )
        yield _csv_line(COLUMNS)
        for *words, created, submitted, ended in rows:
            seconds = round(max(0, ended - submitted), 3) if ended is not None and submitted is not None else None
            yield _csv_line([*words, iso_text(created), iso_text(submitted), iso_text(ended), seconds])


def _csv_line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _find(db: sqlite3.Connection, journal: Path, name: str | None) -> BatchRow:
    """Return the batch of a name; without a name the only one of the file."""
    batches = read_batches(db)
    same = [batch for batch in batches if name in (None, batch.name)]
    if len(same) == 1:
        return same[0]
    names = ", ".join(batch.name for batch in batches[:20]) or "none"
    if name is not None:
        raise StoreError(f"{journal} has no batch {name!r}; its batches: {names}")
    if not batches:
        raise StoreError(f"{journal} has no batch yet")
    raise StoreError(f"{journal} has {len(batches)} batches; name one of them with --batch: {names}")
