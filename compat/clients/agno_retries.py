"""agno: the same agent with `retries=2`, as its documentation shows for errors of a provider."""

from __future__ import annotations

import asyncio

from agno.agent import Agent
from agno.models.openai import OpenAIResponses
from jobs import MODEL, Answer, in_tasks


async def job(prompt: str) -> Answer:
    """The model polls by itself; the status is that of the agent's run."""
    agent = Agent(model=OpenAIResponses(id=MODEL, background=True, retries=2), markdown=True)
    run = await agent.arun(prompt)
    return run.status.value.lower(), run.get_content_as_string()


asyncio.run(in_tasks(job))
