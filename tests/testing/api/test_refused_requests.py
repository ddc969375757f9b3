"""Requests that the API refuses because their parts do not fit together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from in_process import Api, Reply

TOOL: dict[str, Any] = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
OPEN = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}}
CLOSED = {**OPEN, "additionalProperties": False}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "found"}


def form(**fields: Any) -> dict[str, Any]:
    """The parameter `text` with this format."""
    return {"format": {"name": "answer", **fields}}


def message(role: str, *types: str) -> dict[str, Any]:
    """A message with a part of each type."""
    return {"role": role, "content": [{"type": kind, "text": "hi"} for kind in types]}


def strict_form(schema: Any) -> dict[str, Any]:
    """A strict format."""
    return form(type="json_schema", strict=True, schema=schema)


def strict_tool(schema: Any) -> dict[str, Any]:
    """A strict tool."""
    return {**TOOL, "strict": True, "parameters": schema}


REFUSED = {
    "role": ({"input": [message("tool")]}, "input[0].role", "Invalid value: 'tool'."),
    "content": ({"input": [message("user", "input_text", "text")]}, "input[0].content[1]", "Invalid value: 'text'."),
    "effort": ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "Invalid value: 'huge'."),
    "tier": ({"service_tier": "fastest"}, "service_tier", "Invalid value: 'fastest'."),
    "output": ({"input": [OUTPUT]}, "input", "No tool call found for function call output with call_id call_1."),
    "call": ({"input": [CALL]}, "input", "No tool output found for function call call_1."),
    "json": ({"text": form(type="json_object")}, "input", "must contain the word 'json'"),
    "strict": ({"text": strict_form(OPEN)}, "text.format.schema", "response_format 'answer': In context=(), 'addit"),
    "strict inside": ({"text": strict_form(CLOSED)}, "text.format.schema", "In context=('properties', 'a', 'items'),"),
    "strict tool": ({"tools": [strict_tool(OPEN)]}, "tools[0].parameters", "Invalid schema for function 'look': In"),
}
ACCEPTED = {
    "content": {
        "input": [message("user", "input_text", "input_image"), message("assistant", "output_text", "refusal")]
    },
    "no type": {"input": [{"role": "developer", "content": [{"text": "hi"}]}]},
    "effort": {"reasoning": {"effort": "xhigh"}, "service_tier": "priority"},
    "call": {"input": [CALL, OUTPUT]},
    "reference": {"input": [{"type": "item_reference", "id": "fc_1"}, OUTPUT]},
    "conversation": {"input": [OUTPUT], "conversation": "conv_1"},
    "json": {"input": "As JSON, please", "text": form(type="json_object")},
    "json elsewhere": {"instructions": "Answer in Json.", "text": form(type="json_object")},
    "loose": {"text": form(type="json_schema", schema=OPEN), "tools": [TOOL]},
    "strict": {"text": strict_form({**CLOSED, "properties": {"a": {"type": "string"}}})},
}


@pytest.mark.parametrize(("params", "param", "said"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(params: dict[str, Any], param: str, said: str) -> None:
    """A 400 names the parameter and the reason; no run is made."""
    api = Api()
    reply = api.create(**params)
    error = reply.json["error"]
    assert (reply.status, error["param"]) == (400, param)
    assert said in error["message"]
    assert api.ledger.runs == []


@pytest.mark.parametrize("params", ACCEPTED.values(), ids=ACCEPTED)
def test_what_fits_is_accepted(params: dict[str, Any]) -> None:
    """Complete pairs, closed schemas and known words make a run."""
    assert Api().create(**params).status == 200


def follow(api: Api, before: Reply, *items: dict[str, Any], **params: Any) -> Reply:
    """A create that follows on another run."""
    return api.create(
        previous_response_id=before.json["id"], input=[*items, {"role": "user", "content": "go on"}], **params
    )


def test_a_call_of_the_run_before_is_answered() -> None:
    """The output of a call of an earlier run is accepted, and demanded; afterwards the chain goes on without it."""
    api = Api()
    first = api.create(tools=[TOOL], tool_choice="required")
    call_id = next(item["call_id"] for item in first.json["output"] if item["type"] == "function_call")
    refused = follow(api, first)
    assert refused.json["error"]["message"] == f"No tool output found for function call {call_id}."
    second = follow(api, first, {**OUTPUT, "call_id": call_id})
    assert second.status == 200
    assert follow(api, second).status == 200
    assert follow(api, second, {**OUTPUT, "call_id": "call_x"}).status == 400


def test_a_background_run_need_not_be_stored() -> None:
    """`store: false` in the background is accepted, unless the scenario refuses it as the API once did."""
    assert Api().create(background=True, store=False).status == 200
    refused = Api({"unstored_background": "refuse"}).create(background=True, store=False)
    assert (refused.status, json.loads(refused.body)["error"]["param"]) == (400, "store")
