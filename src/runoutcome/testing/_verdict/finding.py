"""`Finding`: one thing that a client did wrong; and the table of the kinds: severity, meaning and remedy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from .history import RunHistory

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


class Kind(NamedTuple):
    """One row of the table."""

    severity: Severity
    title: str
    remedy: str


KINDS: Mapping[FindingKind, Kind] = MappingProxyType(
    {
        "duplicate_run": Kind(
            "error",
            "created again while the run before was not known to have ended",
            "Poll the id you have until it is terminal; only then create another run for the same job.",
        ),
        "blind_resend": Kind(
            "error",
            "created again after an answer that did not say whether a run was made",
            "Do not send a create again after a timeout, a reset or a gateway's error page: it may have gone through.",
        ),
        "resubmitted_final": Kind(
            "error",
            "created again after a failure that the catalog calls not retryable",
            "Ask `is_retryable(error)` before you create the run again.",
        ),
        "cancelled_after_fault": Kind(
            "error",
            "cancelled because polls failed",
            "A failed poll says nothing about the run: keep polling, do not cancel.",
        ),
        "gave_up_after_fault": Kind(
            "error",
            "given up because a poll failed",
            "A failed poll says nothing about the run: poll again, after a growing delay.",
        ),
        "never_polled": Kind(
            "error",
            "created, and never polled or read",
            "Keep the id of every run you create, and poll it until it is terminal, or cancel it.",
        ),
        "orphaned_run": Kind(
            "error",
            "left behind while it was pending",
            "Poll it until it is terminal, cancel it, or keep its id for later.",
        ),
        "lost_result": Kind(
            "error",
            "completed, and the result never reached the client",
            "Poll the run until you have read a terminal status, before its retention is over.",
        ),
        "took_unknown_for_end": Kind(
            "warning",
            "not polled again after an unknown status",
            "An unknown status does not end a run: poll on until a deadline, then report it.",
        ),
        "busy_polling": Kind(
            "warning",
            "polled more than five times a second",
            "Wait at least half a second between polls, longer as the run gets older.",
        ),
        "polled_too_often": Kind(
            "warning",
            "polled more than twice as often as a lag of 5 % needs",
            "Let the delay grow with the age of the run, to ten seconds.",
        ),
        "retry_after_ignored": Kind(
            "warning",
            "asked again before Retry-After was over",
            "Wait for as long as the answer says, if that is longer than your own delay.",
        ),
        "polled_after_end": Kind(
            "warning",
            "polled on after a terminal status was read",
            "Stop at completed, failed, incomplete, cancelled and expired.",
        ),
    }
)


@dataclass(frozen=True)
class Finding:
    """One thing that a client did wrong with one run or one job."""

    __module__ = "runoutcome.testing"

    kind: FindingKind
    severity: Severity
    text: str
    """The facts, in numbers."""
    remedy: str
    """Advice."""
    run: str | None = None
    """The id of the run."""
    job: str | None = None
    """Equal for all submissions of the same request."""
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    """Numbers and words, all JSON."""

    @property
    def title(self) -> str:
        """The meaning of the kind."""
        return KINDS[self.kind].title

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "title": self.title,
            "text": self.text,
            "remedy": self.remedy,
            "run": self.run,
            "job": self.job,
            "evidence": dict(self.evidence),
        }


def finding(kind: FindingKind, subject: RunHistory | str, text: str, **evidence: Any) -> Finding:
    """A finding of this kind about a run, or about a job by its name."""
    run, job = (None, subject) if isinstance(subject, str) else (subject.id, subject.job)
    return Finding(kind, KINDS[kind].severity, text, KINDS[kind].remedy, run, job, evidence)
