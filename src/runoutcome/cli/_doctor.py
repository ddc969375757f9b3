"""`runoutcome doctor`: the known mistakes with background runs in a source, found without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..doctor import Finding, SourceError, check_paths
from ._errors import Exit, UserError
from ._output.console import print_json, print_line, print_pairs, stderr, stdout
from ._output.text import visible

EXIT_CODES = "Exit codes: 0 no finding; 1 findings; 2 bad usage, or a file that could not be read."


def doctor(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Python files, or directories to search.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as a list in JSON.")] = False,
) -> None:
    """Point at known mistakes in your own source."""
    given = [Path(path) for path in paths]
    for path in given:
        if not path.exists():
            raise UserError(f"{path}: no such file or directory")
    unread: list[SourceError] = []

    def tell(error: SourceError) -> None:
        unread.append(error)
        print_line(stderr(), f"runoutcome: {error}")

    checked = list(check_paths(given, tell))
    findings = [finding for found in checked for finding in found]
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    else:
        _print_findings(findings)
        _print_sum(len(findings), len(checked))
    if unread:
        raise typer.Exit(Exit.USAGE)
    if findings:
        raise typer.Exit(Exit.ENDED_BADLY)


def _print_findings(findings: list[Finding]) -> None:
    console = stdout()
    for finding in findings:
        place = visible(f"{finding.file}:{finding.line}")  # never folded, to be copied and clicked
        console.print(Text(f"{place}: {finding.rule}: {finding.message}", "bold"))
        print_pairs(console, [("  fix", finding.fix), ("  see", finding.docs)])


def _print_sum(findings: int, files: int) -> None:
    found = "no finding" if not findings else "1 finding" if findings == 1 else f"{findings} findings"
    print_line(stderr(), f"{found} in {files} file{'s' * (files != 1)}")
