"""The `openai` clients of the commands, from the environment; a missing key is one clear line."""

from __future__ import annotations

from .. import _sdk
from ._errors import UserError

_NO_KEY = "no API key: set OPENAI_API_KEY (and OPENAI_BASE_URL for another server)"


def sync_client(base_url: str | None, api_key: str | None = None) -> _sdk.OpenAI:
    """A sync client; None means what the environment says. Raises UserError if no key is found."""
    try:
        return _sdk.OpenAI(base_url=base_url, api_key=api_key)
    except _sdk.OpenAIError:
        raise UserError(_NO_KEY) from None


def async_client(base_url: str | None, api_key: str | None = None) -> _sdk.AsyncOpenAI:
    """The async twin of `sync_client`."""
    try:
        return _sdk.AsyncOpenAI(base_url=base_url, api_key=api_key)
    except _sdk.OpenAIError:
        raise UserError(f"{_NO_KEY}, or add --emulate") from None
