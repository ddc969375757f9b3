"""The catalog as an OpenAPI Overlay (1.0.0) for the provider's OpenAPI document: what its words mean. Pure.

It changes nothing that a body may hold, but adds to the schemas of errors the optional `type`, `retryable` and `action`
that the lookup believes, and says in `x-runoutcome` what each status, code and reason amounts to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.rows import ACTIONS, ERROR_TYPES, Entry, Surface

Action = dict[str, Any]

_ERROR_SCHEMAS = {"response": "ResponseError", "batch": "BatchError", "eval.run": "EvalApiError", "video": "Error-2"}
"""The surfaces whose errors have a schema of their own in the provider's document; in the others it is written out."""
_CODE_SCHEMAS = {"response": "ResponseErrorCode"}
_TYPED = frozenset({"realtime.response"})
"""The surfaces whose errors have a `type` already, with the server's own words."""


def overlay_text(catalog: Catalog) -> str:
    """The overlay document as JSON, which is YAML, too."""
    document = {
        "overlay": "1.0.0",
        "info": {"title": "What the outcomes of runs amount to (unofficial)", "version": catalog.version},
        "actions": list(_actions(catalog)),
    }
    return json.dumps(document, indent=2) + "\n"


def _actions(catalog: Catalog) -> Iterator[Action]:
    for place in catalog.surfaces.values():
        if place.openapi_schema is None:
            continue
        schema = _schema(place.openapi_schema)
        yield _update(schema, f"What the statuses of {place.name} mean.", {"x-runoutcome": _of_surface(catalog, place)})
        for field in dict.fromkeys(place.decided_by.values()):
            rows = [row for row in _literals(catalog, place) if row.field == field]
            if rows:
                told = {"x-runoutcome": _meanings(rows), "x-retryable": [row.value for row in rows if row.retryable]}
                yield _update(_path(place, field), f"What the values of {field} of {place.name} amount to.", told)
        if place.code_field in place.decided_by.values():
            about = f"What an error of {place.name} may say about itself."
            yield _update(f"{_error(place)}..properties", about, _added(place))


def _of_surface(catalog: Catalog, place: Surface) -> Action:
    rows = {row.value: row for row in _literals(catalog, place) if row.field == "status"}
    statuses: dict[str, Action] = {}
    for status in sorted(place.pending | place.terminal):
        phase = "pending" if status in place.pending else "terminal"
        decided = {"decided_by": place.decided_by[status]} if status in place.decided_by else _meaning(rows[status])
        statuses[status] = {"phase": phase, "ok": status in place.completed, **decided}
    return {"surface": place.name, "catalog_version": catalog.version, "statuses": statuses}


def _added(place: Surface) -> Action:
    """The properties of an error that the lookup believes, where the catalog has no row for the code."""
    kind = {"type": "string", "enum": list(ERROR_TYPES), "description": "The stable class of the failure."}
    return {
        **({} if place.name in _TYPED else {"type": kind}),
        "retryable": {"type": "boolean", "description": "Whether an identical new run may succeed."},
        "action": {"type": "string", "enum": list(ACTIONS), "description": "What a person or a policy should do."},
    }


def _literals(catalog: Catalog, place: Surface) -> Iterator[Entry]:
    return (row for row in catalog.entries if row.surface == place.name and row.match == "literal")


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


def _path(place: Surface, field: str) -> str:
    if field == place.code_field:
        named = _CODE_SCHEMAS.get(place.name)
        return _schema(named) if named else f"{_error(place)}..properties['code']"
    return _schema(place.openapi_schema) + _properties(field)


def _error(place: Surface) -> str:
    """Where the schema of an error is: JSONPath does not follow a `$ref`."""
    named = _ERROR_SCHEMAS.get(place.name)
    return _schema(named) if named else _schema(place.openapi_schema) + _properties(place.failure_field)


def _schema(name: str | None) -> str:
    return f"$.components.schemas['{name}']"


def _properties(path: str) -> str:
    """The property at the end of `path`, also where each schema on the way is a variant in an `anyOf`."""
    return "".join(f"..properties['{name}']" for name in path.split("."))


def _update(target: str, description: str, update: Action) -> Action:
    return {"target": target, "description": description, "update": update}
