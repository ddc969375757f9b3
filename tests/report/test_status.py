"""The status of a journal, while its owner runs and later; and files that have none."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from journals import Made, query

from runoutcome._waiting.resume_token import ResumeToken
from runoutcome.batch import JobLine, Store, StoreError
from runoutcome.report import read_status
from runoutcome.report._source import read_owner_status

JOBS = [JobLine(number, f"job-{number}", {"model": "m", "input": "secret prompt"}) for number in range(1, 4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the results go."""
    return tmp_path / "results.jsonl"


def opened(path: Path) -> Store:
    """The batch of three jobs."""
    store = Store(path, "one.example", command="the owner")
    store.check(JOBS)
    return store


def test_counts_are_those_of_the_reports(mixed: Made) -> None:
    """Jobs by state, and failures by code, are those of the batch that ran."""
    (batch,) = read_status(mixed.results).batches
    ends = Counter(report.outcome.status for report in mixed.reports if report.outcome)
    assert batch.states == ends
    assert (batch.jobs, batch.ended) == (18, 18)
    failures = Counter[tuple[str, str]]()
    for report in mixed.reports:
        if report.exception and report.outcome:
            failures[report.outcome.action, report.exception] += 1
    found = Counter[tuple[str, str]]()
    for group in batch.failures:
        found[group.action, group.exception or ""] += group.jobs
    assert found == failures


def test_the_most_urgent_failures_come_first(mixed: Made) -> None:
    """Groups of one action stand together: first the account, then the request, then what may be submitted again."""
    (batch,) = read_status(mixed.results).batches
    actions = list(dict.fromkeys(group.action for group in batch.failures))
    assert actions == ["fix_account", "change_request", "raise_limit", "resubmit", "none"]
    assert len(set(actions)) == len(actions)


def test_spend_is_the_sum_over_the_runs_of_the_server(mixed: Made) -> None:
    """Each run that the emulator made is counted once, with its tokens; runs made again and without usage apart."""
    (batch,) = read_status(mixed.results).batches
    runs = mixed.world.emulator.runs
    assert sum(row.runs for row in batch.spend) == len(runs)
    lines = [json.loads(line) for line in mixed.results.read_text().splitlines()]
    usages = [line["response"]["body"].get("usage") for line in lines]
    assert sum(row.total_tokens for row in batch.spend) == sum(usage["total_tokens"] for usage in usages if usage)
    assert sum(row.runs for row in batch.spend if row.is_again) == len(runs) - batch.jobs > 0
    (unknown,) = query(mixed.folder, "SELECT count(*) FROM attempts WHERE total_tokens IS NULL")
    assert sum(row.without_usage for row in batch.spend) == unknown[0] > 0
    assert {row.model for row in batch.spend} == {"m-0", "m-1"}


def test_a_batch_that_runs_is_read_beside_its_owner(path: Path) -> None:
    """The owner is named and lives; runs in flight and open POSTs are counted; nothing is written."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        store.note(JOBS[0], "submitted", token=ResumeToken("resp_1", 1.0, "k-1").dumps()).result()
        store.note(JOBS[1], "submitting", key="k-2").result()
        status = read_status(store.journal_path)
    (batch,) = status.batches
    assert status.owner is not None
    assert (status.owner.pid, status.owner.command, status.owner.is_alive) == (os.getpid(), "the owner", True)
    assert batch.states == {"queued": 1, "submitting": 1, "in_flight": 1}
    assert (batch.ended, batch.held) == (0, ())
    assert batch.in_flight_since is not None
    assert not status.is_finished
    assert all(row.is_going for row in batch.spend)


def test_held_jobs_are_named_with_their_keys(path: Path) -> None:
    """A job whose POST had no answer is held, under its key, and comes before every other failure."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        store.note(JOBS[0], "unknown").result()
        store.note(JOBS[1], "submitting", key="k-2").result()
        store.note(JOBS[1], "submitted", token=ResumeToken("resp_2", 1.0, "k-2").dumps()).result()
        store.note(JOBS[1], "gone").result()
    (batch,) = read_status(path).batches
    held = [(job.job, job.state, job.runoutcome_key, job.response_id) for job in batch.held]
    assert held == [("job-1", "unknown", "k-1", None), ("job-2", "gone", "k-2", "resp_2")]
    assert {group.action for group in batch.failures} == {"look_up"}
    (first,) = read_status(path, held=1).batches[0].held
    assert first.job == "job-1"


def test_an_owner_that_ended_does_not_live(path: Path) -> None:
    """After its end the owner is still named; that this process has its id does not make it live."""
    with opened(path):
        pass
    owner = read_status(path).owner
    assert owner is not None
    assert (owner.pid, owner.is_alive) == (os.getpid(), False)


def test_without_a_list_of_locks_the_process_decides(path: Path, tmp_path: Path) -> None:
    """On a system without /proc/locks an owner lives while there is a process with its id."""
    with opened(path) as store:
        journal = store.journal_path
    lock = journal.with_name(journal.name + ".lock")
    for pid, is_alive in ((os.getpid(), True), (2**22 + 1, False)):
        lock.write_text(json.dumps({**json.loads(lock.read_text()), "pid": pid}))
        owner = read_owner_status(journal, tmp_path / "none")
        assert owner is not None
        assert owner.is_alive is is_alive
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "host": "elsewhere"}))
    owner = read_owner_status(journal)
    assert owner is not None
    assert owner.is_alive is None


def test_limits_in_force_name_who_set_them(path: Path) -> None:
    """A limit has its value, and the process that set it."""
    with opened(path) as store:
        journal = store.journal_path
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute("INSERT INTO limits VALUES (1, 'requests_per_minute', 60, 5, 'someone')")
    ((limit,),) = [batch.limits for batch in read_status(path).batches]
    assert (limit.name, limit.value, limit.changed_by) == ("requests_per_minute", 60, "someone")


def test_results_name_the_journal_beside_them(mixed: Made, tmp_path: Path) -> None:
    """The results, their journal, and a link to either, name the same journal, also where the results are lost."""
    link = tmp_path / "link.jsonl"
    link.symlink_to(mixed.results)
    journal = str(mixed.results) + ".db"
    assert {read_status(Path(name)).journal for name in (mixed.results, journal, link)} == {os.path.realpath(journal)}
    copy = tmp_path / "lost.jsonl.db"
    shutil.copy(journal, copy)
    assert read_status(tmp_path / "lost.jsonl").jobs == 18


def test_files_without_a_journal_are_refused(tmp_path: Path) -> None:
    """A path that is missing, empty, a directory, foreign, newer, damaged or of an earlier release: one clear error."""
    foreign, newer, damaged = tmp_path / "foreign.db", tmp_path / "newer.db", tmp_path / "damaged.db"
    with closing(sqlite3.connect(foreign)) as db, db:
        db.execute("CREATE TABLE shelves (id INTEGER)")
    with Store(tmp_path / "newer", "") as store:
        journal = store.journal_path
    with closing(sqlite3.connect(newer)) as db, db:
        db.execute("PRAGMA user_version = 999")
    pages = bytearray(journal.read_bytes())
    for start in range(100, len(pages)):
        pages[start] = 0xFF
    damaged.write_bytes(pages)
    (tmp_path / "text.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "old.jsonl").touch()
    (tmp_path / "old.jsonl.runs").touch()
    words = {
        tmp_path / "none": "does not exist, and there is no",
        tmp_path: "is a directory; name a journal",
        tmp_path / "empty.jsonl": "is empty, and there is no",
        tmp_path / "old.jsonl": "of an earlier release",
        tmp_path / "text.jsonl": "no SQLite database. It was left as it is; name a journal",
        foreign: "of another program, not a journal of runoutcome; name a journal",
        newer: "was written by a later release",
        damaged: "is damaged",
    }
    for path, text in words.items():
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(StoreError, match=text):
            read_status(path)
        assert not path.is_file() or path.read_bytes() == before


def test_a_status_is_data(mixed: Made) -> None:
    """A status is plain JSON, without prompts and outputs."""
    text = json.dumps(read_status(mixed.results).to_dict())
    assert "secret prompt" not in text
    assert json.loads(text)["batches"][0]["name"] == "results.jsonl"
