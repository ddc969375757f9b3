"""The fixture of the tests of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batches import Batch, Open


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Open]:
    """Opens a batch in a folder of its own; its world is closed after the test."""
    opened: list[Batch] = []

    def open_batch(*args: Any, **options: Any) -> Batch:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(Batch(folder, *args, **options))
        return opened[-1]

    yield open_batch
    for each in opened:
        each.world.close()
