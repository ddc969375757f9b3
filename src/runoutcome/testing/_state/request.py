"""Facts about a checked create request: its metadata, its text, its key. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

JsonObject = dict[str, Any]

_OWN_PREFIX = "runoutcome_"
_CHARACTERS_PER_TOKEN = 4


def metadata_of(request: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of a request; empty if it has none."""
    return cast("dict[str, str]", request.get("metadata") or {})


def prompt_text(request: Mapping[str, Any]) -> str:
    """All text of the input, in order, one line per piece."""
    return "\n".join(_texts(request.get("input")))


def token_count(text: str) -> int:
    """A rough number of tokens, at least 1."""
    return 1 + len(text) // _CHARACTERS_PER_TOKEN


def requested_tokens(request: Mapping[str, Any]) -> int:
    """The tokens that a create counts as for the rate limit: those of its text, and the most that it may write."""
    text = prompt_text(request) + (request.get("instructions") or "")
    return token_count(text) + (request.get("max_output_tokens") or 0)


def request_key(request: Mapping[str, Any]) -> str:
    """Equal for two submissions of the same request: its body without our own metadata, which differs per attempt."""
    metadata = {key: value for key, value in metadata_of(request).items() if not key.startswith(_OWN_PREFIX)}
    body = {**request, "metadata": metadata}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def runoutcome_key(request: Mapping[str, Any]) -> str | None:
    """`metadata.runoutcome_key`, by which `Runs` identifies a submission."""
    return metadata_of(request).get("runoutcome_key")


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
