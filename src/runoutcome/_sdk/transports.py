"""How polls travel: through the user's client, or beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from . import Answer, AsyncOpenAI, OpenAI
from .client_transport import AsyncClientTransport, ClientTransport
from .fast_transport import AsyncFastTransport, FastTransport
from .http_connections import check_loop

Transport = Literal["client", "fast"]
Fetch = Callable[[str, float | None], Answer]
"""One poll request: a response id, and how many seconds it may take."""
AsyncFetch = Callable[[str, float | None], Awaitable[Answer]]


def connect(client: OpenAI, transport: Transport, max_connections: int) -> Fetch:
    """What makes the polls of a `Runs`. Raises what it says of `transport`."""
    if transport == "client":
        return ClientTransport(client).fetch
    _check(transport)
    return FastTransport(client, max_connections).fetch


def connect_async(client: AsyncOpenAI, transport: Transport, max_connections: int) -> AsyncFetch:
    """The async twin of `connect`."""
    if transport == "client":
        return AsyncClientTransport(client).fetch
    _check(transport)
    return AsyncFastTransport(client, max_connections).fetch


def readiness(transport: Transport) -> Callable[[], None]:
    """A function that raises RuntimeError in a loop where no poll could be made."""
    return check_loop if transport == "fast" else lambda: None


def _check(transport: str) -> None:
    if transport != "fast":
        raise ValueError(f"transport is 'client' or 'fast'; got {transport!r}")
