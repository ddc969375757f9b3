"""Options that several commands have, and their checks."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from typing import Annotated, Literal

import typer

from ._errors import UserError
from ._output.text import any_of

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print every step and every poll that failed.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress: the result, and what needs you.")]

Require = Annotated[
    str | None,
    typer.Option(metavar="output", help="A run that completes with a refusal, or with no output, counts as failed."),
]


class Verbosity(Enum):
    """Amount of progress to print."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


def verbosity(*, quiet: bool, verbose: bool) -> Verbosity:
    """Return the verbosity that the options ask for. Raises UserError if both are given."""
    if quiet and verbose:
        raise UserError("--quiet and --verbose exclude each other")
    return Verbosity.QUIET if quiet else Verbosity.VERBOSE if verbose else Verbosity.NORMAL


def required(require: str | None) -> Literal["output"] | None:
    """Return the word of `--require`. Raises UserError for another one."""
    if require is not None:
        check_word("--require", require, ["output"])
    return "output" if require else None


def check_word(option: str, word: str, allowed: Iterable[str]) -> None:
    """Raise UserError, with the nearest word, for a word that the option does not take."""
    words = list(allowed)
    if word not in words:
        near = get_close_matches(word, words, n=1)
        raise UserError(f"{option} is {any_of(words)}; got {word!r}" + (f". Did you mean {near[0]}?" if near else ""))
