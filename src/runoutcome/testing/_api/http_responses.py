"""HTTP responses: good bodies, the API's error envelope, and every fault."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from .._errors import ApiError
from .._scenario.fault import Fault
from .._state.request import JsonObject
from .connection import drop_connection, stall_connection

# Pieces of a body that drips; more would only keep the machine busy.
_PIECES_PER_SECOND = 100
READING_SECONDS = 0.01
"""Time for the client to read before a reset, which overtakes bytes that are not read yet."""
_JSON = "application/json"
_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>proxy</body></html>"
_ERROR_TYPES: Mapping[int, str] = MappingProxyType(
    {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
)


def body_response(body: JsonObject, fault: Fault | None = None) -> Response:
    """The response with this body, or what the fault makes of it; a fault of streams has no effect."""
    if fault is None or fault.is_of_a_stream:
        return JSONResponse(body)
    if fault.shape == "reset":
        return DroppedConnection(fault.stall_seconds)
    if fault.shape == "stall":
        return StalledResponse()
    response = _faulty(body, fault)
    if fault.retry_after is not None:
        response.headers["retry-after"] = f"{fault.retry_after:g}"
    if fault.retry_after_ms is not None:
        response.headers["retry-after-ms"] = str(fault.retry_after_ms)
    response.headers.update(fault.headers)
    if fault.stall_seconds or fault.drip_seconds:
        return _SlowResponse(response, fault.stall_seconds, fault.drip_seconds)
    return response


def error_response(error: ApiError) -> Response:
    """The API's error envelope."""
    return JSONResponse(error.body, error.status)


def _faulty(body: JsonObject, fault: Fault) -> Response:
    text, shape = json.dumps(body), fault.shape
    if shape == "envelope":
        kind = _ERROR_TYPES.get(fault.status, "server_error" if fault.status >= 500 else "invalid_request_error")
        code = fault.code or ("rate_limit_exceeded" if fault.status == 429 else None)
        message = fault.message or f"Emulated fault: the server answers {fault.status}."
        return error_response(ApiError(fault.status, message, type=kind, code=code))
    if shape == "html":
        title = "Please wait" if fault.status == 200 else f"{fault.status} error at the gateway"
        return HTMLResponse(_PAGE.format(title), fault.status)
    if shape == "redirect":
        return _SelfRedirect("", fault.status)
    if shape == "torn":
        return _TornResponse(text, media_type=_JSON)
    if shape == "bad-gzip":
        return Response(text, headers={"content-encoding": "gzip"}, media_type=_JSON)
    media_type = {"text-plain": "text/plain", "octet-stream": "application/octet-stream"}.get(shape, _JSON)
    return Response({"cut": text[:-20], "empty": "", "object": "{}"}.get(shape, text), media_type=media_type)


class DroppedConnection(Response):
    """No response: the connection is reset after `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await reset(scope, receive, self._seconds)


class StalledResponse(Response):
    """No response: the client waits for as long as it likes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stall_connection(scope)
        await client_left(receive)


class _TornResponse(Response):
    """Half a response: the connection is reset within the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self.body)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await reset(scope, receive, READING_SECONDS)


class _SelfRedirect(RedirectResponse):
    """A redirect to the URL of the request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        self.headers["location"] = scope["path"] + (f"?{query}" if query else "")
        await super().__call__(scope, receive, send)


class _SlowResponse(Response):
    """A response that starts after `stall_seconds`, and whose body, if whole, takes `drip_seconds`, byte by byte."""

    def __init__(self, response: Response, stall_seconds: float, drip_seconds: float) -> None:
        super().__init__(status_code=response.status_code)
        self.body, self.raw_headers = response.body, response.raw_headers
        self._response = response
        self._stall_seconds = stall_seconds
        self._drip_seconds = drip_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if await client_leaves(receive, self._stall_seconds):
            return
        if not self._drip_seconds or isinstance(self._response, (_TornResponse, _SelfRedirect)):
            await self._response(scope, receive, send)
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
    """Wait for so long, or until the client has left: True if it has. The pause also ends when the emulator stops."""
    if seconds <= 0:
        return False
    try:
        await asyncio.wait_for(client_left(receive), seconds)
    except asyncio.TimeoutError:
        return False
    return True


async def client_left(receive: Receive) -> None:
    """Wait until the client has left, or the emulator stops."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def reset(scope: Scope, receive: Receive, seconds: float) -> None:
    """Reset the connection after some seconds, unless the client leaves before."""
    if not await client_leaves(receive, seconds):
        drop_connection(scope)
        await client_left(receive)  # a response that ends sooner is an error for the server
