"""Polls through the user's own client, by its public `get`: its key, base URL, headers, proxies and hooks hold.

Its retries do not. Nothing of a body is decoded here. See decision 0007.
"""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import quote

import anyio
from openai import RequestOptions

from . import POLL_TIMEOUT_SECONDS, AsyncOpenAI, OpenAI
from .forks import ProcessClient
from .responses import Answer, http_library_of, native_http_library
from .worker_threads import Workers

_LIBRARY = native_http_library()
# As `responses.retrieve` says since 2.x, so that a poll is never sent with an admin key.
_SECURITY = {"security": {"bearer_auth": True}} if "security" in RequestOptions.__annotations__ else {}


class Fetch(Protocol):
    """A function that makes one poll request."""

    def __call__(
        self,
        response_id: str,
        timeout_seconds: float | None,
        /,
        *,
        on_new_connection: bool = False,
        include: tuple[str, ...] = (),
    ) -> Answer:
        """The answer to one GET of the run, with the fields in `include`; it may take so many seconds."""
        ...


class AsyncFetch(Protocol):
    """The async twin of `Fetch`."""

    async def __call__(
        self,
        response_id: str,
        timeout_seconds: float | None,
        /,
        *,
        on_new_connection: bool = False,
        include: tuple[str, ...] = (),
    ) -> Answer:
        """The async twin of `Fetch.__call__`."""
        ...


class ClientTransport:
    """Polls through an `OpenAI` client."""

    def __init__(self, client: OpenAI) -> None:
        self._client = ProcessClient(client)
        self._workers = Workers()

    def fetch(
        self,
        response_id: str,
        timeout_seconds: float | None,
        *,
        on_new_connection: bool = False,
        include: tuple[str, ...] = (),
    ) -> Answer:
        """One GET of the run, without the SDK's retries.

        `timeout_seconds` bounds all of it; None bounds only each read. The SDK has no way to open a connection: with
        `on_new_connection` the one that is used is closed after the answer. Raises the SDK's errors, and TimeoutError
        when the time is up: the request is then left to a thread of its own, and its answer dropped.
        """
        client: Any = self._client.get()
        path, options = path_of(response_id), _options(client, timeout_seconds, on_new_connection, include)
        return self._workers.call(
            lambda: _answer(client.get(path, cast_to=_LIBRARY.Response, options=options)), timeout_seconds
        )


class AsyncClientTransport:
    """Polls through an `AsyncOpenAI` client; the async twin of `ClientTransport`."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = ProcessClient(client)

    async def fetch(
        self,
        response_id: str,
        timeout_seconds: float | None,
        *,
        on_new_connection: bool = False,
        include: tuple[str, ...] = (),
    ) -> Answer:
        """The async twin of `ClientTransport.fetch`; a request that takes too long is cancelled."""
        client: Any = self._client.get()
        path, options = path_of(response_id), _options(client, timeout_seconds, on_new_connection, include)
        with anyio.move_on_after(timeout_seconds):
            return _answer(await client.get(path, cast_to=_LIBRARY.Response, options=options))
        raise TimeoutError(f"the answer to a poll was not complete after {timeout_seconds:.3g} s")


def path_of(response_id: str) -> str:
    """The path of a run, below the base URL."""
    return f"/responses/{quote(response_id, safe='')}"


def read_timeout(client: OpenAI | AsyncOpenAI, timeout_seconds: float | None) -> float:
    """Seconds that each read of a poll may take: the least of 30 s, the client's own timeout and `timeout_seconds`.

    The client's 600 s are meant for generation, and would let one stall hide a finished run.
    """
    own: Any = client.timeout
    own = own if isinstance(own, (int, float)) else getattr(own, "read", None)
    return min(limit for limit in (POLL_TIMEOUT_SECONDS, timeout_seconds, own) if limit is not None)


def _options(
    client: OpenAI | AsyncOpenAI, timeout_seconds: float | None, on_new_connection: bool, include: tuple[str, ...]
) -> dict[str, Any]:
    headers = {"headers": {"Connection": "close"}} if on_new_connection else {}
    query = {"params": {"include": list(include)}} if include else {}
    return {**_SECURITY, **headers, **query, "max_retries": 0, "timeout": read_timeout(client, timeout_seconds)}


def _answer(response: Any) -> Answer:
    return Answer(
        response.content, response.status_code, response.headers, str(response.url), http_library_of(response)
    )
