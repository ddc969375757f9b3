"""The files of a batch: what is torn, what is foreign, who owns them, and what they remember."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batches import query, read_rows

from runoutcome._waiting.resume_token import ResumeToken
from runoutcome.batch import JobLine, Store, StoreError
from runoutcome.batch._journal.results_file import result_line
from runoutcome.batch._store import Resumed

JOBS = [JobLine(number + 1, name, {"model": "m", "input": name}) for number, name in enumerate("abc")]
ROW = {"id": "batch_req_1", "response": {"body": {"text": "é\u2028\x85"}}, "error": None, "outcome": {}}


def token(number: int) -> str:
    """The resume token of a run."""
    return ResumeToken(f"resp_{number}", 1.0, f"key-{number}").dumps()


def opened(path: Path, jobs: list[JobLine] = JOBS) -> Store:
    """A store as it is after `check`."""
    store = Store(path)
    store.check(jobs)
    return store


def finish(store: Store, job: JobLine) -> None:
    """A job with its result, as a batch writes it."""
    store.note(job, "submitting", key=f"k-{job.custom_id}").result()
    store.add_result({"custom_id": job.custom_id, **ROW}).result()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the results go."""
    return tmp_path / "results.jsonl"


def test_what_was_written_is_remembered(path: Path) -> None:
    """A store that is opened again knows every result and the last event of every job."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        store.note(JOBS[0], "submitted", token=token(1)).result()
        store.add_result({"custom_id": "a", **ROW}).result()
        store.note(JOBS[1], "submitting", key="k-2").result()
    again = opened(path)
    assert again.finished == {"a"}
    assert {name: (past.event, past.token) for name, past in again.past.items()} == {
        "a": ("submitted", token(1)),
        "b": ("submitting", None),
    }


def test_an_event_is_on_disk_before_the_work_goes_on(path: Path) -> None:
    """Another reader sees each event at once: nothing waits in a buffer."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        assert query(store.journal_path, "SELECT event FROM events WHERE job IS NOT NULL") == [("submitting",)]
        store.add_result({"custom_id": "a", **ROW}).result()
        assert len(read_rows(path)) == 1


@pytest.mark.parametrize(
    ("events", "event", "known"),
    [
        ([("submitting", None)], "submitting", None),
        ([("submitting", None), ("submitted", 1)], "submitted", 1),
        ([("submitting", None), ("refused", None)], "refused", None),
        ([("submitting", None), ("submitted", 1), ("submitting", None)], "submitting", None),
        ([("submitting", None), ("submitted", 1), ("submitting", None), ("submitted", 2)], "submitted", 2),
        ([("submitting", None), ("submitted", 1), ("submitting", None), ("refused", None)], "refused", 1),
        ([("submitting", None), ("refused", None), ("submitting", None), ("submitted", 2)], "submitted", 2),
        (
            [("submitting", None), ("submitted", 1), *[("submitting", None), ("refused", None)] * 3],
            "refused",
            1,
        ),
        (
            [("submitting", None), ("submitted", 1), ("submitting", None), ("refused", None), ("submitting", None)],
            "submitting",
            None,
        ),
    ],
)
def test_the_last_run_of_a_job_is_known(
    path: Path, events: list[tuple[Any, int | None]], event: str, known: int | None
) -> None:
    """What was refused was not made: the run before it is still the job's last; an open intent hides them all."""
    with opened(path) as store:
        for name, number in events:
            store.note(JOBS[0], name, token=token(number) if number else None).result()
        live = store.past["a"]
    for past in (live, opened(path).past["a"]):
        assert (past.event, past.token) == (event, token(known) if known else None)


def test_a_last_line_without_its_line_break_is_kept(path: Path) -> None:
    """An editor may save a file without the last line break: the line counts, and the next one starts anew."""
    with opened(path) as store:
        finish(store, JOBS[0])
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    with opened(path) as store:
        assert store.finished == {"a"}
        finish(store, JOBS[1])
    assert [row["custom_id"] for row in read_rows(path)] == ["a", "b"]


def test_line_separators_in_a_result_break_no_line(path: Path) -> None:
    """What splits a text into lines sees one line per result, whatever characters the model wrote."""
    with opened(path) as store:
        store.add_result({"custom_id": "a\u2028b\u0085c", **ROW}).result()
    assert len(path.read_text("utf-8").splitlines()) == 1
    assert read_rows(path)[0]["custom_id"] == "a\u2028b\u0085c"


def test_a_torn_result_is_no_result(path: Path) -> None:
    """Wherever the last line is cut, the lines before it stay, and it is written anew from the journal."""
    with opened(path) as store:
        finish(store, JOBS[0])
        first = path.read_bytes()
        finish(store, JOBS[1])
        store.note(JOBS[2], "submitting", key="k-c").result()
    whole = path.read_bytes()
    journal = store.journal_path.read_bytes()
    for cut in range(2, len(whole) - len(first) + 1):
        path.write_bytes(whole[:-cut])
        store.journal_path.write_bytes(journal)
        with opened(path) as store:
            assert store.finished == {"a", "b"}
            assert path.read_bytes() == whole
            store.add_result({"custom_id": "c", **ROW}).result()
        assert [row["custom_id"] for row in read_rows(path)] == ["a", "b", "c"]


FOREIGN = {
    "notes": "buy milk\n",
    "other JSON": '{"id": 7}\n',
    "a list": "[1, 2]\n",
    "a number": "7\n",
    "a job file": '{"custom_id": 7, "method": "POST"}\n',
    "binary": "\udcff\udcfe\n",
    "later": '{"custom_id": "a"}\nbuy milk\n',
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("which", ["results", "journal of an earlier release"])
def test_a_foreign_file_is_refused_and_left_alone(path: Path, which: str, text: str) -> None:
    """A file that no batch wrote is named, with its line, and not touched."""
    target = path if which == "results" else path.with_name("results.jsonl.runs")
    data = text.encode("utf-8", "surrogateescape")
    target.write_bytes(data)
    with pytest.raises(StoreError, match=r"line [12] is no"):
        opened(path)
    with pytest.raises(StoreError, match=r"line [12] is no"), Store(path):
        pass
    assert target.read_bytes() == data


@pytest.mark.parametrize("text", ["buy milk", '{"answer": [1, 2, 3]}', '[{"custom_id": "a"}]', "# Notes\r# More"])
@pytest.mark.parametrize("which", ["results", "journal of an earlier release"])
def test_a_foreign_file_without_a_newline_is_left_alone(path: Path, which: str, text: str) -> None:
    """What is no beginning of a line of ours is not a torn line of ours."""
    target = path if which == "results" else path.with_name("results.jsonl.runs")
    target.write_bytes(text.encode())
    with pytest.raises(StoreError), opened(path):
        pass
    assert target.read_bytes() == text.encode()


def test_results_in_place_of_a_journal_are_refused(path: Path) -> None:
    """Result lines are no journal: naming the files the wrong way round is found, and both are left alone."""
    with opened(path) as store:
        store.add_result({"custom_id": "a", **ROW}).result()
    before = path.read_bytes(), store.journal_path.read_bytes()
    with pytest.raises(StoreError, match="is not a journal: no SQLite database"), Store(path, database=path):
        pass
    with pytest.raises(StoreError, match="is not a result line"), Store(store.journal_path):
        pass
    assert (path.read_bytes(), store.journal_path.read_bytes()) == before


@pytest.mark.parametrize("finished", [False, True])
def test_a_changed_body_is_refused(path: Path, finished: bool) -> None:
    """A job that was submitted with another body is named, finished or not: its result is not that of this body."""
    with opened(path) as store:
        store.note(JOBS[1], "submitting", key="k-1").result()
        store.note(JOBS[1], "submitted", token=token(1)).result()
        if finished:
            store.add_result({"custom_id": "b", **ROW}).result()
    changed = [JOBS[0], JobLine(2, "b", {"model": "m", "input": "changed"})]
    with pytest.raises(StoreError, match="line 2: 'b' was submitted with another body"):
        opened(path, changed)


def test_jobs_may_come_and_go(path: Path) -> None:
    """A file with more or fewer jobs than last time is no changed body."""
    with opened(path) as store:
        store.note(JOBS[1], "submitting", key="k-1").result()
    opened(path, [JOBS[0]])
    opened(path, [*JOBS, JobLine(4, "d", {"model": "m"})])


@pytest.mark.skipif(sys.platform == "win32", reason="the lock is a POSIX lock")
def test_two_processes_cannot_write_one_batch(path: Path) -> None:
    """While one process has the store open another is refused, and gets it afterwards."""
    code = (
        "import sys; from pathlib import Path; from runoutcome.batch import Store\n"
        f"with Store(Path({str(path)!r})): print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match="another process"), opened(path):
            pass
        other.communicate()
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()


def test_a_link_is_the_file_it_names(path: Path) -> None:
    """Through a symbolic link the same journal is read and the same lock is taken."""
    link = path.with_name("link.jsonl")
    link.symlink_to(path)
    with opened(link) as store:
        finish(store, JOBS[0])
        store.note(JOBS[1], "submitting", key="k-2").result()
        if sys.platform != "win32":
            with pytest.raises(StoreError, match="another process"), opened(path):
                pass
    again = opened(path)
    assert (again.finished, again.past["b"].key) == ({"a"}, "k-2")
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "link.jsonl",
        "results.jsonl",
        "results.jsonl.db",
        "results.jsonl.db.lock",
    ]


@pytest.mark.parametrize("which", ["results", "journal"])
def test_a_file_with_a_second_name_is_refused(path: Path, which: str) -> None:
    """A hard link cannot be told from the file, so neither name is written, and nothing is made."""
    with opened(path) as store:
        finish(store, JOBS[0])
        linked = path if which == "results" else store.journal_path
    other = linked.with_name(linked.name.replace("results", "other"))
    other.hardlink_to(linked)
    for name in (path, path.with_name("other.jsonl")):
        before = sorted(path.parent.iterdir())
        with pytest.raises(StoreError, match=r"hard link.* remove the other name .*samefile"), opened(name):
            pass
        assert sorted(path.parent.iterdir()) == before


def test_another_output_is_said_to_cost_new_runs(path: Path) -> None:
    """The way out that pays again says so."""
    with Store(path, "one.example") as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
    with pytest.raises(StoreError, match="choose another output, where its jobs become new, paid runs"):
        Store(path, "two.example").check(JOBS)
    with pytest.raises(StoreError, match="choose another output, where its jobs become new, paid runs"):
        opened(path, [JobLine(1, "a", {"model": "m", "input": "changed"})])


@pytest.mark.parametrize("journal", [None, "empty", "older"])
def test_results_without_their_journal_are_refused(path: Path, journal: str | None) -> None:
    """Results that the journal does not know stop the batch until it is told to go on, which the journal then notes."""
    with opened(path) as store:
        finish(store, JOBS[0])
    kept = store.journal_path.read_bytes()
    with opened(path) as store:
        finish(store, JOBS[1])
        store.note(JOBS[2], "submitting", key="k-c").result()
    store.journal_path.unlink()
    if journal is not None:
        store.journal_path.write_bytes(b"" if journal == "empty" else kept)
    before = sorted(path.parent.iterdir())
    with pytest.raises(StoreError, match="--forget-journal"):
        opened(path)
    with pytest.raises(StoreError, match="--forget-journal"), Store(path):
        pass
    assert sorted(path.parent.iterdir()) == before
    with Store(path, forget_journal=True) as forgetful:
        assert forgetful.finished == {"a", "b"}
        assert "c" not in forgetful.past
    assert opened(path).finished == {"a", "b"}


def test_empty_results_without_a_journal_are_refused(path: Path) -> None:
    """The journal is made first, so empty results alone have lost it, or a user made them, who can delete the file."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        store.note(JOBS[0], "submitted", token=token(1)).result()
    store.journal_path.unlink()
    with pytest.raises(StoreError, match=r"is missing.*--forget-journal.*delete"):
        opened(path)
    with pytest.raises(StoreError, match="is missing"), Store(path):
        pass
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, "results.jsonl.db.lock"}
    with Store(path, forget_journal=True):
        pass
    with opened(path) as again:
        assert again.past == {}


def test_a_start_that_was_killed_before_the_results_were_made_goes_on(path: Path) -> None:
    """A journal alone is the beginning of a batch."""
    with opened(path) as store:
        pass
    path.unlink()
    with opened(path) as again:
        finish(again, JOBS[0])
    assert store.journal_path.exists()


def test_what_happened_between_check_and_lock_counts(path: Path) -> None:
    """A store reads the files again once it has the lock."""
    store = opened(path)
    with opened(path) as other:
        other.note(JOBS[0], "submitting", key="k-1").result()
        finish(other, JOBS[1])
    with store:
        assert (store.finished, store.past["a"].event) == ({"b"}, "submitting")


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    """A folder that is not there and a path that is no file are found before anything is made."""
    with pytest.raises(StoreError, match="does not exist"):
        opened(tmp_path / "nowhere" / "results.jsonl")
    (tmp_path / "folder.db").mkdir()
    for name in ("folder.db", "folder"):
        with pytest.raises(StoreError, match="is not a file"):
            opened(tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.db"]


@pytest.mark.parametrize("name", ["büro 日本", "a\nb", "x\u2028y", "q\x85z", '"\\', "a" * 5000])
def test_an_id_of_any_text_is_found_again(path: Path, name: str) -> None:
    """Whatever is in a custom_id, its lines are read back as its own."""
    job = JobLine(1, name, {"model": "m", "input": name})
    with opened(path, [job]) as store:
        store.note(job, "submitting", key=name).result()
        store.note(job, "submitted", token=token(1)).result()
        store.add_result({"custom_id": name, **ROW}).result()
    again = opened(path, [job])
    assert (again.finished, again.past[name].token) == ({name}, token(1))
    assert len(path.read_bytes().splitlines()) == 1


def test_a_store_that_is_not_open_writes_nothing(path: Path) -> None:
    """Writing outside `with` is a mistake that is told."""
    with pytest.raises(RuntimeError, match="not open"):
        opened(path).note(JOBS[0], "submitting", key="k-1")
    assert not path.exists()


def test_results_that_were_deleted_are_written_anew(path: Path) -> None:
    """The lines come from the journal, byte for byte, and the store says so."""
    with opened(path) as store:
        finish(store, JOBS[0])
        finish(store, JOBS[1])
    whole = path.read_bytes()
    path.unlink()
    with opened(path) as again:
        assert path.read_bytes() == whole
        assert "2 written anew from the journal" in again.notes[0]
        assert again.resumed == (0, 0, 0)
    with opened(path) as again:
        assert again.notes == []


def test_results_that_were_moved_are_found_by_the_journal(path: Path) -> None:
    """With the journal named, another path for the results of its only batch is no new batch."""
    journal = path.with_name("runs.db")
    with Store(path, database=journal) as store:
        finish(store, JOBS[0])
        store.note(JOBS[1], "submitting", key="k-2").result()
    for name, notes in (("copied.jsonl", 0), ("new.jsonl", 1)):
        path = path.rename(path.with_name(name))
        if notes:
            path.unlink()
        with Store(path, database=journal) as again:
            assert (again.finished, again.past["b"].key, len(again.notes)) == ({"a"}, "k-2", notes)
    assert len(query(journal, "SELECT * FROM batches")) == 1


def test_other_jobs_in_the_journal_of_deleted_results_are_a_new_batch(path: Path) -> None:
    """Results that were read and deleted are not written into those of another batch."""
    journal = path.with_name("runs.db")
    with Store(path, database=journal) as store:
        finish(store, JOBS[0])
    path.unlink()
    for jobs in ([JobLine(1, "other", {"model": "m"})], [JobLine(1, "a", {"model": "m", "input": "changed"})]):
        other = Store(path.with_name(f"{jobs[0].custom_id}.jsonl"), database=journal)
        other.check(jobs)
        with other:
            assert (other.finished, other.notes) == (set(), [])


@pytest.mark.parametrize("name", ["büro ?&%20#.jsonl", "file:x?mode=memory", "ä\udcff.jsonl"])
def test_a_name_of_any_characters_is_one_file(tmp_path: Path, name: str) -> None:
    """The name of a journal is a path, not an address."""
    if sys.platform != "linux":
        pytest.skip("names that other systems refuse")
    with Store(tmp_path / name, command=f"run {name}") as store:
        finish(store, JOBS[0])
    with Store(tmp_path / name) as store:
        assert store.finished == {"a"}
    assert {entry.name for entry in tmp_path.iterdir()} == {name, f"{name}.db", f"{name}.db.lock"}


def test_one_journal_keeps_several_batches_apart(path: Path) -> None:
    """Two results with one journal are two batches; their jobs of one name have nothing to do with each other."""
    journal, other = path.with_name("runs.db"), path.with_name("other.jsonl")
    with Store(path, "one.example", database=journal) as store:
        finish(store, JOBS[0])
    with Store(other, "two.example", database=journal) as store:
        assert (store.past, store.resumed) == ({}, None)
        store.note(JOBS[0], "submitting", key="k-other").result()
    with Store(path, "one.example", database=journal) as store:
        assert (store.finished, store.past["a"].key) == ({"a"}, "k-a")
    assert query(journal, "SELECT name, server FROM batches") == [
        ("results.jsonl", "one.example"),
        ("other.jsonl", "two.example"),
    ]


def test_without_bodies_the_journal_has_neither_prompts_nor_results(path: Path) -> None:
    """Results that are lost are then polled again, by the ids in the journal."""
    store = Store(path, keep_bodies=False)
    store.check(JOBS)
    with store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        store.note(JOBS[0], "submitted", token=token(1)).result()
        store.add_result({"custom_id": "a", **ROW}).result()
    assert query(store.journal_path, "SELECT count(*) FROM inputs UNION ALL SELECT count(*) FROM outputs") == [
        (0,),
        (0,),
    ]
    path.unlink()
    with opened(path) as again:
        assert (again.finished, again.past["a"].token) == (set(), token(1))
        assert again.resumed == (1, 0, 0)
        assert "1 asked for again" in again.notes[0]
    assert query(store.journal_path, "SELECT state FROM jobs WHERE key = 'a'") == [("in_flight",)]


def test_a_result_line_without_its_end_in_the_journal_is_completed(path: Path) -> None:
    """After a kill between the line and the commit, the line counts, and the journal gets the end from it."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        store.note(JOBS[0], "submitted", token=token(1)).result()
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    row = {"custom_id": "a", **ROW, "outcome": {"status": "failed", "code": "server_error", "usage": usage}}
    path.write_bytes(result_line(row).data)
    with opened(path) as again:
        assert again.finished == {"a"}
    assert read_rows(path) == [row]
    assert query(store.journal_path, "SELECT state, code, total_tokens FROM runs") == [("failed", "server_error", 7)]


def test_what_a_resume_finds_is_counted(path: Path) -> None:
    """Runs in flight, POSTs without an answer, and those that were made again although they may exist."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        store.note(JOBS[0], "submitted", token=token(1)).result()
        for number, job in enumerate(JOBS[1:]):
            store.note(job, "submitting", key=f"k-{number}").result()
        store.note(JOBS[1], "unknown").result()
        store.note(JOBS[1], "submitting", key="k-again").result()
    with opened(path) as again:
        assert again.resumed == Resumed(polled_on=1, paid_twice=1, unknown=2)
    reasons = query(path.with_name("results.jsonl.db"), "SELECT job, attempt, reason FROM runs ORDER BY job, attempt")
    assert reasons == [("a", 1, None), ("b", 1, None), ("b", 2, "after unknown"), ("c", 1, None)]


def test_a_growing_job_file_adds_jobs(path: Path) -> None:
    """New lines are new jobs, and a job that left the file before it was submitted is dropped."""
    with opened(path, JOBS[:2]) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
    with opened(path, [JOBS[1], JOBS[2]]):
        pass
    jobs = query(store.journal_path, "SELECT key, state FROM jobs ORDER BY id")
    assert jobs == [("a", "unknown"), ("b", "queued"), ("c", "queued")]
    with opened(path, JOBS[:1]):
        pass
    assert query(store.journal_path, "SELECT key FROM jobs") == [("a",)]


def test_a_clock_that_jumps_loses_nothing(path: Path) -> None:
    """Events keep their order and runs their last state, whatever the wall clock says."""
    times = iter([5000.0, 5000.0, 5000.0, 5000.0, *[10.0] * 20])
    with opened(path) as store:
        store._batch = replace(store._batch, now=lambda: next(times))
        store.note(JOBS[0], "submitting", key="k-1").result()
        store.note(JOBS[0], "submitted", token=token(1)).result()
        store.note(JOBS[0], "submitting", key="k-2").result()
        store.note(JOBS[0], "submitted", token=token(2)).result()
    assert opened(path).past["a"].token == token(2)
    assert query(store.journal_path, "SELECT seconds FROM runs WHERE seconds < 0") == []
    events = query(store.journal_path, "SELECT event FROM events WHERE job IS NOT NULL ORDER BY id")
    assert events == [("submitting",), ("in_flight",)] * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_writes_neither_the_line_nor_its_end(path: Path) -> None:
    """A result that finds no room is in neither file, the id of another run still gets in, and the lock is given up."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1").result()
        own = store.results._file
        with open("/dev/full", "a+b", buffering=0) as full:
            store.results._file = full
            with pytest.raises(OSError, match="No space"):
                store.add_result({"custom_id": "a", **ROW}).result()
            store.note(JOBS[0], "submitted", token=token(1)).result()
            store.results._file = own
    with opened(path) as again:
        assert (again.finished, again.past["a"].token) == (set(), token(1))
