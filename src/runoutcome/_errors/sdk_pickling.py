"""How exceptions that are not ours travel: what they said, without the live objects that they hold.

Those of the SDK cannot be unpickled, and hold the whole exchange, with the key in the headers of the request. So they
are taken apart when a group is pickled, and put together again as their own class, over a response that was never sent.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import _sdk
from .._outcome.body import look, word
from . import snapshot as _snapshot
from .portable import Portable

_HEADERS = ("x-request-id", "x-should-retry", "retry-after", "retry-after-ms")
_KEYS = ("authorization", "api-key")
_KEY_CHARS = 8
"""What is shorter is a dummy for a local server, and may well be a word of the text."""
_CARRIED = ("run_token", "attempts", "run_key")
_FACTS = ("code", "type", "param")


@dataclass(frozen=True)
class Traveller:
    """What an exception said, in its own class or the nearest that can be made from a text."""

    __module__ = "runoutcome"

    kind: type[Exception]
    text: str
    status_code: int | None = None
    url: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, str] | None = None
    carried: dict[str, Any] = field(default_factory=dict)

    def exception(self) -> Exception:
        """The exception: of the SDK's classes with a synthetic request, and a response where it had one."""
        error = self.kind.__new__(self.kind)
        error.args = (self.text,)
        if issubclass(self.kind, _sdk.APIError):
            error.__dict__.update(self._facts())
        error.__dict__.update(self.carried)
        return error

    def _facts(self) -> dict[str, Any]:
        library, url = _sdk.native_http_library(), _sdk.run_url(None, self.url)
        facts = {"message": self.text, "body": self.body, "request": _sdk.synthetic_request(library, url)}
        facts |= {name: look(self.body, name) for name in _FACTS}
        if self.status_code is None:
            return facts
        payload = {"error": self.body} if self.body is not None else None
        response = _sdk.synthetic_response(library, url, self.status_code, self.headers, payload)
        request_id = self.headers.get("x-request-id")
        return facts | {"response": response, "status_code": self.status_code, "request_id": request_id}


def pack(error: Exception) -> Exception | Traveller:
    """`error` where a pickle of it comes back, as ours do; else what is left of it to travel."""
    if isinstance(error, Portable):
        return error
    carried = {name: getattr(error, name) for name in _CARRIED if getattr(error, name, None)}
    if not isinstance(error, _sdk.OpenAIError):
        return error if _comes_back(error) else Traveller(_plain_kind(error), _named(error), carried=carried)
    kind = next(cls for cls in type(error).__mro__ if cls.__module__.partition(".")[0] == "openai")
    return Traveller(kind, _text_of(error, str(error)), carried=carried, **_exchange_of(error))


def _exchange_of(error: _sdk.OpenAIError) -> dict[str, Any]:
    if not isinstance(error, _sdk.APIError):
        return {}
    asked = getattr(error, "request", None)  # some make these errors without one
    facts: dict[str, Any] = {"url": _sdk.run_url(None, getattr(asked, "url", None))}
    if isinstance(error.body, Mapping):
        body = {name: word(look(error.body, name)) for name in ("message", *_FACTS)}
        facts["body"] = {name: _text_of(error, text) for name, text in body.items() if text}
    response = getattr(error, "response", None)
    if response is not None:
        headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
        facts |= {"status_code": response.status_code, "headers": headers}
    return facts


def _text_of(error: _sdk.OpenAIError, text: str) -> str:
    """`text`, as much of it as of any server message, without the key: some gateways repeat it."""
    headers = getattr(getattr(error, "request", None), "headers", {})
    for name in _KEYS:
        key = (headers.get(name) or "").rpartition(" ")[2]
        text = text.replace(key, "...") if len(key) >= _KEY_CHARS else text
    return _snapshot.cut(text, _snapshot.MESSAGE_CHARS)


def _comes_back(error: Exception) -> bool:
    if type(error).__module__.partition(".")[0] in ("httpx", "httpx2"):
        return False  # they do, and bring the request along
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:  # noqa: BLE001 - whatever its own code raises
        return False


def _plain_kind(error: Exception) -> type[Exception]:
    """The nearest of the built-in classes that says no more than its text."""
    kinds: tuple[type[Exception], ...] = (TimeoutError, OSError, ValueError, TypeError, LookupError, RuntimeError)
    return next((kind for kind in kinds if isinstance(error, kind)), Exception)


def _named(error: Exception) -> str:
    return _snapshot.cut(f"{type(error).__name__}: {error}", _snapshot.MESSAGE_CHARS)
