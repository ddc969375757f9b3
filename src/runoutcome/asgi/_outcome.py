"""`OutcomeMiddleware`: adds the `outcome` field to failed runs that an ASGI application answers with.

A JSON answer is held until it is whole, for its length is in its head. Events of a stream are sent on one by one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .._catalog.catalog import Catalog
from .._outcome.body import read_head, word
from .._outcome.classify import classify
from .._outcome.field import place_of, with_field

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 32_000_000
"""A longer answer, or a longer event, passes unchanged."""
BODY_HEADERS = {b"content-length", b"etag", b"content-md5", b"digest", b"repr-digest", b"content-digest"}
"""Headers about the bytes of a body."""


_BLANK_LINES = (b"\n\n", b"\r\r", b"\n\r\n")
"""The ends of two lines on end, in any mixture of LF, CR and CRLF; the longest is the last."""


class OutcomeMiddleware:
    """An ASGI application that adds the `outcome` field to the answers of another.

        app = OutcomeMiddleware(app)                      # or app.add_middleware(OutcomeMiddleware)

    It is added to the bodies of runs that failed, or ended early, in JSON answers with a 2xx status, and in the events
    of streams. A field that is there stays. Any other answer passes unchanged, also one that cannot be read.
    """

    __module__ = "runoutcome.asgi"

    def __init__(self, app: App, *, catalog: Catalog | None = None, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._catalog = catalog or Catalog.load()
        self.max_body_bytes = max_body_bytes
        """The length of an answer, or of an event, that is held at most."""
        self.added = 0
        """Bodies and events that got the field."""
        self.unread = 0
        """Answers that could not be read and passed unchanged: broken JSON, an unknown compression, too long."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle a scope of ASGI. Raises what the application raises."""
        if scope["type"] != "http" or scope["method"] == "HEAD":
            return await self._app(scope, receive, send)
        return await self._app(scope, receive, _Answer(self, send).send)

    def annotate(self, content: bytes) -> bytes | None:
        """The JSON of a body with the field; None if there is nothing to add. Raises ValueError and RecursionError."""
        head = read_head(content)
        surface = self._catalog.surface_of(head.get("object")) if head is not None else None
        if head is not None and surface is not None and word(head["status"]) in surface.pending:
            return None  # most answers: the poll of a run that goes on
        text = content.decode()
        document = json.loads(text)
        if not isinstance(document, dict):
            return None
        outcome = classify(document, catalog=self._catalog)
        place = place_of(document, outcome)
        return None if place is None else with_field(text, place, outcome).encode()

    def annotate_event(self, block: bytes) -> bytes | None:
        """A block of an event stream with the field; None if there is nothing to add. Raises what `annotate` does."""
        head, name, rest = block.partition(b"data:")
        line, ending, more = rest.partition(b"\r\n" if b"\r\n" in rest else b"\n")
        if b"response." not in line or not name or b"\ndata:" in ending + more:
            return None  # a run's end stands in one line
        text = line.decode()
        event = json.loads(text)
        run = event.get("response") if isinstance(event, dict) else None
        if not isinstance(run, dict):
            return None
        outcome = classify(event, catalog=self._catalog)
        place = place_of(run, outcome)
        if place is None:
            return None
        return head + name + with_field(text, ("response", *place), outcome).encode() + ending + more


class _Answer:
    """One answer on its way to the server."""

    def __init__(self, middleware: OutcomeMiddleware, send: Send) -> None:
        self._middleware, self._send = middleware, send
        self._start: Message | None = None
        self._held = bytearray()
        self._pass = self._send_on

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._pass(message)
        else:  # trailers, and bodies that do not pass through here
            await self._release()
            await self._send(message)

    async def _begin(self, start: Message) -> None:
        headers = {name.lower(): value for name, value in start.get("headers", ())}
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        is_whole = 200 <= start["status"] < 300 and start["status"] != 206 and b"content-range" not in headers
        is_json = kind.endswith((b"/json", b"+json"))
        if not is_whole or not (is_json or kind == b"text/event-stream"):
            return await self._send(start)
        if encoding != b"identity" and (encoding != b"gzip" or not is_json):
            self._middleware.unread += 1
            return await self._send(start)
        if is_json:
            self._start, self._is_gzip, self._pass = start, encoding == b"gzip", self._hold
            return None
        self._pass = self._split
        kept = [(name, value) for name, value in start.get("headers", ()) if name.lower() not in BODY_HEADERS]
        return await self._send({**start, "headers": kept})

    async def _send_on(self, message: Message) -> None:
        await self._send(message)

    async def _hold(self, message: Message) -> None:
        """Hold a JSON answer until it is whole."""
        body, more_body = message.get("body", b""), message.get("more_body", False)
        if not more_body and not self._held:  # whole in one message, as most are: nothing is copied
            return await self._finish(body)
        self._held += body
        if more_body and len(self._held) > self._middleware.max_body_bytes:
            self._middleware.unread += 1
            await self._release(more_body=more_body)
        elif not more_body:
            await self._finish(bytes(self._held))
        return None

    async def _finish(self, held: bytes) -> None:
        body = self._rewritten(held)
        start, self._start = self._start, None
        assert start is not None
        if body is not None:
            headers = [(name, value) for name, value in start.get("headers", ()) if name.lower() not in BODY_HEADERS]
            start = {**start, "headers": [*headers, (b"content-length", b"%d" % len(body))]}
            self._middleware.added += 1
        await self._send(start)
        await self._send({"type": "http.response.body", "body": held if body is None else body})

    def _rewritten(self, held: bytes) -> bytes | None:
        limit = self._middleware.max_body_bytes
        try:
            if len(held) > limit:
                raise ValueError("longer than what is read")
            body = self._middleware.annotate(unzipped(held, limit) if self._is_gzip else held)
            return body if body is None or not self._is_gzip else _zipped(body)
        except (ValueError, RecursionError, zlib.error):
            self._middleware.unread += 1
            return None

    async def _release(self, *, more_body: bool = True) -> None:
        """Send what is held as it is, and let the rest pass."""
        start, self._start, held, self._held = self._start, None, bytes(self._held), bytearray()
        self._pass = self._send_on
        if start is not None:
            await self._send(start)
        if held or not more_body:
            await self._send({"type": "http.response.body", "body": held, "more_body": more_body})

    async def _split(self, message: Message) -> None:
        """Send the whole events of a stream on, and hold the beginning of the next."""
        unseen = max(0, len(self._held) - len(_BLANK_LINES[-1]) + 1)  # a blank line may have begun before
        self._held += message.get("body", b"")
        more_body = message.get("more_body", False)
        end = end_of_events(self._held, unseen) if more_body else len(self._held)
        whole = bytes(self._held[:end])
        del self._held[:end]
        if len(self._held) > self._middleware.max_body_bytes:
            self._middleware.unread += 1
            return await self._release()
        if whole or not more_body:
            blocks = b"".join(map(self._rewritten_event, blocks_of(whole)))
            await self._send({"type": "http.response.body", "body": blocks, "more_body": more_body})
        return None

    def _rewritten_event(self, block: bytes) -> bytes:
        try:
            event = self._middleware.annotate_event(block)
        except (ValueError, RecursionError):
            self._middleware.unread += 1
            return block
        self._middleware.added += event is not None
        return block if event is None else event


def end_of_events(text: bytearray, start: int) -> int:
    """The end of the last blank line from `start` on; 0 if there is none."""
    places = ((text.rfind(line, start), len(line)) for line in _BLANK_LINES)
    return max(place + length if place >= 0 else 0 for place, length in places)


def blocks_of(text: bytes) -> list[bytes]:
    """The events of a text, each with the blank line after it."""
    blocks, block = list[bytes](), b""
    for line in text.splitlines(keepends=True):
        block += line
        if not line.strip(b"\r\n"):
            blocks.append(block)
            block = b""
    return [*blocks, block] if block else blocks


def unzipped(content: bytes, limit: int) -> bytes:
    """The text of a gzip body. Raises ValueError for one of more than `limit` bytes, or cut, and zlib.error."""
    decoder = zlib.decompressobj(wbits=31)
    text = decoder.decompress(content, limit + 1)
    if len(text) > limit or not decoder.eof or decoder.unused_data:
        raise ValueError("not one whole gzip body of a length that is read")
    return text


def _zipped(text: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=31)
    return encoder.compress(text) + encoder.flush()
