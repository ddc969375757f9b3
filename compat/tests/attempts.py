"""Work that a retrying package may do again: it fails with one error until its third call."""

from __future__ import annotations

from typing import Any

from openai.types.responses import Response

from errors import error

ATTEMPTS = 3
ANSWER = "answer"


def completed() -> Response:
    """What a poll gives for a run that answered."""
    text = {"type": "output_text", "text": ANSWER, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    body = {
        "object": "response",
        "id": "resp_completed",
        "created_at": 1_760_000_000,
        "model": "gpt-5.5",
        "status": "completed",
        "output": [message],
        "usage": None,
        "error": None,
    }
    return Response.construct(**body)


class Work:
    """A function that counts its calls."""

    def __init__(self, name: str, answer: Any = ANSWER) -> None:
        self.calls = 0
        self._name, self._answer = name, answer

    def __call__(self, *_: object, **__: object) -> Any:
        """The answer, on the third call."""
        self.calls += 1
        if self.calls < ATTEMPTS:
            raise error(self._name)
        return self._answer

    async def asynchronous(self, *_: object, **__: object) -> Any:
        """The same, for an async caller."""
        return self()
