"""Lines for the logger `runoutcome`: stable event names, and no prompt, output or key.

Steps ask for them as for a caller's function, so a driver carries them out where it calls those.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from .effects import Tell

Event = Literal["submitted", "resubmitted", "fault", "gave_up", "cancelled", "renamed"]
NAME = "runoutcome"
_LEVELS: dict[Event, int] = {"resubmitted": logging.WARNING}  # a second run is paid for; errors tell of the rest


@dataclass(frozen=True)
class Line:
    """One event of one run; `fields` are attributes of the record, beside `run_event` and `response_id`."""

    event: Event
    response_id: str
    fields: dict[str, Any]


def line(event: Event, response_id: str, **fields: Any) -> Tell:
    """The effect that writes a line."""
    return Tell(write, Line(event, response_id, fields))


def write(line: Line) -> None:
    """Write a line to the logger."""
    logger, level = logging.getLogger(NAME), _LEVELS.get(line.event, logging.INFO)
    if not logger.isEnabledFor(level):
        return
    words = "".join(f", {name} {value}" for name, value in line.fields.items() if value is not None)
    extra = {"run_event": line.event, "response_id": line.response_id, **line.fields}
    logger.log(level, "%s: run %s%s", line.event, line.response_id, words, extra=extra)
