"""Transports of polls: through the client (`client_transport`), or beside it, over connections that cost less.

URL and headers are read from the client's public attributes for each poll. Only clients are served that do no more with
a request than send it: see `reason_not_eligible`. Redirects and compressed answers are left to the client. Errors are
the SDK's own, without the frames they came through, which hold the headers of the request. See decision 0024.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, TypeVar

import openai

from . import APIConnectionError, APIError, APITimeoutError, AsyncOpenAI, OpenAI, OpenAIError, sdk_type
from .client_transport import AsyncClientTransport, AsyncFetch, ClientTransport, Fetch, path_of, read_timeout
from .fast_connections import Connections, Origin, RawResponse, Request, Sessions, Timer
from .responses import Answer, native_http_library, synthetic_request

Transport = Literal["client", "fast"]

_E = TypeVar("_E", bound=BaseException)
_PORTS = {"http": 80, "https": 443}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LIBRARY: Any = native_http_library()
_sdk_log, _http_log = logging.getLogger("openai"), logging.getLogger(_LIBRARY.__name__)


def connect(client: OpenAI, transport: Transport, max_connections: int) -> Fetch:
    """The function that makes the polls of a `Runs`. Raises what `Runs` says of `transport`."""
    if transport == "client":
        return ClientTransport(client).fetch
    _check(transport, client)
    return FastTransport(client, max_connections).fetch


def connect_async(client: AsyncOpenAI, transport: Transport, max_connections: int) -> AsyncFetch:
    """The async twin of `connect`."""
    if transport == "client":
        return AsyncClientTransport(client).fetch
    _check(transport, client)
    return AsyncFastTransport(client, max_connections).fetch


def readiness(transport: Transport) -> Callable[[], None]:
    """A function that raises RuntimeError in a loop where no poll could be made."""
    return _check_loop if transport == "fast" else lambda: None


def reason_not_eligible(client: Any) -> str | None:
    """The first thing about a client that polls beside it would lose; None if it can be served."""
    if type(client) not in (openai.OpenAI, openai.AsyncOpenAI):
        return "the methods of its own class"
    if not _has_plain_key(client):
        return "its way to authenticate"
    if client.base_url.userinfo or client.base_url.query or client.base_url.scheme not in _PORTS:
        return "its base URL"
    return _reason_in_http_client(client)


def _has_plain_key(client: Any) -> bool:
    """True if the key is a plain string: then a copy of the client has it too, without asking for it."""
    headers = client.auth_headers
    try:
        return bool(headers) and client.copy().auth_headers == headers
    except OpenAIError:
        return False


def _reason_in_http_client(client: Any) -> str | None:
    """A look at private attributes: the SDK has no public way to tell its own HTTP client from the user's.

    A proxy that the HTTP client took from the environment, by its own rules, is a transport of its own for the URL.
    An attribute that is missing in a release makes every client of it not eligible.
    """
    name = "SyncHttpxClientWrapper" if isinstance(client, openai.OpenAI) else "AsyncHttpxClientWrapper"
    try:
        http_client = client._client
        if type(http_client) is not sdk_type(f"openai._base_client.{name}"):
            return "its http_client"
        if any(http_client.event_hooks.values()) or http_client.auth is not None:
            return "the event hooks or the auth of its http_client"
        if http_client._transport_for_url(client.base_url) is not http_client._transport:
            return "the proxy of the environment"
    except AttributeError:
        return "its http_client"
    return None


def _check(transport: str, client: Any) -> None:
    if transport != "fast":
        raise ValueError(f"transport is 'client' or 'fast'; got {transport!r}")
    reason = reason_not_eligible(client)
    if reason is not None:
        raise ValueError(f"transport='fast' would not keep {reason}; leave it out, and polls go through the client")


# Requests and answers


class _Base(NamedTuple):
    """A base URL and its parts, read once: a URL is immutable, but a client may be given another."""

    url: Any
    origin: Origin
    host: str
    path: str


class _Requests:
    """Requests of polls. All that can change about a client is read for each of them."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._base: _Base | None = None
        self._checked: tuple[Any, dict[str, str] | None] = (None, None)
        """The last headers that were read, and the result of checking them."""

    def of(self, response_id: str, read_seconds: float, include: tuple[str, ...]) -> Request | None:
        """The request for one run; None if only the client can make it, or has to log it."""
        client, base = self._client, self._base
        if client.is_closed() or _sdk_log.isEnabledFor(logging.DEBUG):
            return None
        base_url = client.base_url
        if base is None or base.url is not base_url:
            if reason_not_eligible(client):
                return None
            base = self._base = _base_of(base_url)
        headers = self._headers(base.host, read_seconds)
        if headers is None:
            return None
        target = base.path + path_of(response_id)
        fields = {"include": list(include)} if include else {}
        if query := {**client.default_query, **fields}:
            target += "?" + base_url.copy_with(params=client.qs.stringify(query)).query.decode("ascii")
        return Request(base.origin, target, f"{base.origin.scheme}://{base.host}{target}", headers)

    def _headers(self, host: str, read_seconds: float) -> dict[str, str] | None:
        fields = (*self._client.auth_headers.items(), *self._client.default_headers.items())
        fields = tuple(field for field in fields if not isinstance(field[1], openai.Omit))
        last, headers = self._checked
        if last != (host, read_seconds, fields):  # checking costs as much as reading
            headers = _headers_of(host, read_seconds, fields)
            self._checked = (host, read_seconds, fields), headers
        return headers


def _base_of(url: Any) -> _Base:
    origin = Origin(url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
    return _Base(url, origin, url.netloc.decode("ascii"), url.raw_path.decode("ascii").removesuffix("/"))


def _headers_of(host: str, read_seconds: float, fields: Iterable[tuple[str, Any]]) -> dict[str, str] | None:
    """The headers the client would send, but for compression; None without a key, or with an invalid header."""
    headers = {"host": host, "accept-encoding": "identity", "connection": "keep-alive"}
    for name, value in fields:
        if not isinstance(value, str) or not (_TOKEN.fullmatch(name) and value.isascii() and value.isprintable()):
            return None
        headers[name.lower()] = value
    headers.pop("content-type", None)
    headers["x-stainless-retry-count"] = "0"
    headers["x-stainless-read-timeout"] = str(read_seconds)
    return headers if "authorization" in headers else None


def _answer(request: Request, response: RawResponse) -> Answer | APIError | None:
    """The answer, or the SDK's error for a refusal; None for what is left to the client: redirects, compression."""
    status_code, reason, headers, content = response
    if not response.is_final or headers.get("content-encoding", "identity") != "identity":
        return None
    if status_code >= 400:
        return _refusal(request.url, status_code, dict(headers), content)
    _http_log.info('HTTP Request: GET %s "HTTP/1.1 %d %s"', request.url, status_code, reason)
    return Answer(content, status_code, headers, request.url, _LIBRARY)


def _refusal(url: str, status_code: int, headers: dict[str, str], content: bytes) -> APIError:
    """The SDK's own error for an answer, raised by an SDK client that has neither a network nor the user's key."""

    def answer(_: object) -> Any:
        # As bytes: the HTTP library takes texts for ASCII, and a proxy may write what it likes.
        fields = [(name.encode(errors="replace"), value.encode(errors="replace")) for name, value in headers.items()]
        return _LIBRARY.Response(status_code, headers=fields, content=content)

    with _LIBRARY.Client(transport=_LIBRARY.MockTransport(answer), trust_env=False) as http_client:
        client: Any = openai.OpenAI(api_key="-", base_url=url, max_retries=0, http_client=http_client)
        try:
            client.get(url, cast_to=_LIBRARY.Response)
        except APIError as error:
            return _without_frames(error)
        except Exception as error:  # noqa: BLE001 - whatever the charset of the answer makes of it
            failure = APIConnectionError(request=synthetic_request(_LIBRARY, url))
            failure.__cause__ = ConnectionError(f"HTTP {status_code} cannot be read: {type(error).__name__}")
            return failure
    raise AssertionError(f"the SDK raises for HTTP {status_code}")


def _failure(error: BaseException, url: str, timer: Timer, errors: tuple[type[BaseException], ...]) -> BaseException:
    """The exception that a poll through the client would raise for one of these `errors`; any other unchanged."""
    is_timeout = isinstance(error, (TimeoutError, asyncio.TimeoutError))
    if is_timeout and timer.is_over:
        return TimeoutError(f"the answer to a poll was not complete after {timer.timeout_seconds:.3g} s")
    if not isinstance(error, errors):
        return _without_frames(error)
    failure = (APITimeoutError if is_timeout else APIConnectionError)(request=synthetic_request(_LIBRARY, url))
    cause = error if isinstance(error, OSError) else ConnectionError(f"{type(error).__name__}: {error}")
    failure.__cause__ = _without_frames(cause)
    return failure


def _without_frames(error: _E) -> _E:
    """The error without traceback and causes: their frames hold the headers of the request."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


# The two colours


class FastTransport:
    """Polls beside an `OpenAI` client, on at most so many connections that are kept. See `connect`."""

    def __init__(self, client: OpenAI, max_connections: int) -> None:
        self._client = client
        self._through_client = ClientTransport(client)
        self._requests = _Requests(client)
        self._connections = Connections(max_connections)

    def fetch(
        self,
        response_id: str,
        timeout_seconds: float | None,
        *,
        on_new_connection: bool = False,
        include: tuple[str, ...] = (),
    ) -> Answer:
        """As `ClientTransport.fetch`."""
        timer = Timer(timeout_seconds, read_timeout(self._client, timeout_seconds))
        try:
            outcome = self._outcome(response_id, timer, on_new_connection, include)
        except BaseException as error:  # noqa: BLE001 - an interrupt that came before or after what that guards
            outcome = _without_frames(error)
        if outcome is None:
            return self._through_client.fetch(
                response_id, timer.rest(), on_new_connection=on_new_connection, include=include
            )
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _outcome(
        self, response_id: str, timer: Timer, on_new_connection: bool, include: tuple[str, ...]
    ) -> Answer | BaseException | None:
        request = self._requests.of(response_id, timer.read_seconds, include)
        if request is None:
            return None
        try:
            return _answer(request, self._connections.get(request, timer, on_new_connection=on_new_connection))
        except BaseException as error:  # noqa: BLE001 - raised by `fetch`, Ctrl-C too
            return _failure(error, request.url, timer, self._connections.errors)


class AsyncFastTransport:
    """Polls beside an `AsyncOpenAI` client, on asyncio; the async twin of `FastTransport`."""

    def __init__(self, client: AsyncOpenAI, max_connections: int) -> None:
        self._client = client
        self._through_client = AsyncClientTransport(client)
        self._requests = _Requests(client)
        self._sessions = Sessions(max_connections)

    async def fetch(
        self,
        response_id: str,
        timeout_seconds: float | None,
        *,
        on_new_connection: bool = False,
        include: tuple[str, ...] = (),
    ) -> Answer:
        """As `AsyncClientTransport.fetch`. Raises RuntimeError under trio."""
        _check_loop()
        timer = Timer(timeout_seconds, read_timeout(self._client, timeout_seconds))
        try:
            outcome = await self._outcome(response_id, timer, on_new_connection, include)
        except BaseException as error:  # noqa: BLE001 - an interrupt that came before or after what that guards
            outcome = _without_frames(error)
        if outcome is None:
            return await self._through_client.fetch(
                response_id, timer.rest(), on_new_connection=on_new_connection, include=include
            )
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def _outcome(
        self, response_id: str, timer: Timer, on_new_connection: bool, include: tuple[str, ...]
    ) -> Answer | BaseException | None:
        request = self._requests.of(response_id, timer.read_seconds, include)
        if request is None:
            return None
        try:
            return _answer(request, await self._sessions.get(request, timer, on_new_connection=on_new_connection))
        except BaseException as error:  # noqa: BLE001 - raised by `fetch`, cancellation too
            return _failure(error, request.url, timer, self._sessions.errors)


def _check_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("transport='fast' is for asyncio; leave it out, and polls go through the client") from None
