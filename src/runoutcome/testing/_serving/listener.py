"""`Listening`: the application on a loopback socket, for as long as it is wanted."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import TimeoutError as WaitedTooLong

import uvicorn
from starlette.types import ASGIApp

from .._errors import EmulatorError
from .loop_thread import LoopThread
from .uvicorn_server import DroppableProtocol, LoopbackServer

HOST = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0


class Listening:
    """Listens from the moment it is made; requests are answered then. Raises EmulatorError if the port is taken."""

    def __init__(self, app: ASGIApp, port: int, thread: LoopThread) -> None:
        listener = _listen(port)
        self.port: int = listener.getsockname()[1]
        """The port, also where any free one was asked for."""
        config = uvicorn.Config(app, http=DroppableProtocol, ws="none", lifespan="off", log_config=None)
        self._thread = thread
        self._server = LoopbackServer(config)
        self._loop = thread.hold(self)
        self._served = asyncio.run_coroutine_threadsafe(self._server.serve_on(listener), self._loop)
        if not self._server.settled.wait(_START_SECONDS) or not self._server.started:
            thread.release(self)
            raise EmulatorError(f"the emulator did not start on {HOST}:{self.port}") from self._server.failure

    def stop(self) -> None:
        """Close every connection and the port. Raises EmulatorError if that does not come to an end."""
        self._loop.call_soon_threadsafe(self._server.exit)
        try:
            self._served.result(_STOP_SECONDS)
        except WaitedTooLong:
            raise EmulatorError(f"the emulator did not stop within {_STOP_SECONDS:g} s") from None
        self._thread.release(self)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise EmulatorError(
            f"port {port} on {HOST} cannot be used ({error}); choose another, or 0 for any free one"
        ) from error
