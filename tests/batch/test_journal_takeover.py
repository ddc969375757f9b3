"""The text journal of an earlier release: a real one of d48255c, killed with runs in flight, and its corners."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batches import KilledError, query, read_rows

from runoutcome._waiting.resume_token import ResumeToken
from runoutcome.batch import JobLine, Store, StoreError, read_jobs
from runoutcome.batch._journal.takeover import TextJournal

REAL = Path(__file__).parents[1] / "cases" / "journals" / "d48255c"
JOBS = [JobLine(number + 1, name, {"model": "m", "input": name}) for number, name in enumerate("abc")]


def event(job: JobLine, name: str, number: int | None = None, key: str | None = "k") -> dict[str, Any]:
    """A line of a text journal."""
    token = ResumeToken(f"resp_{number}", 1000.0 + number, key).dumps() if number else None
    shown = None if number else key
    row = {"custom_id": job.custom_id, "id": f"resp_{number}" if number else None, "event": name, "key": shown}
    return row | {"body": job.digest, "token": token, "place": "one.example"}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    """Append lines to the text journal of these results."""
    journal = path.with_name(path.name + ".runs")
    with journal.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Results of an earlier release, with a run in flight, one that was refused, and a POST without an answer."""
    path = tmp_path / "results.jsonl"
    path.touch()
    write(path, event(JOBS[0], "submitting", key="k-1"), event(JOBS[0], "submitted", 1, key="k-1"))
    write(path, event(JOBS[1], "submitting", key="k-2"), event(JOBS[1], "refused", key="k-2"))
    write(path, event(JOBS[2], "submitting", key="k-3"))
    return path


def opened(path: Path) -> Store:
    """A store as it is after `check`."""
    store = Store(path, "one.example")
    store.check(JOBS)
    return store


def assert_taken_over(store: Store) -> None:
    """Every event is in the database, and the earlier release cannot go on."""
    assert {name: (past.event, past.key, bool(past.token)) for name, past in store.past.items()} == {
        "a": ("submitted", "k-1", True),
        "b": ("refused", "k-2", False),
        "c": ("submitting", "k-3", False),
    }
    assert store.resumed == (1, 0, 1)
    text = store.results_path.with_name(store.results_path.name + ".runs")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(text.read_bytes().splitlines()[0])


def test_a_real_journal_is_known(tmp_path: Path) -> None:
    """Every run of d48255c is in the database, with its token, its results, and the POST that had no answer."""
    for file in REAL.iterdir():
        shutil.copy(file, tmp_path)
    text = read_rows(tmp_path / "out.jsonl.runs")
    store = Store(tmp_path / "out.jsonl", "the emulator")
    store.check(read_jobs(tmp_path / "jobs.jsonl"))
    assert not store.journal_path.exists()
    with store:
        assert (
            store.finished == {row["custom_id"] for row in read_rows(REAL / "out.jsonl")} == {"job-0", "job-2", "job-3"}
        )
        assert store.resumed == (3, 0, 1)
        tokens = {row["custom_id"]: row["token"] for row in text if row["token"]}
        assert {name: past.token for name, past in store.past.items() if past.token} == tokens
    states = dict(query(store.journal_path, "SELECT key, state FROM jobs"))
    assert states["job-6"] == "unknown"
    assert [states[f"job-{number}"] for number in (0, 1, 2, 7)] == ["completed", "in_flight", "incomplete", "queued"]
    assert query(store.journal_path, "SELECT count(*) FROM outputs") == [(3,)]
    assert (tmp_path / "out.jsonl.runs.taken-over").read_bytes() == (REAL / "out.jsonl.runs").read_bytes()


def test_a_text_journal_is_taken_over_once(path: Path) -> None:
    """The first start says so, the next ones find the database alone."""
    with opened(path) as store:
        assert_taken_over(store)
        assert "was taken over" in store.notes[0]
        store.note(JOBS[1], "submitting", key="k-4").result()
    with opened(path) as again:
        assert (again.past["b"].key, again.notes) == ("k-4", [])
    times = query(store.journal_path, "SELECT cast(created_at AS INTEGER) FROM attempts WHERE key = 'k-1'")
    assert times == [(1001,)]


def test_a_torn_last_line_is_no_event(path: Path) -> None:
    """Half an id is no id: the POST may have gone through."""
    journal = write(path, event(JOBS[2], "submitted", 3, key="k-3"))
    journal.write_bytes(journal.read_bytes()[:-30])
    with opened(path) as store:
        assert_taken_over(store)


@pytest.mark.parametrize("at", ["copy", "replace"])
def test_a_kill_between_commit_and_replacement_is_repaired(path: Path, monkeypatch: Any, at: str) -> None:
    """Whether the old lines were copied already or not, the next start only replaces the text."""
    before = path.with_name("results.jsonl.runs").read_bytes()
    kill(monkeypatch, at)
    with pytest.raises(KilledError), opened(path):
        pass
    monkeypatch.undo()
    assert path.with_name("results.jsonl.runs").read_bytes() == before
    with opened(path) as store:
        assert_taken_over(store)
        assert store.notes == []
    assert len(query(store.journal_path, "SELECT * FROM attempts")) == 3


def test_what_an_earlier_release_did_after_a_kill_counts(path: Path, monkeypatch: Any) -> None:
    """If it went on before the text was replaced, the takeover is made again, with the new lines."""
    kill(monkeypatch, "copy")
    with pytest.raises(KilledError), opened(path):
        pass
    monkeypatch.undo()
    write(path, event(JOBS[1], "submitting", key="k-4"), event(JOBS[1], "submitted", 4, key="k-4"))
    with opened(path) as store:
        assert (store.past["b"].event, store.resumed) == ("submitted", (2, 0, 1))
    assert len(query(store.journal_path, "SELECT * FROM attempts")) == 4


def test_two_journals_of_one_batch_are_refused(path: Path) -> None:
    """A text that was put back after the batch went on in the database stops it."""
    with opened(path) as store:
        store.note(JOBS[1], "submitting", key="k-4").result()
    text = path.with_name("results.jsonl.runs")
    text.unlink()
    write(path, event(JOBS[0], "submitting", key="k-9"))
    for use in (opened, lambda path: Store(path).__enter__()):
        with pytest.raises(StoreError, match="are both journals of"):
            use(path)
    assert store.journal_path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the lock is a POSIX lock")
def test_an_earlier_release_that_is_running_is_left_alone(path: Path) -> None:
    """While it has its journal locked nothing is taken over."""
    import fcntl

    text = path.with_name("results.jsonl.runs")
    before = text.read_bytes()
    with text.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process is writing"), opened(path):
            pass
    assert text.read_bytes() == before
    with opened(path) as store:
        assert_taken_over(store)


def test_a_journal_beside_a_link_is_found(path: Path) -> None:
    """Earlier releases kept it beside the name that they were given."""
    link = path.with_name("link.jsonl")
    link.symlink_to(path)
    path.with_name("results.jsonl.runs").rename(path.with_name("link.jsonl.runs"))
    with opened(link) as store:
        assert store.resumed == (1, 0, 1)
    assert TextJournal.read(path.with_name("link.jsonl.runs")) is None
    with opened(path) as again:
        assert again.past["a"].event == "submitted"


def test_forgotten_results_stay_known(path: Path) -> None:
    """Results that were accepted without a journal are ended attempts, and need no option again."""
    path.write_text(json.dumps({"id": "batch_req_1", "custom_id": "z", "response": None}) + "\n")
    write(path, {"custom_id": "z", "event": "forgotten", "place": "one.example"})
    with opened(path) as store:
        assert store.past["z"].event == "forgotten"
    with opened(path) as again:
        assert again.finished == {"z"}


def test_another_host_and_another_body_are_refused_before_the_takeover(path: Path) -> None:
    """A batch that may not go on stays the earlier release's."""
    before = {entry.name: entry.read_bytes() for entry in path.parent.iterdir()}
    with pytest.raises(StoreError, match=r"belongs to runs on one\.example"):
        Store(path, "two.example").check(JOBS)
    with pytest.raises(StoreError, match="was submitted with another body"):
        Store(path).check([JobLine(1, "a", {"model": "m", "input": "changed"})])
    assert {entry.name: entry.read_bytes() for entry in path.parent.iterdir()} == before


def kill(monkeypatch: Any, at: str) -> None:
    """Die after the commit: before the old lines are copied, or before the note replaces the text."""
    target: tuple[Any, str] = (TextJournal, "put_aside") if at == "copy" else (Path, "replace")

    def die(*_: object) -> None:
        raise KilledError

    replacement: Callable[..., None] = die
    monkeypatch.setattr(*target, replacement)
