"""Pickles that an older release wrote."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from golden.make import PROTOCOLS, facts_of

RELEASES = sorted(path.parent for path in (Path(__file__).parents[1] / "golden").glob("*/facts.json"))
PICKLES = [path for release in RELEASES for path in sorted(release.glob("*.pickle"))]


def within(expected: Any, found: Any) -> bool:
    """Whether all that is expected is found; what a later release adds beside it is no fault."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(within(value, found.get(name)) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(within, expected, found))
    return bool(expected == found)


def test_there_are_pickles() -> None:
    """Every name has a pickle in each protocol."""
    for release in RELEASES:
        names = json.loads((release / "facts.json").read_text())
        assert {path.name for path in release.glob("*.pickle")} == {
            f"{name}.{n}.pickle" for name in names for n in PROTOCOLS
        }


@pytest.mark.parametrize("path", PICKLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_pickle_loads(path: Path) -> None:
    """It gives the same public class, with all that was told by it."""
    expected = json.loads((path.parent / "facts.json").read_text())[path.name.partition(".")[0]]
    assert within(expected, facts_of(pickle.loads(path.read_bytes())))
