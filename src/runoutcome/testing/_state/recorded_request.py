"""What the emulator notes about each request: all that a test, a status page or a verdict on the client needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RequestRoute = Literal["create", "poll", "stream", "cancel", "delete", "input_items", "models", "other"]
"""Which call of the API it was; `stream` is a poll with `stream=true`, `other` a path the API does not have."""


@dataclass(frozen=True)
class RecordedRequest:
    """One request the emulator has answered."""

    method: str
    path: str
    status: int | None
    """The HTTP status; None where the client got no answer."""
    response_id: str | None
    """The run it was about, also where the client was not told."""
    at: float
    """Seconds (Unix), by the emulator's clock."""
    idempotency_key: str | None = None
    runoutcome_key: str | None = None
    """`metadata.runoutcome_key` of the run."""
    route: RequestRoute = "other"
    job: str | None = None
    """Equal for all submissions of the same request, and for everything asked about their runs."""
    submission: int | None = None
    """1 for the first run of its job, 2 for the next, ...; None where no run is known."""
    created: bool = False
    """A run was created, which would have been paid for, whatever the client was told."""
    run_status: str | None = None
    """The status of the run as it stood; None without a run."""
    fault: str | None = None
    """The word of the fault that the answer met."""
    retry_after: float | None = None
    """Seconds that the answer asked to wait."""
    told: str | None = None
    """The status that the client could read in the answer (of a stream: in its last event); None where it had none."""
    monotonic: float = 0.0
    """Seconds by the machine's own clock, which goes on while a clock of the emulator stands still."""
