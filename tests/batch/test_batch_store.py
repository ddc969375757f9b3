"""The two files of a batch: what is torn, what is foreign, who owns them, and what they remember."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from batches import read_rows

from runoutcome._waiting.resume_token import ResumeToken
from runoutcome.batch import JobLine, Store, StoreError

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
    store.note(job, "submitting", key=f"k-{job.custom_id}")
    store.add_result({"custom_id": job.custom_id, **ROW})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the results go."""
    return tmp_path / "results.jsonl"


def test_what_was_written_is_remembered(path: Path) -> None:
    """A store that is opened again knows every result and the last event of every job."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1")
        store.note(JOBS[0], "submitted", token=token(1))
        store.add_result({"custom_id": "a", **ROW})
        store.note(JOBS[1], "submitting", key="k-2")
    again = opened(path)
    assert again.finished == {"a"}
    assert {name: (past.event, past.token) for name, past in again.past.items()} == {
        "a": ("submitted", token(1)),
        "b": ("submitting", None),
    }


def test_a_line_is_on_disk_before_the_work_goes_on(path: Path) -> None:
    """Another reader sees each line at once: nothing waits in a buffer."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1")
        assert [row["event"] for row in read_rows(store.journal_path)] == ["submitting"]
        store.add_result({"custom_id": "a", **ROW})
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
            store.note(JOBS[0], name, token=token(number) if number else None)
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
        store.add_result({"custom_id": "a\u2028b\u0085c", **ROW})
    assert len(path.read_text("utf-8").splitlines()) == 1
    assert read_rows(path)[0]["custom_id"] == "a\u2028b\u0085c"


def test_a_torn_result_is_no_result(path: Path) -> None:
    """Wherever the last line is cut, the lines before it stay and the next line starts anew."""
    with opened(path) as store:
        finish(store, JOBS[0])
        first = path.read_bytes()
        finish(store, JOBS[1])
        store.note(JOBS[2], "submitting", key="k-c")
    whole = path.read_bytes()
    for cut in range(2, len(whole) - len(first) + 1):
        path.write_bytes(whole[:-cut])
        with opened(path) as store:
            assert store.finished == {"a"}
            assert path.read_bytes() == first
            store.add_result({"custom_id": "c", **ROW})
        assert [row["custom_id"] for row in read_rows(path)] == ["a", "c"]


def test_a_torn_journal_line_is_no_event(path: Path) -> None:
    """Half an id is no id: the job's POST may have gone through."""
    with opened(path) as store:
        store.note(JOBS[0], "submitting", key="k-1")
        first = store.journal_path.read_bytes()
        store.note(JOBS[0], "submitted", token=token(1))
        journal = store.journal_path
    whole = journal.read_bytes()
    for cut in range(2, len(whole) - len(first) + 1):
        journal.write_bytes(whole[:-cut])
        with opened(path) as store:
            assert (store.past["a"].event, store.past["a"].token) == ("submitting", None)
            store.note(JOBS[0], "submitted", token=token(1))
        assert journal.read_bytes() == whole


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
@pytest.mark.parametrize("which", ["results", "journal"])
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
@pytest.mark.parametrize("which", ["results", "journal"])
def test_a_foreign_file_without_a_newline_is_left_alone(path: Path, which: str, text: str) -> None:
    """What is no beginning of a line of ours is not a torn line of ours."""
    target = path if which == "results" else path.with_name("results.jsonl.runs")
    target.write_bytes(text.encode())
    with pytest.raises(StoreError), opened(path):
        pass
    assert target.read_bytes() == text.encode()


def test_a_journal_of_the_results_is_refused(path: Path) -> None:
    """Result lines are no journal: naming the files the wrong way round is found."""
    with opened(path) as store:
        store.add_result({"custom_id": "a", **ROW})
    path.rename(path.with_name("results.jsonl.runs"))
    with pytest.raises(StoreError, match="not a journal line"):
        opened(path)


@pytest.mark.parametrize("finished", [False, True])
def test_a_changed_body_is_refused(path: Path, finished: bool) -> None:
    """A job that was submitted with another body is named, finished or not: its result is not that of this body."""
    with opened(path) as store:
        store.note(JOBS[1], "submitting", key="k-1")
        store.note(JOBS[1], "submitted", token=token(1))
        if finished:
            store.add_result({"custom_id": "b", **ROW})
    changed = [JOBS[0], JobLine(2, "b", {"model": "m", "input": "changed"})]
    with pytest.raises(StoreError, match="line 2: 'b' was submitted with another body"):
        opened(path, changed)


def test_jobs_may_come_and_go(path: Path) -> None:
    """A file with more or fewer jobs than last time is no changed body."""
    with opened(path) as store:
        store.note(JOBS[1], "submitting", key="k-1")
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
        store.note(JOBS[0], "submitting", key="k-1")


def test_a_link_is_the_file_it_names(path: Path) -> None:
    """Through a symbolic link the same journal is read and the same lock is taken."""
    link = path.with_name("link.jsonl")
    link.symlink_to(path)
    with opened(link) as store:
        finish(store, JOBS[0])
        store.note(JOBS[1], "submitting", key="k-2")
        if sys.platform != "win32":
            with pytest.raises(StoreError, match="another process"), opened(path):
                pass
    again = opened(path)
    assert (again.finished, again.past["b"].key) == ({"a"}, "k-2")
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "link.jsonl",
        "results.jsonl",
        "results.jsonl.runs",
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
        store.note(JOBS[0], "submitting", key="k-1")
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
        finish(store, JOBS[1])
        store.note(JOBS[2], "submitting", key="k-c")
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
        store.note(JOBS[0], "submitting", key="k-1")
        store.note(JOBS[0], "submitted", token=token(1))
    store.journal_path.unlink()
    with pytest.raises(StoreError, match=r"is missing.*--forget-journal.*delete"):
        opened(path)
    with pytest.raises(StoreError, match="is missing"), Store(path):
        pass
    assert list(path.parent.iterdir()) == [path]
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
        other.note(JOBS[0], "submitting", key="k-1")
        finish(other, JOBS[1])
    with store:
        assert (store.finished, store.past["a"].event) == ({"b"}, "submitting")


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    """A folder that is not there and a path that is no file are found before anything is made."""
    with pytest.raises(StoreError, match="does not exist"):
        opened(tmp_path / "nowhere" / "results.jsonl")
    (tmp_path / "folder.runs").mkdir()
    for name in ("folder.runs", "folder"):
        with pytest.raises(StoreError, match="is not a file"):
            opened(tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.runs"]


@pytest.mark.parametrize("name", ["büro 日本", "a\nb", "x\u2028y", "q\x85z", '"\\', "\ud83d", "a" * 5000])
def test_an_id_of_any_text_is_found_again(path: Path, name: str) -> None:
    """Whatever is in a custom_id, its lines are read back as its own."""
    job = JobLine(1, name, {"model": "m", "input": name})
    with opened(path, [job]) as store:
        store.note(job, "submitting", key=name)
        store.note(job, "submitted", token=token(1))
        store.add_result({"custom_id": name, **ROW})
    again = opened(path, [job])
    assert (again.finished, again.past[name].token) == ({name}, token(1))
    assert len(path.read_bytes().splitlines()) == 1


def test_a_store_that_is_not_open_writes_nothing(path: Path) -> None:
    """Writing outside `with` is a mistake that is told."""
    with pytest.raises(RuntimeError, match="not open"):
        opened(path).note(JOBS[0], "submitting", key="k-1")
    assert not path.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_does_not_keep_the_lock(path: Path) -> None:
    """When the results cannot be written and the store is closed, the journal is closed as well."""
    store = opened(path).__enter__()
    assert store._results is not None
    assert store._journal is not None
    store._results.close()
    with open("/dev/full", "a+b") as full, closing(store._journal):
        store._results = full
        with pytest.raises(OSError, match="No space"):
            store.add_result({"custom_id": "a", **ROW})
        with pytest.raises(OSError, match="No space"):
            store.close()
        with opened(path):
            pass
