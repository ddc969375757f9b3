"""The `outcome` field: its place in a body, its value, and how it is read again."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given, strategies as st

from runoutcome import Catalog, classify
from runoutcome._catalog.rows import ACTIONS, ERROR_TYPES
from runoutcome._outcome.field import field_of, place_of, with_field

SCHEMA: dict[str, Any] = json.loads(files("runoutcome").joinpath("data/outcome.schema.json").read_text("utf-8"))
ERROR = {"code": "rate_limit_exceeded", "message": "Please try again in 1.5s."}
FIELD = {
    "type": "rate_limit_error",
    "class": "RateLimitError",
    "retryable": True,
    "action": "resubmit_later",
    "retry_after_ms": 1500,
    "catalog": Catalog.load().version,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def body_of(status: str = "failed", **fields: Any) -> dict[str, Any]:
    """The body of a run."""
    return {"object": "response", "id": "resp_1", "status": status, **fields}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (body_of(error=ERROR), ("error",)),
        (body_of(error=None), ()),
        (
            body_of("incomplete", error=None, incomplete_details={"reason": "max_output_tokens"}),
            ("incomplete_details",),
        ),
        (body_of("cancelled", error=None), ()),
        ({"object": "thread.run", "id": "r", "status": "failed", "last_error": ERROR}, ("last_error",)),
        (body_of("completed", output="x"), None),
        (body_of("queued"), None),
        (body_of("brand_new"), None),
        (body_of(error={**ERROR, "outcome": None}), None),
        (body_of(error=ERROR, outcome="mine"), None),
    ],
)
def test_the_place_of_the_field(body: dict[str, Any], place: tuple[str, ...] | None) -> None:
    """It is in the first object that says why, else on top; a body that has it, or is no such end, gets none."""
    assert place_of(body, classify(body)) == place


def test_the_value_of_the_field() -> None:
    """Type, class, advice, delay in milliseconds, and the version of the catalog."""
    assert field_of(classify(body_of(error=ERROR))) == FIELD


def test_a_run_that_acted_is_not_retryable_on_the_wire() -> None:
    """A client that reads the field alone does not make a run again that may have changed the world."""
    body = body_of(error=ERROR, output=[{"type": "mcp_call", "name": "pay", "status": "completed"}])
    outcome = classify(body)
    for told in (field_of(outcome), outcome.problem()):
        assert (told["retryable"], told["action"]) == (False, "none")


@given(st.sampled_from(["failed", "incomplete", "cancelled"]), st.dictionaries(st.text(), JSON, max_size=4), JSON)
def test_only_the_field_is_added(status: str, extra: dict[str, Any], error: Any) -> None:
    """The text with the field is the same JSON but for the field, whatever the body holds; it validates."""
    body = {**extra, **body_of(status, error=error)}
    outcome = classify(body)
    place = place_of(body, outcome)
    if place is None:
        return
    for indent in (None, 2):
        changed = json.loads(with_field(json.dumps(body, indent=indent), place, outcome))
        owner = changed[place[0]] if place else changed
        jsonschema.validate(owner.pop("outcome"), SCHEMA)
        assert changed == body
        assert place_of(json.loads(with_field(json.dumps(body), place, outcome)), outcome) is None


def test_a_name_that_stands_twice() -> None:
    """The last member of a name counts, as for every reader of JSON."""
    text = '{"error": {"a": 1}, "status": "failed", "error": {}, "object": "response"}'
    outcome = classify(text)
    assert json.loads(with_field(text, ("error",), outcome))["error"] == {"outcome": field_of(outcome)}


def test_another_reader_gets_the_same_class_and_advice() -> None:
    """A reader whose catalog lacks the code decides as the server's catalog did, by the field."""
    for entry in Catalog.load().entries:
        if (entry.surface, entry.field, entry.match) == ("response", "error.code", "literal"):
            outcome = classify(body_of(error={"code": entry.value, "message": None}))
            again = classify(body_of(error={"code": "a_newer_code", "outcome": field_of(outcome)}))
            if outcome.error_type in (None, "api_status_error"):
                continue  # no failure, or "its actual status", which the field does not have
            assert (again.error_class, again.error_type) == (outcome.error_class, outcome.error_type)
            assert (again.retryable, again.action) == (outcome.retryable, outcome.action)


def test_the_schema_has_our_words() -> None:
    """The schema lists every type and action that the catalog can give."""
    assert SCHEMA["properties"]["type"]["enum"] == list(ERROR_TYPES)
    assert SCHEMA["properties"]["action"]["enum"] == list(ACTIONS)
