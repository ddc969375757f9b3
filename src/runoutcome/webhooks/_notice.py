"""The content of a webhook: an event of a run, without its result."""

from dataclasses import dataclass

from .._outcome.body import parse_json
from .._outcome.retry_after import parse_seconds
from ._errors import WebhookError

_RUN_EVENT = "response."


@dataclass(frozen=True)
class Notice:
    """A verified webhook. Plain values, so that it can be stored, or handed to another process."""

    __module__ = "runoutcome.webhooks"

    webhook_id: str
    """The header `webhook-id`, the same for every copy of one event."""
    event_id: str | None
    type: str
    """Type of the event, such as `response.completed`, `batch.failed`, `realtime.call.incoming`."""
    data_id: str | None
    """Id of the run, batch or job that has changed."""
    created_at: int | None
    """Time of the change by the event, in seconds since the epoch."""

    @property
    def is_run(self) -> bool:
        """True for an event of a run (`response.*`). Only these events end a wait."""
        return self.type.startswith(_RUN_EVENT) and self.data_id is not None

    @property
    def response_id(self) -> str | None:
        """Id of the run; None for an event of something else."""
        return self.data_id if self.is_run else None

    @property
    def status(self) -> str:
        """Last word of the type. Fetch the run for its status, which can differ, and for the reason."""
        return self.type.rpartition(".")[2]


def read_notice(content: bytes, webhook_id: str) -> Notice:
    """Return the notice in a body whose signature is valid. Raises WebhookError if the body is not an event."""
    try:
        event = parse_json(content.decode())
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise WebhookError("the signature is valid, but the body is not a JSON object; the sender will try again")
    type_, data = event.get("type"), event.get("data")
    if not isinstance(type_, str) or not type_:
        raise WebhookError("the signature is valid, but the body is not an event: it has no type")
    data_id = data.get("id") if isinstance(data, dict) else None
    return Notice(webhook_id, _text(event.get("id")), type_, _text(data_id), _seconds(event.get("created_at")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: object) -> int | None:
    seconds = parse_seconds(value)
    return None if seconds is None else int(seconds)
