"""The sender of a stream: each event when it is due by the emulator's clock, as server-sent events, or spoilt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .._scenario.fault import Fault
from .._state.request import JsonObject
from .._state.runs import Clock, EmulatedRun, SystemClock, has_come
from .connection import drop_connection, stall_connection
from .events import TimedEvent, is_end, stream_events
from .faulty_responses import client_leaves

# A run can be cancelled, and the clock of a test be moved, at any time; neither says so.
_LOOK_SECONDS = 0.05
_LOOK_AT_TEST_CLOCK_SECONDS = 0.005
_LEAVING_SECONDS = 0.002
_SHORTEST_PAUSE_SECONDS = 0.001
# A reset overtakes bytes that the client has not read yet.
_READING_SECONDS = 0.01
_LONG_SECONDS = 3600.0
_BREAKS = ("stream-cut", "stream-eof", "stream-stall")


class EventStream(Response):
    """The events of a run after the one numbered `starting_after` (-1: all of them), until the run has ended.

    `look` gives the run as it stands; None, where the server does not know it any more, ends the stream.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        look: Callable[[], EmulatedRun | None],
        clock: Clock,
        *,
        starting_after: int = -1,
        fault: Fault | None = None,
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._look = look
        self._clock = clock
        self._cursor = starting_after
        self._fault = fault
        self._passed = 0
        self.on_status: Callable[[str], None] | None = None
        """Called with the status that an event tells, before it is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI interface."""
        if self._fault and await client_leaves(receive, self._fault.stall_seconds):
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        run: EmulatedRun | None = None
        events: list[TimedEvent] = []
        while (seen := self._look()) is not None:
            if seen is not run:
                run, events = seen, stream_events(seen)
            for event in self._due(events):
                await self._pass_on(event, len(events), receive, send)
            if self._has_broken() or self._is_over(events):
                break
            # A client that has just left is noticed a moment after the time has come: nothing is told to it.
            if await client_leaves(receive, self._pause(events)) or await client_leaves(receive, _LEAVING_SECONDS):
                return
        await self._finish(scope, receive, send)

    def _due(self, events: list[TimedEvent]) -> Iterator[JsonObject]:
        now = self._clock.now()
        for at, event in events[self._cursor + 1 :]:
            if self._has_broken() or not has_come(at, now):
                return
            yield event

    def _has_broken(self) -> bool:
        return self._fault is not None and self._fault.shape in _BREAKS and self._passed >= self._fault.after

    def _is_over(self, events: list[TimedEvent]) -> bool:
        return self._cursor >= len(events) - 1 and is_end(events[-1][1])

    async def _pass_on(self, event: JsonObject, of: int, receive: Receive, send: Send) -> None:
        shape = self._fault.shape if self._fault and self._passed == self._fault.after else ""
        self._cursor, self._passed = event["sequence_number"], self._passed + 1
        if shape == "stream-skip":
            return
        if self.on_status and "response" in event:
            self.on_status(event["response"].get("status"))
        frame = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for _ in range(2 if shape == "stream-duplicate" else 1):
            await self._send(frame, self._fault.drip_seconds / of if self._fault else 0.0, receive, send)

    async def _send(self, frame: bytes, seconds: float, receive: Receive, send: Send) -> None:
        """One event; in two pieces if it is to take some seconds."""
        middle = len(frame) // 2 if seconds else len(frame)
        for piece in (frame[:middle], frame[middle:]):
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await client_leaves(receive, seconds / 2)

    def _pause(self, events: list[TimedEvent]) -> float:
        look = _LOOK_SECONDS if isinstance(self._clock, SystemClock) else _LOOK_AT_TEST_CLOCK_SECONDS
        waiting = events[self._cursor + 1 :]
        seconds = waiting[0][0] - self._clock.now() if waiting else look
        return min(look, max(_SHORTEST_PAUSE_SECONDS, seconds))

    async def _finish(self, scope: Scope, receive: Receive, send: Send) -> None:
        shape = self._fault.shape if self._fault and self._has_broken() else ""
        if shape == "stream-stall":
            stall_connection(scope)
            while not await client_leaves(receive, _LONG_SECONDS):
                pass
        elif shape == "stream-cut":
            if not await client_leaves(receive, _READING_SECONDS):
                drop_connection(scope)
                await client_leaves(receive, _LONG_SECONDS)  # the server takes an answer that ends sooner for an error
        else:
            await send({"type": "http.response.body", "body": b""})
