"""The file of the commands that read a journal."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .._errors import UserError

File = Annotated[Path, typer.Argument(metavar="FILE", help="The journal, or the results whose journal is beside them.")]


@contextmanager
def clear_errors() -> Generator[None]:
    """A block whose errors about a journal are those of the user."""
    from ...batch import StoreError  # not above: it loads the SDK, which most commands do without

    try:
        yield
    except StoreError as error:
        raise UserError(str(error)) from None
