"""Starting, stopping, restarting: the emulator as a process and as a guest in one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

import runoutcome.testing
from runoutcome.testing import Emulator, EmulatorError, ManualClock

Connect = Callable[[Emulator], OpenAI]


def python(code: str) -> subprocess.Popen[str]:
    """Another interpreter."""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_listens_on_loopback_only(emulator: Emulator) -> None:
    """The base URL is on 127.0.0.1, and no other address of the machine answers."""
    assert emulator.base_url == f"http://127.0.0.1:{emulator.port}/v1"
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", emulator.port), timeout=1):
        pass


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/_emulator/state.json"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/models"),
        ("POST", "/v1/responses"),
        ("GET", "/nowhere"),
    ],
)
def test_a_name_of_another_site_is_refused(emulator: Emulator, method: str, path: str) -> None:
    """A web page that points its own name at this machine reaches no page and no route, and is no client's request."""

    def ask(host: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", emulator.port)
        with contextlib.closing(connection):
            connection.request(method, path, headers={"host": host, "authorization": "Bearer any"})
            return connection.getresponse().status

    before = emulator.requests
    assert ask(f"attacker.example:{emulator.port}") == 421
    assert emulator.requests == before
    assert {ask(f"{name}:{emulator.port}") for name in ("localhost", "127.0.0.1", "[::1]")}.isdisjoint({421})


def test_another_name_is_allowed_on_purpose() -> None:
    """A client in another container has that machine's name in `Host`."""
    with Emulator(allowed_hosts=["api-double"]) as emulator:
        client = http.client.HTTPConnection("127.0.0.1", emulator.port)
        with contextlib.closing(client):
            client.request("GET", "/openapi.json", headers={"host": f"API-double:{emulator.port}"})
            assert client.getresponse().status == 200


def test_a_taken_port_is_a_clear_error(emulator: Emulator) -> None:
    """Starting on a port in use names the port."""
    with pytest.raises(EmulatorError, match=f"port {emulator.port} on 127.0.0.1 cannot be used"):
        Emulator(port=emulator.port).start()


def test_it_can_be_started_once_at_a_time(emulator: Emulator) -> None:
    """A second start is an error; before the first there is no address."""
    with pytest.raises(EmulatorError, match="running already"):
        emulator.start()
    with pytest.raises(EmulatorError, match="until it is started"):
        _ = Emulator().base_url


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_that_is_not_positive_is_an_error(speed: float) -> None:
    """Speed divides durations."""
    with pytest.raises(EmulatorError, match="more than 0"):
        Emulator(speed=speed)


def test_speed_divides_durations(connect: Connect) -> None:
    """At speed 5 half a second of the scenario takes a tenth."""
    clock = ManualClock()
    with Emulator(clock=clock, speed=5) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        clock.advance(0.1)
        assert client.responses.retrieve(run.id).status == "completed"


def test_the_wall_clock_moves_by_itself(connect: Connect) -> None:
    """Without a clock of the test, runs complete in real time."""
    with Emulator(speed=100) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        for _ in range(1000):
            if client.responses.retrieve(run.id).status == "completed":
                return
    pytest.fail("still pending after 1000 polls of a run of 5 ms")


def test_a_stalled_client_does_not_hold_up_the_stop(connect: Connect) -> None:
    """Stopping drops every connection; stopping again does nothing."""
    emulator = Emulator().start()
    client = connect(emulator)
    errors: list[Exception] = []

    def wait_in_vain() -> None:
        try:
            client.responses.create(model="gpt-5", input="hi", metadata={"emulate_create": "stall"}, timeout=60)
        except openai.APIError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait_in_vain)
    waiting.start()
    while waiting.is_alive() and not emulator.requests:
        waiting.join(0.01)
    emulator.stop()
    emulator.stop()
    waiting.join(60)
    assert [type(error) for error in errors] == [openai.APIConnectionError]


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_no_socket_is_left_open_by_whoever_connects_at_the_end() -> None:
    """Connections that arrive while it stops are closed with the others."""
    for _ in range(50):
        connections: list[socket.socket] = []
        emulator = Emulator().start()
        knocking = threading.Thread(target=knock, args=(emulator.port, connections))
        knocking.start()
        emulator.stop()
        knocking.join()
        for connection in connections:
            connection.close()
    gc.collect()  # what was left open complains here, and fails the test


def knock(port: int, connections: list[socket.socket]) -> None:
    """Connect again and again, until nobody listens."""
    with contextlib.suppress(OSError):
        for _ in range(40):
            connections.append(socket.create_connection(("127.0.0.1", port)))


def test_a_restart_keeps_port_and_runs(connect: Connect) -> None:
    """A stopped emulator can be started again, as after an outage."""
    emulator = Emulator()
    with emulator:
        url = emulator.base_url
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
    with pytest.raises(openai.APIConnectionError):
        client.responses.retrieve(run.id)
    with emulator:
        assert emulator.base_url == url
        assert client.responses.retrieve(run.id).id == run.id


def test_a_state_file_outlives_the_emulator(tmp_path: Path, connect: Connect) -> None:
    """A new emulator on the same file knows the runs, their cancels, and whose turn it is in every list."""
    clock, path = ManualClock(), tmp_path / "state.jsonl"
    marker = {"emulate": "rate_limit_exceeded,completed"}

    with Emulator(clock=clock, state_path=path) as emulator:
        client = connect(emulator)
        first = client.responses.create(model="gpt-5", input="hi", background=True, metadata=marker)
        stopped = client.responses.create(model="gpt-5", input="no", background=True)
        client.responses.cancel(stopped.id)
        before = emulator.runs

    clock.advance(5)
    with Emulator(clock=clock, state_path=path) as emulator:
        assert emulator.runs == before
        client = connect(emulator)
        error = client.responses.retrieve(first.id).error
        assert error is not None
        assert error.code == "rate_limit_exceeded"
        assert client.responses.retrieve(stopped.id).status == "cancelled"
        client.responses.create(model="gpt-5", input="hi", background=True, metadata=marker)
        assert (emulator.runs[-1].word, emulator.runs[-1].submission) == ("completed", 2)


@pytest.mark.parametrize("torn", [b'{"event": "created", "id": "resp_', b'{"event": "crea\n', b"{}"])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, connect: Connect, torn: bytes) -> None:
    """What a dying process left half written is dropped, and the next run starts on a line of its own."""
    path = tmp_path / "state.jsonl"
    with Emulator(state_path=path) as emulator:
        connect(emulator).responses.create(model="gpt-5", input="hi", background=True)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    with Emulator(state_path=path) as emulator:
        assert len(emulator.runs) == 1
        connect(emulator).responses.create(model="gpt-5", input="hi", background=True)
    assert path.read_bytes().startswith(whole)
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["created", "created"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("what\n{}\n", "line 1 is not an event"),
        ('{"event": "cancelled", "id": "resp_x", "at": 1}\n', "line 1 does not fit scenario 'happy'"),
        (
            '{"event": "created", "id": "resp_x", "created_at": 1, "request": {}, "outcome": "odd"}\n',
            "line 1 does not fit scenario 'happy': unknown outcome 'odd'",
        ),
    ],
)
def test_a_state_file_that_makes_no_sense_is_an_error(tmp_path: Path, content: str, said: str) -> None:
    """The error names the file and the line."""
    path = tmp_path / "state.jsonl"
    path.write_text(content)
    with pytest.raises(EmulatorError) as caught:
        Emulator(state_path=path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_many_clients_at_once_are_served(emulator: Emulator) -> None:
    """Concurrent creates and polls are all answered, each with its own run."""

    async def run_one(client: AsyncOpenAI, number: int) -> bool:
        run = await client.responses.create(model="gpt-5", input=f"job {number}", background=True)
        return (await client.responses.retrieve(run.id)).id == run.id

    async def run_all() -> list[bool]:
        async with AsyncOpenAI(base_url=emulator.base_url, api_key="any", max_retries=0) as client:
            return await asyncio.gather(*(run_one(client, number) for number in range(50)))

    before = len(emulator.runs)
    assert all(asyncio.run(run_all()))
    assert len({run.id for run in emulator.runs[before:]}) == 50


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to a process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_until_it_is_told_to_stop(number: int) -> None:
    """`serve` gives its URL when it answers, and returns after SIGINT or SIGTERM without a word."""
    process = python(
        "from runoutcome.testing import serve\n"
        "serve('happy', on_ready=lambda url: print(url, flush=True))\n"
        "print('bye')"
    )
    assert process.stdout is not None
    with OpenAI(base_url=process.stdout.readline().strip(), api_key="any", max_retries=0) as client:
        assert client.responses.create(model="gpt-5", input="hi").status == "completed"
        process.send_signal(number)
        assert process.communicate(timeout=60) == ("bye\n", "")
    assert process.returncode == 0


def test_the_import_is_light() -> None:
    """Importing the package loads neither the server nor any client."""
    process = python(
        "import sys, runoutcome.testing\n"
        "print(sorted({'starlette', 'uvicorn', 'openai', 'httpx', 'httpx2'} & set(sys.modules)))\n"
        "runoutcome.testing.Emulator\n"
        "print(sorted({'openai', 'httpx', 'httpx2'} & set(sys.modules)))"
    )
    assert process.communicate(timeout=60) == ("[]\n[]\n", "")


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_says_what_to_install(missing: str) -> None:
    """Without the server's packages the import error names the extra; what needs no server still works."""
    process = python(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import runoutcome.testing\n"
        "runoutcome.testing.load_scenario('mixed')\n"
        "try:\n"
        "    from runoutcome.testing import Emulator\n"
        "except ImportError as error:\n"
        "    print(error)"
    )
    said, errors = process.communicate(timeout=60)
    assert errors == ""
    assert said.endswith("install runoutcome[testing]\n")


def test_the_names_are_all_there() -> None:
    """Every public name resolves, and a wrong one is an AttributeError."""
    for name in runoutcome.testing.__all__:
        public = getattr(runoutcome.testing, name)
        assert name.isupper() or public.__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Emulater'"):
        _ = runoutcome.testing.Emulater
    assert len(set(runoutcome.testing.__all__)) == len(runoutcome.testing.__all__)


def test_time_does_not_go_back() -> None:
    """A manual clock only advances."""
    with pytest.raises(ValueError, match="does not go back"):
        ManualClock().advance(-1)
