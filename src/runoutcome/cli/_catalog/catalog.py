"""`runoutcome catalog`, the whole table for a person, a program or a document; and `runoutcome catalog pages`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import Enum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..._catalog.catalog import Catalog
from ..._catalog.rows import Entry
from ...contract._address import value_of
from ...contract._exports import EXPORTS, dump
from .._errors import Exit, UserError, exit_codes
from .._output.console import fitting_columns, print_line, print_table, select, stdout
from .._output.text import Cell, counted
from .diff import EXIT_CODES as _DIFF_CODES, diff
from .overlays import catalog_in_use, overlaid

_COLUMNS = ("value", "openai class", "HTTP", "retryable", "action", "title")
_KEPT = range(5)
_NARROW = (0, 1, 3)
"""Numbers of the columns that 80 characters have room for."""


class Format(str, Enum):
    """The forms of the table."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    CSV = "csv"
    OPENAPI_OVERLAY = "openapi-overlay"
    OPENAPI_OVERLAY_FIELD = "openapi-overlay-field"
    TYPESCRIPT = "typescript"


catalog_app = typer.Typer(rich_markup_mode=None)
catalog_app.command(epilog=_DIFF_CODES, short_help="Compare two versions of the catalog.")(diff)


@catalog_app.callback(invoke_without_command=True, epilog=exit_codes(Exit.DONE, Exit.USAGE))
def catalog(
    context: typer.Context,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", metavar="|".join(form.value for form in Format), help="How to print it. Default: table."
        ),
    ] = None,
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
    """Print the published file to the byte; with overlays, the extended catalog."""
    if table.overlays:
        print(json.dumps(dump(table), indent=2))
        return
    _print_bytes(files("runoutcome").joinpath("data/catalog.json").read_bytes())


def _print_bytes(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)  # as text it would get this machine's line ends and encoding


def _print_tables(table: Catalog) -> None:
    console = stdout()
    fields = {heading: [_styled(entry) for entry in entries] for heading, entries in _by_field(table).items()}
    numbers = fitting_columns(console, _COLUMNS, fields.values(), _NARROW, _KEPT)
    for heading, rows in fields.items():
        print_line(console, heading, "bold underline")
        print_table(console, [_COLUMNS[number] for number in numbers], select(rows, numbers), keep=_KEPT)
        console.print()
    if numbers is _NARROW:
        print_line(console, "HTTP, action and title need more width, or --format markdown or json.")
    overlays = f"{overlaid(table)} (their rows are marked *)" if table.overlays else ""
    print_line(console, f"Catalog {table.version}{overlays}. More about one value: runoutcome explain VALUE")


def _markdown(table: Catalog) -> Iterator[str]:
    for number, (heading, entries) in enumerate(_by_field(table).items()):
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


def _by_field(table: Catalog) -> dict[str, list[Entry]]:
    """Return the rows of each field of each surface, under its name, in the order of the catalog."""
    fields: dict[str, list[Entry]] = {}
    for entry in table.entries:
        fields.setdefault(f"{entry.surface}: {entry.field}", []).append(entry)
    return fields


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


@catalog_app.command(
    epilog=exit_codes(Exit.DONE, Exit.USAGE), short_help="Write a page of documentation for each value."
)
def pages(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")]) -> None:
    """Write a page for each value of the catalog, and an index.

    Pages of values that are gone are removed. A file that this command did not write is never touched.
    """
    from ...contract._pages import MARKER, pages as pages_of  # not above: the exception classes load the SDK

    texts = {name: text.encode() for name, text in pages_of(catalog_in_use()).items()}
    before = _files_starting_with(MARKER.encode(), directory)
    foreign = sorted(name for name in texts if name not in before and (directory / name).exists())
    if foreign:
        raise UserError(f"{directory / foreign[0]} was not written by this command; move it away, or name another DIR")
    directory.mkdir(parents=True, exist_ok=True)
    changed = [name for name, text in texts.items() if before.get(name) != text]
    gone = before.keys() - texts.keys()
    for name in changed:
        (directory / name).write_bytes(texts[name])
    for name in gone:
        (directory / name).unlink()
    print_line(stdout(), f"{counted(len(texts), 'page')} in {directory}: {len(changed)} written, {len(gone)} removed.")


def _files_starting_with(marker: bytes, directory: Path) -> dict[str, bytes]:
    """Return the Markdown files that an earlier call wrote, by their names."""
    paths = directory.iterdir() if directory.exists() else ()
    contents = {path.name: path.read_bytes() for path in paths if path.suffix == ".md" and path.is_file()}
    return {name: content for name, content in contents.items() if content.startswith(marker)}
