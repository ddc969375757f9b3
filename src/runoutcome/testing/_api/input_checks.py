"""Checks of the messages in a create's input, and of what a format asks of them. Pure; each raises ApiError (400)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .._errors import ApiError
from .._state.request import JsonObject, prompt_text
from .parameters import check_choice

_ROLES = ("assistant", "system", "developer", "user")
_CONTENT_TYPES = (
    *("input_text", "input_image", "input_file", "input_audio", "output_text", "refusal"),
    *("computer_screenshot", "summary_text", "reasoning_text", "scoped_content"),
)
_ELSEWHERE = ("prompt", "previous_response_id", "conversation")
"""Parameters that bring messages which are not in the request."""


def check_messages(request: Mapping[str, Any]) -> None:
    """Require known roles, and known types of content."""
    items = request.get("input")
    for index, item in enumerate(cast("list[JsonObject]", items) if isinstance(items, list) else []):
        if item.get("type") in (None, "message"):
            check_choice(f"input[{index}].role", item.get("role"), _ROLES)
            content = item.get("content")
            for number, part in enumerate(cast("list[object]", content) if isinstance(content, list) else []):
                if isinstance(part, dict):
                    check_choice(
                        f"input[{index}].content[{number}]", cast(JsonObject, part).get("type"), _CONTENT_TYPES
                    )


def check_json_mode(request: Mapping[str, Any], form: Mapping[str, Any] | None) -> None:
    """Require the word json somewhere in the text, if the format is `json_object`."""
    if form is None or form.get("type") != "json_object" or any(request.get(name) for name in _ELSEWHERE):
        return
    if "json" not in f"{prompt_text(request)} {request.get('instructions')}".lower():
        message = (
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'."
        )
        raise ApiError(400, message, param="input")
