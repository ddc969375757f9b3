"""stamina: `on=is_retryable`, and a back-off hook that gives the server's delay."""

from __future__ import annotations

import pytest
import stamina
from attempts import ATTEMPTS, Work
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from errors import DELAY_SECONDS, NOT_RETRYABLE, RETRYABLE, error
from runoutcome import is_retryable, retry_after

PACKAGE = "stamina"


@pytest.mark.parametrize("name", RETRYABLE)
def test_a_retryable_error_is_tried_again(name: str) -> None:
    """`retry(on=is_retryable)` tries again after an error that a new run may get past."""
    work = Work(name)
    with stamina.set_testing(True, attempts=ATTEMPTS):
        assert stamina.retry(on=is_retryable)(lambda: work())() == "answer"
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize("name", NOT_RETRYABLE)
def test_any_other_error_comes_out_at_once(name: str) -> None:
    """Quota, policy, incomplete, cancelled, unknown, pending and waiting errors come out of the first attempt."""
    work = Work(name)
    with stamina.set_testing(True, attempts=ATTEMPTS), pytest.raises(type(error(name))):
        stamina.retry(on=is_retryable)(lambda: work())()
    assert work.calls == 1


def test_the_back_off_hook_takes_the_delay() -> None:
    """A back-off hook that answers `retry_after` makes stamina wait for the delay in the run's message."""
    asked: list[float] = []
    details: list[RetryDetails] = []

    def hook(exc: Exception) -> bool | float:
        asked.append(retry_after(exc) or 0.0)
        return is_retryable(exc) and 0.001  # the real delay would be slept

    set_on_retry_hooks([details.append])
    try:
        assert stamina.retry(on=hook, attempts=ATTEMPTS)(Work("rate_limit_exceeded").__call__)() == "answer"
    finally:
        set_on_retry_hooks(None)
    assert asked == [DELAY_SECONDS] * (ATTEMPTS - 1)
    assert [detail.wait_for for detail in details] == [0.001] * (ATTEMPTS - 1)
    assert "RunRateLimitError" in repr(details[0].caused_by)
