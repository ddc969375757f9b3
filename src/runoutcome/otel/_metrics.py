"""The instruments, and what each records of an event."""

from __future__ import annotations

from opentelemetry.metrics import MeterProvider, get_meter

from .._operations.run_event import RunEvent
from .._waiting.attempts import total_tokens
from ._attributes import (
    ERROR_TYPE,
    OPERATION,
    REASON,
    RESPONSE_MODEL,
    RUN,
    STATUS,
    Attributes,
    fault_of,
    known_failure_of,
)

_TOKEN_BUCKETS = [4.0**power for power in range(14)]
_DURATION_BUCKETS = [0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480]
"""Background runs take minutes to hours; the conventions' own buckets end at 82 s."""
_LAG_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500]
UNKNOWN = ("unknown", "lost", "gone")
"""Reasons to let a run go without knowing what has become of it."""


class Metrics:
    """Records events in the instruments of one meter."""

    def __init__(self, meter_provider: MeterProvider | None, version: str) -> None:
        meter = get_meter("runoutcome", version, meter_provider)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._usage = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        self._in_flight = meter.create_up_down_counter(
            "runoutcome.runs.in_flight", "{run}", "Runs that this process waits for."
        )
        self._unknown = meter.create_counter(
            "runoutcome.runs.unknown", "{run}", "Runs of which nobody knows what has become."
        )
        self._resubmitted = meter.create_counter(
            "runoutcome.runs.resubmitted", "{run}", "Runs that were made, and paid for, again."
        )
        self._spend = meter.create_counter(
            "runoutcome.spend", "{token}", "Tokens of runs that have ended, as their bodies say."
        )
        self._lag = meter.create_histogram(
            "runoutcome.lag",
            "s",
            "Time from the end of a completed run to when it was noticed.",
            explicit_bucket_boundaries_advisory=_LAG_BUCKETS,
        )
        self._faults = meter.create_counter("runoutcome.poll.faults", "{poll}", "Polls and streams that failed.")

    def begin(self, request: Attributes) -> None:
        """Record that a run is waited for."""
        self._in_flight.add(1, request)

    def stop(self, request: Attributes) -> None:
        """Record that it is not waited for any more."""
        self._in_flight.add(-1, request)

    def resubmit(self, request: Attributes, error_type: str | None) -> None:
        """Record that a run was made again, after one that failed so."""
        self._resubmitted.add(1, request | ({ERROR_TYPE: error_type} if error_type else {}))

    def fault(self, request: Attributes, event: RunEvent) -> None:
        """Record a poll fault."""
        self._faults.add(1, request | {ERROR_TYPE: fault_of(event.error)})

    def left(self, request: Attributes, event: RunEvent) -> None:
        """Record a run that is let go, if nobody knows what has become of it."""
        if event.reason in UNKNOWN:
            self._unknown.add(1, request | {REASON: event.reason})

    def ended(self, request: Attributes, event: RunEvent, began: float) -> None:
        """Record the end of a run that began then, in seconds since the epoch."""
        outcome = event.outcome
        if outcome is None:
            return
        request_and_model = request | ({RESPONSE_MODEL: outcome.model} if outcome.model else {})
        common = request_and_model | {OPERATION: RUN}
        error: Attributes = {} if outcome.ok else {ERROR_TYPE: known_failure_of(outcome)}
        self._duration.record(max(0.0, event.at - began), common | error)
        for kind in ("input", "output"):
            count = (outcome.usage or {}).get(f"{kind}_tokens")
            if count is not None:
                self._usage.record(count, common | {"gen_ai.token.type": kind})
        self._spend.add(total_tokens(outcome) or 0, request_and_model | {STATUS: outcome.status or "unknown"})
        if event.completed_at is not None:
            self._lag.record(max(0.0, event.at - event.completed_at), request)
