"""`runoutcome emulate`: a server that says where it is, and goes when it is told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from command import ARGV, call, complaint, environment
from openai import OpenAI


@contextmanager
def emulating(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs."""
    words = (*ARGV, "emulate", *words)
    with subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line on its stdout."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_when_it_says_so_and_ends_when_told(number: signal.Signals) -> None:
    """Once the JSON line is there a client is answered; Ctrl-C and SIGTERM end it with exit code 0, in silence."""
    with emulating("--json", "--scenario", "quota", "--speed", "10") as process:
        told = json.loads(line_of(process))
        assert told == {
            "base_url": f"http://127.0.0.1:{told['port']}/v1",
            "port": told["port"],
            "scenario": "quota",
        }
        with OpenAI(base_url=told["base_url"], api_key="any", max_retries=0) as client:
            assert client.responses.create(model="m", input="i", background=True).status == "queued"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_for_a_person_it_prints_what_to_export() -> None:
    """Without `--json` it prints the address and the two lines that point the SDK to it."""
    with emulating() as process:
        address = line_of(process).split()[2].rstrip(",")
        assert line_of(process) == f"  export OPENAI_BASE_URL={address}\n"
        assert line_of(process).startswith("  export OPENAI_API_KEY=")


def test_what_it_cannot_start_with_is_one_line() -> None:
    """A wrong scenario and a port in use are one clear line each."""
    assert "did you mean 'mixed'" in complaint(call("emulate", "--scenario", "mixd"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in complaint(call("emulate", "--port", port))
