"""What a webhook says: that something has happened to a run, and nothing about what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .._outcome.retry_after import parse_seconds
from ._errors import WebhookError

_RUN_EVENT = "response."


@dataclass(frozen=True)
class Notice:
    """A verified webhook. Plain values, so that it can be stored, or handed to another process."""

    webhook_id: str
    """The header `webhook-id`: the same for every copy of one event."""
    event_id: str | None
    type: str
    """Such as `response.completed`, `batch.failed`, `realtime.call.incoming`."""
    data_id: str | None
    """The id of what has changed: a run, a batch, a job."""
    created_at: int | None
    """When it changed, in seconds since the epoch, as the event says."""

    @property
    def is_run(self) -> bool:
        """It tells of a run (`response.*`); other events wake nobody."""
        return self.type.startswith(_RUN_EVENT) and self.data_id is not None

    @property
    def response_id(self) -> str | None:
        """The id by which the run is fetched; None where it tells of something else."""
        return self.data_id if self.is_run else None

    @property
    def status(self) -> str:
        """The last word of the type. The run itself decides: it can read differently, and has the reason."""
        return self.type.rpartition(".")[2]


def read_notice(content: bytes, webhook_id: str) -> Notice:
    """The notice in a body whose signature holds; raises WebhookError for what is no event."""
    try:
        event = json.loads(content.decode())
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise WebhookError("the signature holds, but the body is no JSON object; the sender will try again")
    type_, data = event.get("type"), event.get("data")
    if not isinstance(type_, str) or not type_:
        raise WebhookError("the signature holds, but the body is no event: it has no type")
    data_id = data.get("id") if isinstance(data, dict) else None
    return Notice(webhook_id, _text(event.get("id")), type_, _text(data_id), _seconds(event.get("created_at")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: object) -> int | None:
    seconds = parse_seconds(value)
    return None if seconds is None else int(seconds)
