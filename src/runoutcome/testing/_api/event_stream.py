"""Event stream of a run: each server-sent event when it is due by the emulator's clock, or spoilt by a fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .._scenario.fault import Fault
from .._state.request import JsonObject
from .._state.runs import Clock, EmulatedRun, SystemClock, has_come
from .connection import stall_connection
from .http_responses import READING_SECONDS, client_leaves, client_left, reset
from .stream_events import TimedEvent, is_end, stream_events

# A run can be cancelled, and a manual clock moved, at any time and without notice.
_CHECK_SECONDS = 0.05
_MANUAL_CLOCK_CHECK_SECONDS = 0.005
_LEAVING_SECONDS = 0.002
_SHORTEST_PAUSE_SECONDS = 0.001
_BREAKS = ("stream-cut", "stream-eof", "stream-stall")


class EventStream(Response):
    """The events of a run after the one numbered `starting_after` (-1: all of them), until the run has ended.

    `current` gives the run as it stands; None, for a deleted run, ends the stream.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        current: Callable[[], EmulatedRun | None],
        clock: Clock,
        starting_after: int = -1,
        fault: Fault | None = None,
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._current = current
        self._clock = clock
        self._cursor = starting_after
        self._fault = fault or Fault("ok", "ok")
        self._passed = 0
        self.on_status: Callable[[str], None] | None = None
        """Called with the status of an event, before the event is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if await client_leaves(receive, self._fault.stall_seconds):
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        run: EmulatedRun | None = None
        events: list[TimedEvent] = []
        while (current := self._current()) is not None:
            if current is not run:
                run, events = current, stream_events(current)
            for event in self._due(events):
                await self._pass_on(event, len(events), receive, send)
            if self._has_broken() or self._is_over(events):
                break
            # A client that has just left is noticed a moment late; until then no event is sent.
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
        return self._fault.shape in _BREAKS and self._passed >= self._fault.after

    def _is_over(self, events: list[TimedEvent]) -> bool:
        return self._cursor >= len(events) - 1 and is_end(events[-1][1])

    async def _pass_on(self, event: JsonObject, of: int, receive: Receive, send: Send) -> None:
        shape = self._fault.shape if self._passed == self._fault.after else ""
        self._cursor, self._passed = event["sequence_number"], self._passed + 1
        if shape == "stream-skip":
            return
        if self.on_status and "response" in event:
            self.on_status(event["response"].get("status"))
        frame = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for _ in range(2 if shape == "stream-duplicate" else 1):
            await self._send(frame, self._fault.drip_seconds / of, receive, send)

    async def _send(self, frame: bytes, seconds: float, receive: Receive, send: Send) -> None:
        """Send one event; in two pieces if it is to take some seconds."""
        middle = len(frame) // 2 if seconds else len(frame)
        for piece in (frame[:middle], frame[middle:]):
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await client_leaves(receive, seconds / 2)

    def _pause(self, events: list[TimedEvent]) -> float:
        check = _CHECK_SECONDS if isinstance(self._clock, SystemClock) else _MANUAL_CLOCK_CHECK_SECONDS
        waiting = events[self._cursor + 1 :]
        seconds = waiting[0][0] - self._clock.now() if waiting else check
        return min(check, max(_SHORTEST_PAUSE_SECONDS, seconds))

    async def _finish(self, scope: Scope, receive: Receive, send: Send) -> None:
        shape = self._fault.shape if self._has_broken() else ""
        if shape == "stream-stall":
            stall_connection(scope)
            await client_left(receive)
        elif shape == "stream-cut":
            await reset(scope, receive, READING_SECONDS)
        else:
            await send({"type": "http.response.body", "body": b""})
