"""Events of a run's stream and when each is due: a function of the run, so that every replay is the same. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from .._scenario.script import STUCK
from .._state.body import body_with
from .._state.request import JsonObject
from .._state.runs import PENDING, EmulatedRun, ended_at, has_come

TimedEvent = tuple[float, JsonObject]
"""Due time (Unix seconds) of an event, and the event as it is sent."""

# The last event of a run that ends with another status, such as cancelled; it carries that status.
_LAST = "response.failed"
_LAST_OF: Mapping[str, str] = MappingProxyType({"completed": "response.completed", "incomplete": "response.incomplete"})
_PIECES = re.compile(r"\s*\S+|\s+$")


def stream_events(run: EmulatedRun) -> list[TimedEvent]:
    """All events of the run, numbered from 0; the last one carries the end, unless the run never ends.

    A cancel removes the events after it, and changes none before it.
    """
    timed = list(_planned(replace(run, cancelled_at=None)))
    if (cancelled := run.cancelled_at) is not None:
        timed = [(at, event) for at, event in timed if has_come(at, cancelled) and not is_end(event)]
        timed.append((cancelled + run.outcome.cancelling_seconds, _lifecycle(run, _LAST, "cancelled")))
    return [(at, {**event, "sequence_number": number}) for number, (at, event) in enumerate(timed)]


def is_end(event: JsonObject) -> bool:
    """The event is the last one of its run."""
    return event["type"] in (_LAST, *_LAST_OF.values())


def _planned(run: EmulatedRun) -> Iterator[TimedEvent]:
    """The events of a run that is not cancelled."""
    script, created = run.outcome, run.created_at
    background = bool(run.request.get("background"))
    starts_queued = background or script.status in (STUCK, "queued")
    yield created, _lifecycle(run, "response.created", "queued" if starts_queued else "in_progress")
    if background:
        yield created, _lifecycle(run, "response.queued", "queued")
    if script.status in (STUCK, "queued"):
        return
    started = created + script.queued_seconds
    yield started, _lifecycle(run, "response.in_progress", "in_progress")
    if script.status in PENDING:
        return
    output = list(_output_events(run))
    for number, event in enumerate(output, 1):
        yield started + script.running_seconds * number / (len(output) + 1), event
    ended = ended_at(run)
    if ended is not None:
        yield ended, _lifecycle(run, _LAST_OF.get(script.status, _LAST), script.status)


def _lifecycle(run: EmulatedRun, kind: str, status: str) -> JsonObject:
    return {"type": kind, "response": body_with(run, status)}


def _output_events(run: EmulatedRun) -> Iterator[JsonObject]:
    for index, item in _objects(body_with(run, run.outcome.status).get("output")):
        position = {"output_index": index}
        yield {"type": "response.output_item.added", **position, "item": _begun(item)}
        yield from _part_events(item, {**position, "item_id": item.get("id")})
        yield {"type": "response.output_item.done", **position, "item": item}


def _objects(value: Any) -> list[tuple[int, JsonObject]]:
    """The objects in a list, each with its index; a raw body may hold anything."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [(index, cast(JsonObject, item)) for index, item in enumerate(items) if isinstance(item, dict)]


def _begun(item: JsonObject) -> JsonObject:
    fields: Mapping[str, JsonObject] = {
        "message": {"status": "in_progress", "content": []},
        "function_call": {"status": "in_progress", "arguments": ""},
        "reasoning": {"summary": []},
    }
    kind = item.get("type")
    return {**item, **(fields.get(kind, {}) if isinstance(kind, str) else {})}


def _part_events(item: JsonObject, position: JsonObject) -> Iterator[JsonObject]:
    kind, arguments = item.get("type"), item.get("arguments")
    if kind == "message":
        for index, part in _objects(item.get("content")):
            if isinstance(part.get("text"), str):
                yield from _text_events("content_part", "output_text", part, {**position, "content_index": index})
            else:  # a refusal, for example: it comes whole
                for step in ("added", "done"):
                    yield {"type": f"response.content_part.{step}", **position, "content_index": index, "part": part}
    elif kind == "reasoning":
        for index, part in _objects(item.get("summary")):
            if isinstance(part.get("text"), str):
                where = {**position, "summary_index": index}
                yield from _text_events("reasoning_summary_part", "reasoning_summary_text", part, where)
    elif kind == "function_call" and isinstance(arguments, str):
        for delta in _PIECES.findall(arguments):
            yield {"type": "response.function_call_arguments.delta", **position, "delta": delta}
        done = {"name": item.get("name"), "arguments": arguments}
        yield {"type": "response.function_call_arguments.done", **position, **done}


def _text_events(part_name: str, text_name: str, part: JsonObject, position: JsonObject) -> Iterator[JsonObject]:
    logprobs: JsonObject = {"logprobs": []} if text_name == "output_text" else {}
    yield {"type": f"response.{part_name}.added", **position, "part": {**part, "text": ""}}
    for delta in _PIECES.findall(part["text"]):
        yield {"type": f"response.{text_name}.delta", **position, "delta": delta, **logprobs}
    yield {"type": f"response.{text_name}.done", **position, "text": part["text"], **logprobs}
    yield {"type": f"response.{part_name}.done", **position, "part": part}
