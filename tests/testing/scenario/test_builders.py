"""Outcomes and rules written in Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI

from runoutcome.testing import (
    Emulator,
    FaultRule,
    ManualClock,
    OutcomeScript,
    Scenario,
    ScenarioError,
    completed,
    ended,
    failed,
    fault_on,
    incomplete,
    load_scenario,
    parse_fault,
    stuck,
)

Connect = Callable[[Emulator], OpenAI]


@pytest.mark.parametrize(
    ("built", "table"),
    [
        (completed(), {"name": "completed"}),
        (completed("42"), {"name": "completed", "output_text": "42"}),
        (completed(""), {"name": "completed", "output_text": ""}),
        (completed(function_call="look"), {"name": "completed", "function_call": "look"}),
        (failed(), {"name": "failed", "status": "failed"}),
        (failed("slow_down"), {"name": "slow_down", "code": "slow_down"}),
        (failed(529, "Busy."), {"name": "529", "code": 529, "message": "Busy."}),
        (failed("a b!", type="t", param="p"), {"name": "a_b_", "code": "a b!", "type": "t", "param": "p"}),
        (failed(raw_error="text"), {"name": "failed", "raw_error": "text"}),
        (failed(error_headers={"A": "1"}), {"name": "failed", "error_headers": {"A": "1"}}),
        (incomplete(), {"name": "max_output_tokens", "reason": "max_output_tokens"}),
        (incomplete("steered", output_text="x"), {"name": "steered", "reason": "steered", "output_text": "x"}),
        (incomplete(None), {"name": "incomplete", "status": "incomplete"}),
        (ended("expired"), {"name": "expired", "status": "expired"}),
        (stuck(), {"name": "stuck", "status": "stuck"}),
        (stuck("in_progress"), {"name": "in_progress", "status": "in_progress"}),
        (
            completed(name="mine", weight=3, queued_seconds=(0.2, 1), running_seconds=5, poll_after_ms=100),
            {
                "name": "mine",
                "weight": 3,
                "queued_seconds": [0.2, 1],
                "running_seconds": 5,
                "poll_after_ms": 100,
            },
        ),
        (
            ended("failed", raw_body={"status": "failed"}, body_fields={"a": None}),
            {"name": "failed", "raw_body": {"status": "failed"}, "body_fields": {"a": None}},
        ),
        (
            completed(poll_faults=["503", 429, {"status": 503, "retry_after": 1}, parse_fault("html")]),
            {"name": "completed", "poll_faults": ["503", 429, {"status": 503, "retry_after": 1}, "html"]},
        ),
        (completed(cancel_faults=("lost",)), {"name": "completed", "cancel_faults": ["lost"]}),
    ],
    ids=lambda value: value.name if isinstance(value, OutcomeScript) else "",
)
def test_a_builder_says_what_a_table_says(built: OutcomeScript, table: dict[str, Any]) -> None:
    """An outcome built in Python is the one that the same keys give in a file."""
    assert built == load_scenario({"outcomes": [table]}).outcomes[0]


def test_a_rule_can_be_built() -> None:
    """`fault_on` takes a fault in any form, and every condition."""
    fault = parse_fault("503")
    assert fault_on("poll", "503") == fault_on("poll", 503) == fault_on("poll", fault) == FaultRule("poll", fault)
    built = fault_on("poll", "503", first=2, last=9, share=0.5, after_seconds=1, until_seconds=2, times=3, outcome="x")
    assert built == FaultRule("poll", fault, 2, 9, 0.5, 1, 2, 3, "x")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: completed(queued_seconds=-1), "completed: queued_seconds: expected a number, 0 or more, got -1"),
        (lambda: failed("x", poll_faults=["htlm"]), "x: poll_faults: unknown fault 'htlm'; did you mean 'html'?"),
        (lambda: completed(queud_seconds=1), "completed: unknown key 'queud_seconds'; did you mean 'queued_seconds'?"),
        (lambda: fault_on("poll", "503", share=2), "fault_on: share: expected a number from 0 to 1, got 2"),
        (lambda: fault_on("get", "503"), "fault_on: route: unknown word 'get'. Allowed: create, poll"),
    ],
)
def test_a_wrong_value_is_named(build: Callable[[], object], said: str) -> None:
    """A builder checks what a file is checked for, and says the same."""
    with pytest.raises(ScenarioError) as caught:
        build()
    assert str(caught.value).startswith(said)


def test_built_values_make_a_scenario(connect: Connect) -> None:
    """Outcomes and rules of Python are the parts of a `Scenario`, played like a file."""
    clock = ManualClock()
    scenario = Scenario(
        seed=1,
        outcomes=(failed("server_error", "Sorry.", running_seconds=60), completed("42", weight=0)),
        faults=(fault_on("poll", {"status": 503, "retry_after": 1}, times=1, outcome="completed"),),
    )
    with Emulator(scenario, clock=clock) as emulator:
        client = connect(emulator)
        drawn = client.responses.create(model="gpt-5", input="hi", background=True)
        chosen = client.responses.create(model="gpt-5", input="hi", background=True, metadata={"emulate": "completed"})
        clock.advance(61)
        with pytest.raises(openai.InternalServerError):
            client.responses.retrieve(chosen.id)
        assert client.responses.retrieve(chosen.id).output_text == "42"
        body = json.loads(client.responses.with_raw_response.retrieve(drawn.id).text)
        assert body["error"] == {"code": "server_error", "message": "Sorry.", "param": None, "type": None}
