"""pydantic-ai: `BackgroundResponsesModel` under its own agent, on the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from framework_runs import (
    CONVERSATION,
    OUTAGE,
    TOOL,
    TURNS,
    CrashError,
    blocks_of,
    crash_after,
    on_emulator,
    run_block,
)
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, capture_run_messages
from pydantic_ai.exceptions import ModelAPIError, ModelQuotaExceededError, ModelServerError
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.models.test import TestModel
from pydantic_ai.output import PendingModelResponse
from pydantic_ai.providers.openai import OpenAIProvider

from runoutcome import (
    AsyncRuns,
    RunCancelledError,
    RunContentFilterError,
    RunFailedError,
    RunIncompleteError,
    RunInternalServerError,
    RunRateLimitError,
    SubmissionUnknownError,
    WaitTimeoutError,
    is_retryable,
)
from runoutcome.integrations.pydantic_ai import BackgroundResponsesModel
from runoutcome.testing import Emulator

PACKAGE = "pydantic-ai-slim"
ENDS = {
    "insufficient_quota": (ModelQuotaExceededError, RunRateLimitError),
    "server_error": (ModelServerError, RunInternalServerError),
    "failed:a_code_nobody_knows": (ModelAPIError, RunFailedError),
    "failed": (ModelAPIError, RunFailedError),
    "max_output_tokens": (RunIncompleteError, None),
    "content_filter": (RunContentFilterError, None),
    "cancelled": (RunCancelledError, None),
}
"""How a run ends -> what the agent raises, and its cause."""


class Planet(BaseModel):
    """A form of output."""

    name: str


Ask = Callable[[Agent[Any, Any]], Awaitable[Any]]


async def whole(agent: Agent[Any, Any]) -> Any:
    """The answer of the agent."""
    return (await agent.run("Hi")).output


async def streamed(agent: Agent[Any, Any]) -> Any:
    """The same, from a stream."""
    async with agent.run_stream("Hi") as result:
        return await result.get_output()


async def in_events(agent: Agent[Any, Any]) -> Any:
    """The same, from a stream of events."""
    async with agent.run_stream_events("Hi") as events:
        return [event async for event in events][-1].result.output


WAYS = pytest.mark.parametrize("ask", [whole, streamed, in_events])


def model_over(runs: AsyncRuns, emulate: str | None = None, **options: Any) -> BackgroundResponsesModel:
    """A model whose runs end so."""
    options.setdefault("poll_interval_ms", 1)
    settings = {"extra_body": {"metadata": {"emulate": emulate}}} if emulate else None
    return BackgroundResponsesModel("gpt-5.5", runs, settings=settings, **options)


@WAYS
def test_a_request_is_a_background_run(ask: Ask) -> None:
    """`run`, `run_stream` and `run_stream_events` answer from one background run, stored, whose token was told before
    its end.
    """

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        tokens: list[str] = []
        assert "Emulated answer" in await ask(Agent(model_over(runs, on_submitted=tokens.append)))
        (run,) = emulator.runs
        assert run.id in tokens[0]
        assert (run.request["background"], run.request["store"]) == (True, True)

    on_emulator(work)


def test_usage_and_ids() -> None:
    """The result has the usage and the id of the background run."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        result = await Agent(model_over(runs)).run("Hi")
        assert result.response.provider_response_id == emulator.runs[0].id
        assert result.usage.output_tokens > 0

    on_emulator(work)


def test_the_stream_has_the_whole_text() -> None:
    """`run_stream` waits for the run, and then gives the whole text in one piece."""

    async def work(runs: AsyncRuns, _: Emulator) -> None:
        async with Agent(model_over(runs)).run_stream("Hi") as result:
            pieces = [piece async for piece in result.stream_text(delta=True)]
        assert len(pieces) == 1
        assert pieces[0].startswith("Emulated answer")

    on_emulator(work)


@WAYS
@pytest.mark.parametrize("output_type", [Planet, NativeOutput(Planet)])
def test_structured_output(ask: Ask, output_type: Any) -> None:
    """An agent's `output_type` is asked of the API and parsed, as a tool and natively."""

    async def work(runs: AsyncRuns, _: Emulator) -> None:
        assert isinstance(await ask(Agent(model_over(runs), output_type=output_type)), Planet)

    on_emulator(work)


@WAYS
@pytest.mark.parametrize("word", ENDS)
def test_a_failed_run_raises(ask: Ask, word: str) -> None:
    """Every end but completed raises: our exception, or pydantic-ai's own with ours as `__cause__`. It was paid once,
    and not cancelled.
    """
    expected, cause = ENDS[word]

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        with pytest.raises(expected) as caught:
            await ask(Agent(model_over(runs, word)))
        (run,) = emulator.runs
        ours = caught.value.__cause__ if cause else caught.value
        assert isinstance(ours, cause or expected)
        assert run.id in ours.run_token
        assert run.cancelled_at is None

    on_emulator(work)


@WAYS
def test_an_outage_is_waited_through(ask: Ask) -> None:
    """Polls that answer 503 end no request: one run, one answer, no cancel."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        assert await ask(Agent(model_over(runs)))
        (run,) = emulator.runs
        assert run.cancelled_at is None

    on_emulator(work, OUTAGE)


def test_a_lost_create_is_not_repeated() -> None:
    """A create whose answer was lost raises `SubmissionUnknownError`, and is sent once, whatever `max_retries` says."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        settings: Any = {"extra_body": {"metadata": {"emulate_create": "lost"}}, "max_retries": 5}
        model = BackgroundResponsesModel("gpt-5.5", runs, settings=settings)
        with pytest.raises(SubmissionUnknownError):
            await Agent(model).run("Hi")
        assert len(emulator.runs) == 1

    on_emulator(work, retries=2)


def test_resubmit() -> None:
    """`resubmit=1` makes one more run after a retryable failure, and none after a quota failure."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        assert await whole(Agent(model_over(runs, "server_error,completed", resubmit=1)))
        with pytest.raises(ModelQuotaExceededError):
            await whole(Agent(model_over(runs, "insufficient_quota", resubmit=1)))
        assert len(emulator.runs) == 3

    on_emulator(work)


@pytest.mark.parametrize(("word", "falls_back"), [("server_error", True), ("insufficient_quota", False)])
def test_a_fallback_model_decides_by_the_cause(word: str, falls_back: bool) -> None:
    """`FallbackModel(fallback_on=...)` that asks `is_retryable` about the cause goes on where a new run may succeed."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        def may_succeed(exc: Exception) -> bool:
            return is_retryable(exc.__cause__ or exc)

        agent = Agent(FallbackModel(model_over(runs, word), TestModel(), fallback_on=may_succeed))
        if falls_back:
            assert await whole(agent)
        else:
            with pytest.raises(ModelQuotaExceededError):
                await whole(agent)
        assert len(emulator.runs) == 1

    on_emulator(work)


@WAYS
def test_a_wait_that_timed_out_is_resumed(ask: Ask) -> None:
    """The token of a `WaitTimeoutError` goes on with the run, and makes no other."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        with pytest.raises(WaitTimeoutError) as caught:
            await ask(Agent(model_over(runs, max_wait_seconds=0)))
        assert await ask(Agent(model_over(runs, resume=caught.value.run_token)))
        (run,) = emulator.runs
        assert run.cancelled_at is None

    on_emulator(work, {"running_seconds": 1}, speed=4)


@WAYS
@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_cancellation_of_the_task(ask: Ask, on_interrupt: Any) -> None:
    """`on_interrupt` says whether the cancellation of the task stops the run."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        submitted = asyncio.Event()
        options = {"on_submitted": lambda _: submitted.set(), "on_interrupt": on_interrupt}
        task = asyncio.ensure_future(ask(Agent(model_over(runs, "stuck", **options))))
        await submitted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (run,) = emulator.runs
        assert (run.cancelled_at is not None) is (on_interrupt == "cancel")

    on_emulator(work)


def test_a_conversation_is_resumed_after_a_crash() -> None:
    """After a crash in a later request, `resume` and the messages so far go on: no tool runs and no run is paid a
    second time.
    """

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        calls, tokens = list[str](), list[str]()

        def weather(city: str) -> str:
            calls.append(city)
            return "sunny"

        assert weather.__name__ == TOOL
        agent = Agent(model_over(runs, on_submitted=crash_after(TURNS, tokens)), tools=[weather])
        with capture_run_messages() as messages, pytest.raises(CrashError):
            await agent.run("Hi")
        assert (len(emulator.runs), len(calls)) == (TURNS, TURNS - 1)
        stored = ModelMessagesTypeAdapter.dump_json(messages)
        result = await Agent(model_over(runs, resume=tokens[-1]), tools=[weather]).run(
            message_history=ModelMessagesTypeAdapter.validate_json(stored)
        )
        assert "Emulated answer" in result.output
        assert (len(emulator.runs), len(calls)) == (TURNS, TURNS - 1)

    on_emulator(work, CONVERSATION)


def test_no_setting_takes_a_request_elsewhere() -> None:
    """Settings of the agent that ask for a websocket, and for no background, change nothing."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        settings = OpenAIResponsesModelSettings(openai_background=False, openai_transport="websocket")
        model = BackgroundResponsesModel("gpt-5.5", runs, poll_interval_ms=1)
        await Agent(model, model_settings=settings).run("Hi")
        assert [request.method for request in emulator.requests][:2] == ["POST", "GET"]

    on_emulator(work)


def test_a_pending_response_is_waited_for() -> None:
    """A history that pydantic-ai's own model left with a pending response is waited for, with our patience."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        plain = OpenAIResponsesModel("gpt-5.5", provider=OpenAIProvider(openai_client=runs._client))
        settings: Any = {"openai_background": True}
        pending = await Agent(plain, output_type=[str, PendingModelResponse]).run("Hi", model_settings=settings)
        assert isinstance(pending.output, PendingModelResponse)
        history = [message for message in pending.all_messages() if isinstance(message, (ModelRequest, ModelResponse))]
        result = await Agent(model_over(runs)).run(message_history=history)
        assert "Emulated answer" in result.output
        assert len(emulator.runs) == 1

    on_emulator(work, OUTAGE, speed=20)


@pytest.mark.parametrize("block", blocks_of("pydantic-ai.md"))
def test_the_page(block: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each example of the [page](pydantic-ai.md) runs."""
    run_block(block, monkeypatch, tmp_path)
