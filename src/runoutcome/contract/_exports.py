"""The forms of the catalog that are committed to the project, by the name that each has on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .._catalog.catalog import Catalog
from ._csv import csv_text
from ._openapi_overlay import overlay_text
from ._typescript import typescript_text


class Export(NamedTuple):
    """One form: where it is committed, relative to the project, and what makes its text."""

    path: str
    text: Callable[[Catalog], str]


EXPORTS: Mapping[str, Export] = {
    "csv": Export("exports/catalog.csv", csv_text),
    "openapi-overlay": Export("exports/openapi-overlay.json", overlay_text),
    "typescript": Export("exports/typescript/src/catalog.ts", typescript_text),
}
