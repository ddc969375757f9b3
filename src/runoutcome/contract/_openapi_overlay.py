"""The catalog as an OpenAPI Overlay (1.0.0) for the provider's OpenAPI document. Pure.

It restricts no body. It adds to the schemas of errors the optional `type`, `retryable` and `action` that the lookup
believes, and `x-runoutcome`: the meaning of each status, code and reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.rows import ACTIONS, ERROR_TYPES, Entry, Surface

Action = dict[str, Any]

_ERROR_SCHEMAS = {"response": "ResponseError", "batch": "BatchError", "eval.run": "EvalApiError", "video": "Error-2"}
"""Surfaces whose errors have a schema of their own in the provider's document; elsewhere it is written out."""
_CODE_SCHEMAS = {"response": "ResponseErrorCode"}
_TYPED = frozenset({"realtime.response"})
"""Surfaces whose errors have a `type` already, with the server's own words."""


def overlay_text(catalog: Catalog) -> str:
    """Return the overlay document as JSON, which is YAML too."""
    document = {
        "overlay": "1.0.0",
        "info": {"title": "What the outcomes of runs amount to (unofficial)", "version": catalog.version},
        "actions": list(_actions(catalog)),
    }
    return json.dumps(document, indent=2) + "\n"


def _actions(catalog: Catalog) -> Iterator[Action]:
    for surface in catalog.surfaces.values():
        if surface.openapi_schema is None:
            continue
        statuses = {"x-runoutcome": _statuses(catalog, surface)}
        yield _update(_schema(surface.openapi_schema), f"What the statuses of {surface.name} mean.", statuses)
        for field in dict.fromkeys(surface.decided_by.values()):
            rows = [row for row in _literals(catalog, surface) if row.field == field]
            if rows:
                update = {"x-runoutcome": _meanings(rows), "x-retryable": [row.value for row in rows if row.retryable]}
                yield _update(_path(surface, field), f"What the values of {field} of {surface.name} amount to.", update)
        if surface.code_field in surface.decided_by.values():
            about = f"What an error of {surface.name} may say about itself."
            yield _update(f"{_error(surface)}..properties", about, _added(surface))


def _statuses(catalog: Catalog, surface: Surface) -> Action:
    rows = {row.value: row for row in _literals(catalog, surface) if row.field == "status"}
    statuses: dict[str, Action] = {}
    for status in sorted(surface.pending | surface.terminal):
        phase = "pending" if status in surface.pending else "terminal"
        decided = {"decided_by": surface.decided_by[status]} if status in surface.decided_by else _meaning(rows[status])
        statuses[status] = {"phase": phase, "ok": status in surface.completed, **decided}
    return {"surface": surface.name, "catalog_version": catalog.version, "statuses": statuses}


def _added(surface: Surface) -> Action:
    """Return the properties of an error that the lookup believes if the catalog has no row for the code."""
    kind = {"type": "string", "enum": list(ERROR_TYPES), "description": "The stable class of the failure."}
    return {
        **({} if surface.name in _TYPED else {"type": kind}),
        "retryable": {"type": "boolean", "description": "Whether an identical new run may succeed."},
        "action": {"type": "string", "enum": list(ACTIONS), "description": "What a person or a policy should do."},
    }


def _literals(catalog: Catalog, surface: Surface) -> Iterator[Entry]:
    return (row for row in catalog.entries if row.surface == surface.name and row.match == "literal")


def _meanings(rows: Iterable[Entry]) -> Mapping[str, Action]:
    return {str(row.value): _meaning(row) for row in rows}


def _meaning(row: Entry) -> Action:
    return {
        "error_type": row.error_type,
        "error_class": row.error_class,
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
