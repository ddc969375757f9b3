"""The part of a request or an answer that a recording may hold: no keys, and no prompts and outputs unless asked for.

Lists say what is kept. A name that is on none of them is blanked, so that a new field is no leak. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ._headers import Headers

REMOVED = "[removed]"

_HEADERS = frozenset(
    {
        *("accept", "content-type", "date", "idempotency-key", "retry-after", "retry-after-ms", "server", "user-agent"),
        *("x-request-id", "x-should-retry", "openai-processing-ms", "openai-poll-after-ms", "openai-version"),
        *("apim-request-id", "cf-ray", "x-ms-region"),
    }
)
_HEADER_PREFIXES = ("x-ratelimit-", "x-stainless-", "x-runoutcome-")
_QUERY = frozenset(
    {"after", "api-version", "before", "include", "include[]", "limit", "order", "starting_after", "stream"}
)
_ERRORS = frozenset({"error", "last_error", "incomplete_details", "outcome"})
_ERROR_EVENT = frozenset({"code", "message", "param"})
_KEPT = frozenset(
    {
        *("id", "object", "type", "status", "role", "model", "phase", "finish_reason", "service_tier", "truncation"),
        *("background", "store", "stream", "call_id", "item_id", "response_id", "previous_response_id", "effort"),
        *("created", "created_at", "started_at", "completed_at", "failed_at", "cancelled_at", "expires_at"),
        *("sequence_number", "output_index", "content_index", "summary_index", "annotation_index", "index"),
        *("max_output_tokens", "max_tool_calls", "temperature", "top_p", "top_logprobs"),
        *("first_id", "last_id", "tool_choice", "verbosity", "deleted"),
    }
)
_FREE = frozenset(
    {
        *("arguments", "attributes", "env", "filters", "headers", "json_schema", "parameters", "properties"),
        *("schema", "variables"),
    }
)
"""Objects whose names are a user's own."""
_SECRET = re.compile(r"authorization|api.?key|cookie|credential|passw|secret|token$", re.IGNORECASE)
_SECRET_NAME = re.compile(rf"(?!idempotency-key$).*({_SECRET.pattern}|key$)", re.IGNORECASE)
_KEY = re.compile(r"\bsk-[\w-]{16,}")
_SHORTEST_SECRET = 8


def recorded_headers(headers: Headers) -> list[list[str]]:
    """The headers of a recording: those that are known to be no key, cookie or account."""
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
    return [[name, value] for name, value in pairs if name in _HEADERS or name.startswith(_HEADER_PREFIXES)]


def recorded_query(query: bytes) -> str:
    """The query of a recording, with the values of its known parameters."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return urlencode([(name, value if name in _QUERY else "") for name, value in pairs])


def secrets_of(headers: Headers, query: bytes) -> list[str]:
    """The keys and cookies of a request, which must not stand anywhere in a recording."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    pairs += parse_qsl(query.decode("latin-1"))
    values = [value for name, value in pairs if _SECRET_NAME.match(name)]
    words = [word for value in values for word in (value, value.partition(" ")[2])]
    return sorted({word for word in words if len(word) >= _SHORTEST_SECRET}, key=len, reverse=True)


def without_secrets(line: str, secrets: Sequence[str]) -> str:
    """A line of JSON in which no key is left."""
    for secret in secrets:
        line = line.replace(json.dumps(secret)[1:-1], REMOVED)
    return _KEY.sub(REMOVED, line)


def without_keys(value: Any) -> Any:
    """A document with its contents, but without members that hold a key, such as `authorization` of a tool."""
    if isinstance(value, Mapping):
        return {
            name: REMOVED if _SECRET.search(name) or name == "headers" else without_keys(part)
            for name, part in value.items()
        }
    return [without_keys(part) for part in value] if isinstance(value, list) else value


def blanked(document: Any) -> Any:
    """A document without prompts and outputs: texts are empty and numbers 0, but for names that are known.

    The error of a run stays as it is, with its message.
    """
    is_error = isinstance(document, Mapping) and document.get("type") == "error"
    return _blanked(document, (), _KEPT | _ERROR_EVENT if is_error else _KEPT)


def _blanked(value: Any, path: tuple[str, ...], kept: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _empty(part) if name in _FREE else _blanked(part, (*path, name), kept if not path else _KEPT)
            for name, part in value.items()
        }
    if isinstance(value, list):
        parts = [_blanked(part, path, kept) for part in value]
        return parts if any(isinstance(part, (Mapping, list)) for part in parts) or _is_kept(path, kept) else []
    return value if _is_kept(path, kept) else _empty(value)


def _is_kept(path: tuple[str, ...], kept: frozenset[str]) -> bool:
    inside = path[1:] if path[:1] == ("response",) else path
    if not inside:
        return False
    if inside[0] in _ERRORS or inside[0] == "usage":
        return True
    return inside[-1].startswith("runoutcome_") if "metadata" in inside[:-1] else inside[-1] in kept


def _empty(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else type(value)()
