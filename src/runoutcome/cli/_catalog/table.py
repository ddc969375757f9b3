"""`runoutcome catalog`: the whole table, for a person, for a program, or for a document; and its own commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import Enum
from importlib.resources import files
from typing import Annotated

import typer
from rich.text import Text

from ..._catalog.catalog import Catalog
from ..._catalog.rows import Entry
from ...contract._address import value_of
from ...contract._exports import EXPORTS, dump
from .._environment import catalog_in_use, overlaid
from .._errors import Exit, UserError, exit_codes
from .._output.console import fits, print_line, print_table, stdout
from .._output.text import Cell
from .diff import EXIT_CODES as _DIFF_CODES, diff
from .pages import EXIT_CODES as _PAGES_CODES, pages

_COLUMNS = ("value", "openai class", "HTTP", "retryable", "action", "title")
_TITLE = 5
_NARROW = (0, 1, 3)
"""The columns that 80 characters have room for."""


catalog_app = typer.Typer(rich_markup_mode=None)
catalog_app.command(epilog=_DIFF_CODES, short_help="Compare two versions of the catalog.")(diff)
catalog_app.command(epilog=_PAGES_CODES, short_help="Write a page of documentation for each value.")(pages)


class Format(str, Enum):
    """The forms of the table."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    CSV = "csv"
    OPENAPI_OVERLAY = "openapi-overlay"
    TYPESCRIPT = "typescript"


@catalog_app.callback(invoke_without_command=True, epilog=exit_codes(Exit.DONE, Exit.USAGE))
def catalog(
    context: typer.Context,
    form: Annotated[Format | None, typer.Option("--format", help="How to print it. Default: table.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the catalog, compare its versions, or write its pages."""
    if context.invoked_subcommand is not None:
        if form is not None or as_json:
            raise UserError(f"options go after the command: {context.command_path} {context.invoked_subcommand} ...")
        return
    if as_json and form not in (None, Format.JSON):
        raise UserError("--json is the same as --format json; give one of the two")
    if as_json or form is Format.JSON:
        _print_json(catalog_in_use())
    elif form is Format.MARKDOWN:
        for line in _markdown(catalog_in_use()):
            print(line)
    elif form is not None and form.value in EXPORTS:
        _print_bytes(EXPORTS[form.value].text(catalog_in_use()).encode())
    else:
        _print_tables(catalog_in_use())


def _print_json(table: Catalog) -> None:
    """The published file to the byte; with overlays, what they make of it."""
    if table.overlays:
        print(json.dumps(dump(table), indent=2))
        return
    _print_bytes(files("runoutcome").joinpath("data/catalog.json").read_bytes())


def _print_bytes(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)  # as text it would get this machine's line ends and encoding


def _print_tables(table: Catalog) -> None:
    console = stdout()
    fields = [(heading, [_styled(entry) for entry in entries]) for heading, entries in _by_field(table)]
    keep = range(_TITLE)
    narrow = [(heading, [[row[index] for index in _NARROW] for row in rows]) for heading, rows in fields]
    narrow_columns = [_COLUMNS[index] for index in _NARROW]
    is_wide = all(fits(console, _COLUMNS, rows, keep) for _, rows in fields)
    is_narrow = not is_wide and all(fits(console, narrow_columns, rows, keep) for _, rows in narrow)
    for heading, rows in narrow if is_narrow else fields:
        print_line(console, heading, "bold underline")
        print_table(console, narrow_columns if is_narrow else _COLUMNS, rows, keep=keep)
        console.print()
    if is_narrow:
        print_line(console, "HTTP, action and title need more width, or --format markdown or json.")
    marked = f"{overlaid(table)} (their rows are marked *)" if table.overlays else ""
    print_line(console, f"Catalog {table.version}{marked}. More about one value: runoutcome explain VALUE")


def _markdown(table: Catalog) -> Iterator[str]:
    for number, (heading, entries) in enumerate(_by_field(table)):
        if number:
            yield ""
        yield f"### {heading}"
        yield ""
        yield f"| {' | '.join(_COLUMNS)} |"
        yield f"|{' --- |' * len(_COLUMNS)}"
        for entry in entries:
            value, name, *rest = _cells(entry)
            by = f" ({entry.overlay})" if entry.overlay else ""
            cells = (f"`{value}`{by}", f"`{name}`" if entry.error_class else name, *rest)
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _by_field(table: Catalog) -> Iterator[tuple[str, list[Entry]]]:
    """The rows of each field of each surface, under its name, in the order of the catalog."""
    fields: dict[str, list[Entry]] = {}
    for entry in table.entries:
        fields.setdefault(f"{entry.surface}: {entry.field}", []).append(entry)
    yield from fields.items()


def _styled(entry: Entry) -> tuple[Cell, ...]:
    value, *rest = _cells(entry)
    marked = f"{value} *" if entry.overlay else value
    return (marked, *(Text(cell, "green") if cell == "yes" else cell for cell in rest))


def _cells(entry: Entry) -> tuple[str, ...]:
    return (
        value_of(entry),
        entry.error_class or "-",
        str(entry.status_code or "-"),
        "yes" if entry.retryable else "no",
        entry.action,
        entry.title,
    )
