"""`Exchange`: one request to an ASGI application without a socket, and its response piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.types import ASGIApp, Message

from .._api.connection import connection_state


@dataclass(frozen=True)
class Head:
    """Status and headers, the first event of a response."""

    status: int
    headers: list[tuple[bytes, bytes]]


Ending = Literal["done", "cut", "reset", "stall"]
"""`cut`: the application returned before its response was complete; `stall`: nothing more will come, and no end."""
Event = Head | bytes | Ending


class Exchange:
    """Carries one request to `app`, and calls `deliver` with each event: a head, pieces of the body, an ending.

    Everything but the constructor runs in the thread of the event loop, `deliver` too.
    """

    def __init__(self, app: ASGIApp, request: dict[str, Any], body: bytes, deliver: Callable[[Event], None]) -> None:
        self._app = app
        state = connection_state(drop=lambda: self._end("reset"), stall=lambda: deliver("stall"))
        self._scope = {**request, "state": state}
        self._body: bytes | None = body
        self._deliver = deliver
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Let the application respond."""
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - a server lives on, and reports it
            context = {"message": "the emulator failed to answer a request", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
        finally:
            self._end("cut")

    def leave(self) -> None:
        """Tell the application that the client has left, and deliver no more."""
        self._over.set()

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._over.is_set():
            return
        if message["type"] == "http.response.start":
            self._deliver(Head(message["status"], list(message.get("headers", ()))))
            return
        if body := message.get("body", b""):
            self._deliver(bytes(body))
        if not message.get("more_body", False):
            self._end("done")

    def _end(self, ending: Ending) -> None:
        if not self._over.is_set():
            self._over.set()
            self._deliver(ending)
