"""The first events of a stream that a create opens: the id of a run that is paid for must not be lost to an odd one.

The SDK gives up a stream at the first event that it cannot read. Until an event names the run, such events are left
out, or made readable, before the SDK sees them; what follows is passed on as it came.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .responses import build_run, constructible

_ENDS_OF_EVENTS = (b"\n\n", b"\r\r", b"\r\n\r\n")
_MOST_DIGITS = 300  # beyond that an integer is no float


class OpeningResponse:
    """The HTTP response of a create, with the first events made readable; otherwise the response itself."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._opening = Opening()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    def iter_bytes(self) -> Iterator[bytes]:
        """The bytes of the events."""
        for chunk in self._response.iter_bytes():
            yield self._opening.feed(chunk)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The async twin of `iter_bytes`."""
        async for chunk in self._response.aiter_bytes():
            yield self._opening.feed(chunk)


class Opening:
    """The events of a stream up to the one that names the run."""

    def __init__(self) -> None:
        self._has_run = False
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """The part of the stream that can be handed on, after this chunk of it."""
        if self._has_run:
            return chunk
        ready = b""
        for line in chunk.splitlines(keepends=True):
            self._rest += line
            if self._has_run or self._rest.endswith(_ENDS_OF_EVENTS):
                ready += self._rest if self._has_run else self._readable(self._rest)
                self._rest = b""
        return ready

    def _readable(self, block: bytes) -> bytes:
        lines = block.splitlines()
        data = b"\n".join(line[5:].lstrip(b" ") for line in lines if line.startswith(b"data:"))
        if not data or data.startswith(b"[DONE]"):
            return block
        event = _readable_event(data)
        if event is None:
            return b""
        self._has_run = _id_in(event) is not None
        fields = [line for line in lines if line and not line.startswith(b"data:")]
        return b"\n".join([*fields, b"data: " + json.dumps(event).encode(), b"", b""])


def _readable_event(data: bytes) -> dict[str, Any] | None:
    """An event as the SDK can read it; None for what is none."""
    try:
        event = json.loads(data, parse_int=lambda digits: int(digits) if len(digits) < _MOST_DIGITS else math.inf)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    found: dict[str, Any] = event
    run_id, kind = _id_in(found), found.get("type")
    if run_id is None:
        return found if isinstance(kind, str) else None
    if kind != "error":
        found.pop("error", None)  # the SDK raises for it; the run itself tells its error again
    try:
        build_run(found["response"], None)
        return dict(constructible(found))
    except RecursionError:
        return {"type": kind, "sequence_number": found.get("sequence_number"), "response": {"id": run_id}}


def _id_in(event: dict[str, Any]) -> str | None:
    run = event.get("response")
    run_id: Any = run.get("id") if isinstance(run, dict) else None
    return run_id if isinstance(run_id, str) and run_id else None
