"""The kinds of findings about a client: what each means, how bad it is, and what to do. A table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Severity = Literal["error", "warning"]
"""An `error` costs money or results; a `warning` costs requests."""
FindingKind = Literal[
    "duplicate_run",
    "blind_resend",
    "resubmitted_final",
    "cancelled_after_fault",
    "gave_up_after_fault",
    "never_polled",
    "orphaned_run",
    "lost_result",
    "took_unknown_for_end",
    "busy_polling",
    "polled_too_often",
    "retry_after_ignored",
    "polled_after_end",
]


@dataclass(frozen=True)
class KindOfFinding:
    """One row of the table."""

    severity: Severity
    title: str
    remedy: str


KINDS: Mapping[FindingKind, KindOfFinding] = MappingProxyType(
    {
        "duplicate_run": KindOfFinding(
            "error",
            "created again while the run before was not known to have ended",
            "Poll the id you have until it is terminal; only then create another run for the same job.",
        ),
        "blind_resend": KindOfFinding(
            "error",
            "created again after an answer that did not say whether a run was made",
            "Do not send a create again after a timeout, a reset or a gateway's error page: it may have gone through.",
        ),
        "resubmitted_final": KindOfFinding(
            "error",
            "created again after a failure that the catalog calls not retryable",
            "Ask `is_retryable(error)` before you create the run again.",
        ),
        "cancelled_after_fault": KindOfFinding(
            "error",
            "cancelled because polls failed",
            "A failed poll says nothing about the run: keep polling, do not cancel.",
        ),
        "gave_up_after_fault": KindOfFinding(
            "error",
            "given up because a poll failed",
            "A failed poll says nothing about the run: poll again, after a growing delay.",
        ),
        "never_polled": KindOfFinding(
            "error",
            "created, and never asked for",
            "Keep the id of every run you create, and poll it until it is terminal, or cancel it.",
        ),
        "orphaned_run": KindOfFinding(
            "error",
            "left behind while it was pending",
            "Poll it until it is terminal, cancel it, or keep its id for later.",
        ),
        "lost_result": KindOfFinding(
            "error",
            "completed, and the result never reached the client",
            "Poll the run until you have read a terminal status, before its retention is over.",
        ),
        "took_unknown_for_end": KindOfFinding(
            "warning",
            "not asked for again after a status that nobody knows",
            "An unknown status is no end: poll on, to a deadline, and then say so.",
        ),
        "busy_polling": KindOfFinding(
            "warning",
            "polled more than five times a second",
            "Wait at least half a second between polls, longer as the run gets older.",
        ),
        "polled_too_often": KindOfFinding(
            "warning",
            "polled more than twice as often as a lag of 5 % needs",
            "Let the delay grow with the age of the run, to ten seconds.",
        ),
        "retry_after_ignored": KindOfFinding(
            "warning",
            "asked again before Retry-After was over",
            "Wait for as long as the answer says, if that is longer than your own delay.",
        ),
        "polled_after_end": KindOfFinding(
            "warning",
            "polled on after a terminal status was read",
            "Stop at completed, failed, incomplete, cancelled and expired.",
        ),
    }
)
