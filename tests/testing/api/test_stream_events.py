"""The events of a stream as a function of the run: no emulator, no clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from openai.types.responses import ResponseError, ResponseStreamEvent
from pydantic import TypeAdapter

from runoutcome.testing import EmulatedRun, OutcomeScript
from runoutcome.testing._api.stream_events import is_end, stream_events
from runoutcome.testing._scenario.outcome_words import builtin_outcome
from runoutcome.testing._state.body import response_body

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
CODES: tuple[str, ...] = get_args(ResponseError.model_fields["code"].annotation)
START = 1_700_000_000.0


def a_run(script: OutcomeScript, **request: Any) -> EmulatedRun:
    """A background run of 1 s in the queue and 4 s at work."""
    script = replace(script, queued_seconds=1.0, running_seconds=4.0)
    body = {"model": "gpt-5", "input": "Hello", "background": True, "stream": True, **request}
    return EmulatedRun("resp_1", START, body, script.name, script, 1)


def named(word: str) -> OutcomeScript:
    """The outcome of a word."""
    script = builtin_outcome(word)
    assert script is not None
    return script


@pytest.mark.parametrize("background", [True, False])
def test_every_event_is_valid_for_the_sdk(background: bool) -> None:
    """Each event validates strictly against the SDK's own union of events."""
    for word in ("completed", "cancelled", "failed", "stuck", "max_output_tokens", "content_filter", *CODES):
        for _, event in stream_events(a_run(named(word), background=background)):
            EVENTS.validate_python(event)


@pytest.mark.parametrize("word", ["completed", "server_error", "max_output_tokens", "status:paused"])
def test_the_events_agree_with_the_polls(word: str) -> None:
    """Events are in order of time, and each body in one is the body that a poll gives at that time."""
    run = a_run(named(word))
    events = stream_events(run)
    assert [event["sequence_number"] for _, event in events] == list(range(len(events)))
    assert [at for at, _ in events] == sorted(at for at, _ in events)
    for at, event in events:
        if "response" in event:
            assert event["response"] == response_body(run, at)
    assert events[-1][0] == START + 5.0
    assert [is_end(event) for _, event in events] == [*[False] * (len(events) - 1), True]


def test_a_run_that_never_ends_has_no_last_event() -> None:
    """A stuck run has told that it is queued, and that is all."""
    assert [event["type"] for _, event in stream_events(a_run(named("stuck")))] == [
        "response.created",
        "response.queued",
    ]


def test_a_run_that_stays_in_progress_is_begun_only() -> None:
    """A run whose status never leaves `in_progress` writes nothing."""
    events = stream_events(a_run(named("status:in_progress")))
    assert events[-1][1]["type"] == "response.in_progress"


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 3.0, 4.9])
def test_a_cancel_changes_nothing_before_it(seconds: float) -> None:
    """The events up to the cancel are those of the run without it; one follows, numbered on."""
    run = a_run(named("completed"))
    whole = stream_events(run)
    cut = stream_events(replace(run, cancelled_at=START + seconds))
    assert cut[:-1] == [(at, event) for at, event in whole if at <= START + seconds]
    at, last = cut[-1]
    assert (at, last["type"], last["response"]["status"]) == (START + seconds, "response.failed", "cancelled")
    assert last["sequence_number"] == len(cut) - 1


def test_events_say_what_the_body_says() -> None:
    """Items, parts and texts of the events are those of the last body, whole or cut."""
    for word in ("completed", "max_output_tokens"):
        events = [event for _, event in stream_events(a_run(named(word), reasoning={"summary": "auto"}))]
        output = events[-1]["response"]["output"]
        assert [event["item"] for event in events if event["type"] == "response.output_item.done"] == output
        texts = [event["text"] for event in events if event["type"] == "response.output_text.done"]
        assert texts == [output[-1]["content"][0]["text"]]


def test_raw_bodies_stream_too() -> None:
    """Whatever a scripted body holds, its events come and the last one carries it."""
    for output in ([], [{"type": "message"}], [{"id": "x", "type": "odd"}]):
        body = {"id": "resp_1", "status": "completed", "output": output}
        events = stream_events(a_run(replace(named("completed"), raw_body=body)))
        assert events[-1][1]["response"] == body
