"""Static uses of the integrations' public API. Checked by mypy and pyright, both strict; never run."""

from __future__ import annotations

import agents
import pydantic_ai
import tenacity
from openai import AsyncOpenAI
from pydantic_ai.models.fallback import FallbackModel
from typing_extensions import assert_type

from runoutcome import AUTO, AsyncRuns, Outcome, ResubmitPolicy, Runs
from runoutcome.integrations import openai_agents, pydantic_ai as pydantic_ai_model
from runoutcome.integrations.tenacity import (
    retry_if_retryable,
    stop_if_action,
    stop_if_retry_after_exceeds,
    wait_retry_after,
)


async def keep(token: str) -> None:
    """A callback that is a coroutine function."""


def watch(outcome: Outcome) -> None:
    """A callback that is a function."""


async def agents_of_openai(client: AsyncOpenAI) -> None:
    """The model goes where a `Model` goes, and takes the options of a turn."""
    model = openai_agents.BackgroundResponsesModel(
        "gpt-5.5",
        AsyncRuns(client),
        resume="resp_1",
        resubmit=ResubmitPolicy(2, max_seconds=600),
        on_submitted=keep,
        on_update=watch,
        max_wait_seconds=AUTO,
        on_interrupt="cancel",
    )
    as_model: agents.Model = model
    agent = agents.Agent[None](name="Researcher", model=model)
    config = agents.RunConfig(model=as_model)
    await agents.Runner.run(agent, "Hello", run_config=config)
    openai_agents.BackgroundResponsesModel("gpt-5.5", client)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    openai_agents.BackgroundResponsesModel("gpt-5.5", AsyncRuns(client), accept="pending")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def agents_of_pydantic_ai(client: AsyncOpenAI) -> None:
    """The model goes where a pydantic-ai model goes, also into a `FallbackModel`."""
    model = pydantic_ai_model.BackgroundResponsesModel("gpt-5.5", AsyncRuns(client), resume=None, require="output")
    result = await pydantic_ai.Agent(FallbackModel(model, model), output_type=int).run("Hello")
    assert_type(result.output, int)


@tenacity.retry(
    retry=retry_if_retryable(after_tools=True) | tenacity.retry_if_exception_type(KeyError),
    wait=wait_retry_after(tenacity.wait_fixed(1)) + tenacity.wait_random(0, 1),
    stop=stop_if_action("fix_account") | stop_if_retry_after_exceeds(60),
)
def research(runs: Runs, prompt: str) -> str:
    """The strategies combine with tenacity's own, and the function keeps its type."""
    return runs.create_and_poll(model="gpt-5.5", input=prompt).output_text


def strategies(runs: Runs) -> None:
    """A decorated function returns what it returned."""
    assert_type(research(runs, "Hello"), str)
