"""A value that satisfies a JSON Schema, the same one each time: what a scripted run writes for structured output. Pure.

Knows what structured outputs allow: objects, arrays, strings with a format or a length, numbers with bounds, `enum`,
`const`, `anyOf`, `oneOf`, `allOf`, `$ref` (recursion ends where the schema lets it). `pattern` is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

Schema = Mapping[str, Any]

_TEXT = "emulated"
_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "date-time": "2026-01-02T03:04:05Z",
        "date": "2026-01-02",
        "time": "03:04:05Z",
        "duration": "PT1S",
        "email": "user@example.com",
        "hostname": "example.com",
        "ipv4": "127.0.0.1",
        "ipv6": "::1",
        "uri": "https://example.com/",
        "uuid": "00000000-0000-4000-8000-000000000000",
    }
)
_ROOT = "#"
# Longer texts and arrays than this are not made, whatever the schema says.
_MOST = 10_000


class _Root(dict[str, Any]):
    """The whole schema, and how many values may still be made: one that names itself twice over has no end."""

    left = _MOST


def example_of(schema: Schema) -> Any:
    """A value that satisfies the schema. Raises ValueError for one that asks for more than 10,000 values."""
    return _example(schema, _Root(schema), (_ROOT,))


def _example(part: object, root: _Root, seen: tuple[str, ...]) -> Any:
    root.left -= 1
    if root.left < 0:
        raise ValueError(f"the schema asks for more than {_MOST} values")
    if not isinstance(part, Mapping):
        return _TEXT
    schema = cast(Schema, part)
    if isinstance(ref := schema.get("$ref"), str):
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return None if ref in seen[1:] else _example({**_target(ref, root), **beside}, root, (*seen, ref))
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return _example(_chosen(options, seen), root, seen)
    if parts := schema.get("allOf"):
        return _example(_merged(schema, parts, root), root, seen)
    return _typed(schema, root, seen)


def _typed(schema: Schema, root: _Root, seen: tuple[str, ...]) -> Any:
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, root, seen)
    if kind == "array":
        return _array(schema, root, seen)
    if kind in ("number", "integer"):
        return _number(schema, whole=kind == "integer")
    if kind in ("null", "boolean"):
        return kind == "boolean" or None
    return _text(schema)


def _target(ref: str, root: _Root) -> Schema:
    found: Any = root
    for name in ref.removeprefix(_ROOT).split("/")[1:]:
        found = found.get(name.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
    return cast(Schema, found) if isinstance(found, Mapping) else {}


def _kind(schema: Schema) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        named = [kind for kind in cast("list[str]", kinds) if kind != "null"]
        return named[0] if named else "null"
    return kinds or ("object" if "properties" in schema else "array" if "items" in schema else "string")


def _recurs(part: object, seen: tuple[str, ...]) -> bool:
    return isinstance(part, Mapping) and cast(Schema, part).get("$ref") in seen


def _chosen(options: list[Schema], seen: tuple[str, ...]) -> Schema:
    new = [option for option in options if not _recurs(option, seen)] or options
    return next((option for option in new if _kind(option) != "null"), new[0])


def _merged(schema: Schema, parts: list[Schema], root: _Root) -> Schema:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in parts:
        target = {**_target(part["$ref"], root), **part} if "$ref" in part else dict(part)
        target.pop("$ref", None)
        target["properties"] = {**merged.get("properties", {}), **target.get("properties", {})}
        target["required"] = [*merged.get("required", ()), *target.get("required", ())]
        merged |= {key: value for key, value in target.items() if value}
    return merged


def _object(schema: Schema, root: _Root, seen: tuple[str, ...]) -> dict[str, Any]:
    required = schema.get("required") or ()
    return {
        name: _example(part, root, seen)
        for name, part in (schema.get("properties") or {}).items()
        if name in required or not _recurs(part, seen)
    }


def _array(schema: Schema, root: _Root, seen: tuple[str, ...]) -> list[Any]:
    items, least = schema.get("items", {}), min(schema.get("minItems", 0), _MOST)
    count = least if _recurs(items, seen) else max(least, 1)
    return [_example(items, root, seen) for _ in range(min(count, schema.get("maxItems", count)))]


def _text(schema: Schema) -> str:
    if (known := _FORMATS.get(schema.get("format", ""))) is not None:
        return known
    text = _TEXT.ljust(min(schema.get("minLength", 0), _MOST), ".")
    return text[: schema.get("maxLength", len(text))]


def _number(schema: Schema, *, whole: bool) -> float:
    low, high = _bound(schema, "inimum", max), _bound(schema, "aximum", min)
    step = schema.get("multipleOf") or (1 if whole else None)
    value = 1 if low is None else max(1, low)
    if high is not None and value > high:
        value = high
    if step:
        value = math.ceil(value / step) * step
        value -= step if high is not None and value > high else 0
    value = _inside(schema, value, step, low, high)
    return int(value) if whole else value


def _bound(schema: Schema, name: str, tighter: Any) -> float | None:
    bounds = [schema[key] for key in (f"m{name}", f"exclusiveM{name}") if schema.get(key) is not None]
    return tighter(bounds) if bounds else None


def _inside(schema: Schema, value: float, step: float | None, low: float | None, high: float | None) -> float:
    """The value, moved off a bound that is not included."""
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None and value <= above:
        value = value + step if step else (above + high) / 2 if high is not None else above + 1
    if below is not None and value >= below:
        value = value - step if step else (low + below) / 2 if low is not None else below - 1
    return value
