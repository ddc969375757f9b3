"""Text on its way to a terminal: nothing in it steers the terminal, and no word of it is ever broken."""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.text import Text

Cell = str | Text
"""A text, or a text with a style."""

# C0 and C1 controls but tab and line feed, line separators, what turns the writing direction, lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """`text` with what would steer a terminal written out as escapes (`\\x1b`); line breaks and tabs stay."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "backslashreplace").decode(), text)


def fold(cell: Cell, width: int) -> list[str]:
    """The lines of `cell`, broken between words only, and measured in the cells of a terminal."""
    lines, line = [], ""
    for word in plain(cell).split():
        longer = f"{line} {word}" if line else word
        if line and cell_len(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


def plain(cell: Cell) -> str:
    """`cell` as one line of printable text."""
    return " ".join(visible(cell.plain if isinstance(cell, Text) else cell).split())


def style_of(value: object) -> str:
    """The style of a cell; none for plain text."""
    return str(value.style) if isinstance(value, Text) else ""
