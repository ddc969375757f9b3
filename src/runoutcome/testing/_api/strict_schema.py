"""Check of a strict JSON Schema: every object in it is closed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from .parameters import refuse

Context = tuple[str, ...]
_OF_SCHEMAS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf")


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
