"""One reader for a failed request: `read_fault` says in plain fields what an exception proves.

    kind            from                                                        sent
    answered        an HTTP error status                                        answered
    garbage         a 2xx that cannot be read: a page, cut JSON                 answered
    unreachable     no connection was made (refused, DNS, connect timeout)      never
                    no whole answer came (timeout, reset, dead event loop),
                    the libraries tripped over it (the charset "hex"),
                    or any failure after a redirect that was followed           maybe
    refused_here    the HTTP library would not write the request                never
    foreign         anything else: a hook of the caller, Ctrl-C                 maybe

Each operation decides by a small table over these fields; nothing else asks for the class of such an exception.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass, field
from email.utils import mktime_tz, parsedate_tz
from traceback import walk_tb
from typing import Any, Literal

import anyio

from . import APIConnectionError, APIResponseValidationError, APIStatusError

Kind = Literal["answered", "unreachable", "garbage", "refused_here", "foreign"]
Sent = Literal["never", "maybe", "answered"]

_KEEP_POLLING = (408, 409, 429)
_MARKS = frozenset({"x-request-id", "openai-processing-ms", "apim-request-id"})
_NO_CONNECTION = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")
_DEAD_LOOP = ("Event loop is closed", "attached to a different loop", "bound to a different event loop")


class NoRunBodyError(Exception):
    """A 2xx answer to a poll that is no run body: HTML, `{}`, cut or empty JSON, an error in place of the run."""

    def __init__(self, text: str, words: Any = None) -> None:
        super().__init__(text)
        self.words = words
        """The error object in place of the run."""


_GARBAGE = (NoRunBodyError, APIResponseValidationError, json.JSONDecodeError, UnicodeDecodeError)
_TRIPPED = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_LIBRARIES = sys.stdlib_module_names | {
    *("openai", "pydantic", "httpx", "httpx2", "httpcore", "httpcore2", "httpx_aiohttp", "aiohttp", "yarl"),
    *("anyio", "sniffio", "trio", "h11", "h2", "hpack", "hyperframe", "idna", "certifi", "socksio"),
}


@dataclass(frozen=True)
class Fault:
    """The meaning of one failed request."""

    kind: Kind
    sent: Sent = "maybe"
    """Proof that the request was sent, or was not."""
    status_code: int | None = None
    from_api: bool = False
    """The answer is the API's own JSON error, and not a page of something in between."""
    is_json: bool = False
    """The answer is a JSON object: an application speaks, and not a page of something in between."""
    is_marked: bool = False
    """The answer bears the API's own mark, such as `x-request-id`, which a proxy in between does not make."""
    is_redirected: bool = False
    """A redirect was followed, so the first server has read the request."""
    retry_after: float | None = None
    """Seconds that the answer asks to wait."""
    words: Any = field(default=None, repr=False)
    """The error object of the answer, as the server sent it."""

    @property
    def is_poll_fault(self) -> bool:
        """A poll that failed so says nothing about the run and is simply made again. A 404 is no poll fault."""
        if self.status_code is not None:
            return self.status_code in _KEEP_POLLING or not 400 <= self.status_code < 500
        return self.kind != "foreign"


def read_fault(error: BaseException) -> Fault:
    """The fault that an exception amounts to. Raises nothing."""
    if isinstance(error, APIStatusError):
        headers, document = error.response.headers, _document(error)
        return Fault(
            "answered",
            "answered",
            error.status_code,
            from_api=isinstance(document, dict) and isinstance(document.get("error"), dict),
            is_json=isinstance(document, dict),
            is_marked=_is_marked(headers),
            is_redirected=bool(error.response.history),
            retry_after=retry_after_of(headers),
            words=error.body,
        )
    if isinstance(error, _GARBAGE):
        return Fault("garbage", "answered", words=getattr(error, "words", None))
    cause = error.__cause__ if isinstance(error, APIConnectionError) else error
    if _is_after_redirect(error, cause):
        return Fault("unreachable", is_redirected=True)
    if isinstance(cause, _http_classes("LocalProtocolError")):
        return Fault("refused_here", "never")
    if isinstance(cause, _http_classes(*_NO_CONNECTION)):
        return Fault("unreachable", "never")
    if isinstance(error, (APIConnectionError, *transport_errors())) or _met_dead_loop(error) or _has_tripped(error):
        return Fault("unreachable", words=getattr(error, "words", None))
    return Fault("foreign")


def transport_errors() -> tuple[type[BaseException], ...]:
    """Classes that can leave a request without being an `openai` error: a body is read outside the SDK's own net."""
    own = _http_classes("HTTPError", "StreamError")
    return (*own, OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


def retry_after_of(headers: Any) -> float | None:
    """Seconds by `retry-after-ms` or `Retry-After` (seconds or an HTTP date) of an answer; None if neither is sane."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * scale
        except (TypeError, ValueError):
            continue
        if 0 <= seconds < math.inf:
            return seconds
    try:
        date = parsedate_tz(headers.get("retry-after") or "")
        return max(0.0, mktime_tz(date) - time.time()) if date else None
    except (ValueError, OverflowError):
        return None


def _http_classes(*names: str) -> tuple[type[BaseException], ...]:
    """The classes of these names in the HTTP libraries that are loaded."""
    loaded = (sys.modules.get("httpx"), sys.modules.get("httpx2"))
    return tuple(getattr(module, name) for module in loaded if module for name in names)


def _met_dead_loop(error: BaseException) -> bool:
    """True if a pooled connection belongs to an event loop that has ended: a second `asyncio.run` over one client.

    openai 1.109 and 2.x make an APIConnectionError of it; 3.x lets it through.
    """
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _DEAD_LOOP)


def _has_tripped(error: BaseException) -> bool:
    """True if the SDK or a library below it failed over a request that was built, with an error that is none of theirs.

    Examples are an answer in the charset "hex", a number too large, and a redirect to a host name that is too long. An
    error that came through a function of the caller, such as a hook, or while the request was built, is the caller's.
    """
    places: list[tuple[str, str]] = []
    is_called = False
    for frame, _ in walk_tb(error.__traceback__ if isinstance(error, _TRIPPED) else None):
        place = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if place == ("openai._base_client", "request"):
            is_called, places = True, []
        elif is_called:
            places.append(place)
    return bool(places) and all(
        module.partition(".")[0] in _LIBRARIES and function != "_build_request" for module, function in places
    )


def _is_after_redirect(error: BaseException, cause: BaseException | None) -> bool:
    """True if the request that failed is not the one that the SDK made: the HTTP library had followed a redirect."""
    if cause is error:  # its attribute `request` may raise
        return False
    first, last = getattr(error, "request", None), getattr(cause, "_request", None)
    return first is not None and last is not None and first is not last  # a redirect may lead to the same URL


def _is_marked(headers: Any) -> bool:
    names = {name.lower() for name in headers}
    return not names.isdisjoint(_MARKS) and not any(name.startswith("x-litellm-") for name in names)


def _document(error: APIStatusError) -> Any:
    try:
        return json.loads(error.response.content)
    except (ValueError, RecursionError):
        return None
