"""openai-agents: `BackgroundResponsesModel` under its own runner, on the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from agents import (
    Agent,
    ModelRetrySettings,
    ModelSettings,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
    retry_policies,
    set_tracing_disabled,
)
from agents.exceptions import ModelTimeoutError
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

from runoutcome import (
    AsyncRuns,
    RunCancelledError,
    RunContentFilterError,
    RunError,
    RunFailedError,
    RunIncompleteError,
    RunInternalServerError,
    RunRateLimitError,
    SubmissionUnknownError,
    WaitTimeoutError,
)
from runoutcome.integrations.openai_agents import BackgroundResponsesModel
from runoutcome.testing import Emulator

PACKAGE = "openai-agents"
QUIET = RunConfig(tracing_disabled=True)
EVERYTHING = retry_policies.any(
    retry_policies.provider_suggested(),
    retry_policies.network_error(),
    retry_policies.http_status([408, 409, 429, 500, 502, 503, 504]),
)
"""The most that a user can ask for with the runner's own policies."""
ENDS = {
    "insufficient_quota": RunRateLimitError,
    "server_error": RunInternalServerError,
    "failed:a_code_nobody_knows": RunFailedError,
    "max_output_tokens": RunIncompleteError,
    "content_filter": RunContentFilterError,
    "cancelled": RunCancelledError,
}


class Planet(BaseModel):
    """A form of output."""

    name: str


Ask = Callable[[Agent[Any]], Awaitable[Any]]


async def whole(agent: Agent[Any]) -> Any:
    """The answer of the agent."""
    return (await Runner.run(agent, "Hi", run_config=QUIET)).final_output


async def streamed(agent: Agent[Any]) -> Any:
    """The same, from a stream."""
    result = Runner.run_streamed(agent, "Hi", run_config=QUIET)
    async for _ in result.stream_events():
        pass
    return result.final_output


WAYS = pytest.mark.parametrize("ask", [whole, streamed])


def agent_over(runs: AsyncRuns, *, emulate: str | None = None, retries: Any = None, **options: Any) -> Agent[Any]:
    """An agent whose runs end so, and which tries again by this policy."""
    options.setdefault("poll_interval_ms", 1)
    retry = ModelRetrySettings(max_retries=2, policy=retries, backoff={"initial_delay": 0}) if retries else None
    settings = ModelSettings(metadata={"emulate": emulate} if emulate else None, retry=retry)
    return Agent(name="compat", model=BackgroundResponsesModel("gpt-5.5", runs, **options), model_settings=settings)


@WAYS
def test_a_turn_is_a_background_run(ask: Ask) -> None:
    """`Runner.run` and `run_streamed` answer from one background run, stored, whose token was told before its end."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        tokens: list[str] = []
        assert await ask(agent_over(runs, on_submitted=tokens.append))
        (run,) = emulator.runs
        assert run.id in tokens[0]
        assert (run.request["background"], run.request["store"]) == (True, True)

    on_emulator(work)


def test_usage_and_ids() -> None:
    """The result has the usage and the id of the background run."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        result = await Runner.run(agent_over(runs), "Hi", run_config=QUIET)
        (answer,) = result.raw_responses
        assert answer.response_id == emulator.runs[0].id
        assert answer.usage.total_tokens > 0

    on_emulator(work)


@WAYS
def test_structured_output(ask: Ask) -> None:
    """An agent's `output_type` is asked of the API and parsed."""

    async def work(runs: AsyncRuns, _: Emulator) -> None:
        agent = agent_over(runs)
        agent.output_type = Planet
        assert isinstance(await ask(agent), Planet)

    on_emulator(work)


@WAYS
@pytest.mark.parametrize("word", ENDS)
def test_a_failed_run_raises(ask: Ask, word: str) -> None:
    """Every end but completed leaves the runner as our exception, with the token; the run was paid once."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        with pytest.raises(ENDS[word]) as caught:
            await ask(agent_over(runs, emulate=word))
        (run,) = emulator.runs
        assert isinstance(caught.value, RunError)
        assert run.id in (caught.value.run_token or "")

    on_emulator(work)


@WAYS
def test_an_outage_is_waited_through(ask: Ask) -> None:
    """Polls that answer 503 end no turn: one run, one answer, no cancel."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        assert await ask(agent_over(runs))
        (run,) = emulator.runs
        assert run.cancelled_at is None

    on_emulator(work, OUTAGE)


@WAYS
def test_a_lost_create_is_not_repeated(ask: Ask) -> None:
    """No policy of the runner repeats a create whose answer was lost."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        agent = agent_over(runs, retries=EVERYTHING)
        agent.model_settings.metadata = {"emulate_create": "lost"}
        with pytest.raises(SubmissionUnknownError):
            await ask(agent)
        assert len(emulator.runs) == 1

    on_emulator(work)


def test_a_retryable_failure_is_retried() -> None:
    """`provider_suggested()` makes one more run after a retryable failure."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        agent = agent_over(runs, emulate="server_error,completed", retries=retry_policies.provider_suggested())
        assert await whole(agent)
        assert len(emulator.runs) == 2

    on_emulator(work)


@WAYS
def test_a_quota_failure_is_not_retried(ask: Ask) -> None:
    """`provider_suggested()` makes no other run after a quota failure."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        with pytest.raises(RunRateLimitError):
            await ask(agent_over(runs, emulate="insufficient_quota", retries=EVERYTHING))
        assert len(emulator.runs) == 1

    on_emulator(work)


def test_a_streamed_turn_is_not_retried() -> None:
    """Limitation: the runner retries no streamed turn of a background run, because it takes `response.queued`, which
    such a stream begins with, for output.
    """

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        agent = agent_over(runs, emulate="server_error,completed", retries=retry_policies.provider_suggested())
        with pytest.raises(RunInternalServerError):
            await streamed(agent)
        assert len(emulator.runs) == 1

    on_emulator(work)


def test_resubmit() -> None:
    """`resubmit=1` does the same without the runner."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        assert await whole(agent_over(runs, emulate="server_error,completed", resubmit=1))
        assert len(emulator.runs) == 2

    on_emulator(work)


@WAYS
def test_a_wait_that_timed_out_is_resumed(ask: Ask) -> None:
    """The token of a `WaitTimeoutError` goes on with the run; no policy of the runner makes another."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        with pytest.raises(WaitTimeoutError) as caught:
            await ask(agent_over(runs, max_wait_seconds=0, retries=EVERYTHING))
        assert await ask(agent_over(runs, resume=caught.value.run_token))
        assert len(emulator.runs) == 1

    on_emulator(work, {"running_seconds": 1}, speed=4)


@WAYS
def test_the_runners_own_timeout_makes_no_second_run(ask: Ask) -> None:
    """After `ModelSettings.timeout` the run goes on; no policy of the runner makes another beside it."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        tokens: list[str] = []
        agent = agent_over(runs, emulate="stuck", retries=EVERYTHING, on_submitted=tokens.append)
        agent.model_settings.timeout = 0.3
        with pytest.raises(ModelTimeoutError):
            await ask(agent)
        (run,) = emulator.runs
        assert run.id in tokens[0]

    on_emulator(work)


@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
@WAYS
def test_cancellation_of_the_task(ask: Ask, on_interrupt: Any) -> None:
    """`on_interrupt` says whether the cancellation of the task stops the run."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        submitted = asyncio.Event()
        options = {"on_submitted": lambda _: submitted.set(), "on_interrupt": on_interrupt}
        task = asyncio.ensure_future(ask(agent_over(runs, emulate="stuck", **options)))
        await submitted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The runner streams in a task of its own, which it cancels and does not wait for.
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()} or {task})
        (run,) = emulator.runs
        assert (run.cancelled_at is not None) is (on_interrupt == "cancel")

    on_emulator(work)


def test_a_conversation_is_resumed_after_a_crash() -> None:
    """After a crash in a later turn, `resume` and a session go on: no tool runs and no run is paid a second time."""

    async def work(runs: AsyncRuns, emulator: Emulator) -> None:
        calls: list[str] = []

        @function_tool(name_override=TOOL)
        def weather(city: str) -> str:
            calls.append(city)
            return "sunny"

        session, tokens = SQLiteSession("compat"), list[str]()
        crashing = agent_over(runs, on_submitted=crash_after(TURNS, tokens))
        crashing.tools = [weather]
        with pytest.raises(CrashError):
            await Runner.run(crashing, "Hi", session=session, run_config=QUIET)
        assert (len(emulator.runs), len(calls)) == (TURNS, TURNS - 1)
        resumed = agent_over(runs, resume=tokens[-1])
        resumed.tools = [weather]
        result = await Runner.run(resumed, [], session=session, run_config=QUIET)
        assert "Emulated answer" in result.final_output
        assert (len(emulator.runs), len(calls)) == (TURNS, TURNS - 1)

    on_emulator(work, CONVERSATION)


@pytest.mark.parametrize("block", blocks_of("openai-agents.md"))
def test_the_page(block: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each example of the [page](openai-agents.md) runs."""
    set_tracing_disabled(True)
    run_block(block, monkeypatch, tmp_path)
