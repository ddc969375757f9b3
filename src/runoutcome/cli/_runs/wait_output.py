"""Output of `wait`: changes and faults while it waits, and at its end the run's text, or what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..._catalog.catalog import Catalog
from ..._errors.bases import RunError, WaitError
from ..._errors.exceptions import RunGoneError
from ..._outcome.classify import classify
from ..._outcome.outcome import Outcome
from ..._waiting.resume_token import loads
from ...batch._rows import output_text
from .._errors import Exit, exit_of
from .._output.console import print_command, print_line, print_pairs, stderr
from .._output.outcomes import hollow, remedy_here
from .._output.text import visible


def print_status(outcome: Outcome) -> None:
    """Print one line for a change of status."""
    print_line(stderr(), f"{outcome.response_id}: {outcome.status}")


class FaultPrinter:
    """Prints a line for a poll fault, verbose for each, else once for each kind: a silent wait looks like a hang."""

    def __init__(self, *, is_verbose: bool = False) -> None:
        self._is_verbose = is_verbose
        self._last = ""

    def __call__(self, fault: BaseException) -> None:
        """Print the fault, unless it is like the last one and this is not verbose."""
        status = getattr(fault, "status_code", None)
        cause = f" ({fault.__cause__})" if fault.__cause__ else ""
        text = f"HTTP {status}" if status else f"{fault}{cause}"
        if self._is_verbose or text != self._last:
            print_line(stderr(), f"A poll failed ({text}); polling goes on.")
            self._last = text


@dataclass(frozen=True)
class Ending:
    """The end of one wait: the run that `poll` returned, or the exception of this package that it raised."""

    token: str
    response_id: str | None
    outcome: Outcome | None
    output_text: str | None
    error: RunError | WaitError | RunGoneError | None = None

    @classmethod
    def returned(cls, token: str, run: Any, catalog: Catalog) -> Ending:
        """Return the end for a run that is completed, or accepted as it is."""
        outcome = classify(run, catalog=catalog)
        return cls(loads(token).dumps(), outcome.response_id, outcome, output_text(run))

    @classmethod
    def raised(cls, token: str, error: RunError | WaitError | RunGoneError) -> Ending:
        """Return the end for a run that is not completed, or not known to be."""
        outcome = None if isinstance(error, RunGoneError) else error.outcome
        text = output_text(error.run) if isinstance(error, RunError) else None
        return cls(error.run_token or loads(token).dumps(), error.response_id, outcome, text, error)

    @property
    def exit_code(self) -> Exit:
        """Exit code of the command."""
        return Exit.DONE if self.error is None else exit_of(self.error)

    def to_dict(self) -> dict[str, Any]:
        """The form of `--json`."""
        return {
            "response_id": self.response_id,
            "outcome": self.outcome.to_dict() if self.outcome else None,
            "error_class": type(self.error).__name__ if self.error else None,
            "run_token": self.token,
            "output_text": self.output_text,
        }

    def show(self, again: str) -> None:
        """Print it for a person; `again` is the command that goes on waiting."""
        if self.error is None:
            self._show_output()
            return
        console = stderr()
        if not isinstance(self.error, RunError):
            print_line(console, f"{type(self.error).__name__}: {self.error.message}", "bold red")
        else:
            print_line(console, f"{type(self.error).__name__}: {self.error.outcome.label}", "bold red")
            print_pairs(console, _advice(self.error.outcome))
        if self.exit_code is Exit.UNFINISHED:
            print_line(console, "To go on:")
            print_command(console, again)
        elif self.output_text and self.outcome and self.outcome.status in ("incomplete", "cancelled"):
            print_line(console, "To print its output so far:")
            print_command(console, f"{again} --accept {self.outcome.status}")

    def _show_output(self) -> None:
        text, outcome = self.output_text, self.outcome
        if outcome is not None and hollow(outcome):
            print_line(stderr(), f"{outcome.title}. {outcome.cause} {outcome.remedy}")
        if not text:
            print_line(stderr(), "The run has no output text.")
            return
        # A file or a pipe gets exactly the text of the model; a terminal gets no character that would steer it.
        sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
        sys.stdout.write("" if text.endswith("\n") else "\n")


def _advice(outcome: Outcome) -> Iterator[tuple[str, str]]:
    yield "what", f"{outcome.title}. {outcome.cause}"
    yield "what to do", remedy_here(outcome, "on the server")
    yield "server says", outcome.message or ""
    after = f", {outcome.retry_after:g} s from its end" if outcome.retry_after is not None else ""
    yield "retryable", f"yes: an identical new run may succeed{after}" if outcome.retryable else "no"
    if outcome.known:
        row = None if outcome.rule else outcome.output_entry
        yield "more", f"runoutcome explain {row.value if row else outcome.label}"
