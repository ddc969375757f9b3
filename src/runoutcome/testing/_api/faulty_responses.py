"""Answers that do not come as they should: late, drop by drop, in part, from elsewhere, or not at all."""

from __future__ import annotations

import asyncio
import math

from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from .connection import drop_connection, stall_connection

# Of a body that drips; more pieces would only keep the machine busy.
_PIECES_PER_SECOND = 100
# A reset overtakes the bytes that the client has not read yet.
_READING_SECONDS = 0.01


class DroppedConnection(Response):
    """No answer: the connection is reset under the client, after `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI interface."""
        if not await client_leaves(receive, self._seconds):
            drop_connection(scope)
            await _client_is_gone(receive)


class StalledAnswer(Response):
    """No answer: the client waits for as long as it likes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI interface."""
        stall_connection(scope)
        await _client_is_gone(receive)


class TornAnswer(Response):
    """Half an answer: the connection is reset within the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI interface."""
        body = bytes(self.body)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        if not await client_leaves(receive, _READING_SECONDS):
            drop_connection(scope)
            await _client_is_gone(receive)


class RedirectToItself(RedirectResponse):
    """The client is sent to where it came from."""

    def __init__(self, status: int) -> None:
        super().__init__("", status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI interface."""
        query = scope["query_string"].decode("latin-1")
        self.headers["location"] = scope["path"] + (f"?{query}" if query else "")
        await super().__call__(scope, receive, send)


class SlowAnswer(Response):
    """An answer that starts after `stall_seconds`, and whose body, if whole, takes `drip_seconds`, byte by byte."""

    def __init__(self, answer: Response, stall_seconds: float, drip_seconds: float) -> None:
        super().__init__(status_code=answer.status_code)
        self.body, self.raw_headers = answer.body, answer.raw_headers
        self._answer = answer
        self._stall_seconds = stall_seconds
        self._drip_seconds = drip_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI interface."""
        if await client_leaves(receive, self._stall_seconds):
            return
        if not self._drip_seconds or isinstance(self._answer, (TornAnswer, RedirectToItself)):
            await self._answer(scope, receive, send)
            return
        body = bytes(self.body)
        pieces = max(1, min(len(body), math.ceil(self._drip_seconds * _PIECES_PER_SECOND)))
        size = math.ceil(len(body) / pieces)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(body), size or 1):
            if await client_leaves(receive, self._drip_seconds / pieces):
                return
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def client_leaves(receive: Receive, seconds: float) -> bool:
    """Wait for so long, or until the client is gone: True if it is. Every pause ends when the emulator stops."""
    if seconds <= 0:
        return False
    try:
        await asyncio.wait_for(_client_is_gone(receive), seconds)
    except asyncio.TimeoutError:
        return False
    return True


async def _client_is_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
