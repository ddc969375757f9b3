"""`read_recording`: the exchanges in a file that `runoutcome gateway --record` has written."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._errors import RecordingError

_FORMAT = "runoutcome.recording/1"
_ENDINGS = ("done", "cut", "client_left")
_STATUSES = range(200, 600)
_MOST_FILLED = 1_000_000


@dataclass(frozen=True)
class Piece:
    """Bytes of an answer, `after` so many seconds from its request."""

    after: float
    content: bytes


@dataclass
class Exchange:
    """A request and its answer, as recorded."""

    method: str
    path: str
    """Without the path of the base URL."""
    is_stream: bool
    body: Any
    status: int | None = None
    """None for a request that was never answered."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    after: float = 0.0
    """Seconds from the request to the head of the answer."""
    pieces: list[Piece] = field(default_factory=list)
    ending: str = "client_left"
    """`done`, `cut` (the connection broke), or `client_left` (before the end of the answer)."""


@dataclass(frozen=True)
class Recording:
    """The exchanges of a file in the order of their requests, and the path of the base URL."""

    base_path: str
    exchanges: tuple[Exchange, ...]

    def inside(self, path: str) -> str:
        """A path without the path of the base URL."""
        return path.removeprefix(self.base_path) if path.startswith(f"{self.base_path}/") else path


def asks_for_stream(query: str, body: Any) -> bool:
    """True if a request with this query and JSON body asks for a stream."""
    return "stream=true" in query.lower().split("&") or (isinstance(body, Mapping) and body.get("stream") is True)


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Read a file. A last line that is cut is left out. Raises RecordingError for anything else."""
    name = os.fspath(path)
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{name} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    if not lines or _FORMAT not in lines[0]:
        raise RecordingError(f"{name} is no recording of a gateway: its first line does not say {_FORMAT!r}")
    documents = list(_documents(name, lines))
    head = documents[0][1]
    if head.get("format") != _FORMAT or not isinstance(head.get("base_path"), str):
        raise RecordingError(f"{name}, line 1: not the head of a recording")
    recording = Recording(head["base_path"], ())
    exchanges: dict[int, Exchange] = {}
    begun: dict[int, float] = {}
    for number, line in documents[1:]:
        try:
            _add(line, recording, exchanges, begun)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RecordingError(f"{name}, line {number}: not a line of a recording") from None
    return Recording(recording.base_path, tuple(exchanges.values()))


def _documents(name: str, lines: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines) > 1:
                return
            raise RecordingError(f"{name}, line {number}: no JSON") from None
        if not isinstance(document, dict):
            raise RecordingError(f"{name}, line {number}: not an object")
        yield number, document


def _add(line: dict[str, Any], recording: Recording, exchanges: dict[int, Exchange], begun: dict[int, float]) -> None:
    number, at = line["n"], float(line["at"])
    if "request" in line:
        request = line["request"]
        body, path = request.get("body"), recording.inside(request["path"])
        exchanges[number] = Exchange(request["method"], path, asks_for_stream(request["query"], body), body)
        begun[number] = at
        return
    exchange, after = exchanges[number], at - begun[number]
    if "answer" in line:
        exchange.status, exchange.after = _STATUSES[_STATUSES.index(line["answer"]["status"])], after
        exchange.headers = [(str(name), str(value)) for name, value in line["answer"]["headers"]]
    elif "end" in line:
        exchange.ending = _ENDINGS[_ENDINGS.index(line["end"])]
    else:
        exchange.pieces.append(Piece(after, _content(line)))


def _content(line: Mapping[str, Any]) -> bytes:
    if "event" in line:
        return _event(line["event"])
    if "body" in line:
        return json.dumps(line["body"]).encode()
    if "text" in line:
        return str(line["text"]).encode()
    return base64.b64decode(line["base64"]) if "base64" in line else _filling(line["bytes"])


def _event(event: Mapping[str, Any]) -> bytes:
    lines = [f"{name}: {event[name]}" for name in ("event", "id") if name in event]
    if "data" in event:
        data = event["data"]
        lines.append("data: " + (data if data == "[DONE]" else json.dumps(data)))
    elif "text" in event:
        lines += [f"data: {line}" for line in str(event["text"]).split("\n")]
    elif "bytes" in event:
        lines.append("data: " + _filling(event["bytes"]).decode())
    return ("\n".join(lines or [":"]) + "\n\n").encode()


def _filling(length: int) -> bytes:
    """Bytes in place of contents that were not recorded."""
    return b" " * min(int(length), _MOST_FILLED)
