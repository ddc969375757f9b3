"""openai-agents: its own runner, retry policies and advice, over a model whose runs fail with our errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from agents import Agent, ModelRetrySettings, ModelSettings, OpenAIResponsesModel, RunConfig, Runner, retry_policies
from agents.retry import ModelRetryAdviceRequest
from attempts import ANSWER, ATTEMPTS, Work, completed
from openai import AsyncOpenAI
from strict import BODIES, Answers

from errors import DELAY_SECONDS, EVERY, FINAL, NOT_RETRYABLE, RETRYABLE, STATUS_ERRORS, error
from runoutcome import RunError, is_retryable

PACKAGE = "openai-agents"
CHAINED = ("polling_lost", "submission_unknown")
"""Waiting errors below which hangs the SDK's own error."""


Run = Callable[[Work, Any], str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """What an agent answers, over the framework's own model class, whose client does the work under this policy."""

    def run(work: Work, policy: Callable[..., Any]) -> str:
        # As with a client that polls its background runs; on the class, because the runner copies the client.
        monkeypatch.setattr("openai.resources.responses.AsyncResponses.create", work.asynchronous)
        retry = ModelRetrySettings(max_retries=ATTEMPTS - 1, policy=policy, backoff={"initial_delay": 0})
        agent = Agent(name="compat", model=model(), model_settings=ModelSettings(retry=retry))
        return asyncio.run(Runner.run(agent, "Hi", run_config=RunConfig(tracing_disabled=True))).final_output

    return run


def model() -> OpenAIResponsesModel:
    """The framework's own model class."""
    return OpenAIResponsesModel("gpt-5.5", AsyncOpenAI(api_key="any", base_url="http://127.0.0.1:1"))


@pytest.fixture(autouse=True)
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays that the runner would have slept."""
    slept: list[float] = []

    async def sleep(delay: float) -> None:
        slept.append(delay)

    monkeypatch.setattr("agents.run_internal.model_retry._sleep_for_retry", sleep)
    return slept


def advice_for(name: str) -> Any:
    """What the model's own adviser says of the error."""
    request = ModelRetryAdviceRequest(error=error(name), attempt=1, stream=False)
    return model().get_retry_advice(request)


@pytest.mark.parametrize("name", STATUS_ERRORS)
def test_the_adviser_reads_the_synthetic_response(name: str) -> None:
    """The retry adviser, unchanged, reads status, code, delay and `x-should-retry` off the synthetic response."""
    sent, advice = error(name), advice_for(name)
    assert advice.suggested is (name in RETRYABLE)
    assert advice.normalized.status_code == STATUS_ERRORS[name]
    assert advice.normalized.error_code == sent.code
    assert advice.retry_after == (DELAY_SECONDS if name == "rate_limit_exceeded" else None)


@pytest.mark.parametrize("name", [name for name in NOT_RETRYABLE if name not in (*STATUS_ERRORS, *CHAINED)])
def test_the_adviser_suggests_no_retry(name: str) -> None:
    """Of errors that claim no status the adviser suggests no retry."""
    advice = advice_for(name)
    assert advice is None or not advice.suggested


@pytest.mark.parametrize("name", CHAINED)
def test_the_adviser_suggests_no_second_paid_run(name: str) -> None:
    """Of `PollingLostError` and `SubmissionUnknownError` the adviser suggests no retry, whatever their cause."""
    advice = advice_for(name)
    assert advice is None or not advice.suggested


@pytest.mark.parametrize("name", RETRYABLE)
def test_the_runner_tries_again(run: Run, name: str, sleeps: list[float]) -> None:
    """`retry_policies.provider_suggested()` tries again after an error that a new run may get past, and waits for the
    delay in the run's message.
    """
    work = Work(name, completed())
    assert run(work, retry_policies.provider_suggested()) == ANSWER
    assert work.calls == ATTEMPTS
    assert sleeps == [DELAY_SECONDS if name == "rate_limit_exceeded" else 0] * (ATTEMPTS - 1)


@pytest.mark.parametrize("name", [name for name in NOT_RETRYABLE if name not in CHAINED])
def test_the_runner_lets_the_error_out(run: Run, name: str) -> None:
    """`provider_suggested()` lets quota, policy, incomplete, cancelled, unknown and pending errors out at once."""
    work = Work(name, completed())
    with pytest.raises(type(error(name))):
        run(work, retry_policies.provider_suggested())
    assert work.calls == 1


@pytest.mark.parametrize("name", FINAL)
def test_a_veto_beats_the_status(run: Run, name: str) -> None:
    """`any(provider_suggested(), http_status([429, 500, 503]))`: `x-should-retry: false` vetoes a quota error's 429."""
    work = Work(name, completed())
    with pytest.raises(type(error(name))):
        run(work, retry_policies.any(retry_policies.provider_suggested(), retry_policies.http_status([429, 500, 503])))
    assert work.calls == 1


@pytest.mark.parametrize("name", [*FINAL, "gone", "polling_lost"])
def test_no_error_looks_like_the_network(run: Run, name: str) -> None:
    """`network_error()` takes no run error for a broken connection, by its class or by its words."""
    work = Work(name, completed())
    with pytest.raises(type(error(name))):
        run(work, retry_policies.network_error())
    assert work.calls == 1


@pytest.mark.parametrize("name", ["wait_timeout", "submission_unknown"])
def test_no_waiting_error_looks_like_the_network(run: Run, name: str) -> None:
    """`network_error()` starts no second paid run for an error after which the first may still be going."""
    work = Work(name, completed())
    with pytest.raises(type(error(name))):
        run(work, retry_policies.network_error())
    assert work.calls == 1


@pytest.mark.parametrize("name", EVERY)
def test_a_policy_of_ones_own_asks_us(run: Run, name: str) -> None:
    """A policy of one line, `lambda context: is_retryable(context.error)`, is right for every error."""
    work = Work(name, completed())
    if name in RETRYABLE:
        assert run(work, lambda context: is_retryable(context.error)) == ANSWER
        assert work.calls == ATTEMPTS
    else:
        with pytest.raises(type(error(name))):
            run(work, lambda context: is_retryable(context.error))
        assert work.calls == 1


@pytest.mark.parametrize("name", BODIES)
def test_a_strict_client(name: str) -> None:
    """Over `strict_client` the runner raises the run's own error, and tries again only where a new run may succeed; the
    client stays strict in the runner's own copies of it.
    """
    answers = Answers(name)
    retry = ModelRetrySettings(max_retries=1, policy=retry_policies.provider_suggested(), backoff={"initial_delay": 0})
    model = OpenAIResponsesModel("gpt-5.5", answers.client)
    agent = Agent(name="compat", model=model, model_settings=ModelSettings(retry=retry))
    with pytest.raises(RunError) as raised:
        asyncio.run(Runner.run(agent, "Hi", run_config=RunConfig(tracing_disabled=True)))
    assert raised.value.code == (name if name in ("rate_limit_exceeded", "insufficient_quota") else None)
    assert len(answers.creates) == (2 if name == "rate_limit_exceeded" else 1)
