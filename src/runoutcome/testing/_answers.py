"""Where a result becomes an HTTP answer: good bodies, the API's error envelope, and every fault."""

from __future__ import annotations

import json

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ._errors import ApiError
from ._fault import Fault
from ._request import JsonObject
from ._uvicorn import drop_connection

_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>proxy</body></html>"
_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class DroppedConnection(Response):
    """No answer: the connection is reset under the client."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI interface."""
        drop_connection(scope)
        await _client_is_gone(receive)


class StalledAnswer(Response):
    """No answer: the client waits for as long as it likes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI interface."""
        await _client_is_gone(receive)


def answer(body: JsonObject, fault: Fault | None = None) -> Response:
    """The answer that carries `body`, or what the fault makes of it."""
    if fault is None:
        return JSONResponse(body)
    if fault.shape == "reset":
        return DroppedConnection()
    if fault.shape == "stall":
        return StalledAnswer()
    if fault.shape == "html":
        title = "Please wait" if fault.status == 200 else f"{fault.status} error at the gateway"
        return HTMLResponse(_PAGE.format(title), fault.status)
    if fault.shape == "envelope":
        return _envelope_of(fault)
    text = {"cut": json.dumps(body)[:-20], "empty": "", "object": "{}"}[fault.shape]
    return Response(text, media_type="application/json")


def refusal(error: ApiError) -> Response:
    """The API's error envelope."""
    return JSONResponse(error.body, error.status)


def _envelope_of(fault: Fault) -> Response:
    kind = _ERROR_TYPES.get(fault.status, "server_error" if fault.status >= 500 else "invalid_request_error")
    code = fault.code or ("rate_limit_exceeded" if fault.status == 429 else None)
    message = fault.message or f"Emulated fault: the server answers {fault.status}."
    response = refusal(ApiError(fault.status, message, type=kind, code=code))
    if fault.retry_after is not None:
        response.headers["retry-after"] = f"{fault.retry_after:g}"
    return response


async def _client_is_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
