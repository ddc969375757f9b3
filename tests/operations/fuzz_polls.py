"""Polls that meet mutated bodies and heads, over a real socket and every transport.

The suite tries a few hundred. More, with their count and seed:

    PYTHONPATH=src:tests/operations .venv/bin/python -m fuzz_polls 50000 7
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import openai

from runoutcome import AsyncRuns, Outcome, RunError, Runs, classify

WAYS = [("sync", "client"), ("sync", "fast"), ("async", "client"), ("async", "fast")]
_RUN: dict[str, Any] = {
    "object": "response",
    "created_at": 1_760_000_000,
    "status": "completed",
    "background": True,
    "model": "gpt-5",
    "error": None,
    "incomplete_details": None,
    "metadata": {"runoutcome_key": "base-1"},
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "id": "msg_1", "status": "completed", "content": [{"type": "output_text", "text": "é"}]},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_tokens_details": {"cached_tokens": 0}},
    "temperature": 1.0,
}
_ENDS: list[dict[str, Any]] = [
    {},
    {"status": "queued"},
    {"status": "in_progress", "error": {"code": "server_error", "message": "Try again in 2s."}},
    {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Try again in 2.5s.", "headers": {}}},
    {"status": "failed", "error": {"code": None, "message": None, "metadata": {"raw": "{}"}}},
    {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    {"status": "cancelled"},
]
_ODD: list[Any] = [
    *(None, "", 0, -1, 1.5, True, [], {}, [[]], ["failed"], {"a": 1}, "\ud800", "\u00e9", "x" * 5000),
    *(float("nan"), float("inf"), 10**400, -(10**400), 2**63),
    *("completed", "failed", "cancelled", "queued", "resp_other", "response"),
]
_NAMES = ["status", "id", "object", "error", "output", "_fields_set", "_BaseModel__cls", "self", "", "model_config"]
_HEADS = [b"503 Busy", b"500 Oops", b"429 Later", b"408 Late", b"302 Found", b"304 Same", b"307 There", b"600 What"]
_FIELDS = [
    *(b"content-type: application/json; charset=" + name for name in (b"hex", b"undefined", b"idna", b"utf-16", b"x")),
    *(b"content-type: " + kind for kind in (b"text/event-stream", b"text/html; charset=punycode", b"\xff", b"")),
    *(b"location: " + to for to in (b"http://" + b"a" * 70 + b".x/", b"http://[::1", b"//", b"ftp://x/", b"\xff")),
    *(b"content-encoding: " + name for name in (b"gzip", b"identity", b"x")),
    *(b"retry-after: " + wish for wish in (b"-1", b"1e400", b"nan", b"Mon, 99 Xxx 9999999999 00:00:00 GMT")),
    *(b"openai-poll-after-ms: " + wish for wish in (b"9" * 400, b"nan", b"-1")),
]


def mutated_head(chance: random.Random) -> bytes:
    """Status line and fields of an answer that tells nothing about the run; often those of a good one."""
    if chance.random() < 0.6:
        return _GOOD_HEAD
    return b"\r\n".join([b"HTTP/1.1 " + chance.choice(_HEADS), *chance.sample(_FIELDS, chance.randrange(4)), b""])


_GOOD_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\n"


def mutated(chance: random.Random, response_id: str) -> bytes:
    """A body of the run with something wrong in it; some are right."""
    body = json.loads(json.dumps({"id": response_id, **_RUN, **chance.choice(_ENDS)}))
    for _ in range(chance.randrange(4)):
        _change(chance, body)
    text = json.dumps(body, ensure_ascii=chance.random() < 0.8, indent=chance.choice([None, None, 2]))
    if chance.random() < 0.1:  # a name that comes twice
        name, value = chance.choice(_NAMES), _odd(chance)
        text = f"{text.rstrip('}')},{json.dumps(name)}:{json.dumps(value)}}}"
    if chance.random() < 0.05:  # more digits than Python reads
        text = text.replace("1760000000", "9" * 5000)
    content = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        content = _damaged(chance, content)
    return content


def _odd(chance: random.Random) -> Any:
    """A value that is seldom right; some are nested deep."""
    value = copy.deepcopy(chance.choice(_ODD))
    for level in range(400 if chance.random() < 0.03 else 0):
        value = [value] if level % 2 else {"output": value}
    return value


def _change(chance: random.Random, value: Any) -> None:
    """Change one place within a list or a mapping."""
    while True:
        place = chance.choice(list(value) if isinstance(value, dict) else range(len(value))) if value else None
        if place is None or not isinstance(value[place], (dict, list)) or chance.random() < 0.4:
            break
        value = value[place]
    if isinstance(value, dict) and chance.random() < 0.2:
        value[chance.choice(_NAMES)] = _odd(chance)
    elif place is not None and chance.random() < 0.2:
        del value[place]
    elif place is not None:
        value[place] = _odd(chance)


def _damaged(chance: random.Random, content: bytes) -> bytes:
    place = chance.randrange(len(content))
    match chance.randrange(5):
        case 0:
            return content[:place]
        case 1:
            return content[:place] + bytes([chance.randrange(256)]) + content[place + 1 :]
        case 2:
            return (
                content[:place] + chance.choice([b'"', b"{", b"]", b"\x00", b"9" * 5000, b"[" * 5000]) + content[place:]
            )
        case 3:
            return content.decode("utf-8", "replace").encode("utf-16")
        case _:
            return chance.choice([b"", b"\xef\xbb\xbf" + content, b"[" * 100_000, b"<html></html>", b"null", b"{}"])


class _Clock:
    """A clock that no sleep takes time of."""

    def __init__(self) -> None:
        self._slept = 0.0

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic() + self._slept

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._slept

    def sleep(self, seconds: float) -> Any:
        """Let time pass."""
        self._slept += seconds


class _AsyncClock(_Clock):
    def sleep(self, seconds: float) -> Any:
        """A coroutine that lets time pass."""
        self._slept += seconds
        return asyncio.sleep(0)


@contextmanager
def _serving(answers: dict[str, tuple[bytes, bytes]]) -> Iterator[str]:
    """A server that answers the first poll of a run with its head and body, and every other with a completed one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            response_id = head.split(b" ", 2)[1].rpartition(b"/")[2].decode()
            good = _GOOD_HEAD, json.dumps({"id": response_id, **_RUN}).encode()
            answer, content = answers.pop(response_id, good)
            writer.write(answer + f"content-length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


def complaint(response_id: str, head: bytes, content: bytes, end: object) -> str | None:
    """What is wrong with the end of a wait whose first answer was this one; None if nothing is."""
    if head != _GOOD_HEAD:
        return None if not isinstance(end, BaseException) and classify(end).ok else f"ended with {end!r:.300}"
    judged = classify(content)
    if isinstance(end, RunError):
        return None if _same(end.outcome, judged) else f"raised {end.outcome}, and the body says {judged}"
    if isinstance(end, BaseException):
        return f"raised {end!r:.300}"
    if judged.phase == "terminal" and judged.surface == "response" and not judged.ok and b'"id"' in content:
        return f"returned a response, and the body says {judged.status}" if _is_own(response_id, content) else None
    return None if classify(end).ok else f"returned what is not completed: {classify(end)}"


def _is_own(response_id: str, content: bytes) -> bool:
    body = json.loads(content, parse_int=float)
    return isinstance(body, dict) and body.get("object") == "response" and body.get("id") == response_id


def _same(one: Outcome, other: Outcome) -> bool:
    return replace(one, response_id=None) == replace(other, response_id=None)


def run(colour: str, transport: Any, count: int, seed: int) -> list[str]:
    """The complaints about so many polls of one way of waiting."""
    chance = random.Random(seed)
    names = (f"resp_0{number}" for number in range(count))
    answers = {name: (mutated_head(chance), mutated(chance, name)) for name in names}
    with _serving(dict(answers)) as base_url:
        ends = (
            _waited(base_url, transport, answers)
            if colour == "sync"
            else asyncio.run(_waited_async(base_url, transport, answers))
        )
    found = ((answer, complaint(name, *answer, end)) for (name, answer), end in zip(answers.items(), ends, strict=True))
    return [f"{words} for {head!r} {content[:600]!r}" for (head, content), words in found if words]


def _waited(base_url: str, transport: Any, names: Any) -> list[Any]:
    ends: list[Any] = []
    with openai.OpenAI(base_url=base_url, api_key="sk-none", max_retries=0) as client:
        runs = Runs(client, transport=transport, clock=_Clock())
        for response_id in names:
            try:
                ends.append(runs.poll(response_id, max_wait_seconds=None))
            except Exception as error:  # noqa: BLE001 - every exception is judged
                ends.append(error)
    return ends


async def _waited_async(base_url: str, transport: Any, names: Any) -> list[Any]:
    ends: list[Any] = []
    async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-none", max_retries=0) as client:
        runs = AsyncRuns(client, transport=transport, clock=_AsyncClock())
        for response_id in names:
            try:
                ends.append(await runs.poll(response_id, max_wait_seconds=None))
            except Exception as error:  # noqa: BLE001
                ends.append(error)
    return ends


def main(arguments: list[str]) -> int:
    """Try so many bodies in all, and write what is wrong to the error stream."""
    count, seed = int(arguments[0]) if arguments else 1000, int(arguments[1]) if len(arguments) > 1 else 1
    complaints = [
        f"{colour}, {transport}: {words}"
        for number, (colour, transport) in enumerate(WAYS)
        for words in run(colour, transport, count // len(WAYS), seed + number)
    ]
    sys.stderr.write("\n".join([*complaints[:20], f"{count} bodies, {len(complaints)} complaints", ""]))
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
