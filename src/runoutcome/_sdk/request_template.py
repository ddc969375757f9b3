"""The request of a poll: made by the client itself, and made only once where those of all its polls are alike.

To build the request is a third of what a poll costs through the client, and for most clients nothing in it changes from
poll to poll but the id. A `Template` is such a request. It is made for clients of the SDK's own classes only, with a
key that nobody refreshes, and holds as long as nothing about the client has changed.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import openai

from . import POLL_TIMEOUT_SECONDS, AsyncOpenAI, OpenAI, sdk_type

_ID = "runoutcome-template"
_SDK_CLASSES = (openai.OpenAI, openai.AsyncOpenAI, openai.AzureOpenAI, openai.AsyncAzureOpenAI)
_SOURCES_OF_AUTH = (
    "_api_key_provider",
    "_azure_ad_token_provider",
    "_provider",
    "_provider_runtime",
    "_workload_identity_auth",
    "workload_identity",
)
_final_options = sdk_type("openai._models.FinalRequestOptions")
_INNER_PARTS = (
    "_client",
    "_custom_headers",
    "_custom_query",
    "_prepare_options",
    "_prepare_request",
    "_build_request",
    "_make_status_error_from_response",
)
_sdk_log = logging.getLogger("openai._base_client")


def path_of(response_id: str) -> str:
    """The path of a run, below the base URL."""
    return f"/responses/{_quoted(response_id)}"


def options_of(client: OpenAI | AsyncOpenAI, timeout_seconds: float | None) -> dict[str, Any]:
    """The SDK's options for the request of a poll: no retries, and a read timeout that suits a small GET."""
    options: dict[str, Any] = {"max_retries": 0, "timeout": _read_timeout(client.timeout, timeout_seconds)}
    if "security" in openai.RequestOptions.__annotations__:
        # As `responses.retrieve` says since 2.x, so that a poll is never sent with an admin key.
        options["security"] = {"bearer_auth": True}
    return options


def _read_timeout(own: Any, timeout_seconds: float | None) -> float:
    """The client's 600 s are meant for generation, and would let one stall hide a finished run."""
    limits = [
        POLL_TIMEOUT_SECONDS,
        timeout_seconds,
        own if isinstance(own, (int, float)) else getattr(own, "read", None),
    ]
    return min(limit for limit in limits if limit is not None)


def is_logged() -> bool:
    """Whether the SDK tells of each request, while it builds and sends it."""
    return _sdk_log.isEnabledFor(logging.DEBUG)


def is_known(client: Any) -> bool:
    """Whether this release of the SDK makes requests as all do that are known here; else only `get` can."""
    return _final_options is not None and all(hasattr(client, name) for name in _INNER_PARTS)


def has_template(client: Any) -> bool:
    """Whether all its requests are alike but for the id: the SDK's own code makes them, of what does not move."""
    if not is_known(client) or type(client) not in _SDK_CLASSES:
        return False
    http = client._client
    return (
        all(getattr(client, name, None) is None for name in _SOURCES_OF_AUTH)
        and not any(callable(getattr(type(client), name, None)) for name in list(vars(client)))  # a method of its own
        and all(isinstance(value, (str, int, float)) for value in list(client._custom_query.values()))
        and not any(name.lower() == "cookie" for name in (*client._custom_headers, *http.headers))
        and type(http).build_request.__module__.partition(".")[0] in ("httpx", "httpx2")
        and "build_request" not in vars(http)
    )


def final_options(options: dict[str, Any], response_id: str = _ID) -> Any:
    """What the SDK's own hook `_prepare_options` and `_build_request` take; without an id it is for a `Template`."""
    assert _final_options is not None
    return _final_options.construct(method="get", url=path_of(response_id), **options)


class Template:
    """One request of a client, from which those of all its polls are made. See `has_template`."""

    def __init__(self, client: Any, request: Any, options: dict[str, Any]) -> None:
        self._options = options
        self._state = _state_of(client)
        self._make = type(request)
        self._url = request.url
        self._path, _, self._query = request.url.raw_path.partition(_ID.encode())
        self._headers = request.headers
        self._headers.pop("cookie", None)  # those of the moment are added to each request
        self._stream, self._extensions = request.stream, request.extensions

    def holds(self, client: Any, options: dict[str, Any]) -> bool:
        """Whether the client would make the same request now."""
        return options == self._options and _state_of(client) == self._state and not is_logged()

    def request(self, client: Any, response_id: str) -> Any:
        """The request for one run, as the client would make it; the caller's hooks may change it as they like."""
        request = self._make(
            "GET",
            self._url.copy_with(raw_path=self._path + _quoted(response_id).encode() + self._query),
            headers=self._headers,
            stream=self._stream,
            extensions={**self._extensions, "timeout": dict(self._extensions["timeout"])},
        )
        request.read()
        if client._client.cookies:
            client._client.cookies.set_cookie_header(request)
        return request


def _state_of(client: Any) -> tuple[Any, ...]:
    """All that a request is made of, to be compared: what can be changed in place is copied."""
    http = client._client
    return (
        dict(vars(client)),
        dict(client._custom_headers),
        dict(client._custom_query),
        dict(vars(http)),
        http.headers.raw,
    )


def _quoted(response_id: str) -> str:
    return quote(response_id, safe="")
