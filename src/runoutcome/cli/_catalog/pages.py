"""`runoutcome catalog pages`: a page of documentation for each value of the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._environment import catalog_in_use
from .._errors import Exit, UserError, exit_codes
from .._output.console import print_line, stdout

EXIT_CODES = exit_codes(Exit.DONE, Exit.USAGE)


def pages(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")]) -> None:
    """Write a page for each value of the catalog, and an index.

    Pages of values that are gone are removed. A file that this command did not write is never touched.
    """
    from ...contract._pages import MARKER, pages as pages_of  # not above: the exception classes load the SDK

    texts = {name: text.encode() for name, text in pages_of(catalog_in_use()).items()}
    before = _written_before(directory, MARKER)
    foreign = sorted(name for name in texts if name not in before and (directory / name).exists())
    if foreign:
        raise UserError(f"{directory / foreign[0]} was not written by this command; move it away, or name another DIR")
    directory.mkdir(parents=True, exist_ok=True)
    changed = [name for name, text in texts.items() if before.get(name) != text]
    gone = before.keys() - texts.keys()
    for name in changed:
        (directory / name).write_bytes(texts[name])
    for name in gone:
        (directory / name).unlink()
    print_line(stdout(), f"{len(texts)} pages in {directory}: {len(changed)} written, {len(gone)} removed.")


def _written_before(directory: Path, marker: str) -> dict[str, bytes]:
    """The pages of the directory that an earlier call wrote, by their names."""
    if not directory.exists():
        return {}
    found = {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix == ".md" and path.is_file()}
    return {name: text for name, text in found.items() if text.startswith(marker.encode())}
