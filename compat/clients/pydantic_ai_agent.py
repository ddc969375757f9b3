"""pydantic-ai: an agent with `openai_background=True`, https://pydantic.dev/docs/ai/models/openai/."""

from __future__ import annotations

import asyncio

from jobs import MODEL, Answer, in_tasks
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModelSettings

agent = Agent(f"openai-responses:{MODEL}", model_settings=OpenAIResponsesModelSettings(openai_background=True))


async def job(prompt: str) -> Answer:
    """The agent polls by itself."""
    return "completed", (await agent.run(prompt)).output


asyncio.run(in_tasks(job))
