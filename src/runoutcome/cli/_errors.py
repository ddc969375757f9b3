"""The end of a command: its exit codes, and one line on stderr for an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import TextIO

import typer

from ..testing import EmulatorError
from ._output.console import print_line, stderr
from ._output.text import sentence

_HINTS = {
    401: "Check OPENAI_API_KEY.",
    403: "Check what this API key may do.",
    404: "Check the id, the project of the API key, and the base URL.",
}
_LONGEST_MESSAGE = 500


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    ENDED_BADLY = 1
    USAGE = 2
    UNFINISHED = 3
    REFUSED = 4
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    """The reader of the output went away (`| head`); a shell has the same code for it."""


MEANINGS = {
    Exit.DONE: "done",
    Exit.ENDED_BADLY: "a run ended, but not completed; or a check found something",
    Exit.USAGE: "bad usage or input",
    Exit.UNFINISHED: "not finished (timed out, lost, held, unknown): go on with the token or the same command",
    Exit.REFUSED: "the API refused (401, 403, 404, ...)",
    Exit.INTERRUPTED: "interrupted",
}


def exit_codes(*codes: Exit, done: str = MEANINGS[Exit.DONE]) -> str:
    """Return the sentence about exit codes that ends a `--help`; about all of them if `codes` is empty."""
    meanings = {**MEANINGS, Exit.DONE: done}
    return "Exit codes: " + "; ".join(f"{code:d} {meanings[code]}" for code in codes or meanings) + "."


class UserError(Exception):
    """An error that the user can mend: one line on stderr, then this exit code."""

    def __init__(self, message: str, exit_code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


def guarded(call: Callable[[], object]) -> int:
    """Return the exit code of `call`; an exception becomes one line, unless it is a bug of this package."""
    try:
        try:
            call()
        finally:
            sys.stdout.flush()  # here a full disk or a closed pipe can still be reported
    except typer.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        forget_output(sys.stdout)
        return Exit.OUTPUT_CLOSED
    except Exception as error:
        user_error = as_user_error(error)
        if user_error is None:
            raise
        if isinstance(error, OSError):
            forget_output(sys.stdout)
        with suppress(OSError):
            print_line(stderr(), f"runoutcome: {user_error.message}")
        return user_error.exit_code
    return Exit.DONE


def as_user_error(error: Exception) -> UserError | None:
    """Return the line and the exit code for `error`; None for an error that no user can cause."""
    if isinstance(error, UserError):
        return error
    format_message = getattr(error, "format_message", None)  # of click, or of the copy of click inside newer typer
    if format_message is not None:
        return _usage_error(error, str(format_message()), getattr(error, "ctx", None))
    if isinstance(error, EmulatorError):
        return UserError(str(error))
    user_error = _api_error(error)
    if user_error is None and isinstance(error, OSError):
        line = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        token = getattr(error, "run_token", None)
        return UserError(f"{line}. The run goes on; its token: {token}" if token else line)
    return user_error


def _usage_error(error: Exception, message: str, context: typer.Context | None) -> UserError:
    possibilities: Sequence[str] | None = getattr(error, "possibilities", None)
    if possibilities and (name := getattr(error, "option_name", None)):
        message = f"No such option: {name}. Did you mean {possibilities[0]}?"
    message = message.replace("argument(s)", "arguments")
    line = sentence(_one_line(message).replace("Value error, ", ""))
    return UserError(f"{line} Try: {context.command_path} --help" if context else line)


def _api_error(error: Exception) -> UserError | None:
    from .. import _sdk  # not above: it loads the SDK, which most commands do without
    from .._errors.bases import RunError, WaitError
    from .._errors.exceptions import RunGoneError
    from .._outcome.body import look, word
    from .._sdk.faults import transport_errors

    if isinstance(error, (RunError, WaitError, RunGoneError)):
        return UserError(f"{type(error).__name__}: {_one_line(error.message)}", exit_of(error))
    if isinstance(error, _sdk.APIStatusError):
        message = sentence(_one_line(word(look(error.body, "message")) or _text(error.body) or error.message))
        hint = _HINTS.get(error.status_code, "")
        return UserError(f"the API refused (HTTP {error.status_code}): {message} {hint}".rstrip(), Exit.REFUSED)
    if isinstance(error, _sdk.APIConnectionError):
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        return UserError(f"no answer from {error.request.url}: {error.message}{cause}", Exit.UNFINISHED)
    is_file_error = isinstance(error, OSError) and not isinstance(error, (ConnectionError, TimeoutError))
    if isinstance(error, transport_errors()) and not is_file_error:  # while an answer was read
        return UserError(f"the answer of the API was cut off: {type(error).__name__}: {error}", Exit.UNFINISHED)
    return UserError(_one_line(str(error))) if isinstance(error, _sdk.OpenAIError) else None


def exit_of(error: Exception) -> Exit:
    """Return the exit code for an exception of this package (`RunError`, `WaitTimeoutError`, `RunGoneError`, ...)."""
    from .._errors.bases import RunError
    from .._errors.exceptions import RunGoneError

    if isinstance(error, RunGoneError):
        return Exit.REFUSED
    return Exit.ENDED_BADLY if isinstance(error, RunError) and error.phase == "terminal" else Exit.UNFINISHED


def _text(body: object) -> str | None:
    """Return the words of `{"error": "text"}`, which the SDK hands on without its `error`."""
    return body if isinstance(body, str) else None


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"


def forget_output(*streams: TextIO) -> None:
    """Send what is still to be printed, as the interpreter's last flush, to a file that takes it."""
    for stream in streams:
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
