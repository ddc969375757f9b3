"""The `openai` client of `wait` and `cancel`. What would look like a hang is said: a setting nobody can connect with,
and polls that get no answer."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from .. import _sdk
from ._errors import UserError
from ._render import print_line, stderr

_NO_KEY = "no API key: set OPENAI_API_KEY (the emulator takes any value)"


def connect(base_url: str | None) -> _sdk.OpenAI:
    """A client by the environment, for `base_url` if given. Raises UserError for what cannot work."""
    check_settings(base_url)
    try:
        return TellingClient(base_url=base_url)
    except _sdk.OpenAIError:
        raise UserError(_NO_KEY) from None
    except ValueError as error:  # a proxy setting, read by the HTTP library
        raise UserError(f"the HTTP settings of the environment cannot be used: {error}") from None


def check_settings(base_url: str | None) -> None:
    """UserError for an address or a key that the HTTP library would refuse at each request.

    To a poll such a refusal is a fault like any other, so the wait would go on for ten minutes.
    """
    name, address = ("--base-url", base_url) if base_url is not None else ("OPENAI_BASE_URL", _set("OPENAI_BASE_URL"))
    if address is not None and not _is_http(address):
        raise UserError(f"{name} is not an http address such as http://127.0.0.1:8000/v1; got {address!r}")
    key = os.environ.get("OPENAI_API_KEY")
    if key is not None and not key.strip():
        raise UserError(_NO_KEY)
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise UserError("OPENAI_API_KEY holds a space, a line break or another character that no key has")


class TellingClient(_sdk.OpenAI):
    """The SDK's client, which says when a poll goes wrong, once for each kind of fault in a row."""

    _told: str | None = None

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """A GET, as in the SDK."""
        try:
            answer = super().get(*args, **kwargs)
        except _sdk.APIConnectionError as error:
            self._tell(f"no answer from {error.request.url}")
            raise
        except _sdk.APIStatusError as error:
            if error.status_code == 429 or error.status_code >= 500:
                self._tell(f"HTTP {error.status_code} from {error.request.url}")
            raise
        self._told = None
        return answer

    def _tell(self, fault: str) -> None:
        if fault != self._told:
            print_line(stderr(), f"poll failed: {fault}; asking again")
            self._told = fault


def _set(name: str) -> str | None:
    return os.environ.get(name) or None


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in address
    except ValueError:
        return False
