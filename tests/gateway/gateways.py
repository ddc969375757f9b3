"""Gateways on a real socket, in this process; and an upstream that answers with any bytes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from runoutcome.gateway import Gateway
from runoutcome.gateway._server import bound_socket, server_of

REAL_TIME_SECONDS = 60
"""A bound on the wait for another thread."""


@contextmanager
def gateway_to(upstream: str, *, cut: threading.Event | None = None, **options: Any) -> Iterator[str]:
    """A gateway in a thread of its own; gives its base URL. Once `cut` is set it stops, without the 10 s of grace."""
    app, ready = Gateway(upstream, **options), threading.Event()
    listener = bound_socket("127.0.0.1", 0)
    server = server_of(app, ready.set)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    assert ready.wait(REAL_TIME_SECONDS)
    if cut is not None:
        threading.Thread(target=_stop_when, args=(cut, server), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{app.base_path}"
    finally:
        server.should_exit = True
        thread.join(REAL_TIME_SECONDS)
        assert not thread.is_alive()
        listener.close()


def _stop_when(cut: threading.Event, server: Any) -> None:
    assert cut.wait(REAL_TIME_SECONDS)
    server.config.timeout_graceful_shutdown = 0
    server.should_exit = True


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Connection:
    """A connection of the gateway to the upstream, with the request that came."""

    socket: socket.socket
    head: bytes = b""
    body: bytes = b""
    lines: list[bytes] = field(default_factory=list)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the request, with names in lower case."""
        pairs = (line.split(b":", 1) for line in self.lines[1:])
        return [(name.lower(), value.strip()) for name, value in pairs]

    def read_head(self) -> None:
        """Read up to the blank line."""
        while b"\r\n\r\n" not in self.head:
            self.head += self._received()
        self.head, _, self.body = self.head.partition(b"\r\n\r\n")
        self.lines = self.head.split(b"\r\n")

    def read_until(self, end: bytes) -> None:
        """Read the body up to these bytes."""
        while end not in self.body:
            self.body += self._received()

    def read_whole(self) -> None:
        """Read head and body."""
        self.read_head()
        headers = dict(self.headers)
        if headers.get(b"transfer-encoding") == b"chunked":
            self.read_until(b"0\r\n\r\n")
        while len(self.body) < int(headers.get(b"content-length", 0)):
            self.body += self._received()

    def send(self, content: bytes) -> None:
        """Send bytes at once."""
        self.socket.sendall(content)

    def wait_for_end(self) -> None:
        """Return when the other side has closed the connection."""
        with suppress(ConnectionError):
            while self.socket.recv(65536):
                pass

    def _received(self) -> bytes:
        content = self.socket.recv(65536)
        if not content:
            raise ConnectionError("the gateway closed the connection")
        return content


@contextmanager
def upstream(answer: Callable[[Connection], None]) -> Iterator[str]:
    """A server that handles each connection by a function, and then closes it; gives its base URL."""
    stopped = threading.Event()

    def handle(sock: socket.socket) -> None:
        with sock, suppress(ConnectionError):
            sock.settimeout(REAL_TIME_SECONDS)
            answer(Connection(sock))

    def accept() -> None:
        with suppress(OSError):
            while not stopped.is_set():
                threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        port = listener.getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            stopped.set()
            socket.create_connection(("127.0.0.1", port)).close()


def raw_exchange(address: str, request: bytes) -> bytes:
    """All bytes that a server answers with until it closes the connection."""
    host, _, port = address.partition("://")[2].partition("/")[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=REAL_TIME_SECONDS) as sock:
        sock.sendall(request)
        received = b""
        with suppress(ConnectionError):
            while chunk := sock.recv(65536):
                received += chunk
        return received
