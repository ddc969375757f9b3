"""Options and exit codes of `runoutcome run`, and its summary of successes that are none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command import Done, call, complaint
from job_files import job, read, write
from rich.console import Console

from runoutcome.batch import JobLine, JobReport
from runoutcome.cli._batch.run_output import print_summary
from runoutcome.testing import Emulator

SECRET = "I cannot help with that."
MESSAGE = "The server of the tool said something private."
ANSWER = {"type": "message", "content": [{"type": "output_text", "text": "Titan."}]}
OUTPUTS = {
    "refusal": [{"type": "message", "content": [{"type": "refusal", "refusal": SECRET}]}],
    "empty": [],
    "broken": [{"type": "mcp_call", "status": "failed", "error": {"code": "x", "message": MESSAGE}}, ANSWER],
}


def hollow() -> Emulator:
    """An emulator with completed runs whose output is not what was asked for."""
    outcomes = [{"name": name, "weight": 0, "body_fields": {"output": value}} for name, value in OUTPUTS.items()]
    return Emulator({"outcomes": [{"name": "completed"}, *outcomes], "running_seconds": 0.1})


def refusing(fault: Any) -> Emulator:
    """An emulator that refuses every create so."""
    return Emulator({"faults": [{"route": "create", "fault": fault}]})


def run(tmp_path: Path, emulator: Emulator, *words: object, jobs: int = 3, base_url: str | None = None) -> Done:
    """`run` of some jobs against an emulator."""
    path = write(tmp_path / "jobs.jsonl", [job(f"job-{number}") for number in range(jobs)])
    settings = {"OPENAI_BASE_URL": base_url or emulator.base_url, "OPENAI_API_KEY": "any"}
    return call("run", path, "-o", tmp_path / "out.jsonl", *words, **settings)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scenario", "happy"], "add --emulate"),
        (["--emulate", "--base-url", "http://127.0.0.1:1/v1"], "exclude each other"),
        (["--quiet", "--verbose"], "exclude each other"),
        (["--ambiguous", "resubmt"], "Did you mean resubmit?"),
        (["--require", "outptu"], "Did you mean output?"),
        (["--resubmitt", "1"], "Did you mean --resubmit?"),
    ],
)
def test_options_that_would_be_ignored_or_misread_are_refused(
    tmp_path: Path, emulator: Emulator, settings: dict[str, str], words: list[str], message: str
) -> None:
    """An option that makes no sense is one line with what to do, and nothing is sent or made."""
    jobs = write(tmp_path / "jobs.jsonl", [job("a")])
    assert message in complaint(call("run", jobs, "-o", tmp_path / "out.jsonl", *words, **settings))
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]
    assert emulator.requests == []


def test_jobs_are_read_from_standard_input(tmp_path: Path, settings: dict[str, str]) -> None:
    """`run -` takes the jobs from a pipe; messages and the command to go on say so."""
    lines = "".join(json.dumps(job(name)) + "\n" for name in ("one", "two"))
    words = ("run", "-", "-o", tmp_path / "out.jsonl")
    assert "standard input, line 3: not JSON" in complaint(call(*words, stdin=lines + "{", **settings))
    assert "standard input is empty" in complaint(call(*words, **settings))
    waiting = call(*words, "--max-wait", 0, stdin=lines, **settings)
    assert "To go on, with the same jobs on standard input:" in waiting.stdout
    assert call(*words, stdin=lines, **settings).returncode == 0
    assert {row["custom_id"] for row in read(tmp_path / "out.jsonl")} == {"one", "two"}


def test_quiet_prints_what_needs_a_person(tmp_path: Path) -> None:
    """With --quiet a batch that goes well prints nothing; one that is not finished says how to go on, on stderr."""
    with Emulator({"running_seconds": 0.1}) as emulator:
        waiting = run(tmp_path, emulator, "--quiet", "--max-wait", 0)
        assert (waiting.returncode, waiting.stdout) == (3, "")
        assert "To go on:" in waiting.stderr
        assert run(tmp_path, emulator, "-q") == Done(0, "", "")


def test_verbose_prints_each_step(tmp_path: Path) -> None:
    """With --verbose every step of a job has a line, and the last one names the run and each poll fault."""
    with Emulator({"outcomes": [{"name": "completed", "poll_faults": ["503"]}], "running_seconds": 0.1}) as emulator:
        lines = run(tmp_path, emulator, "--verbose", jobs=1).stdout.splitlines()
        run_id = emulator.runs[0].id
    assert lines[0] == "job-0  submitting"
    assert f"job-0  completed  (1 poll fault survived: HTTP 503)  {run_id}" in lines


def test_a_base_url_without_v1_stops_with_a_hint(tmp_path: Path) -> None:
    """A missing route is one reason and exit code 4; no job gets a final line."""
    with Emulator("happy") as emulator:
        done = run(tmp_path, emulator, base_url=emulator.base_url.removesuffix("/v1"))
        assert (done.returncode, emulator.runs) == (4, [])
        assert "Does the base URL lack /v1?" in done.stdout
        assert read(tmp_path / "out.jsonl") == []
        assert run(tmp_path, emulator).returncode == 0


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("401", 4, "concerns every job"),
        ({"status": 429, "code": "insufficient_quota"}, 4, "concerns every job"),
        ({"status": 429, "code": "rate_limit_exceeded", "retry_after": 7200}, 3, "asks to wait 2 h: run it again"),
    ],
)
def test_a_stopped_batch_says_why(tmp_path: Path, fault: Any, code: int, words: str) -> None:
    """The exit code tells a refusal of every job (4) from work that is left (3); the summary is data, too."""
    with refusing(fault) as emulator:
        done = run(tmp_path, emulator, "--concurrency", 1, "--json")
        assert len([request for request in emulator.requests if request.method == "POST"]) == 1
    assert done.returncode == code, done
    assert words in done.stderr
    data = json.loads(done.stdout)
    assert (data["stop"], data["by_end"]) == ("limited" if code == 3 else "refused", {"not_submitted": 3})
    assert data["retry_after_seconds"] == (7200 if code == 3 else None)
    assert read(tmp_path / "out.jsonl") == []


def test_limits_are_options(tmp_path: Path) -> None:
    """With `--rpm` and `--tpm` a batch keeps below the limits of the server, and the summary is the usual one."""
    with Emulator("happy", requests_per_minute=1200) as emulator:
        done = run(tmp_path, emulator, "--rpm", 1200, "--tpm", 1e6, "--max-submits", 2, "--json", jobs=5)
        assert {request.status for request in emulator.requests} == {200}
        assert run(tmp_path, emulator, "--max-submits", 0).returncode == 2
    assert (done.returncode, json.loads(done.stdout)["by_end"]) == (0, {"finished": 5})


def test_a_budget_stops_with_one_line(tmp_path: Path) -> None:
    """What is spent is said once, with exit code 3 and the command to go on; the summary is data, too."""
    with Emulator("happy") as emulator:
        done = run(tmp_path, emulator, "--max-tokens-spent", 1, "--json")
        assert emulator.runs == []
    assert (done.returncode, json.loads(done.stdout)["stop"]) == (3, "spent")
    line = "Stopped: the budget has no room for another run. Nothing more was submitted. 0 of 1 tokens are spent."
    assert done.stderr.count(line) == 1


def test_failures_in_a_row_stop_the_batch(tmp_path: Path) -> None:
    """With `--stop-after-failures 2` the third job is left."""
    jobs = write(tmp_path / "jobs.jsonl", [job(f"job-{number}", "invalid_prompt") for number in range(3)])
    with Emulator("happy") as emulator:
        settings = {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "any"}
        words = ("--stop-after-failures", 2, "--concurrency", 1)
        done = call("run", jobs, "-o", tmp_path / "out.jsonl", *words, **settings)
        assert len(emulator.runs) == 2
    assert done.returncode == 3
    assert "Stopped: too many runs in a row ended by the same failure." in done.stdout


def test_an_empty_account_is_mended_before_the_next_call(tmp_path: Path) -> None:
    """No wait fills an account, whatever the server says of one: the command to go on comes after the mending."""
    with refusing({"status": 429, "code": "insufficient_quota", "retry_after": 0}) as emulator:
        done = run(tmp_path, emulator)
    assert "asks to wait" not in done.stdout
    assert "To go on, after you corrected it:" in done.stdout


def test_partial_output_is_said_to_be_in_the_results(tmp_path: Path, settings: dict[str, str]) -> None:
    """The summary names a place that a user of the command has, and no attribute of Python."""
    jobs = write(tmp_path / "jobs.jsonl", [job("cut", "max_output_tokens")])
    done = call("run", jobs, "-o", tmp_path / "out.jsonl", COLUMNS="400", **settings)
    assert "the partial output is kept in the results" in done.stdout
    assert ".run`" not in done.stdout


def test_a_held_job_is_to_be_looked_up() -> None:
    """Whatever failed on this side, the table says of a held job where to look, and never to run it once more."""
    held = [
        JobReport(JobLine(1, "a", {}), "held", exception="LookupError", detail="unknown encoding: hex", stop="broken"),
        JobReport(JobLine(2, "b", {}), "held"),
    ]
    console = Console(width=400)
    for report in held:
        with console.capture() as capture:
            print_summary(console, [report])
        assert "look for its runoutcome_key in the provider's logs" in capture.get()
        assert "Run the same command again" not in capture.get()


def test_refusals_and_empty_results_are_counted_apart(tmp_path: Path) -> None:
    """The summary names what completed without an answer, also in a later call, and shows no word of the model."""
    jobs = write(tmp_path / "jobs.jsonl", [job("good"), *(job(name, name) for name in OUTPUTS)])
    with hollow() as emulator:
        settings = {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "any"}
        first, again = (call("run", jobs, "-o", tmp_path / "out.jsonl", "--json", **settings) for _ in range(2))
    for done in (first, again):
        assert done.returncode == 0
        data = json.loads(done.stdout)
        assert data["by_outcome"] == {
            "completed": 1,
            "completed with a refusal": 1,
            "completed without output": 1,
            "completed with failed items": 1,
        }
        reports = {report["custom_id"]: report for report in data["reports"]}
        assert [(reports[name]["has_refusal"], reports[name]["has_output"]) for name in ("good", *OUTPUTS)] == [
            (False, True),
            (True, False),
            (False, False),
            (False, True),
        ]
        assert reports["broken"]["failed_items"] == [{"type": "mcp_call", "code": "x"}]
        counts = "4 completed (1 with a refusal, 1 with failed items, 1 without output), 0 ended otherwise"
        assert counts in re.sub(r"\s+", " ", done.stderr)
        assert not any(text in done.stdout + done.stderr for text in (SECRET, MESSAGE))
    rows = {row["custom_id"]: row["outcome"] for row in read(tmp_path / "out.jsonl")}
    assert (rows["refusal"]["refusal"], rows["refusal"]["has_output"]) == (SECRET, False)
    assert rows["broken"]["failed_items"] == [{"type": "mcp_call", "code": "x", "message": MESSAGE}]


def test_required_output_turns_them_into_failures(tmp_path: Path) -> None:
    """With --require output a refusal or an empty result is a failure by name, and the exit code is 1."""
    jobs = write(tmp_path / "jobs.jsonl", [job(name, name) for name in OUTPUTS])
    with hollow() as emulator:
        settings = {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "any"}
        done = call("run", jobs, "-o", tmp_path / "out.jsonl", "--require", "output", **settings)
    assert done.returncode == 1
    exceptions = {row["custom_id"]: row["outcome"]["exception"] for row in read(tmp_path / "out.jsonl")}
    assert exceptions == {"refusal": "RunRefusedError", "empty": "RunEmptyError", "broken": None}
