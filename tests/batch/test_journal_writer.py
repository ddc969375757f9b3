"""The thread that writes the journal: groups, failures, and the two ways to wait."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from batches import query, read_rows

from runoutcome.batch import JobLine, Store
from runoutcome.batch._journal.writer import Writer

JOBS = [JobLine(number + 1, f"job-{number}", {"model": "m", "input": str(number)}) for number in range(50)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the results go."""
    return tmp_path / "results.jsonl"


class Held:
    """A change that keeps the writer busy until it is let go."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, db: sqlite3.Connection) -> None:
        """Wait."""
        self.began.set()
        assert self.go.wait(60)


def commits(store: Store) -> list[str]:
    """The commits that a store makes from here on."""
    made: list[str] = []
    assert store._db is not None
    store._db.set_trace_callback(lambda sql: made.append(sql) if sql == "COMMIT" else None)
    return made


def test_writers_that_come_together_share_a_commit(path: Path) -> None:
    """What gathers while one group is written becomes the next group, in its order."""
    with Store(path) as store:
        held, made = Held(), commits(store)
        first = store._write(held)
        assert held.began.wait(60)
        waiting = [store.note(job, "submitting", key=f"k-{job.line}") for job in JOBS]
        held.go.set()
        for commit in (first, *waiting):
            commit.result()
        assert len(made) == 2
    keys = query(store.journal_path, "SELECT key FROM attempts ORDER BY id")
    assert keys == [(f"k-{job.line}",) for job in JOBS]


def test_the_event_loop_goes_on_while_a_commit_is_awaited(path: Path) -> None:
    """`await` waits for the disk without blocking other tasks."""

    async def main(store: Store) -> None:
        held = Held()
        commit = store._write(held)

        async def let_go() -> None:
            held.go.set()

        await asyncio.gather(commit, let_go())
        await asyncio.gather(*(store.note(job, "submitting", key="k") for job in JOBS))

    with Store(path) as store:
        asyncio.run(main(store))
        assert len(store.past) == len(JOBS)


def test_a_wait_that_is_cancelled_leaves_the_write(path: Path) -> None:
    """The id of a paid run is written, whatever becomes of the task that noted it."""

    async def main(store: Store, held: Held) -> None:
        store._write(held)
        task = asyncio.ensure_future(store.note(JOBS[0], "submitting", key="k-1"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Store(path) as store:
        held = Held()
        asyncio.run(main(store, held))
        held.go.set()
    assert query(store.journal_path, "SELECT key FROM attempts") == [("k-1",)]


def test_one_change_that_fails_fails_alone(path: Path) -> None:
    """The others of its group are written, and no result line stands without its end."""

    def fail(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO events (at, batch, event) VALUES (0, 1, 'half')")
        raise sqlite3.OperationalError("database or disk is full")

    def row(number: int) -> dict[str, Any]:
        return {"id": "batch_req_1", "custom_id": f"job-{number}", "response": None, "outcome": {"status": "completed"}}

    with Store(path) as store:
        held = Held()
        store._write(held)
        assert held.began.wait(60)
        good = [store.add_result(row(0)), store.add_result(row(1))]
        bad = store._write(fail)
        last = store.add_result(row(2))
        held.go.set()
        with pytest.raises(OSError, match="disk is full") as caught:
            bad.result()
        assert caught.value.filename == str(store.journal_path)
        for commit in (*good, last):
            commit.result()
        assert store.finished == {"job-0", "job-1", "job-2"}
    assert [line["custom_id"] for line in read_rows(path)] == ["job-0", "job-1", "job-2"]
    assert query(store.journal_path, "SELECT count(*) FROM events WHERE event = 'half'") == [(0,)]


def test_closing_writes_what_is_on_its_way(path: Path) -> None:
    """Nothing that was handed over is dropped, and nothing is taken afterwards."""
    with Store(path) as store:
        for job in JOBS:
            store.note(job, "submitting", key=f"k-{job.line}")
    assert query(store.journal_path, "SELECT count(*) FROM attempts") == [(len(JOBS),)]
    with pytest.raises(RuntimeError, match="not open"):
        store.note(JOBS[0], "submitting", key="k")
    assert not any(thread.name == "runoutcome-journal" for thread in threading.enumerate())


def test_a_second_terminal_that_writes_is_waited_for(path: Path) -> None:
    """While another process is in the middle of a request, the owner's commit waits for it."""
    with Store(path) as store:
        other = sqlite3.connect(store.journal_path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            commit = store.note(JOBS[0], "submitting", key="k-1")
            assert not commit.future.done()
            other.execute("INSERT INTO requests (at, asked_by, command) VALUES (0, 'ann', 'cancel')")
            other.execute("COMMIT")
            commit.result()
        finally:
            other.close()
    assert query(store.journal_path, "SELECT count(*) FROM attempts") == [(1,)]


def test_a_writer_takes_any_number_of_changes(tmp_path: Path) -> None:
    """A queue longer than a group is several groups."""
    db = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    db.execute("CREATE TABLE numbers (number INTEGER)")
    writer = Writer(db, tmp_path / "x.db")
    done = [writer.write(lambda db, n=n: db.execute("INSERT INTO numbers VALUES (?)", (n,))) for n in range(2500)]
    writer.close()
    assert all(commit.future.done() for commit in done)
    assert query(tmp_path / "x.db", "SELECT count(*), max(number) FROM numbers") == [(2500, 2499)]
