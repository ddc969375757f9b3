"""Streams as a client sees them: created in the background and in the foreground, cut, resumed, cancelled, spoilt."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from types import ModuleType
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from runoutcome.testing import Emulator, ManualClock

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
LOOK = {
    "type": "function",
    "name": "look",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
BACKGROUND = ["response.created", "response.queued", "response.in_progress"]


class Step(BaseModel):
    """One step of a solution."""

    explanation: str
    output: str


class Solution(BaseModel):
    """What the SDK's own example asks for."""

    steps: list[Step]
    final_answer: str


def opened(client: OpenAI, outcome: str = "completed", **params: Any) -> tuple[str, openai.Stream[Any]]:
    """A stream of a new run, after its first event, and the id of the run."""
    arguments = {"model": "gpt-5", "input": "Hello", "metadata": {"emulate": outcome}, "background": True, **params}
    stream = client.responses.create(stream=True, **arguments)
    return next(stream).response.id, stream


def wire(emulator: Emulator, path: str, body: dict[str, Any] | None = None) -> tuple[str, list[dict[str, Any]]]:
    """The content type and the events, as they are on the wire."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(emulator.base_url + path, data, {"Authorization": "Bearer any"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        frames = reply.read().decode().split("\n\n")
        assert frames.pop() == ""
        events = []
        for frame in frames:
            name, data_line = frame.split("\n")
            events.append(json.loads(data_line.removeprefix("data: ")))
            assert name == f"event: {events[-1]['type']}"
        return reply.headers["content-type"], events


@pytest.mark.parametrize(
    ("outcome", "last", "status"),
    [
        ("completed", "response.completed", "completed"),
        ("max_output_tokens", "response.incomplete", "incomplete"),
        ("server_error", "response.failed", "failed"),
        ("failed", "response.failed", "failed"),
        ("cancelled", "response.failed", "cancelled"),
        ("expired", "response.failed", "expired"),
    ],
)
@pytest.mark.parametrize("background", [True, False])
def test_a_stream_ends_as_its_run_does(
    emulator: Emulator, clock: ManualClock, client: OpenAI, outcome: str, last: str, status: str, background: bool
) -> None:
    """The last event carries the body that a poll gives, and each event before it is numbered from 0."""
    run_id, stream = opened(client, outcome, background=background)
    clock.advance(10)
    events = list(stream)
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert (events[-1].type, events[-1].response.status) == (last, status)
    polled = client.responses.with_raw_response.retrieve(run_id).http_response.json()
    assert events[-1].response.to_dict() == openai.types.responses.Response.construct(**polled).to_dict()
    assert emulator.requests[-2].told == status


def test_a_background_stream_has_the_events_of_the_api(emulator: Emulator) -> None:
    """The wire has every event in the order of the API, nothing after the last, and each is valid for the SDK."""
    body = {"model": "gpt-5", "input": "hi", "background": True, "stream": True, "reasoning": {"summary": "auto"}}
    with Emulator({"queued_seconds": 0, "running_seconds": 0}) as quick:
        content_type, events = wire(quick, "/responses", body)
    assert content_type == "text/event-stream; charset=utf-8"
    for event in events:
        EVENTS.validate_python(event)
    kinds = [event["type"] for event in events if not event["type"].endswith(".delta")]
    assert kinds == [
        *BACKGROUND,
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["response"]["status"] for event in events if "response" in event] == [
        "queued",
        "queued",
        "in_progress",
        "completed",
    ]


def test_a_stream_waits_for_the_time_of_each_event(client: OpenAI, clock: ManualClock, emulator: Emulator) -> None:
    """Nothing is sent before it is due by the emulator's clock."""
    _, stream = opened(client)
    assert next(stream).type == "response.queued"
    assert emulator.requests[-1].told == "queued"
    clock.advance(0.1)
    assert next(stream).type == "response.in_progress"
    assert emulator.requests[-1].told == "in_progress"
    clock.advance(0.4)
    assert list(stream)[-1].type == "response.completed"
    assert emulator.requests[-1].told == "completed"


def test_deltas_add_up_to_the_text(client: OpenAI, clock: ManualClock) -> None:
    """All deltas together are the text that the run ends with."""
    _, stream = opened(client)
    clock.advance(10)
    events = list(stream)
    written = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert written == events[-1].response.output_text != ""


@pytest.mark.parametrize("after", [0, 2, 7])
def test_a_stream_is_resumed_after_its_cursor(client: OpenAI, clock: ManualClock, after: int) -> None:
    """`starting_after` is not included; what comes is what the first stream has, event for event."""
    run_id, stream = opened(client)
    clock.advance(10)
    whole = [event.to_dict() for event in stream]
    resumed = client.responses.retrieve(run_id, stream=True, starting_after=after)
    assert [event.to_dict() for event in resumed] == whole[after:]


def test_a_stream_is_replayed_from_the_start(client: OpenAI, clock: ManualClock, emulator: Emulator) -> None:
    """Without a cursor every event comes again, and the request is on record as a stream."""
    run_id, stream = opened(client)
    clock.advance(10)
    events = list(stream)
    replayed = list(client.responses.retrieve(run_id, stream=True))
    assert len(replayed) == len(events) + 1
    assert (emulator.requests[-1].route, emulator.requests[-1].told) == ("stream", "completed")


def test_the_example_of_the_sdk_runs(connect: Callable[[Emulator], OpenAI]) -> None:
    """A stream of a run with a `text_format`, left at event 10 and taken up again, ends in a parsed answer."""
    with Emulator(speed=10) as emulator:
        client = connect(emulator)
        run_id = None
        with client.responses.stream(
            input="solve 8x + 31 = 2", model="gpt-4o-2024-08-06", text_format=Solution, background=True
        ) as stream:
            for event in stream:
                if event.type == "response.created":
                    run_id = event.response.id
                if event.sequence_number == 10:
                    break
        assert run_id is not None
        with client.responses.stream(response_id=run_id, starting_after=10, text_format=Solution) as stream:
            assert next(event.sequence_number for event in stream) == 11
            parsed = stream.get_final_response().output_parsed
    assert parsed == Solution(steps=[Step(explanation="emulated", output="emulated")], final_answer="emulated")


def test_an_async_client_streams_and_resumes() -> None:
    """The same for AsyncOpenAI, by `create` and by `retrieve`."""
    import asyncio

    async def run(base_url: str) -> list[int]:
        async with AsyncOpenAI(base_url=base_url, api_key="any") as client:
            stream = await client.responses.create(model="gpt-5", input="hi", background=True, stream=True)
            first = await stream.__anext__()
            await stream.close()
            rest = await client.responses.retrieve(first.response.id, stream=True, starting_after=first.sequence_number)
            return [event.sequence_number async for event in rest]

    with Emulator(speed=10) as emulator:
        numbers = asyncio.run(run(emulator.base_url))
    assert numbers == list(range(1, len(numbers) + 1))


def test_arguments_of_a_call_are_streamed(client: OpenAI, clock: ManualClock) -> None:
    """A function call comes in deltas that add up to its arguments."""
    _, stream = opened(client, tools=[LOOK], tool_choice="required")
    clock.advance(10)
    events = list(stream)
    for event in events:
        EVENTS.validate_python(event.to_dict())
    written = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    assert written == events[-1].response.output[-1].arguments
    assert json.loads(written) == {"city": "emulated"}


def test_a_cancel_ends_an_open_stream(client: OpenAI, clock: ManualClock) -> None:
    """A run cancelled elsewhere ends its stream: the last event is `response.failed` with status cancelled."""
    run_id, stream = opened(client)
    clock.advance(0.2)
    before = [next(stream).type for _ in range(3)]
    client.responses.cancel(run_id)
    last = list(stream)[-1]
    assert before == ["response.queued", "response.in_progress", "response.output_item.added"]
    assert (last.type, last.response.status, last.response.error) == ("response.failed", "cancelled", None)
    clock.advance(10)
    replayed = list(client.responses.retrieve(run_id, stream=True))
    assert replayed[-1].to_dict() == last.to_dict()


def test_a_delete_ends_an_open_stream(client: OpenAI) -> None:
    """The stream of a run that is deleted just ends."""
    run_id, stream = opened(client)
    client.responses.delete(run_id)
    assert [event.type for event in stream] in ([], ["response.queued"])


@pytest.mark.parametrize("lacking", ["background", "stream"])
def test_only_a_background_stream_can_be_streamed_later(client: OpenAI, lacking: str) -> None:
    """A run that was created without `background` or without `stream` is refused, in the words of the API."""
    if lacking == "stream":
        run_id = client.responses.create(model="gpt-5", input="hi", background=True).id
    else:
        run_id, _ = opened(client, background=False)
    with pytest.raises(openai.BadRequestError, match=f"not created with {lacking}=true") as caught:
        client.responses.retrieve(run_id, stream=True)
    assert caught.value.param == "stream"


def test_after_five_minutes_there_is_no_stream(client: OpenAI, clock: ManualClock) -> None:
    """A run can be streamed up to the age of 5 minutes; a plain retrieve works on."""
    run_id, stream = opened(client)
    stream.close()
    clock.advance(299)
    assert list(client.responses.retrieve(run_id, stream=True))
    clock.advance(1)
    with pytest.raises(openai.BadRequestError, match="more than 5 minutes old"):
        client.responses.retrieve(run_id, stream=True)
    assert client.responses.retrieve(run_id).status == "completed"


def test_speed_divides_the_five_minutes(connect: Callable[[Emulator], OpenAI]) -> None:
    """At speed 60 a run can be streamed for five seconds."""
    clock = ManualClock()
    with Emulator(clock=clock, speed=60) as emulator:
        client = connect(emulator)
        run_id, stream = opened(client)
        stream.close()
        clock.advance(5)
        with pytest.raises(openai.BadRequestError, match="5 minutes"):
            client.responses.retrieve(run_id, stream=True)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("stream=1", "stream"),
        ("stream=true&starting_after=x", "starting_after"),
        ("stream=true&starting_after=-1", "starting_after"),
        ("starting_after=1", "starting_after"),
        ("include_obfuscation=no", "include_obfuscation"),
        ("include=everything", "include[0]"),
    ],
)
def test_a_bad_query_is_refused_by_name(client: OpenAI, query: str, param: str) -> None:
    """A retrieve with a query that cannot be is a 400 that names the parameter."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.get(f"/responses/resp_x?{query}", cast_to=object)
    assert caught.value.param == param


def spoilt(emulator: Emulator, client: OpenAI, fault: Any) -> tuple[list[str], Exception | None]:
    """The event types of one whole replay that meets a fault, and what it ended in."""
    run_id, stream = opened(client)
    stream.close()
    emulator.fault("stream", fault, times=1)
    seen: list[str] = []
    try:
        for event in client.responses.retrieve(run_id, stream=True):
            seen.append(event.type)
    except Exception as error:  # noqa: BLE001 - what a client meets differs from line to line
        return seen, error
    return seen, None


def test_a_stream_can_be_cut(connect: Callable[[Emulator], OpenAI], caplog: pytest.LogCaptureFixture) -> None:
    """After so many events the connection is reset: an error of the client, and none of the server."""
    with Emulator({"queued_seconds": 0, "running_seconds": 0}) as emulator:
        seen, error = spoilt(emulator, connect(emulator), {"kind": "stream-cut", "after": 3})
    assert (seen, error is None) == (BACKGROUND, False)
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_a_stream_can_stall(http: ModuleType) -> None:
    """After so many events nothing more comes: the client's read timeout, at once with a manual clock."""
    emulator = Emulator({"queued_seconds": 0, "running_seconds": 0}, clock=ManualClock())
    transport = http.Client(transport=emulator.transport())
    with OpenAI(base_url="http://emulator/v1", api_key="any", max_retries=0, http_client=transport) as client:
        seen, error = spoilt(emulator, client, {"kind": "stream-stall", "after": 3})
    assert (seen, error is None) == (BACKGROUND, False)


def test_a_stream_can_end_in_silence(connect: Callable[[Emulator], OpenAI]) -> None:
    """A clean end without the last event is no error to the client."""
    with Emulator({"queued_seconds": 0, "running_seconds": 0}) as emulator:
        assert spoilt(emulator, connect(emulator), "stream-eof") == (BACKGROUND[:2], None)


def test_an_event_can_come_twice_or_not_at_all(connect: Callable[[Emulator], OpenAI]) -> None:
    """The event after the first two is sent twice, or left out; the stream goes on to its end."""
    with Emulator({"queued_seconds": 0, "running_seconds": 0}) as emulator:
        client = connect(emulator)
        twice, error = spoilt(emulator, client, "stream-duplicate")
        assert (twice[:4], error) == ([*BACKGROUND, BACKGROUND[-1]], None)
        skipped, error = spoilt(emulator, client, "stream-skip")
        assert (skipped, error) == ([*BACKGROUND[:2], *twice[4:]], None)


def test_a_create_that_streams_meets_its_faults(connect: Callable[[Emulator], OpenAI]) -> None:
    """A fault of streams on a create breaks its stream; the run goes on, and can be taken up."""
    with Emulator({"queued_seconds": 0, "running_seconds": 0}) as emulator:
        client = connect(emulator)
        emulator.fault("create", "stream-eof", times=1)
        run_id, stream = opened(client)
        assert [event.type for event in stream] == BACKGROUND[1:2]
        resumed = list(client.responses.retrieve(run_id, stream=True, starting_after=1))
    assert (resumed[0].type, resumed[-1].type) == ("response.in_progress", "response.completed")
    assert [request.told for request in emulator.requests] == ["queued", "completed"]


def test_an_open_stream_does_not_hold_up_the_stop(connect: Callable[[Emulator], OpenAI]) -> None:
    """Stopping ends the stream of a run that never ends."""
    with Emulator(clock=ManualClock()) as emulator:
        _, stream = opened(connect(emulator), "stuck")
        assert next(stream).type == "response.queued"
    with pytest.raises(Exception):  # noqa: B017, PT011 - the library's own, which differs from line to line
        list(stream)
