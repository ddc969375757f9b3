"""uvicorn, with a protocol that lets an answer drop its connection and a server that comes and goes at once."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .._api.connection import connection_state

_TICK_SECONDS = 0.1  # uvicorn's own
_GRACE_SECONDS = 1.0
_ACCEPT_TURNS = 3
"""How many turns of its loop asyncio takes from accepting a connection to `connection_made`."""
# Linger switched on, for 0 seconds: the kernel sends a reset. Windows has shorter fields.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class DroppableProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; each request's state carries the means to reset its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Part of the asyncio interface."""
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


class LoopbackServer(uvicorn.Server):
    """A uvicorn server that says when it is up, and waits for nobody when it goes down."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        """Set once it is known whether the server runs (`started`) or not (`failure`)."""
        self.failure: BaseException | None = None
        self._told_to_exit = asyncio.Event()

    async def serve_on(self, listener: socket.socket) -> None:
        """Serve until `exit` is called."""
        try:
            await self.serve(sockets=[listener])
        except BaseException as error:  # noqa: BLE001 - told to whoever asked for the server
            self.failure = error
        finally:
            listener.close()
            self.settled.set()

    def exit(self) -> None:
        """Make `serve_on` return; called in its loop."""
        self.should_exit = True
        self._told_to_exit.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Part of uvicorn's interface."""
        await super().startup(sockets=sockets)
        self.settled.set()

    async def main_loop(self) -> None:
        """Part of uvicorn's interface; the tick keeps the date in the headers."""
        tick = 0
        while not await self.on_tick(tick):
            tick += 1
            try:
                await asyncio.wait_for(self._told_to_exit.wait(), _TICK_SECONDS)
            except asyncio.TimeoutError:
                continue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Part of uvicorn's interface."""
        await self._accept_no_more()
        for server in self.servers:
            server.close()
        # A stalled request would hold it up for as long as its client waits.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # Each is told that its client is gone.
        if tasks := set(self.server_state.tasks):
            await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
        await self.lifespan.shutdown()

    async def _accept_no_more(self) -> None:
        # A connection that is being accepted while its server is closed is never closed itself: asyncio's transport
        # fails to attach to the server, and drops the socket (seen on CPython 3.10, 3.11 and 3.13).
        loop = asyncio.get_running_loop()
        for listener in (listener for server in self.servers for listener in server.sockets):
            with suppress(NotImplementedError):  # the proactor loop of Windows has no readers
                loop.remove_reader(listener)
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
