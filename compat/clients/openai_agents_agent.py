"""openai-agents: an agent whose settings ask for background runs, as its users do; it has no option for them."""

from __future__ import annotations

import asyncio

from agents import Agent, ModelSettings, Runner, set_tracing_disabled
from jobs import MODEL, Answer, in_tasks

set_tracing_disabled(True)  # traces go to OpenAI, whatever the base URL
agent = Agent(name="writer", model=MODEL, model_settings=ModelSettings(extra_args={"background": True}))


async def job(prompt: str) -> Answer:
    """The runner takes the answer to the create for the end of the run."""
    return "completed", (await Runner.run(agent, prompt)).final_output


asyncio.run(in_tasks(job))
