"""openai-python: a background stream, left and resumed at its cursor, as in `examples/responses/background.py`."""

from __future__ import annotations

from jobs import MODEL, Answer, in_threads
from openai import OpenAI

LEAVE_AFTER = 10
client = OpenAI()


def job(prompt: str) -> Answer:
    """Reads some events, leaves, resumes after the last one, and reads to the end."""
    response, cursor = None, None
    with client.responses.create(model=MODEL, input=prompt, background=True, stream=True) as stream:
        for event in stream:
            response, cursor = getattr(event, "response", response), event.sequence_number
            if cursor == LEAVE_AFTER:
                break
    assert response is not None
    with client.responses.retrieve(response.id, stream=True, starting_after=cursor) as stream:
        for event in stream:
            response = getattr(event, "response", response)
    return str(response.status), response.output_text


in_threads(job)
