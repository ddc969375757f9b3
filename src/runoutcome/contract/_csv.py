"""The rows of the catalog as CSV: one line an entry, every field a column. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry

_COLUMNS = tuple(spec.name for spec in fields(Entry) if spec.name != "overlay")


def csv_text(catalog: Catalog) -> str:
    """A header and a line for each entry, in the order of the catalog.

    Null is an empty cell, a flag is `true` or `false`, and what has parts (`alternatives`, `evidence`, `deprecated`)
    is JSON. No text of the catalog is empty, so that a cell is read back in one way only.
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
        if value is None:
            yield ""
        else:
            yield value if isinstance(value, str) else json.dumps(value)
