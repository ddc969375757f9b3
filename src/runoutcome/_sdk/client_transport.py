"""Polls through the user's own client, by its public `get`: its key, base URL, headers, proxies and hooks hold.

Its retries do not. Nothing of a body is decoded here. See decision 0007.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import anyio
from openai import RequestOptions

from . import POLL_TIMEOUT_SECONDS, AsyncOpenAI, OpenAI
from .responses import Answer, http_library_of, native_http_library
from .worker_threads import Workers

_LIBRARY = native_http_library()
# As `responses.retrieve` says since 2.x, so that a poll is never sent with an admin key.
_SECURITY = {"security": {"bearer_auth": True}} if "security" in RequestOptions.__annotations__ else {}


class ClientTransport:
    """Polls through an `OpenAI` client."""

    def __init__(self, client: OpenAI) -> None:
        self._client: Any = client
        self._workers = Workers()

    def fetch(self, response_id: str, timeout_seconds: float | None) -> Answer:
        """One GET of the run, without the SDK's retries.

        `timeout_seconds` bounds all of it; None bounds only each read. Raises the SDK's errors, and TimeoutError when
        the time is up: the request is then left to a thread of its own, and its answer dropped.
        """
        path, options = path_of(response_id), _options(self._client, timeout_seconds)
        return self._workers.call(
            lambda: _answer(self._client.get(path, cast_to=_LIBRARY.Response, options=options)), timeout_seconds
        )


class AsyncClientTransport:
    """Polls through an `AsyncOpenAI` client; the async twin of `ClientTransport`."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client: Any = client

    async def fetch(self, response_id: str, timeout_seconds: float | None) -> Answer:
        """The async twin of `ClientTransport.fetch`; a request that takes too long is cancelled."""
        path, options = path_of(response_id), _options(self._client, timeout_seconds)
        with anyio.move_on_after(timeout_seconds):
            return _answer(await self._client.get(path, cast_to=_LIBRARY.Response, options=options))
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


def _options(client: OpenAI | AsyncOpenAI, timeout_seconds: float | None) -> dict[str, Any]:
    return {**_SECURITY, "max_retries": 0, "timeout": read_timeout(client, timeout_seconds)}


def _answer(response: Any) -> Answer:
    return Answer(
        response.content, response.status_code, response.headers, str(response.url), http_library_of(response)
    )
