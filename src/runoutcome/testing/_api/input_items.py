"""Input items of a run, as the API lists them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .._state.request import JsonObject
from .._state.runs import EmulatedRun
from .parameters import check_choice, refuse

_ORDERS = ("asc", "desc")
_DEFAULT_LIMIT, _MAX_LIMIT = 20, 100
_PREFIXES: Mapping[str, str] = MappingProxyType(
    {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
)
_WITH_STATUS = ("message", "function_call", "function_call_output")


def input_items_page(run: EmulatedRun, query: Mapping[str, str]) -> JsonObject:
    """One page of the items, by `order` (default `desc`), `limit` (20) and `after`, an id. Raises ApiError (400)."""
    order, after = query.get("order", "desc"), query.get("after")
    check_choice("order", order, _ORDERS)
    limit = _limit_of(query.get("limit"))
    items = _items(run)
    if order == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    if after is not None:
        if after not in ids:
            refuse("after", f"No input item with id '{after}'.")
        items = items[ids.index(after) + 1 :]
    page = items[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
        "has_more": len(items) > len(page),
    }


def _limit_of(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= _MAX_LIMIT or len(text) > 4:
        refuse("limit", f"Invalid 'limit': expected 1 to {_MAX_LIMIT}, but got '{text}'.")
    return int(text)


def _items(run: EmulatedRun) -> list[JsonObject]:
    content = run.request.get("input")
    items: list[JsonObject] = [{"role": "user", "content": content}] if isinstance(content, str) else content or []
    return [_listed(item, f"{run.id}/{number}") for number, item in enumerate(items)]


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
