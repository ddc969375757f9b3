"""`runoutcome run`, against an emulator on a socket; in a process of its own where that is killed."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint, started
from job_files import count, job, read, submitted, wait_until, write
from rich.console import Console

from runoutcome import classify
from runoutcome.batch import JobLine, JobReport
from runoutcome.cli._batch.run_output import job_line, print_totals
from runoutcome.testing import Emulator

ANSWERED = {
    "object": "response",
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Yes."}]}],
}
EXAMPLES = Path(__file__).parents[2] / "examples" / "research.jsonl"


def test_results_are_batch_output_rows_with_an_outcome(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str]
) -> None:
    """Each job gets one line in the Batch output format, with the body, the outcome and the exception class."""
    jobs = write(
        tmp_path / "jobs.jsonl", [job("good"), job("poor", "insufficient_quota"), job("cut", "content_filter")]
    )
    done = call("run", jobs, "-o", tmp_path / "out.jsonl", **settings)
    assert done.returncode == 1, done.stderr
    rows = {row["custom_id"]: row for row in read(tmp_path / "out.jsonl")}
    assert set(rows) == {"good", "poor", "cut"}
    for row in rows.values():
        assert row["id"].startswith("batch_req_")
        assert row["error"] is None
        assert row["response"]["status_code"] == 200
        assert row["response"]["request_id"].startswith("req_")
        assert row["response"]["body"]["object"] == "response"
        assert row["outcome"]["attempts"] == 1
    assert rows["good"]["outcome"]["ok"] is True
    assert rows["good"]["outcome"]["exception"] is None
    assert rows["poor"]["outcome"]["exception"] == "RunRateLimitError"
    assert rows["poor"]["outcome"]["retryable"] is False
    assert rows["cut"]["outcome"]["exception"] == "RunContentFilterError"
    assert rows["cut"]["response"]["body"]["output"], "the partial output was paid for"
    assert len(emulator.runs) == 3


def test_retryable_failures_are_resubmitted(tmp_path: Path, emulator: Emulator, settings: dict[str, str]) -> None:
    """A retryable failure is made again by policy, and the line says which run ended the job."""
    jobs = write(tmp_path / "jobs.jsonl", [job("again", "server_error,completed"), job("never", "server_error")])
    done = call("run", jobs, "-o", tmp_path / "out.jsonl", "--resubmit", 1, **settings)
    rows = {row["custom_id"]: row["outcome"] for row in read(tmp_path / "out.jsonl")}
    assert (rows["again"]["ok"], rows["again"]["attempts"]) == (True, 2)
    assert (rows["never"]["exception"], rows["never"]["attempts"]) == ("RunInternalServerError", 2)
    assert "after RunInternalServerError server_error" in done.stdout
    assert len(emulator.runs) == 4


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_class_names_and_codes_are_whole_at_any_width(tmp_path: Path, settings: dict[str, str], width: int) -> None:
    """Off a terminal there is one plain line per job, and no class name or code is cut or wrapped."""
    codes = ["context_length_exceeded", "insufficient_quota", "content_filter"]
    jobs = write(tmp_path / "jobs.jsonl", [job(f"job-{code}", code) for code in codes])
    done = call("run", jobs, "-o", tmp_path / "out.jsonl", COLUMNS=str(width), **settings)
    lines = done.stdout.splitlines()
    for code, name in zip(codes, ["RunBadRequestError", "RunRateLimitError", "RunContentFilterError"], strict=True):
        assert sum(line == f"job-{code}  {name}  {code}" for line in lines) == 1
        assert sum(code in line for line in lines) == 2, "once in the job's line, once in the table"
    assert "\x1b" not in done.stdout


def test_json_prints_the_summary_alone(tmp_path: Path, settings: dict[str, str]) -> None:
    """With --json stdout is one JSON document, and the progress goes to stderr."""
    jobs = write(tmp_path / "jobs.jsonl", [job("good"), job("poor", "insufficient_quota")])
    done = call("run", jobs, "-o", tmp_path / "out.jsonl", "--json", **settings)
    data = json.loads(done.stdout)
    assert data["by_outcome"] == {"completed": 1, "RunRateLimitError": 1}
    assert {report["custom_id"]: report["code"] for report in data["reports"]}["poor"] == "insufficient_quota"
    assert "poor  RunRateLimitError" in done.stderr


def test_one_job_and_one_fault_are_singular() -> None:
    """The lines of a job and of the totals count in words that fit the number."""
    report = JobReport(JobLine(1, "a", {}), "finished", classify(ANSWERED), faults=("HTTP 503",))
    assert job_line(report) == "a  completed  (1 poll fault survived)"
    console = Console(width=80)
    with console.capture() as capture:
        print_totals(console, [report], 0, None)
    assert capture.get() == "1 job: 1 completed, 0 ended otherwise.\n"


def test_the_same_command_again_skips_what_is_finished(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str]
) -> None:
    """A finished batch run again submits nothing and writes nothing."""
    jobs = write(tmp_path / "jobs.jsonl", [job("one"), job("two")])
    words = ("run", jobs, "-o", tmp_path / "out.jsonl")
    assert call(*words, **settings).returncode == 0
    before = (tmp_path / "out.jsonl").read_bytes()
    again = call(*words, **settings)
    assert again.returncode == 0
    assert "2 of them had a result already" in again.stdout
    assert (tmp_path / "out.jsonl").read_bytes() == before
    assert len(emulator.runs) == 2


def test_a_kill_loses_nothing_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    """After SIGKILL in the middle the same command polls the ids it listed: 64 jobs, 64 paid runs, 64 results."""
    output = tmp_path / "out.jsonl"
    words = ("run", EXAMPLES, "-o", output, "--concurrency", 24)
    with Emulator({"queued_seconds": 0.1, "running_seconds": 0.4}) as emulator:
        settings = {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "any"}
        with started(*words, **settings) as process:
            # Killed while 24 runs are going and nothing is being posted, so that no POST is without its answer.
            wait_until(lambda: submitted(output) >= 24)
            process.send_signal(signal.SIGSTOP)
            is_posting = count(output, "SELECT count(*) FROM attempts WHERE state = 'submitting'")
        with closing(sqlite3.connect(tmp_path / "out.jsonl.db")) as db:
            known = dict(db.execute("SELECT job, response_id FROM runs WHERE response_id IS NOT NULL"))
        assert len(known) >= 24
        again = call(*words, "--ambiguous", "resubmit", **settings)
        assert again.returncode == 0, again
        rows = read(output)
        assert sorted(row["custom_id"] for row in rows) == sorted(row["custom_id"] for row in read(EXAMPLES))
        results = {row["custom_id"]: row["response"]["body"]["id"] for row in rows}
        assert {name: results[name] for name in known} == known
        assert 64 <= len(emulator.runs) <= 64 + is_posting


BROKEN: dict[str, tuple[list[Any], str]] = {
    "broken line": ([job("a"), '{"custom_id": "b", '], "line 2: not JSON"),
    "not an object": ([job("a"), "[]"], "line 2: a JSON object is expected"),
    "duplicate": ([job("a"), job("b"), job("a")], "line 3: custom_id 'a' is used by line 1 already"),
    "wrong url": ([job("a", url="/v1/chat/completions")], 'line 1: url is "/v1/responses"'),
    "wrong method": ([job("a", method="GET")], 'line 1: method is "POST"'),
    "missing key": ([{"custom_id": "a", "method": "POST", "url": "/v1/responses"}], "line 1: body missing"),
    "no model": ([job("a", body={"input": "x"})], "line 1: body.model is missing"),
    "streamed": ([job("a", body={"model": "m", "stream": True})], "line 1: body.stream is set"),
    "empty": ([], "is empty"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bad_input_is_one_clear_line_before_any_post(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str], name: str
) -> None:
    """A job file that cannot be run gives one line that names the fault; nothing is sent and no file is made."""
    rows, message = BROKEN[name]
    jobs = write(tmp_path / "jobs.jsonl", rows)
    assert message in complaint(call("run", jobs, "-o", tmp_path / "out.jsonl", **settings))
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]
    assert emulator.requests == []


def test_an_output_that_cannot_be_written_is_found_first(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str]
) -> None:
    """A missing folder, a directory and the job file itself are refused as output before anything is sent."""
    jobs = write(tmp_path / "jobs.jsonl", [job("a")])
    for output, message in (
        (tmp_path / "no" / "out.jsonl", "does not exist"),
        (tmp_path, "is not a file"),
        (jobs, "is the job file itself"),
    ):
        assert message in complaint(call("run", jobs, "-o", output, **settings))
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]
    assert emulator.requests == []


def test_a_missing_key_is_one_line_that_says_what_to_set(tmp_path: Path, emulator: Emulator) -> None:
    """Without a key the command names the variable to set, and makes no file."""
    jobs = write(tmp_path / "jobs.jsonl", [job("a")])
    done = call("run", jobs, "-o", tmp_path / "out.jsonl", OPENAI_BASE_URL=emulator.base_url)
    assert "OPENAI_API_KEY" in complaint(done)
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]


def test_the_examples_run_on_the_emulator_and_survive_a_kill(tmp_path: Path) -> None:
    """With --emulate the emulator's runs outlive a kill too, so the example needs no server to try resuming."""
    output = tmp_path / "out.jsonl"
    words = ("run", EXAMPLES, "-o", output, "--emulate", "--scenario", "happy", "--concurrency", 32)
    with started(*words):
        wait_until(lambda: output.exists() and output.read_text("utf-8").count("\n") >= 8)
    again = call(*words, "--ambiguous", "resubmit")
    assert again.returncode == 0, again
    rows = read(output)
    assert Counter(row["outcome"]["status"] for row in rows) == {"completed": 64}
    assert len({row["custom_id"] for row in rows}) == 64


def test_a_link_to_the_output_is_the_output(tmp_path: Path, emulator: Emulator, settings: dict[str, str]) -> None:
    """Through a symbolic link a second process is refused while the first runs, and goes on after it was killed."""
    jobs = write(tmp_path / "jobs.jsonl", [job(f"job-{number}", "stuck") for number in range(4)])
    output, link, hard = (tmp_path / name for name in ("out.jsonl", "link.jsonl", "hard.jsonl"))
    link.symlink_to(output)
    with started("run", jobs, "-o", output, **settings):
        wait_until(lambda: submitted(output) == 4)
        hard.hardlink_to(output)
        for name in (link, hard):
            assert "hard link" in complaint(call("run", jobs, "-o", name, **settings))
        hard.unlink()
        assert "another process" in complaint(call("run", jobs, "-o", link, **settings))
    again = call("run", jobs, "-o", link, "--max-wait", 0, **settings)
    assert again.returncode == 3, again
    assert len(emulator.runs) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "jobs.jsonl",
        "link.jsonl",
        "out.jsonl",
        "out.jsonl.db",
        "out.jsonl.db.lock",
    ]


def test_a_copied_output_without_its_journal_is_refused(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str]
) -> None:
    """The runs in flight of a killed batch are not made again in silence from a copy of its results."""
    jobs = write(tmp_path / "jobs.jsonl", [job("done"), job("going", "stuck")])
    output, copy = tmp_path / "out.jsonl", tmp_path / "copy.jsonl"
    with started("run", jobs, "-o", output, **settings):
        wait_until(lambda: output.exists() and output.read_bytes().endswith(b"\n") and submitted(output) == 2)
    copy.write_bytes(output.read_bytes())
    assert "--forget-journal" in complaint(call("run", jobs, "-o", copy, **settings))
    assert len(emulator.runs) == 2
    assert not copy.with_name("copy.jsonl.db").exists()
    told = call("run", jobs, "-o", copy, "--forget-journal", "--max-wait", 0, **settings)
    assert told.returncode == 3, told
    assert len(emulator.runs) == 3
    assert "--forget-journal" not in told.stdout
    assert call("run", jobs, "-o", copy, "--max-wait", 0, **settings).returncode == 3
    assert len(emulator.runs) == 3


@pytest.mark.parametrize("how", ["journal deleted", "results copied", "results moved"])
def test_empty_results_without_their_journal_are_refused(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str], how: str
) -> None:
    """After a kill before the first result, a lost journal stops the command, and no run is made a second time."""
    jobs = write(tmp_path / "jobs.jsonl", [job(f"job-{number}", "stuck") for number in range(3)])
    output = tmp_path / "out.jsonl"
    with started("run", jobs, "-o", output, **settings):
        wait_until(lambda: submitted(output) == 3)
    assert output.read_bytes() == b""
    if how == "journal deleted":
        for journal in output.parent.glob("out.jsonl.db*"):
            journal.unlink()
    elif how == "results moved":
        output = output.rename(tmp_path / "moved.jsonl")
    else:
        output = Path(shutil.copy(output, tmp_path / "copy.jsonl"))
    assert "--forget-journal" in complaint(call("run", jobs, "-o", output, "--max-wait", 0, **settings))
    assert len(emulator.runs) == 3
    assert not output.with_name(output.name + ".db").exists()
    told = call("run", jobs, "-o", output, "--forget-journal", "--max-wait", 0, **settings)
    assert (told.returncode, len(emulator.runs)) == (3, 6), told
