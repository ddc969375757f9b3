"""What an answer can do to the connection it goes out on, beyond ASGI: the server and the transports both offer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.types import Scope

_DROP = "runoutcome.drop"
_STALL = "runoutcome.stall"


def offers(drop: Callable[[], None], stall: Callable[[], None] | None = None) -> dict[str, Any]:
    """The state of a request that lets its answer reset the connection, and say that nothing more will come."""
    return {_DROP: drop, _STALL: stall}


def drop_connection(scope: Scope) -> None:
    """Reset the connection that a request came on."""
    scope["state"][_DROP]()


def stall_connection(scope: Scope) -> None:
    """Say that nothing more will come; a client that would wait for it in virtual time need not."""
    if stall := scope["state"].get(_STALL):
        stall()
