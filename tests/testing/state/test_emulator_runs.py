"""How a run goes from creation to its end, seen by the SDK's client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseError

from runoutcome.testing import Emulator, ManualClock, OutcomeScript, Scenario

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


def test_a_body_is_valid_for_the_sdk(client: OpenAI, clock: ManualClock) -> None:
    """Every body validates strictly against the SDK's own model, from the first to the last."""
    outcomes = ("completed", "cancelled", "failed", "stuck", "max_output_tokens", "content_filter", *ENUM_CODES)
    runs = [created(client, outcome) for outcome in outcomes]
    for seconds in (0, 0.2, 10):
        clock.advance(seconds)
        for run in runs:
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


ENDED = ["completed", "failed", "incomplete", "expired"]


@pytest.mark.parametrize("outcome", ENDED)
def test_an_ended_run_cannot_be_cancelled(client: OpenAI, clock: ManualClock, outcome: str) -> None:
    """A cancel of an ended run is a 400 that names its status."""
    run = ended(client, clock, outcome)
    with pytest.raises(openai.BadRequestError, match=f"Cannot cancel a {outcome} response."):
        client.responses.cancel(run.id)


def test_a_run_that_ended_as_cancelled_can_be_cancelled(client: OpenAI, clock: ManualClock) -> None:
    """Whoever cancelled it, the answer is its body."""
    run = ended(client, clock, "cancelled")
    assert client.responses.cancel(run.id).status == "cancelled"


@pytest.mark.parametrize("outcome", ENDED)
@pytest.mark.parametrize("status", [200, 409])
def test_other_servers_answer_a_late_cancel_otherwise(
    connect: Callable[[Emulator], OpenAI], outcome: str, status: int
) -> None:
    """With `cancel_finished` a cancel of an ended run is its body, or a 409; twice as well, and nothing changes."""
    clock = ManualClock()
    with Emulator({"cancel_finished": status}, clock=clock) as emulator:
        client = connect(emulator)
        run = ended(client, clock, outcome)
        for _ in range(2):
            if status == 200:
                assert client.responses.cancel(run.id).status == outcome
            else:
                with pytest.raises(openai.ConflictError, match=outcome):
                    client.responses.cancel(run.id)
        assert client.responses.retrieve(run.id).status == outcome


def test_an_outcome_decides_before_the_scenario_about_a_late_cancel(connect: Callable[[Emulator], OpenAI]) -> None:
    """`cancel_status` of the outcome comes before `cancel_finished` of the scenario."""
    clock = ManualClock()
    script = OutcomeScript("own", cancel_status=200)
    with Emulator(Scenario(outcomes=(script,), cancel_finished=409), clock=clock) as emulator:
        client = connect(emulator)
        assert client.responses.cancel(ended(client, clock, "own").id).status == "completed"
        with pytest.raises(openai.ConflictError):
            client.responses.cancel(ended(client, clock, "completed").id)


def test_a_foreground_run_cannot_be_cancelled(client: OpenAI) -> None:
    """Only background runs can be cancelled."""
    run = client.responses.create(model="gpt-5", input="hi")
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        client.responses.cancel(run.id)


def test_a_cancelled_run_can_complete_all_the_same(connect: Callable[[Emulator], OpenAI]) -> None:
    """With `completes_despite_cancel_seconds` a cancelled run turns completed, with output and usage."""
    clock = ManualClock()
    with Emulator(Scenario(outcomes=(OutcomeScript("flip", completes_despite_cancel_seconds=30),)), clock=clock) as e:
        client = connect(e)
        run = created(client, "flip")
        assert client.responses.cancel(run.id).status == "cancelled"
        clock.advance(29)
        assert client.responses.retrieve(run.id).status == "cancelled"
        clock.advance(1)
        flipped = client.responses.retrieve(run.id)
        Response.model_validate(body(client, run.id))
    assert (flipped.status, bool(flipped.output_text), flipped.usage is None) == ("completed", True, False)


@pytest.mark.parametrize("where", ["scenario", "outcome"])
def test_a_cancel_can_take_its_time(connect: Callable[[Emulator], OpenAI], where: str) -> None:
    """With `cancelling_seconds` a cancelled run goes on for a while, and ends as cancelled with a usage of zero."""
    clock = ManualClock()
    keys = {"cancelling_seconds": 30, "running_seconds": 10}
    scenario = keys if where == "scenario" else {"outcomes": [{"name": "slow", **keys}]}
    with Emulator(scenario, clock=clock) as emulator:
        client = connect(emulator)
        run = created(client, "slow" if where == "outcome" else "completed")
        clock.advance(5)
        for _ in range(2):  # a second cancel changes nothing
            assert client.responses.cancel(run.id).status == "in_progress"
            clock.advance(14.9)
        pending = client.responses.retrieve(run.id)
        assert (pending.status, pending.usage) == ("in_progress", None)
        clock.advance(0.2)
        cancelled = client.responses.retrieve(run.id)
        Response.model_validate(body(client, run.id))
        assert client.responses.cancel(run.id).status == "cancelled"
    assert (cancelled.status, cancelled.output) == ("cancelled", [])
    assert cancelled.usage is not None
    assert (cancelled.usage.input_tokens, cancelled.usage.output_tokens, cancelled.usage.total_tokens) == (0, 0, 0)


def test_a_run_is_kept_for_thirty_days(client: OpenAI, clock: ManualClock) -> None:
    """A stored run can be retrieved for 30 days, and is unknown afterwards."""
    run = created(client)
    clock.advance(30 * 86400 - 1)
    assert client.responses.retrieve(run.id).status == "completed"
    clock.advance(1)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(run.id)


def test_an_unstored_background_run_is_kept_for_ten_minutes(connect: Callable[[Emulator], OpenAI]) -> None:
    """A background run with `store` false can be polled for 10 minutes after its end."""
    clock = ManualClock()
    with Emulator({"queued_seconds": 0, "running_seconds": 50}, clock=clock) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True, store=False)
        clock.advance(649)
        assert client.responses.retrieve(run.id).status == "completed"
        clock.advance(1)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(run.id)


@pytest.mark.parametrize("window", ["soonest", "2h", "8h"])
def test_a_completion_window_is_repeated(client: OpenAI, window: str) -> None:
    """A background run may ask for a completion window, which its body repeats."""
    run = created(client, extra_body={"background_options": {"completion_window": window}})
    sent = body(client, run.id)
    Response.model_validate(sent)
    assert sent["background_options"] == {"completion_window": window}


def test_a_run_out_of_tokens_has_used_them_up(client: OpenAI, clock: ManualClock) -> None:
    """`max_output_tokens` ends at exactly that many; a completed run stays within them; the sums agree."""
    for outcome, used in (("max_output_tokens", 20), ("completed", 20), ("completed", None)):
        run = client.responses.create(
            model="gpt-5", input="hi", background=True, max_output_tokens=used, metadata={"emulate": outcome}
        )
        clock.advance(10)
        usage = client.responses.retrieve(run.id).usage
        assert usage is not None
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        assert usage.output_tokens_details.reasoning_tokens <= usage.output_tokens
        if used is not None:
            assert usage.output_tokens == used


ANSWER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer", "minimum": 1000}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
AS_JSON: Any = {"format": {"type": "json_schema", "name": "answer", "schema": ANSWER, "strict": True}}


def test_a_text_satisfies_the_schema_that_was_asked_for(client: OpenAI, clock: ManualClock) -> None:
    """With a `json_schema` format the text is JSON that validates; incomplete, it is cut JSON."""
    texts = []
    for outcome in ("completed", "max_output_tokens"):
        run = client.responses.create(
            model="gpt-5", input="hi", background=True, text=AS_JSON, metadata={"emulate": outcome}
        )
        clock.advance(10)
        Response.model_validate(body(client, run.id))
        texts.append(client.responses.retrieve(run.id).output_text)
    assert json.loads(texts[0]) == {"city": "emulated", "people": 1000}
    assert texts[0].startswith(texts[1])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(texts[1])


def test_json_without_a_schema_is_some_object(client: OpenAI) -> None:
    """With the format `json_object` the text is a JSON object."""
    run = client.responses.create(model="gpt-5", input="JSON", text={"format": {"type": "json_object"}})
    assert isinstance(json.loads(run.output_text), dict)


LOOK: Any = {"type": "function", "name": "look", "parameters": ANSWER, "strict": True}
LISTEN: Any = {"type": "function", "name": "listen", "parameters": None, "strict": None}


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "listen"),
        ({"type": "function", "name": "look"}, "look"),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]}, "look"),
    ],
)
def test_a_tool_is_called_where_the_request_insists(client: OpenAI, choice: Any, name: str) -> None:
    """A `tool_choice` that leaves no way out gives a call with arguments that satisfy the tool's parameters."""
    run = client.responses.create(model="gpt-5", input="hi", tools=[LISTEN, LOOK], tool_choice=choice)
    Response.model_validate(body(client, run.id))
    call = run.output[-1]
    assert call.type == "function_call"
    assert (call.name, call.status, call.call_id[:5]) == (name, "completed", "call_")
    assert json.loads(call.arguments) == ({"city": "emulated", "people": 1000} if name == "look" else {})


def test_a_script_calls_a_tool(connect: Callable[[Emulator], OpenAI]) -> None:
    """`function_call` of an outcome names the tool that is called, offered or not; tools alone give a text."""
    with Emulator({"outcomes": [{"name": "calls", "function_call": "look"}]}) as emulator:
        client = connect(emulator)
        for tools in ([LOOK], []):
            run = client.responses.create(model="emulate-calls", input="hi", tools=tools)
            assert getattr(run.output[-1], "name", None) == "look"
        assert client.responses.create(model="emulate-completed", input="hi", tools=[LOOK]).output_text


def test_reasoning_comes_as_asked_for(client: OpenAI) -> None:
    """A summary and encrypted content are there if the request wants them."""
    run = client.responses.create(
        model="gpt-5", input="hi", reasoning={"summary": "auto"}, include=["reasoning.encrypted_content"]
    )
    Response.model_validate(body(client, run.id))
    item = run.output[0]
    assert item.type == "reasoning"
    assert item.encrypted_content
    assert item.summary[0].text


def test_deletions_outlive_a_restart(connect: Callable[[Emulator], OpenAI], tmp_path: Path) -> None:
    """An emulator that is started again on the same state file knows what was deleted and what was cancelled."""
    state, clock = tmp_path / "state.jsonl", ManualClock()
    with Emulator(clock=clock, state_path=state) as emulator:
        client = connect(emulator)
        deleted, cancelled = created(client), created(client)
        client.responses.delete(deleted.id)
        client.responses.cancel(cancelled.id)
    with Emulator(clock=clock, state_path=state) as emulator:
        client = connect(emulator)
        assert client.responses.retrieve(cancelled.id).status == "cancelled"
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(deleted.id)


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


def test_every_route_is_on_record(client: OpenAI, clock: ManualClock, emulator: Emulator) -> None:
    """Whatever was asked about a run names it, its job and how it stood; only bodies tell the client a status."""
    run = client.responses.create(model="gpt-5", input="on record", background=True, stream=False)
    clock.advance(10)
    client.responses.retrieve(run.id)
    client.responses.input_items.list(run.id)
    client.models.list()
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(run.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(run.id, stream=True)
    client.responses.delete(run.id)
    seen = emulator.requests[-7:]
    assert [(request.route, request.status, request.told) for request in seen] == [
        ("create", 200, "queued"),
        ("poll", 200, "completed"),
        ("input_items", 200, None),
        ("models", 200, None),
        ("cancel", 400, None),
        ("stream", 400, None),
        ("delete", 200, None),
    ]
    assert [request.response_id for request in seen] == [*[run.id] * 3, None, *[run.id] * 3]
    known = [request for request in seen if request.status == 200 and request.route != "models"]
    assert {(request.job, request.submission) for request in known} == {(seen[0].job, 1)}
    assert [request.run_status for request in known] == ["queued", "completed", "completed", "completed"]
    assert [request.created for request in seen] == [True, *[False] * 6]
