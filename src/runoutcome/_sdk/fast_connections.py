"""Connections of the fast transport, kept between polls: `http.client` for threads, aiohttp for asyncio.

Both carry one GET after the other and add nothing to it: no cookies, no redirects, no proxies, no decompression.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib
import io
import math
import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from functools import cached_property
from typing import Any, NamedTuple
from weakref import finalize

from . import native_http_library
from .worker_threads import Workers

IDLE_SECONDS = 55.0
"""How long a connection is kept for the next poll; most servers wait for a minute."""
READ_BYTES = 65536
"""Of a read, and of one header at most."""


class Origin(NamedTuple):
    """The server a connection goes to."""

    scheme: str
    host: str
    port: int


class Request(NamedTuple):
    """The GET of one run, as its client would send it."""

    origin: Origin
    target: str
    url: str
    headers: dict[str, str]


class RawResponse(NamedTuple):
    """An answer as it came; names of headers in any case, the body perhaps compressed."""

    status_code: int
    reason: str | None
    headers: Iterable[tuple[str, str]]
    content: bytes

    @property
    def is_final(self) -> bool:
        """Whether it is an answer, or a refusal; neither a redirect nor something in between."""
        return 200 <= self.status_code < 300 or self.status_code >= 400


class Timer:
    """How long one poll may take, and each read of it."""

    def __init__(self, timeout_seconds: float | None, read_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self.read_seconds = read_seconds
        self._deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds

    @property
    def is_over(self) -> bool:
        """Whether the poll has no time left."""
        return time.monotonic() >= self._deadline

    def left(self) -> float:
        """Seconds the next read may take. Raises TimeoutError when the time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return min(self.read_seconds, left)

    def rest(self) -> float | None:
        """Seconds another request for the same poll may take; None for as long as it likes."""
        return None if self.timeout_seconds is None else max(0.0, self._deadline - time.monotonic())


def tls_context() -> ssl.SSLContext:
    """A context by the function that makes that of the SDK's own HTTP client: it trusts the same, SSL_CERT_FILE too."""
    context: ssl.SSLContext = native_http_library().create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


# Threads: http.client


class Connections:
    """Connections of `http.client`, kept between polls."""

    errors = (OSError, http.client.HTTPException, UnicodeError)  # the last for what is no name of a host

    def __init__(self, limit: int) -> None:
        self._idle: deque[_Connection] = deque(maxlen=limit)  # one too many, and the oldest goes
        self._process = os.getpid()
        self._workers = Workers()

    def get(self, request: Request, timer: Timer) -> RawResponse:
        """The answer to a GET. Raises one of `errors`."""
        kept = self._take(request.origin)
        if kept is not None:
            try:
                return self._exchange(kept, request, timer)
            except _ClosedError:
                pass
        return self._exchange(self._open(request.origin, timer.left()), request, timer)

    def _exchange(self, connection: _Connection, request: Request, timer: Timer) -> RawResponse:
        try:
            response = connection.get(request, timer)
        except BaseException:
            connection.disconnect()
            raise
        if response.is_final and connection.sock is not None:
            self._idle.append(connection)
        else:  # it was the last one, or one that an answer follows which nobody waits for
            connection.disconnect()
        return response

    def _take(self, origin: Origin) -> _Connection | None:
        if self._process != os.getpid():  # the connections belong to the parent of this process
            self._idle.clear()
            self._process = os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.origin == origin and connection.is_usable:
                return connection
            connection.disconnect()

    def _open(self, origin: Origin, timeout_seconds: float) -> _Connection:
        def open_connection() -> _Connection:
            connected = socket.create_connection((origin.host, origin.port), timeout_seconds)
            try:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if origin.scheme == "https":
                    connected = self._tls.wrap_socket(connected, server_hostname=origin.host)
                return _Connection(origin, connected)
            except BaseException:
                connected.close()
                raise

        # Neither the look-up of a name nor a TLS handshake that drips heeds the timeout of a socket.
        return self._workers.call(open_connection, timeout_seconds)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context()


class _ClosedError(ConnectionError):
    """A connection that had been kept was closed before the head of an answer came: the GET can be sent again."""


class _Connection(http.client.HTTPConnection):
    """One open connection. It is closed when nobody refers to it any more."""

    def __init__(self, origin: Origin, connected: socket.socket) -> None:
        super().__init__(origin.host, origin.port)
        self.origin = origin
        self.disconnect = finalize(self, connected.close)
        self._socket = _TimedSocket(connected)
        self.sock: Any = self._socket  # None after an answer that was the last one
        self._last_answer: float | None = None

    def get(self, request: Request, timer: Timer) -> RawResponse:
        """The answer to a GET. Raises _ClosedError, OSError and HTTPException."""
        self._socket.timer = timer
        try:
            self.request("GET", request.target, headers=request.headers)
            response = self.getresponse()
        except OSError as error:
            if self._last_answer is None or isinstance(error, TimeoutError):
                raise
            raise _ClosedError from None
        content = response.read()
        self._last_answer = time.monotonic()
        return RawResponse(response.status, response.reason, response.getheaders(), content)

    @property
    def is_usable(self) -> bool:
        """Whether it can carry another GET: it was used not long ago, and nothing was heard since."""
        is_fresh = self._last_answer is not None and time.monotonic() - self._last_answer < IDLE_SECONDS
        return is_fresh and not self._socket.has_input()


class _TimedSocket:
    """A socket as `http.client` uses one. Each use of it gets what is left of the poll's time."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected
        self.timer: Timer | None = None

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._timed().sendall(data)

    def makefile(self, *_: object) -> io.BufferedReader:
        """The stream of one answer."""
        return io.BufferedReader(_Stream(self), READ_BYTES)

    def recv_into(self, buffer: Any) -> int:
        """Read once."""
        return self._timed().recv_into(buffer)

    def close(self) -> None:
        """Do nothing: `http.client` closes a socket before it has read the body of the last answer."""

    def has_input(self) -> bool:
        """Whether there is something to read: a farewell, or what nobody asked for."""
        if not hasattr(select, "poll"):  # on Windows select() takes sockets of any number
            return bool(select.select([self._connected], [], [], 0)[0])
        poll = select.poll()
        poll.register(self._connected, select.POLLIN)
        return bool(poll.poll(0))

    def _timed(self) -> socket.socket:
        assert self.timer is not None
        self._connected.settimeout(self.timer.left())
        return self._connected


class _Stream(io.RawIOBase):
    """The bytes of one answer. When `http.client` closes it the socket stays open."""

    def __init__(self, source: _TimedSocket) -> None:
        self._source = source

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read once."""
        return self._source.recv_into(buffer)


# Asyncio: aiohttp


class Sessions:
    """Sessions of aiohttp, one for each loop; a loop that ends closes its own. Raises ImportError without aiohttp."""

    def __init__(self, limit: int) -> None:
        try:
            self._aiohttp: Any = importlib.import_module("aiohttp")
            self._url: Any = importlib.import_module("yarl").URL
        except ImportError as error:
            raise ImportError("transport='fast' needs aiohttp: pip install 'runoutcome[fast]'") from error
        self.errors = (OSError, asyncio.TimeoutError, self._aiohttp.ClientError, UnicodeError)
        self._limit = limit
        self._by_loop: dict[asyncio.AbstractEventLoop, tuple[Any, AsyncGenerator[Any]]] = {}

    async def get(self, request: Request, timer: Timer) -> RawResponse:
        """The answer to a GET. Raises one of `errors`."""
        total, each = timer.rest(), timer.read_seconds
        if total == 0:  # for aiohttp that would be no limit
            raise TimeoutError("the time is up")
        timeout = self._aiohttp.ClientTimeout(total=total, connect=each, sock_read=each, ceil_threshold=math.inf)
        session, _ = self._by_loop.get(asyncio.get_running_loop(), (None, None))
        if session is None or session.closed:
            session = await self._open()
        response = await session.get(
            self._url(request.url, encoded=True),
            headers=request.headers,
            allow_redirects=False,
            ssl=self._tls if request.origin.scheme == "https" else True,
            timeout=timeout,
            trace_request_ctx=_Sends(),
        )
        # A response gives its connection back, or closes it, when it has been read, or could not be.
        return RawResponse(response.status, response.reason, response.headers.items(), await response.read())

    async def _open(self) -> Any:
        for ended in [loop for loop in self._by_loop if loop.is_closed()]:
            del self._by_loop[ended]
        keeper = _open_session(self._aiohttp, self._limit)
        session = await anext(keeper)
        self._by_loop[asyncio.get_running_loop()] = session, keeper
        return session

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context()


async def _open_session(aiohttp: Any, limit: int) -> AsyncGenerator[Any]:
    """A session that adds nothing to a request. A loop that ends closes its async generators first, and so this one."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(_on_new_connection)
    trace.on_connection_reuseconn.append(_on_kept_connection)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=limit, keepalive_timeout=IDLE_SECONDS, resolver=aiohttp.ThreadedResolver()
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=READ_BYTES,
        max_field_size=READ_BYTES,
        trace_configs=[trace],
    )
    try:
        yield session
    finally:
        await session.close()
        await asyncio.sleep(0)  # a transport is closed in the next turn of the loop


class _Sends:
    """How often aiohttp may send one GET: again only where the server closed a connection that had been kept."""

    def __init__(self) -> None:
        self._may_send = True

    def count(self, *, kept: bool) -> None:
        """Count one more, on a connection that was kept or is new. Raises ConnectionResetError for one too many."""
        if not self._may_send:
            raise ConnectionResetError("the connection was closed before an answer came")
        self._may_send = kept


async def _on_new_connection(_session: Any, context: Any, _params: Any) -> None:
    context.trace_request_ctx.count(kept=False)


async def _on_kept_connection(_session: Any, context: Any, _params: Any) -> None:
    context.trace_request_ctx.count(kept=True)
