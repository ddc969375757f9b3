"""Serves an inbox of webhooks: an ASGI application without dependencies, and its route for Starlette and FastAPI.

    app = Starlette(routes=[webhook_route("/webhooks/openai", inbox)])

The answer is sent before the webhook is delivered, so that no work of the receiver makes the sender wait.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..webhooks import Inbox, Receipt, WebhookError

if TYPE_CHECKING:
    from starlette.routing import Route


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
MAX_BODY_BYTES = 1_000_000
"""Limit of a body; webhooks have less than a thousand bytes."""


class WebhookApp:
    """An ASGI application that accepts webhooks, at any path.

    | answer | for |
    |---|---|
    | 204 | a notice of a run |
    | 200 | another event, or a copy of a webhook that came before |
    | 400 | a request that cannot be verified or read; the text says why |
    | 405, 413 | another method than POST; a body of more than `max_body_bytes` |

    Errors of the inbox's store of ids are raised before an answer, so that the server answers 500 and the webhook is
    sent again; errors of its `on_notice` are raised after the answer.
    """

    __module__ = "runoutcome.asgi"

    def __init__(self, inbox: Inbox, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._inbox = inbox
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle a scope of ASGI. Raises TypeError for a scope of an unknown type."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "lifespan":
                await _lifespan(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000})
            case other:
                raise TypeError(f"WebhookApp answers HTTP requests; it was given a scope of the type {other!r}")

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            return await _send(send, 405, "webhooks are sent by POST", (b"allow", b"POST"))
        limit, length = self._max_body_bytes, _content_length(scope)
        body = b"" if length > limit else await _read(receive, limit)
        if body is None:
            return None  # the sender has gone, and will try again
        if max(len(body), length) > limit:
            return await _send(send, 413, f"a webhook has at most {limit} bytes")
        try:
            receipt = self._inbox.accept(body, scope["headers"])
        except WebhookError as error:
            return await _send(send, 400, str(error))
        return await self._acknowledge(receipt, send)

    async def _acknowledge(self, receipt: Receipt, send: Send) -> None:
        try:
            with suppress(OSError):  # the sender has gone; the copy it will send is a duplicate
                if not receipt.is_new:
                    await _send(send, 200, "received before")
                elif not receipt.notice.is_run:
                    await _send(send, 200, "not about a run")
                else:
                    await _send(send, 204)
        finally:
            if receipt.is_new:
                await self._inbox.deliver_async(receipt.notice)


def webhook_route(path: str, inbox: Inbox, *, max_body_bytes: int = MAX_BODY_BYTES) -> Route:
    """Return a Starlette route that accepts webhooks at `path`; see `WebhookApp`. Raises ImportError without Starlette.

    For FastAPI: `app.router.routes.append(webhook_route(path, inbox))`. A mounted `WebhookApp` has a path with a slash
    at its end; without the slash Starlette redirects, and no sender of webhooks follows.
    """
    try:
        from starlette.routing import Route
    except ModuleNotFoundError as error:
        raise ImportError("webhook_route needs starlette; WebhookApp(inbox) is for any other ASGI server") from error
    return Route(path, WebhookApp(inbox, max_body_bytes=max_body_bytes))


webhook_route.__module__ = "runoutcome.asgi"


def _content_length(scope: Message) -> int:
    """Return the length of the body by its header; 0 if there is none."""
    value = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    return int(value) if re.fullmatch(rb"\d{1,20}", value) else 0


async def _read(receive: Receive, limit: int) -> bytes | None:
    """Return the body, or a part of it longer than `limit`; None if the sender disconnected before its end."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > limit or not message.get("more_body", False):
            return body


async def _send(send: Send, status: int, text: str = "", *headers: tuple[bytes, bytes]) -> None:
    body = text.encode()
    if status != 204:
        headers += ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
