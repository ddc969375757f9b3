"""The value that is made for a schema satisfies it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from runoutcome.testing._state.schema_example import example_of


def an_object(**properties: Any) -> dict[str, Any]:
    """A schema as strict structured outputs want it: every property required, no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


NODE = an_object(value={"type": "integer"}, next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})
TREE = an_object(name={"type": "string"}, children={"type": "array", "items": {"$ref": "#"}})
SCHEMAS = [
    {"type": "string"},
    {"type": "string", "minLength": 20},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date-time"},
    {"type": "string", "enum": ["red", "green"]},
    {"const": {"a": 1}},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["null", "integer"]},
    {"type": "integer"},
    {"type": "integer", "minimum": 7},
    {"type": "integer", "maximum": -3},
    {"type": "integer", "exclusiveMinimum": 1},
    {"type": "integer", "exclusiveMaximum": 1},
    {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6},
    {"type": "integer", "minimum": 3, "multipleOf": 5},
    {"type": "number", "minimum": 0.25, "maximum": 0.5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "multipleOf": 0.5, "maximum": 0.75},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "items": {"type": "string"}, "minItems": 3},
    {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    {"anyOf": [{"type": "null"}, {"type": "string"}]},
    {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    {"allOf": [an_object(a={"type": "integer"}), {"type": "object", "required": ["a"]}]},
    an_object(a={"type": "string"}, b=an_object(c={"type": "array", "items": {"enum": [1, 2]}})),
    {"$defs": {"node": NODE}, **an_object(head={"$ref": "#/$defs/node"})},
    {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
    {"$defs": {"a/b": {"type": "integer"}}, **an_object(x={"$ref": "#/$defs/a~1b"})},
    TREE,
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"properties": {"only": {"type": "boolean"}}},
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_the_example_satisfies_the_schema(schema: dict[str, Any]) -> None:
    """The example validates, and is the same each time."""
    value = example_of(schema)
    jsonschema.validate(value, schema)
    assert example_of(schema) == value


def test_what_is_recursive_ends_where_it_may() -> None:
    """A list of nodes ends after its first, a tree has no children; neither is left empty."""
    assert example_of({"$defs": {"node": NODE}, "$ref": "#/$defs/node"}) == {"value": 1, "next": None}
    assert example_of(TREE) == {"name": "emulated", "children": []}


def test_a_schema_that_grows_without_end_is_refused() -> None:
    """Definitions that each name the next one twice ask for more values than anybody reads."""
    both = {"type": "object", "properties": {name: {"$ref": ""} for name in "ab"}, "required": ["a", "b"]}
    levels = {f"l{n}": json.loads(json.dumps(both).replace('""', f'"#/$defs/l{n + 1}"')) for n in range(24)}
    with pytest.raises(ValueError, match="more than 10000 values"):
        example_of({**levels["l0"], "$defs": {**levels, "l24": {"type": "string"}}})
