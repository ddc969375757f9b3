"""Tool calls and their outputs: each needs the other, in the input of a run or in the runs before it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from .._errors import ApiError
from .request import JsonObject

_CALLS = ("function_call", "custom_tool_call", "computer_call", "shell_call", "apply_patch_call")
_OUTPUTS = {f"{kind}_output": kind for kind in _CALLS}
_REFERENCES = ("item_reference", "compaction")
"""Items that stand for others."""


def input_items(request: Mapping[str, Any]) -> list[JsonObject]:
    """The items in the input of a request; none if it is a text."""
    items = request.get("input")
    return cast("list[JsonObject]", items) if isinstance(items, list) else []


def check_tool_calls(request: Mapping[str, Any], earlier: Iterable[JsonObject]) -> None:
    """Raises ApiError (400) for an output without its call, and for a call without its output."""
    new = input_items(request)
    if request.get("conversation") or request.get("prompt") or any(item.get("type") in _REFERENCES for item in new):
        return  # calls may be elsewhere
    items = [*earlier, *new]
    calls = {item.get("call_id"): item for item in items if _of(item, _CALLS)}
    outputs = {item.get("call_id") for item in items if _of(item, _OUTPUTS)}
    for item in new:
        if _of(item, _OUTPUTS) and item["call_id"] not in calls:
            kind = item["type"].replace("_", " ")
            raise ApiError(400, f"No tool call found for {kind} with call_id {item['call_id']}.", param="input")
    for call_id, item in calls.items():
        if call_id not in outputs:
            kind = item["type"].replace("_", " ")
            raise ApiError(400, f"No tool output found for {kind} {call_id}.", param="input")


def _of(item: JsonObject, kinds: Iterable[str]) -> bool:
    return str(item.get("type")) in kinds and isinstance(item.get("call_id"), str)
