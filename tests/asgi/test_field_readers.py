"""Strict readers live with the `outcome` field, wherever it stands in a body; those that do not are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pydantic
import pytest
from openai.types.responses import Response

from bodies import REQUEST_ID
from colours import body_of, reply
from runoutcome import classify, error_for
from runoutcome._outcome.field import field_of, place_of, with_field

REASON = {"reason": "content_filter"}
SETTINGS: dict[str, Any] = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
"""What a body needs to pass the SDK's validation."""
BODIES = {
    ("error",): body_of("failed", error={"code": "rate_limit_exceeded", "message": "Slow down."}, **SETTINGS),
    ("incomplete_details",): body_of("incomplete", incomplete_details=REASON, **SETTINGS),
    (): body_of("cancelled", **SETTINGS),
}
Clients = Callable[..., openai.OpenAI]


@pytest.fixture(params=BODIES, ids=lambda path: ".".join(path) or "top")
def path(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """A place of the field."""
    place: tuple[str, ...] = request.param
    return place


@pytest.fixture
def body(path: tuple[str, ...]) -> dict[str, Any]:
    """A body with the field there, as a server sends it."""
    body, outcome = BODIES[path], classify(BODIES[path])
    assert place_of(body, outcome) == path
    sent: dict[str, Any] = json.loads(with_field(json.dumps(body), path, outcome))
    return sent


def field_in(read: Any, path: tuple[str, ...]) -> Any:
    """The field in a dumped response."""
    for name in path:
        read = read[name]
    return read["outcome"]


@pytest.mark.parametrize("is_strict", [False, True])
def test_the_client_reads_it(answering: Clients, body: Any, path: tuple[str, ...], is_strict: bool) -> None:
    """The SDK's client keeps the field, also with its strict validation of answers, and the outcome is the same."""
    client = answering(lambda request: reply(body, x_request_id=REQUEST_ID), _strict_response_validation=is_strict)
    response = client.responses.retrieve("resp_1")
    plain = classify(BODIES[path])
    assert field_in(response.to_dict(), path) == field_of(plain)
    assert classify(response) == plain
    assert type(error_for(response)) is type(error_for(BODIES[path]))
    parsed = client.responses.parse(model="gpt-5", input="Hello")
    assert field_in(parsed.to_dict(), path) == field_of(plain)


@pytest.mark.parametrize("is_strict", [False, True])
def test_the_client_reads_it_in_a_stream(answering: Clients, body: Any, path: tuple[str, ...], is_strict: bool) -> None:
    """The last event of a stream keeps the field."""
    event = {"type": "response.failed", "sequence_number": 0, "response": body}
    text = f"data: {json.dumps(event)}\n\n"
    client = answering(
        lambda request: reply(text=text, content_type="text/event-stream"), _strict_response_validation=is_strict
    )
    (last,) = client.responses.retrieve("resp_1", stream=True)
    assert field_in(last.to_dict()["response"], path) == field_of(classify(BODIES[path]))


@pytest.mark.parametrize("is_strict", [False, True])
def test_the_models_read_it(body: Any, path: tuple[str, ...], is_strict: bool) -> None:
    """The SDK's models validate a body with the field, in pydantic's strict mode too, and write it out again."""
    text = json.dumps(body)
    response = Response.model_validate_json(text, strict=is_strict)
    assert json.loads(response.model_dump_json(exclude_unset=True)) == body
    assert field_in(response.model_dump(), path) == field_of(classify(BODIES[path]))


def test_the_strict_validation_is_one(answering: Clients, body: Any, path: tuple[str, ...]) -> None:
    """The strict validation above does refuse a body that is not as the types say."""
    wrong = {**body, "created_at": "once"}
    client = answering(lambda request: reply(wrong), _strict_response_validation=True)
    with pytest.raises(openai.APIResponseValidationError):
        client.responses.retrieve("resp_1")


def test_what_breaks(body: Any, path: tuple[str, ...]) -> None:
    """A model of one's own breaks if it forbids unknown fields in the object that holds the field, and only then."""

    class Details(pydantic.BaseModel, extra="forbid"):
        code: str | None = None
        message: str | None = None
        reason: str | None = None

    class Run(pydantic.BaseModel, extra="forbid" if path == () else "ignore"):
        id: str
        object: str
        status: str
        error: Details | None
        incomplete_details: Details | None

    class Lenient(pydantic.BaseModel):
        id: str
        status: str
        error: dict[str, Any] | None

    with pytest.raises(pydantic.ValidationError, match="outcome"):
        Run.model_validate(body)
    assert Lenient.model_validate(body).id == "resp_1"
