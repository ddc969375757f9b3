"""The events of runs, as one observer sees them. The logger is a view of them, and so is telemetry.

submitting -> submitted | refused        around each POST; a refused one may be sent again
waiting                                  a wait begins for a run that was submitted earlier
polled, changed, fault, renamed          what the wait sees
gave_up, cancelled                       what it does about it
ended | left                             the last event of each run in each call
resubmitting                             after `ended`, the first event of the next run of the job
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .._outcome.outcome import Outcome
from .._waiting.attempts import split_key

EventKind = Literal[
    "submitting",
    "submitted",
    "refused",
    "waiting",
    "polled",
    "changed",
    "fault",
    "renamed",
    "gave_up",
    "cancelled",
    "resubmitting",
    "ended",
    "left",
]


@dataclass(frozen=True)
class RunEvent:
    """One event of one run. A field is None where it is not known or does not belong to the kind."""

    __module__ = "runoutcome"

    kind: EventKind
    at: float
    """Time of the event, in seconds since the epoch."""
    response_id: str | None = None
    """The id of the run; None until its create is answered."""
    key: str | None = None
    """The run's `runoutcome_key`."""
    submitted_at: float | None = None
    """Time of the submission, in seconds since the epoch; of a run without a token from its body, when it has ended."""
    model: str | None = None
    """The model that the create asks for (submitting)."""
    trace: str | None = None
    """The W3C `traceparent` in the resume token: what an observer returned for `submitting`, also elsewhere."""
    job: str | None = None
    """The beginning of the keys of a job that may submit again (submitting, waiting, resubmitting, ended)."""
    previous_response_id: str | None = None
    """The run that this one replaces (submitted, resubmitting)."""
    status: str | None = None
    """The status of the run, as far as it is known."""
    outcome: Outcome | None = field(default=None, repr=False)
    """The outcome of the body (changed, gave_up, ended)."""
    error: BaseException | None = field(default=None, repr=False)
    """The exception (refused, polled, fault, left)."""
    reason: str | None = None
    """Why the wait gave up, or let the run go: one word (gave_up, left)."""
    body_id: str | None = None
    """The id by which the server names the run (renamed)."""
    started_at: float | None = None
    """Time of the request, in seconds since the epoch (polled)."""
    completed_at: float | None = None
    """Time at which the run completed, by its body, in seconds since the epoch (ended)."""
    is_final: bool = True
    """False if another run of the job follows (ended)."""

    @property
    def attempt(self) -> int | None:
        """The number of the run in its job, from 1; None where its key does not say."""
        parts = split_key(self.key)
        return parts[1] if parts else None


Observer = Callable[[RunEvent], object]
"""A function of each event. What it raises harms no run; a `traceparent` that it returns for `submitting` is kept."""
