"""`EmulatorTransport`, `AsyncEmulatorTransport`: the emulator under an HTTP client, without a socket.

For `httpx` and `httpx2` alike: which one it is, each request says. Neither is imported here.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from starlette.types import ASGIApp

from .exchange import Event, Exchange, Head
from .loop_thread import LoopThread

_LIBRARIES = ("httpx", "httpx2")
_CLIENT = ("127.0.0.1", 0)


class _Transport:
    """What the two colours share: requests are answered in the emulator's thread, which this holds while it is open."""

    def __init__(self, app: ASGIApp, thread: LoopThread, *, waits: bool) -> None:
        self._app = app
        self._thread = thread
        self._waits = waits
        self._holder = object()
        # For clients that nobody closes.
        weakref.finalize(self, thread.forget, self._holder)

    def _begin(self, request: Any, body: bytes, deliver: Callable[[Event], None]) -> Callable[[], None]:
        """Send a request; the result is what to call when its client wants no more of the answer."""
        loop = self._thread.hold(self._holder)
        exchange = Exchange(self._app, _scope_of(request), body, deliver)
        asyncio.run_coroutine_threadsafe(exchange.run(), loop)

        def leave() -> None:
            _call_in(loop, exchange.leave)

        return leave

    def _release(self) -> None:
        self._thread.release(self._holder)


class EmulatorTransport(_Transport):
    """A transport for `httpx.Client` and `httpx2.Client`; closing the client closes it.

    Faults come as the errors of the client's own library: a reset is its ReadError, an answer that ends too early its
    RemoteProtocolError, a stall its ReadTimeout - after the read timeout of the request, or at once where the time of
    the emulator is moved by hand.
    """

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
                    event = "stall"
                else:
                    if event == "stall" and self._waits:
                        continue
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncEmulatorTransport(_Transport):
    """The same for `httpx.AsyncClient` and `httpx2.AsyncClient` under asyncio."""

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
                    event = "stall"
                else:
                    if event == "stall" and self._waits:
                        continue
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

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _call_in(loop: asyncio.AbstractEventLoop, tell: Callable[[], None]) -> None:
    # A loop that is closed has nobody left to tell.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(tell)


def _library_of(request: object) -> Any:
    roots = (cls.__module__.partition(".")[0] for cls in type(request).__mro__)
    return sys.modules[next(root for root in roots if root in _LIBRARIES)]


def _read_timeout(request: Any) -> float | None:
    timeouts: Mapping[str, float | None] = request.extensions.get("timeout", {})
    return timeouts.get("read")


def _scope_of(request: Any) -> dict[str, Any]:
    """The request as ASGI has it, the same as from uvicorn."""
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
    """The event, unless it is one that ends an answer before its time. Raises what a socket would."""
    if event == "reset":
        raise library.ReadError("the connection was reset", request=request)
    if event == "cut":
        raise library.RemoteProtocolError("the server closed the connection within its answer", request=request)
    if event == "stall":
        raise library.ReadTimeout("timed out", request=request)
    return event


def _response(library: Any, head: Event, body: Any) -> Any:
    assert isinstance(head, Head)  # an application that sends a body first is not ASGI
    return library.Response(head.status, headers=head.headers, stream=body, extensions={"http_version": b"HTTP/1.1"})


def _body(library: Any, receive: Callable[[], Event], leave: Callable[[], None]) -> Any:
    # The clients insist on a subclass of their own library's class, and which library it is shows only here.
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
