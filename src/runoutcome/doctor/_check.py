"""Checking one source, and all sources below some paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ._findings import Finding
from ._module import Module
from ._rules import RULES
from ._source import SourceError, find_files, read_text

_WORTH_A_LOOK = re.compile(r"\.\s*(retrieve|create|cancel|parse)\b")
"""Without a method of one of these names no rule has anything to find."""


def check_source(text: str, name: str = "<source>") -> list[Finding]:
    """The findings in the source `text`, by line. Raises SourceError if it is no Python."""
    try:
        module = Module.parse(text)
        found = set(_found(module, name)) if _WORTH_A_LOOK.search(text) else set[Finding]()
    except SyntaxError as error:
        raise SourceError(name, f"line {error.lineno or 1}: {error.msg}") from error
    except ValueError as error:
        raise SourceError(name, str(error)) from error
    except (RecursionError, MemoryError) as error:
        raise SourceError(name, "nested too deeply") from error
    return sorted(found)


def check_paths(paths: Iterable[Path], tell: Callable[[SourceError], None]) -> Iterator[list[Finding]]:
    """The findings of each file there is, one file after the other; what cannot be read is told and left out."""
    for file in find_files(paths, tell):
        try:
            yield check_source(read_text(file), str(file))
        except SourceError as error:
            tell(error)


def _found(module: Module, name: str) -> Iterator[Finding]:
    for rule in RULES:
        for hit in rule.find(module):
            if not module.is_ignored(hit.line, rule.id):
                yield Finding(name, hit.line, rule.id, hit.message, rule.fix)
