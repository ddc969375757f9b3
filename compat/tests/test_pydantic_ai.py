"""pydantic-ai: its own OpenAI model over a client whose runs fail with our errors, and its fallback model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attempts import ANSWER, Work, completed
from openai import APIError, AsyncOpenAI
from pydantic_ai import Agent, ModelHTTPError
from pydantic_ai.exceptions import (
    FallbackExceptionGroup,
    ModelAPIError,
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelServerError,
)
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider
from strict import BODIES, Answers

from errors import DELAY_SECONDS, EVERY, FINAL, NOT_RETRYABLE, RETRYABLE, STATUS_ERRORS, WAITS, caught, error
from runoutcome import RunError, is_retryable

PACKAGE = "pydantic-ai-slim"
CATEGORIES = {
    "rate_limit_exceeded": ModelRateLimitError,
    "slow_down": ModelRateLimitError,
    "insufficient_quota": ModelQuotaExceededError,
    "credit_balance_exhausted": ModelQuotaExceededError,
    "server_error": ModelServerError,
    "vector_store_timeout": ModelServerError,
    "server_is_overloaded": ModelOverloadedError,
    "invalid_prompt": ModelRequestRejectedError,
    "cyber_policy": ModelRequestRejectedError,
    "unprocessable": ModelRequestRejectedError,
    "context_length_exceeded": ModelContextWindowExceededError,
    "invalid_api_key": ModelAuthenticationError,
    "misalignment_policy_violation": ModelAuthenticationError,
    "model_not_found": ModelNotFoundError,
    "gone": ModelNotFoundError,
}


def model(name: str) -> OpenAIResponsesModel:
    """The package's own model, over a client whose runs end in the error of this name."""
    client = AsyncOpenAI(api_key="any", base_url="http://127.0.0.1:1", max_retries=0)
    client.responses.create = Work(name, completed()).asynchronous
    return OpenAIResponsesModel("gpt-5.5", provider=OpenAIProvider(openai_client=client))


def run(model: Any) -> str:
    """What an agent answers."""
    return asyncio.run(Agent(model).run("Hi")).output


@pytest.mark.parametrize("name", STATUS_ERRORS)
def test_the_model_maps_the_synthetic_response(name: str) -> None:
    """`OpenAIResponsesModel` makes a `ModelHTTPError` of a status error, with the equivalent status and code, the delay
    of the run's message as `retry_after`, and our verdict as `provider_retry_hint`; ours is its `__cause__`.
    """
    raised = caught(ModelHTTPError, lambda: run(model(name)))
    assert isinstance(raised, ModelHTTPError)
    assert (raised.status_code, raised.provider_error_code) == (STATUS_ERRORS[name], error(name).code)
    assert raised.provider_retry_hint is (name in RETRYABLE)
    assert raised.retry_after == (DELAY_SECONDS if name == "rate_limit_exceeded" else None)
    assert type(raised.__cause__) is type(error(name))


@pytest.mark.parametrize("name", CATEGORIES)
def test_the_category_is_right(name: str) -> None:
    """A status error gets the category of its cause: quota apart from rate limits, a policy as a rejected request."""
    assert isinstance(caught(ModelAPIError, lambda: run(model(name))), CATEGORIES[name])


@pytest.mark.parametrize("name", EVERY)
def test_other_errors_pass_unchanged(name: str) -> None:
    """An error that is no `APIError` leaves the model as it is; a bare one becomes a `ModelAPIError`."""
    if not isinstance(error(name), APIError):
        assert type(caught(Exception, lambda: run(model(name)))) is type(error(name))
    elif name not in STATUS_ERRORS and name not in WAITS:
        raised = caught(ModelAPIError, lambda: run(model(name)))
        assert not isinstance(raised, ModelHTTPError)
        assert type(raised.__cause__) is type(error(name))


def ours(exc: BaseException) -> BaseException | None:
    """The error that the model's own error was made of."""
    return exc.__cause__ if isinstance(exc, ModelAPIError) else exc


def with_fallback(name: str) -> FallbackModel:
    """A model that fails with this error, and one that answers, where our verdict allows it."""
    return FallbackModel(
        model(name), TestModel(custom_output_text=ANSWER), fallback_on=lambda exc: is_retryable(ours(exc))
    )


@pytest.mark.parametrize("name", RETRYABLE)
def test_fallback_by_our_verdict_falls_back(name: str) -> None:
    """`FallbackModel(fallback_on=...)`, asking `is_retryable` about the cause of a `ModelAPIError`, goes on where a new
    run may succeed.
    """
    assert run(with_fallback(name)) == ANSWER


@pytest.mark.parametrize("name", NOT_RETRYABLE)
def test_fallback_by_our_verdict_stops(name: str) -> None:
    """The same raises at once after quota, policy, incomplete, cancelled, unknown, pending and waiting errors."""
    assert type(ours(caught(Exception, lambda: run(with_fallback(name))))) is type(error(name))


@pytest.mark.parametrize("name", [*RETRYABLE, *FINAL])
def test_fallback_by_default(name: str) -> None:
    """`FallbackModel` as it is falls back on every error that is an `APIError`, and on no other."""
    models = FallbackModel(model(name), TestModel(custom_output_text=ANSWER))
    if isinstance(error(name), APIError):
        assert run(models) == ANSWER
    else:
        assert type(caught(Exception, lambda: run(models))) is type(error(name))


def test_a_group_of_failed_models_is_judged() -> None:
    """Where all models fail, each member of the `FallbackExceptionGroup` has its run error as `__cause__`."""
    models = FallbackModel(model("server_error"), model("insufficient_quota"))
    raised = caught(FallbackExceptionGroup, lambda: run(models))
    assert isinstance(raised, FallbackExceptionGroup)
    assert [is_retryable(ours(member)) for member in raised.exceptions] == [True, False]


@pytest.mark.parametrize("name", BODIES)
def test_a_strict_client(name: str) -> None:
    """Over `strict_client` the model makes one create for a run that ended badly, and its error is or has the run's."""
    answers = Answers(name)
    model = OpenAIResponsesModel("gpt-5.5", provider=OpenAIProvider(openai_client=answers.client))
    raised = caught(Exception, lambda: run(model))
    assert isinstance(raised, CATEGORIES.get(name, (ModelAPIError, RunError)))
    assert isinstance(ours(raised), RunError)
    assert len(answers.creates) == 1
