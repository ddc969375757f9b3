"""How a run goes from creation to its end, seen by the SDK's client."""

from __future__ import annotations

import json
from typing import Any, get_args

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseError

from runoutcome.testing import Emulator, ManualClock

ENUM_CODES: tuple[str, ...] = get_args(ResponseError.model_fields["code"].annotation)


def created(client: OpenAI, outcome: str = "completed", extra_body: object = None) -> Response:
    """A background run that will end as the marker says."""
    return client.responses.create(
        model="gpt-5",
        input="Name the largest moon of Saturn.",
        background=True,
        metadata={"emulate": outcome},
        extra_body=extra_body,
    )


def ended(client: OpenAI, clock: ManualClock, outcome: str) -> Response:
    """The same run, when its time is over."""
    run = created(client, outcome)
    clock.advance(10)
    return client.responses.retrieve(run.id)


def body(client: OpenAI, run_id: str) -> dict[str, Any]:
    """What is on the wire for a run."""
    return json.loads(client.responses.with_raw_response.retrieve(run_id).text)  # type: ignore[no-any-return]


def test_a_run_is_queued_then_in_progress_then_completed(client: OpenAI, clock: ManualClock) -> None:
    """The status of a run depends on the time since its creation, and on nothing else."""
    run = created(client)
    statuses = [run.status]
    for seconds in (0.05, 0.1, 0.4):
        clock.advance(seconds)
        statuses.append(client.responses.retrieve(run.id).status)
    assert statuses == ["queued", "queued", "in_progress", "completed"]


def test_a_completed_run_answers_with_its_prompt(client: OpenAI, clock: ManualClock) -> None:
    """A completed run quotes the prompt and says that it is emulated."""
    run = ended(client, clock, "completed")
    assert [item.type for item in run.output] == ["reasoning", "message"]
    assert "Name the largest moon of Saturn." in run.output_text
    assert "mulated" in run.output_text
    assert run.usage is not None
    assert run.usage.total_tokens == run.usage.input_tokens + run.usage.output_tokens


def test_the_prompt_is_found_in_a_list_of_items(client: OpenAI) -> None:
    """The text of structured input is quoted too, cut at 60 characters."""
    run = client.responses.create(
        model="gpt-5",
        input=[{"role": "user", "content": [{"type": "input_text", "text": "x" * 80}]}],
    )
    assert "x" * 60 in run.output_text
    assert "x" * 61 not in run.output_text


@pytest.mark.parametrize(
    "outcome", ["completed", "cancelled", "failed", "stuck", "max_output_tokens", "content_filter", *ENUM_CODES]
)
def test_a_body_is_valid_for_the_sdk(client: OpenAI, clock: ManualClock, outcome: str) -> None:
    """Every body validates strictly against the SDK's own model, from the first to the last."""
    run = created(client, outcome)
    Response.model_validate(body(client, run.id))
    clock.advance(0.2)
    Response.model_validate(body(client, run.id))
    clock.advance(10)
    Response.model_validate(body(client, run.id))


def test_a_body_repeats_the_request(client: OpenAI) -> None:
    """Parameters of the request come back in the body, tools completed as the API does."""
    run = client.responses.create(
        model="gpt-5-mini",
        input="hi",
        background=True,
        instructions="Be brief.",
        max_output_tokens=100,
        temperature=0.5,
        metadata={"job": "7"},
        tools=[{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}],
        extra_body={"reasoning": {"effort": "low"}},
    )
    sent = body(client, run.id)
    Response.model_validate(sent)
    assert (sent["model"], sent["instructions"], sent["max_output_tokens"]) == ("gpt-5-mini", "Be brief.", 100)
    assert (sent["temperature"], sent["metadata"], sent["reasoning"]["effort"]) == (0.5, {"job": "7"}, "low")
    assert sent["tools"][0]["strict"] is False


def test_a_pending_run_has_no_output(client: OpenAI, clock: ManualClock, emulator: Emulator) -> None:
    """Output, usage and the time of completion come with the end of the run."""
    run = created(client)
    assert (run.usage, run.output, run.background) == (None, [], True)
    assert body(client, run.id)["completed_at"] is None
    clock.advance(10)
    assert body(client, run.id)["completed_at"] == int(emulator.runs[-1].created_at + 0.5)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("failed:server_error", "server_error"),
        ("rate_limit_exceeded", "rate_limit_exceeded"),
        ("failed:never_heard_of", "never_heard_of"),
    ],
)
def test_a_failed_run_names_its_code(client: OpenAI, clock: ManualClock, outcome: str, code: str) -> None:
    """`failed:CODE`, or a known code alone, ends the run with that code and no output."""
    run = ended(client, clock, outcome)
    assert run.error is not None
    assert (run.status, run.error.code, run.output, run.usage) == ("failed", code, [], None)
    assert run.error.message


def test_the_wording_that_clients_read_is_the_known_one(client: OpenAI, clock: ManualClock) -> None:
    """Rate limits name a delay, and quota is worded as the API words it."""
    limited, dry = ended(client, clock, "rate_limit_exceeded"), ended(client, clock, "insufficient_quota")
    assert limited.error is not None
    assert "Please try again in 0.5s." in limited.error.message
    assert dry.error is not None
    assert dry.error.message.startswith("You exceeded your current quota, please check your plan")


def test_a_run_can_fail_without_a_word(client: OpenAI, clock: ManualClock) -> None:
    """`failed` alone gives a null error."""
    run = ended(client, clock, "failed")
    assert (run.status, run.error) == ("failed", None)


@pytest.mark.parametrize("outcome", ["max_output_tokens", "incomplete:content_filter"])
def test_an_incomplete_run_keeps_what_it_wrote(client: OpenAI, clock: ManualClock, outcome: str) -> None:
    """An incomplete run has a reason, usage and partial output."""
    run = ended(client, clock, outcome)
    assert (run.status, run.error) == ("incomplete", None)
    assert run.incomplete_details is not None
    assert run.incomplete_details.reason == outcome.removeprefix("incomplete:")
    assert run.output_text.startswith("Emulated")
    assert run.usage is not None
    assert body(client, run.id)["output"][-1]["status"] == "incomplete"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("cancelled", "cancelled"),
        ("expired", "expired"),
        ("status:paused", "paused"),
        ("stuck", "queued"),
        ("incomplete", "incomplete"),
    ],
)
def test_a_run_can_end_in_any_status(client: OpenAI, clock: ManualClock, outcome: str, status: str) -> None:
    """Statuses without an error come as they are; a stuck run is queued for ever."""
    run = ended(client, clock, outcome)
    assert (run.status, run.error, run.incomplete_details) == (status, None, None)


def test_a_foreground_run_answers_at_once(client: OpenAI) -> None:
    """Without `background` the create itself carries the terminal body."""
    run = client.responses.create(model="emulate-failed:server_error", input="hi")
    assert (run.status, run.background) == ("failed", False)
    assert client.responses.retrieve(run.id).status == "failed"


def test_a_foreground_run_that_is_not_stored_is_not_found(client: OpenAI) -> None:
    """With `store` false there is nothing to retrieve."""
    run = client.responses.create(model="gpt-5", input="hi", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(run.id)


@pytest.mark.parametrize("seconds", [0, 0.2])
def test_a_pending_run_can_be_cancelled(client: OpenAI, clock: ManualClock, seconds: float) -> None:
    """A cancel freezes a queued or running run as cancelled; a second one changes nothing."""
    run = created(client)
    clock.advance(seconds)
    assert client.responses.cancel(run.id).status == "cancelled"
    clock.advance(10)
    assert client.responses.cancel(run.id).status == "cancelled"
    assert client.responses.retrieve(run.id).status == "cancelled"
    Response.model_validate(body(client, run.id))


@pytest.mark.parametrize("outcome", ["completed", "failed", "incomplete", "expired"])
def test_an_ended_run_cannot_be_cancelled(client: OpenAI, clock: ManualClock, outcome: str) -> None:
    """A cancel of an ended run is a 400 that names its status."""
    run = ended(client, clock, outcome)
    with pytest.raises(openai.BadRequestError, match=f"Cannot cancel a {outcome} response."):
        client.responses.cancel(run.id)


def test_an_unknown_run_is_not_found(client: OpenAI) -> None:
    """Polling and cancelling an unknown id are both a 404 that names it."""
    for ask in (client.responses.retrieve, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="Response with id 'resp_x' not found"):
            ask("resp_x")


def test_created_runs_are_on_record(client: OpenAI, emulator: Emulator) -> None:
    """`runs` tells what was created, with the request and the outcome that was chosen."""
    run = created(client, "stuck", extra_body={"background_options": {"completion_window": "2h"}})
    paid = emulator.runs[-1]
    assert (paid.id, paid.word, paid.submission, paid.cancelled_at) == (run.id, "stuck", 1, None)
    assert paid.request["background_options"] == {"completion_window": "2h"}
    client.responses.cancel(run.id)
    assert emulator.runs[-1].cancelled_at == emulator.requests[-1].at


def test_requests_are_on_record(client: OpenAI, emulator: Emulator) -> None:
    """`requests` tells what was asked and answered, with the keys that came along."""
    run = client.responses.create(
        model="gpt-5",
        input="hi",
        background=True,
        metadata={"runoutcome_key": "k1"},
        extra_headers={"Idempotency-Key": "i1"},
    )
    client.responses.retrieve(run.id)
    posted, polled = emulator.requests[-2:]
    assert (posted.method, posted.path, posted.status) == ("POST", "/v1/responses", 200)
    assert (posted.response_id, posted.idempotency_key, posted.runoutcome_key) == (run.id, "i1", "k1")
    assert (polled.method, polled.path, polled.status) == ("GET", f"/v1/responses/{run.id}", 200)
