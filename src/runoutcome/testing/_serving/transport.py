"""`EmulatorTransport`, `AsyncEmulatorTransport`: the emulator below an HTTP client, without a socket.

For `httpx` and `httpx2` alike, which are not imported here: each request shows its library.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from starlette.types import ASGIApp

from .exchange import Event, Exchange, Head
from .loop_thread import LoopThread

_LIBRARIES = ("httpx", "httpx2")
_CLIENT = ("127.0.0.1", 0)


class _Transport:
    """Shared part of both colours: requests are answered in the emulator's thread, which an open transport holds."""

    def __init__(self, app: ASGIApp, thread: LoopThread, *, waits: bool) -> None:
        self._app = app
        self._thread = thread
        self._waits = waits
        self._holder = object()
        # For clients that are never closed.
        weakref.finalize(self, thread.forget, self._holder)

    def _begin(self, request: Any, body: bytes, deliver: Callable[[Event], None]) -> Callable[[], None]:
        """Send a request; returns a function to call when the client wants no more of the response."""
        loop = self._thread.hold(self._holder)
        exchange = Exchange(self._app, _scope_of(request), body, deliver)
        asyncio.run_coroutine_threadsafe(exchange.run(), loop)
        return lambda: _call_in(loop, exchange.leave)

    def _release(self) -> None:
        self._thread.release(self._holder)


class EmulatorTransport(_Transport):
    """A transport for `httpx.Client` and `httpx2.Client`; closing the client closes it.

    Faults are errors of the client's own library: ReadError for a reset, RemoteProtocolError for a response that ends
    too early, ReadTimeout for a stall: after the read timeout of the request, or at once with a manual clock.
    """

    __module__ = "runoutcome.testing"

    def handle_request(self, request: Any) -> Any:
        """Part of the transport interface."""
        library, timeout = _library_of(request), _read_timeout(request)
        events: SimpleQueue[Event] = SimpleQueue()
        leave = self._begin(request, b"".join(request.stream), events.put)

        def receive() -> Event:
            while True:
                try:
                    event = events.get(timeout=timeout)
                except Empty:
                    return _checked("stall", library, request)
                if event != "stall" or not self._waits:
                    return _checked(event, library, request)

        try:
            head = receive()
        except BaseException:
            leave()
            raise
        return _response(library, head, _body(library, receive, leave))

    def close(self) -> None:
        """Part of the transport interface."""
        self._release()

    def __enter__(self) -> EmulatorTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncEmulatorTransport(_Transport):
    """A transport for `httpx.AsyncClient` and `httpx2.AsyncClient` under asyncio; see `EmulatorTransport`."""

    __module__ = "runoutcome.testing"

    async def handle_async_request(self, request: Any) -> Any:
        """Part of the transport interface."""
        library, timeout = _library_of(request), _read_timeout(request)
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()

        def deliver(event: Event) -> None:
            _call_in(loop, lambda: events.put_nowait(event))

        async def receive() -> Event:
            while True:
                try:
                    event = await asyncio.wait_for(events.get(), timeout)
                except asyncio.TimeoutError:
                    return _checked("stall", library, request)
                if event != "stall" or not self._waits:
                    return _checked(event, library, request)

        leave = self._begin(request, b"".join([piece async for piece in request.stream]), deliver)
        try:
            head = await receive()
        except BaseException:
            leave()
            raise
        return _response(library, head, _async_body(library, receive, leave))

    async def aclose(self) -> None:
        """Part of the transport interface."""
        self._release()

    async def __aenter__(self) -> AsyncEmulatorTransport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(function)


def _library_of(request: object) -> Any:
    roots = (cls.__module__.partition(".")[0] for cls in type(request).__mro__)
    return sys.modules[next(root for root in roots if root in _LIBRARIES)]


def _read_timeout(request: Any) -> float | None:
    timeout: float | None = request.extensions.get("timeout", {}).get("read")
    return timeout


def _scope_of(request: Any) -> dict[str, Any]:
    """The ASGI scope of the request, the same as from uvicorn."""
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "root_path": "",
        "server": (url.host, url.port),
        "client": _CLIENT,
    }


def _checked(event: Event, library: Any, request: Any) -> Event:
    """The event; raises the library's error for one that ends a response before its time."""
    if event == "reset":
        raise library.ReadError("the connection was reset", request=request)
    if event == "cut":
        raise library.RemoteProtocolError(
            "the server closed the connection before the end of its response", request=request
        )
    if event == "stall":
        raise library.ReadTimeout("timed out", request=request)
    return event


def _response(library: Any, head: Event, body: Any) -> Any:
    assert isinstance(head, Head)  # an application that sends a body first is not ASGI
    return library.Response(head.status, headers=head.headers, stream=body, extensions={"http_version": b"HTTP/1.1"})


def _body(library: Any, receive: Callable[[], Event], leave: Callable[[], None]) -> Any:
    # The clients require a subclass of their own library's class, and only the request shows which library it is.
    class Body(library.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            while isinstance(piece := receive(), bytes):
                yield piece

        def close(self) -> None:
            leave()

    return Body()


def _async_body(library: Any, receive: Callable[[], Awaitable[Event]], leave: Callable[[], None]) -> Any:
    class AsyncBody(library.AsyncByteStream):  # type: ignore[misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while isinstance(piece := await receive(), bytes):
                yield piece

        async def aclose(self) -> None:
            leave()

    return AsyncBody()
