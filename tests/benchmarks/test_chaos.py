"""The shipped scenario `chaos` in small: one poll in five is spoilt, streams break, webhooks are lost. Real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from colours import API_KEY, COLOURS, Colour
from runoutcome import AsyncRuns, RunError, RunResult, Runs
from runoutcome._waiting import polling as _wait
from runoutcome.asgi import WebhookApp
from runoutcome.testing import EmulatedRun, Emulator, assert_client_ok, load_scenario
from runoutcome.testing._state.fault_plan import FaultPlan
from runoutcome.webhooks import Inbox
from webhook_samples import SECRET, serving

JOBS = 100
SPEED = 5.0
MODEL = "gpt-5.2"
PROMPTS = [f"Write report {number} about otters in space." for number in range(1, JOBS + 1)]
SAFETY_NET = (0.5, 1.0)
"""A lost webhook costs seconds here, and not minutes."""
IDLE_SECONDS = 1.0
"""A stream that is silent for so long is opened again."""
Told = tuple[str, str | None]
"""The status, and with it the text, the code or the reason."""


def true_end(run: EmulatedRun) -> Told:
    """How the emulator ended the run."""
    text = f'Emulated answer, no model was called. The prompt began: "{run.request["input"]}"'
    end = run.outcome
    return end.status, text if end.status == "completed" else end.reason or (end.code and str(end.code))


def end_in(response: Any) -> Told:
    """What was returned."""
    return response.status, response.output_text


def end_behind(error: BaseException | None) -> Told:
    """What was raised: nothing but the end of a run may be."""
    if not isinstance(error, RunError):
        raise AssertionError(f"not the end of a run: {error!r}")
    return str(error.outcome.status), error.outcome.code or error.outcome.reason


def assert_all_right(emulator: Emulator, told: dict[str, Told]) -> None:
    """Every job's outcome is that of its one run, and none was cancelled, forgotten, or asked for too often."""
    assert told == {run.request["input"]: true_end(run) for run in emulator.runs}
    assert sorted(run.request["input"] for run in emulator.runs) == sorted(PROMPTS)
    assert {"cancel", "delete"}.isdisjoint(request.route for request in emulator.requests)
    assert_client_ok(emulator.verdict())


def each(base_url: str, colour: Colour, job: Callable[[Any, str], Any], **options: Any) -> dict[str, Told]:
    """What `job` comes to for each prompt, all at once: in threads, or in tasks."""
    if colour == "sync":
        return in_threads(base_url, job, **options)
    return asyncio.run(in_tasks(base_url, job, **options))


def in_threads(base_url: str, job: Callable[[Any, str], Any], **options: Any) -> dict[str, Told]:
    """Each job in a thread."""
    with OpenAI(base_url=base_url, api_key=API_KEY) as client, ThreadPoolExecutor(JOBS) as pool:
        runs = Runs(client, **options)

        def told(prompt: str) -> Told:
            try:
                return end_in(job(runs, prompt))
            except RunError as error:
                return end_behind(error)

        return dict(zip(PROMPTS, pool.map(told, PROMPTS), strict=True))


async def in_tasks(base_url: str, job: Callable[[Any, str], Awaitable[Any]], **options: Any) -> dict[str, Told]:
    """Each job in a task."""
    async with AsyncOpenAI(base_url=base_url, api_key=API_KEY) as client:
        runs = AsyncRuns(client, **options)

        async def told(prompt: str) -> Told:
            try:
                return end_in(await job(runs, prompt))
            except RunError as error:
                return end_behind(error)

        return dict(zip(PROMPTS, await asyncio.gather(*map(told, PROMPTS)), strict=True))


def create_and_poll(runs: Any, prompt: str) -> Any:
    """One job; for an `AsyncRuns` what is to be awaited."""
    return runs.create_and_poll(model=MODEL, input=prompt)


@pytest.mark.parametrize("colour", COLOURS)
def test_every_job_comes_out_right(colour: Colour) -> None:
    """`create_and_poll` gives every job the true outcome of one run, paid for once, with nothing cancelled or lost."""
    with Emulator("chaos", speed=SPEED) as emulator:
        assert_all_right(emulator, each(emulator.base_url, colour, create_and_poll))
        assert sum(request.fault is not None for request in emulator.requests if request.route == "poll") > JOBS / 10


@pytest.mark.parametrize("colour", COLOURS)
def test_every_run_of_many_comes_out_right(colour: Colour) -> None:
    """`poll_many` over a generator that submits gives every run its true outcome, once."""
    with Emulator("chaos", speed=SPEED) as emulator:
        many = poll_many if colour == "sync" else poll_many_async
        assert_all_right(emulator, many(emulator.base_url))


def poll_many(base_url: str) -> dict[str, Told]:
    """All jobs in one loop."""
    asked: dict[str, str] = {}
    with OpenAI(base_url=base_url, api_key=API_KEY) as client:
        runs = Runs(client)

        def submitted() -> Iterator[str]:
            for prompt in PROMPTS:
                run = runs.create(model=MODEL, input=prompt)
                asked[run.id] = prompt
                yield run.id

        return by_prompt(asked, list(runs.poll_many(submitted())))


def poll_many_async(base_url: str) -> dict[str, Told]:
    """All jobs in one task."""
    asked: dict[str, str] = {}

    async def main() -> list[RunResult]:
        async with AsyncOpenAI(base_url=base_url, api_key=API_KEY) as client:
            runs = AsyncRuns(client)

            async def submitted() -> AsyncIterator[str]:
                for prompt in PROMPTS:
                    run = await runs.create(model=MODEL, input=prompt)
                    asked[run.id] = prompt
                    yield run.id

            return [result async for result in runs.poll_many(submitted())]

    return by_prompt(asked, asyncio.run(main()))


def by_prompt(asked: dict[str, str], results: list[RunResult]) -> dict[str, Told]:
    """What each run came to; each is there once."""
    assert sorted(result.run for result in results) == sorted(asked)
    return {asked[one.run]: end_in(one.response) if one.has_response else end_behind(one.error) for one in results}


@pytest.mark.parametrize("colour", COLOURS)
def test_every_stream_comes_out_right(colour: Colour) -> None:
    """`create_and_stream` gives each event once and in order, and every job the true outcome of one run."""
    with Emulator("chaos", speed=SPEED) as emulator:
        job = follow if colour == "sync" else follow_async
        assert_all_right(emulator, each(emulator.base_url, colour, job))
        faults = {request.fault for request in emulator.requests}
        assert {"stream-cut", "stream-eof", "stream-stall"} <= faults


def follow(runs: Any, prompt: str) -> Any:
    """One job by its stream."""
    with runs.create_and_stream(model=MODEL, input=prompt, idle_timeout_seconds=IDLE_SECONDS) as stream:
        assert_in_order([event.sequence_number for event in stream])
        return stream.get_final_response()


async def follow_async(runs: Any, prompt: str) -> Any:
    """The same for an `AsyncRuns`."""
    async with runs.create_and_stream(model=MODEL, input=prompt, idle_timeout_seconds=IDLE_SECONDS) as stream:
        assert_in_order([event.sequence_number async for event in stream])
        return await stream.get_final_response()


def assert_in_order(numbers: list[int]) -> None:
    """From the first event on, each came after all before it."""
    assert numbers
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("colour", COLOURS)
def test_every_job_comes_out_right_by_webhook(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait with an inbox gives every job its true outcome, whether its webhook came once, twice, forged or never."""
    monkeypatch.setattr(_wait, "SAFETY_NET_SECONDS", SAFETY_NET)
    inbox = Inbox(SECRET)
    with (
        serving(WebhookApp(inbox)) as url,
        Emulator("chaos", speed=SPEED, webhook_url=url, webhook_secret=SECRET) as emulator,
    ):
        assert_all_right(emulator, each(emulator.base_url, colour, create_and_poll, notices=inbox))
        assert 0 < len({delivery.run_id for delivery in emulator.deliveries}) < JOBS


def test_chaos_spoils_one_poll_in_five() -> None:
    """In `chaos` a fifth of the polls meet one of twenty kinds of faults, beside those that are late."""
    scenario = load_scenario("chaos")
    plan = FaultPlan(scenario.faults, seed=scenario.seed)
    met = [fault for fault in (plan.next("poll", 0) for _ in range(5000)) if fault]
    spoilt = [fault for fault in met if fault.word not in ("slow", "drip")]
    assert 900 <= len(spoilt) <= 1100
    assert len({(fault.word, fault.code) for fault in spoilt}) >= 20
