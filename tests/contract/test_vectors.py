"""The conformance vectors: this implementation gives what they say, and together they touch all of the catalog."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from vectors import PATH, ROOT, VECTORS, agree, outcome_of

from runoutcome import Catalog, Outcome
from runoutcome._catalog.rows import ACTIONS, ERROR_TYPES

GENERATOR = ROOT / "conformance" / "generate.py"
RENEW = "python conformance/generate.py"


def carried(body: Any) -> list[Any]:
    """The body as a value, as JSON text and as bytes; a text is what came off the wire already."""
    text = body if isinstance(body, str) else json.dumps(body)
    return [body, text, text.encode()]


def test_every_vector_comes_out_as_it_says() -> None:
    """The body of a vector, as a value, as JSON text and as bytes, has the vector's outcome."""
    outcomes = [(vector, outcome_of(vector, body)) for vector in VECTORS for body in carried(vector["body"])]
    assert [(vector["name"], outcome) for vector, outcome in outcomes if not agree(vector["outcome"], outcome)] == []


def test_the_vectors_are_what_the_generator_writes(tmp_path: Path) -> None:
    """`vectors.json` is what the rows and the cases amount to now."""
    target = tmp_path / "vectors.json"
    subprocess.run([sys.executable, str(GENERATOR), str(target)], check=True)
    assert target.read_bytes() == PATH.read_bytes(), f"{PATH.name} is stale; {RENEW} renews it"


def test_the_names_are_unique_slugs() -> None:
    """No two vectors share a name, and each name fits in a URL and in a command line."""
    names = Counter(vector["name"] for vector in VECTORS)
    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]+([._-]+[a-z0-9]+)*", name)] == []


def test_there_are_enough() -> None:
    """There are at least 300 vectors, of which at least 150 were thought of by hand."""
    by_hand = [json.loads(path.read_text("utf-8")).get("cases", ()) for path in GENERATOR.parent.glob("cases/*.json")]
    assert len(VECTORS) >= 300
    assert sum(map(len, by_hand)) >= 150


def test_a_vector_has_every_field() -> None:
    """A vector has a sentence, a body, and every field of an outcome but those that say who judged."""
    fields = Outcome("unknown").to_dict().keys() - {"catalog_version", "overlay"}
    for vector in VECTORS:
        assert vector["outcome"].keys() == fields, vector["name"]
        assert vector.keys() - {"surface"} == {"name", "about", "body", "outcome"}
        assert vector["about"].endswith(".")


def test_no_expectation_contradicts_itself() -> None:
    """What a vector expects is retryable exactly if the action is to submit again, and completed only if it ended."""
    for vector in VECTORS:
        expected = vector["outcome"]
        assert expected["retryable"] is (expected["action"] in ("resubmit", "resubmit_later")), vector["name"]
        assert not expected["ok"] or (expected["phase"], expected["error_type"]) == ("terminal", None), vector["name"]


def met(field: str) -> set[Any]:
    """Every value that the vectors expect in this field."""
    return {vector["outcome"][field] for vector in VECTORS}


def test_every_row_has_a_vector(catalog: Catalog) -> None:
    """Every row of the catalog decides about some vector, or is met by one where another field says more."""
    statuses = {(vector["outcome"]["surface"], vector["outcome"]["status"]) for vector in VECTORS}
    decided = met("entry")
    for entry in catalog.entries:
        if entry.field == "status" and entry.value in catalog.surfaces[entry.surface].decided_by:
            assert (entry.surface, entry.value) in statuses, entry.id
        elif entry.field != catalog.surfaces[entry.surface].output_field:  # words for a completed run
            assert entry.id in decided, entry.id


def test_every_word_of_an_outcome_has_a_vector(catalog: Catalog) -> None:
    """Every surface, rule, phase, action and error type is in the outcome of some vector."""
    assert met("surface") >= set(catalog.surfaces)
    assert met("rule") >= {rule.id for rule in catalog.rules}
    assert met("phase") == {"pending", "terminal", "unknown"}
    assert met("action") == set(ACTIONS)
    assert met("error_type") >= set(ERROR_TYPES)


def test_every_status_of_a_surface_has_a_vector(catalog: Catalog) -> None:
    """Every status of every surface is the status of some vector."""
    statuses = {(vector["outcome"]["surface"], vector["outcome"]["status"]) for vector in VECTORS}
    for place in catalog.surfaces.values():
        assert {(place.name, status) for status in place.pending | place.terminal} <= statuses


def test_every_type_and_number_has_a_vector(catalog: Catalog) -> None:
    """Every type that may be beside an error, and every HTTP status with a class, is in some vector's body."""
    bodies = [json.dumps(vector["body"]) for vector in VECTORS if vector["outcome"]["status"] == "failed"]
    for word in (*catalog.upstream_error_types, *catalog.error_types):
        assert any(f'"type": "{word}"' in body for body in bodies), word
    for status in (*catalog.http_statuses, *catalog.retryable_statuses):
        assert any(f'"code": {status}' in body or f'"code": "{status}"' in body for body in bodies), status


RELEASED = sorted(PATH.parent.glob("released/*.json"))
CHANGELOG = files("runoutcome").joinpath("data/CHANGELOG.md").read_text("utf-8")


def differences(path: Path) -> dict[str, tuple[Any, Any]]:
    """Name -> the published outcome and that of this code, of each vector of a release that comes out differently."""
    found: dict[str, tuple[Any, Any]] = {}
    for vector in json.loads(path.read_text("utf-8")):
        before = vector["outcome"]
        after = outcome_of(vector, vector["body"])
        if not agree(before, {name: after[name] for name in before}):
            found[vector["name"]] = (before, after)
    return found


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_a_released_vector_stays(path: Path) -> None:
    """A released vector is still there, with the same surface and body."""
    now = {vector["name"]: vector for vector in VECTORS}
    for vector in json.loads(path.read_text("utf-8")):
        kept = now[vector["name"]]
        assert (kept.get("surface"), kept["body"]) == (vector.get("surface"), vector["body"]), vector["name"]


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_a_published_answer_keeps_the_promise(path: Path, catalog: Catalog) -> None:
    """No body becomes retryable but by a row for its literal code, and what a row decided keeps class and status."""
    rows = {entry.id: entry for entry in catalog.entries}
    for name, (before, after) in differences(path).items():
        if after["retryable"] and not before["retryable"]:
            assert after["known"], name
            assert not before["known"], name
            assert rows[after["entry"]].match == "literal", name
        if before["known"]:
            promised = ("phase", "ok", "error_class", "error_type", "status_code", "known", "entry")
            assert {field: after[field] for field in promised} == {field: before[field] for field in promised}, name


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_the_changelog_names_every_difference(path: Path) -> None:
    """The changelog of the catalog names exactly the published vectors that come out differently."""
    version = path.stem.removeprefix("vectors-")
    newer = CHANGELOG.partition(f"\n## {version}\n")[0]
    lists = re.findall(r"\n\*\*Published vectors that come out differently\*\*(.*?)\n(?=## |$)", newer, re.DOTALL)
    published = {vector["name"] for vector in json.loads(path.read_text("utf-8"))}
    named = {word for text in lists for word in re.findall(r"`([^`]+)`", text)} & published
    assert named == set(differences(path))
