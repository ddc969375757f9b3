"""What a client does with its requests beyond sending them, so that nobody else can send them for it."""

from __future__ import annotations

from types import FunctionType
from typing import Any

PORTS = {"http": 80, "https": 443}
_SDK_METHODS = ("get", "request", "_send_request", "_send_with_auth_retry", "_process_response", "_custom_auth")
_POOL_OPTIONS = ("_http2", "_uds", "_local_address", "_socket_options", "_retries")


def hindrance(client: Any, url: Any = None) -> str | None:
    """What polls beside this client would lose of it; None if nothing."""
    http, url = client._client, url or client.base_url
    if not all(_is_own(client, name, "openai") for name in _SDK_METHODS):
        return "the methods of its own class"
    if any(getattr(client, name, None) is not None for name in ("workload_identity", "_provider_runtime")):
        return "its way to authenticate"
    if url.userinfo or url.scheme not in PORTS:
        return "its base URL"
    if not all(_is_own(http, name, "httpx", "httpx2", "openai") for name in ("send", "_transport_for_url")):
        return "the class of its http_client"
    if http.auth is not None:
        return "the auth of its http_client"
    # Those of the SDK (for Azure) are about redirects.
    if not all(_root(hook) == "openai" for hooks in http.event_hooks.values() for hook in hooks):
        return "the event hooks of its http_client"
    return _hindrance_of_pool(http._transport_for_url(url), is_secret=url.scheme == "https")


def _hindrance_of_pool(transport: Any, *, is_secret: bool) -> str | None:
    pool = getattr(transport, "_pool", None)
    name = "handle_async_request" if hasattr(transport, "handle_async_request") else "handle_request"
    if pool is None or not _is_own(transport, name, "httpx", "httpx2"):
        return "the transport of its http_client"
    if not _is_own(pool, name, "httpcore", "httpcore2"):
        return "the transport of its http_client"
    if type(pool).__name__ not in ("ConnectionPool", "AsyncConnectionPool") or getattr(pool, "_proxy", None):
        return "the proxy of its http_client"
    if any(getattr(pool, name, True) for name in _POOL_OPTIONS):
        return "the options of its http_client's transport"
    if _root(type(getattr(pool, "_network_backend", None))) not in ("httpcore", "httpcore2"):
        return "the network backend of its http_client's transport"
    if is_secret and getattr(pool, "_ssl_context", None) is None:  # httpcore makes its own at the first connection
        return "the TLS of its http_client's transport"
    return None


def _is_own(owner: Any, name: str, *packages: str) -> bool:
    """Whether a method is that of the package, neither overridden nor patched; also if there is none."""
    method = getattr(type(owner), name, None)
    if method is None:
        return True
    return type(method) is FunctionType and _root(method) in packages and name not in vars(owner)


def _root(thing: Any) -> str:
    return (getattr(thing, "__module__", None) or "").partition(".")[0]
