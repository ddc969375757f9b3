"""`runoutcome wait` and `runoutcome cancel`, against the emulator on a socket."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator

import pytest
from command import Done, call, complaint, signalled, started
from openai import OpenAI

from runoutcome.cli._client import check_settings
from runoutcome.cli._errors import UserError
from runoutcome.cli._runs.wait import read_token
from runoutcome.testing import Emulator, ManualClock

ALL_OVER = 60.0


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    """The clock of `emulator`."""
    return ManualClock()


@pytest.fixture(scope="module")
def emulator(clock: ManualClock) -> Iterator[Emulator]:
    """One emulator for all tests; each run's outcome is chosen by its model."""
    with Emulator("happy", clock=clock) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def run_ids(emulator: Emulator, clock: ManualClock) -> dict[str, str]:
    """The id of a run for each outcome, all of them over but the one that is stuck."""
    words = ("completed", "rate_limit_exceeded", "max_output_tokens", "stuck")
    with OpenAI(base_url=emulator.base_url, api_key="any") as client:
        runs = {word: client.responses.create(model=f"emulate:{word}", input="hi", background=True) for word in words}
    clock.advance(ALL_OVER)
    return {word: run.id for word, run in runs.items()}


def settings(emulator: Emulator) -> dict[str, str]:
    """The environment that points the SDK to the emulator."""
    return {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "sk-secret-of-the-test"}


def on(emulator: Emulator, *words: object, stdin: str = "") -> Done:
    """The command with the emulator as its API."""
    return call(*words, stdin=stdin, **settings(emulator))


def test_a_completed_run_gives_its_text_and_nothing_else(emulator: Emulator, run_ids: dict[str, str]) -> None:
    """The output text goes to stdout, the status to stderr; the id may come from stdin."""
    run_id = run_ids["completed"]
    done = on(emulator, "wait", "-", stdin=f"{run_id}\n")
    assert done.returncode == 0
    assert done.stdout.startswith("Emulated answer")
    assert done.stderr == f"{run_id}: completed\n"


def test_a_failed_run_says_what_to_do(emulator: Emulator, run_ids: dict[str, str]) -> None:
    """A run that failed is exit code 1, with the exception class, the code and the remedy on stderr."""
    done = on(emulator, "wait", run_ids["rate_limit_exceeded"])
    assert (done.returncode, done.stdout) == (1, "")
    assert "RunRateLimitError: rate_limit_exceeded" in done.stderr
    assert "what to do" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_has_the_outcome_and_our_class(emulator: Emulator, run_ids: dict[str, str]) -> None:
    """`--json` prints one line with the outcome, the class and a token, whatever became of the run."""
    run_id = run_ids["rate_limit_exceeded"]
    data = json.loads(on(emulator, "wait", run_id, "--json").stdout)
    assert set(data) == {"response_id", "outcome", "error_class", "run_token", "output_text"}
    assert (data["response_id"], data["error_class"]) == (run_id, "RunRateLimitError")
    assert (data["outcome"]["code"], data["outcome"]["retryable"]) == ("rate_limit_exceeded", True)
    assert json.loads(data["run_token"])["id"] == run_id


def test_an_incomplete_run_is_good_only_if_accepted(emulator: Emulator, run_ids: dict[str, str]) -> None:
    """What an incomplete run had written is printed with `--accept incomplete`, and the refusal says so."""
    run_id = run_ids["max_output_tokens"]
    refused = on(emulator, "wait", run_id)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.endswith(f"\n  runoutcome wait {run_id} --accept incomplete\n")
    accepted = on(emulator, "wait", run_id, "--accept", "incomplete")
    assert accepted.returncode == 0
    assert accepted.stdout


def test_a_run_that_does_not_end_in_time_goes_on(emulator: Emulator, run_ids: dict[str, str]) -> None:
    """A wait that is over before its run is exit code 3, and prints the command to go on with."""
    done = on(emulator, "wait", run_ids["stuck"], "--max-wait", "0")
    assert (done.returncode, done.stdout) == (3, "")
    assert "WaitTimeoutError: " in done.stderr
    assert done.stderr.endswith(f"To go on:\n  runoutcome wait {run_ids['stuck']} --max-wait 0\n")


def test_the_command_to_go_on_has_the_same_numbers(emulator: Emulator, run_ids: dict[str, str]) -> None:
    """A long number is printed whole."""
    done = on(emulator, "wait", run_ids["stuck"], "--max-wait", 0, "--interval-ms", 1234567.5)
    assert done.stderr.endswith(" --max-wait 0 --interval-ms 1234567.5\n")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_interrupting_leaves_the_run_alone(emulator: Emulator, run_ids: dict[str, str]) -> None:
    """Ctrl-C is exit code 130, and prints the exact command to go on with; the run is not cancelled."""
    token = json.dumps({"runoutcome": 1, "id": run_ids["stuck"]})
    words = ["wait", token, "--interval-ms", "50", "--base-url", emulator.base_url]
    with started(*words, OPENAI_API_KEY="sk-secret-of-the-test") as process:
        assert process.stderr is not None
        assert process.stderr.readline().endswith(": queued\n")
        done = signalled(process)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (130, "", 2)
    assert shlex.split(done.stderr.split("To go on:\n")[1]) == ["runoutcome", *words]
    (stuck,) = (run for run in emulator.runs if run.id == run_ids["stuck"])
    assert stuck.cancelled_at is None


def test_a_run_nobody_knows_is_a_refusal(emulator: Emulator) -> None:
    """A 404 is one line and exit code 4; no line ever holds the key."""
    line = complaint(on(emulator, "wait", "resp_nope"), exit_code=4)
    assert "HTTP 404" in line
    assert "sk-secret" not in line


def test_a_wait_without_answers_says_so() -> None:
    """Polls that get no answer are told, once, while the wait goes on."""
    done = call("wait", "resp_1", "--max-wait", "0.3", OPENAI_BASE_URL="http://127.0.0.1:9/v1", OPENAI_API_KEY="any")
    assert done.returncode == 3
    assert done.stderr.count("A poll failed (") == 1


@pytest.mark.parametrize(
    ("base_url", "variables", "said"),
    [
        (None, {}, "set OPENAI_API_KEY"),
        (None, {"OPENAI_API_KEY": " "}, "set OPENAI_API_KEY"),
        (None, {"OPENAI_API_KEY": "sk-1\n"}, "OPENAI_API_KEY holds a space"),
        (None, {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": "localhost"}, "OPENAI_BASE_URL is not an http"),
        (None, {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": ""}, "OPENAI_BASE_URL is not an http"),
        ("http://[/v1", {"OPENAI_API_KEY": "any"}, "--base-url is not an http address"),
        ("http://host:99999", {"OPENAI_API_KEY": "any"}, "--base-url is not an http address"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    monkeypatch: pytest.MonkeyPatch, base_url: str | None, variables: dict[str, str], said: str
) -> None:
    """A missing key, and what the HTTP library would refuse at each poll, is refused before anything is sent."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=re.escape(said)):
        check_settings(base_url)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resp_1"], "set OPENAI_API_KEY"),
        (["resp_1", "--accept", "completed"], "--accept takes 'incomplete'"),
        (["-"], "empty"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str) -> None:
    """What is no run, or no option, is one clear line."""
    assert said in complaint(call("wait", *words))


def test_cancel_gives_the_true_state(emulator: Emulator, run_ids: dict[str, str]) -> None:
    """A cancelled run is cancelled, and a run that had completed is reported as completed."""
    with OpenAI(base_url=emulator.base_url, api_key="any") as client:
        going = client.responses.create(model="emulate:stuck", input="hi", background=True).id
    cancelled = on(emulator, "cancel", going, "--json")
    assert (cancelled.returncode, json.loads(cancelled.stdout)["outcome"]["status"]) == (0, "cancelled")
    over = on(emulator, "cancel", run_ids["completed"])
    assert (over.returncode, over.stdout.split(". ")[0]) == (0, f"{run_ids['completed']} is completed")
    assert "HTTP 404" in complaint(on(emulator, "cancel", "resp_nope"), exit_code=4)


def test_who_cancels_is_not_told_to_ask_who_did(emulator: Emulator) -> None:
    """A cancel that works says so; the catalog's advice, to find out who it was, is for others."""
    with OpenAI(base_url=emulator.base_url, api_key="any") as client:
        going = client.responses.create(model="emulate:stuck", input="hi", background=True).id
    done = on(emulator, "cancel", going)
    assert (done.returncode, done.stdout) == (0, f"{going} is cancelled.\n")
    assert done.stderr == "Nothing is left to do. To have an answer after all, submit the request as a new run.\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("resp 1", "no spaces"),
        ("resp\x1b1", "no spaces"),
        ('{"runoutcome": 2}', "version 2"),
        ("", "empty"),
        ("{runoutcome:1", "give the whole token, in quotes, or the response id"),
    ],
)
def test_what_names_no_run_is_refused(given: str, said: str) -> None:
    """A text that is neither an id nor a token of this release is refused with what is wrong with it."""
    with pytest.raises(UserError, match=said):
        read_token(given)


def test_quiet_and_verbose() -> None:
    """Quiet prints the output alone, verbose a line for each poll that failed."""
    faulty = {"outcomes": [{"name": "completed", "poll_faults": ["503", "503"]}], "running_seconds": 0.1}
    with Emulator(faulty) as emulator, OpenAI(base_url=emulator.base_url, api_key="any") as client:
        run_ids = [client.responses.create(model="gpt-5.5", input="hi", background=True).id for _ in range(3)]
        normal, quiet, verbose = (
            on(emulator, "wait", run_id, *words) for run_id, words in zip(run_ids, ([], ["-q"], ["-v"]), strict=True)
        )
    assert [done.returncode for done in (normal, quiet, verbose)] == [0, 0, 0]
    assert quiet.stderr == ""
    assert quiet.stdout
    assert [done.stderr.count("HTTP 503") for done in (normal, verbose)] == [1, 2]


def test_a_success_that_is_none_is_told() -> None:
    """A completed run with a refusal says so without the model's words; with --require output it is a failure."""
    refusal = [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot help with that."}]}]
    with (
        Emulator({"outcomes": [{"name": "completed", "body_fields": {"output": refusal}}]}) as emulator,
        OpenAI(base_url=emulator.base_url, api_key="any") as client,
    ):
        run_id = client.responses.create(model="gpt-5.5", input="hi", background=True).id
        returned = on(emulator, "wait", run_id)
        refused = on(emulator, "wait", run_id, "--require", "output")
        cancelled = on(emulator, "cancel", run_id, "--json")
    assert (returned.returncode, returned.stdout) == (0, "")
    assert "Completed with a refusal. The run completed, and its output is only a refusal." in returned.stderr
    assert (refused.returncode, "RunRefusedError" in refused.stderr) == (1, True)
    assert "runoutcome explain refusal" in refused.stderr
    assert json.loads(cancelled.stdout)["outcome"]["has_refusal"] is True
    assert not any("I cannot help" in done.stdout + done.stderr for done in (returned, refused, cancelled))
