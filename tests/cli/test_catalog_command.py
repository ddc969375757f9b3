"""`runoutcome catalog`: the published table, for people, programs and documents."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from command import call, complaint

from runoutcome import Catalog
from runoutcome.contract._exports import EXPORTS

pytestmark = pytest.mark.once
CATALOG = Catalog.load()
ROOT = Path(__file__).parents[2]


def test_json_is_the_published_file() -> None:
    """As JSON the catalog is its published file, to the byte."""
    published = files("runoutcome").joinpath("data/catalog.json").read_bytes()
    assert call("catalog", "--json").stdout.encode() == published


def test_markdown_is_a_table_per_field() -> None:
    """As markdown each field of a surface is a GFM table with one row for each entry, all of one width."""
    text = call("catalog", "--format", "markdown").stdout
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(CATALOG.entries)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}
    assert text.count("### ") == len({(entry.surface, entry.field) for entry in CATALOG.entries})


@pytest.mark.parametrize("name", EXPORTS)
def test_the_committed_forms_are_printed_to_the_byte(name: str) -> None:
    """Each committed form is what the command prints."""
    assert call("catalog", "--format", name).stdout.encode() == ROOT.joinpath(EXPORTS[name].path).read_bytes()


def test_two_formats_at_once_are_refused() -> None:
    """`--json` beside another format is bad usage."""
    assert "--format json" in complaint(call("catalog", "--json", "--format", "markdown"))


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_no_value_and_no_class_is_cut_at_any_width(columns: int) -> None:
    """Each value and each class name is printed whole, however narrow the terminal; tables fit into it."""
    text = call("catalog", COLUMNS=str(columns)).stdout
    values = {entry.value for entry in CATALOG.entries if entry.value}
    classes = {entry.error_class for entry in CATALOG.entries if entry.error_class}
    assert values | classes <= set(text.split())
    assert all(line == line.rstrip() for line in text.splitlines())
    if columns >= 80:
        assert max(map(len, text.splitlines())) <= columns


def test_options_belong_to_the_command_they_follow() -> None:
    """A format before `diff` is bad usage, and the line says where it goes."""
    assert "options go after the command: runoutcome catalog diff" in complaint(call("catalog", "--json", "diff"))


def test_an_unknown_command_is_one_line() -> None:
    """A word after `catalog` that is no command is bad usage."""
    assert "No such command 'nope'" in complaint(call("catalog", "nope"))
