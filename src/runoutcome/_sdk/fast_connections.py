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
from collections.abc import AsyncGenerator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, cast
from weakref import finalize

from .responses import native_http_library
from .worker_threads import Workers

IDLE_SECONDS = 55.0
"""Time that a connection is kept for the next poll; most servers keep one for a minute."""
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

    @property
    def head(self) -> bytes:
        """The bytes of the request. Target and headers are printable ASCII: nothing in them ends a line."""
        lines = [f"{name}: {value}\r\n" for name, value in self.headers.items()]
        return f"GET {self.target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("ascii")


class RawResponse(NamedTuple):
    """An answer as it arrived, its body perhaps compressed."""

    status_code: int
    reason: str | None
    headers: Mapping[str, str]
    """Found by lower-case names."""
    content: bytes

    @property
    def is_final(self) -> bool:
        """True for a success or a refusal; false for a redirect and for an informational response."""
        return 200 <= self.status_code < 300 or self.status_code >= 400


class Timer:
    """Time limits of one poll and of each of its reads."""

    def __init__(self, timeout_seconds: float | None, read_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self.read_seconds = read_seconds
        self._deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds

    @property
    def is_over(self) -> bool:
        """True when the time of the poll is up."""
        return time.monotonic() >= self._deadline

    def left(self) -> float:
        """Seconds the next read may take. Raises TimeoutError when the time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return min(self.read_seconds, left)

    def rest(self) -> float | None:
        """Seconds that another request for the same poll may take; None for no limit."""
        return None if self.timeout_seconds is None else max(0.0, self._deadline - time.monotonic())


def tls_context() -> ssl.SSLContext:
    """A TLS context from the function that the SDK's own HTTP client uses: it trusts the same authorities."""
    context: ssl.SSLContext = native_http_library().create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


# Threads: http.client


class Connections:
    """Connections of `http.client`, kept between polls."""

    errors = (OSError, http.client.HTTPException, UnicodeError)  # the last for an invalid host name

    def __init__(self, limit: int) -> None:
        self._idle: deque[_Connection] = deque(maxlen=limit)  # drops the oldest
        self._process = os.getpid()
        self._workers = Workers()

    def get(self, request: Request, timer: Timer, *, on_new_connection: bool = False) -> RawResponse:
        """The answer to a GET. Raises one of `errors`."""
        kept = None if on_new_connection else self._take(request.origin)
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
        if connection.is_kept:
            self._idle.append(connection)
        else:
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

        # The timeout of a socket bounds neither the look-up of a name nor a TLS handshake that drips.
        return self._workers.call(open_connection, timeout_seconds)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context()


class _ClosedError(ConnectionError):
    """A kept connection was closed before the head of an answer arrived: the GET can be sent again."""


class _Connection:
    """One open connection. Its socket is closed when the connection is garbage."""

    def __init__(self, origin: Origin, connected: socket.socket) -> None:
        self.origin = origin
        self.is_kept = False
        """The server keeps it open after the last answer."""
        self.disconnect = finalize(self, connected.close)
        self._connected = connected
        self._timer: Timer | None = None
        self._last_answer = -math.inf

    def get(self, request: Request, timer: Timer) -> RawResponse:
        """The answer to a GET. Raises _ClosedError, OSError and HTTPException."""
        self._timer, was_kept, self.is_kept = timer, self.is_kept, False
        try:
            self._timed().sendall(request.head)
            response = http.client.HTTPResponse(cast(socket.socket, self), method="GET")
            response.begin()
        except OSError as error:
            if not was_kept or isinstance(error, TimeoutError):
                raise
            raise _ClosedError from None
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = RawResponse(response.status, response.reason, headers, response.read())
        self.is_kept = answer.is_final and not response.will_close
        self._last_answer = time.monotonic()
        return answer

    @property
    def is_usable(self) -> bool:
        """True if it can carry another GET: it was used recently, and nothing arrived since."""
        return time.monotonic() - self._last_answer < IDLE_SECONDS and not self._has_input()

    def makefile(self, *_: object) -> io.BufferedReader:
        """The stream of one answer: all that `http.client` asks a socket for."""
        return io.BufferedReader(_Stream(self), READ_BYTES)

    def recv_into(self, buffer: Any) -> int:
        """Read once, within the time that is left."""
        return self._timed().recv_into(buffer)

    def _timed(self) -> socket.socket:
        assert self._timer is not None
        self._connected.settimeout(self._timer.left())
        return self._connected

    def _has_input(self) -> bool:
        if not hasattr(select, "poll"):  # on Windows select() takes sockets of any number
            return bool(select.select([self._connected], [], [], 0)[0])
        poll = select.poll()
        poll.register(self._connected, select.POLLIN)
        return bool(poll.poll(0))


class _Stream(io.RawIOBase):
    """The bytes of one answer. The socket stays open when `http.client` closes the stream."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read once."""
        return self._connection.recv_into(buffer)


# Asyncio: aiohttp


class Sessions:
    """Sessions of aiohttp, one for each event loop, closed with it. Raises ImportError without aiohttp.

    If a connection breaks before the head of an answer, aiohttp sends the GET once more; a new connection included.
    """

    def __init__(self, limit: int) -> None:
        try:
            self._aiohttp: Any = importlib.import_module("aiohttp")
            self._url: Any = importlib.import_module("yarl").URL
        except ImportError as error:
            raise ImportError("transport='fast' needs aiohttp: pip install 'runoutcome[fast]'") from error
        self.errors = (OSError, asyncio.TimeoutError, self._aiohttp.ClientError, UnicodeError)
        self._limit = limit
        self._process = os.getpid()
        self._by_loop: dict[asyncio.AbstractEventLoop, tuple[Any, AsyncGenerator[Any]]] = {}

    async def get(self, request: Request, timer: Timer, *, on_new_connection: bool = False) -> RawResponse:
        """The answer to a GET. Raises one of `errors`."""
        if on_new_connection:
            keeper = _open_session(self._aiohttp, 1)
            try:
                return await self._get(await anext(keeper), request, timer)
            finally:
                await keeper.aclose()
        session, _ = self._by_loop.get(asyncio.get_running_loop(), (None, None))
        if session is None or session.closed or self._process != os.getpid():
            session = await self._open()
        return await self._get(session, request, timer)

    async def _get(self, session: Any, request: Request, timer: Timer) -> RawResponse:
        total, each = timer.rest(), timer.read_seconds
        if total == 0:  # aiohttp takes 0 for no limit
            raise TimeoutError("the time is up")
        timeout = self._aiohttp.ClientTimeout(total=total, connect=each, sock_read=each, ceil_threshold=math.inf)
        response = await session.get(
            self._url(request.url, encoded=True),
            headers=request.headers,
            allow_redirects=False,
            ssl=self._tls if request.origin.scheme == "https" else True,
            timeout=timeout,
        )
        # `read` gives the connection back, or closes it if it raises.
        return RawResponse(response.status, response.reason, response.headers, await response.read())

    async def _open(self) -> Any:
        if self._process != os.getpid():  # the connections belong to the parent of this process
            self._by_loop, self._process = {}, os.getpid()
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
    """A session that adds nothing to a request. It is closed with its loop, which closes its async generators first."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=limit, keepalive_timeout=IDLE_SECONDS, resolver=aiohttp.ThreadedResolver()
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=READ_BYTES,
        max_field_size=READ_BYTES,
    )
    try:
        yield session
    finally:
        await session.close()
        await asyncio.sleep(0)  # a transport is closed in the next turn of the loop
