"""A journal of many kinds of ends, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from journals import Made, make


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A batch with every usual end, some of them after a second run."""
    folder = tmp_path_factory.mktemp("mixed")
    world, reports = make(folder)
    yield Made(folder, world, reports)
    world.close()
