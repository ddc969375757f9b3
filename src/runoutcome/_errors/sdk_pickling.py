"""Plain forms of exceptions that are not ours, so that they can be pickled without the live objects they hold.

The SDK's errors cannot be unpickled, and hold the whole exchange, with the key in the headers of the request. So they
are taken apart when a group is pickled, and put together again as their own class, over a response that was never sent.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

from .. import _sdk
from .._outcome.body import look, word
from .._sdk.responses import native_http_library, run_url, synthetic_request, synthetic_response
from .portable import Portable
from .snapshot import MESSAGE_CHARS, cut

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

Packed: TypeAlias = "Exception | tuple[str, list[Any]] | tuple[type[Exception], str, dict[str, Any], dict[str, Any]]"
"""An exception that can be pickled; a group's message and packed members; or class, text, attributes and exchange."""

_HEADERS = ("x-request-id", "x-should-retry", "retry-after", "retry-after-ms")
_KEY_HEADERS = ("authorization", "api-key")
_KEY_CHARS = 8
"""A shorter key is a dummy for a local server, and may well be a word of the text."""
_ATTRIBUTES = ("run_token", "attempts", "run_key")
_FIELDS = ("code", "type", "param")
_BUILTIN: tuple[type[Exception], ...] = (TimeoutError, OSError, ValueError, TypeError, LookupError, RuntimeError)


def pack(error: Exception) -> Packed:
    """The plain form of `error`, or `error` itself where a pickle of it can be loaded again, as ours can."""
    if isinstance(error, Portable):
        return error
    if isinstance(error, ExceptionGroup):
        return error.message, [pack(member) for member in error.exceptions]
    attributes = {name: getattr(error, name) for name in _ATTRIBUTES if getattr(error, name, None)}
    if isinstance(error, _sdk.OpenAIError):
        cls = next(base for base in type(error).__mro__ if base.__module__.partition(".")[0] == "openai")
        return cls, _without_key(error, str(error)), attributes, _exchange(error)
    if _is_picklable(error):
        return error
    cls = next((base for base in _BUILTIN if isinstance(error, base)), Exception)
    return cls, cut(f"{type(error).__name__}: {error}", MESSAGE_CHARS), attributes, {}


def unpack(packed: Packed) -> Exception:
    """The exception of a plain form; one of the SDK has a synthetic request, and a response if it had one."""
    if isinstance(packed, Exception):
        return packed
    if len(packed) == 2:
        message, members = packed
        return ExceptionGroup(message, [unpack(member) for member in members])
    cls, text, attributes, exchange = packed
    error = cls.__new__(cls)
    error.args = (text,)
    if issubclass(cls, _sdk.APIError):
        error.__dict__.update(_sdk_attributes(text, **exchange))
    error.__dict__.update(attributes)
    return error


def _exchange(error: _sdk.OpenAIError) -> dict[str, Any]:
    """The request's address, the answer's status and headers and the words of its body, as far as there are any."""
    if not isinstance(error, _sdk.APIError):
        return {}
    request = getattr(error, "request", None)  # some build these errors without one
    exchange: dict[str, Any] = {"url": run_url(None, getattr(request, "url", None))}
    if isinstance(error.body, Mapping):
        words = {name: word(look(error.body, name)) for name in ("message", *_FIELDS)}
        exchange["body"] = {name: _without_key(error, text) for name, text in words.items() if text}
    response = getattr(error, "response", None)
    if response is not None:
        headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
        exchange |= {"status_code": response.status_code, "headers": headers}
    return exchange


def _sdk_attributes(
    text: str,
    url: str | None = None,
    body: dict[str, str] | None = None,
    status_code: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The attributes that the constructor of the SDK's class would set."""
    library, url, headers = native_http_library(), run_url(None, url), headers or {}
    attributes = {"message": text, "body": body, "request": synthetic_request(library, url)}
    attributes |= {name: look(body, name) for name in _FIELDS}
    if status_code is not None:
        payload = {"error": body} if body is not None else None
        attributes["response"] = synthetic_response(library, url, status_code, headers, payload)
        attributes |= {"status_code": status_code, "request_id": headers.get("x-request-id")}
    return attributes


def _without_key(error: _sdk.OpenAIError, text: str) -> str:
    """`text`, cut as any server message is, without the key: some gateways repeat it."""
    headers = getattr(getattr(error, "request", None), "headers", {})
    for name in _KEY_HEADERS:
        key = (headers.get(name) or "").rpartition(" ")[2]
        text = text.replace(key, "...") if len(key) >= _KEY_CHARS else text
    return cut(text, MESSAGE_CHARS)


def _is_picklable(error: Exception) -> bool:
    if type(error).__module__.partition(".")[0] in ("httpx", "httpx2"):
        return False  # it is, with its request and the key in that
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:  # noqa: BLE001 - its own code may raise anything
        return False
