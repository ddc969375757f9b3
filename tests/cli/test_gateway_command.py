"""`runoutcome gateway`: a proxy that says what to set, goes when it is told to, and prints no key."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from command import Done, call, complaint, signalled, started
from openai import OpenAI

from runoutcome.testing import Emulator

KEY = "sk-secret-of-the-test"


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line on its stdout."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_passes_requests_and_ends_when_told(emulator: Emulator, number: signal.Signals) -> None:
    """Once the JSON line is there a client is answered; Ctrl-C and SIGTERM end it with exit code 0, in silence."""
    with started("gateway", "--json", "--upstream", emulator.base_url) as process:
        told = json.loads(line_of(process))
        base_url = f"http://127.0.0.1:{told['port']}/v1"
        assert told == {"base_url": base_url, "port": told["port"], "upstream": emulator.base_url}
        with OpenAI(base_url=base_url, api_key=KEY) as client:
            client.responses.create(model="m", input="i", background=True)
        assert signalled(process, number) == Done(0, "", "")
    assert len(emulator.runs) == 1


def test_for_a_person_it_prints_what_to_export(emulator: Emulator) -> None:
    """Without `--json` it prints the address and the line that points the SDK to it."""
    with started("gateway", "--upstream", emulator.base_url) as process:
        address = line_of(process).split()[2].rstrip(",")
        assert line_of(process) == f"  export OPENAI_BASE_URL={address}\n"
        assert signalled(process) == Done(0, "", "Ctrl-C stops it.\n")


def test_no_key_is_printed() -> None:
    """A request that fails is one line on stderr, without the keys in headers and query."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with started("gateway", "--json", "--upstream", f"http://127.0.0.1:{port}/v1") as process:
        address = json.loads(line_of(process))["base_url"]
        headers = {"Authorization": f"Bearer {KEY}", "api-key": KEY, "Cookie": KEY}
        request = urllib.request.Request(f"{address}/responses?key={KEY}", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        answer = caught.value.read().decode() + str(caught.value.headers)
        done = signalled(process)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith("GET /v1/responses: connect_error: ")
    assert KEY not in done.stdout + done.stderr + answer


def test_a_recording_is_replayed(emulator: Emulator, tmp_path: Path) -> None:
    """`emulate --replay` gives the answers that `gateway --record` has written, and ends as the emulator does."""
    path = tmp_path / "seen.jsonl"
    with started("gateway", "--json", "--upstream", emulator.base_url, "--record", path) as process:
        with OpenAI(base_url=json.loads(line_of(process))["base_url"], api_key=KEY) as client:
            run = client.responses.create(model="m", input="i", background=True)
        assert signalled(process) == Done(0, "", "")
    with started("emulate", "--json", "--replay", path, "--speed", "100") as process:
        told = json.loads(line_of(process))
        assert told == {"base_url": told["base_url"], "replay": str(path), "api_key": "emulated"}
        with OpenAI(base_url=told["base_url"], api_key=KEY) as client:
            assert client.responses.create(model="m", input="i", background=True).id == run.id
        assert signalled(process) == Done(0, "", "")
    with started("emulate", "--replay", path) as process:
        assert line_of(process).startswith("Replay on http://127.0.0.1:")
        assert line_of(process).startswith("  export OPENAI_BASE_URL=")
        assert line_of(process) == "  export OPENAI_API_KEY=emulated\n"
        assert signalled(process) == Done(0, "", "Ctrl-C stops it.\n")


def test_a_file_that_is_no_recording(tmp_path: Path) -> None:
    """One line names the file; options about a scenario are refused beside it."""
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n", "utf-8")
    assert "x.jsonl is no recording of a gateway" in complaint(call("emulate", "--replay", path))
    assert "without --seed, --verdict" in complaint(call("emulate", "--replay", path, "--seed", "1", "--verdict"))
    assert "exists" in complaint(call("gateway", "--upstream", "https://x/v1", "--record", path))
    assert "needs --record" in complaint(call("gateway", "--upstream", "https://x/v1", "--record-content"))


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """One line names the port, and no empty recording is left behind."""
    path = tmp_path / "seen.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = ["--upstream", "http://127.0.0.1:1/v1", "--port", port, "--record", path]
        line = complaint(call("gateway", *words))
    assert f"port {port} on 127.0.0.1 cannot be used" in line
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--upstream", "api.openai.com/v1"], "begins with https://"),
        (["--upstream", "https://x/v1", "--timeout", "0"], "more than 0 seconds"),
        (["--upstream", "https://x/v1", "--host", "no-such-host.invalid"], "cannot be used"),
        ([], "--upstream"),
    ],
)
def test_wrong_options(words: list[str], part: str) -> None:
    """A wrong URL, time or address is one line."""
    assert part in complaint(call("gateway", *words))


def test_it_is_not_its_own_upstream() -> None:
    """A gateway in front of itself would call itself without end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    line = complaint(call("gateway", "--upstream", f"http://localhost:{port}/v1", "--port", port))
    assert "is the gateway itself" in line


def test_other_machines_are_mentioned(emulator: Emulator) -> None:
    """Bound to every address, it says who can reach it, prints an address that is answered, and still checks `Host`."""
    with started("gateway", "--json", "--upstream", emulator.base_url, "--host", "0.0.0.0") as process:
        address = json.loads(line_of(process))["base_url"]
        with OpenAI(base_url=address, api_key=KEY) as client:
            assert client.models.list().data
        request = urllib.request.Request(f"{address}/models", headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(request)
        done = signalled(process)
    assert "Other machines can reach the gateway" in done.stderr
    assert "once --allow-host says how they call it" in done.stderr
