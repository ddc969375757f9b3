"""Streams of runs over real sockets, in both colours: what comes, what is raised, what is left behind."""

from __future__ import annotations

import asyncio
import json
import pickle
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import openai
import pydantic
import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseCompletedEvent, ResponseCreatedEvent, ResponseTextDeltaEvent

import runoutcome
from bodies import short
from colours import COLOURS, PARAMS, OpenWorld, RawServer, Script, World, body_of, open_worlds, refusal, reply
from runoutcome import (
    AsyncRuns,
    OutputParseError,
    RunCancelledError,
    RunGoneError,
    RunInternalServerError,
    Runs,
    SubmissionUnknownError,
    WaitTimeoutError,
)
from runoutcome._sdk.responses import native_http_library
from runoutcome._waiting.resume_token import loads
from runoutcome.testing import Emulator
from runoutcome.testing._api.stream_events import stream_events

worlds = pytest.fixture(params=COLOURS)(open_worlds)

AT_ONCE = {"queued_seconds": 0, "running_seconds": 0}
STUCK = {**AT_ONCE, "outcomes": [{"name": "stuck", "status": "in_progress"}]}
QUICK: dict[str, Any] = {"poll_interval_ms": 1}
"""Faults are paused for one millisecond."""
IMPATIENT: dict[str, Any] = {**QUICK, "idle_timeout_seconds": 0.3}
"""And silence is short."""


@dataclass
class Followed:
    """What a stream gave."""

    events: list[Any] = field(default_factory=list)
    response: Any = None
    error: Any = None
    """What `get_final_response` raised."""
    stream: Any = None
    id_at_first: str | None = None

    @property
    def numbers(self) -> list[int | None]:
        """The numbers of the events."""
        return [event.sequence_number for event in self.events]

    @property
    def types(self) -> list[str]:
        """The types of the events."""
        return [event.type for event in self.events]


Body = Callable[[Any, Any], None]
"""What is done with each event: the stream and the event. Leaves the loop by raising StopIteration."""


def follow(world: World, name: str, *args: Any, on_event: Body | None = None, final: bool = True, **kwargs: Any) -> Any:
    """Follow a stream in the world's colour; `on_event` is called with each event."""
    if world.colour == "sync":
        with world.client() as client:
            return _follow(world.runs(client), name, args, on_event, final, kwargs)

    async def go() -> Followed:
        async with world.client() as client:
            return await _follow_async(world.runs(client), name, args, on_event, final, kwargs)

    return asyncio.run(go())


def _follow(runs: Runs, name: str, args: Any, on_event: Body | None, final: bool, kwargs: Any) -> Followed:
    done = Followed()
    with getattr(runs, name)(*args, **kwargs) as done.stream:
        done.id_at_first = done.stream.response_id
        for event in done.stream:
            done.events.append(event)
            if on_event is not None and on_event(done.stream, event) == "leave":
                return done
        try:
            done.response = done.stream.get_final_response() if final else None
        except openai.OpenAIError as error:
            done.error = error
    return done


async def _follow_async(runs: AsyncRuns, name: str, args: Any, on_event: Body | None, final: bool, kwargs: Any) -> Any:
    done = Followed()
    async with getattr(runs, name)(*args, **kwargs) as done.stream:
        done.id_at_first = done.stream.response_id
        async for event in done.stream:
            done.events.append(event)
            if on_event is not None and on_event(done.stream, event) == "leave":
                return done
        try:
            done.response = await done.stream.get_final_response() if final else None
        except openai.OpenAIError as error:
            done.error = error
    return done


def create_and_follow(world: World, outcome: str = "completed", **kwargs: Any) -> Any:
    """`create_and_stream` of a run with this outcome."""
    metadata = {"emulate": outcome, **kwargs.pop("metadata", {})}
    return follow(world, "create_and_stream", **{**PARAMS, **QUICK, "metadata": metadata, **kwargs})


def streamable(world: World, outcome: str = "completed", **params: Any) -> str:
    """The id of a run that was submitted elsewhere with a stream."""
    with world.plain.responses.create(
        **PARAMS, background=True, stream=True, metadata={"emulate": outcome}, **params
    ) as stream:
        return next(iter(stream)).response.id


def true_events(world: World, run_id: str) -> list[Any]:
    """All events of an ended run, read without `Runs`."""
    with world.plain.responses.retrieve(run_id, stream=True) as stream:
        return list(stream)


def leaving_error(world: World, kind: type[BaseException], name: str, *args: Any, **kwargs: Any) -> Any:
    """What leaves the with statement, checked for its token."""
    with pytest.raises(kind) as caught:
        follow(world, name, *args, **kwargs)
    assert loads(caught.value.run_token).response_id  # type: ignore[attr-defined]
    return caught.value


# What comes


def test_the_events_are_the_sdks_own(worlds: OpenWorld) -> None:
    """A created run's events come as the SDK's typed objects, each once, and the response as from `poll`."""
    world = worlds(AT_ONCE)
    done = create_and_follow(world)
    run_id = done.response.id
    assert done.events == true_events(world, run_id)
    assert [type(done.events[0]), type(done.events[-1])] == [ResponseCreatedEvent, ResponseCompletedEvent]
    assert any(type(event) is ResponseTextDeltaEvent for event in done.events)
    assert type(done.response) is Response
    assert done.response == world.call("poll", run_id)
    assert done.response._request_id.startswith("req_")
    assert (len(world.posts), done.id_at_first, done.stream.last_sequence_number) == (1, run_id, done.numbers[-1])


def test_a_created_run_is_in_the_background_stored_and_marked(worlds: OpenWorld) -> None:
    """What is sent is what `create` sends, and a stream is asked for."""
    sent: list[Any] = []
    world = worlds(AT_ONCE)
    world.hooks.append(lambda request: sent.append(json.loads(request.content)) if request.content else None)
    create_and_follow(world, key="job")
    assert {name: sent[0][name] for name in ("background", "stream", "store")} == dict.fromkeys(
        ("background", "stream", "store"), True
    )
    assert sent[0]["metadata"]["runoutcome_key"] == world.posts[0].idempotency_key == "job-1"


@pytest.mark.parametrize("named_by", ["id", "token", "response"])
def test_a_run_is_named_as_for_poll(worlds: OpenWorld, named_by: str) -> None:
    """A response id, a resume token or a response names the run."""
    world = worlds(AT_ONCE)
    run_id = streamable(world)
    pending = openai.types.responses.Response.construct(**body_of("queued", run_id))
    named = {"id": run_id, "token": json.dumps({"runoutcome": 1, "id": run_id}), "response": pending}[named_by]
    done = follow(world, "stream", named, **QUICK)
    assert done.events == true_events(world, run_id)
    assert done.response.status == "completed"


def test_the_token_is_told_when_the_run_is_known(worlds: OpenWorld) -> None:
    """`on_submitting`, `on_submitted` and the events come in this order."""
    told: list[Any] = []
    create_and_follow(
        worlds(AT_ONCE),
        on_submitting=lambda key: told.append(("submitting", key)),
        on_submitted=lambda token: told.append(("submitted", loads(token).key)),
        on_event=lambda stream, event: told.append(("event", event.type)) if len(told) < 3 else None,
        key="job",
    )
    assert told == [("submitting", "job-1"), ("submitted", "job-1"), ("event", "response.created")]


def test_each_status_is_told_once(worlds: OpenWorld) -> None:
    """`on_update` hears each change of status, whether a stream or a poll tells it."""
    world = worlds({**AT_ONCE, "faults": [{"route": "stream", "fault": "stream-cut", "to": 2}]})
    told: list[Any] = []
    follow(world, "stream", streamable(world), on_update=lambda outcome: told.append(outcome.status), **QUICK)
    assert told == ["queued", "in_progress", "completed"]


def test_a_live_stream(worlds: OpenWorld) -> None:
    """Events come while the run is going, not when it has ended."""
    with Emulator({"queued_seconds": 0, "running_seconds": 0.3}) as emulator:
        world = worlds(base_url=emulator.base_url, real_time=True)
        seen: list[str | None] = []

        def look(stream: Any, event: Any) -> None:
            if event.type == "response.in_progress":
                with OpenAI(base_url=emulator.base_url, api_key="any") as client:
                    seen.append(client.responses.retrieve(stream.response_id).status)

        done = create_and_follow(world, on_event=look)
    assert seen == ["in_progress"]
    assert done.numbers == list(range(len(done.events)))


# What is raised, and what is returned


ENDS = [
    "rate_limit_exceeded",
    "server_error",
    "invalid_prompt",
    "failed",
    "failed:never_heard_of",
    "failed:418",
    "content_filter",
    "max_output_tokens",
    "cancelled",
    "expired",
]


@pytest.mark.parametrize("outcome", ENDS)
def test_every_end_is_what_polling_makes_of_it(worlds: OpenWorld, outcome: str) -> None:
    """Iterating raises nothing for a run that did not complete; `get_final_response` raises what `poll` raises."""
    world = worlds(AT_ONCE)
    done = create_and_follow(world, outcome)
    assert done.types[-1] in ("response.failed", "response.incomplete")
    with pytest.raises(runoutcome.RunError) as caught:
        world.call("poll", done.stream.response_id)
    polled: Any = caught.value
    assert type(done.error) is type(polled)
    assert done.error.outcome == polled.outcome
    assert (done.error.poll_status_code, done.error.request_id[:4]) == (200, "req_")
    assert done.error.run.to_dict() == polled.run.to_dict()
    assert type(pickle.loads(pickle.dumps(done.error))) is type(polled)
    assert loads(done.error.run_token).cursor == done.numbers[-1]


@pytest.mark.parametrize(("outcome", "word"), [("max_output_tokens", "incomplete"), ("cancelled", "cancelled")])
def test_an_accepted_end_is_returned(worlds: OpenWorld, outcome: str, word: Any) -> None:
    """An end that `accept` names is a response."""
    done = create_and_follow(worlds(AT_ONCE), outcome, accept=[word])
    assert (type(done.response), done.response.status) == (Response, word)


def test_a_run_that_is_cancelled_meanwhile(worlds: OpenWorld) -> None:
    """The stream of a cancelled run ends in `response.failed`, and the error is RunCancelledError."""
    world = worlds(STUCK)

    def cancel(stream: Any, event: Any) -> None:
        if event.type == "response.in_progress":
            world.plain.responses.cancel(stream.response_id)

    done = create_and_follow(world, "stuck", metadata={"emulate": "in_progress"}, on_event=cancel)
    assert done.types[-1] == "response.failed"
    assert type(done.error) is RunCancelledError


def test_the_response_without_a_loop(worlds: OpenWorld) -> None:
    """`get_final_response` reads what nobody has read, at any time, and again."""
    world = worlds(AT_ONCE)
    results: list[Any] = []
    if world.colour == "sync":
        with world.client() as client, Runs(client).create_and_stream(**PARAMS) as stream:
            next(stream)
            results = [stream.get_final_response(), stream.get_final_response()]
        results.append(stream.get_final_response())
    else:

        async def go() -> None:
            async with world.client() as client:
                async with AsyncRuns(client).create_and_stream(**PARAMS) as stream:
                    await stream.__anext__()
                    results.extend([await stream.get_final_response(), await stream.get_final_response()])
                results.append(await stream.get_final_response())

        asyncio.run(go())
    assert {result.status for result in results} == {"completed"}
    assert len(world.emulator.requests) == 1


class Moon(pydantic.BaseModel):
    """What the model is to say."""

    name: str


def test_the_output_is_parsed_in_the_end(worlds: OpenWorld) -> None:
    """With `text_format` the response is the SDK's parsed one."""
    done = create_and_follow(worlds(AT_ONCE), text_format=Moon)
    assert type(done.response.output_parsed) is Moon


def test_an_output_that_cannot_be_parsed(worlds: OpenWorld) -> None:
    """An output in another form is OutputParseError, with the response; the events came all the same."""
    world = worlds(AT_ONCE)
    done = follow(world, "stream", streamable(world), text_format=Moon, **QUICK)
    assert type(done.error) is OutputParseError
    assert done.types[-1] == "response.completed"


# Faults


STREAM_FAULTS: list[Any] = [
    *["stream-cut", "stream-eof", "stream-stall", "stream-duplicate", "stream-skip"],
    {"kind": "stream-cut", "after": 0},
    {"kind": "stream-eof", "after": 0},
    {"kind": "stream-stall", "after": 0},
    *["500", "503", "429", "408", "409", "502-html", "html", "cut", "empty", "{}", "reset", "torn", "stall"],
    *["bad-gzip", "redirect"],
]


@pytest.mark.parametrize("fault", STREAM_FAULTS, ids=str)
def test_a_fault_costs_no_event(worlds: OpenWorld, fault: Any) -> None:
    """Two streams in a row that go wrong: each event comes once and in order, and the run is made once."""
    world = worlds({**AT_ONCE, "faults": [{"route": "stream", "fault": fault, "times": 2}]})
    run_id = streamable(world)
    done = follow(world, "stream", run_id, **(IMPATIENT if "stall" in str(fault) else QUICK))
    assert [event.to_dict() for event in done.events] == [event for _, event in stream_events(world.emulator.runs[0])]
    assert done.response.status == "completed"
    assert (len(world.posts), world.cancels) == (1, [])


@pytest.mark.parametrize("fault", [*STREAM_FAULTS[:5], {"kind": "stream-cut", "after": 1}], ids=str)
def test_a_create_whose_stream_breaks_goes_on(worlds: OpenWorld, fault: Any) -> None:
    """A create whose stream breaks when the id is known is gone on with; nothing is created again."""
    world = worlds({**AT_ONCE, "faults": [{"route": "create", "fault": fault}]})
    done = create_and_follow(world, **(IMPATIENT if "stall" in str(fault) else {}))
    assert done.events == true_events(world, done.response.id)
    assert len(world.posts) == 1


def test_it_goes_on_after_the_last_event(worlds: OpenWorld) -> None:
    """The request for the rest names the last event, and nothing is asked for twice."""
    world = worlds({**AT_ONCE, "faults": [{"route": "create", "fault": {"kind": "stream-cut", "after": 5}}]})
    urls: list[str] = []
    world.hooks.append(lambda request: urls.append(str(request.url)))
    create_and_follow(world)
    assert len(urls) == 2
    assert urls[1].endswith("?stream=true&starting_after=4") or urls[1].endswith("?starting_after=4&stream=true")


def test_a_stream_that_goes_on_asks_for_the_same_fields(worlds: OpenWorld) -> None:
    """The `include` of the create is in the token, and in the query of each further stream of the run."""
    world, urls = worlds(), list[Any]()
    asking = {**PARAMS, "include": ["message.output_text.logprobs"]}
    first = follow(world, "create_and_stream", **asking, on_event=lambda *_: "leave")
    world.hooks.append(lambda request: urls.append(request.url))
    assert follow(world, "stream", first.stream.token).response.status == "completed"
    assert {url.params["include[]"] for url in urls} == {"message.output_text.logprobs"}


@pytest.mark.parametrize("fault", ["503", "429", "500"])
def test_a_refused_create_is_sent_again(worlds: OpenWorld, fault: str) -> None:
    """A create that was surely not accepted is sent again, and streams."""
    world = worlds({**AT_ONCE, "faults": [{"route": "create", "fault": {"status": int(fault)}, "times": 1}]})
    assert create_and_follow(world).response.status == "completed"
    assert (len(world.posts), len(world.emulator.runs)) == (2, 1)


@pytest.mark.parametrize(
    "fault", [*["lost", "502-html", "html", "cut", "empty", "{}", "torn"], *STREAM_FAULTS[5:8]], ids=str
)
def test_a_create_whose_fate_is_unknown_is_not_sent_again(worlds: OpenWorld, fault: Any) -> None:
    """Without the id of the run nobody knows whether it was made: SubmissionUnknownError, and one POST."""
    world = worlds({**AT_ONCE, "faults": [{"route": "create", "fault": fault}]})
    with pytest.raises(SubmissionUnknownError) as caught:
        create_and_follow(world, key="job", **(IMPATIENT if "stall" in str(fault) else {}))
    assert (caught.value.key, len(world.posts)) == ("job-1", 1)


CREATED_EVENT = {"type": "response.created", "sequence_number": 0, "response": body_of("in_progress")}
COMPLETED_EVENT = {"type": "response.completed", "sequence_number": 1, "response": body_of("completed")}
ODD_EVENTS = ["null", "{not json", "[1]", "5", "{}", '{"n": 1' + "0" * 5000 + "}", "[" * 100_000]


def events_text(*events: Any) -> Any:
    """The answer of a server that sends these events, JSON texts among them."""
    texts = (event if isinstance(event, str) else json.dumps(event) for event in events)
    return reply(text="".join(f"event: x\ndata: {text}\n\n" for text in texts), content_type="text/event-stream")


@pytest.mark.parametrize("odd", ODD_EVENTS, ids=short)
def test_an_odd_first_event_does_not_lose_the_run(worlds: OpenWorld, odd: str) -> None:
    """The stream of a create is read on to the event that names the run, which is paid for."""
    script = Script([events_text(odd, odd, CREATED_EVENT, COMPLETED_EVENT)])
    done = create_and_follow(worlds(answer=script))
    assert (done.types, done.response.id) == (["response.created", "response.completed"], "resp_1")
    assert script.methods == ["POST"]


@pytest.mark.parametrize(
    ("fields", "run_fields"),
    [
        ({}, {"created_at": 10**400}),
        ({}, {"created_at": 1.5, "_fields_set": 3, "output": [{"_BaseModel__cls": 1}]}),
        ({}, {"output": json.loads("[" * 400 + "]" * 400)}),
        ({"sequence_number": 10**400}, {}),
        ({"error": {"code": "server_error", "message": "m"}}, {}),
        ({"type": None}, {}),
        ({"type": "error"}, {}),
    ],
    ids=short,
)
def test_an_id_is_taken_where_it_stands(worlds: OpenWorld, fields: dict[str, Any], run_fields: dict[str, Any]) -> None:
    """An event that names the run does so whatever else it holds."""
    event = {**CREATED_EVENT, **fields, "response": body_of("in_progress", **run_fields)}
    script = Script([events_text(event, COMPLETED_EVENT), *["completed"] * 9])
    world = worlds(answer=script)
    assert create_and_follow(world).response.id == "resp_1"
    assert script.methods.count("POST") == 1


@pytest.mark.parametrize("events", [[], *([odd] for odd in ODD_EVENTS)], ids=short)
def test_a_create_whose_stream_names_no_run_is_ambiguous(worlds: OpenWorld, events: list[str]) -> None:
    """A stream that ends without an id leaves open whether a run was made."""
    script = Script([events_text(*events)])
    with pytest.raises(SubmissionUnknownError):
        create_and_follow(worlds(answer=script))
    assert script.methods == ["POST"]


def test_a_create_that_is_refused(worlds: OpenWorld) -> None:
    """A refusal is the SDK's own error."""
    world = worlds(AT_ONCE)
    with pytest.raises(openai.BadRequestError):
        create_and_follow(world, max_output_tokens=1)
    assert world.emulator.runs == []


# No stream to be had


def test_a_run_without_a_stream_is_polled(worlds: OpenWorld) -> None:
    """A run that was created without a stream gives one event, of its end, and the response."""
    world = worlds()
    run_id = world.submitted()
    done = follow(world, "stream", run_id)
    assert [(type(event), event.synthetic) for event in done.events] == [(ResponseCompletedEvent, True)]
    assert done.events[0].response == done.response == world.plain.responses.retrieve(run_id)
    assert done.stream.last_sequence_number is None
    assert sum(request.route == "stream" for request in world.emulator.requests) == 1


def test_past_five_minutes_the_rest_is_polled_for(worlds: OpenWorld) -> None:
    """A stream that breaks when the run is 5 minutes old ends with the event of the end, made of the body."""
    scenario = {**AT_ONCE, "running_seconds": 400, "faults": [{"route": "create", "fault": "stream-cut"}]}
    world = worlds(scenario)
    done = create_and_follow(
        world,
        max_wait_seconds=3600,
        poll_interval_ms=None,
        on_fault=lambda error: world.clock.advance(301) if len(world.emulator.requests) == 1 else None,
    )
    assert (done.numbers, done.types[-1]) == ([0, 1, 2], "response.completed")
    assert [getattr(event, "synthetic", False) for event in done.events] == [False, False, True]
    assert [request.status for request in world.emulator.requests][:2] == [200, 400]
    assert done.response.status == "completed"


@pytest.mark.parametrize("outcome", ["server_error", "max_output_tokens", "cancelled"])
def test_a_polled_end_raises_what_it_amounts_to(worlds: OpenWorld, outcome: str) -> None:
    """Without a stream, too, the end is an event, and the exception comes from `get_final_response`."""
    world = worlds()
    run_id = world.submitted(outcome)
    done = follow(world, "stream", run_id)
    assert len(done.events) == 1
    with pytest.raises(runoutcome.RunError) as caught:
        world.call("poll", run_id)
    assert (type(done.error), done.error.outcome) == (type(caught.value), caught.value.outcome)
    assert loads(done.error.run_token).response_id == run_id


def test_a_response_that_has_ended(worlds: OpenWorld) -> None:
    """A response that says that its run has ended is not polled; its events are fetched if the server has them."""
    world = worlds(AT_ONCE)
    ended = world.plain.responses.retrieve(streamable(world))
    polls = len(world.polls)
    assert follow(world, "stream", ended, **QUICK).events == true_events(world, ended.id)
    assert [request.route for request in world.polls[polls:]] == ["stream", "stream"]
    bare = world.plain.responses.retrieve(world.submitted())
    done = follow(world, "stream", bare, **QUICK)
    assert (len(done.events), done.response.id, world.polls[-1].route) == (1, bare.id, "stream")


# What leaves


def test_the_deadline_bounds_a_silent_stream(worlds: OpenWorld) -> None:
    """WaitTimeoutError leaves the loop at the deadline, with the cursor; the run is left alone."""
    with Emulator(STUCK) as emulator:
        world = worlds(base_url=emulator.base_url, real_time=True)
        error = leaving_error(world, WaitTimeoutError, "create_and_stream", **PARAMS, max_wait_seconds=0.4)
        assert (error.outcome.status, loads(error.token).cursor) == ("in_progress", 2)
        assert [request.route for request in emulator.requests if request.route == "cancel"] == []


def test_the_deadline_may_cancel(worlds: OpenWorld) -> None:
    """With `on_timeout="cancel"` the run is stopped at the deadline, and said to be."""
    with Emulator(STUCK) as emulator:
        world = worlds(base_url=emulator.base_url, real_time=True)
        error = leaving_error(
            world, WaitTimeoutError, "create_and_stream", **PARAMS, max_wait_seconds=0.3, on_timeout="cancel"
        )
        assert error.outcome.status == "cancelled"


def test_it_can_be_gone_on_with(worlds: OpenWorld) -> None:
    """The token of what left gives the rest of the events, and no other."""
    world = worlds(AT_ONCE)

    def stop(stream: Any, event: Any) -> None:
        if event.sequence_number == 4:
            raise LookupError

    error = leaving_error(world, LookupError, "create_and_stream", **PARAMS, on_event=stop)
    run_id = loads(error.run_token).response_id
    rest = follow(world, "stream", error.run_token, **QUICK)
    assert rest.events == true_events(world, run_id)[5:]
    again = follow(world, "stream", error.run_token, starting_after=1, **QUICK)
    assert again.numbers[0] == 2
    assert world.call("poll", error.run_token).id == run_id


@pytest.mark.parametrize("status", [401, 403])
def test_refused_keys(worlds: OpenWorld, status: int) -> None:
    """401 and 403 leave the loop at once, as the SDK's own error."""
    world = worlds(answer=lambda request: refusal(status))
    error = leaving_error(world, openai.APIStatusError, "stream", "resp_1")
    assert type(error) in (openai.AuthenticationError, openai.PermissionDeniedError)


def test_a_run_that_never_was(worlds: OpenWorld) -> None:
    """An id nobody knows is the SDK's own NotFoundError."""
    error = leaving_error(worlds(), openai.NotFoundError, "stream", "resp_unheard")
    assert not isinstance(error, RunGoneError)


def test_a_run_that_is_gone(worlds: OpenWorld) -> None:
    """A run that was there and answers 404 is RunGoneError."""
    world = worlds(STUCK)

    def delete(stream: Any, event: Any) -> None:
        if event.sequence_number == 1:
            world.plain.responses.delete(stream.response_id)
            world.clock.advance(60)

    leaving_error(world, RunGoneError, "create_and_stream", **{**PARAMS, **QUICK}, on_event=delete)


def test_leaving_early_closes_the_connection(worlds: OpenWorld) -> None:
    """A loop that is left closes the socket at once, while the run goes on."""
    with RawServer(_endless) as server:
        world = worlds(base_url=server.base_url)
        done = follow(world, "stream", "resp_1", on_event=lambda stream, event: "leave")
        server.hung_up.wait()
    assert (len(done.events), len(server.requests)) == (1, 1)


def test_a_task_that_is_cancelled_closes_the_connection() -> None:
    """Cancelling the task that waits for an event closes the socket; what leaves carries the token."""
    tokens: list[str] = []
    with RawServer(_silent_after_one) as server:

        async def read(came: asyncio.Event) -> None:
            async with openai.AsyncOpenAI(base_url=server.base_url, api_key="any") as client:
                try:
                    async with AsyncRuns(client).stream("resp_1") as stream:
                        async for _ in stream:
                            came.set()
                except asyncio.CancelledError as error:
                    tokens.append(error.run_token)  # type: ignore[attr-defined]
                    raise

        async def go() -> None:
            came = asyncio.Event()
            task = asyncio.create_task(read(came))
            await came.wait()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

        asyncio.run(go())
        server.hung_up.wait()
    assert loads(tokens[0]).cursor == 0


@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_an_interrupt_leaves_the_run_or_stops_it(worlds: OpenWorld, on_interrupt: Any) -> None:
    """Ctrl-C within the with statement leaves the run alone, or has it stopped where that was asked for."""
    world = worlds(STUCK)

    def interrupt(stream: Any, event: Any) -> None:
        raise KeyboardInterrupt

    error = leaving_error(
        world, KeyboardInterrupt, "create_and_stream", **PARAMS, on_interrupt=on_interrupt, on_event=interrupt
    )
    assert len(world.cancels) == (on_interrupt == "cancel")
    assert getattr(error, "run_cancelled", None) == (True if on_interrupt == "cancel" else None)


# A server of our own


def sse(*events: Any) -> bytes:
    """Events as they are sent."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def run_events(count: int = 6) -> list[dict[str, Any]]:
    """The events of a run that completes."""
    created = {"type": "response.created", "response": body_of("in_progress")}
    deltas = [{"type": "response.output_text.delta", "delta": f"{number} ", "item_id": "m"} for number in range(count)]
    ended = {"type": "response.completed", "response": body_of("completed")}
    return [{**event, "sequence_number": number} for number, event in enumerate([created, *deltas, ended])]


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def _endless(connection: socket.socket, head: str) -> None:
    connection.sendall(HEAD + sse(run_events()[0]))
    while True:
        connection.sendall(b": still here\n\n")
        _wait_for_the_client(connection, 0.01)


def _silent_after_one(connection: socket.socket, head: str) -> None:
    connection.sendall(HEAD + sse(run_events()[0]))
    _wait_for_the_client(connection, None)


def _wait_for_the_client(connection: socket.socket, seconds: float | None) -> None:
    connection.settimeout(seconds)
    with suppress(TimeoutError):
        while connection.recv(65536):  # the body of a POST
            pass
        raise ConnectionResetError


def _json(connection: socket.socket, body: Any) -> None:
    content = json.dumps(body).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(content))
    connection.sendall(b"connection: close\r\n\r\n" + content)


@dataclass
class Streams:
    """Answers streams by the texts given, one after the other, the last for ever, and polls with a body."""

    texts: Sequence[Any]
    polled: Any = field(default_factory=lambda: body_of("in_progress"))
    count: int = 0

    def __call__(self, connection: socket.socket, head: str) -> None:
        """Answer one request."""
        if "stream=true" not in head and not head.startswith("POST"):
            _json(connection, self.polled)
            return
        text = self.texts[min(self.count, len(self.texts) - 1)]
        self.count += 1
        if callable(text):
            text(connection, head)
        elif isinstance(text, dict):
            _json(connection, text)
        else:
            connection.sendall(HEAD + text)


def served(worlds: OpenWorld, texts: Sequence[Any], polled: Any = None, **kwargs: Any) -> tuple[Any, RawServer]:
    """What comes of following a run on such a server."""
    with RawServer(Streams(texts, polled or body_of("in_progress"))) as server:
        world = worlds(base_url=server.base_url, real_time=True)
        return follow(world, "stream", "resp_1", **{**QUICK, **kwargs}), server


EVENTS = run_events()


@pytest.mark.parametrize(
    "first",
    [
        sse(*EVENTS[:3], {"type": "error", "code": "server_error", "message": "Sorry.", "sequence_number": 3}),
        sse(*EVENTS[:3]) + b'event: error\ndata: {"error": {"message": "Sorry.", "code": "server_error"}}\n\n',
        sse(*EVENTS[:3]) + b"data: {cut\n\n",
        sse(*EVENTS[:3]) + b"data: \xff\xfe\n\n",
        sse(*EVENTS[:3]) + b"data: 5\n\n",
        sse(*EVENTS[:3]) + b"data: null\n\n",
        sse(*EVENTS[:3]) + b"data: " + b"[" * 100_000 + b"\n\n",
        sse(*EVENTS[:3]) + b"data: [DONE]\n\n",
        sse(*EVENTS[:3]) + b"event: ping\n\n",
        sse(*EVENTS)[:-150],
        sse(*EVENTS[:3], EVENTS[1], EVENTS[2]),
        b"<html>\n\n",
        b"",
    ],
    ids=range(13),
)
def test_garbage_costs_no_event(worlds: OpenWorld, first: bytes) -> None:
    """Error events, JSON that is none, cut events, an end too soon: the stream is opened again for the rest."""
    done, _ = served(worlds, [first, sse(*EVENTS)])
    assert [event.to_dict() for event in done.events] == EVENTS
    assert done.response.status == "completed"


def test_an_error_event_is_no_end(worlds: OpenWorld) -> None:
    """Error events alone raise nothing: the run itself is asked, and what it says counts."""
    text = sse({"type": "error", "code": "server_error", "message": "Sorry.", "sequence_number": 0})
    done, _ = served(worlds, [text], body_of("completed"))
    assert (done.types, done.response.status) == (["response.completed"], "completed")
    failed = body_of("failed", error={"code": "server_error", "message": "Sorry."})
    done, _ = served(worlds, [text], failed)
    assert (done.types, type(done.error)) == (["response.failed"], RunInternalServerError)


def test_comments_are_no_events(worlds: OpenWorld) -> None:
    """A server that only sends comments is silent, however often it sends them."""
    done, server = served(worlds, [_endless, sse(*EVENTS)], **IMPATIENT)
    assert [event.to_dict() for event in done.events] == EVENTS
    assert [head.split()[1].partition("?")[2] for head in server.requests][-1:] != [""]
    assert server.hung_up.is_set()


def test_comments_do_not_outlast_the_deadline(worlds: OpenWorld) -> None:
    """The deadline bounds a read that comments keep alive."""
    with RawServer(Streams([_endless])) as server:
        world = worlds(base_url=server.base_url, real_time=True)
        leaving_error(world, WaitTimeoutError, "stream", "resp_1", max_wait_seconds=0.3)


def test_a_server_that_begins_again(worlds: OpenWorld) -> None:
    """What a server sends again that takes no notice of the cursor is passed over."""
    done, _ = served(worlds, [sse(*EVENTS[:2]), sse(*EVENTS[:5]), sse(*EVENTS)])
    assert [event.to_dict() for event in done.events] == EVENTS


def test_events_nobody_knows_come_too(worlds: OpenWorld) -> None:
    """An event of a type that the SDK does not know is passed on as the SDK gives it."""
    alive = {"type": "keepalive", "sequence_number": 1}
    events = [EVENTS[0], alive, {**EVENTS[-1], "sequence_number": 2}]
    done, _ = served(worlds, [sse(*events)])
    assert done.types == ["response.created", "keepalive", "response.completed"]


def test_a_run_in_place_of_a_stream(worlds: OpenWorld) -> None:
    """A server that answers with the run itself has heard nothing of streams: the run is polled."""
    done, server = served(worlds, [body_of("in_progress")], body_of("completed"))
    assert (done.types, len(server.requests)) == (["response.completed"], 2)


@pytest.mark.parametrize("status", ["queued", "completed", "failed"])
def test_a_create_that_is_answered_without_a_stream(worlds: OpenWorld, status: str) -> None:
    """The run in the answer was paid for: it is followed by polling, and nothing is created again."""
    ended = body_of("failed" if status == "failed" else "completed")
    tokens: list[str] = []
    with RawServer(Streams([body_of(status)], ended)) as server:
        world = worlds(base_url=server.base_url, real_time=True)
        done = follow(world, "create_and_stream", **{**PARAMS, **QUICK}, on_submitted=tokens.append)
    assert (done.id_at_first, loads(tokens[0]).response_id) == ("resp_1", "resp_1")
    assert done.types == [f"response.{ended['status']}"]
    assert sum(head.startswith("POST") for head in server.requests) == 1
    assert (done.response or done.error.run).id == "resp_1"


def test_an_error_before_the_run_is_known(worlds: OpenWorld) -> None:
    """A create whose stream begins with an error event may have made a run: SubmissionUnknownError."""
    with RawServer(Streams([sse({"type": "error", "code": "server_error", "message": "Sorry."})])) as server:
        world = worlds(base_url=server.base_url)
        with pytest.raises(SubmissionUnknownError):
            follow(world, "create_and_stream", **{**PARAMS, **QUICK})
    assert len(server.requests) == 1


def test_a_callback_that_raises_closes_the_stream(worlds: OpenWorld) -> None:
    """What `on_submitted` raises leaves with the token, and the connection is closed."""

    def fail(token: str) -> None:
        raise LookupError

    with RawServer(Streams([_silent_after_one])) as server:
        leaving_error(worlds(base_url=server.base_url), LookupError, "create_and_stream", **PARAMS, on_submitted=fail)
        server.hung_up.wait()


# Without a socket, on another loop


@pytest.mark.parametrize("fault", ["stream-cut", "stream-stall", "stall"])
def test_within_the_process(fault: str) -> None:
    """A transport that has no socket to watch is read as well."""
    emulator = Emulator({**AT_ONCE, "faults": [{"route": "stream", "fault": fault, "to": 2}]})
    http = native_http_library().Client(transport=emulator.transport())
    with (
        OpenAI(api_key="any", http_client=http) as client,
        Runs(client).create_and_stream(**PARAMS) as first,
        Runs(client).stream(first.response_id, **IMPATIENT) as stream,
    ):
        assert [event.sequence_number for event in stream] == [event.sequence_number for event in first]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_under_either_loop(backend: str) -> None:
    """Streams are followed, gone on with and left under asyncio and trio."""
    import anyio

    scenario = {**AT_ONCE, "faults": [{"route": "create", "fault": "stream-stall"}]}
    with Emulator(scenario) as emulator:

        async def go() -> list[int]:
            async with openai.AsyncOpenAI(base_url=emulator.base_url, api_key="any") as client:
                async with AsyncRuns(client).create_and_stream(**PARAMS, **IMPATIENT) as stream:
                    read = [event.sequence_number async for event in stream]
                    assert (await stream.get_final_response()).status == "completed"
                return read

        numbers = anyio.run(go, backend=backend)
    assert numbers == list(range(len(numbers)))


# Wrong use


def test_nothing_happens_before_the_with_statement(worlds: OpenWorld) -> None:
    """Outside a with statement nothing is sent, and whoever asks is told what to do."""
    world = worlds(AT_ONCE)

    def misuse(stream: Any) -> Any:
        for name in ("response_id", "token", "last_sequence_number"):
            with pytest.raises(RuntimeError, match="with statement"):
                getattr(stream, name)
        return stream.get_final_response()

    if world.colour == "sync":
        with world.client() as client, pytest.raises(RuntimeError, match=r"with runs\.stream"):
            misuse(Runs(client).create_and_stream(**PARAMS))
    else:

        async def go() -> None:
            async with world.client() as client:
                with pytest.raises(RuntimeError, match=r"async with runs\.stream"):
                    await misuse(AsyncRuns(client).create_and_stream(**PARAMS))

        asyncio.run(go())
    assert world.emulator.requests == []


def test_a_stream_is_followed_once(worlds: OpenWorld) -> None:
    """A second with statement is refused, and so is reading on after the first; an end that was reached stays."""
    world = worlds(AT_ONCE)
    left = create_and_follow(world, on_event=lambda stream, event: "leave").stream
    if world.colour == "sync":
        with pytest.raises(RuntimeError, match="closed before the run"):
            next(left)
        with pytest.raises(RuntimeError, match="closed before the run"):
            left.get_final_response()
        with pytest.raises(RuntimeError, match="once"):
            left.__enter__()
    else:
        with pytest.raises(RuntimeError, match="closed before the run"):
            asyncio.run(left.__anext__())
        with pytest.raises(RuntimeError, match="closed before the run"):
            asyncio.run(left.get_final_response())
        with pytest.raises(RuntimeError, match="once"):
            asyncio.run(left.__aenter__())
    assert loads(left.token).cursor == 0


def test_a_stream_can_be_closed_at_any_time(worlds: OpenWorld) -> None:
    """`close` closes the connection within the with statement, also twice; nothing can be read after it."""
    with RawServer(_silent_after_one) as server:
        world = worlds(base_url=server.base_url)
        if world.colour == "sync":
            with world.client() as client, Runs(client).stream("resp_1") as stream:
                next(stream)
                stream.close()
                stream.close()
                server.hung_up.wait()
                with pytest.raises(RuntimeError, match="closed before the run"):
                    next(stream)
            return

        async def go() -> None:
            async with world.client() as client, AsyncRuns(client).stream("resp_1") as stream:
                await stream.__anext__()
                await stream.close()
                await stream.close()
                server.hung_up.wait()
                with pytest.raises(RuntimeError, match="closed before the run"):
                    await stream.__anext__()

        asyncio.run(go())


def test_what_left_once_leaves_again(worlds: OpenWorld) -> None:
    """After an error of the wait, reading on gives the same error, not an end."""
    world = worlds(answer=lambda request: refusal(401))
    if world.colour == "sync":
        with world.client() as client, Runs(client).stream("resp_1") as stream:
            for read in (stream.__next__, stream.__next__, stream.get_final_response):
                with pytest.raises(openai.AuthenticationError):
                    read()
        return

    async def go() -> None:
        async with world.client() as client, AsyncRuns(client).stream("resp_1") as stream:
            for read in (stream.__anext__, stream.__anext__, stream.get_final_response):
                with pytest.raises(openai.AuthenticationError):
                    await read()

    asyncio.run(go())


@pytest.mark.parametrize(
    ("name", "kwargs", "match"),
    [
        ("create_and_stream", {"background_options": {"completion_window": "8h"}}, "create_and_poll"),
        ("create_and_stream", {"extra_body": {"background_options": {"completion_window": "2h"}}}, "create_and_poll"),
        ("create_and_stream", {"completion_window": "2h"}, "create_and_poll"),
        ("create_and_stream", {"background": False}, "background=True"),
        ("create_and_stream", {"stream": False}, "stream=True"),
        ("create_and_stream", {"idle_timeout_seconds": 0}, "idle_timeout_seconds"),
        ("stream", {"idle_timeout_seconds": float("nan")}, "idle_timeout_seconds"),
        ("stream", {"starting_after": -1}, "starting_after"),
        ("stream", {"starting_after": "3"}, "starting_after"),
        ("stream", {"starting_after": True}, "starting_after"),
        ("stream", {"max_wait_seconds": -1}, "max_wait_seconds"),
        ("stream", {"accept": "done"}, "accept"),
        ("stream", {"on_timeout": "kill"}, "on_timeout"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense(worlds: OpenWorld, name: str, kwargs: dict[str, Any], match: str) -> None:
    """They are refused where they are given, before anything is sent."""
    world = worlds(AT_ONCE)
    args = ["resp_1"] if name == "stream" else []
    params = PARAMS if name == "create_and_stream" else {}

    def call(runs: Any) -> None:
        with pytest.raises(ValueError, match=match):
            getattr(runs, name)(*args, **params, **kwargs)

    if world.colour == "sync":
        with world.client() as client:
            call(Runs(client))
    else:

        async def go() -> None:
            async with world.client() as client:
                call(AsyncRuns(client))

        asyncio.run(go())


def test_true_may_be_said(worlds: OpenWorld) -> None:
    """`background=True`, `stream=True`, the soonest window and the SDK's word for left out change nothing."""
    params = {"background": True, "stream": True, "store": openai.NOT_GIVEN, "completion_window": "soonest"}
    assert create_and_follow(worlds(AT_ONCE), **params).response.status == "completed"
