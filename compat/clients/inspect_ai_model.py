"""inspect_ai: a model with the argument `background`, https://inspect.aisi.org.uk/providers.html#openai."""

from __future__ import annotations

import asyncio

from inspect_ai.model import get_model
from jobs import MODEL, Answer, in_tasks

model = get_model(f"openai/{MODEL}", background=True)


async def job(prompt: str) -> Answer:
    """The model polls by itself; an output carries a stop reason, and sometimes an error."""
    output = await model.generate(prompt)
    if output.error or output.stop_reason != "stop":
        return output.error or output.stop_reason, output.completion
    return "completed", output.completion


asyncio.run(in_tasks(job))
