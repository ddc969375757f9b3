"""The end of an attempt, as the journal keeps it: state, words of the failure, and usage."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._outcome.outcome import Outcome
from ..._waiting.attempts import Attempt, total_tokens

_ENDS = ("completed", "failed", "incomplete", "cancelled", "expired")
_LARGEST = 2**63 - 1
"""Larger numbers do not fit into a column; no usage is as large."""


class Ending(NamedTuple):
    """The end of one attempt; its fields are columns of `attempts`."""

    state: str
    response_id: str | None = None
    code: str | None = None
    error_type: str | None = None
    exception: str | None = None
    retryable: bool = False
    action: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    total_tokens: int | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Ending":
        """Return the end that a result line tells."""
        response, outcome = _mapping(row.get("response")), _mapping(row.get("outcome"))
        body = _mapping(response.get("body"))
        status = outcome.get("status") or body.get("status")
        return cls(
            "refused" if response.get("status_code", 200) != 200 else _state(status),
            _text(body.get("id")) or _text(outcome.get("response_id")),
            _text(outcome.get("code") or outcome.get("reason")),
            _text(outcome.get("error_type")),
            _text(outcome.get("exception")),
            outcome.get("retryable") is True,
            _text(outcome.get("action")),
            _text(outcome.get("model") or body.get("model")),
            *_tokens(outcome.get("usage")),
        )

    @classmethod
    def of_attempt(cls, attempt: Attempt, exception: str | None) -> "Ending":
        """Return the end of a run that is followed by another one."""
        outcome = attempt.outcome or Outcome("terminal", attempt.status)
        return cls(
            _state(attempt.status),
            _text(attempt.response_id),
            _text(attempt.code),
            outcome.error_type,
            exception,
            attempt.retryable,
            outcome.action,
            _text(outcome.model),
            *_tokens(outcome.usage),
        )


def _tokens(usage: object) -> list[int | None]:
    """Return the token counts of an outcome, in the order of the fields."""
    counts = {name: count for name, count in _mapping(usage).items() if type(count) is int and 0 <= count <= _LARGEST}
    total = total_tokens(Outcome("terminal", usage=counts))
    names = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    return [*map(counts.get, names), total if total is not None and total <= _LARGEST else None]


def _state(status: object) -> str:
    return status if isinstance(status, str) and status in _ENDS else "failed"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    """Return a text that a column can hold: half characters are escaped, and long texts are cut."""
    return value[:1000].encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else None
