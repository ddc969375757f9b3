"""agno: an agent with `background=True`, https://docs.agno.com/examples/models/openai/responses/background."""

from __future__ import annotations

import asyncio

from agno.agent import Agent
from agno.models.openai import OpenAIResponses
from jobs import MODEL, Answer, in_tasks


async def job(prompt: str) -> Answer:
    """The model polls by itself; the status is that of the agent's run."""
    agent = Agent(model=OpenAIResponses(id=MODEL, background=True), markdown=True)
    run = await agent.arun(prompt)
    return run.status.value.lower(), run.get_content_as_string()


asyncio.run(in_tasks(job))
