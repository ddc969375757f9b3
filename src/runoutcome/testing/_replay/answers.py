"""`Answers`: the recorded answer to each request, by method, path and order."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from .recording import Exchange, Recording, asks_for_stream

_OURS = "runoutcome_"
_Key = tuple[str, str, bool]


class Answers:
    """The answers that are left. Requests for one method and path get them in the order of the recording.

    A read that is made more often than recorded gets the last answer again; anything else does not.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._left: dict[_Key, deque[Exchange]] = {}
        self._last: dict[_Key, Exchange] = {}
        self._words: dict[bytes, bytes] = {}
        for exchange in recording.exchanges:
            key = (exchange.method, exchange.path, exchange.is_stream)
            self._left.setdefault(key, deque()).append(exchange)

    @property
    def left(self) -> list[str]:
        """Method and path of the recorded requests that were not made so far."""
        return [f"{key[0]} {key[1]}" for key, exchanges in self._left.items() for _ in exchanges]

    def take(self, method: str, path: str, query: str, body: Any) -> Exchange | None:
        """The answer to a request; None if none is left."""
        key = (method, self._recording.inside(path), asks_for_stream(query, body))
        if waiting := self._left.get(key):
            self._last[key] = waiting.popleft()
            self._note_words(self._last[key].body, body)
        elif method not in ("GET", "HEAD"):
            return None
        return self._last.get(key)

    def in_words_of_client(self, content: bytes) -> bytes:
        """Bytes of an answer, with the client's own keys, such as `runoutcome_key`, in place of the recorded ones."""
        for recorded, sent in self._words.items():
            content = content.replace(recorded, sent)
        return content

    def _note_words(self, recorded: Any, sent: Any) -> None:
        before, now = _metadata(recorded), _metadata(sent)
        for name, value in before.items():
            if name.startswith(_OURS) and value and isinstance(now.get(name), str):
                self._words[value.encode()] = now[name].encode()


def _metadata(body: Any) -> Mapping[str, str]:
    metadata = body.get("metadata") if isinstance(body, Mapping) else None
    pairs = metadata.items() if isinstance(metadata, Mapping) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}
