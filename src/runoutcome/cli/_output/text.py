"""Text for a terminal: whole words only, and no character that steers the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

Cell = str | Text
"""A text, or a text with a style."""

# C0 and C1 controls but tab and line feed, line separators, marks of the writing direction, lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Return `text` with escapes (`\\x1b`) in place of characters that steer a terminal; line breaks and tabs stay."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape", "backslashreplace").decode(), text)


def fold(cell: Cell, width: int) -> list[str]:
    """Return the lines of `cell`, broken between words only, and measured in the cells of a terminal."""
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
    """Return `cell` as one line of printable text."""
    return " ".join(visible(cell.plain if isinstance(cell, Text) else cell).split())


def style_of(value: object) -> str:
    """Return the style of a cell; empty for plain text."""
    return str(value.style) if isinstance(value, Text) else ""


def counted(number: int, noun: str) -> str:
    """Return the number with its noun: `1 job`, `2 jobs`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def sentence(text: str) -> str:
    """Return `text` with a full stop at its end, unless it ends in a question or exclamation mark."""
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def any_of(words: Sequence[str]) -> str:
    """Return the words as a choice: `a`, `a or b`, `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
