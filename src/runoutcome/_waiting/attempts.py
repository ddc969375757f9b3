"""The runs of one job: their keys, and what an error tells of those that ended, in a few bytes where it travels. Pure.

A job's keys share their base and end in the number of the attempt, so a key says which attempt it is.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .._outcome.outcome import Outcome

TRAVEL_BYTES = 240
"""What the attempts of an exception that travels may weigh; the newest are kept."""
_ID_CHARS, _LABEL_CHARS = 80, 40
_USUAL: list[Any] = [None, None, None, "failed", 1]
"""Id, code, tokens, status and verdict of a row that does not say: a run that was made again has failed, retryably."""


@dataclass(frozen=True)
class Attempt:
    """One run of a job that has ended."""

    __module__ = "runoutcome"

    number: int
    """Which attempt of the job it was, from 1."""
    key: str | None
    """Its `runoutcome_key`, by which it can be found in the provider's logs."""
    response_id: str | None
    status: str | None
    code: str | None
    """The code of its failure, or the reason why it is incomplete."""
    retryable: bool
    total_tokens: int | None
    """What it used, as its body says; None where it does not."""
    outcome: Outcome | None = field(default=None, compare=False, repr=False)
    """All that was decided about it; None where the exception has travelled."""

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
    """The key of one attempt, from 1: a resubmission is another run, so it has another key."""
    return f"{base}-{attempt}"


def split_key(key: str | None) -> tuple[str, int] | None:
    """The base and the attempt of a key that `attempt_key` made; None for any other text."""
    match = re.fullmatch(r"(.+)-(\d{1,6})", key or "", re.DOTALL)
    return (match[1], int(match[2])) if match else None


def pack(attempts: Sequence[Attempt], own_id: str | None) -> list[list[Any]] | None:
    """Attempts as short JSON, for `unpack`; None for none. Of the run `own_id` the exception itself says the rest.

    Older attempts than the space allows are left out: the number of the first that is there tells how many.
    """
    rows: list[list[Any]] = []
    for attempt in reversed(attempts):
        rows.insert(0, [attempt.number] if _is_own(attempt, own_id) else _row(attempt))
        if len(json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")) > TRAVEL_BYTES:
            return rows[1:] or None
    return rows or None


def unpack(rows: Any, key: str | None, own: Outcome | None = None) -> tuple[Attempt, ...]:
    """What `pack` was given. `key` is that of any attempt of the job, and `own` the outcome the exception carries."""
    base = (split_key(key) or (None, 0))[0]
    attempts: list[Attempt] = []
    for number, *facts in rows or ():
        name = attempt_key(base, number) if base is not None else None
        if not facts and own is not None:
            attempts.append(Attempt.of(number, name, own))
        else:
            known: list[Any] = list(facts)
            response_id, code, tokens, status, retryable = [*known, *_USUAL[len(known) :]]
            attempts.append(Attempt(number, name, response_id, status, code, bool(retryable), tokens))
    return tuple(attempts)


def _is_own(attempt: Attempt, own_id: str | None) -> bool:
    return own_id is not None and attempt.response_id == own_id


def _row(attempt: Attempt) -> list[Any]:
    response_id = attempt.response_id if attempt.response_id and len(attempt.response_id) <= _ID_CHARS else None
    status, code = (text and text[:_LABEL_CHARS] for text in (attempt.status, attempt.code))
    row = [attempt.number, response_id, code, attempt.total_tokens, status, int(attempt.retryable)]
    return row if row[4:] != _USUAL[3:] else row[:4]
