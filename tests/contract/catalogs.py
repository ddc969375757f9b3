"""A small catalog to change, and what a change of it amounts to."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from runoutcome.contract import Diff, diff

Document = dict[str, Any]
Edit = Callable[[Document], object]


def row(surface: str, field: str, value: str | None, **fields: Any) -> Document:
    """An entry: a bad request, unless it is told otherwise; without a value it is the one for "no code"."""
    return {
        "surface": surface,
        "field": field,
        "match": "literal" if value is not None else "null",
        "value": value,
        "error_class": "BadRequestError",
        "status_code": None,
        "error_type": "bad_request_error",
        "retryable": False,
        "action": "change_request",
        "title": "A title",
        **fields,
    }


def small_catalog() -> Document:
    """Version 1.2.3: two surfaces, some entries, two rules."""
    return {
        "catalog_version": "1.2.3",
        "surfaces": {
            "response": {
                "object": "response",
                "status_field": "status",
                "pending": ["queued"],
                "terminal": ["completed", "failed"],
                "decided_by": {"failed": "error.code"},
            },
            "batch": {
                "object": "batch",
                "aliases": ["jobs"],
                "status_field": "status",
                "pending": ["validating"],
                "terminal": ["completed", "done", "failed"],
                "completed": ["completed"],
                "decided_by": {"failed": "errors.data.code"},
                "failure_field": "errors.data",
                "counts_field": "request_counts",
                "sdk_model": "openai.types.Batch",
            },
        },
        "entries": [
            row("response", "error.code", "bad"),
            row("response", "error.code", "exact", status_code=400),
            row("response", "error.code", None, error_class=None, error_type="unknown_error"),
            row("response", "status", None, match="unknown"),
            row("response", "error.code", "old", deprecated={"since": "1.1.0", "reason": "Renamed."}),
            row("batch", "errors.data.code", "own"),
        ],
        "rules": [
            {
                "id": "first",
                "surface": "response",
                "code": "*",
                "pattern": "a",
                "retryable": False,
                "action": "none",
                "words": ["abc", "xyz"],
            },
            {"id": "second", "surface": "response", "code": None, "pattern": "b", "retryable": False, "action": "none"},
        ],
        "error_types": {
            "bad_request_error": {"error_class": "BadRequestError", "status_code": 400},
            "unknown_error": {"error_class": "APIError", "status_code": None},
        },
        "http_statuses": {"400": "bad_request_error"},
        "retryable_statuses": [429],
        "upstream_error_types": {"invalid_request_error": "bad_request_error"},
    }


def compared(*edits: Edit, version: str = "1.2.3", between: tuple[Document, ...] = ()) -> Diff:
    """The difference that the edits make to the small catalog, published as `version`."""
    old, new = small_catalog(), deepcopy(small_catalog())
    for edit in edits:
        edit(new)
    new["catalog_version"] = version
    return diff(old, new, between)


def put(*path: Any, value: Any) -> Edit:
    """An edit that puts a value at a path."""

    def edit(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return edit


def drop(*path: Any) -> Edit:
    """An edit that removes what is at a path."""

    def edit(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return edit


def entry(field: str, value: Any) -> Edit:
    """An edit of the first entry."""
    return put("entries", 0, field, value=value)


def add_entry(*given: Any, **fields: Any) -> Edit:
    """An edit that adds an entry."""
    return lambda document: document["entries"].append(row(*given, **fields))


def surface(field: str, value: Any) -> Edit:
    """An edit of the surface `batch`."""
    return put("surfaces", "batch", field, value=value)


def rule(field: str, value: Any) -> Edit:
    """An edit of the first rule."""
    return put("rules", 0, field, value=value)


def add_rule(*, retryable: bool) -> Edit:
    """An edit that adds a rule."""
    added = {"id": "third", "surface": "response", "code": "*", "pattern": "c", "retryable": retryable}
    return lambda document: document["rules"].append(added)


def both(*edits: Edit) -> Edit:
    """Edits that belong together."""
    return lambda document: [edit(document) for edit in edits]
