"""The runs of one job that have ended, and their keys. Pure.

The keys of a job share their base and end in the number of the attempt.
"""

import re
from dataclasses import dataclass, field

from .._outcome.outcome import Outcome


@dataclass(frozen=True)
class Attempt:
    """One run of a job that has ended."""

    __module__ = "runoutcome"

    number: int
    """The number of the attempt in its job, from 1."""
    key: str | None
    """Its `runoutcome_key`, by which it can be found in the provider's logs."""
    response_id: str | None
    status: str | None
    code: str | None
    """The code of its failure, or the reason why it is incomplete."""
    retryable: bool
    total_tokens: int | None
    """All tokens it used; None where its body does not say."""
    outcome: Outcome | None = field(default=None, compare=False, repr=False)
    """Its outcome; None in an exception from a pickle."""

    @classmethod
    def of(cls, number: int, key: str | None, outcome: Outcome) -> "Attempt":
        """The attempt that ended with this outcome."""
        return cls(
            number,
            key,
            outcome.response_id,
            outcome.status,
            outcome.code or outcome.reason,
            outcome.retryable,
            total_tokens(outcome),
            outcome,
        )


def total_tokens(outcome: Outcome) -> int | None:
    """All tokens a run used; None where its body does not say."""
    usage = outcome.usage or {}
    if "total_tokens" in usage:
        return usage["total_tokens"]
    parts = [usage[name] for name in ("input_tokens", "output_tokens") if name in usage]
    return sum(parts) if parts else None


def attempt_key(base: str, attempt: int) -> str:
    """The key of one attempt, counted from 1: a resubmission is another run, so it has another key."""
    return f"{base}-{attempt}"


def split_key(key: str | None) -> tuple[str, int] | None:
    """The base and the attempt of a key from `attempt_key`; None for any other text."""
    match = re.fullmatch(r"(.+)-(\d{1,6})", key or "", re.DOTALL)
    return (match[1], int(match[2])) if match else None
