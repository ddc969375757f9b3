"""`runoutcome report`: a batch as one page of HTML."""

from __future__ import annotations

from typing import Annotated

import typer

from .._errors import Exit, UserError, exit_codes
from .._output.console import print_json
from .journal_file import File, Force, Output, check_output, clear_errors, write_new

EXIT_CODES = exit_codes(Exit.DONE, Exit.USAGE)
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


def report(file: File, output: Output = None, force: Force = False, as_json: AsJson = False) -> None:
    """Write a report of a batch as one HTML page, readable without network and scripts. It only reads the journal.

    The page says what happened and what to do, how long runs took, what they used, and what was made again. It has
    keys of jobs, codes, models and ids, and no prompts and no outputs.
    """
    from ...report import html_page, read_report

    if output is None and not as_json:
        raise UserError("name the page with -o report.html, or pass --json for the figures")
    if as_json and str(output) == "-":
        raise UserError("-o - and --json exclude each other: both print on stdout")
    check_output(file, output, is_forced=force)
    with clear_errors():
        found = read_report(file)
    if output is not None:
        write_new(output, [html_page(found).encode()], is_forced=force)
    if as_json:
        print_json(found.to_dict())
