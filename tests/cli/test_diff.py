"""`runoutcome catalog diff`: two versions of the catalog, for people and programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint

from runoutcome import CATALOG_VERSION
from runoutcome.contract import CURRENT, diff, read_catalog, version_before

pytestmark = pytest.mark.once
Made = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Files of catalogs: 1.0.0 with another version number and the fields of its first entry changed."""

    def made(version: str, **fields: Any) -> Path:
        document = json.loads(json.dumps(read_catalog("1.0.0")))
        document["catalog_version"] = version
        document["entries"][0].update(fields)
        path = tmp_path / f"{version}.json"
        path.write_text(json.dumps(document), "utf-8")
        return path

    return made


def test_the_last_version_is_compared_with_the_shipped_one() -> None:
    """Without arguments the version before the shipped one is compared with it, and JSON has every change."""
    done = call("catalog", "diff", "--json")
    old = version_before(CATALOG_VERSION) or CATALOG_VERSION
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == diff(read_catalog(old), read_catalog(CURRENT)).to_dict()
    assert call("catalog", "diff", old, CURRENT, "--format", "json").stdout == done.stdout


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_the_table_has_every_change(made: Made, columns: str) -> None:
    """As a table each change is there with its id whole, under its severity and kind."""
    path = made("2.0.0", retryable=False, action="none", title="Another")
    text = call("catalog", "diff", "1.0.0", path, COLUMNS=columns).stdout
    headings = [line for line in text.splitlines() if line.endswith(": entry")]
    assert headings == ["breaking: entry", "minor: entry", "patch: entry"]
    assert text.count(f"{read_catalog('1.0.0')['entries'][0]['field']}/") == 3
    assert "2.0.0 is a major version, and no change needs more." in " ".join(text.split())


@pytest.mark.parametrize(
    ("version", "fields", "exit_code", "said"),
    [
        ("1.0.1", {"title": "Another"}, 0, "is a patch version, and no change needs more"),
        ("1.0.1", {"action": "resubmit_later"}, 1, "is a patch version, and the changes need a minor one: 1.1.0"),
        ("1.1.0", {"error_class": "APIError"}, 1, "is a minor version, and the changes need a major one: 2.0.0"),
        ("2.0.0", {"error_class": "APIError"}, 0, "is a major version, and no change needs more"),
        ("2.0.0", {"value": "renamed"}, 1, "no number makes up for a forbidden change"),
        ("1.0.0", {"title": "Another"}, 1, "is no new version, and the changes need a patch one: 1.0.1"),
        ("1.0.0", {}, 0, "no change."),
    ],
)
def test_the_exit_code_says_whether_the_number_fits(
    made: Made, version: str, fields: dict[str, Any], exit_code: int, said: str
) -> None:
    """The last line says what the version number announces, and the exit code is 1 where that is too little."""
    done = call("catalog", "diff", "1.0.0", made(version, **fields), COLUMNS="200")
    assert (done.returncode, done.stderr) == (exit_code, "")
    assert said in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("9.9.9",), "there is no catalog 9.9.9; give one of 1.0.0"),
        (("1.0.0", "nothing.json"), "nothing.json cannot be read"),
        (("1.0.0", __file__), "is not JSON"),
        (("1.0.0", "current", "--json", "--format", "table"), "--json is the same as --format json"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], said: str) -> None:
    """A version or file that cannot be compared is one line that says what to do."""
    assert said in complaint(call("catalog", "diff", *words))


def test_the_older_one_comes_first(made: Made) -> None:
    """Versions the wrong way round are one line that says so."""
    path = made("1.5.0")
    assert f"{path} is newer than 1.0.0; give the older one first" in complaint(call("catalog", "diff", path, "1.0.0"))


def test_a_dialect_is_compared_with_its_version_before() -> None:
    """A dialect alone is compared with the release before, one with a version with the shipped one."""
    for words in (("azure",), ("azure@1.0.0",), ("azure@1.0.0", "azure"), ("azure@1.0.0", "azure@1.1.0")):
        done = call("catalog", "diff", *words, "--json")
        document = json.loads(done.stdout)
        assert (done.returncode, document["from"], document["to"], document["needed"]) == (0, "1.0.0", "1.1.0", "minor")
        added = {change["id"] for change in document["changes"] if change["what"] == "added"}
        assert "response/error.code/storage_error" in added


def test_files_of_an_overlay_are_compared(tmp_path: Path) -> None:
    """Two files of an overlay are compared whatever they are called, and a change of an answer is breaking."""
    row = {"value": "busy", "error_type": "rate_limit_error", "retryable": False}
    for name, version, retryable in (("old", "1.0.0", False), ("new", "1.1.0", True)):
        document = {"version": version, "entries": [{**row, "retryable": retryable}]}
        tmp_path.joinpath(f"{name}.json").write_text(json.dumps(document), "utf-8")
    done = call("catalog", "diff", tmp_path / "old.json", tmp_path / "new.json", "--json")
    changes = [change for change in json.loads(done.stdout)["changes"] if change["severity"] != "patch"]
    assert done.returncode == 1
    assert [(change["severity"], change["field"]) for change in changes] == [
        ("breaking", "retryable"),
        ("minor", "action"),
    ]


def test_an_overlay_without_a_version_cannot_be_compared(tmp_path: Path) -> None:
    """An overlay that does not say its version is one line that asks for it."""
    path = tmp_path / "mine.toml"
    path.write_text("[upstream_error_types]\nx = 'rate_limit_error'\n", "utf-8")
    assert 'has no version to compare; give it version = "1.0.0"' in complaint(call("catalog", "diff", path, path))


@pytest.mark.parametrize("overlays", ["", "azure", "azure:litellm"])
def test_the_output_of_the_catalog_command_is_read(tmp_path: Path, overlays: str) -> None:
    """What `catalog --json` prints is compared with the catalog in use, also with overlays."""
    path = tmp_path / "before.json"
    environment = {"RUNOUTCOME_CATALOG": overlays.replace(":", os.pathsep)}
    path.write_text(call("catalog", "--json", **environment).stdout, "utf-8")
    done = call("catalog", "diff", path, **environment)
    assert (done.returncode, done.stdout.split(": ")[-1]) == (0, "no change.\n")


def test_like_is_compared_with_like(tmp_path: Path) -> None:
    """A catalog with overlays is not compared with one without."""
    path = tmp_path / "before.json"
    path.write_text(call("catalog", "--json", RUNOUTCOME_CATALOG="azure").stdout, "utf-8")
    for words in ((path,), (path, "1.1.0"), ("azure", "1.2.0")):
        assert "has the overlays azure, and" in complaint(call("catalog", "diff", *words))


def test_a_broken_document_with_overlays_is_one_line(tmp_path: Path) -> None:
    """A file that names overlays and is no catalog is one line that names it."""
    path = tmp_path / "before.json"
    path.write_text('{"catalog_version": "1.0.0", "overlays": ["x"]}', "utf-8")
    assert f"{path} is no catalog: KeyError" in complaint(call("catalog", "diff", path))
