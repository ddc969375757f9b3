"""What `OutcomeMiddleware` adds to the cost of a pending poll.

Run with `python benchmarks/middleware.py`: prints a section for `RESULTS.md`. One server process (uvicorn, Starlette)
answers under `/bare` and, behind the middleware, under `/wrapped`. A round asks both the same number of times, and
compares the server's CPU time; a ratio is the median of the rounds.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from statistics import median

from canned_server import body_of
from tables import table

LIMIT = 1.15
"""The cost of a poll behind the middleware, at most, as a part of the cost without it."""
WORDS = (
    f"""The bare application answers a canned body. Any real one costs more, so its ratio is lower. Limit: {LIMIT}."""
)
SIZES = (2, 191)
"""Kilobytes of the pending body."""


def section(quick: bool = False) -> str:
    """The measurements as Markdown. Raises ValueError if a ratio is above its limit."""
    rounds, polls = (7, 300) if quick else (25, 800)
    rows, missed = list[tuple[str, ...]](), list[str]()
    for kilobytes in SIZES:
        bare, wrapped = _measured(kilobytes, rounds, polls)
        ratio = median(after / before for before, after in zip(bare, wrapped, strict=True))
        rows.append((f"{kilobytes} kB", _microseconds(bare, polls), _microseconds(wrapped, polls), f"{ratio:.2f}"))
        if ratio > LIMIT:
            missed.append(f"{kilobytes} kB: {ratio:.2f}")
    if missed:
        raise ValueError(f"the middleware costs more than {LIMIT} of the bare application: {', '.join(missed)}")
    head = ("pending body", "bare, µs CPU a poll", "with the middleware", "ratio")
    return f"## The outcome middleware\n\n{WORDS}\n\n{table(head, rows)}\n"


def _microseconds(seconds: list[float], polls: int) -> str:
    return f"{median(seconds) / polls * 1e6:.0f}"


def _measured(kilobytes: int, rounds: int, polls: int) -> tuple[list[float], list[float]]:
    """The seconds of CPU of each round, bare and wrapped."""
    with subprocess.Popen(
        [sys.executable, __file__, "serve", str(kilobytes)], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            connection = http.client.HTTPConnection("127.0.0.1", int(server.stdout.readline()))
            times = {"/bare": list[float](), "/wrapped": list[float]()}
            for number in range(rounds + 1):  # the first warms up
                for path, seconds in times.items():
                    before = float(_get(connection, "/cpu"))
                    for _ in range(polls):
                        _get(connection, f"{path}/")
                    if number:
                        seconds.append(float(_get(connection, "/cpu")) - before)
            return times["/bare"], times["/wrapped"]
        finally:
            server.terminate()


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    return connection.getresponse().read()


def _serve(kilobytes: int) -> None:
    """Serve until ended; print the port."""
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Mount, Route

    from runoutcome.asgi import OutcomeMiddleware

    body = body_of(kilobytes)

    async def poll(_: Request) -> Response:
        return Response(body, media_type="application/json")

    async def cpu(_: Request) -> Response:
        return PlainTextResponse(repr(time.process_time()))

    app = Starlette(
        routes=[
            Route("/cpu", cpu),
            Mount("/bare", Starlette(routes=[Route("/", poll)])),
            Mount("/wrapped", OutcomeMiddleware(Starlette(routes=[Route("/", poll)]))),
        ]
    )
    listener = socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # named, else asyncio leaves delays on
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        _serve(int(sys.argv[2]))
    else:
        print(section("--quick" in sys.argv))
