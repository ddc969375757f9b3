"""Which files there are to read, and their text. Nothing here runs or imports what it reads."""

from __future__ import annotations

import io
import os
import stat
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

LARGEST_BYTES = 4 * 1024 * 1024
"""No source written by hand is larger, and the syntax tree of one takes a hundred times its size."""

_SKIPPED = frozenset({"node_modules", "build", "dist", "site-packages", "__pycache__"})
_ENVIRONMENT = "pyvenv.cfg"
"""What a virtual environment of any name has at its top."""


class SourceError(Exception):
    """A file or directory that could not be read, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def find_files(paths: Iterable[Path], tell: Callable[[SourceError], None]) -> Iterator[Path]:
    """Every file given, and the `*.py` files below every directory given, each once, sorted within a directory.

    Directories that hold no source of one's own are left out unless they are given themselves, links to directories
    are not followed, and a directory that cannot be listed is told and left out.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        for file in _below(path, tell) if path.is_dir() else [path]:
            try:
                found = file.stat()
            except OSError as error:
                tell(SourceError(str(file), error.strerror or "cannot be read"))
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                yield file


def read_text(path: Path) -> str:
    """The source in `path`, decoded as Python does it. Raises SourceError."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(str(path), "not a regular file")
        if found.st_size > LARGEST_BYTES:
            raise SourceError(str(path), f"larger than {LARGEST_BYTES // 1024 // 1024} MiB")
        return decode(path.read_bytes())
    except OSError as error:
        raise SourceError(str(path), error.strerror or "cannot be read") from error
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise SourceError(str(path), f"cannot be decoded: {error}") from error


def decode(content: bytes) -> str:
    """`content` by its byte order mark or its coding line (PEP 263), with line ends as line feeds."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return io.TextIOWrapper(io.BytesIO(content), encoding).read()


def _below(top: Path, tell: Callable[[SourceError], None]) -> Iterator[Path]:
    def told(error: OSError) -> None:
        tell(SourceError(str(error.filename), error.strerror or "cannot be listed"))

    for directory, directories, files in os.walk(top, onerror=told):
        here = Path(directory)
        directories[:] = sorted(name for name in directories if not _is_skipped(here / name))
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith("."):
                yield here / name


def _is_skipped(directory: Path) -> bool:
    name = directory.name
    return name.startswith(".") or name in _SKIPPED or (directory / _ENVIRONMENT).exists()
