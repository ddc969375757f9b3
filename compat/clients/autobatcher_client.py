"""autobatcher: its drop-in client, as its README shows; text is "flex" by default, a background run that it polls."""

from __future__ import annotations

import asyncio
import os

from autobatcher import BatchOpenAI
from jobs import MODEL, Answer, in_tasks


async def main() -> None:
    """All jobs through one client; a response carries its own status."""
    async with BatchOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"]) as client:

        async def job(prompt: str) -> Answer:
            response = await client.responses.create(model=MODEL, input=prompt)
            return str(response.status), response.output_text

        await in_tasks(job)


asyncio.run(main())
