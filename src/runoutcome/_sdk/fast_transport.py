"""Polls beside the client: with its requests, but over connections of our own. Optional.

The client makes each request, so its key, base URL and headers hold. What its HTTP library would do with the request is
done here at a fraction of the cost, for clients whose HTTP library has nothing special to do (see `hindrance`). TLS is
that of the client, down to the context; cookies are in its jar; redirects are left to it.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import time
from typing import Any, NoReturn

from . import (
    Answer,
    APIConnectionError,
    APITimeoutError,
    AsyncOpenAI,
    OpenAI,
    event_loop as _async_backend,
    http_library_of,
)
from .client_transport import AsyncClientTransport, ClientTransport, raise_as_sdk
from .fast_eligibility import PORTS, hindrance
from .http_connections import AsyncLine, AsyncLines, Line, Lines, Origin, StaleError, check_loop
from .http_exchange import RawAnswer
from .request_template import Template, final_options, has_template, is_known, is_logged, options_of
from .worker_threads import Workers


class FastTransport:
    """Polls beside an `OpenAI` client, on at most so many connections that are kept.

    Raises ValueError for a client of which something would be lost, and ImportError without h11.
    """

    def __init__(self, client: OpenAI, max_connections: int) -> None:
        _check(client)
        self._client: Any = client
        self._patient = ClientTransport(client)
        self._lines = Lines(max_connections)
        self._workers = Workers()
        self._template: Template | None = None

    def fetch(self, response_id: str, timeout_seconds: float | None) -> Answer:
        """As `ClientTransport.fetch`."""
        options = options_of(self._client, timeout_seconds)
        timer = _Timer(options["timeout"], timeout_seconds)
        request = self._request(response_id, options, timer)
        if _needs_client(self._client, request.url):
            return self._patient.fetch(response_id, timer.rest())
        try:
            raw = self._exchange(request, timer)
        except Exception as error:  # noqa: BLE001 - `tell` raises
            timer.tell(error, request)
        if 300 <= raw.status_code < 400:
            return self._patient.fetch(response_id, timer.rest())
        return _answer(self._client, request, raw)

    def _request(self, response_id: str, options: dict[str, Any], timer: _Timer) -> Any:
        client = self._client
        if self._template is not None and self._template.holds(client, options):
            return self._template.request(client, response_id)
        if not has_template(client):  # a key that is asked for may take its time
            return self._workers.call(lambda: self._made(final_options(options, response_id)), timer.rest())
        self._template = Template(client, self._made(final_options(options)), options)
        return self._template.request(client, response_id)

    def _made(self, options: Any) -> Any:
        request = self._client._build_request(self._client._prepare_options(options))
        self._client._prepare_request(request)
        return request

    def _exchange(self, request: Any, timer: _Timer) -> RawAnswer:
        origin = _origin(self._client, request.url)
        line = self._lines.take(origin)
        if line is not None:
            try:
                return self._get(line, request, timer)
            except StaleError:
                pass
        seconds = timer.left()
        # Neither the look-up of a name nor a TLS handshake that drips heeds the timeout of a socket.
        line = self._workers.call(lambda: self._lines.open(origin, seconds), seconds)
        return self._get(line, request, timer)

    def _get(self, line: Line, request: Any, timer: _Timer) -> RawAnswer:
        try:
            raw = line.get(request.url.raw_path, request.headers.raw, timer.left)
        except BaseException:
            line.close()
            raise
        self._lines.give_back(line)
        return raw


class AsyncFastTransport:
    """Polls beside an `AsyncOpenAI` client, on asyncio; the async twin of `FastTransport`."""

    def __init__(self, client: AsyncOpenAI, max_connections: int) -> None:
        _check(client)
        self._client: Any = client
        self._patient = AsyncClientTransport(client)
        self._lines = AsyncLines(max_connections)
        self._template: Template | None = None

    async def fetch(self, response_id: str, timeout_seconds: float | None) -> Answer:
        """As `AsyncClientTransport.fetch`. Raises RuntimeError under trio."""
        check_loop()
        options = options_of(self._client, timeout_seconds)
        timer = _Timer(options["timeout"], timeout_seconds)
        request = await self._request(response_id, options, timer)
        if _needs_client(self._client, request.url):
            return await self._patient.fetch(response_id, timer.rest())
        try:
            raw = await self._exchange(request, timer)
        except Exception as error:  # noqa: BLE001 - `tell` raises
            timer.tell(error, request)
        if 300 <= raw.status_code < 400:
            return await self._patient.fetch(response_id, timer.rest())
        return _answer(self._client, request, raw)

    async def _request(self, response_id: str, options: dict[str, Any], timer: _Timer) -> Any:
        client = self._client
        if self._template is not None and self._template.holds(client, options):
            return self._template.request(client, response_id)
        if not has_template(client):  # a key that is asked for may take its time
            with _async_backend.move_on_after(timer.rest()):
                return await self._made(final_options(options, response_id))
            raise TimeoutError("the request of a poll was not made in time")
        self._template = Template(client, await self._made(final_options(options)), options)
        return self._template.request(client, response_id)

    async def _made(self, options: Any) -> Any:
        request = self._client._build_request(await self._client._prepare_options(options))
        await self._client._prepare_request(request)
        return request

    async def _exchange(self, request: Any, timer: _Timer) -> RawAnswer:
        origin = _origin(self._client, request.url)
        line = self._lines.take(origin)
        if line is not None:
            try:
                return await self._get(line, request, timer)
            except StaleError:
                pass
        line = None
        with _async_backend.move_on_after(timer.left()):
            line = await self._lines.open(origin)
        if line is None:
            raise TimeoutError("no connection was made in time")
        return await self._get(line, request, timer)

    async def _get(self, line: AsyncLine, request: Any, timer: _Timer) -> RawAnswer:
        try:
            raw = await line.get(request.url.raw_path, request.headers.raw, timer.left)
        except BaseException:
            line.close()
            raise
        self._lines.give_back(line)
        return raw


class _Timer:
    """How long one poll may take, and each read of it."""

    def __init__(self, read_seconds: float, timeout_seconds: float | None) -> None:
        self._read_seconds = read_seconds
        self._timeout_seconds = timeout_seconds
        self._deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds

    def left(self) -> float:
        """How long the next read may take. Raises TimeoutError when the time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return min(self._read_seconds, left)

    def rest(self) -> float | None:
        """How long another request for the same poll may take."""
        return None if self._timeout_seconds is None else max(0.0, self._deadline - time.monotonic())

    def tell(self, error: Exception, request: Any) -> NoReturn:
        """Raise what a poll through the client would raise."""
        if isinstance(error, TimeoutError):
            if time.monotonic() >= self._deadline:
                raise TimeoutError(f"the answer to a poll was not complete after {self._timeout_seconds:.3g} s")
            raise APITimeoutError(request=request) from error
        if isinstance(error, (OSError, UnicodeError)):  # the latter for a host that is no name
            raise APIConnectionError(request=request) from error
        raise error


def _needs_client(client: Any, url: Any) -> bool:
    """Whether this poll has to be left to the client: it was changed, or tells of each request at DEBUG."""
    return is_logged() or client._client.is_closed or hindrance(client, url) is not None


def _check(client: Any) -> None:
    if importlib.util.find_spec("h11") is None:
        raise ImportError("transport='fast' needs h11: pip install 'runoutcome[fast]'")
    reason = hindrance(client) if is_known(client) else "what this release of the SDK does"
    if reason is not None:
        raise ValueError(f"transport='fast' would not keep {reason}; leave it out, and polls go through the client")


def _origin(client: Any, url: Any) -> Origin:
    tls = client._client._transport_for_url(url)._pool._ssl_context if url.scheme == "https" else None
    return Origin(url.raw_host.decode("ascii"), url.port or PORTS[url.scheme], tls)


def _answer(client: Any, request: Any, raw: RawAnswer) -> Answer:
    """The answer, as the client would give it. Raises the SDK's error for what is no 2xx."""
    library, http = http_library_of(request), client._client
    logging.getLogger(library.__name__).info(
        'HTTP Request: %s %s "HTTP/1.1 %d %s"',
        request.method,
        request.url,
        raw.status_code,
        raw.reason.decode("latin-1"),
    )
    headers: dict[str, str] = {}
    for name, value in raw.headers:
        text = name.decode("ascii")
        headers[text] = f"{headers[text]}, {value.decode('latin-1')}" if text in headers else value.decode("latin-1")
    content = raw.content
    is_good = 200 <= raw.status_code < 300
    if not is_good or "set-cookie" in headers or "content-encoding" in headers:
        try:
            response = library.Response(raw.status_code, headers=raw.headers, content=raw.content, request=request)
        except library.DecodingError as error:
            raise_as_sdk(error, request)
        http.cookies.extract_cookies(response)
        if not is_good:
            raise client._make_status_error_from_response(response)
        content = response.content
    return Answer(content, raw.status_code, headers, str(request.url), library)
