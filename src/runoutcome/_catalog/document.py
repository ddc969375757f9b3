"""Form of catalog and overlay documents: their keys, and the values of each.

`data/catalog.schema.json` and `data/overlay.schema.json` describe the same form for editors; a test compares them.
"""

from __future__ import annotations

from typing import Any, get_args

from .rows import ACTIONS, ERROR_TYPES, RESUBMIT_ACTIONS, Confidence, Match
from .validator import (
    Problem,
    Reader,
    ValidationError,
    between,
    flag,
    items,
    mapping,
    one_of,
    optional,
    shown,
    string,
    table,
)

Readers = dict[str, Reader[Any]]

_SURFACES = (
    *("response", "batch", "batch.output_row", "fine_tuning.job", "vector_store.file", "vector_store.file_batch"),
    *("eval.run", "realtime.response", "video", "thread.run", "agent.session.turn"),
)
_CLASSES = (
    *("BadRequestError", "AuthenticationError", "PermissionDeniedError", "NotFoundError", "ConflictError"),
    *("UnprocessableEntityError", "RateLimitError", "InternalServerError", "APIStatusError"),
    *("ContentFilterFinishReasonError", "APIError"),
)
_CLASSES_OF_OTHERS = (*_CLASSES, "APIConnectionError", "APITimeoutError", "LengthFinishReasonError")

_NAME = string(1, 100)
_NAMES = items(_NAME, unique=True)
_VERSION = string(pattern=r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$")
_ERROR_TYPE = one_of(*ERROR_TYPES)
_TYPE_ROW: Readers = {"error_class": optional(one_of(*_CLASSES)), "status_code": optional(between(200, 599))}
_FIELD = one_of(
    *("error.code", "error", "incomplete_details.reason", "status", "last_error.code", "errors.data.code"),
    *("status_details.error.code", "status_details.reason", "response.status_code", "output", "output_file_id"),
)


def _row(text: Reader[str]) -> Readers:
    """The advice and the words of an entry or a rule."""
    words = dict.fromkeys(("title", "cause", "remedy"), text)
    evidence = items(string(pattern="^https://[!-~]+$"), unique=True)
    return {"retryable": flag, "action": one_of(*ACTIONS), **words, "evidence": evidence}


def _entry(text: Reader[str], match: Readers) -> Readers:
    alternative: Readers = {"argument": text, "error_class": optional(one_of(*_CLASSES_OF_OTHERS)), "retryable": flag}
    return {
        "surface": one_of(*_SURFACES),
        "field": _FIELD,
        **match,
        **_TYPE_ROW,
        "error_type": optional(_ERROR_TYPE),
        **_row(text),
        "sdk_since": optional(_VERSION),
        **dict.fromkeys(("documented", "inferred", "contested"), flag),
        "confidence": one_of(*get_args(Confidence)),
        "alternatives": items(table(alternative, required=["argument"]), unique=True),
    }


def _rule(text: Reader[str], code: Reader[str | None]) -> Readers:
    pattern = string(1, pattern="^[^A-Z]+$")
    name = string(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")
    return {"id": name, "surface": one_of(*_SURFACES), "code": code, "pattern": pattern, **_row(text)}


def _all_of(readers: Readers, *left_out: str) -> Reader[dict[str, Any]]:
    """Reader of a table that has all these keys, except some that may be left out."""
    return table(readers, required=[key for key in readers if key not in left_out])


def _consistent(reader: Reader[dict[str, Any]]) -> Reader[dict[str, Any]]:
    """Reader of a row of the catalog whose parts agree, too."""

    def read(value: object) -> dict[str, Any]:
        row = reader(value)
        if (row["action"] in RESUBMIT_ACTIONS) is not row["retryable"]:
            raise _contradiction(row, "action", "retryable")
        if "match" in row and (row["match"] == "literal") is (row["value"] is None):
            raise _contradiction(row, "value", "match")
        if "contested" in row and bool(row["alternatives"]) is not row["contested"]:
            raise _contradiction(row, "alternatives", "contested")
        return row

    return read


def _contradiction(row: dict[str, Any], key: str, other: str) -> ValidationError:
    return ValidationError.at(key, problem=f"{shown(row[key])} does not go with {other} = {shown(row[other])}")


def _catalog() -> Reader[dict[str, Any]]:
    text = string(1, 260, "^[!-~][ -~]*$")
    deprecated = table({"since": _VERSION, "reason": text, "use": string(1, 200)}, required=["since", "reason"])
    match: Readers = {"match": one_of(*get_args(Match)), "value": optional(_NAME)}
    entry = _all_of({**_entry(text, match), "since": _VERSION, "deprecated": deprecated}, "deprecated")
    trigger = items(string(3, pattern="^[^A-Z]+$"), unique=True)
    rule = _all_of({**_rule(text, optional(_NAME)), "words": trigger, "since": _VERSION}, "words")
    surface: Readers = {
        **dict.fromkeys(("object", "output_field", "counts_field", "sdk_model", "openapi_schema"), optional(_NAME)),
        **dict.fromkeys(("status_field", "failure_field"), _NAME),
        **dict.fromkeys(("aliases", "pending", "completed"), _NAMES),
        "terminal": items(_NAME, least=1, unique=True),
        "decided_by": mapping(_FIELD, "^[a-z_]+$"),
        "legacy": flag,
    }
    erratum = _all_of({"id": string(1, 200), "since": _VERSION, "reason": text})
    required = ("object", "status_field", "pending", "terminal", "decided_by")
    return _all_of(
        {
            "$schema": one_of("./catalog.schema.json"),
            "catalog_version": _VERSION,
            "surfaces": table(dict.fromkeys(_SURFACES, table(surface, required)), required=["response"]),
            "error_types": _all_of(dict.fromkeys(ERROR_TYPES, _all_of(_TYPE_ROW))),
            "http_statuses": mapping(_ERROR_TYPE, "^4[0-9]{2}$", least=1),
            "retryable_statuses": items(between(400, 499), least=1, unique=True),
            "upstream_error_types": mapping(_ERROR_TYPE, "^[A-Za-z][A-Za-z0-9_]*$", reserved=ERROR_TYPES),
            "entries": items(_consistent(entry), least=1, unique=True),
            "errata": items(erratum, unique=True),
            "rules": items(_consistent(rule), unique=True),
        },
        "errata",
    )


def _overlay() -> Reader[dict[str, Any]]:
    text = string(1, 400)
    phase = one_of("pending", "completed", "terminal")
    match: Readers = {"match": one_of("literal", "null"), "value": _NAME, "phase": phase}
    return table(
        {
            "$schema": string(),
            "name": string(0, 60, "^[A-Za-z0-9][A-Za-z0-9._-]*$"),
            "version": _VERSION,
            "description": string(1, 1000),
            "entries": items(table(_entry(text, match))),
            "rules": items(table(_rule(text, _NAME), required=["id", "pattern", "retryable"])),
            "upstream_error_types": mapping(_ERROR_TYPE, "^.+$", reserved=ERROR_TYPES),
        }
    )


CATALOG, OVERLAY = _catalog(), _overlay()


def problems(document: object, reader: Reader[Any]) -> list[str]:
    """One line for each problem of a document, as `entries[2].action: ...`; none for a document of the right form."""
    try:
        reader(document)
    except ValidationError as error:
        return [_line(problem) for problem in error.problems]
    return []


def _line(problem: Problem) -> str:
    path, text = problem.path, problem.text
    hint = f" (did you mean {problem.nearest}?)" if problem.nearest else ""
    allowed = ", ".join("null" if each is None else str(each) for each in problem.allowed)
    if problem.kind == "expected":
        text = f"must be {text}, and is {shown(problem.value)}"
    elif problem.kind == "word":
        text = f"{shown(problem.value)} is not allowed{hint}; one of: {allowed}"
    elif problem.kind == "key":
        text = f"is no key that is allowed here{hint}" + (f"; one of: {allowed}" if allowed else "")
    elif problem.kind == "missing":
        path, text = path[:-1], f"{path[-1]!r} is missing"
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    return f"{where or 'the document'}: {text}" + (", or null" if problem.or_null else "")
