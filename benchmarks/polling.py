"""CPU per poll of a pending run: ours through the client, ours beside it, the SDK's own `retrieve`, and the floor.

Run with `python benchmarks/polling.py`; `--quick` for a short look. The server is another process and gives canned
answers over loopback; what is counted is the CPU time of this process. All subjects take turns in every round, so that
a busy machine slows them alike, and a ratio is the median of the ratios of the rounds.

Ours is all of it: the steps of `poll`, the driver, the request, the judging of the answer, one wait after the other or
50 waits at once. Only the sleep between two polls is left out. The floor is a plain socket, or a protocol of asyncio,
that writes bytes it has ready and decodes the answer up to its status: nobody can poll for less.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal
from urllib.parse import urlsplit

import openai

from dispatch import LONG_ITEM, RUN
from runoutcome import AsyncRuns, Runs
from runoutcome._drivers.clock import SystemClock
from runoutcome._outcome.body import read_head
from tables import table

IN_FLIGHT = 50
ROUNDS = 15
OUTPUTS = {"short": RUN["output"], "long": [LONG_ITEM] * 475}
BODIES = {
    name: json.dumps({**RUN, "id": f"resp_{name}", "output": output}).encode() for name, output in OUTPUTS.items()
}
HEAD = """HTTP/1.1 200 OK
date: Mon, 23 Nov 2026 09:00:00 GMT
content-type: application/json
content-length: {length}
x-request-id: req_68b4e2c0ffee
openai-version: 2020-10-01
openai-processing-ms: 31
openai-organization: org-68b4e2
openai-project: proj_68b4e2
strict-transport-security: max-age=31536000; includeSubDomains; preload
x-content-type-options: nosniff
cf-cache-status: DYNAMIC
server: cloudflare
cf-ray: 9a68b4e2c0ffee-FRA
alt-svc: h3=":443"; ma=86400

"""
Body = Literal["short", "long"]
Way = Literal["sync", "threads", "async"]
WAYS: dict[Way, str] = {
    "sync": "sync, one after the other",
    "threads": f"sync, {IN_FLIGHT} threads",
    "async": f"async, {IN_FLIGHT} in flight",
}
TARGETS: dict[tuple[Way, str, str], float] = {
    **{(way, "client", "short"): 0.85 for way in WAYS},
    **{(way, "client", "long"): 0.06 for way in WAYS},
    ("sync", "fast", "short"): 0.25,
    ("threads", "fast", "short"): 0.25,
    ("async", "fast", "short"): 0.15,
}
"""The highest ratio to `retrieve`, by way, subject and body."""


# The server


ANSWERS = {name: HEAD.replace("\n", "\r\n").format(length=len(body)).encode() + body for name, body in BODIES.items()}


class Canned(asyncio.Protocol):
    """Answers each GET by the first letters of the id in its path."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.unread = transport, b""

    def data_received(self, data: bytes) -> None:
        """Bytes of requests have come."""
        *requests, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for request in requests:
            self.transport.write(ANSWERS["long" if b"/resp_long" in request.split(b"\r\n")[0] else "short"])


async def serve() -> None:
    """Print the port, and serve until the parent closes our stdin."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Canned, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def serving() -> Iterator[str]:
    """The base URL of a server in another process."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        process.stdin.close()


# What is measured


class EnoughError(Exception):
    """So many polls were asked for, and made."""


class NoSleep(SystemClock):
    """Time for `Runs` in which nobody sleeps, and whoever would sleep after so many polls stops."""

    def __init__(self) -> None:
        self.polls = self.limit = 0

    def sleep(self, seconds: float) -> Any:
        """Count a poll."""
        self.polls += 1
        if self.polls >= self.limit:
            raise EnoughError


class AsyncNoSleep(NoSleep):
    """The same for `AsyncRuns`."""

    def sleep(self, seconds: float) -> Any:
        """A coroutine that counts a poll."""

        async def sleep() -> None:
            NoSleep.sleep(self, seconds)

        return sleep()


Call = Callable[[str, int], int]
"""Makes about so many polls of a run; gives how many."""
AsyncCall = Callable[[str, int], Awaitable[int]]


def by_runs(runs: Runs, clock: NoSleep, workers: int) -> Call:
    """Ours."""

    def wait(run: str) -> None:
        try:
            runs.poll(run, poll_interval_ms=1)
        except EnoughError:
            return

    def call(run: str, polls: int) -> int:
        clock.polls, clock.limit = 0, polls
        together(lambda: wait(run), workers)
        return clock.polls

    return call


def by_runs_async(runs: AsyncRuns, clock: NoSleep) -> AsyncCall:
    """The async twin."""

    async def wait(run: str) -> None:
        try:
            await runs.poll(run, poll_interval_ms=1)
        except EnoughError:
            return

    async def call(run: str, polls: int) -> int:
        clock.polls, clock.limit = 0, polls
        await asyncio.gather(*(wait(run) for _ in range(IN_FLIGHT)))
        return clock.polls

    return call


def by_loop(poll: Callable[[str], object], workers: int) -> Call:
    """A loop over one function, in each of the threads."""

    def call(run: str, polls: int) -> int:
        each = max(1, polls // workers)

        def loop() -> None:
            for _ in range(each):
                poll(run)

        together(loop, workers)
        return each * workers

    return call


def by_loop_async(poll: Callable[[str], Awaitable[object]]) -> AsyncCall:
    """The async twin."""

    async def call(run: str, polls: int) -> int:
        each = max(1, polls // IN_FLIGHT)

        async def loop() -> None:
            for _ in range(each):
                await poll(run)

        await asyncio.gather(*(loop() for _ in range(IN_FLIGHT)))
        return each * IN_FLIGHT

    return call


def together(function: Callable[[], object], workers: int) -> None:
    """Call it in so many threads at once; here, if in one."""
    if workers == 1:
        function()
        return
    threads = [threading.Thread(target=function) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Floor:
    """One socket, and one request that is ready."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self.address = str(parts.hostname), int(parts.port or 80)
        self._socket: socket.socket | None = None

    def request(self, run: str) -> bytes:
        """The bytes to send."""
        return f"GET /v1/responses/{run} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n".encode()

    def poll(self, run: str) -> object:
        """Send, read, decode up to the status."""
        if self._socket is None:
            self._socket = socket.create_connection(self.address)
        self._socket.sendall(self.request(run))
        answer = b""
        while not is_complete(answer):
            answer += self._socket.recv(262_144)
        return read_head(answer.partition(b"\r\n\r\n")[2])

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()


class AsyncFloor(asyncio.Protocol):
    """The same as a protocol of asyncio."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def poll(self, request: bytes) -> object:
        """Send, read, decode up to the status."""
        self.pieces, self.missing = list[bytes](), 0
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return read_head((await self.done).partition(b"\r\n\r\n")[2])

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer have come."""
        self.missing = self.missing - len(data) if self.pieces else length_of(data) - len(data)
        self.pieces.append(data)
        if self.missing <= 0:
            self.done.set_result(b"".join(self.pieces))


def length_of(answer: bytes) -> int:
    """How long an answer is, by its beginning."""
    head, _, _ = answer.partition(b"\r\n\r\n")
    return len(head) + 4 + int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])


def is_complete(answer: bytes) -> bool:
    """Whether all of an answer is there."""
    return bool(answer) and len(answer) >= length_of(answer)


@dataclass(frozen=True)
class Plan:
    """How many polls are made in a round."""

    rounds: int
    ours: int
    theirs: dict[Body, int]

    def polls(self, name: str, body: Body) -> int:
        """Of one subject."""
        return self.theirs[body] if name == "retrieve" else self.ours


Found = dict[tuple[str, Body], list[float]]
"""Microseconds of CPU per poll, one number for each round."""


def measure(base_url: str, plan: Plan, workers: int) -> Found:
    """The sync subjects, in so many threads."""
    with openai.OpenAI(api_key="k", base_url=base_url) as client:
        clocks = NoSleep(), NoSleep()
        floor = Floor(base_url)
        calls: dict[str, Call] = {
            "retrieve": by_loop(client.responses.retrieve, workers),
            "client": by_runs(Runs(client, clock=clocks[0], max_polls_in_flight=workers), clocks[0], workers),
            "fast": by_runs(
                Runs(client, clock=clocks[1], max_polls_in_flight=workers, transport="fast"), clocks[1], workers
            ),
        }
        if workers == 1:
            calls["floor"] = by_loop(floor.poll, 1)
        found: Found = {(name, body): [] for body in BODIES for name in calls}  # type: ignore[misc]
        for turn in range(-1, plan.rounds):  # the first one opens connections
            for (name, body), each in found.items():
                gc.collect()
                started = time.process_time()
                polls = calls[name](f"resp_{body}", plan.polls(name, body))
                spent = time.process_time() - started
                if turn >= 0:
                    each.append(spent / polls * 1e6)
        floor.close()
    return found


async def measure_async(base_url: str, plan: Plan) -> Found:
    """The async subjects."""
    async with openai.AsyncOpenAI(api_key="k", base_url=base_url) as client:
        clocks = AsyncNoSleep(), AsyncNoSleep()
        floor = Floor(base_url)
        idle = list[AsyncFloor]()

        async def poll(run: str) -> object:
            if idle:
                protocol = idle.pop()
            else:
                _, protocol = await asyncio.get_running_loop().create_connection(AsyncFloor, *floor.address)
            answer = await protocol.poll(floor.request(run))
            idle.append(protocol)
            return answer

        calls: dict[str, AsyncCall] = {
            "retrieve": by_loop_async(client.responses.retrieve),
            "client": by_runs_async(AsyncRuns(client, clock=clocks[0], max_polls_in_flight=IN_FLIGHT), clocks[0]),
            "fast": by_runs_async(
                AsyncRuns(client, clock=clocks[1], max_polls_in_flight=IN_FLIGHT, transport="fast"), clocks[1]
            ),
            "floor": by_loop_async(poll),
        }
        found: Found = {(name, body): [] for body in BODIES for name in calls}  # type: ignore[misc]
        for turn in range(-1, plan.rounds):
            for (name, body), each in found.items():
                gc.collect()
                started = time.process_time()
                polls = await calls[name](f"resp_{body}", plan.polls(name, body))
                spent = time.process_time() - started
                if turn >= 0:
                    each.append(spent / polls * 1e6)
        for protocol in idle:
            protocol.transport.close()
    return found


# What is told

NAMES = {
    "retrieve": "`client.responses.retrieve(id)`",
    "client": "`Runs.poll`, through the client",
    "fast": '`Runs.poll`, `transport="fast"`',
    "floor": "the floor: a socket, partial decode",
}


def ratio(found: Found, name: str, body: Body) -> float:
    """To `retrieve`: the median of the rounds."""
    return median(one / other for one, other in zip(found[name, body], found["retrieve", body], strict=True))


def rows(way: Way, found: Found) -> Iterator[list[str]]:
    """The rows of one way to poll."""
    for name in dict.fromkeys(name for name, _ in found):
        row = [f"{WAYS[way]}: {NAMES[name]}"]
        for body in BODIES:
            target = TARGETS.get((way, name, body))
            row += [
                f"{median(found[name, body]):,.0f}",  # type: ignore[index]
                f"{ratio(found, name, body):.3f}",  # type: ignore[arg-type]
                f"{target:.2f}" if target is not None else "",
            ]
        yield row


def missed(found: dict[Way, Found]) -> list[str]:
    """The targets that do not hold."""
    return [
        f"{way} {name} {body}: {got:.3f} > {target}"
        for (way, name, body), target in TARGETS.items()
        if (got := ratio(found[way], name, body)) > target  # type: ignore[arg-type]
    ]


def section(quick: bool = False) -> str:
    """What a poll costs, as Markdown. Raises ValueError if a target does not hold, unless it is a quick look."""
    plan = Plan(1, 50, {"short": 50, "long": 1}) if quick else Plan(ROUNDS, 400, {"short": 200, "long": 50})
    with serving() as base_url:
        found: dict[Way, Found] = {
            "sync": measure(base_url, plan, 1),
            "threads": measure(base_url, plan, IN_FLIGHT),
            "async": asyncio.run(measure_async(base_url, plan)),
        }
    if not quick and (failures := missed(found)):
        raise ValueError(f"too much CPU for a poll: {'; '.join(failures)}")
    sizes = [f"{len(body) / 1000:.0f} kB" for body in BODIES.values()]
    head = ["a poll of a pending run", f"{sizes[0]}: µs", "ratio", "at most", f"{sizes[1]}: µs", "ratio", "at most"]
    return f"""## CPU per poll

Microseconds of CPU time of the client's process. The server is another process, on loopback and without TLS. Each
answer has {HEAD.count(": ")} headers, and the body of {sizes[1]} has 475 items. All subjects take turns in each of
{plan.rounds} rounds. The table shows the median; a ratio is to `retrieve` in the same group of rows. `Runs.poll` is a
whole poll without the sleep, from the steps to the judged answer. The floor is the least possible work: a prepared
request, and an answer that is decoded up to its status.

{table(head, [row for way in found for row in rows(way, found[way])])}

Ratios to the floor, at {sizes[0]}: {distances(found)}.
"""


def distances(found: dict[Way, Found]) -> str:
    """How many times the floor ours costs."""
    told = [
        f"{WAYS[way]}: {times(each, 'client'):.1f} through the client, "
        f"{times(each, 'fast'):.1f} with the fast transport"
        for way, each in found.items()
        if ("floor", "short") in each
    ]
    return "; ".join(told)


def times(found: Found, name: str) -> float:
    """To the floor, for a short body: the median of the rounds."""
    return median(one / other for one, other in zip(found[name, "short"], found["floor", "short"], strict=True))


if __name__ == "__main__":
    if "--serve" in sys.argv:
        asyncio.run(serve())
    else:
        print(section("--quick" in sys.argv))
