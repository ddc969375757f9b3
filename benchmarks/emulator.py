"""What load the emulator bears: polls per second on one core, and the memory of many live runs.

Run with `python benchmarks/emulator.py`. The server is a process of its own, pinned to one core where the system can
do that; the client sends prepared bytes over a few kept-alive connections from the others. Both are on loopback, every
phase is bounded in time and count, and all of it takes less than half a minute. Beside the rate on the clock stands
the rate for each second of the server's CPU, which a busy machine does not change much. Prints a table and writes it
to `benchmarks/EMULATOR.md`.
"""

from __future__ import annotations

import json
import os
import platform
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import starlette
import uvicorn

import runoutcome
from tables import table

LIVE_RUNS = 10_000
POLL_SECONDS = 15.0
CREATE_SECONDS = 12.0
CONNECTIONS = 16
TARGET_POLLS, TARGET_MEGABYTES = 2000, 300
RESULTS = Path(__file__).with_name("EMULATOR.md")

SERVER = """
import sys
from runoutcome.testing import serve
scenario = {"queued_seconds": 1, "running_seconds": 100_000}
serve(scenario, on_ready=lambda url: print(url, flush=True))
"""
PROMPT = "Summarise the attached report in three paragraphs. " * 10
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Phase:
    """What one kind of request came to."""

    name: str
    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def row(self) -> tuple[str, ...]:
        """Its row of the table."""
        on_clock, on_core = self.requests / self.seconds, self.requests / self.cpu_seconds
        micros = self.cpu_seconds / self.requests * 1e6
        return (self.name, f"{self.requests:,}", f"{on_clock:,.0f}", f"{on_core:,.0f}", f"{micros:.0f}")


@contextmanager
def server() -> Iterator[tuple[int, int]]:
    """The process id and the port of an emulator on a core of its own."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        try:
            if hasattr(os, "sched_setaffinity"):
                cores = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(process.pid, cores[:1])
                os.sched_setaffinity(0, cores[1:] or cores)
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline().split(":")[2].split("/")[0])
        finally:
            process.terminate()


def cpu_seconds(pid: int) -> float:
    """CPU seconds that a process has used, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def megabytes(pid: int) -> float:
    """The resident memory of a process, at its highest."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def request_bytes(method: str, path: str, body: bytes = b"") -> bytes:
    """One request as it goes over the wire, with the headers a client of the API sends."""
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer any\r\naccept: application/json\r\n"
    head += "user-agent: OpenAI/Python 3.54.0\r\naccept-encoding: gzip, deflate\r\nx-stainless-lang: python\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n" if body else "\r\n"
    return head.encode() + body


class Connection:
    """One kept-alive connection with one request in flight."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def send(self, request: bytes) -> None:
        """Send one request."""
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The whole answer; None while some of it is missing."""
        piece = self.socket.recv(262144)
        if not piece:
            raise ConnectionError("the server hung up")
        self._read += piece
        end = self._read.find(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", self._read[:end]) if end > 0 else None
        if length is None or len(self._read) < end + 4 + int(length[1]):
            return None
        answer, self._read = self._read, b""
        return answer


def drive(port: int, requests: Iterator[bytes], seconds: float) -> list[bytes]:
    """The answers to these requests, a few at a time, until there are no more or the time is up."""
    answers: list[bytes] = []
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        connections = [Connection(port) for _ in range(CONNECTIONS)]
        in_flight = 0
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            if request := next(requests, None):
                connection.send(request)
                in_flight += 1
        while in_flight:
            for key, _ in selector.select():
                answer = key.data.receive()
                if answer is None:
                    continue
                answers.append(answer)
                in_flight -= 1
                if time.monotonic() < deadline and (request := next(requests, None)):
                    key.data.send(request)
                    in_flight += 1
        for connection in connections:
            connection.socket.close()
    return answers


def measured(name: str, pid: int, port: int, requests: Iterator[bytes], seconds: float) -> tuple[Phase, list[bytes]]:
    """One phase, and its answers. Raises RuntimeError if one of them is no 200."""
    cpu, started = cpu_seconds(pid), time.monotonic()
    answers = drive(port, requests, seconds)
    phase = Phase(name, len(answers), time.monotonic() - started, max(cpu_seconds(pid) - cpu, 1 / TICKS))
    for answer in answers:
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{name}: {answer[:300]!r}")
    return phase, answers


def creates() -> Iterator[bytes]:
    """The creates of many runs that take long."""
    for number in range(LIVE_RUNS):
        body = {"model": "gpt-5.5", "input": f"{number}: {PROMPT}", "background": True}
        yield request_bytes("POST", "/v1/responses", json.dumps(body).encode())


def polls(ids: list[str]) -> Iterator[bytes]:
    """Polls of all the runs, round and round."""
    prepared = [request_bytes("GET", f"/v1/responses/{run_id}") for run_id in ids]
    while True:
        yield from prepared


def report() -> str:
    """Everything that was measured, as Markdown."""
    with server() as (pid, port):
        idle = megabytes(pid)
        made, answers = measured("creates", pid, port, creates(), CREATE_SECONDS)
        ids = [json.loads(answer.partition(b"\r\n\r\n")[2])["id"] for answer in answers]
        live = megabytes(pid)
        polled, answers = measured("polls of pending runs", pid, port, polls(ids), POLL_SECONDS)
        size = len(answers[-1].partition(b"\r\n\r\n")[2])
        after = megabytes(pid)
    rows = table(
        ("requests", "number", "per second", "per CPU second", "CPU microseconds each"), [made.row, polled.row]
    )
    memory = table(
        ("memory of the server, at its highest", "MB"),
        [
            ("no run", f"{idle:.0f}"),
            (f"{len(ids):,} live runs", f"{live:.0f}"),
            (f"{len(ids):,} live runs, and {polled.requests:,} polls recorded", f"{after:.0f}"),
        ],
    )
    return f"""# The load that the emulator can carry

Python {platform.python_version()}, uvicorn {uvicorn.__version__}, starlette {starlette.__version__}, runoutcome \
{runoutcome.__version__}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}. One server process on one \
core, one client process on the others, {CONNECTIONS} kept-alive connections on loopback, bodies of \
{size / 1000:.1f} kB. The target: {TARGET_POLLS:,} polls a second, and {LIVE_RUNS:,} live runs within \
{TARGET_MEGABYTES} MB. Written by `python benchmarks/emulator.py`.

{rows}

{memory}
"""


if __name__ == "__main__":
    results = report()
    print(results)
    RESULTS.write_text(results, "utf-8")
