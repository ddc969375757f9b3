"""Items of a run's input and of a conversation, as the API lists them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from .request import JsonObject

_PREFIXES: Mapping[str, str] = MappingProxyType(
    {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
)
_WITH_STATUS = ("message", "function_call", "function_call_output")


def request_items(request: Mapping[str, Any]) -> list[JsonObject]:
    """The items of a request's input; a text is a message of the user."""
    content = request.get("input")
    return [{"role": "user", "content": content}] if isinstance(content, str) else content or []


def listed_items(items: Iterable[JsonObject], seed: str) -> list[JsonObject]:
    """The items with everything that the API adds; the ids of those without one are made from `seed`."""
    return [_listed(item, f"{seed}/{number}") for number, item in enumerate(items)]


def _listed(item: JsonObject, seed: str) -> JsonObject:
    kind = item.get("type") or "message"
    own_id = f"{_PREFIXES.get(kind, 'item')}_{hashlib.sha256(seed.encode()).hexdigest()[:48]}"
    listed: JsonObject = {**item, "type": kind, "id": item.get("id") or own_id}
    if kind in _WITH_STATUS:
        listed.setdefault("status", "completed")
    if kind == "message":
        listed["content"] = _content(item.get("content"), item.get("role"))
    return listed


def _content(content: Any, role: object) -> Any:
    if not isinstance(content, str):
        return content
    if role == "assistant":
        return [{"type": "output_text", "text": content, "annotations": [], "logprobs": []}]
    return [{"type": "input_text", "text": content}]
