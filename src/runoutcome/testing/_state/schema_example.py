"""Example of a JSON Schema, the same one each time: the structured output of a run. Pure.

Knows what structured outputs allow: objects, arrays, strings with a format or a length, numbers with bounds, `enum`,
`const`, `anyOf`, `oneOf`, `allOf`, `$ref` (recursion ends where the schema allows it). `pattern` is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

Schema = Mapping[str, Any]
Refs = tuple[str, ...]

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
# Limit of values, of the length of texts and of arrays, even if the schema asks for more.
_LIMIT = 10_000


def example_of(schema: Schema) -> Any:
    """A value that satisfies the schema. Raises ValueError for one that asks for more than 10,000 values."""
    return _Example(schema).of(schema, (_ROOT,))


class _Example:
    """Values for the parts of one schema; `refs` are the references on the way to a part."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = _LIMIT

    def of(self, part: object, refs: Refs) -> Any:
        # Definitions that each name another one twice have no end.
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"the schema asks for more than {_LIMIT} values")
        if not isinstance(part, Mapping):
            return _TEXT
        schema = cast(Schema, part)
        if isinstance(ref := schema.get("$ref"), str):
            return None if ref in refs[1:] else self.of(self._resolved(schema), (*refs, ref))
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self.of(_chosen(options, refs), refs)
        if schema.get("allOf"):
            return self.of(self._merged(schema), refs)
        return self._typed(schema, refs)

    def _typed(self, schema: Schema, refs: Refs) -> Any:
        kind = _kind(schema)
        if kind == "object":
            parts, required = schema.get("properties") or {}, schema.get("required") or ()
            names = [name for name, part in parts.items() if name in required or not _recurs(part, refs)]
            return {name: self.of(parts[name], refs) for name in names}
        if kind == "array":
            items, least = schema.get("items", {}), min(schema.get("minItems", 0), _LIMIT)
            count = least if _recurs(items, refs) else max(least, 1)
            return [self.of(items, refs) for _ in range(min(count, schema.get("maxItems", count)))]
        if kind in ("number", "integer"):
            return _number(schema, whole=kind == "integer")
        if kind in ("null", "boolean"):
            return kind == "boolean" or None
        return _text(schema)

    def _resolved(self, schema: Schema) -> dict[str, Any]:
        """The schema with what its reference names."""
        target: Any = self._root
        for name in schema["$ref"].removeprefix(_ROOT).split("/")[1:]:
            target = target.get(name.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, Mapping) else {}
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**(cast(Schema, target) if isinstance(target, Mapping) else {}), **beside}

    def _merged(self, schema: Schema) -> Schema:
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            other = self._resolved(part) if "$ref" in part else dict(part)
            other.pop("$ref", None)
            other["properties"] = {**merged.get("properties", {}), **other.get("properties", {})}
            other["required"] = [*merged.get("required", ()), *other.get("required", ())]
            merged |= {key: value for key, value in other.items() if value}
        return merged


def _kind(schema: Schema) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return next((kind for kind in cast("list[str]", kinds) if kind != "null"), "null")
    return kinds or ("object" if "properties" in schema else "array" if "items" in schema else "string")


def _recurs(part: object, refs: Refs) -> bool:
    return isinstance(part, Mapping) and cast(Schema, part).get("$ref") in refs


def _chosen(options: list[Schema], refs: Refs) -> Schema:
    new = [option for option in options if not _recurs(option, refs)] or options
    return next((option for option in new if _kind(option) != "null"), new[0])


def _text(schema: Schema) -> str:
    if (known := _FORMATS.get(schema.get("format", ""))) is not None:
        return known
    text = _TEXT.ljust(min(schema.get("minLength", 0), _LIMIT), ".")
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
    # Bounds that are not included.
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None and value <= above:
        value = value + step if step else (above + high) / 2 if high is not None else above + 1
    if below is not None and value >= below:
        value = value - step if step else (low + below) / 2 if low is not None else below - 1
    return int(value) if whole else value


def _bound(schema: Schema, name: str, tighter: Any) -> float | None:
    bounds = [schema[key] for key in (f"m{name}", f"exclusiveM{name}") if schema.get(key) is not None]
    return tighter(bounds) if bounds else None
