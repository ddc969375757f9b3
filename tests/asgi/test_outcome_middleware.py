"""The middleware that adds the `outcome` field: driven by hand, and in front of the emulator with the SDK's client."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pydantic
import pytest
from hypothesis import given, strategies as st
from openai import OpenAI
from openai.types.responses import ResponseError

from runoutcome import Catalog, classify
from runoutcome._outcome.body import look
from runoutcome._outcome.field import field_of
from runoutcome.asgi import OutcomeMiddleware
from webhook_samples import serving

ERROR = {"code": "rate_limit_exceeded", "message": "Slow down."}
FAILED: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "failed", "error": ERROR}
COMPLETED = {**FAILED, "status": "completed", "error": None}
FIELD = field_of(classify(FAILED))
JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8")]


Client = Callable[[str], OpenAI]


@pytest.fixture
def client() -> Iterator[Client]:
    """Clients of the SDK, closed at the end."""
    with ExitStack() as opened:
        yield lambda address: opened.enter_context(OpenAI(base_url=address, api_key="any", max_retries=0))


class Answers:
    """An application that gives the same answer to every request."""

    def __init__(self, chunks: Sequence[bytes], headers: list[tuple[bytes, bytes]], status: int = 200) -> None:
        self.chunks, self.headers, self.status = chunks, headers, status

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the answer, a message for each chunk."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for number, chunk in enumerate(self.chunks, 1):
            await send({"type": "http.response.body", "body": chunk, "more_body": number < len(self.chunks)})


def answered(
    app: Answers, method: str = "GET", **options: Any
) -> tuple[OutcomeMiddleware, dict[bytes, bytes], list[bytes]]:
    """The middleware after one request, and the headers and the chunks of its answer."""
    middleware = OutcomeMiddleware(app, **options)
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(middleware({"type": "http", "method": method}, None, send))  # type: ignore[arg-type]
    start, *bodies = messages
    assert [body.get("more_body", False) for body in bodies] == [True] * (len(bodies) - 1) + [False]
    return middleware, dict(start["headers"]), [body["body"] for body in bodies]


def test_a_failed_run_gets_the_field() -> None:
    """The field is in the error, the length is right, and headers about the old bytes are gone."""
    text = json.dumps(FAILED, indent=2).encode()
    length = (b"Content-Length", b"%d" % len(text))
    app = Answers([text[:20], text[20:]], [*JSON, length, (b"etag", b'"1"'), (b"x-request-id", b"req_1")])
    middleware, headers, chunks = answered(app)
    body = b"".join(chunks)
    assert json.loads(body) == {**FAILED, "error": {**ERROR, "outcome": FIELD}}
    assert headers == {
        b"content-type": b"application/json",
        b"x-request-id": b"req_1",
        b"content-length": b"%d" % len(body),
    }
    assert (middleware.added, middleware.unread) == (1, 0)


def test_a_run_without_an_error_object_gets_it_on_top() -> None:
    """A cancelled run, and a failed one whose error is null, have the field beside their status."""
    for body in ({**FAILED, "error": None}, {**FAILED, "status": "cancelled", "error": None}):
        _, _, chunks = answered(Answers([json.dumps(body).encode()], JSON))
        assert json.loads(b"".join(chunks)) == {**body, "outcome": field_of(classify(body))}


UNCHANGED = {
    "completed": (json.dumps(COMPLETED, indent=1).encode(), JSON, 200, 0),
    "pending": (b'{"id": "r", "object": "response", "status": "queued"}', JSON, 200, 0),
    "has one": (json.dumps({**FAILED, "error": {**ERROR, "outcome": 1}}).encode(), JSON, 200, 0),
    "a list": (json.dumps([FAILED]).encode(), JSON, 200, 0),
    "no run": (b'{"object": "chat.completion", "id": "c"}', JSON, 200, 0),
    "an error": (json.dumps({"error": ERROR}).encode(), JSON, 429, 0),
    "a part": (json.dumps(FAILED).encode(), [*JSON, (b"content-range", b"bytes 0-9/100")], 206, 0),
    "a page": (b"<html>", [(b"content-type", b"text/html")], 200, 0),
    "no type": (json.dumps(FAILED).encode(), [], 200, 0),
    "broken": (json.dumps(FAILED).encode()[:-1], JSON, 200, 1),
    "not UTF-8": (b'{"object": "response", "status": "\xff"}', JSON, 200, 1),
    "deep": (b"[" * 100_000, JSON, 200, 1),
    "brotli": (b"\x0b\x02\x80{}\x03", [*JSON, (b"content-encoding", b"br")], 200, 1),
    "cut gzip": (gzip.compress(json.dumps(FAILED).encode())[:-9], [*JSON, (b"content-encoding", b"gzip")], 200, 1),
    "empty": (b"", JSON, 200, 1),
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_any_other_answer_passes_unchanged(name: str) -> None:
    """Not a byte and not a header changes; what could not be read is counted."""
    body, headers, status, unread = UNCHANGED[name]
    middleware, sent, chunks = answered(Answers([body[:5], body[5:]], headers, status))
    assert (sent, b"".join(chunks)) == (dict(headers), body)
    assert (middleware.added, middleware.unread) == (0, unread)


def test_an_answer_that_is_too_long_passes_as_it_comes() -> None:
    """A body above the limit is sent on from there, and counted."""
    text = json.dumps({**FAILED, "output": "x" * 100}).encode()
    middleware, _, chunks = answered(Answers([text[:60], text[60:90], text[90:]], JSON), max_body_bytes=50)
    assert chunks == [text[:60], text[60:90], text[90:]]
    assert (middleware.added, middleware.unread) == (0, 1)


def test_a_compressed_answer_is_compressed_again() -> None:
    """The client gets gzip where the application sent it."""
    app = Answers([gzip.compress(json.dumps(FAILED).encode())], [*JSON, (b"content-encoding", b"gzip")])
    _, headers, chunks = answered(app)
    assert json.loads(gzip.decompress(b"".join(chunks)))["error"]["outcome"] == FIELD
    assert headers[b"content-encoding"] == b"gzip"


def test_a_compressed_answer_cannot_fill_the_memory() -> None:
    """A small body that unpacks to more than the limit passes unchanged."""
    body = gzip.compress(b" " * 10_000_000)
    middleware, _, chunks = answered(Answers([body], [*JSON, (b"content-encoding", b"gzip")]), max_body_bytes=100_000)
    assert (b"".join(chunks), middleware.unread) == (body, 1)


def test_a_head_has_no_body() -> None:
    """The answer to HEAD passes, with the length that the application says."""
    headers = [*JSON, (b"content-length", b"99")]
    assert answered(Answers([b""], headers), method="HEAD")[1] == dict(headers)


def test_another_catalog_decides() -> None:
    """The field goes by the catalog that the middleware was given."""
    entry = {"value": "gpu_gone", "error_type": "internal_server_error", "retryable": True, "action": "resubmit"}
    words = {"title": "GPU gone", "cause": "A GPU was lost.", "remedy": "Submit it again."}
    catalog = Catalog.load().extend({"name": "mine", "entries": [{**entry, **words}]})
    body = {**FAILED, "error": {"code": "gpu_gone", "message": "m"}}
    _, _, chunks = answered(Answers([json.dumps(body).encode()], JSON), catalog=catalog)
    assert json.loads(b"".join(chunks))["error"]["outcome"]["class"] == "InternalServerError"


def event(kind: str, **fields: Any) -> bytes:
    """An event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


STREAM = [
    event("response.created", response={"id": "resp_1", "object": "response", "status": "queued"}),
    event("response.output_text.delta", delta="a\nb"),
    b": ping\n\n",
    event("response.failed", sequence_number=3, response=FAILED),
    b"data: [DONE]\n\n",
]


LINES = {b"\n": b"\n\n", b"\r\n": b"\r\n\r\n", b"\r": b"\r\r", b"\n ": b"\n\r\n"}
"""The ends of lines that a stream may have, and what ends an event there; the last is a mixture."""


def stream_with(ending: bytes) -> list[bytes]:
    """The stream with other ends of lines."""
    return [part[:-2].replace(b"\n", ending.strip(b" ")) + LINES[ending] for part in STREAM]


@given(st.lists(st.integers(0, sum(map(len, STREAM))), max_size=6), st.sampled_from(sorted(LINES)))
def test_a_stream_may_be_cut_anywhere(cuts: list[int], ending: bytes) -> None:
    """Of the events of a stream only the failed end changes, however its bytes arrive and its lines end."""
    whole = b"".join(stream_with(ending))
    places = [0, *sorted(cuts), len(whole)]
    middleware, _, chunks = answered(Answers([whole[a:b] for a, b in pairwise(places)], EVENTS))
    before, after = (
        text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n") for text in (whole, b"".join(chunks))
    )
    assert [n for n, (old, new) in enumerate(zip(before, after, strict=True)) if old != new] == [3]
    assert json.loads(after[3].partition(b"data:")[2])["response"]["error"]["outcome"] == FIELD
    assert (middleware.added, middleware.unread) == (1, 0)


@pytest.mark.parametrize("ending", LINES)
def test_events_are_sent_on_at_once(ending: bytes) -> None:
    """A whole event does not wait for the next, however its lines end."""
    stream = stream_with(ending)
    _, _, chunks = answered(Answers(stream, EVENTS))
    assert [chunk for chunk in chunks if chunk][:3] == stream[:3]
    assert len([chunk for chunk in chunks if chunk]) == len(stream)


def test_the_sdk_reads_a_body_with_the_field(client: Client) -> None:
    """The SDK's client gets its own model, the field beside the code, and the same outcome as without it."""
    with serving(OutcomeMiddleware(Answers([json.dumps({**FAILED, "output": []}).encode()], JSON))) as address:
        response = client(address).responses.retrieve("resp_1")
    assert response.error is not None
    assert (response.error.code, look(response.error, "outcome")) == ("rate_limit_exceeded", FIELD)
    assert ResponseError.model_validate(response.error.model_dump()).code == "rate_limit_exceeded"  # strictly
    assert classify(response) == replace(classify(FAILED), output_entry=None)


def test_the_sdk_reads_a_stream_with_the_field(client: Client) -> None:
    """The events of a stream are the SDK's own; the last has the field."""
    app = OutcomeMiddleware(Answers(STREAM, EVENTS))
    with serving(app) as address, client(address).responses.retrieve("resp_1", stream=True) as stream:
        *_, last = stream
    assert look(look(last, "response").error, "outcome") == FIELD


def test_a_model_that_forbids_more_fields_breaks() -> None:
    """A strict model of one's own, with `extra="forbid"`, refuses the field: its owner has to add it."""

    class Error(pydantic.BaseModel, extra="forbid"):
        code: str
        message: str

    with pytest.raises(pydantic.ValidationError, match="outcome"):
        Error(**ERROR, outcome=FIELD)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
