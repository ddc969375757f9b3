"""LiteLLM: `responses(background=True)` and `get_responses`, polled as OpenAI's background guide polls."""

from __future__ import annotations

from time import sleep

import litellm
from jobs import MODEL, Answer, in_threads


def job(prompt: str) -> Answer:
    """Asks every two seconds until the run is neither queued nor in progress."""
    response = litellm.responses(model=f"openai/{MODEL}", input=prompt, background=True)
    while response.status in {"queued", "in_progress"}:
        sleep(2)
        response = litellm.get_responses(response_id=response.id)
    return str(response.status), response.output_text


in_threads(job)
