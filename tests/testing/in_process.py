"""The emulator's application, asked without a socket, a thread or a pause: fast enough for thousands of requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runoutcome.testing import ManualClock, RecordedRequest, load_scenario
from runoutcome.testing._api.app import create_app
from runoutcome.testing._api.connection import connection_state
from runoutcome.testing._state.ledger import Ledger, Settings

Headers = Sequence[tuple[bytes, bytes]]
KEY: Headers = [(b"authorization", b"Bearer any")]


@dataclass(frozen=True)
class Reply:
    """An answer; no status where there was none."""

    status: int | None
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed strictly."""
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a stream, up to the moment it was asked."""
        frames = self.body.decode().split("\n\n")
        assert frames.pop() == ""
        return [json.loads(frame.split("\ndata: ")[1]) for frame in frames]


class Api:
    """One emulator. What its application raises, a request raises: on a socket that is a traceback and a 500."""

    def __init__(self, scenario: Any = "happy") -> None:
        self.clock = ManualClock()
        self.requests: list[RecordedRequest] = []
        self.ledger = Ledger(Settings(load_scenario(scenario), self.clock, seed=0, speed=1.0))
        self.app = create_app(self.ledger, self.clock, self.requests.append)

    def ask(self, method: str, path: str, body: bytes = b"", *, query: bytes = b"", headers: Headers = KEY) -> Reply:
        """Send one request; the client of a stream leaves when it has read what is due."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(errors="replace"),
            "query_string": query,
            "root_path": "",
            "headers": list(headers),
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "state": connection_state(drop=lambda: None),
        }
        inbox: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
        outbox: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return inbox.pop() if inbox else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            outbox.append(message)

        asyncio.run(self.app(scope, receive, send))
        if not outbox:
            return Reply(None, {}, b"")
        head = {name.decode(): value.decode("latin-1") for name, value in outbox[0]["headers"]}
        return Reply(outbox[0]["status"], head, b"".join(message.get("body", b"") for message in outbox[1:]))

    def create(self, **params: Any) -> Reply:
        """A create request."""
        return self.ask("POST", "/v1/responses", json.dumps({"model": "gpt-5", "input": "hi", **params}).encode())
