"""Whatever JSON a create carries: it is refused in the API's envelope, or every answer about its run can be sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from runoutcome.testing import EmulatedRun, OutcomeScript
from runoutcome.testing._api.create_request import parse_create
from runoutcome.testing._api.item_pages import items_page
from runoutcome.testing._api.stream_events import stream_events
from runoutcome.testing._errors import ApiError
from runoutcome.testing._state.body import response_body
from runoutcome.testing._state.input_items import listed_items, request_items

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 10**7) | st.floats(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NUMBERS = st.integers(-3, 3) | st.floats(-3, 3)
KINDS = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null", "odd"])
SCHEMA = st.recursive(
    JSON | st.just({"$ref": "#"}) | st.just({"$ref": "#/properties/a"}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS | st.lists(KINDS, max_size=2),
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "required": st.lists(st.sampled_from("ab")) | JSON,
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "allOf": st.lists(inner, max_size=2),
            "enum": st.lists(JSON, max_size=2),
            "minItems": st.integers(-1, 3) | JSON,
            "maxLength": st.integers(-1, 3) | JSON,
            "minimum": NUMBERS | JSON,
            "exclusiveMinimum": NUMBERS,
            "exclusiveMaximum": NUMBERS | JSON,
            "multipleOf": NUMBERS | JSON,
        },
    ),
    max_leaves=5,
)
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "x"]),
        "role": st.sampled_from(["user", "assistant", "x"]),
        "content": JSON,
        "id": st.text(max_size=3),
    },
)
NAMES = st.sampled_from(["look", ""])
TOOL = st.fixed_dictionaries({"type": st.just("function"), "name": NAMES, "parameters": SCHEMA})
TOOL_CHOICE = st.sampled_from(["auto", "required", {"type": "function", "name": "look"}]) | st.fixed_dictionaries(
    {"type": st.just("allowed_tools"), "mode": st.just("required"), "tools": st.lists(TOOL, max_size=2)}
)
TEXT = st.fixed_dictionaries(
    {"format": st.fixed_dictionaries({"type": st.just("json_schema"), "name": st.just("n"), "schema": SCHEMA})}
)
REQUEST = st.fixed_dictionaries(
    {"model": st.just("gpt-5"), "input": st.text(max_size=9) | st.lists(ITEM, max_size=3)},
    optional={
        "stream": st.booleans(),
        "background": st.booleans(),
        "tools": st.lists(TOOL, max_size=2),
        "tool_choice": TOOL_CHOICE,
        "text": TEXT,
        "reasoning": st.fixed_dictionaries({"summary": JSON}),
        "include": st.just(["reasoning.encrypted_content"]),
        "max_output_tokens": st.integers(16, 99),
        "conversation": st.text(max_size=3),
    },
)
PARAMETERS = (
    *("input", "stream", "tools", "tool_choice", "text", "reasoning", "include", "max_output_tokens", "metadata"),
    *("conversation", "service_tier", "background_options", "temperature", "prompt"),
)
SPOILT = st.builds(lambda good, name, junk: {**good, name: junk}, REQUEST, st.sampled_from(PARAMETERS), JSON)


def parsed(raw: bytes) -> dict[str, Any] | None:
    """The checked request; None where it is refused as the API refuses."""
    try:
        return parse_create(raw)
    except ApiError as error:
        refusal = error
    assert refusal.status == 400
    assert refusal.body["error"]["message"]
    return None


@given(REQUEST | SPOILT | JSON, st.sampled_from(["completed", "incomplete", "failed"]))
@settings(deadline=None, max_examples=300)
def test_a_run_of_any_request_can_be_answered_for(request: Any, status: str) -> None:
    """Bodies, events and input items of a run that was let in are JSON."""
    body = parsed(json.dumps(request).encode())
    if body is None:
        return
    script = OutcomeScript("any", status=status, queued_seconds=1.0, running_seconds=1.0)
    run = EmulatedRun("resp_1", 1_700_000_000.0, body, "any", script, 1)
    for answer in (
        response_body(run, run.created_at),
        response_body(run, run.created_at + 2),
        stream_events(run),
        items_page(listed_items(request_items(body), run.id), {"limit": "100"}),
    ):
        json.dumps(answer, allow_nan=False).encode()


@given(st.binary(max_size=40))
@settings(deadline=None)
def test_bytes_that_are_no_request_are_refused(raw: bytes) -> None:
    """No sequence of bytes is more than a 400."""
    assert parsed(raw) is None


@pytest.mark.parametrize("length", [10**9, 10**30])
def test_a_schema_cannot_ask_for_the_moon(length: int) -> None:
    """Lengths without measure are not carried out."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": length}}, "required": ["a"]}
    text = {"format": {"type": "json_schema", "name": "n", "schema": schema}}
    assert parsed(json.dumps({"model": "m", "input": "i", "text": text}).encode())
