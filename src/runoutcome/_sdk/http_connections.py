"""Connections that are kept open between polls, with one GET on each at a time: sockets, or transports of asyncio."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, cast
from weakref import WeakKeyDictionary, finalize

from .http_exchange import Exchange, Headers, RawAnswer

IDLE_SECONDS = 55.0
"""How long a connection is kept for the next poll; most servers wait for a minute."""
READ_BYTES = 65536


class Origin(NamedTuple):
    """Where a connection goes to."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """None for plain HTTP."""

    def secure(self, connected: socket.socket) -> socket.socket:
        """The same connection, encrypted if it is to be, and the server's name verified as the context says."""
        return self.tls.wrap_socket(connected, server_hostname=self.host) if self.tls else connected


class StaleError(Exception):
    """A connection that had been kept was closed before a byte of the answer came: the GET can be sent again."""


class Line:
    """One open socket. It is closed when nobody refers to it any more."""

    def __init__(self, origin: Origin, connected: socket.socket) -> None:
        self.origin = origin
        self._socket = connected
        finalize(self, connected.close)
        self._exchange = Exchange()
        self._last_answer: float | None = None

    def get(self, target: bytes, headers: Headers, time_left: Callable[[], float]) -> RawAnswer:
        """The answer to a GET; `time_left` says how long the next read may take.

        Raises StaleError, and OSError: TimeoutError, ProtocolError and those of the socket.
        """
        try:
            self._socket.settimeout(time_left())
            self._socket.sendall(self._exchange.ask(target, headers))
            answer = None
            while answer is None:
                self._socket.settimeout(time_left())
                answer = self._exchange.receive(self._socket.recv(READ_BYTES))
        except Exception as error:
            if _is_stale(error, self._exchange, self._last_answer):
                raise StaleError from error
            raise
        self._last_answer = time.monotonic()
        return answer

    @property
    def is_usable(self) -> bool:
        """Whether it can carry another GET: both sides are done, not long ago, and nothing was heard since."""
        return self._exchange.can_go_on and _is_fresh(self._last_answer) and not _is_readable(self._socket)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Lines:
    """Sockets, for threads."""

    def __init__(self, limit: int) -> None:
        self._idle: deque[Line] = deque(maxlen=limit)  # one too many, and the oldest goes, and is closed by that
        self._process = os.getpid()

    def take(self, origin: Origin) -> Line | None:
        """One that is open already, if there is one."""
        if self._process != os.getpid():  # they belong to the parent of this process
            self._idle.clear()
            self._process = os.getpid()
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return None
            if line.origin == origin and line.is_usable:
                return line
            line.close()

    def open(self, origin: Origin, timeout_seconds: float) -> Line:
        """A new one. Raises OSError."""
        connected = socket.create_connection((origin.host, origin.port), timeout_seconds)
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Line(origin, origin.secure(connected))
        except BaseException:
            connected.close()
            raise

    def give_back(self, line: Line) -> None:
        """Keep it, if it can be used again."""
        if line.is_usable:
            self._idle.append(line)
        else:
            line.close()


class AsyncLine(asyncio.Protocol):
    """One open transport of asyncio; the async twin of `Line`."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._exchange = Exchange()
        self._last_answer: float | None = None
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[RawAnswer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._time_left: Callable[[], float] = float

    async def get(self, target: bytes, headers: Headers, time_left: Callable[[], float]) -> RawAnswer:
        """The async twin of `Line.get`."""
        self._answer, self._time_left = self._loop.create_future(), time_left
        try:
            self._transport.write(self._exchange.ask(target, headers))
            self._wait()
            answer = await self._answer
        except Exception as error:
            if _is_stale(error, self._exchange, self._last_answer):
                raise StaleError from error
            raise
        finally:
            self._answer = None
            if self._timer is not None:
                self._timer.cancel()
        self._last_answer = time.monotonic()
        return answer

    @property
    def is_usable(self) -> bool:
        """The async twin of `Line.is_usable`; what nobody asked for has closed the transport."""
        return self._exchange.can_go_on and _is_fresh(self._last_answer) and not self._transport.is_closing()

    def close(self) -> None:
        """Close the transport, without a farewell."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast(asyncio.Transport, transport)  # that of uvloop is one in all but class

    def data_received(self, data: bytes) -> None:
        """Bytes came; none at all are the end."""
        if self._answer is None or self._answer.done():
            return self.close()
        try:
            answer = self._exchange.receive(data)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the answer is for whoever waits for it
            return self._answer.set_exception(error)
        if answer is None:
            return self._wait()
        return self._answer.set_result(answer)

    def eof_received(self) -> None:
        """The server has said all it wanted to say."""
        self.data_received(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._fail(exc or ConnectionResetError("the connection was closed"))

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            seconds = self._time_left()
        except TimeoutError as error:
            self._fail(error)
        else:
            self._timer = self._loop.call_later(seconds, self._fail, TimeoutError("nothing came in time"))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class AsyncLines:
    """Transports of asyncio, for tasks; those of each loop apart. The async twin of `Lines`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncLine]] = WeakKeyDictionary()
        self._keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[None]] = WeakKeyDictionary()

    def take(self, origin: Origin) -> AsyncLine | None:
        """The async twin of `Lines.take`."""
        idle = self._idle.get(asyncio.get_running_loop(), [])
        while idle:
            line = idle.pop()
            if line.origin == origin and line.is_usable:
                return line
            line.close()
        return None

    async def open(self, origin: Origin) -> AsyncLine:
        """The async twin of `Lines.open`; to be cut off from outside when it takes too long."""
        loop = asyncio.get_running_loop()
        if loop not in self._idle:
            idle = self._idle[loop] = []
            self._keepers[loop] = _close_with_the_loop(idle)
            await anext(self._keepers[loop])
        _, line = await loop.create_connection(lambda: AsyncLine(origin), origin.host, origin.port, ssl=origin.tls)
        return line

    def give_back(self, line: AsyncLine) -> None:
        """The async twin of `Lines.give_back`."""
        idle = self._idle[asyncio.get_running_loop()]
        if len(idle) < self._limit and line.is_usable:
            idle.append(line)
        else:
            line.close()


def check_loop() -> None:
    """Raises RuntimeError outside of asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("transport='fast' is for asyncio; leave it out, and polls go through the client") from None


async def _close_with_the_loop(idle: list[AsyncLine]) -> AsyncGenerator[None]:
    """Whoever ends a loop closes its async generators first, and this one what is left open by then."""
    try:
        yield
    finally:
        while idle:
            idle.pop().close()
        await asyncio.sleep(0)  # a transport is closed in the next turn of the loop


def _is_stale(error: Exception, exchange: Exchange, last_answer: float | None) -> bool:
    return last_answer is not None and not exchange.has_begun and not isinstance(error, TimeoutError)


def _is_fresh(last_answer: float | None) -> bool:
    return last_answer is not None and time.monotonic() - last_answer < IDLE_SECONDS


def _is_readable(watched: socket.socket) -> bool:
    """Whether there is something to read: a farewell, or what nobody asked for."""
    if not hasattr(select, "poll"):  # on Windows select() takes sockets of any number
        return bool(select.select([watched], [], [], 0)[0])
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    return bool(poll.poll(0))
