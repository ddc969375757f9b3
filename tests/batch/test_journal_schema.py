"""The database of a journal: its versions, and files that are none, damaged, or of another release."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
from batches import query

from runoutcome._waiting.resume_token import ResumeToken
from runoutcome.batch import JobLine, Store, StoreError
from runoutcome.batch._journal import schema
from runoutcome.batch._journal.requests import answer, ask, read_answer, read_requests
from runoutcome.batch._journal.schema import MIGRATIONS, check_version, open_journal, open_reader

JOB = JobLine(1, "a", {"model": "m", "input": "secret prompt"})
NEXT = (*MIGRATIONS, "CREATE TABLE shelves (id INTEGER PRIMARY KEY) STRICT; UPDATE batches SET server = 'moved';")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the results go."""
    return tmp_path / "results.jsonl"


def batch(path: Path) -> Store:
    """A batch with a run in flight."""
    store = Store(path, "one.example")
    with store:
        store.note(JOB, "submitting", key="k-1").result()
        store.note(JOB, "submitted", token=ResumeToken("resp_1", 1.0, "k-1").dumps()).result()
    return store


def test_the_schema_is_that_of_its_version(path: Path) -> None:
    """A released version never changes: what differs is a new version, with a migration."""
    released = (Path(__file__).parents[1] / "cases" / "journals" / "schema-1.sql").read_text("utf-8")
    assert MIGRATIONS[0].strip() == released.strip()
    store = batch(path)
    assert query(store.journal_path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert query(store.journal_path, "PRAGMA application_id") == [(0x72756E6F,)]


def test_an_older_journal_is_migrated(path: Path) -> None:
    """A reader sees it in the new form and changes nothing; the owner brings the file itself there, once."""
    journal = batch(path).journal_path
    before = journal.read_bytes()
    with closing(open_reader(journal, NEXT)) as db:
        assert db.execute("SELECT server FROM batches").fetchall() == [("moved",)]
    assert journal.read_bytes() == before
    with closing(open_journal(journal, NEXT)) as db:
        assert check_version(db, journal, NEXT) == len(NEXT)
        assert db.execute("SELECT response_id FROM runs").fetchall() == [("resp_1",)]
        db.execute("UPDATE batches SET server = 'kept'")
    with closing(open_journal(journal, NEXT)) as db:
        assert db.execute("SELECT server FROM batches").fetchall() == [("kept",)]


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    """All steps are one transaction: the old version stays whole and usable."""
    journal = batch(path).journal_path
    with pytest.raises(StoreError, match="syntax error"):
        open_journal(journal, (*NEXT, "CREATE NONSENSE;"))
    assert query(journal, "SELECT server FROM batches") == [("one.example",)]
    with Store(path, "one.example") as store:
        assert store.past["a"].event == "submitted"


def test_a_later_schema_is_left_alone(path: Path) -> None:
    """A journal of a later release gives one clear error, for readers and for the owner."""
    journal = batch(path).journal_path
    open_journal(journal, NEXT).close()
    before = journal.read_bytes()
    with pytest.raises(StoreError, match="later release"):
        Store(path).check([JOB])
    with pytest.raises(StoreError, match="later release"):
        open_journal(journal)
    assert journal.read_bytes() == before


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    """Its tables, its mode and its bytes stay as they are."""
    foreign = path.with_name("results.jsonl.db")
    with closing(sqlite3.connect(foreign)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    before = foreign.read_bytes()
    for use in (lambda: Store(path).check([JOB]), lambda: Store(path).__enter__(), lambda: open_journal(foreign)):
        with pytest.raises(StoreError, match="a database of another program"):
            use()
    assert foreign.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [foreign.name]


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    """Notes in place of the journal are named, and kept."""
    notes = path.with_name("results.jsonl.db")
    notes.write_text("buy milk\n" * 200)
    with pytest.raises(StoreError, match="no SQLite database"):
        Store(path).check([JOB])
    assert notes.read_text() == "buy milk\n" * 200


@pytest.mark.parametrize("where", ["first table", "every page"])
def test_a_damaged_journal_is_refused(path: Path, where: str) -> None:
    """Pages that contradict each other are found before any POST, and the file is left for `.recover`."""
    journal = batch(path).journal_path
    data = bytearray(journal.read_bytes())
    for page in range(4096, len(data), 4096):
        if where == "every page" or page == 4096:
            data[page : page + 2000] = b"\xff" * 2000
    journal.write_bytes(data)
    with pytest.raises(StoreError, match=r"is damaged.*\.recover"), Store(path):
        pass
    assert journal.read_bytes() == data


def test_an_old_sqlite_is_refused(path: Path) -> None:
    """Without STRICT tables there is no journal."""
    with (
        mock.patch.object(schema.sqlite3, "sqlite_version_info", (3, 36, 0)),
        pytest.raises(StoreError, match=r"needs SQLite 3\.37 or later"),
        Store(path),
    ):
        pass


def test_the_views_answer_what_a_person_asks(path: Path) -> None:
    """Spend is the sum over attempts, failed and unknown ones too; failures name what to do."""
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "reasoning_tokens": 2}
    outcome = {"status": "failed", "code": "server_error", "exception": "RunInternalServerError", "retryable": True}
    with Store(path) as store:
        for number in range(2):
            job = JobLine(number + 1, f"job-{number}", {"model": "m"})
            store.note(job, "submitting", key=f"k-{number}").result()
            row = {"custom_id": job.custom_id, "response": {"status_code": 200, "body": {"id": f"resp_{number}"}}}
            store.add_result({**row, "outcome": {**outcome, "model": "m", "usage": usage}}).result()
        store.note(JOB, "submitting", key="k-9").result()
        store.note(JOB, "unknown").result()
    spend = (
        "SELECT model, state, attempts, total_tokens, reasoning_tokens, cost, without_usage FROM spend ORDER BY state"
    )
    assert query(store.journal_path, spend) == [
        ("m", "failed", 2, 30, 4, None, 0),
        (None, "unknown", 1, None, None, None, 1),
    ]
    failures = "SELECT job, state, code, retryable, runoutcome_key FROM failures ORDER BY job"
    assert query(store.journal_path, failures) == [
        ("a", "unknown", None, None, "k-9"),
        ("job-0", "failed", "server_error", 1, "k-0"),
        ("job-1", "failed", "server_error", 1, "k-1"),
    ]


@pytest.mark.parametrize("count", [2**63, 10**30, -1, True, "7", None])
def test_usage_that_no_column_can_hold_is_not_known(path: Path, count: object) -> None:
    """Whatever a server counts, the end of the run is written."""
    with Store(path) as store:
        usage = {"input_tokens": 2**63 - 1, "output_tokens": count}
        row = {"custom_id": "a", "response": None, "outcome": {"status": "completed", "usage": usage, "code": "\ud800"}}
        store.add_result(row).result()
    assert query(store.journal_path, "SELECT state, output_tokens, code FROM runs") == [("completed", None, "\\ud800")]


def test_requests_of_other_processes_are_answered(path: Path) -> None:
    """While the owner has the journal, another connection writes a request; the owner reads it and answers."""
    with Store(path) as store:
        number = ask(store.journal_path, "set", {"concurrency": 4}, who="ann")
        with closing(open_reader(store.journal_path)) as db:
            (request,) = read_requests(db)
            assert (request.id, request.asked_by, request.command) == (number, "ann", "set")
            assert request.arguments == {"concurrency": 4}
        assert read_answer(store.journal_path, number) is None
        store._write(lambda db: answer(db, number, "done")).result()
        assert read_answer(store.journal_path, number) == "done"
        with closing(open_reader(store.journal_path)) as db:
            assert read_requests(db) == []
    with pytest.raises(StoreError, match="cannot be used"):
        ask(path.with_name("nowhere.db"), "set", {})
