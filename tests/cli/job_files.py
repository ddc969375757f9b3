"""Job files and their outputs, for the tests of `run`."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from command import REAL_TIME_SECONDS


def job(custom_id: str, outcome: str = "completed", **row: Any) -> dict[str, Any]:
    """One line of a job file, with its outcome scripted."""
    body = {"model": "gpt-5.5", "input": f"Research {custom_id}.", "metadata": {"emulate": outcome}}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": body, **row}


def write(path: Path, rows: list[Any]) -> Path:
    """A file of these lines."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for another process; a bound on a real wait, not a measure of speed."""
    limit = time.monotonic() + REAL_TIME_SECONDS
    while not condition():
        assert time.monotonic() < limit, "it did not come to that"
        time.sleep(0.01)


def submitted(output: Path) -> int:
    """How many runs the journal of an output has."""
    return count(output, "SELECT count(*) FROM attempts WHERE response_id IS NOT NULL")


def count(output: Path, sql: str) -> int:
    """The number that a query of the journal gives; 0 while there is no journal."""
    journal = output.with_name(output.name + ".db")
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
            return int(db.execute(sql).fetchone()[0])
    except sqlite3.OperationalError:
        return 0
