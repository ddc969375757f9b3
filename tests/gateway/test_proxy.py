"""The gateway as a proxy: what goes up, what comes back, and what happens where one side is gone."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest
from gateways import Connection, free_port, gateway_to, raw_exchange, upstream
from hypothesis import given, strategies as st

from runoutcome.gateway import Gateway, GatewayError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nok"


def gateway_before(answer: Callable[[Connection], None], stack: ExitStack, **options: Any) -> str:
    """The base URL of a gateway before an upstream that answers so."""
    return stack.enter_context(gateway_to(stack.enter_context(upstream(answer)), **options))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed after the test."""
    with ExitStack() as stack:
        yield stack


def seen_by(stack: ExitStack, answer: bytes = OK) -> tuple[str, list[Connection]]:
    """A gateway, and the requests that its upstream gets."""
    seen: list[Connection] = []

    def handle(connection: Connection) -> None:
        connection.read_whole()
        seen.append(connection)
        connection.send(answer)

    return gateway_before(handle, stack), seen


def connect(address: str) -> closing[http.client.HTTPConnection]:
    """A connection of the standard library."""
    return closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=60))


def get(
    address: str, path: str = "/v1/x", method: str = "GET", **options: Any
) -> tuple[http.client.HTTPResponse, bytes]:
    """The answer to one request, and its body as it came."""
    with connect(address) as connection:
        connection.request(method, path, **options)
        response = connection.getresponse()
        return response, response.read()


def test_a_request_arrives_as_it_was_sent(stack: ExitStack) -> None:
    """Method, path, query, headers and body stay; `Host` is the upstream's; headers of one connection stay behind."""
    address, seen = seen_by(stack)
    body = bytes(range(256))
    request = (
        b"PATCH /v1/a%2Fb/../c|d?x=%20&x=2&&y HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n"
        b"api-key: k\r\nX-Twice: 1\r\nX-Twice: 2\r\nExpect: 100-continue\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
        b"Keep-Alive: 5\r\nTE: trailers\r\nx-runoutcome-strict: off\r\nProxy-Authorization: Basic x\r\n"
        b"Content-Length: 256\r\n\r\n" + body
    )
    answer = raw_exchange(address, request)
    assert answer.startswith(b"HTTP/1.1 100 ")
    assert answer.endswith(b"\r\n\r\nok")
    (only,) = seen
    assert only.lines[0] == b"PATCH /v1/a%2Fb/../c|d?x=%20&x=2&&y HTTP/1.1"
    assert only.body == body
    assert sorted(only.headers) == sorted(
        [
            (b"host", dict(only.headers)[b"host"]),
            (b"authorization", b"Bearer k"),
            (b"api-key", b"k"),
            (b"x-twice", b"1"),
            (b"x-twice", b"2"),
            (b"expect", b"100-continue"),
            (b"content-length", b"256"),
        ]
    )
    assert dict(only.headers)[b"host"].startswith(b"127.0.0.1:")


def test_a_length_beside_chunks_does_not_go_on(stack: ExitStack) -> None:
    """A request with both framings goes on with one."""
    address, seen = seen_by(stack)
    head = b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n"
    raw_exchange(address, head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    (only,) = seen
    assert (b"transfer-encoding", b"chunked") in only.headers
    assert b"content-length" not in dict(only.headers)
    assert only.body == b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [("br, gzip;q=0.8, zstd", b"gzip"), ("br", b"identity"), ("gzip;q=0, br", b"identity"), ("*", b"gzip")],
)
def test_the_api_is_asked_for_a_compression_that_is_read(stack: ExitStack, accepted: str, asked: bytes) -> None:
    """Of the compressions that a client takes, gzip goes on."""
    address, seen = seen_by(stack)
    get(address, headers={"Accept-Encoding": accepted})
    assert dict(seen[0].headers)[b"accept-encoding"] == asked


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/openai/v1/responses?a=1", b"/openai/v1/responses?a=1"),
        ("/responses", b"/openai/v1/responses"),
        ("/openai/v1", b"/openai/v1"),
        ("/openai/v10", b"/openai/v1/openai/v10"),
    ],
)
def test_the_path_of_the_upstream(stack: ExitStack, path: str, target: bytes) -> None:
    """A path that begins with the upstream's goes on as it is; another is appended."""
    seen: list[bytes] = []

    def handle(connection: Connection) -> None:
        connection.read_whole()
        seen.append(connection.lines[0].split()[1])
        connection.send(OK)

    origin = stack.enter_context(upstream(handle)).removesuffix("/v1")
    address = stack.enter_context(gateway_to(f"{origin}/openai/v1/"))
    assert address.endswith("/openai/v1")
    get(address, path)
    assert seen == [target]


TOKENS = st.text("abcxyz-09", min_size=1, max_size=12).map(lambda name: f"x-{name}".encode())
VALUES = st.binary(max_size=20).map(lambda value: bytes(byte for byte in value if 0x21 <= byte != 0x7F))
KINDS = ("application/json", "text/event-stream", "text/html", "application/octet-stream", "application/problem+json")
FRAMINGS = ("length", "chunks", "close")


def framed(body: bytes, framing: str, cuts: int) -> tuple[bytes, bytes]:
    """The framing header of a body, and its bytes on the wire."""
    if framing == "length":
        return b"Content-Length: %d\r\n" % len(body), body
    if framing == "close":
        return b"", body
    step = max(1, len(body) // cuts)
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    return b"Transfer-Encoding: chunked\r\n", b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@given(data=st.data())
def test_any_answer_passes_byte_for_byte(data: st.DataObject) -> None:
    """Status, headers and body of an arbitrary answer are the same after the gateway, whatever its framing.

    It records and is strict, too: neither touches an answer that is none of a failed run.
    """
    status = data.draw(st.sampled_from([200, 201, 202, 302, 400, 404, 409, 429, 500, 503, 599]))
    body = data.draw(
        st.binary(max_size=300) | st.sampled_from([b"data: {}\n\n", b'{"id": 1}', b"{", gzip.compress(b"{}")])
    )
    headers = data.draw(st.lists(st.tuples(TOKENS, VALUES), max_size=5))
    kind = data.draw(st.sampled_from(KINDS)).encode()
    zipped = [(b"content-encoding", b"gzip")] if body[:2] == b"\x1f\x8b" else []
    framing, wire = framed(body, data.draw(st.sampled_from(FRAMINGS)), data.draw(st.integers(1, 5)))
    lines = b"".join(b"%s: %s\r\n" % pair for pair in [*headers, *zipped])
    head = b"HTTP/1.1 %d Any\r\nContent-Type: %s\r\nLocation: http://[\r\n%s%sConnection: close\r\n\r\n"
    ANSWERS.answer = head % (status, kind, lines, framing) + wire
    response, received = get(ANSWERS.address(), "/v1/responses/resp_1")
    assert (response.status, received) == (status, body)
    expected = [(name.decode(), value.decode("latin-1")) for name, value in [*headers, *zipped]]
    passed = [
        (name, value) for name, value in response.getheaders() if name.startswith("x-") or name == "content-encoding"
    ]
    assert passed == expected
    assert (response.headers["content-type"], response.headers["location"]) == (kind.decode(), "http://[")


class _Answers:
    """An upstream and a gateway that all examples of a test share."""

    answer = b""

    def __init__(self) -> None:
        self.reports: list[str] = []
        self._stack = ExitStack()
        self._address: str | None = None

    def address(self) -> str:
        """The gateway, started for the first example."""
        if self._address is None:
            folder = Path(self._stack.enter_context(TemporaryDirectory()))
            options = {"strict": True, "record": folder / "recording", "report": self.reports.append}
            self._address = gateway_before(self._handle, self._stack, **options)
        return self._address

    def close(self) -> None:
        """End both."""
        self._stack.close()

    def _handle(self, connection: Connection) -> None:
        connection.read_whole()
        connection.send(self.answer)


ANSWERS = _Answers()


@pytest.fixture(scope="module", autouse=True)
def _shared() -> Iterator[None]:
    yield
    ANSWERS.close()
    assert ANSWERS.reports == []


def test_a_redirect_is_not_followed(stack: ExitStack) -> None:
    """The answer 307 goes to the client, and no second request is made."""
    address, seen = seen_by(
        stack, b"HTTP/1.1 307 X\r\nLocation: /v1/other\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    response, _ = get(address, method="POST", body=b"{}")
    assert (response.status, response.headers["location"], len(seen)) == (307, "/v1/other", 1)


def test_a_head_request_has_the_length_and_no_body(stack: ExitStack) -> None:
    """The headers of HEAD are those of the upstream."""
    address, seen = seen_by(stack, b'HTTP/1.1 200 OK\r\nContent-Length: 512\r\nETag: "1"\r\nConnection: close\r\n\r\n')
    response, body = get(address, method="HEAD")
    assert (response.headers["content-length"], response.headers["etag"], body) == ("512", '"1"', b"")
    assert seen[0].lines[0].startswith(b"HEAD ")


def test_a_part_of_a_body(stack: ExitStack) -> None:
    """`Range` goes up, and 206 with its range comes back."""
    part = (
        b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-1/9\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    address, seen = seen_by(stack, part)
    response, body = get(address, headers={"Range": "bytes=0-1"})
    assert (response.status, response.headers["content-range"], body) == (206, "bytes 0-1/9", b"{}")
    assert (b"range", b"bytes=0-1") in seen[0].headers


def test_a_compressed_body_is_not_unpacked(stack: ExitStack) -> None:
    """A gzip body of a completed run arrives as the same bytes."""
    packed = gzip.compress(b'{"object": "response", "status": "completed"}')
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    address, _ = seen_by(stack, head % len(packed) + packed)
    response, body = get(address, headers={"Accept-Encoding": "gzip"})
    assert (response.headers["content-encoding"], body) == ("gzip", packed)


def test_events_pass_one_by_one(stack: ExitStack) -> None:
    """An event reaches the client before the upstream sends the next."""
    read = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_whole()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n")
        assert read.wait(60)
        connection.send(b"data: 2\n\n")

    with connect(gateway_before(handle, stack)) as connection:
        connection.request("GET", "/v1/responses/resp_1?stream=true")
        response = connection.getresponse()
        assert (response.readline(), response.readline()) == (b"data: 1\n", b"\n")
        read.set()
        assert response.read() == b"data: 2\n\n"


def test_an_upload_passes_as_it_comes(stack: ExitStack) -> None:
    """The beginning of a request's body reaches the upstream before its end is sent."""
    begun = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_head()
        connection.read_until(b"first")
        begun.set()
        connection.read_until(b"second")
        connection.send(OK)

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert begun.wait(60)
        yield b"second"

    response, body = get(gateway_before(handle, stack), method="POST", body=pieces(), headers={"X": "1"})
    assert (response.status, body) == (200, b"ok")


@pytest.mark.parametrize("begun", [False, True])
def test_a_client_that_leaves_ends_the_request_upstream(stack: ExitStack, begun: bool) -> None:
    """Before the answer and within a stream, the upstream's connection is closed when the client has gone."""
    came, ended = threading.Event(), threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_whole()
        if begun:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        came.set()
        connection.wait_for_end()
        ended.set()

    with connect(gateway_before(handle, stack)) as connection:
        connection.request("POST", "/v1/responses", body=b"{}")
        if begun:
            connection.getresponse().readline()
        assert came.wait(60)
    assert ended.wait(60)


def error_of(body: bytes) -> dict[str, Any]:
    """The error of an envelope."""
    error = json.loads(body)["error"]
    assert error["type"] == "gateway_error"
    return dict(error)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_upstream(method: str) -> None:
    """Without a connection the answer is 502, says that nothing was sent, and leaves a second try to the client."""
    with gateway_to(f"http://127.0.0.1:{free_port()}/v1") as address:
        response, body = get(address, method=method)
    error = error_of(body)
    assert (response.status, error["code"], response.headers["x-should-retry"]) == (502, "gateway_connect_error", None)
    assert "was not sent" in error["message"]


def hang(connection: Connection) -> None:
    """Read the request, and say nothing."""
    connection.read_whole()
    connection.wait_for_end()


def leave(connection: Connection) -> None:
    """Read the request, and close the connection."""
    connection.read_whole()


def cut_json(connection: Connection) -> None:
    """Answer with half of a JSON body."""
    connection.read_whole()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [(hang, 504, "gateway_read_timeout"), (leave, 502, "gateway_read_error"), (cut_json, 502, "gateway_read_error")],
)
@pytest.mark.parametrize(("method", "retry"), [("GET", None), ("POST", "false")])
def test_no_answer(
    stack: ExitStack, answer: Callable[[Connection], None], status: int, code: str, method: str, retry: str | None
) -> None:
    """A request that may have arrived is answered so; for a POST the SDKs are asked to send it no second time."""
    response, body = get(gateway_before(answer, stack, silence_seconds=0.5), method=method)
    error = error_of(body)
    assert (response.status, error["code"], response.headers["x-should-retry"]) == (status, code, retry)
    assert "may exist and be paid for" in error["message"]
    assert not {"x-request-id", "openai-processing-ms"} & {name.lower() for name in response.headers}


@pytest.mark.parametrize(("method", "retry"), [("GET", None), ("POST", "false")])
def test_a_gateway_that_stops(stack: ExitStack, method: str, retry: str | None) -> None:
    """A request that is cut by the stop may have arrived: its client is told not to create again."""
    cut = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_whole()
        cut.set()
        connection.wait_for_end()

    response, body = get(gateway_before(handle, stack, cut=cut), method=method)
    error = error_of(body)
    assert (response.status, error["code"], response.headers["x-should-retry"]) == (502, "gateway_read_error", retry)
    assert "may exist and be paid for" in error["message"]


def test_a_status_that_no_server_can_send(stack: ExitStack) -> None:
    """A status beyond 599 is an answer of the gateway, so that the client gets one."""
    address, _ = seen_by(stack, OK.replace(b"200", b"999"))
    response, body = get(address, method="POST")
    assert (response.status, response.headers["x-should-retry"]) == (502, "false")
    assert "status 999" in error_of(body)["message"]


def test_an_answer_that_breaks_off_breaks_off_for_the_client(stack: ExitStack) -> None:
    """A body that ends too early does not look whole."""

    def handle(connection: Connection) -> None:
        connection.read_whole()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    with connect(gateway_before(handle, stack)) as connection:
        connection.request("GET", "/v1/files/f/content")
        with pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()


def test_a_page_of_another_site_is_refused(stack: ExitStack) -> None:
    """A request with a foreign `Host` gets 421 and does not go on; an allowed name does."""
    seen: list[Connection] = []

    def handle(connection: Connection) -> None:
        connection.read_whole()
        seen.append(connection)
        connection.send(OK)

    address = gateway_before(handle, stack, allowed_hosts=["box"])
    assert get(address, headers={"Host": "evil.example"})[0].status == 421
    assert (get(address, headers={"Host": "box:1"})[0].status, len(seen)) == (200, 1)


@pytest.mark.parametrize("target", [b"http://other.example/v1/x", b"*"])
def test_a_target_that_is_no_path(stack: ExitStack, target: bytes) -> None:
    """The gateway is no forward proxy."""
    address, seen = seen_by(stack)
    answer = raw_exchange(address, b"OPTIONS " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert (b"gateway_no_path" in answer, seen) == (True, [])


def test_a_websocket_is_refused(stack: ExitStack) -> None:
    """An upgrade is answered at once."""
    address, seen = seen_by(stack)
    response, body = get(address, headers={"Connection": "upgrade", "Upgrade": "websocket"})
    assert (response.status, error_of(body)["code"], seen) == (501, "gateway_no_websocket", [])


def called(scope: dict[str, Any]) -> list[Any]:
    """The messages of a gateway without an upstream to a scope of ASGI."""
    sent: list[Any] = []
    received: list[Any] = [{"type": "http.request"}]

    async def receive() -> Any:
        return received.pop() if received else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    gateway = Gateway(f"http://127.0.0.1:{free_port()}/v1")
    asyncio.run(gateway({"headers": [(b"host", b"localhost")], "query_string": b"", **scope}, receive, send))
    return sent


def test_a_server_of_another_kind() -> None:
    """A server that does not know the raw path, and one that hands WebSockets over, get their answers."""
    start, _ = called({"type": "http", "method": "GET", "path": "/v1/\u00fc"})
    assert start["status"] == 502
    assert called({"type": "websocket", "path": "/v1/x", "raw_path": b"/v1/x"}) == [{"type": "websocket.close"}]


def test_a_proxy_of_the_environment(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """`HTTP_PROXY` is used, but not for an upstream on this machine."""
    lines: list[bytes] = []

    def handle(connection: Connection) -> None:
        connection.read_whole()
        lines.append(connection.lines[0])
        connection.send(OK)

    proxy = stack.enter_context(upstream(handle)).removesuffix("/v1")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    remote = stack.enter_context(gateway_to("http://api.example.test/v1"))
    assert (get(remote)[1], lines) == (b"ok", [b"GET http://api.example.test/v1/x HTTP/1.1"])
    local, seen = seen_by(stack)
    assert (get(local)[1], len(seen), len(lines)) == (b"ok", 1, 1)


def test_a_tunnel_that_is_refused(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """For https a proxy is asked for a tunnel; if it refuses, the request was not sent, and it has seen no key."""
    seen: list[Connection] = []

    def handle(connection: Connection) -> None:
        connection.read_whole()
        seen.append(connection)
        connection.send(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, stack.enter_context(upstream(handle)).removesuffix("/v1"))
    address = stack.enter_context(gateway_to("https://api.example.test/v1"))
    response, body = get(address, method="POST", headers={"Authorization": "Bearer k"})
    assert (response.status, error_of(body)["code"]) == (502, "gateway_connect_error")
    assert "407" in error_of(body)["message"]
    assert [connection.lines[0] for connection in seen] == [b"CONNECT api.example.test:443 HTTP/1.1"]
    assert b"Bearer" not in seen[0].head


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("api.openai.com/v1", "begins with https://"),
        ("ftp://x/v1", "begins with https://"),
        ("https://", "begins with https://"),
        ("https://user:secret@x/v1", "own keys"),
        ("https://x/v1?key=secret", "query"),
        ("http://[::1", "no URL"),
        ("http://x:99999/v1", "between 1 and 65535"),
    ],
)
def test_an_upstream_that_cannot_be_used(url: str, word: str) -> None:
    """A wrong URL is refused before anything is served."""
    with pytest.raises(GatewayError, match=word):
        Gateway(url)
