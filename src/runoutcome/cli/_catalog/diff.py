"""`runoutcome catalog diff`: the changes between two versions of the catalog, and the version number they need."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any

import typer

from ..._catalog.catalog import CATALOG_VERSION
from ..._catalog.overlay import dialects, released_dialects
from ...contract import (
    CURRENT,
    ContractError,
    Diff,
    Severity,
    diff as diff_of,
    overlaid_document,
    raised,
    read_catalog,
    released_between,
    version_before,
    version_of,
)
from .._errors import Exit, UserError
from .._output.console import print_json, print_line, print_table, stdout
from .overlays import catalog_in_use

EXIT_CODES = "Exit codes: 0 the new version number announces all changes; 1 it announces less; 2 bad usage or input."
_COLUMNS = ("id", "change")


class Format(str, Enum):
    """The forms of the answer."""

    TABLE = "table"
    JSON = "json"


def diff(
    old: Annotated[
        str | None,
        typer.Argument(
            metavar="A",
            help="A version, current, a dialect (azure, azure@1.0.0), or a file: a catalog in JSON, or an overlay. "
            "Default: the version before current.",
        ),
    ] = None,
    new: Annotated[str, typer.Argument(metavar="B", help="The same.")] = CURRENT,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", metavar="|".join(form.value for form in Format), help="How to print it. Default: table."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Compare two versions of the catalog, or of an overlay: what changed, and is it breaking, minor or a patch."""
    if as_json and form not in (None, Format.JSON):
        raise UserError("--json is the same as --format json; give one of the two")
    try:
        result = _compare(*_names(old, new))
    except ContractError as error:
        raise UserError(str(error)) from None
    if as_json or form is Format.JSON:
        print_json(result.to_dict())
    else:
        _print(result)
    if not result.is_covered:
        raise typer.Exit(Exit.ENDED_BADLY)


def _names(old: str | None, new: str) -> tuple[str, str]:
    """Return the two to compare: a dialect alone is compared with its released version before."""
    if old is None:
        return version_before(CATALOG_VERSION) or CATALOG_VERSION, new
    dialect = old.partition("@")[0]
    if new != CURRENT or dialect not in dialects():
        return old, new
    if old == dialect:
        old = ([name for name in released_dialects(dialect) if _is_older(name, dialect)] or [dialect])[-1]
    return old, dialect


def _is_older(name: str, other: str) -> bool:
    return version_of(read_catalog(name)["catalog_version"]) < version_of(read_catalog(other)["catalog_version"])


def _compare(old: str, new: str) -> Diff:
    before, after = read_catalog(old), read_catalog(new)
    if new == CURRENT and "overlays" in before:
        after = overlaid_document(catalog_in_use())
    if bool(before.get("overlays")) is not bool(after.get("overlays")):
        raise UserError(f"{old} has {_overlays(before)}, and {new} has {_overlays(after)}; compare like with like")
    versions = before["catalog_version"], after["catalog_version"]
    if version_of(versions[0]) > version_of(versions[1]):
        raise UserError(f"{old} is newer than {new}; give the older one first")
    return diff_of(before, after, () if "overlays" in before else released_between(*versions))


def _overlays(document: Mapping[str, Any]) -> str:
    names = document.get("overlays") or ()
    return f"the overlays {', '.join(names)}" if names else "no overlay"


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
