"""`Listener`: an application on a loopback socket, served by uvicorn; responses can reset their connections."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .._api.connection import connection_state
from .._errors import EmulatorError
from .loop_thread import LoopThread

HOST = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0
_TICK_SECONDS = 0.1  # uvicorn's own
_GRACE_SECONDS = 1.0
_ACCEPT_TURNS = 3
"""Turns of its loop that asyncio takes from accepting a connection to `connection_made`."""
# Linger switched on, for 0 seconds: the kernel sends a reset. Windows has shorter fields.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Listener:
    """Listens and serves from its construction on. Raises EmulatorError if the port is taken."""

    def __init__(self, app: ASGIApp, port: int, thread: LoopThread) -> None:
        listener = _bound_socket(port)
        self.port: int = listener.getsockname()[1]
        """The port, even if any free one was requested."""
        config = uvicorn.Config(app, http=_Protocol, ws="none", lifespan="off", log_config=None)
        self._thread = thread
        self._server = _Server(config)
        self._loop = thread.hold(self)
        self._served = asyncio.run_coroutine_threadsafe(self._server.serve_on(listener), self._loop)
        if not self._server.settled.wait(_START_SECONDS) or not self._server.started:
            thread.release(self)
            raise EmulatorError(f"the emulator did not start on {HOST}:{self.port}") from self._server.failure

    def stop(self) -> None:
        """Close every connection and the port. Raises EmulatorError if that takes too long."""
        self._loop.call_soon_threadsafe(self._server.exit)
        try:
            self._served.result(_STOP_SECONDS)
        except FutureTimeoutError:
            raise EmulatorError(f"the emulator did not stop within {_STOP_SECONDS:g} s") from None
        self._thread.release(self)


def _bound_socket(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        text = f"port {port} on {HOST} cannot be used ({error}); choose another, or 0 for any free one"
        raise EmulatorError(text) from error


class _Protocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; the state of each request can reset its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, **connection_state(drop=partial(_reset, transport))}
        # asyncio does this only for sockets made with an explicit protocol number; without it a poll takes 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # uvicorn's own switch for its access log changes a logger of the whole process.
        self.access_log = False


def _reset(transport: asyncio.Transport) -> None:
    if transport.is_closing():  # the client has left at this very moment
        return
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is up, and does not wait for clients when it goes down."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        """Set once the server runs (`started`) or has failed (`failure`)."""
        self.failure: BaseException | None = None
        self._exit_requested = asyncio.Event()

    async def serve_on(self, listener: socket.socket) -> None:
        """Serve until `exit` is called."""
        try:
            await self.serve(sockets=[listener])
        except BaseException as error:  # noqa: BLE001 - raised by the constructor of the listener
            self.failure = error
        finally:
            listener.close()
            self.settled.set()

    def exit(self) -> None:
        """Make `serve_on` return; called in its loop."""
        self.should_exit = True
        self._exit_requested.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.settled.set()

    async def main_loop(self) -> None:
        # The tick keeps the date in the headers.
        tick = 0
        while not await self.on_tick(tick):
            tick += 1
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._exit_requested.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._stop_accepting()
        for server in self.servers:
            server.close()
        # A stalled request would hold it up for as long as its client waits.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # Each task learns that its client has left.
        if tasks := set(self.server_state.tasks):
            await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
        await self.lifespan.shutdown()

    async def _stop_accepting(self) -> None:
        # A connection that is being accepted while its server is closed is never closed itself: asyncio's transport
        # fails to attach to the server, and drops the socket (seen on CPython 3.10, 3.11 and 3.13).
        loop = asyncio.get_running_loop()
        for listener in (listener for server in self.servers for listener in server.sockets):
            with suppress(NotImplementedError):  # the proactor loop of Windows has no readers
                loop.remove_reader(listener)
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
