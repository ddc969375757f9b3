"""Printing. No word is ever cut or folded: text without room is laid out differently, or runs over the edge.

Everything goes through rich with its markup switched off, so that a server's "[red]" is printed as it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from .text import Cell, fold, plain, style_of, visible

_GAP = 2
_PROSE_WIDTH = 100
_NARROWEST_COLUMN = 20
_NARROWEST_VALUE = 40


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise  # the error being handled; rich itself would exit with a code that means something else here


def stdout() -> Console:
    """Return the console for the result of a command."""
    return _console(to_stderr=False)


def stderr() -> Console:
    """Return the console for progress, hints and errors."""
    return _console(to_stderr=True)


def _console(*, to_stderr: bool) -> Console:
    # rich's own reading of NO_COLOR leaves bold and dim in.
    return _Console(
        stderr=to_stderr,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=True,
    )


def print_json(data: object) -> None:
    """Print `data` as one line of JSON on stdout."""
    print(json.dumps(data))


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print a sentence: one line, broken between words only on a narrow terminal."""
    for line in fold(text, console.width) if console.is_terminal else [plain(text)]:
        _print(console, Text(line, style))


def print_command(console: Console, command: str) -> None:
    """Print a command on a line of its own that is never broken, to be copied whole."""
    _print(console, Text(f"  {visible(command)}"))


def print_pairs(console: Console, pairs: Iterable[tuple[str, Cell | Sequence[str]]]) -> None:
    """Print labels with their values, wrapped between words; a list has a line for each item. Skips empty values."""
    shown = [(label, value) for label, value in pairs if value]
    indent = max((cell_len(label) for label, _ in shown), default=0) + _GAP
    room = min(console.width - indent, _PROSE_WIDTH)
    is_beside = room >= _NARROWEST_VALUE
    for label, value in shown:
        items = [value] if isinstance(value, (str, Text)) else value
        lines = [line for item in items for line in fold(item, room if is_beside else console.width - _GAP)]
        if not is_beside:
            _print(console, Text(label, "dim"))
        for number, line in enumerate(lines):
            head = (label if number == 0 else "").ljust(indent) if is_beside else " " * _GAP
            _print(console, Text.assemble((head, "dim"), (line, style_of(value))))


def print_table(
    console: Console, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, keep: Collection[int] = ()
) -> None:
    """Print a table if it fits into the width, otherwise each row as lines of its own.

    Columns with a number in `keep` are never wrapped, the others only between words.
    """
    table: list[Sequence[Cell]] = [list(columns), *rows]
    widths = _widths(table, keep, console.width)
    if widths is None:
        _print_stacked(console, columns, table[1:])
        return
    for number, row in enumerate(table):
        cells = [fold(cell, width) for cell, width in zip(row, widths, strict=True)]
        for height in range(max(map(len, cells), default=0)):
            line = Text()
            for cell, lines, width in zip(row, cells, widths, strict=True):
                part = lines[height] if height < len(lines) else ""
                line.append(part, "bold" if number == 0 else style_of(cell))
                line.append(" " * (width - cell_len(part) + _GAP))
            line.rstrip()
            _print(console, line)


def fitting_columns(
    console: Console,
    columns: Sequence[str],
    tables: Iterable[Sequence[Sequence[Cell]]],
    narrow: Sequence[int],
    keep: Collection[int],
) -> Sequence[int]:
    """Return the numbers of the columns to print: all, or `narrow` if only tables with these fit into the width."""
    for numbers in (range(len(columns)), narrow):
        if all(_widths(select([columns, *rows], numbers), keep, console.width) is not None for rows in tables):
            return numbers
    return range(len(columns))


def select(rows: Iterable[Sequence[Cell]], numbers: Iterable[int]) -> list[list[Cell]]:
    """Return the columns with these numbers."""
    return [[row[number] for number in numbers] for row in rows]


def _print_stacked(console: Console, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    for row in rows:
        print_line(console, plain(row[0]), f"bold {style_of(row[0])}".strip())
        for column, cell in zip(columns[1:], row[1:], strict=True):
            if plain(cell):
                lines = fold(f"{column}: {plain(cell)}", console.width - _GAP)
                if len(lines) > 1:  # the lines after the first are indented further
                    lines = fold(f"{column}: {plain(cell)}", console.width - 2 * _GAP)
                for number, line in enumerate(lines):
                    _print(console, Text(" " * (_GAP if number == 0 else 2 * _GAP) + line, style_of(cell)))


def _widths(table: Sequence[Sequence[Cell]], keep: Collection[int], width: int) -> list[int] | None:
    """Return the width of each column; None if the table cannot be that narrow."""
    columns = [[plain(cell) for cell in column] for column in zip(*table, strict=True)]
    wanted = [max(map(cell_len, column)) for column in columns]
    longest_word = [max((cell_len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    least = [
        wide if number in keep else min(wide, max(word, _NARROWEST_COLUMN))
        for number, (wide, word) in enumerate(zip(wanted, longest_word, strict=True))
    ]
    room = width - _GAP * (len(columns) - 1)
    if sum(least) > room:
        return None
    while sum(wanted) > room:
        widest = max(range(len(wanted)), key=lambda number: wanted[number] - least[number])
        wanted[widest] -= 1
    return wanted


def _print(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True)  # neither wrapped nor cropped
