"""On which line of a TOML text a table or a key stands. Pure; best effort, for the usual layouts.

`tomllib` keeps no positions. What is written inside a value (an inline table, an array over many lines) has the line
of the key that holds the value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

Steps = tuple[str | int, ...]
"""The way to a value: keys, and places in an array of tables from 1: `("outcomes", 2, "code")`."""

_KEY = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_KEYS = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_ARRAY = re.compile(rf"\s*\[\[\s*({_KEYS})\s*\]\]")
_TABLE = re.compile(rf"\s*\[\s*({_KEYS})\s*\]")
_VALUE = re.compile(rf"\s*({_KEYS})\s*=")
_LONG_QUOTES = ('"""', "'''")


def lines_of(toml: str) -> dict[Steps, int]:
    """The line, from 1, of each table and key."""
    found: dict[Steps, int] = {}
    sizes: Counter[Steps] = Counter()
    table: Steps = ()
    quote, depth = "", 0
    for number, line in enumerate(toml.split("\n"), 1):
        if not quote and not depth:
            if header := _ARRAY.match(line):
                table = _resolved(header[1], sizes, is_array=True)
                found[table[:-1]] = found.get(table[:-1], number)
                found[table] = number
            elif header := _TABLE.match(line):
                table = _resolved(header[1], sizes, is_array=False)
                found[table] = number
            elif value := _VALUE.match(line):
                keys = _split(value[1])
                for length in range(1, len(keys) + 1):
                    found.setdefault((*table, *keys[:length]), number)
        quote, depth = _after(line, quote, depth)
    return found


def line_of(steps: Steps, lines: Mapping[Steps, int]) -> int | None:
    """The line of a value, or of the nearest thing around it; None where nothing is known."""
    for length in range(len(steps), 0, -1):
        if line := lines.get(steps[:length]):
            return line
    return None


def _split(keys: str) -> list[str]:
    return [key.strip("\"'") for key in re.findall(_KEY, keys)]


def _resolved(header: str, sizes: Counter[Steps], *, is_array: bool) -> Steps:
    """The way to a table; a name on it that stands for an array means its last table."""
    steps: Steps = ()
    names = _split(header)
    for name in names[:-1] if is_array else names:
        steps = (*steps, name)
        if size := sizes[steps]:
            steps = (*steps, size)
    if is_array:
        steps = (*steps, names[-1])
        sizes[steps] += 1
        steps = (*steps, sizes[steps])
    return steps


def _after(line: str, quote: str, depth: int) -> tuple[str, int]:
    """The long string and the brackets that are open at the end of a line, given those at its start."""
    at = 0
    while at < len(line):
        if quote:
            if quote.startswith('"') and line[at] == "\\":
                at += 2
            elif line.startswith(quote, at):
                at += len(quote)
                quote = ""
            else:
                at += 1
            continue
        if line[at] == "#":
            break
        if line[at] in "\"'":
            quote = line[at : at + 3] if line[at : at + 3] in _LONG_QUOTES else line[at]
            at += len(quote)
            continue
        depth += (line[at] in "[{") - (line[at] in "]}")
        at += 1
    # A short string ends with its line at the latest.
    return quote if quote in _LONG_QUOTES else "", depth
