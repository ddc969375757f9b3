"""`serve`: a gateway on a port, until a signal stops it."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn

from .._host_check import is_loopback
from ._errors import GatewayError
from ._gateway import Gateway

_GRACE_SECONDS = 10
_IDLE_SECONDS = 75
"""An idle connection is kept longer than clients keep theirs, so that no request meets one that is being closed."""


def serve(
    gateway: Gateway, *, host: str = "127.0.0.1", port: int = 0, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve a gateway until SIGINT or SIGTERM; only in the main thread.

    `on_ready` gets the base URL for clients once the gateway answers. Requests on their way have 10 s to end; a second
    Ctrl-C cuts them. Raises GatewayError for a port that is taken.
    """
    try:
        with bound_socket(host, port) as listener, _calm_signals():
            bound_port = listener.getsockname()[1]
            if (is_loopback(gateway.upstream_address[0]), gateway.upstream_address[1]) == (True, bound_port):
                raise GatewayError(f"the upstream {gateway.upstream} is the gateway itself")
            base_url = f"http://{_shown(host)}:{bound_port}{gateway.base_path}"
            server_of(gateway, lambda: on_ready and on_ready(base_url)).run(sockets=[listener])
    finally:
        gateway.close_recording()


serve.__module__ = "runoutcome.gateway"


def server_of(gateway: Gateway, on_ready: Callable[[], object]) -> uvicorn.Server:
    """A server that adds no header and logs no request."""
    return _Server(
        uvicorn.Config(
            gateway,
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ),
        on_ready,
    )


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket on an address of this machine. Raises GatewayError."""
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With the protocol named, asyncio sets TCP_NODELAY; without it each answer takes 40 ms.
        listener = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except (OSError, OverflowError) as error:
        if listener is not None:
            listener.close()
        raise GatewayError(
            f"port {port} on {host} cannot be used ({error}); choose another, or 0 for any free one"
        ) from None
    return listener


def _shown(host: str) -> str:
    """The host in a URL for clients on this machine: of all its addresses, the one that they are answered on."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is up."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_ready()


@contextmanager
def _calm_signals() -> Generator[None, None, None]:
    """Signals end the server and nothing else: uvicorn raises them again after its end."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, frame: None) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
