"""What can go wrong in the emulator: for the person who runs it, and for the client that calls it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class EmulatorError(Exception):
    """The emulator cannot start, or its state file cannot be read."""


class ScenarioError(EmulatorError, ValueError):
    """A scenario is wrong; the message names the file, the line, the table, the key and what is allowed."""


class ApiError(Exception):
    """A request that is answered with the API's own error envelope and this HTTP status."""

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


def unknown(what: str, word: str, allowed: Iterable[str], also: str = "") -> str:
    """One sentence that says `word` is not known, guesses what was meant, and lists what is allowed."""
    choices = tuple(allowed)
    close = get_close_matches(word, choices, n=1)
    guess = f"; did you mean '{close[0]}'?" if close else "."
    listed = ", ".join(choices) + (f", {also}" if also else "")
    return f"unknown {what} '{word}'{guess} Allowed: {listed}"
