"""The catalog against the SDK that is installed: what the SDK's types name must have a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest
from openai.types.responses import ResponseError, ResponseStatus
from openai.types.responses.response import IncompleteDetails

from runoutcome import Catalog

FILE = "src/runoutcome/data/catalog.json"


def literals(annotation: Any) -> set[str]:
    """The texts of every Literal inside an annotation, however deep."""
    if isinstance(annotation, str):
        return {annotation}
    return {text for argument in get_args(annotation) for text in literals(argument)}


def annotation(model: Any, field: str) -> Any:
    """The annotation of a model's field, as any pydantic has it."""
    fields = getattr(model, "model_fields", None) or model.__fields__
    return fields[field].annotation


def sdk_literals() -> dict[str, set[str]]:
    """Field -> the values that the installed SDK names for it."""
    return {
        "error.code": literals(annotation(ResponseError, "code")),
        "incomplete_details.reason": literals(annotation(IncompleteDetails, "reason")),
        "status": literals(ResponseStatus),
    }


def uncovered(catalog: Catalog, named: Mapping[str, set[str]]) -> list[str]:
    """What to do about each value that has no row of its own: one line for each, none if all have."""
    return [
        f"{FILE}: add an entry for {field} = {value!r}, which the installed openai names in its types"
        for field, values in named.items()
        for value in sorted(values)
        if catalog.entry("response", field, "literal", value) is None
    ]


def test_the_sdk_names_values() -> None:
    """The SDK's types still are where this file looks for them."""
    named = sdk_literals()
    assert {"server_error", "rate_limit_exceeded", "image_file_not_found"} <= named["error.code"]
    assert {"max_output_tokens", "content_filter"} <= named["incomplete_details.reason"]
    assert {"queued", "in_progress", "completed", "failed", "incomplete", "cancelled"} <= named["status"]


def test_the_catalog_covers_the_installed_sdk(catalog: Catalog) -> None:
    """Every code, reason and status that the installed SDK names has a row of its own."""
    assert uncovered(catalog, sdk_literals()) == []


@pytest.mark.parametrize("field", ["error.code", "incomplete_details.reason", "status"])
def test_a_new_value_is_told_with_what_to_do(catalog: Catalog, field: str) -> None:
    """A value without a row is told by name, with the field and the file to edit."""
    named = sdk_literals()
    named[field] = named[field] | {"invented_value"}
    (line,) = uncovered(catalog, named)
    assert all(part in line for part in (FILE, field, "'invented_value'"))


def test_a_row_for_another_field_does_not_cover(catalog: Catalog) -> None:
    """A value is covered only by a row of its own field."""
    assert uncovered(catalog, {"status": {"server_error"}}) != []
