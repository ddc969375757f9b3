"""`runoutcome status`: how far a batch is, while it runs or later."""

from __future__ import annotations

from typing import Annotated

import typer

from .._errors import Exit, exit_codes
from .._output.console import print_json
from .journal_file import File, clear_errors

EXIT_CODES = exit_codes(Exit.DONE, Exit.ENDED_BADLY, Exit.USAGE, Exit.UNFINISHED, done="every job completed")
AsJson = Annotated[bool, typer.Option("--json", help="Print the status as JSON.")]


def status(file: File, as_json: AsJson = False) -> None:
    """Print what became of a batch so far: counts, what to do, held jobs, spend, limits. It only reads the journal.

    It works while `run` is running, and later. The exit code is that of `run` for a batch in this state.
    """
    from ...report import read_status  # not above: it loads the SDK, which most commands do without
    from .status_output import exit_of_status, print_status

    with clear_errors():
        found = read_status(file)
    if as_json:
        print_json(found.to_dict())
    else:
        print_status(found)
    raise typer.Exit(exit_of_status(found))
