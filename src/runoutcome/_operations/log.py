"""Records of the logger `runoutcome`, a view of the events: stable names, and no prompt, output or key."""

from __future__ import annotations

import logging
from typing import Any

from .run_event import RunEvent

NAME = "runoutcome"
KINDS = frozenset({"submitted", "fault", "gave_up", "cancelled", "renamed"})
"""Events that have a record."""


def write(event: RunEvent) -> None:
    """Write the record of an event, if it has one."""
    if event.kind in KINDS:
        # A second run is paid for; errors tell of the rest.
        is_again = _is_again(event)
        level = logging.WARNING if is_again else logging.INFO
        _write(level, "resubmitted" if is_again else event.kind, event, _fields(event))


def observer_failed(event: RunEvent) -> None:
    """Write that the observer raised an exception, with its traceback."""
    _write(logging.WARNING, "observer_failed", event, {"kind": event.kind}, exc_info=True)


def _is_again(event: RunEvent) -> bool:
    return event.kind == "submitted" and (event.attempt or 1) > 1


def _fields(event: RunEvent) -> dict[str, Any]:
    match event.kind:
        case "submitted" if _is_again(event):
            return {"attempt": event.attempt, "previous_response_id": event.previous_response_id}
        case "fault":
            return {"error": type(event.error).__name__, "http_status": getattr(event.error, "status_code", None)}
        case "gave_up":
            return {"reason": event.reason, "status": event.status}
        case "cancelled":
            return {"status": event.status}
        case "renamed":
            return {"body_id": event.body_id}
        case _:
            return {}


def _write(level: int, name: str, event: RunEvent, fields: dict[str, Any], *, exc_info: bool = False) -> None:
    logger = logging.getLogger(NAME)
    if not logger.isEnabledFor(level):
        return
    words = "".join(f", {field} {value}" for field, value in fields.items() if value is not None)
    extra = {"run_event": name, "response_id": event.response_id, **fields}
    logger.log(level, "%s: run %s%s", name, event.response_id, words, extra=extra, exc_info=exc_info)
