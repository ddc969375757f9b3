"""A server that answers each poll with the same pending run, and remembers when each run was asked for.

`python benchmarks/canned_server.py KILOBYTES` prints its port. It costs far less than any client of it: it parses
nothing but the path. `GET /reset` begins a measurement, and `GET /stats` gives what came since as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

RUN_ID = b"resp_000000"
"""Stands in the body for the id of the run that is asked for, which is as long."""


def body_of(kilobytes: int) -> bytes:
    """A pending run of about so many kilobytes: most of it is what the caller sent with it."""
    run = {
        "id": RUN_ID.decode(),
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "in_progress",
        "background": True,
        "error": None,
        "incomplete_details": None,
        "instructions": "Answer at length. " * (kilobytes * 1024 // 18 - 20),
        "metadata": {"runoutcome_key": "benchmark-1"},
        "model": "gpt-5.5",
        "output": [],
        "parallel_tool_calls": True,
        "store": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }
    return json.dumps(run).encode()


class Polls:
    """When each run was asked for."""

    def __init__(self) -> None:
        self.reset()
        self._last: dict[bytes, float] = {}

    def reset(self) -> None:
        """Begin a measurement; gaps count from polls before it."""
        self.gaps: list[float] = []
        self.count = 0

    def note(self, run: bytes) -> None:
        """A run was asked for."""
        now = time.monotonic()
        before = self._last.get(run)
        self._last[run] = now
        self.count += 1
        if before is not None:
            self.gaps.append(now - before)

    def stats(self) -> bytes:
        """What came since `reset`."""
        return json.dumps({"polls": self.count, "runs": len(self._last), "gaps": self.gaps}).encode()


class Exchange(asyncio.Protocol):
    """One connection."""

    def __init__(self, polls: Polls, answer: bytes) -> None:
        self._polls, self._answer = polls, answer
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete; none has a body."""
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, _, self._unread = self._unread.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            if path == b"/reset":
                self._polls.reset()
                self._transport.write(answer_with(b"{}"))
            elif path == b"/stats":
                self._transport.write(answer_with(self._polls.stats()))
            else:
                self._polls.note(path)
                self._transport.write(self._answer.replace(RUN_ID, path.rpartition(b"/")[2], 1))


def answer_with(body: bytes) -> bytes:
    """An HTTP answer."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


async def serve(kilobytes: int) -> None:
    """Serve until the parent closes our stdin."""
    polls, answer = Polls(), answer_with(body_of(kilobytes))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Exchange(polls, answer), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
