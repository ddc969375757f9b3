"""Temporal's plugin for openai-agents: its model activity decides by the status and headers of the SDK's errors."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from agents import ModelProvider, ModelSettings, OpenAIResponsesModel
from attempts import Work, completed
from openai import AsyncOpenAI
from temporalio.exceptions import ApplicationError
from temporalio.openai_agents._invoke_model_activity import ActivityModelInput, ModelActivity
from temporalio.testing import ActivityEnvironment

from errors import DELAY_SECONDS, FINAL, RETRYABLE, STATUS_ERRORS, caught, error

PACKAGE = "temporalio-openai-agents"
WITH = ("temporalio", "openai-agents")


class Models(ModelProvider):
    """One model, the framework's own, over a client."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    def get_model(self, model_name: str | None) -> OpenAIResponsesModel:
        """The model."""
        return OpenAIResponsesModel(model_name or "gpt-5.5", self._client)


def raised_by_activity(name: str) -> Exception:
    """What the plugin's activity raises when a run ends in the error of this name."""
    client = AsyncOpenAI(api_key="any", base_url="http://127.0.0.1:1", max_retries=0)
    client.responses.create = Work(name, completed()).asynchronous
    activity = ModelActivity(Models(client))
    settings = ActivityModelInput(model_name="gpt-5.5", input="Hi", model_settings=ModelSettings(), tracing=0)
    run = ActivityEnvironment().run
    return caught(Exception, lambda: asyncio.run(run(activity.invoke_model_activity, settings)))


@pytest.mark.parametrize("name", STATUS_ERRORS)
def test_the_activity_decides_by_the_synthetic_response(name: str) -> None:
    """The model activity makes an `ApplicationError` of a status error: `non_retryable` where a new run would fail too,
    and `next_retry_delay` from the run's message.
    """
    raised = raised_by_activity(name)
    assert isinstance(raised, ApplicationError)
    assert raised.non_retryable is (name not in RETRYABLE)
    delay = timedelta(seconds=DELAY_SECONDS) if name == "rate_limit_exceeded" else None
    assert raised.next_retry_delay == delay


@pytest.mark.parametrize("name", [name for name in FINAL if name not in STATUS_ERRORS])
def test_an_error_without_a_status_passes_unchanged(name: str) -> None:
    """Limitation: an error that claims no status leaves the activity as it is, and Temporal retries what it does not
    know; list those classes in `RetryPolicy.non_retryable_error_types`.
    """
    assert type(raised_by_activity(name)) is type(error(name))
