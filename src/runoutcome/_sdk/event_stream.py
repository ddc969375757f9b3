"""The stream of a run's events through the user's own client, one event at a time, each within a time limit.

Events are the SDK's own, decoded by it. A read that goes wrong raises StreamBrokenError, and TimeoutError when the time
is up.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import openai
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseStreamEvent as ResponseStreamEvent,
)

from .._sdk.responses import Answer, facts_of, http_library_of
from . import event_loop as _async_backend
from .stream_opening import OpeningResponse

_LAST_EVENTS: Mapping[str | None, Any] = {
    "completed": (ResponseCompletedEvent, "response.completed"),
    "incomplete": (ResponseIncompleteEvent, "response.incomplete"),
}
_OTHER_LAST_EVENT = (ResponseFailedEvent, "response.failed")


class StreamBrokenError(ConnectionError):
    """A stream that did not go on as it should; like any other poll fault it says nothing about the run."""

    words: Any = None
    """The error object of an `error` event."""


class NoStreamError(StreamBrokenError):
    """One body came in place of a stream of events."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status_code} with JSON in place of a stream")
        self.answer = answer


def terminal_event(run: Any, status: str | None, number: int) -> Any:
    """The SDK's event for the end of a run, made here of its body; its `.synthetic` is True.

    A status without an event of its own, such as cancelled, is in `response.failed`, as the API has it.
    """
    cls, kind = _LAST_EVENTS.get(status, _OTHER_LAST_EVENT)
    return cls.construct(type=kind, response=run, sequence_number=number, synthetic=True)


def note_request(run: Any, request_id: str | None) -> None:
    """Give the run in an event what the SDK gives only to one that is the whole answer."""
    if isinstance(run, Response):
        run._request_id = request_id  # pyright: ignore[reportPrivateUsage] - see `build_run`


class EventStream:
    """An open stream; one reader at a time."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._watchdog = Watchdog(_socket_of(stream.response))
        self.facts = facts_of(stream.response)
        """Status code, request id, address and HTTP library of the answer."""

    def next_event(self, seconds: float) -> Any:
        """The next event; None at the end. Comments are no events, and so do not lengthen the time."""
        self._watchdog.watch(seconds)
        try:
            event = next(self._stream, None)
        except Exception as error:
            raise self._timeout(seconds) or broken_by(error) from error
        finally:
            self._watchdog.rest()
        if event is None and (timeout := self._timeout(seconds)):
            raise timeout
        return event

    def close(self) -> None:
        """Close the connection at once, also in the middle of an answer."""
        self._watchdog.stop()
        with suppress(Exception):
            self._stream.close()

    def _timeout(self, seconds: float) -> TimeoutError | None:
        return _silent(seconds) if self._watchdog.has_expired else None


class AsyncEventStream:
    """The async twin of `EventStream`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.facts = facts_of(stream.response)

    async def next_event(self, seconds: float) -> Any:
        """The next event; None at the end. Comments are no events, and so do not lengthen the time."""
        with _async_backend.move_on_after(seconds):
            try:
                return await self._stream.__anext__()
            except StopAsyncIteration:
                return None
            except Exception as error:
                raise broken_by(error) from error
        raise _silent(seconds)

    async def close(self) -> None:
        """Close the connection at once, also where the task was cancelled."""
        with _async_backend.CancelScope(shield=True), suppress(Exception):
            await self._stream.close()


def open_stream(
    client: openai.OpenAI,
    response_id: str,
    starting_after: int | None,
    read_seconds: float,
    include: tuple[str, ...] = (),
) -> EventStream:
    """The stream of a run's events after the one numbered `starting_after`, by one GET without the SDK's retries.

    `read_seconds` bounds each read of the connection, in the opening too. Raises the SDK's errors, NoStreamError, and
    StreamBrokenError for a page.
    """
    return _checked(_responses(client).retrieve(response_id, **_asking(starting_after, read_seconds, include)))


async def open_stream_async(
    client: openai.AsyncOpenAI,
    response_id: str,
    starting_after: int | None,
    read_seconds: float,
    include: tuple[str, ...] = (),
) -> AsyncEventStream:
    """The async twin of `open_stream`; the opening as a whole takes no longer than one read may."""
    with _async_backend.move_on_after(read_seconds):
        return await _checked_async(
            await _responses(client).retrieve(response_id, **_asking(starting_after, read_seconds, include))
        )
    raise TimeoutError(f"the stream was not opened within {read_seconds:.3g} s")


def submit_stream(client: openai.OpenAI, params: Mapping[str, Any]) -> EventStream:
    """One POST with `stream=True`, without the SDK's retries. Raises what `open_stream` raises.

    Events that the SDK cannot read do not end the stream before the one that names the run.
    """
    stream = _responses(client).create(**params)
    opened = _checked(stream)
    stream.response = OpeningResponse(stream.response)  # the SDK reads it from the first event on
    return opened


async def submit_stream_async(client: openai.AsyncOpenAI, params: Mapping[str, Any]) -> AsyncEventStream:
    """The async twin of `submit_stream`."""
    stream = await _responses(client).create(**params)
    opened = await _checked_async(stream)
    stream.response = OpeningResponse(stream.response)
    return opened


def broken_by(error: Exception) -> StreamBrokenError:
    """The fault for an exception that was raised while a stream was read."""
    code = getattr(error, "code", None)
    told = f": {code}" if isinstance(code, str) and code else ""
    return StreamBrokenError(f"the stream broke off ({type(error).__name__}{told})")


def _silent(seconds: float) -> TimeoutError:
    return TimeoutError(f"no event came within {seconds:.3g} s")


def _responses(client: openai.OpenAI | openai.AsyncOpenAI) -> Any:
    return client.with_options(max_retries=0).responses


def _asking(starting_after: int | None, read_seconds: float, include: tuple[str, ...]) -> dict[str, Any]:
    after = {} if starting_after is None else {"starting_after": starting_after}
    fields = {"include": list(include)} if include else {}
    return {"stream": True, "timeout": read_seconds, **after, **fields}


def _checked(stream: Any) -> EventStream:
    kind = _other_type(stream.response)
    if kind is None:
        return EventStream(stream)
    try:
        content = stream.response.read() if kind == "json" else b""
    except Exception as error:
        raise broken_by(error) from error
    finally:
        stream.response.close()
    raise _no_stream(stream.response, kind, content)


async def _checked_async(stream: Any) -> AsyncEventStream:
    kind = _other_type(stream.response)
    if kind is None:
        return AsyncEventStream(stream)
    try:
        content = await stream.response.aread() if kind == "json" else b""
    except Exception as error:
        raise broken_by(error) from error
    finally:
        with _async_backend.CancelScope(shield=True):
            await stream.response.aclose()
    raise _no_stream(stream.response, kind, content)


def _other_type(response: Any) -> str | None:
    """The type of an answer that is certainly not a stream; some servers send no type, or "text/plain"."""
    name = str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
    return {"application/json": "json", "text/html": "html"}.get(name)


def _no_stream(response: Any, kind: str, content: bytes) -> StreamBrokenError:
    if kind == "html":
        return StreamBrokenError(f"HTTP {response.status_code} with an HTML page in place of a stream")
    return NoStreamError(
        Answer(content, response.status_code, response.headers, str(response.url), http_library_of(response))
    )


def _socket_of(response: Any) -> socket.socket | None:
    """The socket of an answer that does not share it: HTTP/1.1 on a real network."""
    extensions = response.extensions
    if extensions.get("http_version") not in (b"HTTP/1.1", b"HTTP/1.0"):
        return None
    connection = extensions.get("network_stream")
    found = connection.get_extra_info("socket") if connection is not None else None
    return found if isinstance(found, socket.socket) else None


# The time of a sync read


class Watchdog:
    """Ends a read of a socket that takes too long, from a thread of its own that sleeps most of the time.

    A read timeout cannot: every byte begins it anew. The socket is shut down, not closed, so that the read ends
    wherever it is. Where there is no socket (None) nothing is watched.
    """

    def __init__(self, watched: socket.socket | None) -> None:
        self.has_expired = False
        """It has shut the socket down."""
        self._socket = watched
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._due = self._wakes_at = math.inf
        self._is_stopped = False

    def watch(self, seconds: float) -> None:
        """Shut the socket down unless `rest` is called within so many seconds: a read begins."""
        if self._socket is None:
            return
        with self._changed:
            self._due = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="runoutcome stream", daemon=True)
                with suppress(RuntimeError):  # no more threads, or the interpreter is about to exit
                    self._thread.start()
            elif self._due < self._wakes_at:
                self._changed.notify()

    def rest(self) -> None:
        """Wait for the next read: this one has ended."""
        with self._changed:  # the thread looks again when the time of this read is up
            self._due = math.inf

    def stop(self) -> None:
        """Never touch the socket again: its number may be reused soon."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._is_stopped:
                left = self._due - time.monotonic()
                if left <= 0:
                    self._expire()
                    return
                self._wakes_at = self._due
                self._changed.wait(min(left, threading.TIMEOUT_MAX))

    def _expire(self) -> None:
        self.has_expired = True
        if self._socket is not None:
            with suppress(OSError):
                # As that of a plain socket: a socket of TLS would first forget what it is reading.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
