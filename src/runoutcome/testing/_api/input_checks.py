"""Checks of the messages, the format and the strict schemas of a create. Pure; each raises ApiError (400)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from .._errors import ApiError
from .._state.request import JsonObject, prompt_text
from .parameters import check_choice, refuse

Context = tuple[str, ...]
_OF_SCHEMAS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf")
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


def check_strict(param: str, owner: str, schema: object, code: str) -> None:
    """Raises ApiError (400) for an object without `additionalProperties: false`, with its place in the schema."""
    context = next(_open_objects(schema, ()), None)
    if context is not None:
        problem = "'additionalProperties' is required to be supplied and to be false."
        refuse(param, f"Invalid schema for {owner}: In context={context!r}, {problem}", code)


def _open_objects(schema: object, context: Context) -> Iterator[Context]:
    if not isinstance(schema, dict):
        return
    part = cast("dict[str, Any]", schema)
    kinds = part.get("type")
    if "object" in (kinds if isinstance(kinds, list) else [kinds]) and part.get("additionalProperties") is not False:
        yield context
    yield from _open_objects(part.get("items"), (*context, "items"))
    for key in _OF_SCHEMAS:
        below = part.get(key)
        for name, value in cast("dict[str, object]", below).items() if isinstance(below, dict) else ():
            yield from _open_objects(value, (*context, key, name))
    for key in _LISTS:
        below = part.get(key)
        for number, value in enumerate(cast("list[object]", below) if isinstance(below, list) else ()):
            yield from _open_objects(value, (*context, key, str(number)))
