"""Checks of single values of a request, in the API's words. Pure; each raises ApiError (400)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn, cast

from .._errors import ApiError

MAX_PAIRS = 16
MAX_KEY = 64
MAX_VALUE = 512
_NAMES: Mapping[type, str] = MappingProxyType(
    {
        str: "a string",
        bool: "a boolean",
        dict: "an object",
        list: "an array",
        int: "an integer",
        float: "a decimal",
        type(None): "null",
    }
)
INCLUDABLE = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)


def refuse(param: str, message: str, code: str = "invalid_value") -> NoReturn:
    """Refuse a value for the reason in the message."""
    raise ApiError(400, message, param=param, code=code)


def check_type(param: str, value: object, types: tuple[type, ...], *, optional: bool = True) -> None:
    """Require one of these JSON types, or null if it is optional."""
    if value is None and optional:
        return
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        expected = " or ".join(_NAMES[type_] for type_ in types)
        message = f"Invalid type for '{param}': expected {expected}, but got {_NAMES[type(value)]} instead."
        refuse(param, message, "invalid_type")


def check_range(param: str, value: float | None, low: float, high: float | None) -> None:
    """Require a number within the bounds, which are included, or none."""
    if value is None:
        return
    kind = "integer" if isinstance(value, int) else "decimal"
    if value < low:
        problem, code = f"below minimum value. Expected a value >= {low}", f"{kind}_below_min_value"
    elif high is not None and value > high:
        problem, code = f"above maximum value. Expected a value <= {high}", f"{kind}_above_max_value"
    else:
        return
    refuse(param, f"Invalid '{param}': {kind} {problem}, but got {value} instead.", code)


def check_choice(param: str, value: object, allowed: Sequence[str]) -> None:
    """Require one of these words, or none."""
    if value is None:
        return
    check_type(param, value, (str,))
    if value not in allowed:
        listed = ", ".join(f"'{word}'" for word in allowed)
        refuse(param, f"Invalid value: '{value}'. Supported values are: {listed}.")


def check_include(values: Sequence[object]) -> None:
    """Require names of fields that can be included."""
    for index, value in enumerate(values):
        check_type(f"include[{index}]", value, (str,), optional=False)
        check_choice(f"include[{index}]", value, INCLUDABLE)


def check_metadata(pairs: Mapping[str, object]) -> None:
    """Require at most 16 pairs of strings, keys up to 64 and values up to 512 characters long."""
    if len(pairs) > MAX_PAIRS:
        message = (
            f"Invalid 'metadata': too many properties. Expected an object with at most {MAX_PAIRS} properties, "
            f"but got an object with {len(pairs)} properties instead."
        )
        refuse("metadata", message, "object_above_max_properties")
    for key, value in pairs.items():
        check_type(f"metadata.{key}", value, (str,), optional=False)
        _check_length(f"metadata.{key[:MAX_KEY]}", "key", key, MAX_KEY)
        _check_length(f"metadata.{key}", "string", cast(str, value), MAX_VALUE)


def _check_length(param: str, kind: str, text: str, limit: int) -> None:
    if len(text) > limit:
        message = (
            f"Invalid '{param}': {kind} too long. Expected a {kind} with maximum length {limit}, "
            f"but got one with length {len(text)} instead."
        )
        refuse(param, message, "string_above_max_length")
