"""Pickles of older releases."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from golden.make import PROTOCOLS, facts_of

RELEASES = sorted(path.parent for path in (Path(__file__).parents[1] / "golden").glob("*/facts.json"))
FACTS = {release: json.loads((release / "facts.json").read_text()) for release in RELEASES}
NAMES = [(release, name) for release in RELEASES for name in FACTS[release]]


def within(expected: Any, facts: Any) -> bool:
    """True if all that is expected is there; a later release may add to it."""
    if isinstance(expected, dict):
        return isinstance(facts, dict) and all(within(value, facts.get(name)) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(facts, list) and len(facts) == len(expected) and all(map(within, expected, facts))
    return bool(expected == facts)


def test_there_are_pickles() -> None:
    """Every name has a pickle in each protocol."""
    for release in RELEASES:
        assert {path.name for path in release.glob("*.pickle")} == {
            f"{name}.{n}.pickle" for name in FACTS[release] for n in PROTOCOLS
        }


@pytest.mark.parametrize(("release", "name"), NAMES, ids=lambda value: getattr(value, "name", value))
def test_an_old_pickle_loads(release: Path, name: str) -> None:
    """It gives the same public class with the same facts."""
    for protocol in PROTOCOLS:
        value = pickle.loads((release / f"{name}.{protocol}.pickle").read_bytes())
        assert within(FACTS[release][name], facts_of(value))
