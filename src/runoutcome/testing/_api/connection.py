"""Control of the connection that a response goes out on, beyond ASGI: offered by the server and by the transports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.types import Scope

_DROP = "runoutcome.drop"
_STALL = "runoutcome.stall"


def connection_state(drop: Callable[[], None], stall: Callable[[], None] | None = None) -> dict[str, Any]:
    """The state of a request whose response may reset the connection, or say that nothing more will come."""
    return {_DROP: drop, _STALL: stall}


def drop_connection(scope: Scope) -> None:
    """Reset the connection of a request."""
    scope["state"][_DROP]()


def stall_connection(scope: Scope) -> None:
    """Say that nothing more will come; a client in virtual time need not wait for it."""
    if stall := scope["state"].get(_STALL):
        stall()
