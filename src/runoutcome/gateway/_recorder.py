"""`Recorder`: writes the requests that pass, and their answers, to a file that `emulate --replay` reads.

A line of JSON for the request, the head of its answer, each event or whole body, and the end. `n` is the number of the
request, `at` are seconds since the start.
"""

from __future__ import annotations

import base64
import json
import os
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from .._sdk.upstream import UpstreamError
from ..asgi._outcome import MAX_BODY_BYTES, blocks_of, end_of_events, unzipped
from ._errors import GatewayError, failure_answer
from ._headers import Headers, values_of
from ._proxy import App, Message, Receive, Send
from ._redaction import blanked, recorded_headers, recorded_query, secrets_of, without_keys, without_secrets

FORMAT = "runoutcome.recording/1"
_DONE = b"[DONE]"
_TEXTUAL = (b"text/", b"application/xml", b"application/javascript")


class Recording:
    """A new file of lines, readable by its owner alone. Raises GatewayError for a file that exists or cannot be made.

    If the disk is full the recording ends, and `report` gets one line about it; the traffic goes on.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        base_path: str,
        with_content: bool = False,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.with_content = with_content
        self._path = os.path.abspath(path)
        self._report = report
        self._start = time.monotonic()
        self._count = self._size = 0
        try:
            self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise GatewayError(f"the recording {os.fspath(path)} exists; name a new file") from None
        except OSError as error:
            raise GatewayError(f"the recording {os.fspath(path)} cannot be written: {error.strerror}") from None
        started_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        content = {"content": with_content, "base_path": base_path}
        self.write(json.dumps({"format": FORMAT, "started_at": started_at, **content}))

    def now(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self._start, 4)

    def next_number(self) -> int:
        """The number of a new request."""
        self._count += 1
        return self._count

    def write(self, line: str) -> None:
        """Write a line. Raises nothing."""
        if self._file is None:
            return
        content = memoryview(line.encode("utf-8", "replace") + b"\n")
        size = self._size + len(content)
        try:
            while content:
                content = content[os.write(self._file, content) :]
            self._size = size
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)  # the beginning of a line
            self.close()
            self.report(f"the recording ends here, requests still pass: {error.strerror}")

    def report(self, line: str) -> None:
        """Say what is not recorded."""
        if self._report is not None:
            self._report(line)

    def close(self) -> None:
        """Close the file; one without a request is removed."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)
                if not self._count:
                    os.unlink(self._path)


class Recorder:
    """Records the exchanges of an application. Raises what the application raises."""

    def __init__(self, app: App, recording: Recording, upstream: str) -> None:
        self._app = app
        self._recording = recording
        self._upstream = upstream

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle an http scope."""
        exchange = _Exchange(self._recording, scope)

        async def receive_noted() -> Message:
            message = await receive()
            exchange.note(exchange.note_received, message)
            return message

        async def send_noted(message: Message) -> None:
            exchange.note(exchange.note_sent, message)
            await send(message)

        try:
            await self._app(scope, receive_noted, send_noted)
        except UpstreamError as error:
            exchange.note(exchange.note_failure, error, self._upstream)
            raise
        finally:
            exchange.note(exchange.end, "client_left")


class _Exchange:
    """One request and its answer, on their way into the recording."""

    def __init__(self, recording: Recording, scope: Message) -> None:
        self._recording, self._scope = recording, scope
        self._number, self._at = recording.next_number(), recording.now()
        self._secrets = secrets_of(scope["headers"], scope["query_string"])
        self._request = _Body(scope["headers"], with_content=recording.with_content)
        self._answer: _Body | None = None
        self._has_request = self._is_over = False

    def note(self, step: Callable[..., None], *values: Any) -> None:
        """Take a step. A fault in it ends the notes of this exchange, and not the exchange."""
        try:
            step(*values)
        except Exception as error:  # noqa: BLE001 - the traffic goes on
            self._has_request = self._is_over = True
            self._answer = None
            self._recording.report(f"request {self._number} is not recorded: {type(error).__name__}")

    def note_received(self, message: Message) -> None:
        """Note a part of the request."""
        if message["type"] == "http.request" and not self._has_request:
            self._request.add(message.get("body", b""))
            if not message.get("more_body", False):
                self._write_request()

    def note_sent(self, message: Message) -> None:
        """Note a part of the answer."""
        if message["type"] == "http.response.start":
            self._write_request()
            headers = message["headers"]
            self._write(answer={"status": message["status"], "headers": recorded_headers(headers)})
            self._answer = _Body(headers, with_content=self._recording.with_content)
        elif self._answer is not None:
            self._write_events(self._answer.add(message.get("body", b"")))
            if not message.get("more_body", False):
                self.end("done")

    def note_failure(self, error: UpstreamError, upstream: str) -> None:
        """Note that no whole answer came: the gateway's own answer, or the end of one that has begun."""
        if self._answer is None:
            status, headers, body = failure_answer(error, upstream, self._scope["method"])
            self.note_sent({"type": "http.response.start", "status": status, "headers": headers})
            self.note_sent({"type": "http.response.body", "body": body})
        self.end("cut")

    def end(self, ending: str) -> None:
        """Note the end, once."""
        if self._is_over:
            return
        self._is_over = True
        self._write_request()
        if self._answer is not None and (rest := self._answer.rest()):
            self._write_events([rest])
        self._write(end=ending)

    def _write_request(self) -> None:
        if self._has_request:
            return
        self._has_request = True
        scope = self._scope
        request = {
            "method": scope["method"],
            "path": scope["raw_path"].decode("ascii", "replace"),
            "query": recorded_query(scope["query_string"]),
            "headers": recorded_headers(scope["headers"]),
        }
        self._write(at=self._at, request=request | (self._request.rest() or {}))

    def _write_events(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self._write(**event)

    def _write(self, at: float | None = None, **fields: Any) -> None:
        line = json.dumps({"n": self._number, "at": self._recording.now() if at is None else at, **fields})
        self._recording.write(without_secrets(line, self._secrets))


class _Body:
    """The bytes of a body: events are given as they end, anything else once it is whole."""

    def __init__(self, headers: Headers, *, with_content: bool) -> None:
        self._kind = b",".join(values_of(headers, b"content-type")).split(b";")[0].strip()
        encodings = values_of(headers, b"content-encoding")
        self._is_gzip, self._is_plain = encodings == [b"gzip"], encodings in ([], [b"identity"])
        self._with_content = with_content
        self._is_stream = self._kind == b"text/event-stream" and self._is_plain
        self._held, self._length = bytearray(), 0

    def add(self, content: bytes) -> list[dict[str, Any]]:
        """Take some bytes; returns the events that are whole now."""
        unseen = max(0, len(self._held) - 3)
        self._length += len(content)
        self._held += content
        end = end_of_events(self._held, unseen) if self._is_stream else 0
        whole = bytes(self._held[:end])
        del self._held[:end]
        if max(len(self._held), 0 if self._is_stream else self._length) > MAX_BODY_BYTES:
            self._held.clear()
        return [self._event(block) for block in blocks_of(whole)]

    def rest(self) -> dict[str, Any] | None:
        """The field for all that was not given yet; None if that is nothing."""
        if not self._length or (self._is_stream and not self._held):
            return None
        content = bytes(self._held)
        if self._is_stream:
            return self._event(content)
        if not content:
            return {"bytes": self._length}
        try:
            plain = unzipped(content, MAX_BODY_BYTES) if self._is_gzip else content
        except (ValueError, zlib.error):
            return {"bytes": self._length}
        if (self._is_plain or self._is_gzip) and (b"json" in self._kind or plain[:1] in (b"{", b"[")):
            with suppress(ValueError, RecursionError):
                return {"body": self._document(plain)}
        if not self._with_content:
            return {"bytes": len(plain)}
        if self._kind.startswith(_TEXTUAL) and (self._is_plain or self._is_gzip):
            return {"text": plain.decode("utf-8", "replace")}
        return {"base64": base64.b64encode(plain).decode()}

    def _document(self, text: bytes) -> Any:
        document = json.loads(text.decode())
        return without_keys(document) if self._with_content else blanked(document)

    def _event(self, block: bytes) -> dict[str, Any]:
        """An event of a stream: its name, its id and its data."""
        lines = [line.partition(b":") for line in block.splitlines()]
        fields = [(name, value.removeprefix(b" ")) for name, _, value in lines if name]
        event: dict[str, Any] = {
            name.decode(): value.decode("utf-8", "replace") for name, value in fields if name in (b"event", b"id")
        }
        data = b"\n".join(value for name, value in fields if name == b"data")
        if not data:
            return {"event": event}
        try:
            return {"event": {**event, "data": "[DONE]" if data == _DONE else self._document(data)}}
        except (ValueError, RecursionError):
            content = {"text": data.decode("utf-8", "replace")} if self._with_content else {"bytes": len(data)}
            return {"event": {**event, **content}}
