"""The smallest body for each row of the catalog, and the outcome of such a body. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.lookup import verdict_of
from .._catalog.rows import STATUS, Entry, Surface
from .._outcome.classify import classify
from .._outcome.outcome import Outcome

_WORDS = {"null": None, "unknown": "a_word_nobody_knows", "http_status": "503"}
_ANSWER = {"status_code": 200, "body": {"object": "chat.completion"}}


def outcome_of(catalog: Catalog, entry: Entry, word: str | None = None) -> Outcome:
    """Return the outcome of a body with the value of this row; `word` is the value for a row without a literal one.

    A status that another field decides about ("failed") is decided by that field's row. The outcome is then made from
    the row of the status itself.
    """
    outcome = classify(sample(catalog, entry, word), surface=entry.surface, catalog=catalog)
    if outcome.entry == entry:
        return outcome
    verdict = verdict_of(catalog, entry, known=entry.match == "literal")
    decision = {name: value for name, value in verdict._asdict().items() if name != "type_overlay"}
    return replace(outcome, **decision, code=None, reason=None, overlay=entry.overlay)


def sample(catalog: Catalog, entry: Entry, word: str | None = None) -> dict[str, Any]:
    """Return a body of the row's surface with the row's value in the row's field."""
    surface = catalog.surfaces[entry.surface]
    value: Any = entry.value if entry.match == "literal" else word or _WORDS[entry.match]
    if entry.field == surface.status_field != STATUS:
        value = int(value)  # the HTTP status of a row
    if surface.object is None:
        return {"custom_id": "request-1", "response": None, **_output_row(entry, value)}
    status = {} if entry.field == STATUS else {STATUS: _status(surface, entry)}
    return {"object": surface.object, **status, **_nested(entry.field.split("."), value)}


def _output_row(entry: Entry, value: str | None) -> dict[str, Any]:
    """Return the fields of a row of a batch's output. It has no status field: the other fields say if it completed."""
    if entry.field != STATUS:
        return _nested(entry.field.split("."), value)
    return {"response": _ANSWER} if value == "completed" else {"error": {"message": "Something went wrong."}}


def _status(surface: Surface, entry: Entry) -> str:
    """Return a status that the row's field decides about; of several the one that goes with its error type."""
    if entry.field == surface.output_field:
        return min(surface.completed)
    decider = surface.code_field if entry.field == surface.failure_field else entry.field
    statuses = [status for status, field in surface.decided_by.items() if field == decider] or ["failed"]
    return next((status for status in statuses if entry.error_type == f"{status}_error"), statuses[0])


def _nested(path: Sequence[str], value: object) -> dict[str, Any]:
    first, *rest = path
    return {first: _nested(rest, value) if rest else value}
