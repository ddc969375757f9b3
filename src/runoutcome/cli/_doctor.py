"""`runoutcome doctor`: finds known mistakes with background runs in a source, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..doctor import SourceError, check_paths
from ._errors import Exit, UserError
from ._output.console import print_json, print_line, print_pairs, stderr, stdout
from ._output.text import counted, visible

EXIT_CODES = "Exit codes: 0 no finding; 1 findings; 2 bad usage, or a file that could not be read."


def doctor(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Python files, or directories to search.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as a list in JSON.")] = False,
) -> None:
    """Point at known mistakes in your own source."""
    sources = [Path(path) for path in paths]
    for path in sources:
        if not path.exists():
            raise UserError(f"{path}: no such file or directory")
    unread: list[SourceError] = []

    def on_error(error: SourceError) -> None:
        unread.append(error)
        print_line(stderr(), f"runoutcome: {error}")

    checked = list(check_paths(sources, on_error))
    findings = [finding for of_file in checked for finding in of_file]
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    else:
        console = stdout()
        for finding in findings:
            position = visible(f"{finding.file}:{finding.line}")  # never folded, to be copied and clicked
            console.print(Text(f"{position}: {finding.rule}: {finding.message}", "bold"))
            print_pairs(console, [("  fix", finding.fix), ("  see", finding.docs)])
        total = counted(len(findings), "finding") if findings else "no finding"
        print_line(stderr(), f"{total} in {counted(len(checked), 'file')}")
    if unread:
        raise typer.Exit(Exit.USAGE)
    if findings:
        raise typer.Exit(Exit.ENDED_BADLY)
