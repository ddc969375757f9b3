"""Values of a scenario: outcomes, rules for jobs, rules for faults. Pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .fault import Fault

Route = Literal["create", "poll", "stream", "cancel", "delete", "input_items", "models"]
"""A call of the API; `stream` is a poll with `stream=true`, while a create that streams is a `create`."""

STUCK = "stuck"
"""Not a status of the API: the run stays `queued` for ever."""
QUEUED_SECONDS = 0.1
RUNNING_SECONDS = 0.4

Span = tuple[float, float]
"""The least and the most that a duration may be, in seconds."""
Seconds = float | Span
"""A duration, or the span it is drawn from for each run."""
DURATIONS = (
    *("queued_seconds", "running_seconds", "expires_after_seconds", "hidden_seconds"),
    *("missing_from_seconds", "missing_until_seconds", "cancelling_seconds", "completes_despite_cancel_seconds"),
)
"""The durations of an outcome."""


@dataclass(frozen=True)
class OutcomeScript:
    """Course of one run: how long it takes, how it ends, and what goes wrong with requests about it."""

    __module__ = "runoutcome.testing"

    name: str
    status: str = "completed"
    code: str | int | None = None
    reason: str | None = None
    message: str | None = None
    """Message of the error; without one, a failure with a code gets the API's usual message."""
    type: str | None = None
    param: str | None = None
    error_headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    raw_error: Any = field(default=None, hash=False)
    """Any JSON; replaces the whole `error` field if it is not None."""
    output_text: str | None = None
    function_call: str | None = None
    """Name of the function tool that the run calls instead of writing a text."""
    weight: float = 1.0
    """Share of the random draw; 0 leaves the outcome to markers and rules."""
    queued_seconds: float = QUEUED_SECONDS
    running_seconds: float = RUNNING_SECONDS
    expires_after_seconds: float | None = None
    """Seconds from the end of the run; afterwards its id is unknown (404)."""
    poll_after_ms: int | None = None
    """Sent as `openai-poll-after-ms` with each poll of the pending run."""
    poll_faults: tuple[Fault, ...] = ()
    poll_faults_from: int = 1
    """Number of the poll, from 1, that meets the first of `poll_faults`."""
    create_faults: tuple[Fault, ...] = ()
    stream_faults: tuple[Fault, ...] = ()
    """One per stream of the run that is opened by GET."""
    cancel_faults: tuple[Fault, ...] = ()
    raw_body: Mapping[str, Any] | None = field(default=None, hash=False)
    """Replaces the whole body of the ended run if it is not None."""
    body_fields: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    """Fields that replace those of the body of the ended run."""
    hidden_seconds: float = 0.0
    """Seconds from the creation of the run, in which its id is unknown (404)."""
    missing_from_seconds: float | None = None
    """Seconds from the creation of the run; its id is unknown (404) from here to `missing_until_seconds`."""
    missing_until_seconds: float | None = None
    """None: the id is never known again."""
    cancel_status: int | None = None
    """The HTTP status of a cancel of the ended run: 200, 400 or 409; None is the API's own."""
    cancelling_seconds: float = 0.0
    """Seconds from its cancel, in which the run is still pending; then it is cancelled, with a usage of zero tokens."""
    completes_despite_cancel_seconds: float | None = None
    """Seconds from its end as cancelled; afterwards the run is completed all the same."""
    spans: Mapping[str, Span] = field(default_factory=dict[str, Span], hash=False)
    """Spans that replace durations above, by their names; drawn for each run."""

    def faults_on(self, route: Route) -> tuple[Fault, ...]:
        """The faults of the first, second, ... call of a route about this run."""
        if route == "poll" and self.poll_faults:
            return (_GOOD,) * (self.poll_faults_from - 1) + self.poll_faults
        own = {"create": self.create_faults, "stream": self.stream_faults, "cancel": self.cancel_faults}
        return own.get(route, ())

    def paced(self, *, seed: int, nth: int, speed: float) -> "OutcomeScript":
        """The outcome of the nth run: every duration a number of seconds, divided by `speed`."""
        # One generator per draw: another span changes no other duration.
        drawn = {name: random.Random(f"{seed}/{nth}/{name}").uniform(*span) for name, span in self.spans.items()}
        durations = {name: drawn.get(name, getattr(self, name)) for name in DURATIONS}
        paced: dict[str, Any] = {name: value / speed for name, value in durations.items() if value is not None}
        return replace(self, spans={}, **paced)


@dataclass(frozen=True)
class JobRule:
    """Outcomes of the jobs that meet every condition; the nth outcome is for the nth submission."""

    __module__ = "runoutcome.testing"

    outcomes: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    input_contains: str | None = None
    nth: int | None = None
    """The nth paid create of this emulator, from 1."""


@dataclass(frozen=True)
class FaultRule:
    """A fault on the calls of one route that meet every condition."""

    __module__ = "runoutcome.testing"

    route: Route
    fault: Fault
    first: int = 1
    """Number, from 1, of the first call that may meet it, among the calls of the route (and `outcome`)."""
    last: int | None = None
    """Number of the last one; None is no end."""
    share: float = 1.0
    """Probability of each call, from 0 to 1, drawn by seed, rule and call."""
    after_seconds: float = 0.0
    """Seconds since the start of the emulator; `speed` divides them."""
    until_seconds: float | None = None
    """Seconds since the start of the emulator, not included; None is no end."""
    times: int | None = None
    """Number of calls that may meet it; None is no limit."""
    outcome: str | None = None
    """Limits the rule to calls about runs of this outcome word."""


_GOOD = Fault("ok", "ok")
