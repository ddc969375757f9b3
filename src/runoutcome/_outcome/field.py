"""The `outcome` field: how a server says what a failure amounts to, so that any client can map it. Pure.

It stands in the first of `error`, `incomplete_details` and `last_error` that is an object, else on top of the body. It
is put into the text of the body, of which nothing else changes.
"""

import json
from collections.abc import Mapping
from typing import Any

from .body import FIELD
from .outcome import Outcome, may_resubmit, safe_action

_PLACES = ("error", "incomplete_details", "last_error")
_decode = json.JSONDecoder().raw_decode


def field_of(outcome: Outcome) -> dict[str, Any]:
    """The value of the field, as `data/outcome.schema.json` has it."""
    delay = outcome.retry_after
    return {
        "type": outcome.error_type,
        "class": outcome.error_class,
        "retryable": may_resubmit(outcome),
        "action": safe_action(outcome),
        "retry_after_ms": None if delay is None else round(delay * 1000),
        "catalog": outcome.catalog_version,
    }


def place_of(body: Mapping[str, Any], outcome: Outcome) -> tuple[str, ...] | None:
    """The path of the object that gets the field, `()` for the body itself; None if there is nothing to add.

    There is nothing to add to a run that is completed or goes on, or to a body that has the field anywhere.
    """
    if outcome.phase != "terminal" or outcome.ok:
        return None
    objects = [name for name in _PLACES if isinstance(body.get(name), Mapping)]
    if FIELD in body or any(FIELD in body[name] for name in objects):
        return None
    return (objects[0],) if objects else ()


def with_field(text: str, path: tuple[str, ...], outcome: Outcome) -> str:
    """The JSON text of an object with the field at the beginning of the object at `path`."""
    start = _after_space(text, 0)
    for name in path:
        start = _value_of(text, start, name)
    comma = "" if text[_after_space(text, start + 1)] == "}" else ","
    field = json.dumps({FIELD: field_of(outcome)}, separators=(",", ":"))[1:-1]
    return f"{text[: start + 1]}{field}{comma}{text[start + 1 :]}"


def _value_of(text: str, start: int, name: str) -> int:
    """The position of the value of a member, the last of this name, of the object that starts at `start`."""
    position, place = start + 1, start
    while True:
        position = _after_space(text, position)
        if text[position] == "}":
            return place
        key, position = _decode(text, position)
        position = _after_space(text, _after_space(text, position) + 1)  # the colon
        if key == name:
            place = position
        position = _after_space(text, _decode(text, position)[1])
        position += text[position] == ","


def _after_space(text: str, position: int) -> int:
    while text[position] in " \t\n\r":
        position += 1
    return position
