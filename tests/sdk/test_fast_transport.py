"""Polls beside the client: the same requests, answers and errors, by `http.client` and aiohttp."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest

from bodies import body_of
from colours import COLOURS, Colour, RawServer, closed_port, default_http
from interrupts import Interrupt, interrupt_everywhere
from runoutcome import AsyncRuns, Catalog, Runs
from runoutcome._sdk import fast_connections, fast_transport
from runoutcome._sdk.fast_transport import AsyncFastTransport, connect, connect_async

BODY = json.dumps(body_of(Catalog.load().find("server_error")[0])).encode()
PATIENCE = 30.0
CERTIFICATE = Path(__file__).with_name("tls") / "localhost.pem"
"""A key and a self-signed certificate of `localhost` for these tests; it protects nothing."""
KEY = "sk-secret-key"


def response(content: bytes = BODY, status: str = "200 OK", *headers: str) -> bytes:
    """An answer as it is on the wire."""
    fields = "".join(f"{header}\r\n" for header in (*headers, f"content-length: {len(content)}"))
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + content


class Server(RawServer):
    """Gives one answer after the other, the last one for ever, and keeps its connections open.

    An answer is bytes; None closes the connection; a function is called with the connection, and gives either.
    """

    def __init__(self, *answers: Any, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._converse)
        self.heads: list[str] = []
        """Of all requests."""
        self._answers = list(answers) or [response()]
        self._tls = tls
        self._open = set[socket.socket]()

    def __exit__(self, *exc_info: object) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        super().__exit__(*exc_info)

    def _answer(self, connection: socket.socket) -> None:
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        super()._answer(connection)

    def _converse(self, connection: socket.socket, head: str) -> None:
        self._open.add(connection)
        try:
            while head:
                self.heads.append(head)
                answer = self._answers[min(len(self.heads), len(self._answers)) - 1]
                answer = answer(connection) if callable(answer) else answer
                if answer is None:
                    return
                connection.sendall(answer)
                head = ""
                while piece := connection.recv(65536):
                    head += piece.decode("latin-1")
                    if head.endswith("\r\n\r\n"):
                        break
        finally:
            self._open.discard(connection)

    @property
    def connections(self) -> int:
        """How many connections sent a request."""
        return len(self.requests)


class Polls:
    """Polls of one colour with a real client over real sockets."""

    def __init__(self, colour: Colour) -> None:
        self.colour: Colour = colour
        self.client: Any = None
        self._loop = asyncio.new_event_loop() if colour == "async" else None
        self._stack = ExitStack()

    def open(self, base_url: str, transport: Any = "fast", *, limit: int = 4, cls: Any = None, **options: Any) -> Polls:
        """With a new client and transport."""
        params = {"api_key": KEY, "max_retries": 0, "base_url": base_url, **options}
        if "http_client" not in params:
            params["http_client"] = default_http(self.colour)
        self.client = (cls or self.sdk_class)(**params)
        self._stack.callback(lambda: self.run(self.client.close()))
        connecting: Any = connect if self.colour == "sync" else connect_async
        self.poll = connecting(self.client, transport, limit)
        return self

    @property
    def sdk_class(self) -> Any:
        """The SDK's own class of this colour."""
        return openai.OpenAI if self.colour == "sync" else openai.AsyncOpenAI

    def fetch(self, response_id: str = "resp_1", seconds: float | None = PATIENCE) -> Any:
        """One poll."""
        return self.run(self.poll(response_id, seconds))

    def run(self, result: Any) -> Any:
        """What it is, or what awaiting it gives."""
        return result if self._loop is None else self._loop.run_until_complete(result)

    def let_pass(self) -> None:
        """Time passes between two polls: a loop reads what has come."""
        if self._loop is not None:
            for _ in range(10):
                self._loop.run_until_complete(asyncio.sleep(0))

    def close(self) -> None:
        """Close what is open, as `asyncio.run` does."""
        self._stack.close()
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()


@pytest.fixture(params=COLOURS)
def polls(request: pytest.FixtureRequest) -> Iterator[Polls]:
    """Polls of either colour."""
    with closing(Polls(request.param)) as polls:
        yield polls


@pytest.fixture
def through(polls: Polls) -> Iterator[Polls]:
    """Polls of the same colour through the client."""
    with closing(Polls(polls.colour)) as through:
        yield through


def error_of(polls: Polls, *args: Any) -> Any:
    """What a poll raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - looked at by the test
        polls.fetch(*args)
    return caught.value


# Requests and answers

CLIENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "with headers and a query": {"default_headers": {"X-Own": "1"}, "default_query": {"a": "1 2"}, "organization": "o"},
}


@pytest.mark.parametrize("options", CLIENTS.values(), ids=CLIENTS.keys())
def test_a_request_is_that_of_the_client(polls: Polls, through: Polls, options: dict[str, Any]) -> None:
    """The server gets the same request as through the client, but for the compression that is not asked for."""
    with Server() as server:
        polls.open(server.base_url, **options).fetch("resp_1 ?x/ä")
        through.open(server.base_url, "client", **options).fetch("resp_1 ?x/ä")
    fast, slow = (head.lower().split("\r\n") for head in server.heads)
    assert fast[0] == slow[0]
    encodings = [line for line in (*fast, *slow) if line.startswith("accept-encoding:")]
    assert encodings[0] == "accept-encoding: identity"
    assert sorted({*fast} - {*encodings}) == sorted({*slow} - {*encodings})
    assert f"authorization: bearer {KEY}" in fast


ANSWERS = {
    "plain": response(BODY, "200 OK", "X-Request-Id: req_1", "openai-poll-after-ms: 700"),
    "compressed, though nobody asked": response(gzip.compress(BODY), "200 OK", "content-encoding: gzip"),
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{} \r\n0\r\n\r\n",
    "empty": response(b""),
    "long, and the last one": response(BODY * 100, "200 OK", "connection: close"),
    "until the connection is closed": lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BODY * 100),
    "201": response(b"x", "201 Created"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_is_as_through_the_client(polls: Polls, through: Polls, answer: Any) -> None:
    """Content, status, headers and facts of an answer are those that a poll through the client gives."""
    with Server(answer) as server:
        fast = polls.open(server.base_url).fetch()
        slow = through.open(server.base_url, "client").fetch()
    assert (fast.content, fast.status_code, fast.url) == (slow.content, slow.status_code, slow.url)
    assert (fast.request_id, fast.http_library) == (slow.request_id, slow.http_library)
    names = ("content-type", "openai-poll-after-ms", "retry-after")
    assert [fast.headers.get(name) for name in names] == [slow.headers.get(name) for name in names]


ENVELOPE = b'{"error": {"message": "m", "code": "c", "type": "t", "param": null}}'


@pytest.mark.parametrize("status", ["400 x", "401 x", "404 x", "429 x", "500 x", "503 x", "599 x"])
@pytest.mark.parametrize("content", [ENVELOPE, b"<html>", b""], ids=["json", "html", "empty"])
def test_a_refusal_is_the_sdks_own_error(polls: Polls, through: Polls, status: str, content: bytes) -> None:
    """An answer that is no 2xx is the error that the client makes of it, after one request."""
    with Server(response(content, status, "retry-after: 7")) as server:
        fast = error_of(polls.open(server.base_url))
        slow = error_of(through.open(server.base_url, "client"))
    assert (type(fast), str(fast), fast.status_code, fast.code) == (type(slow), str(slow), slow.status_code, slow.code)
    assert (fast.body, fast.response.headers, type(fast.response)) == (
        slow.body,
        slow.response.headers,
        type(slow.response),
    )
    assert fast.request.url == slow.request.url
    assert len(server.heads) == 2


def test_an_answer_in_pieces(polls: Polls) -> None:
    """An answer is complete with its last byte, however it is cut."""

    def send_in_pieces(connection: socket.socket) -> bytes:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in response():
            connection.sendall(bytes([byte]))
        return b""

    with Server(send_in_pieces) as server:
        polls.open(server.base_url)
        assert [polls.fetch().content for _ in range(2)] == [BODY] * 2


def test_a_redirect_is_left_to_the_client(polls: Polls) -> None:
    """A redirect is followed by the client, as it is set up, and the key is not sent to another host."""
    with Server() as other, Server(lambda _: response(b"", "307 x", f"location: {other.base_url}/elsewhere")) as server:
        got = polls.open(server.base_url).fetch()
    assert got.content == BODY
    assert other.heads[0].startswith("GET /v1/elsewhere ")
    assert "sk-secret-key" not in other.heads[0]


def test_cookies_are_neither_kept_nor_sent(polls: Polls) -> None:
    """A cookie that the server sets is forgotten."""
    with Server(response(BODY, "200 OK", "set-cookie: a=1; Path=/")) as server:
        polls.open(server.base_url).fetch()
        polls.fetch()
    assert ["cookie" in head.lower() for head in server.heads] == [False, False]


def test_what_changes_about_a_client_holds_at_once(polls: Polls) -> None:
    """The poll after a change of key, headers, query or base URL is made with what the client has by then."""
    headers, query = {"x-own": "1"}, {"own": "1"}
    with Server() as server, Server() as other:
        polls.open(server.base_url, default_headers=headers, default_query=query).fetch()
        polls.client.api_key = "sk-new"
        headers["x-own"], query["own"] = "2", "2"
        polls.fetch()
        polls.client.base_url = other.base_url
        polls.fetch()
    first, second, third = (head.lower() for head in (*server.heads, *other.heads))
    assert ["sk-new" in head for head in (first, second, third)] == [False, True, True]
    assert ["x-own: 2" in head for head in (first, second, third)] == [False, True, True]
    assert ["?own=2" in head for head in (first, second, third)] == [False, True, True]


def test_the_http_librarys_log_has_its_line(polls: Polls, through: Polls, caplog: pytest.LogCaptureFixture) -> None:
    """The line that the HTTP library logs for each request is there."""
    with caplog.at_level(logging.INFO), Server(response(b"", "200 Fine")) as server:
        polls.open(server.base_url).fetch()
        through.open(server.base_url, "client").fetch()
    lines = [(record.name, record.levelno, record.getMessage()) for record in caplog.records if "http" in record.name]
    assert len(lines) == 2
    assert lines[0] == lines[1]


def test_the_sdks_log_is_complete(polls: Polls, caplog: pytest.LogCaptureFixture) -> None:
    """At the level DEBUG the poll goes through the client, so that the SDK's log has its lines."""
    with Server() as server, caplog.at_level(logging.DEBUG, logger="openai"):
        polls.open(server.base_url).fetch()
    assert any(record.name == "openai._base_client" for record in caplog.records)


# Connections


def test_a_connection_is_kept(polls: Polls) -> None:
    """Polls one after the other use one connection."""
    with Server() as server:
        polls.open(server.base_url)
        for _ in range(5):
            polls.fetch()
    assert (server.connections, len(server.heads)) == (1, 5)


@pytest.mark.parametrize("farewell", [b"", response(BODY, "408 Request Timeout", "connection: close")], ids=["", "408"])
def test_a_connection_that_was_closed_meanwhile(polls: Polls, farewell: bytes) -> None:
    """What a server says when it closes an idle connection is nobody's answer: the next poll has a new one."""
    said = threading.Event()

    def answer_and_close(connection: socket.socket) -> None:
        connection.sendall(response())
        with suppress(OSError):  # the client may have closed its side by now
            connection.sendall(farewell)
            connection.shutdown(socket.SHUT_RDWR)
        said.set()

    with Server(answer_and_close, response()) as server:
        polls.open(server.base_url).fetch()
        assert said.wait(PATIENCE)
        polls.let_pass()
        assert polls.fetch().content == BODY
    assert (server.connections, len(server.heads)) == (2, 2)


def test_a_request_that_met_a_closing_connection_is_sent_again(polls: Polls) -> None:
    """A kept connection that is closed on the request, before a byte of the answer, costs nobody a poll."""
    with Server(response(), None, response()) as server:
        polls.open(server.base_url).fetch()
        assert polls.fetch().content == BODY
    assert (server.connections, len(server.heads)) == (2, 3)


NO_ANSWERS: dict[str, Any] = {
    "a cut body": lambda connection: connection.sendall(response()[:-1]),
    "no HTTP": b"no HTTP at all\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_what_is_no_answer_is_not_sent_again(polls: Polls, answer: Any) -> None:
    """An answer that is cut, or not HTTP, is a connection error after one request."""
    with Server(answer) as server:
        error = error_of(polls.open(server.base_url))
    assert type(error) is openai.APIConnectionError
    assert isinstance(error.__cause__, OSError)
    assert len(server.heads) == 1


def test_a_new_connection_that_is_closed_is_a_connection_error(polls: Polls) -> None:
    """A server that closes each connection is asked once, by aiohttp twice, and the poll is a connection error."""
    with Server(None) as server:
        error = error_of(polls.open(server.base_url))
    assert type(error) is openai.APIConnectionError
    assert isinstance(error.__cause__, OSError)
    assert len(server.heads) == (1 if polls.colour == "sync" else 2)


def test_a_server_that_wants_to_close_is_left(polls: Polls) -> None:
    """After `Connection: close` the next poll has a connection of its own."""
    with Server(response(BODY, "200 OK", "connection: close")) as server:
        polls.open(server.base_url).fetch()
        polls.fetch()
    assert server.connections == 2


def test_connections_are_not_kept_for_ever(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was idle for too long is not used again."""
    monkeypatch.setattr(fast_connections, "IDLE_SECONDS", 0.0)
    with Server() as server:
        polls.open(server.base_url).fetch()
        polls.fetch()
    assert server.connections == 2


def test_polls_at_the_same_time_have_a_connection_each(polls: Polls) -> None:
    """Two polls in flight use two connections, which are kept for the next two."""
    barrier = threading.Barrier(2)

    def together(_: Any) -> bytes:
        barrier.wait(PATIENCE)
        return response()

    def fetch_two() -> None:
        if polls.colour == "sync":
            threads = [threading.Thread(target=polls.fetch) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        else:

            async def both() -> None:
                await asyncio.gather(*(polls.poll("resp_1", PATIENCE) for _ in range(2)))

            polls.run(both())

    with Server(together) as server:
        polls.open(server.base_url, limit=2)
        fetch_two()
        fetch_two()
    assert (server.connections, len(server.heads)) == (2, 4)


def test_no_server(polls: Polls) -> None:
    """Where nobody listens, and where there is no such name, it is a connection error."""
    for url in (closed_port(), "http://no-such-name.invalid/v1", f"http://{'a' * 70}.test/v1"):
        with closing(Polls(polls.colour)) as each:
            error = error_of(each.open(url))
            assert type(error) is openai.APIConnectionError
            assert error.__cause__ is not None


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx"], ids=["head", "body"])
def test_a_stall_is_a_timeout_of_the_sdk(polls: Polls, answer: bytes) -> None:
    """An answer that stalls for longer than the client's own timeout is the SDK's timeout."""
    with Server(answer) as server:
        assert type(error_of(polls.open(server.base_url, timeout=0.1), "resp_1", None)) is openai.APITimeoutError


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"])
def test_the_deadline_is_ours(polls: Polls, beginning: bytes) -> None:
    """An answer that drips is a TimeoutError at the deadline, and its connection is closed."""
    over = threading.Event()

    def drip(connection: socket.socket) -> bytes:
        connection.sendall(beginning)
        while not over.wait(0.01):
            connection.sendall(b"x")
        return response()

    with Server(drip) as server:
        error = error_of(polls.open(server.base_url), "resp_1", 0.2)
        assert server.hung_up.wait(PATIENCE)
        over.set()
    assert type(error) is TimeoutError


def test_no_time_is_no_poll(polls: Polls) -> None:
    """A poll for which no time is left is not sent."""
    with Server() as server:
        assert type(error_of(polls.open(server.base_url), "resp_1", 0.0)) is TimeoutError
    assert server.heads == []


def test_a_connection_that_takes_too_long_is_bounded(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up of a name that takes longer than the poll may is left to itself."""
    over = threading.Event()

    def look_up(*args: Any, **kwargs: Any) -> Any:
        over.wait(PATIENCE)
        raise OSError

    polls.open("http://slow.test/v1")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert type(error_of(polls, "resp_1", 0.1)) is TimeoutError
    over.set()


def test_a_task_that_is_cancelled_closes_its_connection() -> None:
    """Cancelling a poll closes its connection, and the next poll has another one."""
    asked = threading.Event()

    def never(_: Any) -> bytes:
        asked.set()
        return b""

    with Server(never, response()) as server, closing(Polls("async")) as polls:
        polls.open(server.base_url)

        async def cancel() -> None:
            task = asyncio.ensure_future(polls.poll("resp_1", None))
            await asyncio.to_thread(asked.wait, PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        polls.run(cancel())
        assert polls.fetch().content == BODY
    assert server.connections == 2


def test_each_loop_has_its_own_connections() -> None:
    """One transport serves one loop after the other, and leaves nothing open behind a loop that ends."""
    with Server() as server, closing(Polls("async")) as polls:
        polls.open(server.base_url)
        for _ in range(2):
            assert asyncio.run(polls.poll("resp_1", PATIENCE)).content == BODY
            gc.collect()  # an open transport would warn now
    assert server.connections == 2


def test_sockets_are_closed_with_the_transport(polls: Polls) -> None:
    """Nobody has to close a transport: its sockets are, when nobody refers to it any more."""
    closed = threading.Event()

    def until_closed(connection: socket.socket) -> None:
        connection.sendall(response())
        connection.recv(1)
        closed.set()

    with Server(until_closed) as server:
        polls.open(server.base_url).fetch()
        del polls.poll
        gc.collect()
        polls.let_pass()
        assert closed.wait(PATIENCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # multi-threaded, as what is tested
def test_a_fork_opens_its_own_connections() -> None:
    """A forked process polls over a connection of its own, and its parent goes on with the one it has."""
    with Server() as server, closing(Polls("sync")) as polls:
        polls.open(server.base_url).fetch()
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if polls.fetch().content == BODY else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        polls.fetch()
    assert (server.connections, len(server.heads)) == (2, 3)


# TLS


def tls_server(*answers: Any) -> Server:
    """A server whose certificate nobody has signed but itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return Server(*answers, tls=context)


def https(server: Server, host: str = "localhost") -> str:
    """The base URL of a server with TLS."""
    return server.base_url.replace("http://127.0.0.1", f"https://{host}")


@pytest.mark.parametrize("colour", COLOURS)
def test_tls_is_that_of_the_client(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authorities that the SDK's own HTTP client trusts are trusted, and the connection is kept."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with tls_server() as server, closing(Polls(colour)) as polls:
        polls.open(https(server), http_client=None)
        assert [polls.fetch().content for _ in range(3)] == [BODY] * 3
    assert server.connections == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["nobody signed it", "another host's"])
def test_a_certificate_that_is_not_trusted(polls: Polls, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """A certificate that the client would not take is not taken, and nothing is sent."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    if host == "127.0.0.1":
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with tls_server() as server:
        error = error_of(polls.open(https(server, host)))
    assert type(error) is openai.APIConnectionError
    assert isinstance(error.__cause__, ssl.SSLError)
    assert server.heads == []


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", None])
def test_authorities_are_those_of_the_sdks_client(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """The certificates that are trusted are those of the context that the SDK's default client has."""
    for each in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(each, raising=False)
    if name is not None:
        monkeypatch.setenv(name, str(CERTIFICATE if name == "SSL_CERT_FILE" else CERTIFICATE.parent))
    with openai.OpenAI(api_key="k") as client:
        theirs = client._client._transport._pool._ssl_context
    ours = fast_connections.tls_context()
    assert type(ours) is type(theirs)
    assert ours.get_ca_certs() == theirs.get_ca_certs()
    assert (ours.verify_mode, ours.check_hostname) == (theirs.verify_mode, theirs.check_hostname)


# Secrets


def values_in(error: BaseException) -> Iterator[tuple[str, str]]:
    """The text of all that an error shows: itself, its causes, and the locals of the frames that are not the test's."""
    while error is not None:
        yield "error", repr(error)
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename != __file__:
                for name, value in trace.tb_frame.f_locals.items():
                    yield f"{code.co_filename}: {code.co_name}: {name}", f"{value!r} {getattr(value, '__dict__', '')}"
            trace = trace.tb_next
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


@pytest.mark.parametrize("answer", [response(ENVELOPE, "401 x"), None, b"no HTTP\r\n\r\n", b""], ids=repr)
def test_the_key_stands_in_no_error(polls: Polls, answer: Any) -> None:
    """Neither an error of a poll nor a frame or cause of it holds the key or the headers of the request."""
    with Server(answer) as server:
        error = error_of(polls.open(server.base_url, timeout=0.1), "resp_1", None)
    assert isinstance(error, openai.APIError)
    assert [place for place, text in values_in(error) if KEY in text] == []
    assert KEY not in str(dict(error.request.headers))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # half-read answers of http.client
@pytest.mark.parametrize("answer", [response(), response(ENVELOPE, "401 x")], ids=["answered", "refused"])
def test_the_key_stands_in_no_interrupt(answer: bytes) -> None:
    """Wherever Ctrl-C comes in a poll, no frame of its traceback holds the key."""
    with Server(answer) as server, closing(Polls("sync")) as polls:
        polls.open(server.base_url)

        def poll(_: object) -> None:
            with suppress(openai.APIError):
                polls.fetch()

        def check(_: object, interrupt: Interrupt | None) -> None:
            if interrupt is not None:
                assert [place for place, text in values_in(interrupt) if KEY in text] == []

        modules = [fast_transport, fast_connections]
        assert interrupt_everywhere(modules, object, poll, check, everywhere=True) > 200


def test_the_key_stands_in_no_cancellation() -> None:
    """A task that is cancelled in the middle of a poll shows no key."""
    is_asked = threading.Event()

    def stall(_: socket.socket) -> bytes:
        is_asked.set()
        return b""

    with Server(stall) as server, closing(Polls("async")) as polls:
        polls.open(server.base_url)

        async def cancelled() -> BaseException:
            task = asyncio.ensure_future(polls.poll("resp_1", None))
            await asyncio.to_thread(is_asked.wait)
            task.cancel()
            (error,) = await asyncio.gather(task, return_exceptions=True)
            return error

        error = polls.run(cancelled())
    assert type(error) is asyncio.CancelledError
    assert [place for place, text in values_in(error) if KEY in text] == []


# What cannot be kept


def http_with(**options: Any) -> Callable[[Polls], dict[str, Any]]:
    """A client with an HTTP client of the user's."""

    def client_options(polls: Polls) -> dict[str, Any]:
        cls: Any = openai.DefaultHttpxClient if polls.colour == "sync" else openai.DefaultAsyncHttpxClient
        return {"http_client": cls(**{"verify": False, **options})}

    return client_options


def key_function(polls: Polls) -> dict[str, Any]:
    """A key that is asked for."""

    async def key() -> str:
        return KEY

    return {"api_key": (lambda: KEY) if polls.colour == "sync" else key}


def own_class(polls: Polls) -> dict[str, Any]:
    """A class of the user's."""
    return {"cls": type("Own", (polls.sdk_class,), {})}


def azure(polls: Polls) -> dict[str, Any]:
    """A client of Azure."""
    cls: Any = openai.AzureOpenAI if polls.colour == "sync" else openai.AsyncAzureOpenAI
    return {"cls": cls, "api_version": "2026-01-01"}


def with_hooks(polls: Polls) -> dict[str, Any]:
    """An HTTP client of the SDK's own that was given an event hook."""
    http = default_http(polls.colour)
    http.event_hooks["request"].append(print)
    return {"http_client": http}


REFUSED: dict[str, tuple[str, Callable[[Polls], dict[str, Any]]]] = {
    "an http_client": ("its http_client", http_with()),
    "a proxy": ("its http_client", http_with(proxy="http://127.0.0.1:9")),
    "event hooks": ("the event hooks", with_hooks),
    "a key function": ("its way to authenticate", key_function),
    "a class of its own": ("the methods of its own class", own_class),
    "azure": ("the methods of its own class", azure),
    "a password in the base URL": ("its base URL", lambda _: {"base_url": "http://user:pw@localhost/v1"}),
    "a query in the base URL": ("its base URL", lambda _: {"base_url": "http://localhost/v1?code=1"}),
}


@pytest.mark.parametrize(("word", "options"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_kept_is_refused(polls: Polls, word: str, options: Callable[[Polls], dict[str, Any]]) -> None:
    """A client of which something would be lost is refused at once, and the error says what it is."""
    params = {"base_url": "http://localhost/v1", **options(polls)}
    with pytest.raises(ValueError, match=f"would not keep {word}.*leave it out, and polls go through the client"):
        polls.open(**params)


def test_a_key_that_was_asked_for_before_is_no_plain_key(polls: Polls) -> None:
    """A client whose function has given a key already is refused like one that has not asked yet."""
    with Server() as server:
        polls.open(server.base_url, "client", **key_function(polls)).fetch()
        assert polls.client.api_key == KEY
        assert fast_transport.reason_not_eligible(polls.client) == "its way to authenticate"


@pytest.mark.parametrize(
    ("url", "environment", "is_served"),
    [
        ("https://api.test/v1", {"HTTPS_PROXY": "http://127.0.0.1:9"}, False),
        ("http://api.test/v1", {"HTTPS_PROXY": "http://127.0.0.1:9"}, True),
        ("http://api.test/v1", {"ALL_PROXY": "http://127.0.0.1:9"}, False),
        ("https://free.test/v1", {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "free.test"}, True),
        ("https://api.free.test/v1", {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ".free.test"}, True),
        ("https://free.test/v1", {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "*"}, True),
    ],
)
def test_a_proxy_of_the_environment_is_refused(
    polls: Polls, monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], is_served: bool
) -> None:
    """A proxy that the SDK's client took from the environment for its URL is refused; an exempt URL is served."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if is_served:
        polls.open(url)
    else:
        with pytest.raises(ValueError, match="would not keep the proxy of the environment"):
            polls.open(url)


def test_a_release_that_is_not_known_is_refused(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK's own HTTP client is not where it is known to be, no client is taken for one that has it."""
    monkeypatch.setattr(fast_transport, "sdk_type", lambda _: None)
    with pytest.raises(ValueError, match="would not keep its http_client"):
        polls.open("http://localhost/v1")


@pytest.mark.parametrize("change", ["base URL", "no key", "no header"])
def test_what_cannot_be_sent_beside_a_client_is_left_to_it(polls: Polls, through: Polls, change: str) -> None:
    """A client that was changed so that it is not eligible any more makes its polls itself."""

    def change_and_fetch(each: Polls) -> str:
        if change == "base URL":
            each.client.base_url = server.base_url + "?code=1"
        elif change == "no key":
            each.client.api_key = ""
        else:
            each.client.api_key = "a\nb"
        with suppress(TypeError, openai.APIError):
            return str(each.fetch().status_code)
        return "refused"

    with Server() as server:
        outcomes = [
            change_and_fetch(polls.open(server.base_url)),
            change_and_fetch(through.open(server.base_url, "client")),
        ]
    assert outcomes[0] == outcomes[1]
    assert all("accept-encoding: gzip" in head.lower() for head in server.heads)


def test_a_closed_client_is_closed(polls: Polls, through: Polls) -> None:
    """After the client was closed a poll fails as it does through the client."""
    with Server() as server:
        errors = []
        for each in (polls.open(server.base_url), through.open(server.base_url, "client")):
            each.fetch()
            each.run(each.client.close())
            errors.append(error_of(each))
    assert (type(errors[0]), str(errors[0])) == (type(errors[1]), str(errors[1]))


def test_trio_is_told_before_a_run_is_made() -> None:
    """Under trio the fast transport says that it cannot, before anything is paid for."""

    async def create() -> None:
        with Server() as server:
            async with openai.AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
                with pytest.raises(RuntimeError, match="is for asyncio; leave it out"):
                    await AsyncFastTransport(client, 1).fetch("resp_1", 1.0)
                with pytest.raises(RuntimeError, match="is for asyncio; leave it out"):
                    await AsyncRuns(client, transport="fast").create_and_poll(model="gpt-5", input="x")
            assert server.heads == []

    anyio.run(create, backend="trio")


def test_aiohttp_is_for_async_runs_alone(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without aiohttp the error of `AsyncRuns` names the extra that brings it; `Runs` needs none."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    if polls.colour == "sync":
        polls.open("http://localhost/v1")
    else:
        with pytest.raises(ImportError, match=r"pip install 'runoutcome\[fast\]'"):
            polls.open("http://localhost/v1")


def test_a_transport_has_a_name(polls: Polls) -> None:
    """`transport` is one of two words."""
    polls.open("http://localhost/v1")
    cls: Any = Runs if polls.colour == "sync" else AsyncRuns
    with pytest.raises(ValueError, match="transport is 'client' or 'fast'; got 'aiohttp'"):
        cls(polls.client, transport="aiohttp")


def test_the_default_needs_no_aiohttp() -> None:
    """Without aiohttp the package is imported, and polls go through the client."""
    script = """
import sys
sys.modules["aiohttp"] = None
import openai, runoutcome
print(runoutcome.AsyncRuns(openai.AsyncOpenAI(api_key="k")))
"""
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
