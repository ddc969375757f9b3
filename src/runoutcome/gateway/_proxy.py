"""`Proxy`: an ASGI application that passes requests on to an upstream, and its answers back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from .._sdk.upstream import Upstream
from ._headers import end_to_end, has_body, upstream_headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Proxy:
    """Passes each request on as it is, with its body as it comes, and the answer in the same way.

    If the client leaves, the request to the upstream ends. Raises UpstreamError where no whole answer came.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle an http scope."""
        upload = _Upload(receive)
        exchange = asyncio.ensure_future(self._exchange(scope, upload, send))
        departure = asyncio.ensure_future(upload.departure())
        try:
            await asyncio.wait({exchange, departure}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            departure.cancel()
            if not exchange.done():
                exchange.cancel()
            await asyncio.wait({exchange, departure})
        if not exchange.cancelled() and (error := exchange.exception()) and not isinstance(error, _ClientLeftError):
            raise error

    async def _exchange(self, scope: Message, upload: _Upload, send: Send) -> None:
        headers = scope["headers"]
        body = upload.chunks() if has_body(headers) else None
        if body is None:
            upload.whole.set()
        target = self.target(scope["raw_path"], scope["query_string"])
        answer = await self._upstream.send(scope["method"], target, upstream_headers(headers), body)
        async with aclosing(answer):
            start = {"type": "http.response.start", "status": answer.status}
            await send({**start, "headers": end_to_end(answer.headers)})
            async for chunk in answer.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def target(self, path: bytes, query: bytes) -> bytes:
        """The path and query at the upstream: a path without the prefix of its base URL gets it."""
        prefix = self._upstream.prefix
        inside = path == prefix or path.startswith(prefix + b"/")
        return (path if inside else prefix + path) + (b"?" + query if query else b"")


class _ClientLeftError(Exception):
    """The client left before the end of its request."""


class _Upload:
    """The body of a request, and the departure of its client."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.whole = asyncio.Event()
        """Set once the whole body has come, or there is none."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises _ClientLeftError."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeftError
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                yield body
        self.whole.set()

    async def departure(self) -> None:
        """Return when the client has left."""
        await self.whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
