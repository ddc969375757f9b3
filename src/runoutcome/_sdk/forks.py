"""A client for each process: after a fork, parent and child would read each other's answers from shared connections."""

from __future__ import annotations

import os
from typing import Any, Generic, TypeVar

import openai

from . import sdk_type

_C = TypeVar("_C")


class ProcessClient(Generic[_C]):
    """The user's client, and in a forked process a copy of it with connections of its own."""

    def __init__(self, client: _C) -> None:
        self._first = self._client = client
        self._process, self._is_used = os.getpid(), False

    def get(self) -> _C:
        """The client of this process. Raises RuntimeError if the parent has used it with the user's `http_client`."""
        if self._process != os.getpid():
            self._client = _of_child(self._first, is_used=self._is_used)
            self._process = os.getpid()
        self._is_used = True
        return self._client


def _has_own_http_client(client: Any) -> bool:
    """True if the SDK made the HTTP client; as in `fast_transport`, a look at a private attribute."""
    name = "SyncHttpxClientWrapper" if isinstance(client, openai.OpenAI) else "AsyncHttpxClientWrapper"
    return type(getattr(client, "_client", None)) is sdk_type(f"openai._base_client.{name}")


def _of_child(client: Any, *, is_used: bool) -> Any:
    if not isinstance(client, (openai.OpenAI, openai.AsyncOpenAI)):
        return client  # a double in a test has no connections
    if _has_own_http_client(client):
        http_client: Any = (
            openai.DefaultHttpxClient if isinstance(client, openai.OpenAI) else openai.DefaultAsyncHttpxClient
        )
        return client.copy(http_client=http_client())
    transport = getattr(getattr(client, "_client", None), "_transport", None)
    if is_used and type(transport).__name__ in ("HTTPTransport", "AsyncHTTPTransport"):
        raise RuntimeError(
            "this process was forked after its client had been used, and would share connections with its parent: make "
            "the client and its Runs in the child (the SDK's own http_client is replaced without that)"
        )
    return client
