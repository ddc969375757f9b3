"""pydantic-ai with our model, defaults; the token of each job is kept."""

from __future__ import annotations

import asyncio

from jobs import MODEL, Answer, in_tasks
from openai import AsyncOpenAI
from pydantic_ai import Agent
from tokens import keep, kept

from runoutcome import AsyncRuns
from runoutcome.integrations.pydantic_ai import BackgroundResponsesModel


async def main() -> None:
    """All jobs, over one client."""
    async with AsyncOpenAI() as client:
        runs, tokens = AsyncRuns(client), kept()

        async def job(prompt: str) -> Answer:
            model = BackgroundResponsesModel(MODEL, runs, resume=tokens.get(prompt), on_submitted=keep(prompt))
            return "completed", (await Agent(model).run(prompt)).output

        await in_tasks(job)


asyncio.run(main())
