"""Overlays as they are read: files, mappings, shipped dialects, and everything that is wrong with one."""

from __future__ import annotations

import json
from collections import UserDict
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from bodies import short
from runoutcome import Catalog, CatalogError
from runoutcome._catalog.overlay import dialects, read_overlay

TEXT = """
name = "gateway"
[[entries]]
value = "busy"
error_type = "internal_server_error"
retryable = true
"""
DOCUMENT: dict[str, Any] = {
    "name": "gateway",
    "entries": [{"value": "busy", "error_type": "internal_server_error", "retryable": True}],
}


@pytest.fixture
def toml_file(tmp_path: Path) -> Path:
    """An overlay as a TOML file."""
    path = tmp_path / "mine.toml"
    path.write_text(TEXT, "utf-8")
    return path


def test_toml_json_and_mapping_are_read_alike(tmp_path: Path, toml_file: Path) -> None:
    """The same keys mean the same, whatever they came in."""
    json_file = tmp_path / "mine.json"
    json_file.write_text(json.dumps(DOCUMENT), "utf-8-sig")
    found = [read_overlay(source) for source in (toml_file, str(toml_file), json_file, DOCUMENT, UserDict(DOCUMENT))]
    assert {(overlay.name, json.dumps(overlay.entries)) for overlay in found} == {
        ("gateway", json.dumps(DOCUMENT["entries"]))
    }


def test_a_file_names_an_overlay_without_a_name(tmp_path: Path) -> None:
    """An overlay without a name is called after its file; a mapping without one, `overlay`."""
    path = tmp_path / "our-gateway.toml"
    path.write_text("", "utf-8")
    assert read_overlay(path).name == "our-gateway"
    assert read_overlay({}).name == "overlay"


def test_the_shipped_dialects_have_names() -> None:
    """The shipped dialects are the ones the docs name."""
    assert dialects() == ("azure", "litellm", "ogx", "openrouter", "vllm", "xai")


@pytest.mark.parametrize("name", dialects())
def test_a_dialect_is_read_by_its_name(name: str) -> None:
    """A dialect is called by what names it, and goes on top of the shipped catalog."""
    assert read_overlay(name).name == name
    assert Catalog.load().extend(name).overlays == (name,)


@pytest.mark.parametrize("name", dialects())
def test_a_dialect_gives_words_and_evidence(name: str) -> None:
    """Every row that a dialect adds has a title, a cause, a remedy and evidence of its own."""
    catalog = Catalog.load().extend(name)
    added = [row for row in (*catalog.entries, *catalog.rules) if row.overlay == name]
    assert added
    for row in added:
        assert row.evidence, row
        assert "overlay" not in f"{row.title} {row.cause} {row.remedy}", row


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.toml", "[[entries]\n", "a.toml: is not TOML: "),
        ("a.json", "{", "a.json: is not JSON: "),
        ("a.json", "[" * 100_000, "a.json: is not JSON: "),
        ("a.json", "[]", "a.json: the document: must be a table, and is []"),
        ("a.toml", "x = 1", "a.toml: x: is no key that is allowed here; one of: $schema, name"),
        ("a.toml", 'name = "two words"', 'a.toml: name: "two words" does not have the form'),
        ("a.yaml", "", "not one of azure, litellm, ogx, openrouter, vllm, xai, and no .toml or .json file"),
        ("a.toml", None, "a.toml: cannot be read: No such file or directory"),
        ("a.toml", b"\xff", "a.toml: is not TOML: "),
    ],
    ids=short,
)
def test_a_broken_file_is_told_by_name(tmp_path: Path, name: str, text: str | bytes | None, told: str) -> None:
    """A file that cannot be used is one error that names it and says why."""
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(CatalogError) as caught:
        read_overlay(path)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"rules": [{"id": "a", "pattern": "(", "retryable": False}]}, "rules[0].pattern: is no regular expression"),
        ({"rules": [{"id": "a", "pattern": "Busy", "retryable": False}]}, 'rules[0].pattern: "Busy" does not have the'),
        ({"entries": [{"retryable": True}]}, "entries[0]: needs either a value, or match"),
        ({"entries": [{"match": "null", "value": "x"}]}, "entries[0]: needs either a value, or match"),
        ({"entries": [{"match": "unknown"}]}, 'entries[0].match: "unknown" is not allowed'),
        ({"entries": [{"value": "x", "phase": "pending"}]}, "entries[0].phase: goes with field"),
        ({"entries": [5, "x", None], "rules": 5}, "entries[1]: must be a table"),
        ({5: 6}, "5: is no key"),
    ],
    ids=short,
)
def test_a_wrong_key_is_told_with_its_place(document: dict[Any, Any], told: str) -> None:
    """What is wrong in an overlay is told with its place, before anything is made of it."""
    with pytest.raises(CatalogError) as caught:
        read_overlay(document)
    assert told in str(caught.value)


def test_many_problems_are_told_at_once_but_not_all() -> None:
    """Everything that is wrong is told at once, up to eight lines."""
    with pytest.raises(CatalogError) as caught:
        read_overlay({f"key{number}": 1 for number in range(20)})
    lines = str(caught.value).splitlines()
    assert len(lines) == 9
    assert lines[-1].endswith("and 12 more")


def test_the_error_is_a_value_error() -> None:
    """Who does not know our class can catch ValueError."""
    with pytest.raises(ValueError, match="nothing here"):
        Catalog.load().extend("nothing here")


def test_the_schema_is_shipped_for_editors() -> None:
    """The form of an overlay is a JSON Schema in the package, and every key in it is described or plain."""
    schema = json.loads(files("runoutcome").joinpath("data/overlay.schema.json").read_text("utf-8"))
    assert schema["additionalProperties"] is False
    keys = {"$schema", "name", "version", "description", "entries", "rules", "upstream_error_types"}
    assert set(schema["properties"]) == keys
