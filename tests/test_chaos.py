"""The shipped scenario `chaos` in small: one poll in five is spoilt, streams break, webhooks are lost. Real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from colours import API_KEY, COLOURS, Colour
from runoutcome import AsyncRuns, RunError, Runs
from runoutcome.testing import EmulatedRun, Emulator, assert_client_ok, load_scenario
from runoutcome.testing._fault_plan import FaultPlan

JOBS = 120
SPEED = 5.0
MODEL = "gpt-5.2"
PROMPTS = [f"Write report {number} about otters in space." for number in range(1, JOBS + 1)]
Told = tuple[str, str | None]
"""The status, and with it the text, the code or the reason."""


def of_response(response: Any) -> Told:
    """What was returned."""
    return response.status, response.output_text


def of_error(error: RunError) -> Told:
    """What was raised: nothing but the end of a run may be."""
    return str(error.outcome.status), error.outcome.code or error.outcome.reason


def truth(run: EmulatedRun) -> Told:
    """How the emulator ended the run."""
    text = f'Emulated answer, no model was called. The prompt began: "{run.request["input"]}"'
    end = run.outcome
    return end.status, text if end.status == "completed" else end.reason or (end.code and str(end.code))


def assert_all_right(emulator: Emulator, told: Iterable[tuple[str, Told]]) -> None:
    """Every job's outcome is that of its one run, and nobody was cancelled, forgotten, or asked for too often."""
    assert dict(told) == {run.request["input"]: truth(run) for run in emulator.runs}
    assert sorted(run.request["input"] for run in emulator.runs) == sorted(PROMPTS)
    assert {"cancel", "delete"}.isdisjoint(request.route for request in emulator.requests)
    assert_client_ok(emulator.verdict())


def test_every_job_comes_out_right(colour: Colour) -> None:
    """`create_and_poll` gives every job the true outcome of one run, paid for once, with nothing cancelled or lost."""
    with Emulator("chaos", speed=SPEED) as emulator:
        assert_all_right(emulator, CREATE_AND_POLL[colour](emulator.base_url))
        spoilt = sum(request.fault is not None for request in emulator.requests if request.route == "poll")
        assert spoilt


def in_threads(base_url: str) -> list[tuple[str, Told]]:
    """Each job in a thread."""
    with OpenAI(base_url=base_url, api_key=API_KEY) as client, ThreadPoolExecutor(JOBS) as pool:
        runs = Runs(client)

        def job(prompt: str) -> tuple[str, Told]:
            try:
                return prompt, of_response(runs.create_and_poll(model=MODEL, input=prompt))
            except RunError as error:
                return prompt, of_error(error)

        return list(pool.map(job, PROMPTS))


def in_tasks(base_url: str) -> list[tuple[str, Told]]:
    """Each job in a task."""

    async def main() -> list[tuple[str, Told]]:
        async with AsyncOpenAI(base_url=base_url, api_key=API_KEY) as client:
            runs = AsyncRuns(client)

            async def job(prompt: str) -> tuple[str, Told]:
                try:
                    return prompt, of_response(await runs.create_and_poll(model=MODEL, input=prompt))
                except RunError as error:
                    return prompt, of_error(error)

            return await asyncio.gather(*map(job, PROMPTS))

    return asyncio.run(main())


CREATE_AND_POLL: dict[Colour, Callable[[str], list[tuple[str, Told]]]] = {"sync": in_threads, "async": in_tasks}


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> Colour:
    """Sync, then async."""
    chosen: Colour = request.param
    return chosen


def test_chaos_spoils_one_poll_in_five() -> None:
    """In `chaos` a fifth of the polls meet one of twenty kinds of faults, beside those that are late."""
    scenario = load_scenario("chaos")
    plan = FaultPlan(scenario.faults, seed=scenario.seed)
    met = [fault for fault in (plan.next("poll", 0) for _ in range(5000)) if fault]
    spoilt = [fault for fault in met if fault.word not in ("slow", "drip")]
    assert 900 <= len(spoilt) <= 1100
    assert len({(fault.word, fault.code) for fault in spoilt}) >= 20
