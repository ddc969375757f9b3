"""Files of the commands that read a journal: the one that is read, and the new one that is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from .._errors import UserError

File = Annotated[Path, typer.Argument(metavar="FILE", help="The journal, or the results whose journal is beside them.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; - or left out for stdout.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file of -o if it exists.")]


@contextmanager
def clear_errors() -> Generator[None]:
    """A block whose errors about a journal are those of the user."""
    from ...batch import StoreError  # not above: it loads the SDK, which most commands do without

    try:
        yield
    except StoreError as error:
        raise UserError(str(error)) from None


def check_output(file: Path, output: Path | None, *, is_forced: bool) -> None:
    """Raise UserError for an output that would replace a file of the batch, or any other without --force."""
    from ...report import files_of

    with clear_errors():
        never = [file, *files_of(file)]
    _check_new(output, is_forced=is_forced, never=never)


def _check_new(path: Path | None, *, is_forced: bool, never: Sequence[Path] = ()) -> None:
    """Raise UserError for a file that exists, unless `is_forced`; always for one of `never`, under any name."""
    if path is None or _is_stream(path):
        return
    if any(_is_same(path, other) for other in never):
        raise UserError(f"-o {path} is a file of the batch; choose another one")
    if path.is_dir() or not path.name:
        raise UserError(f"-o {str(path)!r} is a directory; name a file")
    if not path.parent.is_dir():
        raise UserError(f"the folder of -o {path} does not exist; create it first")
    if not is_forced and (path.exists() or path.is_symlink()):
        raise UserError(f"-o {path} exists; choose another file, or pass --force to replace it")


def write_new(path: Path | None, parts: Iterable[bytes], *, is_forced: bool) -> None:
    """Write the parts to a file, which appears when it is whole; to stdout without a path, or for `-`.

    Raises OSError, and UserError if the file has come to exist meanwhile.
    """
    if path is None or _is_stream(path):
        _write_stream(path, parts)
        return
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            file.writelines(parts)
        _check_new(path, is_forced=is_forced)
        os.replace(part, path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _write_stream(path: Path | None, parts: Iterable[bytes]) -> None:
    if path is not None and str(path) != "-":
        with path.open("wb") as file:
            file.writelines(parts)
        return
    sys.stdout.flush()
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def _is_stream(path: Path) -> bool:
    """Return whether it is stdout, or a pipe or device that cannot be replaced."""
    return str(path) == "-" or (path.exists() and not path.is_file() and not path.is_dir())


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.resolve() == other.resolve() or path.samefile(other)
    except OSError:
        return False
