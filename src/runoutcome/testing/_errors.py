"""Errors of the emulator: for the person who runs it, and for the client that calls it."""

from collections.abc import Iterable
from typing import Any

from .._catalog.validator import nearest

_MOST_LISTED, _FEW = 40, 6
_MOST_SHOWN = 100


class EmulatorError(Exception):
    """The emulator cannot start, or its state file cannot be read."""

    __module__ = "runoutcome.testing"


class ScenarioError(EmulatorError, ValueError):
    """A scenario is wrong; the message names the file, the line, the table, the key and what is allowed."""

    __module__ = "runoutcome.testing"


class RecordingError(EmulatorError, ValueError):
    """A file is no recording of a gateway; the message names the file and the line."""

    __module__ = "runoutcome.testing"


class ApiError(Exception):
    """A request that gets the API's own error envelope with this HTTP status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"error": {"message": message, "type": type, "param": param, "code": code}}


def unknown(kind: str, word: str, allowed: Iterable[str], also: str = "") -> str:
    """A sentence that refuses a word, suggests the nearest one and lists what is allowed, or the first of very many.

    `also` tells of further words; a suggestion from very many words is followed by it alone.
    """
    choices = tuple(allowed)
    guess = nearest(word, choices) or next((choice for choice in choices if len(word) > 2 and word in choice), None)
    rest = len(choices) - _FEW if len(choices) > _MOST_LISTED else 0
    refused = f"unknown {kind} '{cut(word)}'" + (f"; did you mean '{guess}'?" if guess else ".")
    if guess and rest and also:
        return f"{refused} Or: {also}"
    listed = ", ".join(
        [*choices[: len(choices) - rest], *([f"{rest} more words"] if rest else []), *([also] if also else [])]
    )
    return f"{refused} Allowed: {listed}"


def cut(text: str) -> str:
    """A text for a message, cut after 100 characters."""
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
