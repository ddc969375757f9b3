"""Polls beside the client: the same requests, answers and errors, over connections of our own."""

from __future__ import annotations

import asyncio
import gc
import gzip
import importlib.util
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest

from bodies import body_of
from colours import RawServer, closed_port
from runoutcome import AsyncRuns, Catalog, Runs, _sdk
from runoutcome._sdk import http_connections as _http_lines, request_template as _sdk_request
from runoutcome._sdk.client_transport import AsyncClientTransport, ClientTransport
from runoutcome._sdk.fast_eligibility import hindrance
from runoutcome._sdk.fast_transport import AsyncFastTransport, FastTransport
from runoutcome._sdk.transports import connect, connect_async

BODY = json.dumps(body_of(Catalog.load().find("server_error")[0])).encode()
PATIENCE = 30.0
CERTIFICATE = Path(__file__).with_name("tls") / "localhost.pem"
"""A key and a self-signed certificate of `localhost` for these tests; it protects nothing."""
AZURE = {"cls": "AzureOpenAI", "azure_endpoint": "https://a.test", "api_version": "2026-01-01"}


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

    def __init__(self, colour: str) -> None:
        self.colour = colour
        self.client: Any = None
        self._loop = asyncio.new_event_loop() if colour == "async" else None
        self._stack = ExitStack()

    def open(self, base_url: str, *, fast: bool = True, limit: int = 4, cls: str = "OpenAI", **options: Any) -> Polls:
        """With a new client and transport; `http` are the options of its HTTP client."""
        given: dict[str, Any] = {"api_key": "sk-secret-key", "max_retries": 0, **options}
        given.setdefault("http_client", self.http())
        if "azure_endpoint" not in given:
            given["base_url"] = base_url
        self.client = getattr(openai, cls if self.colour == "sync" else f"Async{cls}")(**given)
        self._stack.callback(lambda: self.run(self.client.close()))
        name = ("" if self.colour == "sync" else "Async") + ("FastTransport" if fast else "ClientTransport")
        transports: dict[str, Any] = {
            "FastTransport": lambda client: FastTransport(client, limit),
            "AsyncFastTransport": lambda client: AsyncFastTransport(client, limit),
            "ClientTransport": ClientTransport,
            "AsyncClientTransport": AsyncClientTransport,
        }
        self.transport = transports[name](self.client)
        return self

    def http(self, **options: Any) -> Any:
        """An HTTP client of the SDK's."""
        client: Any = openai.DefaultHttpxClient if self.colour == "sync" else openai.DefaultAsyncHttpxClient
        return client(**{"verify": False, **options})

    def fetch(self, response_id: str = "resp_1", seconds: float | None = PATIENCE) -> Any:
        """One poll."""
        return self.run(self.transport.fetch(response_id, seconds))

    def run(self, result: Any) -> Any:
        """What it is, or what awaiting it gives."""
        return result if self._loop is None else self._loop.run_until_complete(result)

    def let_pass(self) -> None:
        """Time passes between two polls: a loop reads what has come."""
        if self._loop is not None:
            for _ in range(3):
                self._loop.run_until_complete(asyncio.sleep(0))

    def close(self) -> None:
        """Close what is open, as `asyncio.run` does."""
        self._stack.close()
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


@pytest.fixture(params=["sync", "async"])
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
    """What the server gets is the same to the letter as through the client."""
    with Server() as server:
        polls.open(server.base_url, **options).fetch("resp_1 ?x")
        through.open(server.base_url, fast=False, **options).fetch("resp_1 ?x")
    fast, slow = server.heads
    assert fast == slow
    assert "Bearer sk-secret-key" in fast


ANSWERS = {
    "plain": response(BODY, "200 OK", "X-Request-Id: req_1", "openai-poll-after-ms: 700"),
    "compressed": response(gzip.compress(BODY), "200 OK", "content-encoding: gzip"),
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{} \r\n0\r\n\r\n",
    "empty": response(b""),
    "201": response(b"x", "201 Created"),
    "header twice": response(BODY, "200 OK", "x-request-id: a", "x-request-id: b"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_is_as_through_the_client(polls: Polls, through: Polls, answer: bytes) -> None:
    """Content, status, headers and facts of an answer are those that a poll through the client gives."""
    with Server(answer) as server:
        fast = polls.open(server.base_url).fetch()
        slow = through.open(server.base_url, fast=False).fetch()
    assert (fast.content, fast.status_code, fast.url) == (slow.content, slow.status_code, slow.url)
    assert (fast.request_id, fast.http_library) == (slow.request_id, slow.http_library)
    assert dict(fast.headers) == dict(slow.headers)


ENVELOPE = b'{"error": {"message": "m", "code": "c", "type": "t", "param": null}}'


@pytest.mark.parametrize("status", ["400 x", "401 x", "404 x", "429 x", "500 x", "503 x", "599 x"])
@pytest.mark.parametrize("content", [ENVELOPE, b"<html>", gzip.compress(ENVELOPE)], ids=["json", "html", "gzip"])
def test_a_refusal_is_the_sdks_own_error(polls: Polls, through: Polls, status: str, content: bytes) -> None:
    """An answer that is no 2xx is the error that the client makes of it, after one request."""
    encoding = ["content-encoding: gzip"] if content.startswith(b"\x1f") else []
    with Server(response(content, status, "retry-after: 7", *encoding)) as server:
        fast = error_of(polls.open(server.base_url))
        slow = error_of(through.open(server.base_url, fast=False))
    assert (type(fast), str(fast), fast.status_code, fast.code) == (type(slow), str(slow), slow.status_code, slow.code)
    assert (fast.body, fast.response.headers, type(fast.response)) == (
        slow.body,
        slow.response.headers,
        type(slow.response),
    )
    assert len(server.heads) == 2


def test_a_content_that_cannot_be_decoded(polls: Polls) -> None:
    """What says that it is compressed, and is not, is a connection error."""
    with Server(response(b"not so", "200 OK", "content-encoding: gzip")) as server:
        assert type(error_of(polls.open(server.base_url))) is openai.APIConnectionError


def test_a_redirect_is_left_to_the_client(polls: Polls) -> None:
    """A redirect is followed by the client, as it is set up, and the key is not sent to another host."""
    with Server() as other, Server(lambda _: response(b"", "307 x", f"location: {other.base_url}/elsewhere")) as server:
        got = polls.open(server.base_url).fetch()
    assert got.content == BODY
    assert other.heads[0].startswith("GET /v1/elsewhere ")
    assert "sk-secret-key" not in other.heads[0]


def test_cookies_are_in_the_clients_jar(polls: Polls) -> None:
    """A cookie that the server sets is in the jar of the client, and sent with the next poll."""
    with Server(response(BODY, "200 OK", "set-cookie: a=1; Path=/"), response()) as server:
        polls.open(server.base_url).fetch()
        polls.fetch()
        assert polls.client._client.cookies["a"] == "1"
    assert ["\r\ncookie: a=1\r\n" in head.lower() for head in server.heads] == [False, True]


def test_what_changes_about_a_client_holds_at_once(polls: Polls) -> None:
    """The poll after a change of the key is made with the new one, and after one of the base URL goes there."""
    with Server() as server, Server() as other:
        polls.open(server.base_url).fetch()
        polls.client.api_key = "sk-new"
        polls.fetch()
        polls.client.base_url = other.base_url
        polls.fetch()
    assert ["sk-new" in head for head in (*server.heads, *other.heads)] == [False, True, True]
    assert len(other.heads) == 1


def test_a_key_that_is_asked_for_is_asked_for_each_time(polls: Polls) -> None:
    """A client whose key is a function polls with what it gives at that moment."""
    keys = iter("abcdefgh")

    async def key_async() -> str:
        return next(keys)

    with Server() as server:
        polls.open(server.base_url, api_key=partial(next, keys) if polls.colour == "sync" else key_async)
        for _ in range(3):
            polls.fetch()
    assert ["Bearer " + key in head for key, head in zip("abc", server.heads, strict=True)] == [True] * 3


def test_a_key_that_never_comes_is_bounded(polls: Polls) -> None:
    """The function that gives the key has no longer than the poll."""
    over = threading.Event()

    async def key_async() -> str:
        await anyio.sleep_forever()
        raise AssertionError

    def key() -> str:
        over.wait(PATIENCE)
        return "k"

    polls.open("http://localhost/v1", api_key=key if polls.colour == "sync" else key_async)
    assert type(error_of(polls, "resp_1", 0.05)) is TimeoutError
    over.set()


def test_azure_is_asked_as_by_the_client(polls: Polls) -> None:
    """An Azure client's endpoint, version and token are in each poll."""
    tokens = iter("abcdefgh")
    with Server() as server:
        endpoint = server.base_url.removesuffix("/v1")
        options = {**AZURE, "azure_endpoint": endpoint, "azure_ad_token_provider": partial(next, tokens)}
        polls.open("", api_key=None, **options)
        polls.fetch()
        polls.fetch()
    assert [head.split(" ")[1] for head in server.heads] == ["/openai/responses/resp_1?api-version=2026-01-01"] * 2
    assert ["Bearer a" in server.heads[0], "Bearer b" in server.heads[1]] == [True, True]


def test_the_http_librarys_log_has_its_line(polls: Polls, through: Polls, caplog: pytest.LogCaptureFixture) -> None:
    """The line that the HTTP library logs for each request is there."""
    with caplog.at_level(logging.INFO), Server(response(b"", "200 Fine")) as server:
        polls.open(server.base_url).fetch()
        through.open(server.base_url, fast=False).fetch()
    lines = [(record.name, record.levelno, record.getMessage()) for record in caplog.records if "http" in record.name]
    assert len(lines) == 2
    assert lines[0] == lines[1]


def test_the_sdks_log_is_complete(polls: Polls, caplog: pytest.LogCaptureFixture) -> None:
    """At the level DEBUG the poll goes through the client, so that the SDK's log has its lines."""
    with Server() as server, caplog.at_level(logging.DEBUG, logger="openai._base_client"):
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


@pytest.mark.parametrize(
    "answers",
    [
        [None],
        [response(), b"HTTP/1.1 200", None],
        [lambda connection: connection.sendall(response()[:-1])],
        [b"no HTTP at all\r\n\r\n"],
    ],
    ids=["a new connection", "an answer that had begun", "a cut body", "no HTTP"],
)
def test_nothing_else_is_sent_again(polls: Polls, answers: Sequence[Any]) -> None:
    """A connection that breaks in any other way is a connection error after one request."""

    def begin_and_close(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200")

    answers = [begin_and_close if answer == b"HTTP/1.1 200" else answer for answer in answers]
    with Server(*answers) as server:
        polls.open(server.base_url)
        if answers[0] == response():
            polls.fetch()
        count = len(server.heads)
        error = error_of(polls)
        assert len(server.heads) == count + 1
    assert type(error) is openai.APIConnectionError
    assert isinstance(error.__cause__, OSError)


def test_a_server_that_wants_to_close_is_left(polls: Polls) -> None:
    """After `Connection: close` the next poll has a connection of its own."""
    with Server(response(BODY, "200 OK", "connection: close")) as server:
        polls.open(server.base_url).fetch()
        polls.fetch()
    assert server.connections == 2


def test_connections_are_not_kept_for_ever(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was idle for too long is not used again."""
    with Server() as server:
        polls.open(server.base_url).fetch()
        monkeypatch.setattr(_http_lines, "IDLE_SECONDS", 0.0)
        polls.fetch()
    assert server.connections == 2


def test_as_many_connections_are_kept_as_polls_may_be_in_flight(polls: Polls) -> None:
    """Polls at the same time have a connection each, of which only so many are kept."""
    barrier = threading.Barrier(6)

    def together(_: Any) -> bytes:
        barrier.wait(PATIENCE)
        return response()

    def six() -> None:
        if polls.colour == "sync":
            threads = [threading.Thread(target=polls.fetch) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        else:

            async def all_of_them() -> None:
                await asyncio.gather(*(polls.transport.fetch("resp_1", PATIENCE) for _ in range(6)))

            polls.run(all_of_them())

    with Server(together) as server:
        polls.open(server.base_url, limit=2)
        six()
        six()
    assert (server.connections, len(server.heads)) == (10, 12)


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


def test_the_deadline_is_ours(polls: Polls) -> None:
    """An answer that is not complete at the deadline is a TimeoutError, and the connection is closed."""
    with Server(b"", response()) as server:
        assert type(error_of(polls.open(server.base_url), "resp_1", 0.1)) is TimeoutError
        assert polls.fetch().content == BODY
    assert server.connections == 2


def test_no_time_is_no_poll(polls: Polls) -> None:
    """A poll for which no time is left is not sent."""
    with Server() as server:
        assert type(error_of(polls.open(server.base_url), "resp_1", 0.0)) is TimeoutError
    assert server.heads == []


def test_a_connection_that_takes_too_long_is_bounded(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up of a name that takes longer than the poll may is left."""
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
            task = asyncio.ensure_future(polls.transport.fetch("resp_1", None))
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
            assert asyncio.run(polls.transport.fetch("resp_1", PATIENCE)).content == BODY
            gc.collect()  # an open transport would warn now
    assert server.connections == 2


def test_sockets_are_closed_with_the_transport() -> None:
    """Nobody has to close the sync transport: its sockets are, when nobody refers to it any more."""
    with Server() as server, closing(Polls("sync")) as polls:
        polls.open(server.base_url).fetch()
        del polls.transport
        gc.collect()
        for thread in server._threads[1:]:
            thread.join(PATIENCE)
            assert not thread.is_alive()


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


def test_tls_is_that_of_the_client(polls: Polls) -> None:
    """What the client's own context trusts is trusted, and the connection is kept."""
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    with tls_server() as server:
        polls.open(https(server), http_client=polls.http(verify=trusting))
        assert [polls.fetch().content for _ in range(3)] == [BODY] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    ("verify", "host"),
    [(True, "localhost"), (ssl.create_default_context(cafile=CERTIFICATE), "127.0.0.1")],
    ids=["nobody signed it", "another host's"],
)
def test_a_certificate_that_is_not_trusted(polls: Polls, verify: Any, host: str) -> None:
    """A certificate that the client would not take is not taken, and nothing is sent."""
    with tls_server() as server:
        error = error_of(polls.open(https(server, host), http_client=polls.http(verify=verify)))
        assert type(error) is openai.APIConnectionError
        assert isinstance(error.__cause__, ssl.SSLError)
    assert server.heads == []


# What cannot be kept


def http_with(**options: Any) -> Callable[[Polls], dict[str, Any]]:
    """A client whose HTTP client has these options."""
    return lambda polls: {"http_client": polls.http(**options)}


def own_http_class(polls: Polls) -> dict[str, Any]:
    """A client whose HTTP client sends in a way of its own."""
    base: Any = type(polls.http())
    own = type("Own", (base,), {"send": lambda self, *args, **kwargs: base.send(self, *args, **kwargs)})
    return {"http_client": own(verify=False)}


def patched(polls: Polls) -> dict[str, Any]:
    """A client whose transport was patched, as tools that watch or fake it do."""
    http = polls.http()
    name = "handle_request" if polls.colour == "sync" else "handle_async_request"
    setattr(http._transport, name, lambda request: None)
    return {"http_client": http}


def transport_of(polls: Polls, **options: Any) -> Any:
    """A transport of the HTTP library."""
    library = _sdk.native_http_library()
    return (library.HTTPTransport if polls.colour == "sync" else library.AsyncHTTPTransport)(verify=False, **options)


def own_backend(polls: Polls) -> Any:
    """A transport whose sockets somebody else makes."""
    transport = transport_of(polls)
    transport._pool._network_backend = object()
    return transport


def pool_without_tls(polls: Polls) -> Any:
    """A transport with a pool of the user's: it makes its TLS context when it connects, and has none to show."""
    transport = transport_of(polls)
    core = sys.modules[type(transport._pool).__module__.partition(".")[0]]
    transport._pool = core.ConnectionPool() if polls.colour == "sync" else core.AsyncConnectionPool()
    return transport


async def hook_async(_: Any) -> None:
    """An event hook."""


def hook(_: Any) -> None:
    """An event hook."""


HINDRANCES: dict[str, tuple[str, Callable[[Polls], dict[str, Any]]]] = {
    "a proxy": ("the proxy", http_with(proxy="http://127.0.0.1:9")),
    "event hooks": ("the event hooks", http_with(event_hooks={"request": [], "response": [hook]})),
    "auth": ("the auth", http_with(auth=("user", "password"))),
    "a mount": ("the transport", lambda polls: http_with(mounts={"http://": _mock(polls)})(polls)),
    "a transport": ("the transport", lambda polls: http_with(transport=_mock(polls))(polls)),
    "a unix socket": (
        "the options",
        lambda polls: http_with(transport=transport_of(polls, uds="/tmp/x"))(polls),
    ),
    "a local address": (
        "the options",
        lambda polls: http_with(transport=transport_of(polls, local_address="127.0.0.1"))(polls),
    ),
    "a network backend": ("the network backend", lambda polls: http_with(transport=own_backend(polls))(polls)),
    "TLS of its own": (
        "the TLS",
        lambda polls: {"base": "https://localhost/v1", **http_with(transport=pool_without_tls(polls))(polls)},
    ),
    "its own class": ("the class", own_http_class),
    "a patch": ("the transport", patched),
    "a password in the base URL": ("its base URL", lambda polls: {"base": "http://user:pw@localhost/v1"}),
}


def _mock(polls: Polls) -> Any:
    return _sdk.native_http_library().MockTransport(lambda request: None)


@pytest.mark.parametrize(("word", "options"), HINDRANCES.values(), ids=HINDRANCES.keys())
def test_what_cannot_be_kept_is_refused(polls: Polls, word: str, options: Callable[[Polls], dict[str, Any]]) -> None:
    """A client of which something would be lost is refused at once, and the error says what it is."""
    given = options(polls)
    with pytest.raises(ValueError, match=f"would not keep {word}.*leave it out"):
        polls.open(given.pop("base", "http://localhost/v1"), **given)


def test_a_proxy_of_the_environment_is_refused(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the HTTP client took from the environment is one; an address that needs none is none."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "free.test")
    with pytest.raises(ValueError, match="the proxy"):
        polls.open("https://api.test/v1", http_client=polls.http())
    polls.open("https://free.test/v1", http_client=polls.http())


@pytest.mark.parametrize("name", ["get", "request", "_send_request"])
def test_a_client_that_sends_in_its_own_way_is_refused(polls: Polls, name: str) -> None:
    """A class of the user's that takes part in sending is refused; one that takes part in the request is not."""
    base: Any = openai.OpenAI if polls.colour == "sync" else openai.AsyncOpenAI
    cls = type("Own", (base,), {name: lambda self, *args, **kwargs: None})
    connecting: Any = connect if polls.colour == "sync" else connect_async
    with pytest.raises(ValueError, match="the methods of its own class"):
        connecting(cls(api_key="k", http_client=polls.http()), "fast", 1)


def test_a_way_to_authenticate_that_is_in_the_sending_is_refused(polls: Polls) -> None:
    """A workload identity puts its token in while the client sends."""
    polls.open("http://localhost/v1")
    polls.client.workload_identity = object()
    assert hindrance(polls.client) == "its way to authenticate"


def test_a_release_that_is_not_known_is_refused(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK is not made as those that are known, the fast transport says so."""
    monkeypatch.setattr(_sdk_request, "_final_options", None)
    with pytest.raises(ValueError, match="what this release of the SDK does"):
        polls.open("http://localhost/v1")


def test_a_subclass_that_makes_its_own_requests(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a class of the user's does to a request is done to each poll."""

    def prepare_url(self: Any, url: str) -> Any:
        return super(own, self)._prepare_url(f"/own{url}")

    name = "OpenAI" if polls.colour == "sync" else "AsyncOpenAI"
    own: Any = type("Own", (getattr(openai, name),), {"_prepare_url": prepare_url})
    monkeypatch.setattr(openai, name, own)
    with Server() as server:
        polls.open(server.base_url).fetch()
        polls.fetch()
    assert [head.split(" ")[1] for head in server.heads] == ["/v1/own/responses/resp_1"] * 2


def test_what_comes_later_is_kept_too(polls: Polls) -> None:
    """From the poll on that follows a change that could not be kept, polls go through the client."""
    seen: list[Any] = []

    async def see_async(request: Any) -> None:
        seen.append(request)

    with Server() as server:
        polls.open(server.base_url).fetch()
        polls.client._client.event_hooks["request"].append(seen.append if polls.colour == "sync" else see_async)
        polls.fetch()
        polls.fetch()
    assert (len(seen), len(server.heads)) == (2, 3)


def test_a_closed_client_is_closed(polls: Polls, through: Polls) -> None:
    """After the client was closed a poll fails as it does through the client."""
    with Server() as server:
        errors = []
        for each in (polls.open(server.base_url), through.open(server.base_url, fast=False)):
            each.fetch()
            each.run(each.client.close())
            errors.append(error_of(each))
    assert (type(errors[0]), str(errors[0])) == (type(errors[1]), str(errors[1]))


def test_trio_is_told() -> None:
    """Under trio the fast transport says that it cannot."""
    client = openai.AsyncOpenAI(api_key="k", base_url="http://localhost/v1")
    with pytest.raises(RuntimeError, match="is for asyncio; leave it out"):
        anyio.run(AsyncFastTransport(client, 1).fetch, "resp_1", 1.0, backend="trio")
    asyncio.run(client.close())


def test_trio_is_told_before_a_run_is_made() -> None:
    """Nothing is paid for that could not be polled."""

    async def create() -> None:
        with Server() as server:
            async with openai.AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
                with pytest.raises(RuntimeError, match="is for asyncio; leave it out"):
                    await AsyncRuns(client, transport="fast").create_and_poll(model="gpt-5", input="x")
            assert server.heads == []

    anyio.run(create, backend="trio")


def test_without_h11_it_is_told(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without h11 the error names the extra that brings it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'runoutcome\[fast\]'"):
        polls.open("http://localhost/v1")


def test_a_transport_has_a_name(polls: Polls) -> None:
    """`transport` is one of two words."""
    polls.open("http://localhost/v1")
    cls: Any = Runs if polls.colour == "sync" else AsyncRuns
    with pytest.raises(ValueError, match="transport is 'client' or 'fast'; got 'aiohttp'"):
        cls(polls.client, transport="aiohttp")


def test_the_default_needs_no_h11() -> None:
    """Importing the package, and polling through the client, takes nothing of the extra by itself."""
    script = "import sys, runoutcome, runoutcome._runs.sync; print('h11' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
