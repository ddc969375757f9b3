"""`Upstream`: a server that requests are passed on to, byte for byte, in the SDK's own HTTP library.

Not a client of that library: it would follow redirects, keep cookies, unpack bodies, log addresses and add headers.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Any, Literal
from urllib.request import getproxies, proxy_bypass

from .faults import read_fault
from .responses import native_http_library

Headers = Sequence[tuple[bytes, bytes]]
UpstreamFault = Literal["connect_error", "connect_timeout", "read_error", "read_timeout"]
"""`connect_*`: no connection was made, so nothing was sent. `read_*`: the server may have read the request."""

_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65535
_LAST_STATUS = 599
_IDLE_CONNECTIONS = 100


class UpstreamError(Exception):
    """No whole answer. The text has no part of the request in it."""

    def __init__(self, kind: UpstreamFault, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    @property
    def is_sent(self) -> bool:
        """The server may have read the request."""
        return self.kind.startswith("read_")


class UnusableUpstreamError(ValueError):
    """A URL, or a proxy of the environment, that requests cannot be sent to."""


class UpstreamAnswer:
    """The head of an answer, and its body, which is read once."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Headers = response.headers.raw

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the body as they come. Raises UpstreamError."""
        try:
            async for chunk in self._response.stream:
                yield chunk
        except Exception as error:  # noqa: BLE001 - raised again
            raise _error_of(error) from None

    async def aclose(self) -> None:
        """Let go of the connection; it is closed unless the body was read to its end."""
        await self._response.aclose()


class Upstream:
    """The server of a base URL.

    Times are in seconds: `connect_seconds` for a connection, `silence_seconds` until the next bytes come or go. A proxy
    of the environment (`HTTPS_PROXY`, `NO_PROXY`) is used, as the SDK does, but never for a server on this machine.
    Raises UnusableUpstreamError for a URL that is not http(s), or has a user, a query or a fragment.
    """

    def __init__(self, url: str, *, connect_seconds: float, silence_seconds: float) -> None:
        self._library = library = native_http_library()
        try:
            self._url = library.URL(url)
        except (library.InvalidURL, ValueError, TypeError) as error:
            raise UnusableUpstreamError(f"{url!r} is no URL: {error}") from None
        _check(self._url)
        self.prefix: bytes = self._url.raw_path.rstrip(b"/")
        """The path of the base URL, without a slash at its end."""
        timeouts = {"connect": connect_seconds, "read": silence_seconds, "write": silence_seconds, "pool": None}
        self._extensions = {"timeout": timeouts}
        try:
            proxy = _proxy_of(library, self._url)
            self._transport = library.AsyncHTTPTransport(
                limits=library.Limits(max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS), proxy=proxy
            )
        except (ImportError, ValueError, OSError) as error:
            raise UnusableUpstreamError(f"the proxy or the certificates of the environment: {error}") from None
        self._is_proxied = proxy is not None

    @property
    def name(self) -> str:
        """Scheme, host and path of the base URL."""
        return f"{self.origin}{self.prefix.decode('ascii')}"

    @property
    def origin(self) -> str:
        """Scheme and host, with a port that is not the scheme's own."""
        return f"{self._url.scheme}://{self._url.netloc.decode('ascii')}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self._url.host, self._url.port or _PORTS[self._url.scheme]

    async def send(
        self, method: str, target: bytes, headers: Headers, body: AsyncIterable[bytes] | None
    ) -> UpstreamAnswer:
        """Send a request for `target`, a path with its query; gives the answer once its head is there.

        `Host` is set. Raises UpstreamError, also while the body of the answer is read; `body` may raise what it likes.
        """
        # The target goes as it is, unquoted; but httpcore 1.0 would send it to a proxy too, in place of a whole URL.
        path, exact = (target, {}) if self._is_proxied else (b"/", {"target": target})
        request = self._library.Request(
            method,
            self._url.copy_with(raw_path=path),
            headers=[(b"host", self._url.netloc), *headers],
            content=body,
            extensions={**self._extensions, **exact},
        )
        try:
            response = await self._transport.handle_async_request(request)
        except Exception as error:  # noqa: BLE001 - raised again
            raise _error_of(error) from None
        if response.status_code > _LAST_STATUS:  # servers cannot send it on
            await response.aclose()
            raise UpstreamError("read_error", f"status {response.status_code}")
        return UpstreamAnswer(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def _error_of(error: Exception) -> Exception:
    """The error of the HTTP library in our words; one of the caller's own body as it is."""
    fault = read_fault(error)
    if fault.kind == "foreign":
        return error
    is_timeout = "Timeout" in type(error).__name__
    if fault.kind == "unreachable" and fault.sent == "never":
        # No header was written yet, so the text of the library has none in it.
        return UpstreamError("connect_timeout" if is_timeout else "connect_error", str(error) or type(error).__name__)
    return UpstreamError("read_timeout" if is_timeout else "read_error", type(error).__name__)


def _check(url: Any) -> None:
    if url.scheme not in _PORTS or not url.host:
        raise UnusableUpstreamError(f"the URL of the API begins with https:// or http:// and a host; got {str(url)!r}")
    if url.port is not None and not 0 < url.port <= _LAST_PORT:
        raise UnusableUpstreamError(f"the port of the URL is between 1 and {_LAST_PORT}; got {url.port}")
    if url.userinfo:
        raise UnusableUpstreamError("the URL of the API has a user or password in it; clients send their own keys")
    if url.query or url.fragment:
        raise UnusableUpstreamError(f"the URL of the API has a query or a fragment; got {str(url)!r}")


def _proxy_of(library: Any, url: Any) -> Any:
    """The proxy of the environment for a server, None without one."""
    if url.host == "localhost" or url.host.startswith("127.") or url.host == "::1" or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address:
        return None
    return library.Proxy(address if "://" in address else f"http://{address}")
