"""openai-agents with our model, defaults; the token of each job is kept."""

from __future__ import annotations

import asyncio

from agents import Agent, Runner, set_tracing_disabled
from jobs import MODEL, Answer, in_tasks
from openai import AsyncOpenAI
from tokens import keep, kept

from runoutcome import AsyncRuns
from runoutcome.integrations.openai_agents import BackgroundResponsesModel

set_tracing_disabled(True)  # traces go to OpenAI, whatever the base URL


async def main() -> None:
    """All jobs, over one client."""
    async with AsyncOpenAI() as client:
        runs, tokens = AsyncRuns(client), kept()

        async def job(prompt: str) -> Answer:
            model = BackgroundResponsesModel(MODEL, runs, resume=tokens.get(prompt), on_submitted=keep(prompt))
            agent = Agent(name="writer", model=model)
            return "completed", (await Runner.run(agent, prompt)).final_output

        await in_tasks(job)


asyncio.run(main())
