"""LangChain: `ChatOpenAI` over a client whose runs fail with our errors, its retries, fallbacks and middleware."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from attempts import ANSWER, ATTEMPTS, Work, completed
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
)
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_openai import ChatOpenAI

from errors import DELAY_SECONDS, EVERY, NOT_RETRYABLE, RETRYABLE, STATUS_ERRORS, caught, error
from runoutcome import is_retryable, retry_after

PACKAGE = "langchain-openai"
WITH = ("langchain", "langchain-core")
TRANSIENT = (openai.RateLimitError, openai.InternalServerError, openai.ConflictError)
CATEGORIES = {
    400: ModelInvalidRequestError,
    401: ModelAuthenticationError,
    403: ModelPermissionDeniedError,
    404: ModelNotFoundError,
    429: ModelRateLimitError,
    500: ModelAPIError,
    503: ModelAPIError,
}


class RawCompleted:
    """What `with_raw_response` gives for a completed run."""

    headers: dict[str, str] = {}  # noqa: RUF012 - read only

    def parse(self) -> Any:
        """The response."""
        return completed()


def model(work: Work) -> ChatOpenAI:
    """The package's own model, over a client whose `responses.create` does `work`."""
    model = ChatOpenAI(
        model="gpt-5.5", use_responses_api=True, api_key="any", base_url="http://127.0.0.1:1", max_retries=0
    )
    model.root_client.responses.create = work
    return model


def failing(name: str) -> Work:
    """Runs that end in the error of this name, and in an answer at last."""
    return Work(name, RawCompleted())


@pytest.mark.parametrize("name", STATUS_ERRORS)
def test_the_model_keeps_what_is_needed(name: str) -> None:
    """`ChatOpenAI` builds its own class from our response: still the SDK's class and LangChain's category, with status,
    code and headers; `is_retryable` and `retry_after` say of it what they say of ours, its `__cause__`.
    """
    sent, raised = error(name), caught(openai.APIStatusError, lambda: model(failing(name)).invoke("Hi"))
    assert isinstance(raised, openai.APIStatusError)
    assert (raised.status_code, raised.code) == (STATUS_ERRORS[name], sent.code)
    assert isinstance(raised, next(cls for cls in type(sent).__mro__ if cls.__module__ == "openai"))
    assert is_retryable(raised) is (name in RETRYABLE)
    assert retry_after(raised) == (DELAY_SECONDS if name == "rate_limit_exceeded" else None)
    category = ContextOverflowError if name == "context_length_exceeded" else CATEGORIES.get(raised.status_code)
    if category is None:
        assert type(raised) is type(sent)
    else:
        assert isinstance(raised, category)
        assert type(raised.__cause__) is type(sent)


@pytest.mark.parametrize("name", [name for name in NOT_RETRYABLE if name not in (*STATUS_ERRORS, "gone")])
def test_other_errors_pass_unchanged(name: str) -> None:
    """An error that claims no status leaves the model as it is."""
    assert type(caught(Exception, lambda: model(failing(name)).invoke("Hi"))) is type(error(name))


@pytest.mark.parametrize("name", RETRYABLE)
def test_with_retry_tries_again(name: str) -> None:
    """`with_retry` on the SDK's `RateLimitError`, `InternalServerError` and `ConflictError` tries again."""
    work = failing(name)
    patient = model(work).with_retry(
        retry_if_exception_type=TRANSIENT, stop_after_attempt=ATTEMPTS, wait_exponential_jitter=False
    )
    assert patient.invoke("Hi").text == ANSWER
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize("name", NOT_RETRYABLE)
def test_with_retry_knows_classes_only(name: str) -> None:
    """Limitation: `with_retry` takes classes, no predicate: it lets every error of another class out at once, but also
    tries again after a quota error, which is a `RateLimitError`; the middleware below does not.
    """
    work = failing(name)
    patient = model(work).with_retry(
        retry_if_exception_type=TRANSIENT, stop_after_attempt=ATTEMPTS, wait_exponential_jitter=False
    )
    if STATUS_ERRORS.get(name) == 429:
        assert patient.invoke("Hi").text == ANSWER
        assert work.calls == ATTEMPTS
    else:
        caught(Exception, lambda: patient.invoke("Hi"))
        assert work.calls == 1


@pytest.mark.parametrize("name", EVERY)
def test_with_fallbacks_goes_by_the_class(name: str) -> None:
    """`with_fallbacks(exceptions_to_handle=...)` turns to the other model for the classes it names alone."""
    models = model(failing(name)).with_fallbacks(
        [FakeListChatModel(responses=[ANSWER])], exceptions_to_handle=(openai.RateLimitError,)
    )
    if isinstance(error(name), openai.RateLimitError):
        assert models.invoke("Hi").text == ANSWER
    else:
        caught(Exception, lambda: models.invoke("Hi"))


def agent(work: Work, **options: Any) -> Any:
    """An agent that tries model calls again."""
    retry = ModelRetryMiddleware(max_retries=ATTEMPTS - 1, initial_delay=0, on_failure="error", **options)
    return create_agent(model(work), middleware=[retry])


@pytest.mark.parametrize("name", RETRYABLE)
def test_the_middleware_tries_again(name: str) -> None:
    """`ModelRetryMiddleware(retry_on=is_retryable)` tries again after an error that a new run may get past."""
    work = failing(name)
    assert agent(work, retry_on=is_retryable).invoke({"messages": "Hi"})["messages"][-1].text == ANSWER
    assert work.calls == ATTEMPTS


@pytest.mark.parametrize("name", NOT_RETRYABLE)
def test_the_middleware_lets_the_error_out(name: str) -> None:
    """The same lets quota, policy, incomplete, cancelled, unknown, pending and waiting errors out at once."""
    work = failing(name)
    caught(Exception, lambda: agent(work, retry_on=is_retryable).invoke({"messages": "Hi"}))
    assert work.calls == 1


@pytest.mark.parametrize("name", ["insufficient_quota", "cancelled", "wait_timeout", "submission_unknown"])
def test_the_middleware_by_default_pays_again(name: str) -> None:
    """Limitation: without `retry_on` the middleware tries again after quota errors and all it does not know."""
    work = failing(name)
    agent(work).invoke({"messages": "Hi"})
    assert work.calls == ATTEMPTS
