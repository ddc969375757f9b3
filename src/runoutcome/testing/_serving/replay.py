"""`Replay`: a recording of a gateway as a server, so that a failure seen once becomes a test."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Collection
from typing import Any

from starlette.types import Receive, Scope, Send

from ..._host_check import HostCheck
from .._api.connection import drop_connection
from .._api.http_responses import READING_SECONDS, error_response
from .._errors import ApiError, EmulatorError
from .._replay.answers import Answers
from .._replay.recording import Exchange, read_recording
from .listener import HOST, Listener
from .loop_thread import LoopThread

_MOST_NAMED = 5
_HINT = "Another name is allowed by Replay(allowed_hosts=[...]), or by runoutcome emulate --allow-host NAME."


class Replay:
    """Answers from a file that `runoutcome gateway --record` has written: `with Replay(path) as replay: ...`.

    A request gets the answers recorded for its method and path in their order, each after the time that it took then,
    divided by `speed`; a read made more often gets the last one again. A request without an answer gets 404. The keys
    of a client (`runoutcome_key` in metadata) replace the recorded ones. `allowed_hosts` are further names in `Host`.
    Raises RecordingError for a file that is no recording.
    """

    __module__ = "runoutcome.testing"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        port: int = 0,
        speed: float = 1.0,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        if not speed > 0:
            raise EmulatorError(f"speed divides durations, so it is more than 0; got {speed}")
        self._recording = read_recording(path)
        self._answers = Answers(self._recording)
        self._port, self._speed = port, speed
        self._app = HostCheck(self._answer, allowed_hosts, hint=_HINT)
        self._thread = LoopThread()
        self._listener: Listener | None = None

    @property
    def base_url(self) -> str:
        """The `base_url` for a client. Raises EmulatorError before the first start."""
        if not self._port:
            raise EmulatorError("the replay has no port until it is started")
        return f"http://{HOST}:{self._port}{self._recording.base_path}"

    @property
    def left(self) -> list[str]:
        """Method and path of each recorded request that the client has not made."""
        return self._answers.left

    def start(self) -> Replay:
        """Listen; returns when requests are answered. Raises EmulatorError if the port is taken."""
        if self._listener is not None:
            raise EmulatorError("the replay is running already")
        self._listener = Listener(self._app, self._port, self._thread)
        self._port = self._listener.port
        return self

    def stop(self) -> None:
        """Close every connection and the port. Does nothing if not running."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
        self._thread.end()

    def __enter__(self) -> Replay:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = asyncio.get_running_loop().time()
        body = await _json_body(receive)
        method, path = scope["method"], scope["raw_path"].decode("ascii", "replace")
        exchange = self._answers.take(method, path, scope["query_string"].decode("latin-1"), body)
        if exchange is None:
            response = error_response(ApiError(404, self._unknown(method, path), code="replay_unknown_request"))
            response.headers["x-should-retry"] = "false"
            return await response(scope, receive, send)
        sending = asyncio.ensure_future(self._send(exchange, start, scope, send))
        leaving = asyncio.ensure_future(_departure(receive))
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, leaving):
            task.cancel()
        await asyncio.wait({sending, leaving})
        if not sending.cancelled():
            sending.result()
        return None

    async def _send(self, exchange: Exchange, start: float, scope: Scope, send: Send) -> None:
        if exchange.status is not None:
            await self._wait(start + exchange.after / self._speed)
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in exchange.headers]
            await send({"type": "http.response.start", "status": exchange.status, "headers": headers})
            for piece in exchange.pieces:
                await self._wait(start + piece.after / self._speed)
                content = self._answers.in_words_of_client(piece.content)
                await send({"type": "http.response.body", "body": content, "more_body": True})
        if exchange.ending == "done":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif exchange.ending == "cut":
            await asyncio.sleep(READING_SECONDS)
            drop_connection(scope)
        else:  # nothing more came until the client left
            await asyncio.Event().wait()

    async def _wait(self, until: float) -> None:
        await asyncio.sleep(max(0.0, until - asyncio.get_running_loop().time()))

    def _unknown(self, method: str, path: str) -> str:
        names = list(dict.fromkeys(self.left))
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        left = f"Left are: {', '.join(names[:_MOST_NAMED])}{more}." if names else "No recorded answer is left."
        return f"The recording has no answer left for {method} {path}. {left}"


async def _json_body(receive: Receive) -> Any:
    content, more = b"", True
    while more:
        message = await receive()
        content, more = content + message.get("body", b""), message.get("more_body", False)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
