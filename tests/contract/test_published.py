"""Where catalogs to compare come from, and that those released keep their promise."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from runoutcome import CATALOG_VERSION
from runoutcome.contract import (
    CURRENT,
    ContractError,
    Severity,
    _published,
    diff,
    read_catalog,
    released_between,
    released_versions,
    version_before,
)
from runoutcome.contract._diff import entries_of

DATA = files("runoutcome").joinpath("data")


@pytest.mark.parametrize(("old", "new"), list(pairwise([*released_versions(), CURRENT])))
def test_every_version_announces_its_changes(old: str, new: str) -> None:
    """Each released catalog, and the shipped one, has a version number that covers what changed since the last."""
    found = diff(read_catalog(old), read_catalog(new))
    assert found.is_covered, [change for change in found.changes if change.severity > found.given]


def test_the_first_version_is_kept() -> None:
    """The first catalog is among the released ones."""
    assert released_versions()[0] == "1.0.0"


def test_versions_are_sorted_as_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Released versions are in the order of their numbers, and other files are none."""
    tmp_path.joinpath("released").mkdir()
    for name in ("catalog-1.10.0.json", "catalog-1.9.0.json", "catalog-1.9.1.json", "README.md"):
        tmp_path.joinpath("released", name).touch()
    monkeypatch.setattr(_published, "_DATA", tmp_path)
    assert released_versions() == ["1.9.0", "1.9.1", "1.10.0"]
    assert version_before("1.10.0") == "1.9.1"


def test_a_released_file_is_called_by_its_version() -> None:
    """Each released file holds the version that it is named after."""
    assert [read_catalog(version)["catalog_version"] for version in released_versions()] == released_versions()


def test_an_entry_came_with_the_version_it_names() -> None:
    """A new entry, and a new deprecation, name the version that brought it."""
    for old, new in pairwise([*released_versions(), CURRENT]):
        after = read_catalog(new)
        for change in diff(read_catalog(old), after).changes:
            if change.kind == "entry" and change.what == "added":
                assert entries_of(after)[change.id]["since"] == after["catalog_version"], change
            if change.what == "deprecated":
                assert change.new["since"] == after["catalog_version"], change


def test_current_is_the_shipped_catalog() -> None:
    """`current`, and the version of the shipped catalog, are the shipped catalog."""
    shipped = json.loads(DATA.joinpath("catalog.json").read_bytes())
    assert read_catalog(CURRENT) == read_catalog(CATALOG_VERSION) == shipped


def test_a_path_is_read(tmp_path: Path) -> None:
    """Any other name is the path of a file."""
    path = tmp_path / "mine.json"
    path.write_bytes(DATA.joinpath("released/catalog-1.0.0.json").read_bytes())
    assert read_catalog(str(path)) == read_catalog("1.0.0")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory; give one of 1.0.0"),
        (b"", "is not JSON"),
        (b"[project]", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[]", "is no catalog: the document: "),
        (b"{}", "is no catalog: the document: "),
        (b'{"catalog_version": "1.0.0", "entries": []}', "is missing, and "),
    ],
)
def test_what_is_no_catalog_is_told(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A file that cannot be read, or holds no catalog, is an error of one line that names it."""
    path = tmp_path / "mine.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ContractError, match=re.escape(str(path))) as caught:
        read_catalog(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", ["9.9.9", "0.0.0"])
def test_an_unknown_version_names_those_there_are(version: str) -> None:
    """A version that was never released is an error that lists what can be given."""
    with pytest.raises(ContractError, match=f"no catalog {version}; give one of 1.0.0.*current.*path"):
        read_catalog(version)


def test_the_version_before_is_the_newest_older_one() -> None:
    """Before a version comes the newest released one that is older; before the first there is none."""
    assert version_before("1.0.0") is None
    assert version_before("99.0.0") == released_versions()[-1]
    assert version_before("1.0.1") == "1.0.0"


def test_between_are_neither_of_the_two() -> None:
    """Between two versions are the released ones without these two."""
    between = [document["catalog_version"] for document in released_between("0.0.0", "99.0.0")]
    assert between == released_versions()
    assert released_between("1.0.0", "1.0.0") == []


def test_severities_are_ordered() -> None:
    """Forbidden is worse than breaking, that than minor, that than a patch, and that than nothing."""
    order = [Severity.NONE, Severity.PATCH, Severity.MINOR, Severity.BREAKING, Severity.FORBIDDEN]
    assert sorted(order, reverse=True) == order[::-1]
