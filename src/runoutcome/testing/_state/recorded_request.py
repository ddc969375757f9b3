"""`RecordedRequest`: the facts about a request for a test, the status page or a verdict on the client."""

from dataclasses import dataclass
from typing import Literal

RequestRoute = Literal[
    "create",
    "poll",
    "stream",
    "cancel",
    "delete",
    "input_items",
    "input_tokens",
    "compact",
    "models",
    "conversations",
    "other",
]
"""Call of the API; `stream` is a poll with `stream=true`, `other` a path the API does not have."""


@dataclass(frozen=True)
class RecordedRequest:
    """One request that the emulator has answered."""

    __module__ = "runoutcome.testing"

    method: str
    path: str
    status: int | None
    """The HTTP status; None if the client got no response."""
    response_id: str | None
    """The run it was about, even if the client did not learn its id."""
    at: float
    """Seconds (Unix), by the emulator's clock."""
    idempotency_key: str | None = None
    runoutcome_key: str | None = None
    """`metadata.runoutcome_key` of the run."""
    route: RequestRoute = "other"
    job: str | None = None
    """Equal for all submissions of the same request, and for all requests about their runs."""
    submission: int | None = None
    """1 for the first run of its job, 2 for the next, ...; None if no run is known."""
    created: bool = False
    """A run was created, which would have been paid for, even if the client did not learn it."""
    run_status: str | None = None
    """The status of the run at the time; None without a run."""
    fault: str | None = None
    """The word of the fault that the response met."""
    retry_after: float | None = None
    """Seconds that the response asked to wait."""
    told: str | None = None
    """The status that the client could read in the response (of a stream: in its last event), if any."""
    told_at: float | None = None
    """Seconds (Unix) at which the client could read `told`: for a stream later than `at`."""
    monotonic: float = 0.0
    """Seconds by the machine's own clock, which goes on while the emulator's clock stands still."""
