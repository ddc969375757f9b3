"""Docstrings name the thing or the action first: "Argument checks", not "What is checked of an argument"."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "runoutcome"
RIDDLES = frozenset({"What", "Who", "Whoever", "Whatever", "Nobody", "Whether"})
CLEAN = (
    *("__init__", "__main__", "_checks", "_errors", "_operations", "_outcome", "_runs", "_waiting"),
    *("asgi", "batch", "cli", "contract", "doctor", "pytest_plugin", "webhooks"),
)
"""Rooms and root modules whose docstrings are mended: widen this, until every room is in it."""


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring of modules, classes, functions and attributes: every bare string."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text


def riddles(room: str) -> list[str]:
    """`file:line: beginning` of each docstring in a room that begins with a riddle."""
    paths = sorted((SOURCE / room).rglob("*.py")) or [SOURCE / f"{room}.py"]
    return [
        f"{path.relative_to(SOURCE)}:{line}: {text.strip()[:60]}"
        for path in paths
        for line, text in docstrings(ast.parse(path.read_text("utf-8")))
        if text.split(maxsplit=1)[:1] and text.split(maxsplit=1)[0] in RIDDLES
    ]


@pytest.mark.once
@pytest.mark.parametrize("room", CLEAN)
def test_docstrings_begin_with_a_noun_or_a_verb(room: str) -> None:
    """No docstring of the room begins with What, Who, Whoever, Whatever, Nobody or Whether."""
    assert riddles(room) == []


def test_the_rooms_are_there() -> None:
    """Each name in `CLEAN` is a room or a module."""
    assert [room for room in CLEAN if not ((SOURCE / room).is_dir() or (SOURCE / f"{room}.py").is_file())] == []
