"""Where a result becomes an HTTP answer: good bodies, the API's error envelope, and every fault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import HTMLResponse, JSONResponse, Response

from .._errors import ApiError
from .._scenario.fault import Fault
from .._state.request import JsonObject
from .faulty_responses import DroppedConnection, RedirectToItself, SlowAnswer, StalledAnswer, TornAnswer

_JSON = "application/json"
_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>proxy</body></html>"
_ERROR_TYPES: Mapping[int, str] = MappingProxyType(
    {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
)


def answer(body: JsonObject, fault: Fault | None = None) -> Response:
    """The answer that carries `body`, or what the fault makes of it; a fault of streams leaves it as it is."""
    if fault is None or fault.is_of_a_stream:
        return JSONResponse(body)
    if fault.shape == "reset":
        return DroppedConnection(fault.stall_seconds)
    if fault.shape == "stall":
        return StalledAnswer()
    response = _spoilt(body, fault)
    if fault.retry_after is not None:
        response.headers["retry-after"] = f"{fault.retry_after:g}"
    if fault.retry_after_ms is not None:
        response.headers["retry-after-ms"] = str(fault.retry_after_ms)
    response.headers.update(fault.headers)
    if fault.stall_seconds or fault.drip_seconds:
        return SlowAnswer(response, fault.stall_seconds, fault.drip_seconds)
    return response


def refusal(error: ApiError) -> Response:
    """The API's error envelope."""
    return JSONResponse(error.body, error.status)


def _spoilt(body: JsonObject, fault: Fault) -> Response:
    text = json.dumps(body)
    if fault.shape == "envelope":
        return _envelope_of(fault)
    if fault.shape == "html":
        title = "Please wait" if fault.status == 200 else f"{fault.status} error at the gateway"
        return HTMLResponse(_PAGE.format(title), fault.status)
    if fault.shape == "redirect":
        return RedirectToItself(fault.status)
    if fault.shape == "torn":
        return TornAnswer(text, media_type=_JSON)
    if fault.shape == "text-plain":
        return Response(text, media_type="text/plain")
    if fault.shape == "octet-stream":
        return Response(text, media_type="application/octet-stream")
    if fault.shape == "bad-gzip":
        return Response(text, headers={"content-encoding": "gzip"}, media_type=_JSON)
    return Response({"cut": text[:-20], "empty": "", "object": "{}"}.get(fault.shape, text), media_type=_JSON)


def _envelope_of(fault: Fault) -> Response:
    kind = _ERROR_TYPES.get(fault.status, "server_error" if fault.status >= 500 else "invalid_request_error")
    code = fault.code or ("rate_limit_exceeded" if fault.status == 429 else None)
    message = fault.message or f"Emulated fault: the server answers {fault.status}."
    return refusal(ApiError(fault.status, message, type=kind, code=code))
