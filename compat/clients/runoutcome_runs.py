"""runoutcome: `AsyncRuns.create_and_poll` with its defaults."""

from __future__ import annotations

import asyncio

from jobs import MODEL, Answer, in_tasks
from openai import AsyncOpenAI

from runoutcome import AsyncRuns

runs = AsyncRuns(AsyncOpenAI())


async def job(prompt: str) -> Answer:
    """Returns what is completed; raises everything else."""
    response = await runs.create_and_poll(model=MODEL, input=prompt)
    return str(response.status), response.output_text


asyncio.run(in_tasks(job))
