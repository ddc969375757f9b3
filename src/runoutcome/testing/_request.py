"""What the API checks and reads in a create request. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

from ._errors import ApiError

JsonObject = dict[str, Any]

_MAX_PAIRS = 16
_MAX_KEY = 64
_MAX_VALUE = 512
_OWN_PREFIX = "runoutcome_"
# The parameters that the emulator itself reads; the rest is passed over.
_TYPES: Mapping[str, tuple[type, str]] = MappingProxyType(
    {
        "model": (str, "a string"),
        "background": (bool, "a boolean"),
        "store": (bool, "a boolean"),
        "stream": (bool, "a boolean"),
        "metadata": (dict, "an object"),
        "reasoning": (dict, "an object"),
        "text": (dict, "an object"),
        "tools": (list, "an array"),
    }
)


def parse_create(raw: bytes) -> JsonObject:
    """The body of a create request. Raises ApiError (400) where the API would."""
    try:
        parsed: object = json.loads(raw)
    except ValueError:
        raise ApiError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(parsed, dict):
        raise ApiError(400, "The JSON body of your request is not an object.")
    request = cast(JsonObject, parsed)
    if request.get("model") is None:
        raise ApiError(400, "Missing required parameter: 'model'.", param="model", code="missing_required_parameter")
    for param, (expected, words) in _TYPES.items():
        if not isinstance(request.get(param), (expected, type(None))):
            raise _invalid_type(param, words, request[param])
    for tool in cast("list[object]", request.get("tools") or []):
        if not isinstance(tool, dict):
            raise _invalid_type("tools", "an array of objects", tool)
    if request.get("stream"):
        raise ApiError(400, "This emulator does not stream yet.", param="stream", code="unsupported_value")
    if request.get("background") and request.get("store") is False:
        raise ApiError(400, "Background mode requires 'store' to be true.", param="store", code="invalid_value")
    _check_metadata(metadata_of(request))
    return request


def metadata_of(request: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of a checked request; empty where it has none."""
    return cast("dict[str, str]", request.get("metadata") or {})


def prompt_text(request: Mapping[str, Any]) -> str:
    """All text of the input, in order, one line per piece."""
    return "\n".join(_texts(request.get("input")))


def request_key(request: Mapping[str, Any]) -> str:
    """Equal for two submissions of the same request: its body less our own metadata, which differs per attempt."""
    metadata = {key: value for key, value in metadata_of(request).items() if not key.startswith(_OWN_PREFIX)}
    body = {**request, "metadata": metadata}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
    elif isinstance(value, dict):
        item = cast(JsonObject, value)
        yield from _texts(item.get("content"))
        yield from _texts(item.get("text"))


def _check_metadata(pairs: Mapping[str, object]) -> None:
    if len(pairs) > _MAX_PAIRS:
        raise ApiError(
            400,
            f"Invalid 'metadata': too many properties. Expected an object with at most {_MAX_PAIRS} properties, "
            f"but got an object with {len(pairs)} properties instead.",
            param="metadata",
            code="object_above_max_properties",
        )
    for key, value in pairs.items():
        if not isinstance(value, str):
            raise _invalid_type(f"metadata.{key}", "a string", value)
        _check_length(f"metadata.{key[:_MAX_KEY]}", "key", key, _MAX_KEY)
        _check_length(f"metadata.{key}", "string", value, _MAX_VALUE)


def _check_length(param: str, what: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise ApiError(
            400,
            f"Invalid '{param}': {what} too long. Expected a {what} with maximum length {limit}, "
            f"but got one with length {len(text)} instead.",
            param=param,
            code="string_above_max_length",
        )


def _invalid_type(param: str, expected: str, value: object) -> ApiError:
    return ApiError(
        400,
        f"Invalid type for '{param}': expected {expected}, but got {type(value).__name__} instead.",
        param=param,
        code="invalid_type",
    )
