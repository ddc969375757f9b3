"""Checks sources without running or importing them; each mistake is a `Finding`."""

import io
import os
import re
import stat
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ._module import Module
from ._rules import RULES

PAGE = "docs/doctor.md"
LARGEST_BYTES = 4 * 1024 * 1024
"""A source written by hand is smaller, and the syntax tree of a larger one takes a hundred times its size."""

_SKIPPED = frozenset({"node_modules", "build", "dist", "site-packages", "__pycache__"})
_ENVIRONMENT = "pyvenv.cfg"
"""A file that a virtual environment of any name has at its top."""

_METHODS = re.compile(r"\.\s*(retrieve|create|cancel|parse)\b")
"""Methods that rules look for: a source without any of these names has no finding."""


@dataclass(frozen=True, order=True)
class Finding:
    """A known mistake in a source."""

    __module__ = "runoutcome.doctor"

    file: str
    line: int
    rule: str
    message: str
    fix: str

    @property
    def docs(self) -> str:
        """Page and anchor that explain the rule."""
        return f"{PAGE}#{self.rule}"

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        names = ("file", "line", "rule", "message", "fix", "docs")
        return {name: getattr(self, name) for name in names}


class SourceError(Exception):
    """A file or directory that could not be read, and why."""

    __module__ = "runoutcome.doctor"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def check_source(text: str, name: str = "<source>") -> list[Finding]:
    """Return the findings in the source `text`, by line. Raises SourceError if it is not Python."""
    try:
        module = Module.parse(text)
        findings = set(_findings(module, name)) if _METHODS.search(text) else set[Finding]()
    except SyntaxError as error:
        raise SourceError(name, f"line {error.lineno or 1}: {error.msg}") from error
    except ValueError as error:
        raise SourceError(name, str(error)) from error
    except (RecursionError, MemoryError) as error:
        raise SourceError(name, "nested too deeply") from error
    return sorted(findings)


def check_paths(paths: Iterable[Path], tell: Callable[[SourceError], None]) -> Iterator[list[Finding]]:
    """Yield the findings of each file, one file after the other; `tell` gets an error for each unreadable one.

    Reads every file in `paths`, and the `*.py` files below every directory in it, each once, sorted within a directory.
    Environments, builds and hidden directories are left out unless they are in `paths`; links to directories are not
    followed.
    """
    for file in _find_files(paths, tell):
        try:
            yield check_source(_read_text(file), str(file))
        except SourceError as error:
            tell(error)


def _findings(module: Module, name: str) -> Iterator[Finding]:
    for rule in RULES:
        for hit in rule.find(module):
            if not module.is_ignored(hit.line, rule.id):
                yield Finding(name, hit.line, rule.id, hit.message, rule.fix)


def _find_files(paths: Iterable[Path], tell: Callable[[SourceError], None]) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for path in paths:
        for file in _below(path, tell) if path.is_dir() else [path]:
            try:
                status = file.stat()
            except OSError as error:
                tell(SourceError(str(file), error.strerror or "cannot be read"))
                continue
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                yield file


def _below(top: Path, tell: Callable[[SourceError], None]) -> Iterator[Path]:
    def on_error(error: OSError) -> None:
        tell(SourceError(str(error.filename), error.strerror or "cannot be listed"))

    for directory, directories, files in os.walk(top, onerror=on_error):
        folder = Path(directory)
        directories[:] = sorted(name for name in directories if not _is_skipped(folder / name))
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith("."):
                yield folder / name


def _is_skipped(directory: Path) -> bool:
    name = directory.name
    return name.startswith(".") or name in _SKIPPED or (directory / _ENVIRONMENT).exists()


def _read_text(path: Path) -> str:
    """Return the source in `path`, decoded as Python does it. Raises SourceError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(str(path), "not a regular file")
        if status.st_size > LARGEST_BYTES:
            raise SourceError(str(path), f"larger than {LARGEST_BYTES // 1024 // 1024} MiB")
        return _decode(path.read_bytes())
    except OSError as error:
        raise SourceError(str(path), error.strerror or "cannot be read") from error
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise SourceError(str(path), f"cannot be decoded: {error}") from error


def _decode(content: bytes) -> str:
    """Decode by byte order mark or coding line (PEP 263), with line ends as line feeds."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return io.TextIOWrapper(io.BytesIO(content), encoding).read()
