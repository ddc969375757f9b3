"""`Finding`: one thing that a client did wrong, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .history import RunHistory, job_of
from .kinds import KINDS, FindingKind, Severity


@dataclass(frozen=True)
class Finding:
    """One thing that a client did wrong, about one run or one job."""

    kind: FindingKind
    severity: Severity
    text: str
    """What happened, in numbers."""
    remedy: str
    """What to do about it."""
    run: str | None = None
    """The id of the run."""
    job: str | None = None
    """Equal for all submissions of the same request."""
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    """Numbers and words, all JSON."""

    @property
    def title(self) -> str:
        """What the kind means."""
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


def finding(kind: FindingKind, about: RunHistory | str, text: str, **evidence: Any) -> Finding:
    """A finding of this kind about a run, or about a job by its name."""
    row = KINDS[kind]
    if isinstance(about, str):
        return Finding(kind, row.severity, text, row.remedy, None, about, evidence)
    job = next((job_of(request) for request in about.requests if request.job), None)
    return Finding(kind, row.severity, text, row.remedy, about.id, job, evidence)
