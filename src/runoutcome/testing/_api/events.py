"""The events of a run's stream and when each is due: a function of the run, so that every replay is the same. Pure."""

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
"""When the event is due (Unix seconds), and the event as it is sent."""

# A run that ends otherwise, cancelled for one, has no event of its own: its status is in this one.
_LAST = "response.failed"
_LAST_OF: Mapping[str, str] = MappingProxyType({"completed": "response.completed", "incomplete": "response.incomplete"})
_PIECES = re.compile(r"\s*\S+|\s+$")


def stream_events(run: EmulatedRun) -> list[TimedEvent]:
    """All events of the run, numbered from 0; the last one tells the end, unless the run never ends.

    A cancel leaves out what would have come after it, and changes nothing before it.
    """
    timed = list(_planned(replace(run, cancelled_at=None)))
    if (cancelled := run.cancelled_at) is not None:
        timed = [(at, event) for at, event in timed if has_come(at, cancelled) and not is_end(event)]
        timed.append((cancelled, _lifecycle(run, _LAST, "cancelled")))
    return [(at, {**event, "sequence_number": number}) for number, (at, event) in enumerate(timed)]


def _planned(run: EmulatedRun) -> Iterator[TimedEvent]:
    """What happens to a run that is not cancelled."""
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
    written = list(_written(run))
    for number, event in enumerate(written, 1):
        yield started + script.running_seconds * number / (len(written) + 1), event
    ended = ended_at(run)
    if ended is not None:
        yield ended, _lifecycle(run, _LAST_OF.get(script.status, _LAST), script.status)


def is_end(event: JsonObject) -> bool:
    """No event comes after this one."""
    return event["type"] in (_LAST, *_LAST_OF.values())


def _lifecycle(run: EmulatedRun, kind: str, status: str) -> JsonObject:
    return {"type": kind, "response": body_with(run, status)}


def _written(run: EmulatedRun) -> Iterator[JsonObject]:
    for index, item in _objects(body_with(run, run.outcome.status).get("output")):
        place = {"output_index": index}
        yield {"type": "response.output_item.added", **place, "item": _begun(item)}
        yield from _parts(item, {**place, "item_id": item.get("id")})
        yield {"type": "response.output_item.done", **place, "item": item}


def _objects(value: Any) -> list[tuple[int, JsonObject]]:
    """The objects in a list, each with its place; a raw body may have anything in its stead."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [(index, cast(JsonObject, item)) for index, item in enumerate(items) if isinstance(item, dict)]


def _has_text(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("text"), str)


def _begun(item: JsonObject) -> JsonObject:
    kind = item.get("type")
    if kind == "message":
        return {**item, "status": "in_progress", "content": []}
    if kind == "function_call":
        return {**item, "status": "in_progress", "arguments": ""}
    if kind == "reasoning":
        return {**item, "summary": []}
    return item


def _parts(item: JsonObject, place: JsonObject) -> Iterator[JsonObject]:
    kind = item.get("type")
    if kind == "message":
        for index, part in _objects(item.get("content")):
            yield from _text(part, {**place, "content_index": index})
    elif kind == "reasoning":
        for index, part in _objects(item.get("summary")):
            yield from _summary(part, {**place, "summary_index": index})
    elif kind == "function_call" and isinstance(item.get("arguments"), str):
        for delta in _PIECES.findall(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": delta}
        done = {"name": item.get("name"), "arguments": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **place, **done}


def _text(part: Mapping[str, Any], place: JsonObject) -> Iterator[JsonObject]:
    if not _has_text(part):  # a refusal, say: it comes whole
        yield {"type": "response.content_part.added", **place, "part": part}
        yield {"type": "response.content_part.done", **place, "part": part}
        return
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
    for delta in _PIECES.findall(part["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": delta, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}


def _summary(part: Mapping[str, Any], place: JsonObject) -> Iterator[JsonObject]:
    if not _has_text(part):
        return
    yield {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}}
    for delta in _PIECES.findall(part["text"]):
        yield {"type": "response.reasoning_summary_text.delta", **place, "delta": delta}
    yield {"type": "response.reasoning_summary_text.done", **place, "text": part["text"]}
    yield {"type": "response.reasoning_summary_part.done", **place, "part": part}
