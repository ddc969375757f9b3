"""The client of `wait` and `cancel`: settings that it would fail with at each request, and telling what polls bring."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from .. import _sdk
from .._model import Outcome
from ._client import sync_client
from ._errors import UserError
from ._render import print_line, stderr

_NO_KEY = "no API key: set OPENAI_API_KEY (the emulator takes any value)"


def connect(base_url: str | None) -> _sdk.OpenAI:
    """A client by the environment, for `base_url` if given. Raises UserError for settings that cannot work."""
    check_settings(base_url)
    try:
        return sync_client(base_url)
    except ValueError as error:  # a proxy setting, read by the HTTP library
        raise UserError(f"the proxy settings of the environment cannot be used: {error}") from None


def check_settings(base_url: str | None) -> None:
    """UserError for an address or a key that the HTTP library would refuse at each request.

    To a poll such a refusal is a fault like any other, so the wait would go on for ten minutes.
    """
    given = ("--base-url", base_url) if base_url is not None else ("OPENAI_BASE_URL", os.environ.get("OPENAI_BASE_URL"))
    name, address = given
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


def tell_status(outcome: Outcome) -> None:
    """One line for a change of status."""
    print_line(stderr(), f"{outcome.response_id}: {outcome.status}")


class FaultTeller:
    """Says why there is no answer, once for each kind of fault: a silent wait looks like one that hangs."""

    def __init__(self) -> None:
        self._told = ""

    def __call__(self, fault: BaseException) -> None:
        """Take in one poll fault."""
        status = getattr(fault, "status_code", None)
        cause = f" ({fault.__cause__})" if fault.__cause__ else ""
        text = f"HTTP {status}" if status else f"{fault}{cause}"
        if text != self._told:
            print_line(stderr(), f"A poll failed, and is made again: {text}")
            self._told = text
