"""One test body for both colours: a real client on a real socket, and time that moves only when somebody sleeps.

A `World` is an emulator, the user's client, and `Runs` or `AsyncRuns` over it. `World.call` runs a method of either
and gives what it returns, so a test does not know which colour it is in. A test module makes its fixture with

    worlds = pytest.fixture(params=COLOURS)(open_worlds)
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import openai
import pytest
from openai import OpenAI

from runoutcome import AsyncRuns, ResubmitBudget, Runs
from runoutcome._sdk.fast_transport import Transport
from runoutcome._sdk.responses import native_http_library
from runoutcome.testing import Emulator, ManualClock, RecordedRequest, Scenario

Colour = Literal["sync", "async"]
COLOURS: tuple[Colour, ...] = ("sync", "async")
WAYS = (*COLOURS, "sync-fast", "async-fast")
"""The colours, each with either transport of its polls."""
API_KEY = "sk-secret-key"
PARAMS: dict[str, Any] = {"model": "gpt-5", "input": "Name the largest moon of Saturn."}
START = 2.0**17
"""What the monotonic clock says first: up to 2**18 the numbers are so dense that rounding does no harm."""


class VirtualClock:
    """The time of a `Runs`, and the emulator's with it: hours pass in milliseconds, and sleeps are recorded."""

    def __init__(self, server: ManualClock, log: Callable[[str, Any], None]) -> None:
        self.server = server
        self.sleeps: list[float] = []
        self.on_sleep: Callable[[float], None] | None = None
        """Called before time moves; what it raises comes out of the sleep, as Ctrl-C does."""
        self._log = log
        self._monotonic = START

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._monotonic

    def time(self) -> float:
        """Seconds since the epoch: the emulator's own."""
        return self.server.now()

    def advance(self, seconds: float) -> None:
        """Let time pass, for both sides."""
        before = self._monotonic
        self._monotonic += seconds
        assert seconds <= 0 or self._monotonic > before, f"a sleep of {seconds!r} s moves no clock: this would spin"
        self.server.advance(seconds)

    def sleep(self, seconds: float) -> Any:
        """Let time pass, and remember by how much."""
        self.sleeps.append(seconds)
        self._log("sleep", seconds)
        if self.on_sleep is not None:
            self.on_sleep(seconds)
        self.advance(seconds)


class AsyncVirtualClock(VirtualClock):
    """The same for `AsyncRuns`; other tasks run meanwhile."""

    def sleep(self, seconds: float) -> Any:
        """A coroutine that lets time pass."""

        async def sleep() -> None:
            VirtualClock.sleep(self, seconds)
            await asyncio.sleep(0)

        return sleep()


class World:
    """An emulator, the user's client of it, and a `Runs` of one colour in virtual time.

    `options` are those of the client. `answer` stands in for the network: a function from an HTTP request to an
    HTTP response of the SDK's own library, or an exception to raise. For `transport="fast"` it is put behind a socket,
    which an exception breaks.
    """

    def __init__(
        self,
        colour: Colour,
        scenario: Scenario | Mapping[str, Any] | str = "happy",
        *,
        answer: Callable[[Any], Any] | None = None,
        client_class: str = "OpenAI",
        real_time: bool = False,
        transport: Transport = "client",
        **options: Any,
    ) -> None:
        self.colour: Colour = colour
        self.transport: Transport = transport
        self.log: list[tuple[str, Any]] = []
        server = ManualClock()
        self._emulator = Emulator(scenario, clock=None if real_time else server)
        self.clock: Any = (VirtualClock if colour == "sync" else AsyncVirtualClock)(server, self.note)
        self.budget = ResubmitBudget()
        self.hooks: list[Callable[[Any], Any]] = []
        """Called with each HTTP request of the client before it is sent."""
        self.response_hooks: list[Callable[[Any], Any]] = []
        """Called with each HTTP response of the client before its body is read."""
        self._answer, self._client_class, self._real_time = answer, client_class, real_time
        self._options = {"api_key": API_KEY, "max_retries": 2, **options}
        self._logged = 0
        self._stack = ExitStack()
        if answer is not None and transport == "fast":
            self._options["base_url"] = self._stack.enter_context(RawServer(_serving(answer))).base_url
        elif answer is not None:
            self._options.setdefault("base_url", "https://api.example.test/v1")

    @cached_property
    def emulator(self) -> Emulator:
        """The emulator, started when it is first needed."""
        # It takes a moment to stop, which is not waited for.
        self._stack.callback(threading.Thread(target=self._emulator.stop).start)
        return self._emulator.start()

    @cached_property
    def plain(self) -> OpenAI:
        """A plain client of the emulator, for what happens elsewhere."""
        return self._stack.enter_context(
            OpenAI(base_url=self.emulator.base_url, api_key="any", max_retries=0, http_client=_http("sync"))
        )

    def close(self) -> None:
        """Close what is open."""
        self._stack.close()

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """What the method of `Runs`, or awaiting that of `AsyncRuns`, gives."""
        if self.colour == "sync":
            with ended_polls():
                return getattr(self.runs(self.client()), name)(*args, **kwargs)
        return asyncio.run(self._call_async(name, *args, **kwargs))

    async def _call_async(self, name: str, *args: Any, **kwargs: Any) -> Any:
        async with self.client() as client:
            return await getattr(self.runs(client), name)(*args, **kwargs)

    def runs(self, client: Any, **options: Any) -> Any:
        """`Runs` or `AsyncRuns` over a client, in virtual time unless told otherwise."""
        cls = Runs if self.colour == "sync" else AsyncRuns
        clock = None if self._real_time else self.clock
        return cls(client, **{"resubmit_budget": self.budget, "clock": clock, "transport": self.transport, **options})

    def client(self) -> Any:
        """A client of the user's, as he made it; a sync one is closed with the world."""
        name = self._client_class if self.colour == "sync" else f"Async{self._client_class}"
        if self.transport == "fast":
            http = default_http(self.colour)
        else:
            http = _http(self.colour, self.hooks, self.response_hooks, self._answer)
        options = {"http_client": http, **self._options}
        if "base_url" not in options:
            options["base_url"] = self.emulator.base_url
        client = getattr(openai, name)(**options)
        if self.colour == "sync":
            self._stack.callback(client.close)
        return client

    def create(self, **params: Any) -> Any:
        """`create` with a model and an input."""
        return self.call("create", **{**PARAMS, **params})

    def create_and_poll(self, outcome: str = "completed", **params: Any) -> Any:
        """`create_and_poll` of a run with these outcomes, one for each submission."""
        metadata = {"emulate": outcome, **params.pop("metadata", {})}
        return self.call("create_and_poll", **{**PARAMS, "metadata": metadata, **params})

    def submitted(self, outcome: str = "completed", **metadata: str) -> str:
        """The id of a run that was submitted elsewhere."""
        return self.plain.responses.create(
            **PARAMS, background=True, metadata={"emulate": outcome, "runoutcome_key": "elsewhere-1", **metadata}
        ).id

    def note(self, kind: str, what: Any) -> None:
        """Add to the log, after the requests that came before."""
        requests = [] if self._answer else self.emulator.requests
        for request in requests[self._logged :]:
            self.log.append(("request", (request.method, request.status)))
        self._logged = len(requests)
        self.log.append((kind, what))

    def noting(self, kind: str, of: Callable[[Any], Any] = lambda what: what) -> Callable[[Any], None]:
        """A callback that notes what it is told."""
        return lambda what: self.note(kind, of(what))

    def _requests(self, method: str, ending: str = "") -> list[RecordedRequest]:
        return [request for request in self.emulator.requests if request.method == method and ending in request.path]

    @property
    def posts(self) -> list[RecordedRequest]:
        """The creates that reached the emulator."""
        return [request for request in self._requests("POST") if not request.path.endswith("/cancel")]

    @property
    def polls(self) -> list[RecordedRequest]:
        """The polls that reached the emulator."""
        return self._requests("GET")

    @property
    def cancels(self) -> list[RecordedRequest]:
        """The cancels that reached the emulator."""
        return self._requests("POST", "/cancel")

    @property
    def sleeps(self) -> list[float]:
        """What was slept, in seconds."""
        sleeps: list[float] = self.clock.sleeps
        return sleeps

    @property
    def elapsed(self) -> float:
        """How long the world has been there, in virtual seconds, rounding aside."""
        return round(self.clock.monotonic() - START, 6)

    def status_of(self, run_id: str) -> str | None:
        """What became of a run, asked without `Runs`."""
        return self.plain.responses.retrieve(run_id).status


class OpenWorld(Protocol):
    """Opens a world of the test's colour; it is closed after the test."""

    def __call__(self, scenario: Any = "happy", **options: Any) -> World:
        """A new world."""
        ...


def open_worlds(request: pytest.FixtureRequest) -> Iterator[OpenWorld]:
    """The body of the fixture `worlds`."""
    with ExitStack() as stack:
        colour, _, transport = request.param.partition("-")

        def open_world(scenario: Any = "happy", **options: Any) -> World:
            return stack.enter_context(closing(World(colour, scenario, transport=transport or "client", **options)))

        yield open_world


def default_http(colour: Colour) -> Any:
    """What the SDK makes where no `http_client` is given, without the 20 ms that reading certificates takes."""
    name = "SyncHttpxClientWrapper" if colour == "sync" else "AsyncHttpxClientWrapper"
    return getattr(openai._base_client, name)(verify=False)


def _http(
    colour: Colour,
    hooks: Sequence[Callable[[Any], Any]] | None = None,
    response_hooks: Sequence[Callable[[Any], Any]] = (),
    answer: Callable[[Any], Any] | None = None,
) -> Any:
    """The SDK's own HTTP client, without the 20 ms that reading the certificates of the machine takes."""
    options: dict[str, Any] = {"verify": False}
    if answer is not None:
        options["transport"] = native_http_library().MockTransport(_raising(answer))
    call = _calling if colour == "sync" else _calling_async
    if hooks is not None:
        options["event_hooks"] = {"request": [call(hooks)], "response": [call(response_hooks)]}
    client: Any = openai.DefaultHttpxClient if colour == "sync" else openai.DefaultAsyncHttpxClient
    return client(**options)


def _calling(hooks: Sequence[Callable[[Any], Any]]) -> Callable[[Any], None]:
    def call_hooks(what: Any) -> None:
        for hook in hooks:
            hook(what)

    return call_hooks


def _calling_async(hooks: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Awaitable[None]]:
    async def call_hooks(what: Any) -> None:
        for hook in hooks:
            result = hook(what)
            if isinstance(result, Awaitable):
                await result

    return call_hooks


def _serving(answer: Callable[[Any], Any]) -> Callable[[socket.socket, str], None]:
    """The same for a `RawServer`: one answer to one connection."""

    def handle(connection: socket.socket, head: str) -> None:
        first, *lines = head.partition("\r\n\r\n")[0].split("\r\n")
        method, target, _ = first.split(" ")
        headers = [tuple(line.split(": ", 1)) for line in lines]
        request = native_http_library().Request(method, f"https://api.example.test{target}", headers=headers)
        try:
            response = _raising(answer)(request)
        except Exception as error:
            raise ConnectionAbortedError from error
        fields = [(b"Connection", b"close"), *response.headers.raw]
        connection.sendall(f"HTTP/1.1 {response.status_code} x\r\n".encode())
        connection.sendall(b"".join(name + b": " + value + b"\r\n" for name, value in fields) + b"\r\n")
        connection.sendall(response.content)

    return handle


def _raising(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def handle(request: Any) -> Any:
        result = answer(request)
        if isinstance(result, BaseException):
            raise result
        return result

    return handle


def reply(body: Any = None, status: int = 200, text: str | None = None, **headers: str) -> Any:
    """An HTTP response of the SDK's own library; underscores in header names stand for dashes."""
    named = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    content = text if text is not None else json.dumps(body)
    return native_http_library().Response(status, headers=named, content=content.encode())


def refusal(status: int, code: str | None = None, **headers: str) -> Any:
    """The API's own error envelope."""
    return reply(
        {"error": {"message": f"It is {status}.", "type": "x", "param": None, "code": code}}, status, **headers
    )


def body_of(status: str | None, run_id: str = "resp_1", **fields: Any) -> dict[str, Any]:
    """A run's body, as short as can be."""
    return {"id": run_id, "object": "response", "created_at": 1_700_000_000, "model": "gpt-5", "status": status} | {
        "error": None,
        "incomplete_details": None,
        "output": [],
        "metadata": {},
        **fields,
    }


@dataclass
class Script:
    """Stands in for the network: gives one answer after the other, the last one for ever; keeps the requests.

    An answer is an HTTP response, an exception to raise, a function of the request, or the status of a run.
    """

    answers: Iterable[Any]
    requests: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._answers = list(self.answers)

    def __call__(self, request: Any) -> Any:
        """The next answer."""
        self.requests.append(request)
        answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, str):
            return reply(body_of(answer))
        # One response answers one request.
        if isinstance(answer, BaseException):
            return answer
        return native_http_library().Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def methods(self) -> list[str]:
        """The methods of the requests so far."""
        return [request.method for request in self.requests]


class RawServer:
    """A socket whose answers are written by hand, for what no HTTP server does on purpose. A context manager."""

    def __init__(self, handle: Callable[[socket.socket, str], None]) -> None:
        self.requests: list[str] = []
        """The head of each request."""
        self.hung_up = threading.Event()
        """Set when a client went away before its answer was complete."""
        self.finished = threading.Event()
        """Set when an answer was written to its end."""
        self._handle = handle
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._serve)]

    @property
    def base_url(self) -> str:
        """What a client takes as `base_url`."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # Closing alone does not wake an accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            # A body that is left unread resets the connection when it is closed, with the answer still on its way.
            length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
            end = head.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
            while len(head) < end and (piece := connection.recv(65536)):
                head += piece
            self.requests.append(head.decode("latin-1"))
            try:
                self._handle(connection, self.requests[-1])
            except OSError:
                self.hung_up.set()
            else:
                self.finished.set()


@contextmanager
def ended_polls() -> Iterator[None]:
    """Wait at the end for the polls of many runs that are in flight: they are not called off, and use the client."""
    try:
        yield
    finally:
        for thread in threading.enumerate():
            if thread.name == "runoutcome dispatcher":
                thread.join(60)
                assert not thread.is_alive()


def closed_port() -> str:
    """A `base_url` nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def keys_of(posts: Iterable[RecordedRequest]) -> list[str | None]:
    """The `Idempotency-Key` of each POST."""
    return [post.idempotency_key for post in posts]
