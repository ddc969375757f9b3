"""The OpenAPI overlays fit a document: each target is there once, and only our own keys are added."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_generated_exports import applied, selected as selected_by_the_book

from runoutcome import Catalog
from runoutcome.contract._exports import EXPORTS
from runoutcome.contract._openapi import openapi_vocabulary
from runoutcome.contract._overlay_check import selected

pytestmark = pytest.mark.once

EXCERPT = Path(__file__).with_name("openapi.yaml")
OVERLAYS = ("openapi-overlay", "openapi-overlay-field")
NESTED = {"misalignment": {"type": "object", "properties": {"code": {"type": "string"}}}}


@pytest.fixture
def document() -> dict[str, Any]:
    """A document of our own in the provider's manner, with responses and batches."""
    document: dict[str, Any] = yaml.safe_load(EXCERPT.read_text("utf-8"))
    return document


@pytest.fixture
def problems(catalog: Catalog, tmp_path: Path) -> Callable[[dict[str, Any]], list[tuple[str, str | None]]]:
    """The findings about the overlays in a document: surface and target."""

    def problems(document: dict[str, Any]) -> list[tuple[str, str | None]]:
        path = tmp_path / "document.json"
        path.write_text(json.dumps(document), "utf-8")
        _, findings = openapi_vocabulary(catalog, path)
        assert {finding.kind for finding in findings} <= {"overlay"}
        return [(finding.surface, finding.value) for finding in findings]

    return problems


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in a document, with its value."""
    yield path, value if not isinstance(value, (dict, list)) else type(value)
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from paths(part, (*path, key))


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_else_is_changed(name: str, document: dict[str, Any], catalog: Catalog) -> None:
    """Applied to a document, an overlay changes nothing, and adds only `x-` keys, or the `outcome` of an error."""
    overlay = json.loads(EXPORTS[name].text(catalog))
    before, after = dict(paths(document)), dict(paths(applied(document, overlay)))
    assert {place: after[place] for place in before} == before
    added = [place for place in after if place not in before]
    assert added
    for place in added:
        ours = [key for key in place if str(key).startswith("x-")] if name == OVERLAYS[0] else ["outcome"]
        assert ours[:1] == [place[len(_longest(place, before))]]


def _longest(place: tuple[Any, ...], known: dict[tuple[Any, ...], Any]) -> tuple[Any, ...]:
    return next(place[:end] for end in range(len(place), -1, -1) if place[:end] in known)


def test_it_fits(document: dict[str, Any], problems: Callable[..., Any]) -> None:
    """A document in the provider's manner has each place once."""
    assert problems(document) == []


def test_the_two_readers_of_paths_agree(document: dict[str, Any], catalog: Catalog) -> None:
    """The check selects what the overlay specification selects."""
    for name in OVERLAYS:
        for action in json.loads(EXPORTS[name].text(catalog))["actions"]:
            assert selected(document, action["target"]) == selected_by_the_book(document, action["target"])
    (properties,) = selected(document, "$.components.schemas['ResponseError'].anyOf[*].properties")
    assert properties.keys() == {"code", "message"}


def test_objects_inside_an_error(document: dict[str, Any], problems: Callable[..., Any], catalog: Catalog) -> None:
    """The field is added to the error itself, not to an object inside it."""
    (properties,) = selected(document, "$.components.schemas['ResponseError'].anyOf[*].properties")
    properties.update(deepcopy(NESTED))
    assert problems(document) == []
    after = applied(document, json.loads(EXPORTS["openapi-overlay-field"].text(catalog)))
    (properties,) = selected(after, "$.components.schemas['ResponseError'].anyOf[*].properties")
    assert "outcome" in properties
    assert properties["misalignment"] == NESTED["misalignment"]


def test_a_place_that_is_gone(document: dict[str, Any], problems: Callable[..., Any]) -> None:
    """A target that leads nowhere is a finding."""
    schemas = document["components"]["schemas"]
    schemas["Codes"] = schemas.pop("ResponseErrorCode")
    schemas["ResponseError"] = {"anyOf": [{"type": "object", "properties": {"code": {"type": "string"}}}]}
    assert problems(document) == [("response", "$.components.schemas['ResponseErrorCode']")]


def test_a_place_that_is_there_twice(document: dict[str, Any], problems: Callable[..., Any]) -> None:
    """A target that leads to two places is a finding."""
    document["components"]["schemas"]["BatchError"]["properties"]["inner"] = NESTED["misalignment"]
    assert problems(document) == [("batch", "$.components.schemas['BatchError']..properties['code']")]


def test_a_place_that_is_taken(document: dict[str, Any], problems: Callable[..., Any]) -> None:
    """A key of ours that the document has already is a finding: it would be overwritten."""
    document["components"]["schemas"]["Response"]["x-runoutcome"] = {}
    document["components"]["schemas"]["BatchError"]["properties"]["outcome"] = {"type": "string"}
    assert problems(document) == [
        ("response", "$.components.schemas['Response']"),
        ("batch", "$.components.schemas['BatchError'].properties"),
    ]


def test_a_place_that_takes_nothing(document: dict[str, Any], problems: Callable[..., Any]) -> None:
    """A schema that is no object is a finding."""
    document["components"]["schemas"]["BatchError"]["properties"]["code"] = True
    assert ("batch", "$.components.schemas['BatchError']..properties['code']") in problems(document)
