"""`runoutcome status`, `report` and `export`, over the journals of batches that ran on an emulator."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import pytest
from command import call, complaint, started
from job_files import job, submitted, wait_until, write

from runoutcome.testing import Emulator


@pytest.fixture
def ended(tmp_path: Path, emulator: Emulator, settings: dict[str, str]) -> Path:
    """The results of a batch that ended, not all of it well."""
    rows = [job("good"), job("poor", "insufficient_quota"), job("=cmd", "server_error,completed")]
    out = tmp_path / "out.jsonl"
    done = call("run", write(tmp_path / "jobs.jsonl", rows), "-o", out, **settings)
    assert done.returncode == 1, done.stderr
    return out


def test_status_says_what_happened_and_what_to_do(ended: Path) -> None:
    """Counts, what to do, and spend; the exit code is 1 because one job did not complete."""
    done = call("status", ended)
    assert (done.returncode, done.stderr) == (1, "")
    assert "out.jsonl: 3 of 3 jobs ended" in done.stdout
    assert "Fix account: 1 job. Mend the account" in done.stdout
    assert "1  RunRateLimitError insufficient_quota" in done.stdout
    assert "of these, 1 run made again" in done.stdout
    assert "not in it: 2 runs whose usage is unknown" in done.stdout
    assert call("status", f"{ended}.db").stdout.splitlines()[0] == done.stdout.splitlines()[0]


def test_status_as_json_is_one_line(ended: Path) -> None:
    """`--json` has the batches of the journal, with their spend by model and end."""
    done = call("status", ended, "--json")
    (batch,) = json.loads(done.stdout)["batches"]
    assert (batch["jobs"], batch["states"]) == (3, {"completed": 2, "failed": 1})
    assert {row["state"] for row in batch["spend"]} == {"completed", "failed"}


def test_status_reads_beside_the_owner_and_after_its_kill(tmp_path: Path, settings: dict[str, str]) -> None:
    """While `run` works, its process is named as running; after a kill the run is in flight, and the code is 3."""
    out = tmp_path / "out.jsonl"
    jobs = write(tmp_path / "jobs.jsonl", [job(f"job-{number}", "stuck") for number in range(3)])
    with started("run", jobs, "-o", out, **settings) as process:
        wait_until(lambda: submitted(out) == 3)
        done = call("status", out)
        assert done.returncode == 3
        assert f"pid {process.pid} on" in done.stdout
        assert ": running" in done.stdout
        assert "jobs         3 in flight" in done.stdout
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = call("status", out)
    assert done.returncode == 3
    assert ": ended" in done.stdout
    assert "in flight    the oldest for" in done.stdout


def test_all_completed_is_code_0(tmp_path: Path, emulator: Emulator, settings: dict[str, str]) -> None:
    """A batch whose jobs all completed has the exit code 0."""
    jobs = write(tmp_path / "jobs.jsonl", [job("good")])
    call("run", jobs, "-o", tmp_path / "out.jsonl", **settings)
    assert call("status", tmp_path / "out.jsonl").returncode == 0


@pytest.mark.parametrize("command", ["status", "report", "export"])
def test_a_file_without_a_journal_is_one_line(tmp_path: Path, command: str) -> None:
    """A file that is missing, or is no journal, is one line that names it, and exit code 2."""
    words = ["--json"] if command == "report" else []
    line = complaint(call(command, tmp_path / "none", *words))
    assert line == f"runoutcome: {tmp_path}/none does not exist, and there is no {tmp_path}/none.db"
    text = write(tmp_path / "text", ["no journal"])
    assert "is not a journal" in complaint(call(command, text, *words))
    assert os.listdir(tmp_path) == ["text"]


def test_report_is_a_page_or_figures(ended: Path, tmp_path: Path) -> None:
    """`-o` writes the page, `--json` prints the figures; both may be asked for, and one of them must be."""
    page = tmp_path / "report.html"
    done = call("report", ended, "-o", page, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["retries"][0]["runs"] == 1
    assert "2 of 3 jobs completed. 1 ended otherwise." in page.read_text("utf-8")
    assert call("report", ended, "-o", "-").stdout.startswith("<!DOCTYPE html>")
    assert "-o report.html, or pass --json" in complaint(call("report", ended))
    assert "exclude each other" in complaint(call("report", ended, "-o", "-", "--json"))


@pytest.mark.parametrize("command", ["report", "export"])
def test_no_file_is_replaced_unasked(ended: Path, tmp_path: Path, command: str) -> None:
    """A file that exists is replaced with --force only, and a file of the batch never, under any name."""
    old = tmp_path / "old"
    old.write_text("mine")
    assert "pass --force" in complaint(call(command, ended, "-o", old))
    assert old.read_text() == "mine"
    assert call(command, ended, "-o", old, "--force").returncode == 0
    assert old.read_text() != "mine"
    link = tmp_path / "link"
    link.symlink_to(f"{ended}.db")
    lock = f"{ended}.db.lock"
    for name in (ended, f"{ended}.db", lock, link):
        before = Path(name).read_bytes()
        assert "a file of the batch" in complaint(call(command, ended, "-o", name, "--force"))
        assert Path(name).read_bytes() == before
    assert "is a directory" in complaint(call(command, ended, "-o", tmp_path))
    assert "create it first" in complaint(call(command, ended, "-o", tmp_path / "none" / "x"))
    assert not list(tmp_path.glob("*.part"))


def test_export_writes_the_results_anew(ended: Path, tmp_path: Path) -> None:
    """The lines are those of the results, byte for byte, in a file or on stdout, also where the results are lost."""
    before = ended.read_bytes()
    assert call("export", ended, "-o", tmp_path / "anew.jsonl").returncode == 0
    assert (tmp_path / "anew.jsonl").read_bytes() == before
    ended.unlink()
    assert call("export", f"{ended}.db").stdout.encode() == before


def test_export_as_csv_has_a_row_for_each_job(ended: Path) -> None:
    """`--format csv` prints a table; another word is refused with the nearest one."""
    rows = list(csv.DictReader(call("export", ended, "--format", "csv").stdout.splitlines()))
    assert [(row["key"], row["state"], row["attempts"]) for row in rows] == [
        ("good", "completed", "1"),
        ("poor", "failed", "1"),
        ("=cmd", "completed", "2"),
    ]
    assert "Did you mean csv?" in complaint(call("export", ended, "--format", "cvs"))


def test_results_without_a_body_are_left_out(tmp_path: Path, emulator: Emulator, settings: dict[str, str]) -> None:
    """With --no-bodies the journal has no results to write: they are counted on stderr, and the exit code is 2."""
    jobs = write(tmp_path / "jobs.jsonl", [job("good")])
    call("run", jobs, "-o", tmp_path / "out.jsonl", "--no-bodies", **settings)
    done = call("export", tmp_path / "out.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "1 result left out: the body was not kept in the journal (--no-bodies).\n"
