"""The middleware under answers of every kind: 10,000 by chance, and 200 MB of a stream."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from runoutcome import classify
from runoutcome._outcome.field import place_of
from runoutcome.asgi import OutcomeMiddleware

pytestmark = pytest.mark.once
ANSWERS = 10_000
STATUSES = (
    "queued",
    "in_progress",
    "completed",
    "failed",
    "incomplete",
    "cancelled",
    "expired",
    "x",
    None,
    3,
    ["failed"],
)
ERRORS: tuple[Any, ...] = (
    None,
    "boom",
    {},
    {"code": "rate_limit_exceeded", "message": "Slow \u2028 down."},
    {"code": "server_error", "outcome": {"type": "x"}},
    [{"code": "server_error"}],
    {"code": None, "message": "\ud83d\ude00"},
)
TYPES = (
    *[b"application/json"] * 6,
    b"application/json; charset=utf-8",
    b"text/event-stream",
    b"Text/Event-Stream;x",
    b"text/html",
    b"application/problem+json",
    b"",
)
HTTP_STATUSES = (*[200] * 8, 201, 206, 204, 301, 404, 429, 500)
EXTRA = ((b"etag", b'"1"'), (b"content-range", b"bytes 0-1/2"), (b"x-request-id", b"r"), (b"set-cookie", b"a=b"))


def a_run(draw: random.Random) -> Any:
    """A body much like that of a run, or another value."""
    body: dict[str, Any] = {"id": "resp_1", "object": draw.choice(["response"] * 5 + ["batch", "list", None, 7])}
    body["status"] = draw.choice(STATUSES)
    for name in ("error", "incomplete_details", "last_error", "outcome"):
        if draw.random() < (0.1 if name == "outcome" else 0.5):
            body[name] = draw.choice(({"reason": "max_output_tokens"}, *ERRORS))
    body["output"] = [{"type": "message", "status": "failed", "n": draw.random()}] * draw.randrange(3)
    if draw.random() < 0.3:
        keys = list(body)
        draw.shuffle(keys)
        body = {key: body[key] for key in keys}
    return draw.choice([body] * 12 + [[body], {"response": body}, "text", 1e400, None])


def as_text(draw: random.Random, value: Any) -> bytes:
    """Its JSON, in one of the forms that servers write, and seldom broken."""
    text = json.dumps(value, indent=draw.choice([None, None, 1]), ensure_ascii=draw.random() < 0.5)
    content = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.15 and content:
        place = draw.randrange(len(content))
        content = content[:place] + draw.choice([b"", b"\xff", b'"', b"{", b"\n\n", content[:9]]) + content[place + 1 :]
    return content


def a_stream(draw: random.Random) -> bytes:
    """Some events, with the line ends that servers use, and seldom cut."""
    end, events = draw.choice([b"\n", b"\r\n"]), b""
    for number in range(draw.randrange(5)):
        name = draw.choice(["response.failed", "response.completed", "response.incomplete", "ping", "error"])
        body = {"type": name, "sequence_number": number, "response": a_run(draw)}
        data = json.dumps(body).encode()
        events += b"event: " + name.encode() + end + b"data: " + data + end + end
    events += draw.choice([b"", b": comment", b"data: [DONE]" + end + end])
    return events[: draw.randrange(len(events) + 1)] if draw.random() < 0.2 else events


def passed(
    chunks: list[bytes], headers: list[tuple[bytes, bytes]], status: int
) -> tuple[OutcomeMiddleware, dict[str, Any], bytes]:
    """The middleware after one answer, the answer's start, and its bytes."""
    messages: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for number, chunk in enumerate(chunks, 1):
            await send({"type": "http.response.body", "body": chunk, "more_body": number < len(chunks)})

    async def send(message: Any) -> None:
        messages.append(message)

    middleware = OutcomeMiddleware(app)
    asyncio.run(middleware({"type": "http", "method": "GET"}, None, send))  # type: ignore[arg-type]
    return middleware, messages[0], b"".join(message.get("body", b"") for message in messages[1:])


def without_field(value: Any, before: Any) -> Any:
    """A value of JSON, less the fields that an earlier one of the same shape has not."""
    if isinstance(value, dict) and isinstance(before, dict):
        return {key: without_field(value[key], before.get(key)) for key in value if key != "outcome" or key in before}
    return value


def events_of(stream: bytes) -> Iterator[bytes]:
    """The data lines of a stream."""
    return (line[5:] for line in stream.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data:"))


def gets_the_field(content: bytes) -> bool:
    """Whether this is a whole JSON body of a run that ended without success, and has no field yet."""
    try:
        body = json.loads(content.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and place_of(body, classify(body)) is not None


@pytest.mark.parametrize("seed", range(4))
def test_ten_thousand_answers_pass_byte_for_byte_but_for_the_field(seed: int) -> None:
    """Any answer is the same afterwards, less the field; it has the field if, and only if, it is a failed run's."""
    draw, added = random.Random(seed), 0
    for _ in range(ANSWERS // 4):
        kind, status = draw.choice(TYPES), draw.choice(HTTP_STATUSES)
        is_stream = b"event-stream" in kind.lower()
        content = plain = a_stream(draw) if is_stream else as_text(draw, a_run(draw))
        headers = [(b"content-type", kind)] if kind else []
        headers += draw.sample(EXTRA, draw.choice([0, 0, 0, 1, 2]))
        is_gzip = draw.random() < 0.15
        if is_gzip:
            content = gzip.compress(content)
            headers.append((b"content-encoding", b"gzip"))
        cuts = sorted(draw.randrange(len(content) + 1) for _ in range(draw.randrange(4)))
        chunks = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        middleware, start, sent = passed(chunks, headers, status)
        added += middleware.added
        whole = 200 <= status < 300 and status != 206 and b"content-range" not in dict(headers)
        if not is_stream:
            expected = whole and b"json" in kind and gets_the_field(plain)
            assert middleware.added == expected
            if not expected:
                assert (start["headers"], sent) == (headers, content)
                continue
            assert dict(start["headers"])[b"content-length"] == b"%d" % len(sent)
            after, before = json.loads(gzip.decompress(sent) if is_gzip else sent), json.loads(plain)
            assert without_field(after, before) == before
            assert after != before
        elif middleware.added:
            assert whole
            before_events, after_events = list(events_of(content)), list(events_of(sent))
            assert len(before_events) == len(after_events)
            for old, new in zip(before_events, after_events, strict=True):
                assert old == new or without_field(json.loads(new), json.loads(old)) == json.loads(old)
        else:
            assert sent == content
    assert added > 100


STREAM = """
import asyncio, json, resource
from runoutcome.asgi import OutcomeMiddleware

TYPE = b"response.output_text.delta"
DELTA = b"event: " + TYPE + b'\\ndata: {"type":"' + TYPE + b'","delta":"' + b"x" * 900 + b'"}\\n\\n'
FAILED = {"id": "resp_1", "object": "response", "status": "failed", "error": {"code": "server_error", "message": "m"}}
END = b"data: " + json.dumps({"type": "response.failed", "response": FAILED}).encode() + b"\\n\\n"

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    step, at = 65_536, 0  # events do not end where messages do
    ring = DELTA * (step // len(DELTA) + 2)
    for _ in range(200_000_000 // step):
        await send({"type": "http.response.body", "body": ring[at : at + step], "more_body": True})
        at = (at + step) % len(DELTA)
    await send({"type": "http.response.body", "body": ring[at : len(DELTA)] if at else b"", "more_body": True})
    await send({"type": "http.response.body", "body": END})

sent = 0
async def send(message):
    global sent
    sent += len(message.get("body", b""))

middleware = OutcomeMiddleware(app)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
asyncio.run(middleware({"type": "http", "method": "GET"}, None, send))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"sent": sent, "grown_kilobytes": grown, "added": middleware.added}))
"""


def test_a_long_stream_passes_in_constant_memory() -> None:
    """Of 200 MB of events no more than a few are held, and the last gets its field."""
    told = subprocess.run([sys.executable, "-c", STREAM], check=True, capture_output=True, text=True).stdout
    result = json.loads(told)
    assert result["sent"] > 199_000_000
    assert result["grown_kilobytes"] < 10_000
    assert result["added"] == 1
