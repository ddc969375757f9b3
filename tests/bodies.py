"""One row of the catalog, made into what a server would send, and that body in everything that can carry it.

Imported by tests as `bodies`, also in the child processes of a pool: so it imports no test tool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseQueuedEvent,
)

from runoutcome import Catalog, Entry
from runoutcome._sdk.responses import native_http_library

ROWS: tuple[Entry, ...] = tuple(
    entry for entry in Catalog.load().entries if entry.surface == "response" and entry.field != "output"
)
"""Every row that a run's body can meet; those about the output are words for a completed run."""

UNKNOWN_WORD = "a_word_nobody_knows"
RESPONSE_ID = "resp_68b4e2"
REQUEST_ID = "req_c0ffee"
URL = f"https://api.example.test/v1/responses/{RESPONSE_ID}"
EXTRAS: dict[str, Any] = {
    "object": "response",
    "id": RESPONSE_ID,
    "created_at": 1_760_000_000,
    "model": "gpt-5.5",
    "background": True,
    "usage": {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 18,
    },
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "incomplete",
            "content": [{"type": "output_text", "text": "half an answer", "annotations": []}],
        }
    ],
}
_EVENTS: dict[str, Any] = {
    "completed": ResponseCompletedEvent,
    "incomplete": ResponseIncompleteEvent,
    "queued": ResponseQueuedEvent,
    "in_progress": ResponseInProgressEvent,
}


def body_of(entry: Entry, **changes: Any) -> dict[str, Any]:
    """A run's body, as the API sends it, that the row `entry` is about; `changes` replace fields of it."""
    word = {"literal": entry.value, "null": None, "unknown": UNKNOWN_WORD, "http_status": 503}[entry.match]
    if entry.field == "status":
        fields: dict[str, Any] = {"status": word}
    elif entry.field == "incomplete_details.reason":
        fields = {"status": "incomplete", "incomplete_details": {"reason": word}}
    elif entry.field == "error":
        fields = {"status": "failed", "error": None}
    else:
        fields = {"status": "failed", "error": {"code": word, "message": "Something went wrong.", "param": None}}
    return {**EXTRAS, "error": None, "incomplete_details": None, **fields, **changes}


def deciding_row(entry: Entry) -> str:
    """The id of the row that decides about `body_of(entry)`.

    A status that needs another field is decided by that field, which is null in the body of such a row.
    """
    return {
        "response/status/failed": "response/error/<null>",
        "response/status/incomplete": "response/incomplete_details.reason/<null>",
    }.get(entry.id, entry.id)


def sdk_model(body: dict[str, Any]) -> Response:
    """The SDK's model of `body`, built as the SDK builds it: nothing is validated."""
    return Response.construct(**body)


def event(body: dict[str, Any]) -> dict[str, Any]:
    """The stream event that brings `body`; a status without an event of its own comes in `response.failed`."""
    status = body["status"]
    kind = f"response.{status if status in _EVENTS else 'failed'}"
    return {"type": kind, "sequence_number": 9, "response": body}


def event_model(body: dict[str, Any]) -> Any:
    """The SDK's model of that event."""
    return _EVENTS.get(body["status"], ResponseFailedEvent).construct(**event(body))


def http_response(body: dict[str, Any]) -> Any:
    """The raw answer to a poll, of the HTTP library of the installed SDK."""
    library = native_http_library()
    headers = {"content-type": "application/json", "x-request-id": REQUEST_ID}
    return library.Response(
        200, headers=headers, content=json.dumps(body).encode(), request=library.Request("GET", URL)
    )


CARRIERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dict": dict,
    "sdk_model": sdk_model,
    "json_str": json.dumps,
    "json_bytes": lambda body: json.dumps(body).encode(),
    "json_bytearray": lambda body: bytearray(json.dumps(body).encode()),
    "json_memoryview": lambda body: memoryview(json.dumps(body).encode()),
    "event_dict": event,
    "event_model": event_model,
    "event_json": lambda body: json.dumps(event(body)),
    "raw_http": http_response,
}
"""Everything a body can come in; each makes its own object from a body."""


def short(value: object) -> str:
    """A readable id for a parameter of any type, the same in every process: no address of an object."""
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:40]
    except ValueError:  # an int of more than 4300 digits
        return type(value).__name__


def reraise(error: BaseException) -> None:
    """Raise `error`; for process pools, which need a function they can import."""
    raise error
