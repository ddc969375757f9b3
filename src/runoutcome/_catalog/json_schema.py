"""Checks a document against one of our JSON Schemas, and says where it is wrong and what is allowed there.

Only the keywords that the schemas in `data/` use; any other keyword is an error, so that none is ignored in silence.
A library would do, but the core depends on `openai` alone. The tests hold this against `jsonschema`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

Schema = Mapping[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
}
_SAID = {"object": "a table", "array": "a list", "string": "a text", "boolean": "true or false", "null": "null"}
_ABOUT = frozenset({"$schema", "$defs", "title", "description"})


def problems(document: object, schema: Schema) -> list[str]:
    """One line for each thing that is wrong, as `entries[2].action: ...`; none for a document that is right."""
    return [f"{path or 'the document'}: {text}" for path, text in _Check(schema).of(document, schema, "")]


Found = Iterator[tuple[str, str]]


class _Check:
    """The keywords, each a method that gives what is wrong at a path."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._keywords: dict[str, Callable[[Any, Any, Schema, str], Found]] = {
            "$ref": self._ref,
            "type": self._type,
            "const": lambda value, allowed, _, path: self._enum(value, [allowed], _, path),
            "enum": self._enum,
            "anyOf": self._any_of,
            "allOf": self._all_of,
            "if": self._if,
            "not": self._not,
            "required": self._required,
            "properties": self._properties,
            "patternProperties": self._pattern_properties,
            "additionalProperties": self._additional,
            "propertyNames": self._names,
            "items": self._items,
            "uniqueItems": self._unique,
            "pattern": self._pattern,
            **{name: partial(self._bound, name) for name in _BOUNDS},
            **dict.fromkeys((*_ABOUT, "then", "else"), _nothing),
        }

    def of(self, value: object, schema: Schema, path: str) -> Found:
        """What is wrong with `value`, which stands at `path`."""
        if "type" in schema and not _is_type(value, schema["type"]):
            yield from self._type(value, schema["type"], schema, path)
            return  # the other keywords would only say the same again
        for keyword, argument in schema.items():
            yield from self._keywords[keyword](value, argument, schema, path)

    def is_right(self, value: object, schema: Schema) -> bool:
        """Whether nothing is wrong with `value`."""
        return next(self.of(value, schema, ""), None) is None

    def _ref(self, value: object, target: str, _: Schema, path: str) -> Found:
        yield from self.of(value, self._root["$defs"][target.removeprefix("#/$defs/")], path)

    def _type(self, value: object, name: str, _: Schema, path: str) -> Found:
        if not _is_type(value, name):
            yield path, f"must be {_SAID.get(name, 'a whole number')}, and is {_shown(value)}"

    def _enum(self, value: object, allowed: list[Any], _: Schema, path: str) -> Found:
        if not any(type(value) is type(each) and value == each for each in allowed):
            words = ", ".join(str(each) if each is not None else "null" for each in allowed)
            hint = _hint(str(value), [each for each in allowed if isinstance(each, str)])
            yield path, f"{_shown(value)} is not allowed{hint}; one of: {words}"

    def _any_of(self, value: object, schemas: list[Schema], _: Schema, path: str) -> Found:
        if not any(self.is_right(value, schema) for schema in schemas):
            ending = ", or null" if {"type": "null"} in schemas and value is not None else ""
            for where, text in self.of(value, schemas[0], path):
                yield where, text + ending

    def _all_of(self, value: object, schemas: list[Schema], _: Schema, path: str) -> Found:
        for schema in schemas:
            yield from self.of(value, schema, path)

    def _if(self, value: object, condition: Schema, schema: Schema, path: str) -> Found:
        yield from self.of(value, schema.get("then" if self.is_right(value, condition) else "else", {}), path)

    def _not(self, value: object, schema: Schema, _: Schema, path: str) -> Found:
        if self.is_right(value, schema):
            yield path, f"{_shown(value)} does not go with the rest"

    def _required(self, value: object, names: list[str], _: Schema, path: str) -> Found:
        if isinstance(value, dict):
            for name in names:
                if name not in value:
                    yield path, f"{name!r} is missing"

    def _properties(self, value: object, schemas: Mapping[str, Schema], _: Schema, path: str) -> Found:
        if isinstance(value, dict):
            for name, schema in schemas.items():
                if name in value:
                    yield from self.of(value[name], schema, _joined(path, name))

    def _pattern_properties(self, value: object, schemas: Mapping[str, Schema], _: Schema, path: str) -> Found:
        for name in value if isinstance(value, dict) else ():
            for pattern, schema in schemas.items():
                if re.search(pattern, name):
                    yield from self.of(value[name], schema, _joined(path, name))  # type: ignore[index]

    def _additional(self, value: object, allowed: object, schema: Schema, path: str) -> Found:
        assert allowed is False, "our schemas forbid unknown keys, or leave the keyword out"
        names, patterns = list(schema.get("properties", {})), list(schema.get("patternProperties", {}))
        for name in value if isinstance(value, dict) else ():
            if name not in names and not any(re.search(pattern, name) for pattern in patterns):
                known = f"; one of: {', '.join(names)}" if names else ""
                yield _joined(path, name), f"is no key that is allowed here{_hint(name, names)}{known}"

    def _names(self, value: object, schema: Schema, _: Schema, path: str) -> Found:
        for name in value if isinstance(value, dict) else ():
            if not self.is_right(name, schema):
                yield _joined(path, name), "is a name with a meaning of its own, and cannot stand here"

    def _items(self, value: object, schema: Schema, _: Schema, path: str) -> Found:
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from self.of(item, schema, f"{path}[{number}]")

    def _unique(self, value: object, _: object, __: Schema, path: str) -> Found:
        if isinstance(value, list):
            texts = [json.dumps(item, sort_keys=True, default=str) for item in value]
            for number, text in enumerate(texts):
                if text in texts[:number]:
                    yield f"{path}[{number}]", "is there twice"

    def _pattern(self, value: object, pattern: str, _: Schema, path: str) -> Found:
        if isinstance(value, str) and not re.search(pattern, value):
            yield path, f"{_shown(value)} does not have the form {pattern}"

    def _bound(self, name: str, value: object, limit: int, _: Schema, path: str) -> Found:
        kind, size, is_over, said = _BOUNDS[name]
        if _is_type(value, kind) and is_over(size(value), limit):
            yield path, f"{_shown(value)} {said} {limit}"


def _nothing(*_: object) -> Found:
    yield from ()


_BOUNDS: dict[str, tuple[str, Callable[[Any], int], Callable[[int, int], bool], str]] = {
    "minLength": ("string", len, int.__lt__, "is shorter than"),
    "maxLength": ("string", len, int.__gt__, "is longer than"),
    "minItems": ("array", len, int.__lt__, "has fewer items than"),
    "maxItems": ("array", len, int.__gt__, "has more items than"),
    "minProperties": ("object", len, int.__lt__, "has fewer keys than"),
    "minimum": ("integer", int, int.__lt__, "is less than"),
    "maximum": ("integer", int, int.__gt__, "is more than"),
}


def _is_type(value: object, name: str) -> bool:
    # In Python a bool is an int; in JSON it is not.
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _hint(word: str, allowed: list[str]) -> str:
    close = get_close_matches(word, allowed, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
