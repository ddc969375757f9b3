"""The emulator under an HTTP client without a socket: the same answers, the same faults, no thread left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from runoutcome.testing import Emulator, EmulatorError, ManualClock
from runoutcome.testing._serving.loop_thread import LoopThread
from runoutcome.testing._serving.transport import AsyncEmulatorTransport, EmulatorTransport

COLOURS = ("sync", "async")
URL = "http://emulator.test/v1/responses"
KEY = {"authorization": "Bearer any"}
Act = Callable[[Any], Any]


def threads() -> set[threading.Thread]:
    """The threads in which emulators live."""
    return {thread for thread in threading.enumerate() if thread.name == "runoutcome-emulator"}


class Wire:
    """A plain HTTP client of one colour on a transport; each call opens one and closes it."""

    def __init__(self, colour: str, http: ModuleType, emulator: Emulator) -> None:
        self.colour, self.http, self.emulator = colour, http, emulator

    def post(self, timeout: float | None = 5, **body: Any) -> Any:
        """The response to a create."""
        request = {"model": "gpt-5", "input": "hi", "background": True, **body}
        return self.send("POST", URL, json=request, timeout=timeout)

    def send(self, method: str, url: str, **options: Any) -> Any:
        """The response to a request."""
        if self.colour == "sync":
            with self.http.Client(transport=self.emulator.transport(), headers=KEY) as client:
                return client.request(method, url, **options)

        async def send() -> Any:
            transport = self.emulator.async_transport()
            async with self.http.AsyncClient(transport=transport, headers=KEY) as client:
                return await client.request(method, url, **options)

        return asyncio.run(send())


@pytest.fixture
def clock() -> ManualClock:
    """The clock of `wire`."""
    return ManualClock()


@pytest.fixture(params=COLOURS)
def wire(request: pytest.FixtureRequest, http: ModuleType, clock: ManualClock) -> Wire:
    """Both colours, on an emulator that was never started."""
    return Wire(request.param, http, Emulator(clock=clock))


@contextmanager
def serving(app: Any, http: ModuleType, timeout: float = 60) -> Iterator[Any]:
    """A client of any ASGI application."""
    with http.Client(transport=EmulatorTransport(app, LoopThread(), waits=True), timeout=timeout) as client:
        yield client


def serving_async(app: Any, http: ModuleType, act: Callable[[Any], Awaitable[Any]]) -> Any:
    """What an asynchronous client of any ASGI application does."""

    async def run() -> Any:
        transport = AsyncEmulatorTransport(app, LoopThread(), waits=True)
        async with http.AsyncClient(transport=transport, timeout=60) as client:
            return await act(client)

    return asyncio.run(run())


def test_the_sdk_needs_no_socket(http: ModuleType, clock: ManualClock) -> None:
    """A real client creates and polls on an emulator that does not listen, whatever its base URL."""
    emulator = Emulator(clock=clock)
    with OpenAI(api_key="any", http_client=http.Client(transport=emulator.transport())) as client:
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        clock.advance(1)
        assert client.responses.retrieve(run.id).status == "completed"
    assert [(request.method, request.status) for request in emulator.requests] == [("POST", 200), ("GET", 200)]
    assert [paid.id for paid in emulator.runs] == [run.id]
    with pytest.raises(EmulatorError, match="no port"):
        _ = emulator.port


def test_the_async_sdk_needs_no_socket(http: ModuleType) -> None:
    """The same for the asynchronous client, with many requests at once."""
    emulator = Emulator(clock=ManualClock())

    async def create_all() -> set[str]:
        transport = http.AsyncClient(transport=emulator.async_transport())
        async with AsyncOpenAI(api_key="any", http_client=transport) as client:
            creates = [client.responses.create(model="gpt-5", input=f"job {n}", background=True) for n in range(20)]
            return {run.id for run in await asyncio.gather(*creates)}

    assert asyncio.run(create_all()) == {run.id for run in emulator.runs}
    assert len(emulator.runs) == 20


def test_a_stream_comes_through(http: ModuleType) -> None:
    """The events of a stream are those of the API, from the first to the last."""
    emulator = Emulator({"queued_seconds": 0, "running_seconds": 0})
    with OpenAI(api_key="any", http_client=http.Client(transport=emulator.transport())) as client:
        stream = client.responses.create(model="gpt-5", input="hi", background=True, stream=True)
        kinds = [event.type for event in stream]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_answers_are_those_of_the_socket(wire: Wire, http: ModuleType) -> None:
    """One run reads the same on both ways, bodies and headers, and both see the same runs."""
    made = wire.post()
    with wire.emulator, http.Client(headers=KEY) as client:
        by_socket = client.get(f"{wire.emulator.base_url}/responses/{made.json()['id']}")
        in_process = wire.send("GET", f"{URL}/{made.json()['id']}")
    assert in_process.json() == by_socket.json()
    own_headers = {"date", "server", "x-request-id", "openai-processing-ms"}
    assert set(by_socket.headers) - set(in_process.headers) <= own_headers
    assert in_process.headers["content-length"] == by_socket.headers["content-length"]


def test_queries_and_headers_arrive(wire: Wire) -> None:
    """The application is asked what the client asked: an unknown path, and a request without a key."""
    assert wire.send("GET", "http://emulator.test/v1/nothing%20here?x=1").status_code == 404
    assert wire.emulator.requests[-1].path == "/v1/nothing here"
    assert wire.send("GET", URL, headers={"authorization": ""}).status_code in (401, 404)


@pytest.mark.parametrize(
    ("fault", "error"),
    [("reset", "ReadError"), ("lost", "ReadError"), ("torn", "ReadError"), ("stall", "ReadTimeout")],
)
def test_faults_are_errors_of_the_library(wire: Wire, fault: str, error: str) -> None:
    """What breaks a connection is the error that a socket gives, and is recorded as an answer that never came."""
    with pytest.raises(getattr(wire.http, error)) as caught:
        wire.post(metadata={"emulate_create": fault})
    assert caught.value.request.method == "POST"
    assert wire.emulator.requests[-1].fault == fault


def test_a_stall_without_a_timeout_ends_where_time_stands_still(wire: Wire) -> None:
    """A test that moves the clock by hand never waits for an answer that will not come."""
    with pytest.raises(wire.http.ReadTimeout):
        wire.post(timeout=None, metadata={"emulate_create": "stall"})


@pytest.mark.parametrize("colour", COLOURS)
def test_a_stall_in_real_time_lasts_as_long_as_the_client_waits(colour: str, http: ModuleType) -> None:
    """With the wall clock it is the timeout of the request that ends it."""
    with pytest.raises(http.ReadTimeout):
        Wire(colour, http, Emulator()).post(timeout=0.05, metadata={"emulate_create": "stall"})


@pytest.mark.parametrize(("fault", "error"), [("reset", "APIConnectionError"), ("stall", "APITimeoutError")])
def test_the_sdk_makes_its_own_errors_of_them(http: ModuleType, fault: str, error: str) -> None:
    """A real client raises what it raises over a network."""
    emulator = Emulator(clock=ManualClock())
    transport = http.Client(transport=emulator.transport())
    with (
        OpenAI(api_key="any", max_retries=0, http_client=transport) as client,
        pytest.raises(openai.APIError) as caught,
    ):
        client.responses.create(model="gpt-5", input="hi", background=True, metadata={"emulate_create": fault})
    assert type(caught.value).__name__ == error


class TurnByTurn:
    """An application that sends each piece of its body only once the client says it has read the one before."""

    def __init__(self) -> None:
        self.read = threading.Semaphore(1)
        self.left = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Part of the ASGI interface."""
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"one", b"two", b"three"):
            await asyncio.get_running_loop().run_in_executor(None, self.read.acquire)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        if (await receive())["type"] == "http.disconnect":
            self.left.set()


def test_a_body_arrives_piece_by_piece(http: ModuleType) -> None:
    """What the application has sent is read before it sends more."""
    app, pieces = TurnByTurn(), []
    with serving(app, http) as client, client.stream("GET", URL) as response:
        for piece in response.iter_raw():
            pieces.append(piece)
            app.read.release()
    assert pieces == [b"one", b"two", b"three"]


def test_an_async_body_arrives_piece_by_piece(http: ModuleType) -> None:
    """The same for the asynchronous client."""
    app, pieces = TurnByTurn(), []

    async def read(client: Any) -> None:
        async with client.stream("GET", URL) as response:
            async for piece in response.aiter_raw():
                pieces.append(piece)
                app.read.release()

    serving_async(app, http, read)
    assert pieces == [b"one", b"two", b"three"]


class Endless:
    """An application that never ends its answer by itself."""

    def __init__(self) -> None:
        self.left = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Part of the ASGI interface."""
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b"nobody reads this", "more_body": True})
        self.left.set()


def test_the_application_is_told_when_the_client_leaves(http: ModuleType) -> None:
    """Closing a response that is not over disconnects it."""
    app = Endless()
    with serving(app, http) as client:
        with client.stream("GET", URL) as response:
            assert next(response.iter_raw()) == b"first"
        assert app.left.wait(60)


def test_the_application_is_told_when_an_async_client_leaves(http: ModuleType) -> None:
    """The same for the asynchronous client."""
    app = Endless()

    async def read(client: Any) -> bool:
        async with client.stream("GET", URL) as response:
            async for _ in response.aiter_raw():
                break
        return await asyncio.get_running_loop().run_in_executor(None, app.left.wait, 5)

    assert serving_async(app, http, read)


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_an_answer_that_is_not_whole_is_a_protocol_error(http: ModuleType, sent: int) -> None:
    """An application that returns before its answer is over has closed the connection."""
    messages = (
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"part", "more_body": True},
    )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages[:sent]:
            await send(message)

    with serving(app, http) as client, pytest.raises(http.RemoteProtocolError):
        client.get(URL)


def test_a_failing_application_is_heard_of(http: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    """The client sees the connection close; the log has the reason."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("out of order")

    with serving(app, http) as client, pytest.raises(http.RemoteProtocolError):
        client.get(URL)
    assert "failed to answer a request" in caplog.text
    assert "LookupError: out of order" in caplog.text


def test_a_sync_client_works_within_a_running_loop(http: ModuleType) -> None:
    """Blocking code can be called from a coroutine."""
    emulator = Emulator(clock=ManualClock())

    async def create() -> str:
        with OpenAI(api_key="any", http_client=http.Client(transport=emulator.transport())) as client:
            return client.responses.create(model="gpt-5", input="hi", background=True).id

    assert asyncio.run(create()) == emulator.runs[0].id


def test_threads_share_a_transport(http: ModuleType) -> None:
    """Requests from many threads are answered one after the other, in the one thread of the emulator."""
    emulator, before = Emulator(clock=ManualClock()), threads()
    with (
        OpenAI(api_key="any", http_client=http.Client(transport=emulator.transport())) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        creates = pool.map(
            lambda n: client.responses.create(model="gpt-5", input=f"job {n}", background=True), range(40)
        )
        ids = {run.id for run in creates}
        assert len(threads() - before) == 1
    assert ids == {run.id for run in emulator.runs}
    assert len(ids) == 40


def test_no_thread_outlives_its_clients(wire: Wire) -> None:
    """The emulator's thread is gone once the last client is closed."""
    before = threads()
    wire.post()
    wire.post()
    assert threads() == before


def test_no_thread_outlives_a_client_that_nobody_closed(http: ModuleType) -> None:
    """A transport that is collected ends its thread."""
    before = threads()
    client = http.Client(transport=Emulator().transport(), headers=KEY)
    client.post(URL, json={"model": "gpt-5", "input": "hi"})
    (thread,) = threads() - before
    del client
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()


def test_stopping_ends_what_is_under_way(http: ModuleType) -> None:
    """A client that waits in the process is cut off with the others; a later request is answered all the same."""
    emulator, before = Emulator(), threads()
    with http.Client(transport=emulator.transport(), headers=KEY) as client, ThreadPoolExecutor(1) as pool:
        body = {"model": "gpt-5", "input": "hi", "metadata": {"emulate_create": "stall"}}
        waiting = pool.submit(client.post, URL, json=body, timeout=60)
        while not emulator.requests and not waiting.done():
            pass
        emulator.stop()
        with pytest.raises(http.RemoteProtocolError):
            waiting.result(60)
        assert threads() == before
        assert client.get(f"{URL}/{emulator.runs[0].id}").status_code == 200
    assert threads() == before
