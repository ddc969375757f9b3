"""A strict client whose creates are answered with runs that ended badly, and the number of its requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx2
from openai import AsyncOpenAI

from runoutcome import strict_client

BODIES: dict[str, dict[str, Any]] = {
    "rate_limit_exceeded": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
    "insufficient_quota": {"status": "failed", "error": {"code": "insufficient_quota", "message": "Used up."}},
    "null_error": {"status": "failed", "error": None},
    "cancelled": {"status": "cancelled"},
}


@dataclass
class Answers:
    """Stands in for the network."""

    name: str
    creates: list[str] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """The run of this name."""
        self.creates.append(request.method)
        body = {"object": "response", "id": "resp_1", "created_at": 1, "model": "gpt-5.5", "output": [], "usage": None}
        return httpx2.Response(200, json={**body, **BODIES[self.name]}, headers={"x-request-id": "req_1"})

    @property
    def client(self) -> AsyncOpenAI:
        """A strict client."""
        http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return strict_client(AsyncOpenAI(api_key="any", http_client=http_client))
