"""`runoutcome run`, killed again and again, and the journal of an earlier release that was killed."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from command import call, started
from job_files import count, job, read, wait_until, write

from runoutcome.testing import Emulator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")

JOBS = 48
REAL = Path(__file__).parents[1] / "cases" / "journals" / "d48255c"


def test_every_run_is_accounted_for_after_any_kill(tmp_path: Path) -> None:
    """SIGKILL at random moments: each paid run is in the journal, or is one of the POSTs that were in flight."""
    outcomes = ["completed", "server_error,completed", "content_filter"]
    jobs = write(tmp_path / "jobs.jsonl", [job(f"job-{nr}", outcomes[nr % 3]) for nr in range(JOBS)])
    output, dice = tmp_path / "out.jsonl", random.Random(11)
    words = ("run", jobs, "-o", output, "--concurrency", 8)
    events, unknown = "SELECT count(*) FROM events WHERE job IS NOT NULL", "SELECT count(*) FROM failures"
    with Emulator({"queued_seconds": 0.02, "running_seconds": 0.1}) as emulator:
        settings = {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "any"}
        for _ in range(5):
            target = count(output, events) + dice.randint(1, 40)
            with started(*words, **settings) as process:
                wait_until(lambda target=target: count(output, events) >= target or process.poll() is not None)
                process.send_signal(signal.SIGKILL)
        last = call(*words, **settings)
        held = count(output, f"{unknown} WHERE state = 'unknown'")
        made = {run.id: run.runoutcome_key for run in emulator.runs}
    with closing(sqlite3.connect(f"{output}.db")) as db:
        known = dict(db.execute("SELECT response_id, runoutcome_key FROM runs WHERE response_id IS NOT NULL"))
        open_keys = {key for (key,) in db.execute("SELECT runoutcome_key FROM runs WHERE state = 'unknown'")}
        tokens = sum(total or 0 for (total,) in db.execute("SELECT total_tokens FROM spend"))
    assert last.returncode == (3 if held else 1), last
    assert known.items() <= made.items()
    assert {key for run, key in made.items() if run not in known} <= open_keys
    assert max(Counter(made.values()).values()) == 1, "no key was paid for twice"
    rows = read(output)
    assert len(rows) == len({row["custom_id"] for row in rows}) == JOBS - held
    assert tokens == sum(row["response"]["body"]["usage"]["total_tokens"] for row in rows)
    resumed = re.search(r"^Resumed: (\d+) polled on, 0 paid twice, (\d+) unknown", last.stdout, re.MULTILINE)
    assert resumed is None or int(resumed[2]) == held


def test_results_that_were_deleted_are_written_anew(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str]
) -> None:
    """The command says so, asks the server for nothing, and counts them as before."""
    jobs = write(tmp_path / "jobs.jsonl", [job("one"), job("two", "insufficient_quota")])
    output = tmp_path / "out.jsonl"
    words = ("run", jobs, "-o", output, "--db", tmp_path / "runs.db")
    assert call(*words, **settings).returncode == 1
    before, asked = output.read_bytes(), len(emulator.requests)
    output.unlink()
    again = call(*words, **settings)
    assert "2 written anew from the journal" in again.stdout
    assert "2 of them had a result already" in again.stdout
    assert (output.read_bytes(), len(emulator.requests)) == (before, asked)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jobs.jsonl", "out.jsonl", "runs.db", "runs.db.lock"]


def test_without_bodies_no_prompt_is_in_the_journal(tmp_path: Path, settings: dict[str, str]) -> None:
    """With --no-bodies the database has neither the prompt nor the result, compressed or not."""
    jobs = write(tmp_path / "jobs.jsonl", [job("one")])
    assert call("run", jobs, "-o", tmp_path / "out.jsonl", "--no-bodies", **settings).returncode == 0
    assert count(tmp_path / "out.jsonl", "SELECT (SELECT count(*) FROM inputs) + (SELECT count(*) FROM outputs)") == 0
    assert count(tmp_path / "out.jsonl", "SELECT total_tokens > 0 FROM attempts") == 1


@pytest.mark.parametrize("name", ["jobs.jsonl", "out.jsonl"])
def test_a_journal_in_place_of_another_file_is_refused(tmp_path: Path, settings: dict[str, str], name: str) -> None:
    """--db with the jobs or the results is found before anything is sent."""
    jobs = write(tmp_path / "jobs.jsonl", [job("one")])
    done = call("run", jobs, "-o", tmp_path / "out.jsonl", "--db", tmp_path / name, **settings)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "choose another file" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]


def test_a_batch_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    """The runs that d48255c left in flight are polled by its tokens, not made again; its open POST is held."""
    for file in REAL.iterdir():
        shutil.copy(file, tmp_path)
    jobs, output = tmp_path / "jobs.jsonl", tmp_path / "out.jsonl"
    words = ("run", jobs, "-o", output, "--emulate", "--scenario", tmp_path / "scenario.toml")
    done = call(*words)
    assert done.returncode == 3, done
    assert "out.jsonl.runs was taken over by" in done.stdout
    assert "Resumed: 3 polled on, 0 paid twice, 1 unknown, held." in done.stdout
    held = [row["key"] for row in read(REAL / "out.jsonl.runs")][-1]
    assert f"  job-6  {held}\n" in done.stdout
    rows = {row["custom_id"]: row for row in read(output)}
    assert set(rows) == {f"job-{number}" for number in range(10)} - {"job-6"}
    ids = {row["custom_id"]: row["id"] for row in read(REAL / "out.jsonl.runs") if row["id"]}
    assert {name: rows[name]["response"]["body"]["id"] for name in ("job-0", "job-2", "job-3", "job-4")} == {
        name: ids[name] for name in ("job-0", "job-2", "job-3", "job-4")
    }
    with closing(sqlite3.connect(f"{output}.db")) as db:
        ended = dict(db.execute("SELECT response_id, state FROM runs"))
    assert {ended[ids[name]] for name in ("job-1", "job-5")} == {"failed"}, "they failed, and were made again"
    again = call(*words)
    assert "Resumed: 0 polled on, 0 paid twice, 1 unknown, held." in again.stdout
    assert "taken over" not in again.stdout
