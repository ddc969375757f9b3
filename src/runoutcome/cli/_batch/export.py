"""`runoutcome export`: the results of a batch written anew from its journal, or a table of its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from .._errors import Exit, exit_codes
from .._options import check_word
from .._output.console import print_line, stderr
from .._output.text import counted
from .journal_file import File, Force, Output, check_output, clear_errors, write_new

EXIT_CODES = exit_codes(Exit.DONE, Exit.USAGE)


def export(
    file: File,
    output: Output = None,
    form: Annotated[
        str,
        typer.Option("--format", metavar="jsonl|csv", help="The lines of the results, or a table of the jobs."),
    ] = "jsonl",
    batch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the batch, for a journal with several.")
    ] = None,
    force: Force = False,
) -> None:
    """Write the results of a batch anew from its journal, or a table of its jobs. It only reads the journal."""
    from ...report import csv_lines, jsonl_lines

    forms = {"jsonl": jsonl_lines, "csv": csv_lines}
    check_word("--format", form, forms)
    check_output(file, output, is_forced=force)
    missing = 0

    def lines() -> Iterator[bytes]:
        nonlocal missing
        for line in forms[form](file, batch):
            missing += not line
            yield line

    with clear_errors():
        write_new(output, lines(), is_forced=force)
    if missing:
        text = f"{counted(missing, 'result')} left out: the body was not kept in the journal (--no-bodies)."
        print_line(stderr(), text)
        raise typer.Exit(Exit.USAGE)
