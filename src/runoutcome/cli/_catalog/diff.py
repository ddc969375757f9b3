"""`runoutcome catalog diff`: the changes between two versions of the catalog, and the version number they need."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from ..._catalog.catalog import CATALOG_VERSION
from ...contract import (
    CURRENT,
    ContractError,
    Diff,
    Severity,
    diff as diff_of,
    raised,
    read_catalog,
    released_between,
    version_before,
    version_of,
)
from .._errors import Exit, UserError
from .._output.console import print_json, print_line, print_table, stdout

EXIT_CODES = "Exit codes: 0 the new version number announces all changes; 1 it announces less; 2 bad usage or input."
_COLUMNS = ("id", "change")


class Format(str, Enum):
    """The forms of the answer."""

    TABLE = "table"
    JSON = "json"


def diff(
    old: Annotated[
        str | None,
        typer.Argument(metavar="A", help="A version, current, or a JSON file. Default: the version before current."),
    ] = None,
    new: Annotated[str, typer.Argument(metavar="B", help="The same.")] = CURRENT,
    form: Annotated[Format | None, typer.Option("--format", help="How to print it. Default: table.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Compare two versions of the catalog: what changed, and is that breaking, minor or a patch."""
    if as_json and form not in (None, Format.JSON):
        raise UserError("--json is the same as --format json; give one of the two")
    try:
        result = _compare(old or version_before(CATALOG_VERSION) or CATALOG_VERSION, new)
    except ContractError as error:
        raise UserError(str(error)) from None
    if as_json or form is Format.JSON:
        print_json(result.to_dict())
    else:
        _print(result)
    if not result.is_covered:
        raise typer.Exit(Exit.ENDED_BADLY)


def _compare(old: str, new: str) -> Diff:
    before, after = read_catalog(old), read_catalog(new)
    versions = before["catalog_version"], after["catalog_version"]
    if version_of(versions[0]) > version_of(versions[1]):
        raise UserError(f"{old} is newer than {new}; give the older one first")
    return diff_of(before, after, released_between(*versions))


def _print(result: Diff) -> None:
    console = stdout()
    groups: dict[str, list[tuple[str, str]]] = {}
    for change in result.changes:
        groups.setdefault(f"{change.severity.word}: {change.kind}", []).append((change.id, change.what))
    for heading, rows in groups.items():
        print_line(console, heading, "bold underline")
        print_table(console, _COLUMNS, rows, keep=(0,))
        console.print()
    print_line(console, _verdict(result))


def _verdict(result: Diff) -> str:
    way = f"{result.old_version} -> {result.new_version}"
    announced = f"a {result.given.bump} version" if result.given else "no new version"
    if not result.changes:
        return f"{way}: no change."
    if result.is_covered:
        return f"{way} is {announced}, and no change needs more."
    if result.needed is Severity.FORBIDDEN:
        return (
            f"{way} is {announced}, and no number makes up for a forbidden change: put the entry back, "
            "deprecate it in a minor version, and remove it in the major version after that."
        )
    least = raised(result.old_version, result.needed)
    return f"{way} is {announced}, and the changes need a {result.needed.bump} one: {least} or later."
