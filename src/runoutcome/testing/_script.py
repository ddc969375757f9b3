"""The values of a scenario: outcomes, rules for jobs, rules for faults. No parsing, no decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ._fault import Fault

Route = Literal["create", "poll", "cancel"]

STUCK = "stuck"
"""Not a status of the API: the run stays `queued` for ever."""
QUEUED_SECONDS = 0.1
RUNNING_SECONDS = 0.4


@dataclass(frozen=True)
class OutcomeScript:
    """How one run goes: how long it takes, how it ends, and what goes wrong when a client asks about it."""

    name: str
    status: str = "completed"
    code: str | int | None = None
    reason: str | None = None
    message: str | None = None
    """Message of the error; a failure with a code and no message gets the API's usual one."""
    type: str | None = None
    param: str | None = None
    error_headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    raw_error: Any = field(default=None, hash=False)
    """Any JSON; stands for the whole `error` field where it is not None."""
    output_text: str | None = None
    weight: float = 1.0
    """Share of the random draw; 0 keeps the outcome for markers and rules."""
    queued_seconds: float = QUEUED_SECONDS
    running_seconds: float = RUNNING_SECONDS
    expires_after_seconds: float | None = None
    """From the end of the run; afterwards its id is unknown (404)."""
    poll_after_ms: int | None = None
    """Sent as `openai-poll-after-ms` with each poll of the pending run."""
    poll_faults: tuple[Fault, ...] = ()
    poll_faults_from: int = 1
    """The poll of this run, from 1, that meets the first of `poll_faults`."""
    create_faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class JobRule:
    """The outcomes of the jobs that meet every condition given; the nth outcome is for the nth submission."""

    outcomes: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    input_contains: str | None = None
    nth: int | None = None
    """The nth paid create of this emulator, from 1."""


@dataclass(frozen=True)
class FaultRule:
    """A fault on the calls `first` to `last` of one route, counted from 1, both included; None is no end."""

    route: Route
    fault: Fault
    first: int = 1
    last: int | None = None

    def covers(self, route: Route, call: int) -> bool:
        """The nth call of this route meets the fault."""
        return route == self.route and self.first <= call and (self.last is None or call <= self.last)
