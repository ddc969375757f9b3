"""A catalog as plain data again: the form of `data/catalog.json`, with what overlays have changed in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry, Surface


def dump(catalog: Catalog) -> dict[str, Any]:
    """What `Catalog.from_dict` reads. Rows of overlays name them, and `overlays` lists them, where there are any."""
    overlays = {"overlays": list(catalog.overlays)} if catalog.overlays else {}
    return {
        "catalog_version": catalog.version,
        **overlays,
        "surfaces": {name: _surface(place) for name, place in catalog.surfaces.items()},
        "error_types": {name: asdict(row) for name, row in catalog.error_types.items()},
        "http_statuses": {str(status): error_type for status, error_type in catalog.http_statuses.items()},
        "retryable_statuses": sorted(catalog.retryable_statuses),
        "upstream_error_types": dict(catalog.upstream_error_types),
        "entries": [_entry(entry) for entry in catalog.entries],
        "rules": [_without_none(asdict(rule), "overlay") for rule in catalog.rules],
    }


def _surface(place: Surface) -> dict[str, Any]:
    row = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(place).items()}
    return {name: value for name, value in row.items() if name != "name"}


def _entry(entry: Entry) -> dict[str, Any]:
    row = _without_none(asdict(entry), "overlay", "deprecated")
    views = [_without_none(view, "error_class", "retryable") for view in row["alternatives"]]
    return {**row, "alternatives": views}


def _without_none(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None or name not in names}
