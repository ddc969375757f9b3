"""The bits of Markdown that the generated pages are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

MARKER = "<!-- Made by: runoutcome catalog pages docs/catalog. What is changed here by hand gets lost. -->"
"""The first line of every generated page."""


def code(text: str) -> str:
    """`text` as it is, in the type of code."""
    word = " ".join(text.split())
    return f"`` {word} ``" if "`" in word else f"`{word}`"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield _row(columns)
    yield f"|{' --- |' * len(columns)}"
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    escaped = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def listed(heading: str, items: Iterable[str]) -> Iterator[str]:
    """The lines of a list under a heading; none for an empty list."""
    lines = [f"- {item}" for item in items]
    if lines:
        yield from (heading, "", *lines, "")


def anchor(name: str) -> Iterator[str]:
    """The lines of a place that links lead to, whatever the heading below it is called."""
    yield from (f'<a id="{name}"></a>', "")
