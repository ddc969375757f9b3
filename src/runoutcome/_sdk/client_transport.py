"""Polls through the user's own client: its key, base URL, headers, proxies and hooks hold; its retries do not.

Nothing of a body is decoded here. See decision 0007.
"""

from __future__ import annotations

import ssl
from typing import Any, NoReturn

import anyio

from . import (
    SDK_VERSION,
    Answer,
    APIConnectionError,
    APITimeoutError,
    AsyncOpenAI,
    OpenAI,
    OpenAIError,
    http_library_of,
    native_http_library,
)
from .request_template import Template, final_options, has_template, options_of, path_of
from .worker_threads import Workers

_LIBRARY = native_http_library()
_WRAPS_ALL = int(SDK_VERSION.partition(".")[0]) < 3
"""Up to 2.x the SDK makes a connection error of whatever a hook or transport raises."""


class ClientTransport:
    """Polls through an `OpenAI` client."""

    def __init__(self, client: OpenAI) -> None:
        self._client: Any = client
        self._workers = Workers()
        self._template: Template | None = None

    def fetch(self, response_id: str, timeout_seconds: float | None) -> Answer:
        """One GET of the run, without the SDK's retries.

        `timeout_seconds` bounds all of it; None bounds only each read. Raises the SDK's errors, and TimeoutError when
        the time is up: the request is then left to a thread of its own, and its answer dropped.
        """
        return self._workers.call(lambda: self._fetch(response_id, timeout_seconds), timeout_seconds)

    def _fetch(self, response_id: str, timeout_seconds: float | None) -> Answer:
        client, template = self._client, self._template
        options = options_of(client, timeout_seconds)
        if template is None or not template.holds(client, options):
            response = client.get(path_of(response_id), cast_to=_LIBRARY.Response, options=options)
            if options == options_of(client, None) and has_template(client):
                request = client._build_request(client._prepare_options(final_options(options)))
                self._template = Template(client, request, options)
            return _answer(response)
        request = template.request(client, response_id)
        try:
            response = client._client.send(request)
        except Exception as error:  # noqa: BLE001 - as the SDK does
            raise_as_sdk(error, request)
        if not response.is_success:
            raise client._make_status_error_from_response(response) from None
        return _answer(response)


class AsyncClientTransport:
    """Polls through an `AsyncOpenAI` client; the async twin of `ClientTransport`."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client: Any = client
        self._template: Template | None = None

    async def fetch(self, response_id: str, timeout_seconds: float | None) -> Answer:
        """The async twin of `ClientTransport.fetch`; a request that takes too long is cancelled."""
        if timeout_seconds is None:
            return await self._fetch(response_id, None)
        with anyio.move_on_after(timeout_seconds):
            return await self._fetch(response_id, timeout_seconds)
        raise TimeoutError(f"the answer to a poll was not complete after {timeout_seconds:.3g} s")

    async def _fetch(self, response_id: str, timeout_seconds: float | None) -> Answer:
        client, template = self._client, self._template
        options = options_of(client, timeout_seconds)
        if template is None or not template.holds(client, options):
            response = await client.get(path_of(response_id), cast_to=_LIBRARY.Response, options=options)
            if options == options_of(client, None) and has_template(client):
                request = client._build_request(await client._prepare_options(final_options(options)))
                self._template = Template(client, request, options)
            return _answer(response)
        request = template.request(client, response_id)
        try:
            response = await client._client.send(request)
        except Exception as error:  # noqa: BLE001 - as the SDK does
            raise_as_sdk(error, request)
        if not response.is_success:
            raise client._make_status_error_from_response(response) from None
        return _answer(response)


def raise_as_sdk(error: Exception, request: Any) -> NoReturn:
    """Raise what the SDK makes of an exception that came out of the HTTP library."""
    library = http_library_of(request)
    if isinstance(error, OpenAIError):
        raise error
    if isinstance(error, library.TimeoutException):
        raise APITimeoutError(request=request) from error
    if _WRAPS_ALL or isinstance(error, (library.RequestError, ssl.SSLError, anyio.EndOfStream)):
        raise APIConnectionError(request=request) from error
    raise error


def _answer(response: Any) -> Answer:
    return Answer(
        response.content, response.status_code, response.headers, str(response.url), http_library_of(response)
    )
