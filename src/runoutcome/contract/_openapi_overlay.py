"""The catalog as an OpenAPI Overlay (1.0.0) for the provider's OpenAPI document. Pure.

`overlay_text` adds only `x-` keys: the meaning of each status, code and reason. `field_overlay_text` adds the optional
`outcome` field to the schemas of errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry, Surface

Action = dict[str, Any]

_ERROR_SCHEMAS = {"response": "ResponseError", "batch": "BatchError", "eval.run": "EvalApiError", "video": "Error-2"}
"""Surfaces whose errors have a schema of their own in the provider's document; elsewhere it is written out."""
_CODE_SCHEMAS = {"response": "ResponseErrorCode"}


def overlay_text(catalog: Catalog) -> str:
    """Return the overlay of meanings as JSON, which is YAML too."""
    actions = (action for surface in catalog.surfaces.values() for action in meanings(catalog, surface))
    return _document("Outcomes of runs (unofficial)", catalog, actions)


def field_overlay_text(catalog: Catalog) -> str:
    """Return the overlay that adds the `outcome` field to errors, as JSON."""
    actions = (action for surface in catalog.surfaces.values() for action in fields(surface))
    return _document("The outcome field of errors (unofficial)", catalog, actions)


def _document(title: str, catalog: Catalog, actions: Iterable[Action]) -> str:
    info = {"title": title, "version": catalog.version}
    return json.dumps({"overlay": "1.0.0", "info": info, "actions": list(actions)}, indent=2) + "\n"


def fields(surface: Surface) -> Iterator[Action]:
    """Yield the actions that add the field to the errors of one surface: one of them finds its place.

    The properties of an error are in its schema, or, where it may be null, in a variant of it. An overlay skips a
    target that is not there. A search in depth would also find the objects inside an error.
    """
    if surface.openapi_schema is None or surface.code_field not in surface.decided_by.values():
        return
    schema = json.loads(files("runoutcome").joinpath("data/outcome.schema.json").read_text("utf-8"))
    field = {name: value for name, value in schema.items() if name != "$schema"}
    for variant in ("", ".anyOf[*]"):
        about = f"The outcome field in an error of {surface.name}."
        yield _update(f"{_error(surface)}{variant}.properties", about, {"outcome": field})


def meanings(catalog: Catalog, surface: Surface) -> Iterator[Action]:
    """Yield the actions that add the meanings of one surface; each finds its place."""
    if surface.openapi_schema is None:
        return
    statuses = {"x-runoutcome": _statuses(catalog, surface)}
    yield _update(_schema(surface.openapi_schema), f"What the statuses of {surface.name} mean.", statuses)
    for field in dict.fromkeys(surface.decided_by.values()):
        rows = [row for row in _literals(catalog, surface) if row.field == field]
        if rows:
            update = {"x-runoutcome": _meanings(rows), "x-retryable": [row.value for row in rows if row.retryable]}
            yield _update(_path(surface, field), f"What the values of {field} of {surface.name} amount to.", update)


def _statuses(catalog: Catalog, surface: Surface) -> Action:
    rows = {row.value: row for row in _literals(catalog, surface) if row.field == "status"}
    statuses: dict[str, Action] = {}
    for status in sorted(surface.pending | surface.terminal):
        phase = "pending" if status in surface.pending else "terminal"
        decided = {"decided_by": surface.decided_by[status]} if status in surface.decided_by else _meaning(rows[status])
        statuses[status] = {"phase": phase, "ok": status in surface.completed, **decided}
    return {"surface": surface.name, "catalog_version": catalog.version, "statuses": statuses}


def _literals(catalog: Catalog, surface: Surface) -> Iterator[Entry]:
    return (row for row in catalog.entries if row.surface == surface.name and row.match == "literal")


def _meanings(rows: Iterable[Entry]) -> Mapping[str, Action]:
    return {str(row.value): _meaning(row) for row in rows}


def _meaning(row: Entry) -> Action:
    return {
        "error_type": row.error_type,
        "error_class": row.error_class,
        "status_code": row.status_code,
        "retryable": row.retryable,
        "action": row.action,
        "description": f"{row.title}. {row.cause}",
    }


def _path(surface: Surface, field: str) -> str:
    if field == surface.code_field:
        named = _CODE_SCHEMAS.get(surface.name)
        return _schema(named) if named else f"{_error(surface)}..properties['code']"
    return _schema(surface.openapi_schema) + _properties(field)


def _error(surface: Surface) -> str:
    """Return the path of the schema of an error: JSONPath does not follow a `$ref`."""
    named = _ERROR_SCHEMAS.get(surface.name)
    return _schema(named) if named else _schema(surface.openapi_schema) + _properties(surface.failure_field)


def _schema(name: str | None) -> str:
    return f"$.components.schemas['{name}']"


def _properties(path: str) -> str:
    """Return the property at the end of `path`, also if each schema on the way is a variant in an `anyOf`."""
    return "".join(f"..properties['{name}']" for name in path.split("."))


def _update(target: str, description: str, update: Action) -> Action:
    return {"target": target, "description": description, "update": update}
