"""The `openai` clients of the commands, by the environment; a setting that cannot work is one clear line."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from .. import _sdk
from ._errors import UserError

_Client = TypeVar("_Client")
_NO_KEY = "no API key: set OPENAI_API_KEY (the emulator takes any value)"


def sync_client(base_url: str | None) -> _sdk.OpenAI:
    """Return a client by the environment, for `base_url` if given. Raises UserError for settings that cannot work."""
    check_settings(base_url)
    return _create(lambda: _sdk.OpenAI(base_url=base_url))


def async_client(base_url: str | None, api_key: str | None = None) -> _sdk.AsyncOpenAI:
    """Return the async twin of `sync_client`; an `api_key` replaces that of the environment."""
    if api_key is None:
        check_settings(base_url)
    return _create(lambda: _sdk.AsyncOpenAI(base_url=base_url, api_key=api_key))


def check_settings(base_url: str | None) -> None:
    """Raise UserError for an address or a key that the HTTP library would refuse at each request.

    To a poll such a refusal is a fault like any other, so the wait would go on for ten minutes.
    """
    name = "OPENAI_BASE_URL" if base_url is None else "--base-url"
    address = os.environ.get(name) if base_url is None else base_url
    if address is not None and not _is_http(address):
        raise UserError(f"{name} is not an http address such as http://127.0.0.1:8000/v1; got {address!r}")
    key = os.environ.get("OPENAI_API_KEY", "")
    if not key.strip():
        raise UserError(_NO_KEY)
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UserError("OPENAI_API_KEY holds a space, a line break or another character that no key has")


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in address
    except ValueError:
        return False


def _create(create: Callable[[], _Client]) -> _Client:
    try:
        return create()
    except (_sdk.OpenAIError, TypeError):  # TypeError: a 3.x client that finds an admin key only
        raise UserError(_NO_KEY) from None
    except ValueError as error:  # a proxy setting, read by the HTTP library
        raise UserError(f"the proxy settings of the environment cannot be used: {error}") from None
