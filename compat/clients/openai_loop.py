"""openai-python: the loop of the background guide, https://developers.openai.com/api/docs/guides/background."""

from __future__ import annotations

from time import sleep

from jobs import MODEL, Answer, in_threads
from openai import OpenAI

client = OpenAI()


def job(prompt: str) -> Answer:
    """Asks every two seconds until the run is neither queued nor in progress."""
    response = client.responses.create(model=MODEL, input=prompt, background=True)
    while response.status in {"queued", "in_progress"}:
        sleep(2)
        response = client.responses.retrieve(response.id)
    return str(response.status), response.output_text


in_threads(job)
