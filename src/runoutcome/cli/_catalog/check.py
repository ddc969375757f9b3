"""`runoutcome check`: words of the installed SDK that the catalog does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..._catalog.catalog import Catalog
from ...contract import ContractError, Finding, Vocabulary, drift
from .._errors import Exit, UserError
from .._output.console import print_json, print_line, print_table, stderr, stdout
from .._output.text import counted

EXIT_CODES = "Exit codes: 0 no finding; 1 findings; 2 bad usage or input."
_COLUMNS = ("surface", "field", "value", "kind", "what is wrong", "what to do")


def check(
    openapi: Annotated[
        str | None, typer.Option(metavar="FILE", help="An OpenAPI document to look at too, in YAML or JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as a list in JSON.")] = False,
) -> None:
    """Compare the catalog with the openai package that is installed."""
    catalog = Catalog.load()
    sources, unfitting = _sources(catalog, openapi)
    findings = [*(finding for source in sources for finding in drift(catalog, source)), *unfitting]
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    elif findings:
        print_table(stdout(), _COLUMNS, [_cells(finding) for finding in findings], keep=range(4))
    for source in sources:
        for name, reason in source.skipped.items():
            print_line(stderr(), f"skipped {name}: {reason}")
    total = counted(len(findings), "finding") if findings else "no finding"
    print_line(stderr(), f"{total}: catalog {catalog.version} against {' and '.join(one.source for one in sources)}")
    if findings:
        raise typer.Exit(Exit.ENDED_BADLY)


def _sources(catalog: Catalog, openapi: str | None) -> tuple[list[Vocabulary], list[Finding]]:
    from ...contract._models import sdk_vocabulary  # not above: it loads the SDK, which most commands do without
    from ...contract._openapi import openapi_vocabulary

    if openapi is None:
        return [sdk_vocabulary(catalog)], []
    try:
        vocabulary, unfitting = openapi_vocabulary(catalog, Path(openapi))
    except ContractError as error:
        raise UserError(str(error)) from None
    return [sdk_vocabulary(catalog), vocabulary], unfitting


def _cells(finding: Finding) -> tuple[str, ...]:
    return (
        finding.surface,
        finding.field or "-",
        finding.value or "-",
        finding.kind,
        finding.message,
        finding.fix,
    )
