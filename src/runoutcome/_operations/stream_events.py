"""Values of a followed stream: an event to hand on, the end, and faults that stand in place of an event."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from .._outcome.body import look, summary_of
from .._sdk.event_stream import StreamBrokenError
from .effects import Effect
from .observation import Observation

_T = TypeVar("_T")


@dataclass(frozen=True)
class Emit:
    """An event for the caller who iterates."""

    event: Any


@dataclass(frozen=True)
class Ended:
    """The end of the events, and what the run has become."""

    seen: Observation


EventSteps = Generator[Effect | Emit, Any, _T]


def fault_in(event: object) -> StreamBrokenError | None:
    """The fault that stands in place of an event; None for an event.

    An `error` event is the connection speaking: if it is about the run, the run says so, too.
    """
    if event is None:
        return StreamBrokenError("the stream ended before the run did")
    kind = look(event, "type")
    if kind == "error":
        words = look(event, "error") or event
        fault = StreamBrokenError(f"the stream broke off with an error event ({summary_of(words) or 'no code'})")
        fault.words = words
        return fault
    return None if isinstance(kind, str) else StreamBrokenError("the stream brought something that is no event")
