"""backoff: `giveup` by `is_retryable`, and `backoff.runtime` by `retry_after`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backoff
import openai
import pytest
from attempts import ATTEMPTS, Work

from errors import DELAY_SECONDS, NOT_RETRYABLE, RETRYABLE, error
from runoutcome import is_retryable, retry_after

PACKAGE = "backoff"


def patient(work: Callable[[], str], **options: Any) -> Callable[[], str]:
    """`work`, tried again as backoff does."""
    return backoff.on_exception(
        backoff.constant,
        openai.OpenAIError,
        giveup=lambda exc: not is_retryable(exc),
        max_tries=ATTEMPTS,
        interval=0,
        jitter=None,
        **options,
    )(lambda: work())


@pytest.mark.parametrize("name", RETRYABLE)
def test_a_retryable_error_is_tried_again(name: str) -> None:
    """`on_exception(openai.OpenAIError, giveup=...)` tries again after an error that a new run may get past."""
    work = Work(name)
    assert patient(work)() == "answer"
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize("name", NOT_RETRYABLE)
def test_any_other_error_is_given_up(name: str) -> None:
    """Quota, policy, incomplete, cancelled, unknown, pending and waiting errors are given up at once."""
    work = Work(name)
    given_up: list[dict[str, Any]] = []
    with pytest.raises(type(error(name))):
        patient(work, on_giveup=given_up.append)()
    assert work.calls == len(given_up) == 1


def test_the_wait_is_what_the_server_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """`backoff.runtime(value=retry_after)` sleeps for the delay in the run's message."""
    sleeps: list[float] = []
    monkeypatch.setattr("backoff._sync.time.sleep", sleeps.append)
    work = Work("rate_limit_exceeded")
    retrying = backoff.on_exception(backoff.runtime, openai.RateLimitError, value=retry_after, jitter=None)
    assert retrying(lambda: work())() == "answer"
    assert sleeps == [DELAY_SECONDS] * (ATTEMPTS - 1)
