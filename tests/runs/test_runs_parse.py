"""`text_format`: the output of a completed run in the form that was asked for, and only of a completed one."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from typing import Any

import openai
import pytest
from openai.types.responses import ParsedResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic.dataclasses import dataclass

from colours import COLOURS, OpenWorld, Script, World, body_of, open_worlds, refusal, reply
from runoutcome import OutputParseError, RunFailedError, RunInternalServerError, WaitTimeoutError, is_retryable
from runoutcome._waiting.resume_token import loads
from runoutcome.testing import OutcomeScript, Scenario

worlds = pytest.fixture(params=COLOURS)(open_worlds)


class Moon(BaseModel):
    """What most tests ask for."""

    name: str
    radius_km: float


@dataclass(config=ConfigDict(extra="forbid"))
class Planet:
    """The same as a dataclass of pydantic's; the SDK takes those that have a config."""

    name: str
    radius_km: float


class Weather(BaseModel):
    """The arguments of a function."""

    city: str


TITAN = '{"name": "Titan", "radius_km": 2574.7}'


def said(text: str = TITAN, **fields: Any) -> dict[str, Any]:
    """The body of a completed run that says `text`."""
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}
    return body_of("completed", output=[message], **fields)


def saying(text: str) -> Scenario:
    """Every run completes with this text."""
    return Scenario(outcomes=(OutcomeScript("says", status="completed", output_text=text),))


def parse_error(world: World, method: str, *args: Any, **options: Any) -> Any:
    """The OutputParseError that a method raises."""
    with pytest.raises(OutputParseError) as caught:
        world.call(method, *args, **options)
    return caught.value


# What is asked for


@pytest.mark.parametrize("method", ["create", "create_and_poll"])
@pytest.mark.parametrize("kind", [Moon, Planet])
def test_the_request_is_the_sdks_own(worlds: OpenWorld, method: str, kind: type) -> None:
    """What `text_format` adds to a create is what `responses.parse` adds, beside what `text` says."""
    given = {
        "model": "m",
        "input": "i",
        "text": {"verbosity": "low"},
        "tools": [openai.pydantic_function_tool(Weather)],
    }
    script = Script([reply(said())])
    world = worlds(answer=script)
    with sync_client(script) as client:
        client.responses.parse(**deepcopy(given), text_format=kind)
    world.call(method, **given, text_format=kind)
    theirs, ours = (json.loads(request.content) for request in script.requests)
    assert (ours["text"], ours["tools"]) == (theirs["text"], theirs["tools"])
    assert ours["text"]["format"]["strict"] is True


def sync_client(script: Script) -> Any:
    """The user's own client of these answers."""
    return World("sync", answer=script).client()


def test_the_users_parameters_are_not_changed(worlds: OpenWorld) -> None:
    """`text` and `tools` are copied: 1.x of the SDK writes the format into what it is given."""
    text, tools = {"verbosity": "low"}, [openai.pydantic_function_tool(Weather)]
    world = worlds()
    for _ in range(2):
        world.create(text=text, tools=tools, text_format=Moon)
    assert (text, tools) == ({"verbosity": "low"}, [openai.pydantic_function_tool(Weather)])


@pytest.mark.parametrize("method", ["create", "create_and_poll"])
def test_two_formats_are_refused(worlds: OpenWorld, method: str) -> None:
    """`text_format` and a format in `text` contradict each other: a TypeError, before anything is sent."""
    world = worlds()
    with pytest.raises(TypeError, match="leave out one"):
        world.call(method, model="m", input="i", text={"format": {"type": "text"}}, text_format=Moon)
    assert world.emulator.requests == []


@pytest.mark.parametrize("method", ["create", "poll", "create_and_poll"])
@pytest.mark.parametrize(
    "kind", [dict, int, "Moon", {"type": "json_schema"}, Moon(name="Titan", radius_km=1)], ids=repr
)
def test_what_is_no_format_is_refused(worlds: OpenWorld, method: str, kind: Any) -> None:
    """What the SDK cannot parse into is a TypeError before anything is sent, also for a run that is going."""
    script = Script([reply(said())])
    world = worlds(answer=script)
    with pytest.raises(TypeError):
        world.call(method, *["resp_1"] * (method == "poll"), text_format=kind)
    assert script.requests == []


# What is given


def test_a_completed_run_is_parsed(worlds: OpenWorld) -> None:
    """The response of a run that completed is the SDK's parsed one, with everything a response has."""
    world = worlds()
    response = world.create_and_poll(text_format=Moon)
    assert isinstance(response, ParsedResponse)
    assert isinstance(response.output_parsed, Moon)
    assert json.loads(response.output_text) == response.output_parsed.model_dump()
    assert (response.id, response.status) == (world.emulator.runs[0].id, "completed")


def test_what_is_given_is_what_the_sdk_gives(worlds: OpenWorld) -> None:
    """For the same body `poll` and `responses.parse` give the same, with the request id of its own answer."""
    script = Script([reply(said(), x_request_id="req_7")])
    ours = worlds(answer=script).call("poll", "resp_1", text_format=Moon)
    with sync_client(script) as client:
        theirs = client.responses.parse(model="m", input="i", text_format=Moon)
    assert type(ours) is type(theirs)
    assert ours.output_parsed == theirs.output_parsed == Moon(name="Titan", radius_km=2574.7)
    assert ours.output_text == theirs.output_text
    assert ours._request_id == "req_7"


def test_a_dataclass_is_parsed_too(worlds: OpenWorld) -> None:
    """A dataclass of pydantic's is what it is for the SDK."""
    response = worlds(saying(TITAN)).create_and_poll("says", text_format=Planet)
    assert response.output_parsed == Planet("Titan", 2574.7)


@pytest.mark.parametrize("form", ["id", "token", "response", "dict"])
def test_a_run_named_in_any_way_is_parsed(worlds: OpenWorld, form: str) -> None:
    """`poll` parses the output of a run that was made elsewhere, also where it has the whole body already."""
    world = worlds(saying(TITAN))
    ended = world.create_and_poll("says")
    run = {"id": ended.id, "token": f'{{"runoutcome":1,"id":"{ended.id}"}}', "response": ended, "dict": ended.to_dict()}
    assert world.call("poll", run[form], text_format=Moon).output_parsed.name == "Titan"


def test_a_parsed_response_can_be_polled_again(worlds: OpenWorld) -> None:
    """What `create` and `poll` give can be given to `poll`, before and after its end."""
    world = worlds(saying(TITAN))
    pending = world.create(text_format=Moon)
    assert isinstance(pending, ParsedResponse)
    assert (pending.status, pending.output_parsed) == ("queued", None)
    done = world.call("poll", pending, text_format=Moon)
    assert done.output_parsed.name == "Titan"
    assert world.call("poll", done, text_format=Moon).output_parsed.name == "Titan"
    assert world.call("poll", done) is done


def test_a_create_that_ends_at_once_is_parsed(worlds: OpenWorld) -> None:
    """A run that is completed in the answer to its create is parsed by `create`."""
    response = worlds(answer=Script([reply(said())])).create(text_format=Moon)
    assert response.output_parsed.name == "Titan"


def test_without_a_format_nothing_is_parsed(worlds: OpenWorld) -> None:
    """A response is the SDK's plain one unless a format was asked for."""
    assert type(worlds(saying(TITAN)).create_and_poll("says")) is Response


def test_a_refusal_is_none(worlds: OpenWorld) -> None:
    """A model that refuses has completed; `output_parsed` is None, as in the SDK."""
    refused = {"type": "refusal", "refusal": "I would rather not."}
    message = {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": [refused]}
    world = worlds(answer=Script([reply(body_of("completed", output=[message]))]))
    response = world.call("poll", "resp_1", text_format=Moon)
    assert (response.status, response.output_parsed) == ("completed", None)
    assert response.output[0].content[0].refusal == "I would rather not."


def test_the_arguments_of_functions_are_parsed(worlds: OpenWorld) -> None:
    """Calls of `pydantic_function_tool` functions have their arguments parsed, as in the SDK's `parse`."""
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "Weather", "arguments": '{"city": "Bern"}'}
    world = worlds(answer=Script([reply(body_of("completed", output=[call]))]))
    response = world.create_and_poll(text_format=Moon, tools=[openai.pydantic_function_tool(Weather)])
    assert response.output[0].parsed_arguments == Weather(city="Bern")
    assert response.output_parsed is None


@pytest.mark.parametrize("status", ["incomplete", "cancelled"])
def test_an_accepted_end_is_not_parsed(worlds: OpenWorld, status: str) -> None:
    """Half an answer is no answer: of a run that is not completed `output_parsed` is None, and the text is there."""
    body = {**said('{"name": "Tit'), "status": status, "incomplete_details": {"reason": "max_output_tokens"}}
    world = worlds(answer=Script([reply(body)]))
    response = world.call("poll", "resp_1", text_format=Moon, accept=[status])
    assert isinstance(response, ParsedResponse)
    assert (response.status, response.output_parsed, response.output_text) == (status, None, '{"name": "Tit')


def test_a_pending_run_is_not_parsed(worlds: OpenWorld) -> None:
    """A run that is still going at an accepted deadline has no output to parse."""
    world = worlds()
    response = world.create_and_poll("stuck", text_format=Moon, accept=["pending"], max_wait_seconds=5)
    assert isinstance(response, ParsedResponse)
    assert (response.status, response.output_parsed) == ("queued", None)


def test_a_failed_run_is_what_it_was(worlds: OpenWorld) -> None:
    """A failure is raised as ever, whatever its output looks like."""
    body = {**said("no JSON"), "status": "failed"}
    with pytest.raises(RunFailedError) as caught:
        worlds(answer=Script([reply(body)])).call("poll", "resp_1", text_format=Moon)
    assert type(caught.value.run) is Response


def test_no_output_is_none(worlds: OpenWorld) -> None:
    """A completed run that said nothing gives None, as in the SDK."""
    world = worlds(answer=Script([reply(body_of("completed", output=[]))]))
    assert world.call("poll", "resp_1", text_format=Moon).output_parsed is None


# What cannot be parsed


def test_an_output_that_does_not_fit_is_its_own_error(worlds: OpenWorld) -> None:
    """The response was paid for and is on the error; class, token and cause say the rest."""
    world = worlds(saying('{"name": 5}'))
    error = parse_error(world, "create_and_poll", model="m", input="i", text_format=Moon)
    (run,) = world.emulator.runs
    assert isinstance(error, openai.OpenAIError)
    assert isinstance(error, ValueError)
    assert isinstance(error.__cause__, ValidationError)
    assert (type(error.run), error.run.status, error.run.output_text) == (Response, "completed", '{"name": 5}')
    assert (error.response_id, loads(error.run_token).response_id, error.key) == (run.id, run.id, run.runoutcome_key)
    assert (error.outcome.ok, error.retryable, is_retryable(error)) == (True, False, False)
    assert "does not match the model `Moon`: missing, string_type." in str(error)


def test_the_error_of_an_output_travels(worlds: OpenWorld) -> None:
    """Through a pickle the error keeps what it says, in under 2 KB and without the output."""
    error = parse_error(worlds(saying("swordfish " * 1000)), "create_and_poll", model="m", input="i", text_format=Moon)
    data = pickle.dumps(error)
    twin = pickle.loads(data)
    assert len(data) < 2048
    assert b"swordfish" not in data
    assert "swordfish" not in str(error) + repr(error)
    assert (str(twin), twin.run_token, twin.outcome, twin.run) == (str(error), error.run_token, error.outcome, None)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"name": "Titan"', "null"])
def test_any_text_that_is_no_instance(worlds: OpenWorld, text: str) -> None:
    """Whatever the text is, it is an instance or an OutputParseError."""
    assert parse_error(worlds(answer=Script([reply(said(text))])), "poll", "resp_1", text_format=Moon).run is not None


class Strict(BaseModel):
    """A model whose own validator raises something else."""

    name: str

    @field_validator("name")
    @classmethod
    def _look_up(cls, name: str) -> str:
        return {}[name]


def test_an_error_of_a_validator_does_not_lose_the_response(worlds: OpenWorld) -> None:
    """Also what pydantic lets through of a validator's exceptions leaves with the response."""
    error = parse_error(
        worlds(saying('{"name": "Titan"}')), "create_and_poll", model="m", input="i", text_format=Strict
    )
    assert isinstance(error.__cause__, KeyError)
    assert "KeyError" in str(error)
    assert "Titan" in error.run.output_text


@pytest.mark.parametrize("arguments", ['{"city": 5}', "{", ""])
def test_arguments_that_do_not_fit_are_the_same_error(worlds: OpenWorld, arguments: str) -> None:
    """A function call whose arguments are no instance is told in the same way."""
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "Weather", "arguments": arguments}
    world = worlds(answer=Script([reply(body_of("completed", output=[call]))]))
    tools = [openai.pydantic_function_tool(Weather)]
    assert parse_error(world, "create_and_poll", model="m", input="i", text_format=Moon, tools=tools).run.output


@pytest.mark.parametrize("method", ["create", "poll"])
def test_every_method_tells_it(worlds: OpenWorld, method: str) -> None:
    """`create` and `poll` raise the same error, with the token."""
    world = worlds(answer=Script([reply(said("no JSON"))]))
    arguments: dict[str, Any] = {"run": "resp_1"} if method == "poll" else {"model": "m", "input": "i"}
    error = parse_error(world, method, **arguments, text_format=Moon)
    assert loads(error.run_token).response_id == "resp_1"


# With everything else


def test_a_resubmitted_run_keeps_its_format(worlds: OpenWorld) -> None:
    """Each run of a job asks for the same form, and the one that completes is parsed."""
    world = worlds()
    response = world.create_and_poll("server_error,server_error,completed", resubmit=2, text_format=Moon)
    assert isinstance(response.output_parsed, Moon)
    assert len({json.dumps(run.request["text"]) for run in world.emulator.runs}) == 1
    assert len(world.emulator.runs) == 3


def test_an_output_that_does_not_fit_is_not_made_again(worlds: OpenWorld) -> None:
    """It was paid for, and the next may be no better: one run, whatever `resubmit` allows."""
    world = worlds(saying("no JSON"))
    error = parse_error(world, "create_and_poll", model="m", input="i", text_format=Moon, resubmit=5)
    assert (len(world.posts), error.attempts) == (1, ())


def test_an_output_that_does_not_fit_knows_the_attempts(worlds: OpenWorld) -> None:
    """The runs that failed before are on the error as on any other."""
    world = worlds(saying("no JSON"))
    error = parse_error(
        world,
        "create_and_poll",
        model="m",
        input="i",
        metadata={"emulate": "server_error,says"},
        text_format=Moon,
        resubmit=5,
    )
    assert [attempt.response_id for attempt in error.attempts] == [world.emulator.runs[0].id]
    assert pickle.loads(pickle.dumps(error)).attempts == error.attempts


def test_a_resumed_job_is_parsed(worlds: OpenWorld) -> None:
    """A job that goes on with a token parses the run it waits for."""
    world = worlds(saying(TITAN))
    run_id = world.submitted("says")
    assert world.create_and_poll(resume=run_id, text_format=Moon).output_parsed.name == "Titan"


def test_a_late_completion_is_parsed(worlds: OpenWorld) -> None:
    """What a cancel at the deadline finds completed is the result of the wait, in its form."""
    script = Script([reply(body_of("queued")), refusal(409), reply(said())])
    world = worlds(answer=script)
    response = world.call("poll", "resp_1", max_wait_seconds=0, on_timeout="cancel", text_format=Moon)
    assert response.output_parsed.name == "Titan"


def test_a_deadline_is_a_deadline(worlds: OpenWorld) -> None:
    """A format changes nothing about a wait that ends without a result."""
    world = worlds()
    with pytest.raises(WaitTimeoutError):
        world.create_and_poll("stuck", text_format=Moon, max_wait_seconds=5)
    with pytest.raises(RunInternalServerError):
        world.create_and_poll("server_error", text_format=Moon)
