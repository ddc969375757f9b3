"""Lines of tables and keys in a TOML text, which `tomllib` does not keep. Pure; best effort, for the usual layouts.

A value inside another one (in an inline table, or an array over several lines) has the line of the outer key.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from ..._catalog.validator import Path

_KEY = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_KEYS = rf"({_KEY}(?:[ \t]*\.[ \t]*{_KEY})*)[ \t]*"
_HEADER = re.compile(rf"[ \t]*(\[)?\[[ \t]*{_KEYS}\](?(1)\])")
_VALUE = re.compile(rf"[ \t]*{_KEYS}=")
_TOKEN = re.compile(
    r"""\#[^\n]*
    |\"""(?:\\.|[^\\])*?(?:\"""|\Z)   | '''.*?(?:'''|\Z)
    |"(?:\\[^\n]|[^"\\\n])*"?         | '[^'\n]*'?
    |[\[{] | [\]}] | \n""",
    re.DOTALL | re.VERBOSE,
)


def lines_of(toml: str) -> dict[Path, int]:
    """The line, from 1, of each table and key."""
    lines: dict[Path, int] = {}
    sizes: Counter[Path] = Counter()
    table: Path = ()
    for number, start in _statements(toml):
        if header := _HEADER.match(toml, start):
            table = _table_path(_split(header[2]), sizes, is_array=bool(header[1]))
            if header[1]:
                lines.setdefault(table[:-1], number)
            lines[table] = number
        elif value := _VALUE.match(toml, start):
            keys = _split(value[1])
            for length in range(1, len(keys) + 1):
                lines.setdefault((*table, *keys[:length]), number)
    return lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """The line of a value, else of the nearest table around it; None if neither is known."""
    return next((lines[path[:length]] for length in range(len(path), 0, -1) if path[:length] in lines), None)


def too_deep(toml: str, most: int) -> int | None:
    """The first line, from 1, on which brackets are nested more than `most` deep; None without one."""
    number, depth = 1, 0
    for token in _TOKEN.finditer(toml):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > most:
            return number
        number += token[0].count("\n")
    return None


def _statements(toml: str) -> Iterator[tuple[int, int]]:
    """Number and offset of each line that does not begin within a value."""
    yield 1, 0
    number, depth = 1, 0
    for token in _TOKEN.finditer(toml):
        text = token[0]
        number += text.count("\n")
        depth += (text in "[{") - (text in "]}")
        if text == "\n" and not depth:
            yield number, token.end()


def _split(keys: str) -> list[str]:
    return [key.strip("\"'") for key in re.findall(_KEY, keys)]


def _table_path(names: list[str], sizes: Counter[Path], *, is_array: bool) -> Path:
    """The path of a table; on its way, the name of an array stands for the last table of the array."""
    path: Path = ()
    for depth, name in enumerate(names, 1):
        path = (*path, name)
        sizes[path] += is_array and depth == len(names)
        if size := sizes[path]:
            path = (*path, size - 1)
    return path
