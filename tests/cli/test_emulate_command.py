"""`runoutcome emulate`: a server that says where it is, goes when it is told to, and judges its client."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from command import Done, call, complaint, signalled, started
from openai import OpenAI, RateLimitError

from runoutcome.testing import scenario_names


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line on its stdout."""
    assert process.stdout is not None
    return process.stdout.readline()


def create(base_url: str, **params: Any) -> str:
    """The id of a new run."""
    with OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        return client.responses.create(model="m", input="i", background=True, **params).id


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_when_it_says_so_and_ends_when_told(number: signal.Signals) -> None:
    """Once the JSON line is there a client is answered; Ctrl-C and SIGTERM end it with exit code 0, in silence."""
    with started("emulate", "--json", "--scenario", "quota", "--speed", "10") as process:
        told = json.loads(line_of(process))
        assert told == {
            "base_url": f"http://127.0.0.1:{told['port']}/v1",
            "port": told["port"],
            "scenario": "quota",
            "api_key": "emulated",
            "status_url": f"http://127.0.0.1:{told['port']}/",
        }
        create(told["base_url"])
        assert signalled(process, number) == Done(0, "", "")


def test_for_a_person_it_prints_what_to_export() -> None:
    """Without `--json` it prints the address and the two lines that point the SDK to it, and where to watch."""
    with started("emulate") as process:
        address = line_of(process).split()[2].rstrip(",")
        assert line_of(process) == f"  export OPENAI_BASE_URL={address}\n"
        assert line_of(process) == "  export OPENAI_API_KEY=emulated\n"
        page = address.removesuffix("v1")
        with urllib.request.urlopen(page) as answer:
            assert "runoutcome emulator" in answer.read().decode()
        assert signalled(process) == Done(0, "", f"Runs and requests, live: {page}\nCtrl-C stops it.\n")


def test_the_verdict_is_json_with_an_exit_code() -> None:
    """`--verdict --json` gives one line more, and exit code 1 for a client that left a run behind."""
    with started("emulate", "--json", "--verdict") as process:
        run_id = create(json.loads(line_of(process))["base_url"])
        done = signalled(process)
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert (told["ok"], told["findings"][0]["kind"], told["findings"][0]["run"]) == (False, "never_polled", run_id)


def test_the_verdict_is_a_table_for_a_person() -> None:
    """Without `--json` it prints the numbers, the findings and what to do."""
    with started("emulate", "--verdict", "--scenario", "quota") as process:
        create(line_of(process).split()[2].rstrip(","))
        done = signalled(process)
    assert done.returncode == 1
    assert "paid runs              1\n" in done.stdout
    assert "never_polled" in done.stdout
    assert "Keep the id of every run you create" in done.stdout


def test_a_good_client_gets_a_good_verdict(tmp_path: Path) -> None:
    """A client that read its runs to their end ends the command with exit code 0."""
    with started("emulate", "--verdict", "--speed", "1000") as process:
        base_url = line_of(process).split()[2].rstrip(",")
        job = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "m", "input": "i"}}
        jobs = tmp_path / "jobs.jsonl"
        jobs.write_text(json.dumps(job))
        assert call("run", jobs, "--output", tmp_path / "out.jsonl", **key_for(base_url)).returncode == 0
        done = signalled(process)
    assert (done.returncode, "No finding" in done.stdout) == (0, True)


def key_for(base_url: str) -> dict[str, str]:
    """The environment that points a client to the emulator."""
    return {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "emulated"}


def test_it_names_its_scenarios() -> None:
    """`--list` gives each shipped scenario with its description, and as JSON too."""
    listed = call("emulate", "--list")
    described = json.loads(call("emulate", "--list", "--json").stdout)
    assert tuple(sorted(described)) == scenario_names()
    assert all(described.values())
    for name in described:
        assert f"\n{name} " in "\n" + listed.stdout


def test_what_it_cannot_start_with_is_one_line(tmp_path: Path) -> None:
    """A wrong scenario, a port in use, a bad speed and a bad file are one clear line each."""
    assert "did you mean 'mixed'" in complaint(call("emulate", "--scenario", "mixd"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in complaint(call("emulate", "--port", port))
    assert "more than 0" in complaint(call("emulate", "--speed", "0"))
    bad = tmp_path / "bad.toml"
    bad.write_text("[[outcomes]]\nweight = 1\n")
    assert str(bad) in complaint(call("emulate", "--scenario", bad))
    assert "http://elsewhere.test" in complaint(call("emulate", "--webhook-url", "http://elsewhere.test"))
    assert "cannot be written" in complaint(call("emulate", "--state", tmp_path / "nowhere" / "state"))


def test_a_second_start_on_the_same_state_is_one_line(tmp_path: Path) -> None:
    """One state file has one emulator at a time; when that has gone, the next one knows its runs."""
    state = tmp_path / "state.jsonl"
    with started("emulate", "--json", "--state", state) as process:
        run_id = create(json.loads(line_of(process))["base_url"])
        assert "another emulator is using this state file" in complaint(call("emulate", "--state", state))
        assert signalled(process) == Done(0, "", "")
    with started("emulate", "--json", "--state", state) as process:
        base_url = json.loads(line_of(process))["base_url"]
        with OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
            assert client.responses.retrieve(run_id).id == run_id
        assert signalled(process) == Done(0, "", "")


def test_limits_are_enforced() -> None:
    """`--rpm 1` accepts one create, and refuses the next with 429."""
    with started("emulate", "--json", "--rpm", "1", "--tpm", "100000") as process:
        base_url = json.loads(line_of(process))["base_url"]
        create(base_url)
        with pytest.raises(RateLimitError):
            create(base_url)
        signalled(process)
