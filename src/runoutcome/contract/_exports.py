"""The catalog in other forms: as plain data, as CSV, and by their names all forms that are committed. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry
from ._openapi_overlay import field_overlay_text, overlay_text
from ._typescript import surface_data, typescript_text

_COLUMNS = tuple(spec.name for spec in fields(Entry) if spec.name != "overlay")


def dump(catalog: Catalog) -> dict[str, Any]:
    """Return the catalog as `Catalog.from_dict` reads it, with the changes of overlays.

    Rows of overlays name their overlay, and `overlays` lists all of them, if there are any.
    """
    overlays = {"overlays": list(catalog.overlays)} if catalog.overlays else {}
    return {
        "catalog_version": catalog.version,
        **overlays,
        "surfaces": {name: surface_data(surface) for name, surface in catalog.surfaces.items()},
        "error_types": {name: asdict(row) for name, row in catalog.error_types.items()},
        "http_statuses": {str(status): error_type for status, error_type in catalog.http_statuses.items()},
        "retryable_statuses": sorted(catalog.retryable_statuses),
        "upstream_error_types": dict(catalog.upstream_error_types),
        "entries": [_entry_data(entry) for entry in catalog.entries],
        "rules": [_without_none(asdict(rule), "overlay") for rule in catalog.rules],
    }


def _entry_data(entry: Entry) -> dict[str, Any]:
    row = _without_none(asdict(entry), "overlay", "deprecated")
    views = [_without_none(view, "error_class", "retryable") for view in row["alternatives"]]
    return {**row, "alternatives": views}


def _without_none(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None or name not in names}


def csv_text(catalog: Catalog) -> str:
    """Return the entries as CSV: a header and a line for each entry, in the order of the catalog.

    Null is an empty cell, a flag is `true` or `false`, and a field with parts (`alternatives`, `evidence`,
    `deprecated`) is JSON. No text of the catalog is empty, so that a cell is read back in one way only.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", *_COLUMNS))
    writer.writerows((entry.id, *_cells(entry)) for entry in catalog.entries)
    return text.getvalue()


def _cells(entry: Entry) -> Iterator[str]:
    row = asdict(entry)
    for name in _COLUMNS:
        value: Any = row[name]
        yield "" if value is None else value if isinstance(value, str) else json.dumps(value)


class Export(NamedTuple):
    """One form: its path, relative to the project, and the function that makes its text."""

    path: str
    text: Callable[[Catalog], str]


EXPORTS: Mapping[str, Export] = {
    "csv": Export("exports/catalog.csv", csv_text),
    "openapi-overlay": Export("exports/openapi-overlay.json", overlay_text),
    "openapi-overlay-field": Export("exports/openapi-overlay-field.json", field_overlay_text),
    "typescript": Export("exports/typescript/src/catalog.ts", typescript_text),
}
"""The committed forms, by their names on the command line."""
