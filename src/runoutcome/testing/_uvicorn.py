"""uvicorn, with a protocol that lets an answer drop its connection and a server that says when it is up."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_DROP = "drop"
# Linger switched on, for 0 seconds: the kernel sends a reset. Windows has shorter fields.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class DroppableProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; each request's state carries the means to reset its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Part of the asyncio interface."""
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, _DROP: partial(_reset, transport)}
        # asyncio does this only for sockets made with an explicit protocol number; without it a poll takes 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # uvicorn's own switch for its access log changes a logger of the whole process.
        self.access_log = False


def drop_connection(scope: Scope) -> None:
    """Reset the connection that a request came on."""
    cast("Callable[[], None]", scope["state"][_DROP])()


def _reset(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


class LoopbackServer(uvicorn.Server):
    """A uvicorn server that says when it is up, and does not wait for clients when it goes down."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        """Set once it is known whether the server runs (`started`) or not (`failure`)."""
        self.failure: BaseException | None = None

    def run_on(self, listener: socket.socket) -> None:
        """Serve until `should_exit` is set."""
        try:
            asyncio.run(self.serve(sockets=[listener]))
        except BaseException as error:  # noqa: BLE001 - told to whoever started the thread
            self.failure = error
        finally:
            listener.close()
            self.settled.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Part of uvicorn's interface."""
        await super().startup(sockets=sockets)
        self.settled.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Part of uvicorn's interface."""
        # A stalled request would hold it up for as long as its client waits.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets=sockets)
