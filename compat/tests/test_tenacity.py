"""tenacity: `retry_if_exception(is_retryable)`, and waits as long as the server asked."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
import tenacity
from attempts import ATTEMPTS, Work
from openai import OpenAI

from errors import DELAY_SECONDS, NOT_RETRYABLE, RETRYABLE, error
from runoutcome import RunRateLimitError, Runs, is_retryable, retry_after
from runoutcome.testing import Emulator

PACKAGE = "tenacity"
POLICY = {"retry": tenacity.retry_if_exception(is_retryable), "stop": tenacity.stop_after_attempt(ATTEMPTS)}


@pytest.mark.parametrize("name", RETRYABLE)
def test_a_retryable_error_is_tried_again(name: str) -> None:
    """`retry_if_exception(is_retryable)` tries again after an error that a new run may get past."""
    work = Work(name)
    assert tenacity.Retrying(**POLICY)(work) == "answer"
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize("name", NOT_RETRYABLE)
def test_any_other_error_comes_out_at_once(name: str) -> None:
    """Quota, policy, incomplete, cancelled, unknown, pending and waiting errors come out of the first attempt."""
    work = Work(name)
    with pytest.raises(type(error(name))):
        tenacity.Retrying(**POLICY)(work)
    assert work.calls == 1


@pytest.mark.parametrize(("name", "calls"), [("server_error", ATTEMPTS), ("insufficient_quota", 1)])
def test_the_async_controller_decides_alike(name: str, calls: int) -> None:
    """`AsyncRetrying` decides as `Retrying` does."""
    work = Work(name)

    async def attempt() -> str:
        return work()

    async def run() -> None:
        await tenacity.AsyncRetrying(**POLICY, reraise=True)(attempt)

    if calls == ATTEMPTS:
        asyncio.run(run())
    else:
        with pytest.raises(type(error(name))):
            asyncio.run(run())
    assert work.calls == calls


@pytest.mark.parametrize(("outcomes", "runs"), [("server_error,completed", 2), ("insufficient_quota,completed", 1)])
def test_only_a_retryable_failure_is_paid_for_again(outcomes: str, runs: int) -> None:
    """Over real background runs on the emulator, a retryable failure makes one more run, and a quota failure none."""
    run = {"model": "gpt-5.5", "input": "Hi", "metadata": {"emulate": outcomes}, "poll_interval_ms": 1}
    with Emulator(speed=1000) as emulator, OpenAI(base_url=emulator.base_url, api_key="any") as client:
        with suppress(RunRateLimitError):
            tenacity.Retrying(**POLICY)(lambda: Runs(client).create_and_poll(**run))
        assert len(emulator.runs) == runs


def test_the_wait_is_what_the_server_asked_for() -> None:
    """A `wait` made of `retry_after` sleeps for the delay in the run's message."""
    sleeps: list[float] = []
    retrying = tenacity.Retrying(
        **POLICY, wait=lambda state: retry_after(state.outcome.exception()) or 0.0, sleep=sleeps.append
    )
    assert retrying(Work("rate_limit_exceeded")) == "answer"
    assert sleeps == [DELAY_SECONDS] * (ATTEMPTS - 1)
