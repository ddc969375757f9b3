"""Checks of a create request, as the API makes them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, cast

from .._errors import ApiError
from .._state.request import JsonObject, metadata_of
from .._state.schema_example import example_of
from .input_checks import check_json_mode, check_messages, check_strict
from .parameters import check_choice, check_include, check_metadata, check_range, check_type, refuse

# The model of a request that leaves it to a stored prompt.
PROMPT_MODEL = "gpt-5.5"
# Later readers of a request are recursive.
_MAX_DEPTH = 100

_STRING, _BOOLEAN, _OBJECT, _ARRAY = (str,), (bool,), (dict,), (list,)
# The parameters that the emulator reads or repeats; it ignores the others.
TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "model": _STRING,
        "input": (str, list),
        "instructions": _STRING,
        "background": _BOOLEAN,
        "store": _BOOLEAN,
        "stream": _BOOLEAN,
        "metadata": _OBJECT,
        "reasoning": _OBJECT,
        "text": _OBJECT,
        "tools": _ARRAY,
        "tool_choice": (str, dict),
        "parallel_tool_calls": _BOOLEAN,
        "include": _ARRAY,
        "prompt": _OBJECT,
        "conversation": (str, dict),
        "previous_response_id": _STRING,
        "max_output_tokens": (int,),
        "max_tool_calls": (int,),
        "top_logprobs": (int,),
        "temperature": (int, float),
        "top_p": (int, float),
        "truncation": _STRING,
        "service_tier": _STRING,
        "user": _STRING,
        "prompt_cache_key": _STRING,
        "prompt_cache_retention": _STRING,
        "prompt_cache_options": _OBJECT,
        "safety_identifier": _STRING,
        "stream_options": _OBJECT,
        "background_options": _OBJECT,
    }
)
# More than any model writes, and small enough for every sum.
_MOST_TOKENS = 2**31 - 1
RANGES: Mapping[str, tuple[float, float | None]] = MappingProxyType(
    {
        "max_output_tokens": (16, _MOST_TOKENS),
        "max_tool_calls": (1, None),
        "top_logprobs": (0, 20),
        "temperature": (0, 2),
        "top_p": (0, 1),
    }
)
CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "truncation": ("auto", "disabled"),
        "background_options.completion_window": ("soonest", "2h", "8h"),
        "text.format.type": ("text", "json_schema", "json_object"),
        "reasoning.effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        "service_tier": ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"),
    }
)
INPUTS = ("input", "prompt", "previous_response_id", "conversation")
_TOOL_CHOICES = ("none", "auto", "required")
_STANDARD_TIERS = (None, "auto", "default")
# Failures of an example for an invalid schema.
_SCHEMA_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


def parse_create(raw: bytes) -> JsonObject:
    """The body of a create request, with a model. Raises ApiError (400) where the API would."""
    request = parse_fields(raw)
    if request.get("model") is None and request.get("prompt") is None:
        _missing("model")
    if all(request.get(param) is None for param in INPUTS):
        _missing("input")
    for param, bounds in RANGES.items():
        check_range(param, request.get(param), *bounds)
    for param, allowed in CHOICES.items():
        check_choice(param, _at(request, param), allowed)
    check_include(request.get("include") or ())
    check_metadata(metadata_of(request))
    check_messages(request)
    check_items("tools", request.get("tools"), "type")
    _check_tools(request)
    _check_text(request)
    _check_mode(request)
    return {**request, "model": request.get("model") or PROMPT_MODEL}


def parse_fields(raw: bytes) -> JsonObject:
    """The body of a request with parameters of a create, none of them required. Raises ApiError (400) for a type."""
    request = parse_object(raw)
    for param, types in TYPES.items():
        check_type(param, request.get(param), types)
    check_items("input", request.get("input"), "type", "role", "id")
    return request


def parse_object(raw: bytes) -> JsonObject:
    """The JSON object in a body. Raises ApiError (400)."""
    try:
        parsed: object = json.loads(raw, parse_constant=_no_number)
        # 1e999 and half of a surrogate pair are JSON, but cannot be sent back.
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise ApiError(400, "We could not parse the JSON body of your request.") from None
    if _is_deeper(parsed, _MAX_DEPTH):
        raise ApiError(400, f"The JSON body of your request is nested deeper than {_MAX_DEPTH} levels.")
    if not isinstance(parsed, dict):
        raise ApiError(400, "The JSON body of your request is not an object.")
    return cast(JsonObject, parsed)


def _is_deeper(value: object, levels: int) -> bool:
    within = [value]
    for _ in range(levels):
        within = [child for parent in within for child in _children(parent)]
    return bool(within)


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast(JsonObject, value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _missing(param: str) -> NoReturn:
    refuse(param, f"Missing required parameter: '{param}'.", "missing_required_parameter")


def _at(request: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, if any. Raises ApiError if a value on the way is not an object."""
    value: Any = request
    *parents, name = path.split(".")
    for depth, parent in enumerate(parents, 1):
        value = value.get(parent)
        check_type(".".join(parents[:depth]), value, _OBJECT)
        if value is None:
            return None
    return value.get(name)


def check_items(param: str, items: object, *strings: str) -> None:
    """Require objects; these fields of theirs are strings or left out."""
    if isinstance(items, list):
        for index, item in enumerate(cast("list[JsonObject]", items)):
            check_type(f"{param}[{index}]", item, _OBJECT, optional=False)
            for name in strings:
                check_type(f"{param}[{index}].{name}", item.get(name), _STRING)


def _check_tools(request: Mapping[str, Any]) -> None:
    names: list[str] = []
    for index, tool in enumerate(request.get("tools") or ()):
        if tool.get("type") is None:
            _missing(f"tools[{index}].type")
        if tool["type"] == "function":
            if tool.get("name") is None:
                _missing(f"tools[{index}].name")
            check_type(f"tools[{index}].name", tool["name"], _STRING)
            param = f"tools[{index}].parameters"
            _check_schema(param, tool.get("parameters"))
            if tool.get("strict") is True:
                check_strict(param, f"function '{tool['name']}'", tool.get("parameters"), "invalid_function_parameters")
            names.append(tool["name"])
    choice = request.get("tool_choice")
    if isinstance(choice, str):
        check_choice("tool_choice", choice, _TOOL_CHOICES)
        if choice == "required" and not request.get("tools"):
            refuse("tool_choice", "Tool choice 'required' must be specified with 'tools' parameter.")
    elif choice is not None and choice.get("type") == "function" and choice.get("name") not in names:
        refuse("tool_choice", "Tool choice 'function' not found in 'tools' parameter.")
    elif choice is not None and choice.get("type") == "allowed_tools":
        check_type("tool_choice.tools", choice.get("tools"), _ARRAY)
        check_items("tool_choice.tools", choice.get("tools"), "type", "name")


def _check_text(request: Mapping[str, Any]) -> None:
    form = _at(request, "text.format")
    if form is not None and form.get("type") == "json_schema":
        for name in ("name", "schema"):
            if form.get(name) is None:
                _missing(f"text.format.{name}")
        _check_schema("text.format.schema", form["schema"])
        if form.get("strict") is True:
            owner = f"response_format '{form['name']}'"
            check_strict("text.format.schema", owner, form["schema"], "invalid_json_schema")
    check_json_mode(request, form)


def _check_schema(param: str, schema: object) -> None:
    check_type(param, schema, _OBJECT)
    try:
        example_of(cast("Mapping[str, Any]", schema or {}))
    except _SCHEMA_ERRORS:
        refuse(param, f"Invalid schema for '{param}'.", "invalid_json_schema")


def _check_mode(request: Mapping[str, Any]) -> None:
    if request.get("stream_options") and not request.get("stream"):
        refuse("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    window = _at(request, "background_options.completion_window")
    if window in (None, "soonest"):
        return
    if not request.get("background"):
        refuse("background_options", f"The completion window '{window}' requires 'background' to be true.")
    if request.get("stream"):
        refuse("stream", f"The completion window '{window}' cannot be streamed.")
    if request.get("service_tier") not in _STANDARD_TIERS:
        refuse("service_tier", f"The completion window '{window}' requires standard processing.")
