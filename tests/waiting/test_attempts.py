"""The runs of a job that ended, and their keys."""

from __future__ import annotations

from typing import Any

import pytest

from runoutcome import Attempt, Outcome, classify
from runoutcome._waiting.attempts import attempt_key, split_key, total_tokens


def failed(number: int = 1, code: object = "server_error", **fields: Any) -> Outcome:
    """The outcome of a failed run."""
    body = {"object": "response", "id": f"resp_{number}", "status": "failed", "error": {"code": code, "message": "m"}}
    return classify({**body, **fields})


def test_an_attempt_says_what_became_of_its_run() -> None:
    """An attempt has its number, key, id, status, code, verdict and tokens, and the outcome itself."""
    outcome = failed(usage={"total_tokens": 12, "input_tokens": 5})
    attempt = Attempt.of(2, "job-2", outcome)
    assert attempt == Attempt(2, "job-2", "resp_1", "failed", "server_error", True, 12)
    assert attempt.outcome is outcome
    assert "outcome" not in repr(attempt)


def test_an_incomplete_attempt_has_its_reason() -> None:
    """The code of an incomplete run is its reason."""
    outcome = classify({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}})
    assert (Attempt.of(1, None, outcome).code, Attempt.of(1, None, outcome).retryable) == ("max_output_tokens", False)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        ({}, None),
        ({"total_tokens": 7}, 7),
        ({"total_tokens": 0, "input_tokens": 5}, 0),
        ({"input_tokens": 5, "output_tokens": 2}, 7),
        ({"output_tokens": 2, "cached_tokens": 9}, 2),
        ({"cached_tokens": 9}, None),
    ],
    ids=str,
)
def test_total_tokens(usage: dict[str, int] | None, tokens: int | None) -> None:
    """The total as the body says it, else the sum of its parts, else nothing."""
    assert total_tokens(Outcome("terminal", usage=usage)) == tokens


@pytest.mark.parametrize("base", ["a", "a-1", "nonce/wörk-12", "-", "a\nb"])
@pytest.mark.parametrize("attempt", [1, 2, 999])
def test_a_key_tells_its_attempt(base: str, attempt: int) -> None:
    """A key can be taken apart into what it was made of."""
    assert split_key(attempt_key(base, attempt)) == (base, attempt)


@pytest.mark.parametrize("key", [None, "", "abc", "abc-", "-1", "abc-1234567", "abc-x"])
def test_other_keys_tell_nothing(key: str | None) -> None:
    """A key that is not of ours has no attempt."""
    assert split_key(key) is None
