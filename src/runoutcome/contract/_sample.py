"""For each row of the catalog the least body that it decides about, and what becomes of such a body. Pure."""

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
    """What a body with the value of this row amounts to; `word` stands in for a row that is for no literal.

    A status that another field decides about ("failed") is decided by that field's row. The outcome is then what the
    row of the status itself says.
    """
    outcome = classify(sample(catalog, entry, word), surface=entry.surface, catalog=catalog)
    if outcome.entry == entry:
        return outcome
    verdict = verdict_of(catalog, entry, known=entry.match == "literal")
    decided = {name: value for name, value in verdict._asdict().items() if name != "type_overlay"}
    return replace(outcome, **decided, code=None, reason=None, overlay=entry.overlay)


def sample(catalog: Catalog, entry: Entry, word: str | None = None) -> dict[str, Any]:
    """A body of the row's surface with the row's value in the row's field."""
    place = catalog.surfaces[entry.surface]
    value = entry.value if entry.match == "literal" else word or _WORDS[entry.match]
    if place.object is None:
        return {"custom_id": "request-1", "response": None, **_told(entry, value)}
    status = {} if entry.field == STATUS else {STATUS: _status(place, entry)}
    return {"object": place.object, **status, **_nested(entry.field.split("."), value)}


def _told(entry: Entry, value: str | None) -> dict[str, Any]:
    """What a row of a batch's output holds. It has no status field: whether it is completed follows from the rest."""
    if entry.field != STATUS:
        return _nested(entry.field.split("."), value)
    return {"response": _ANSWER} if value == "completed" else {"error": {"message": "Something went wrong."}}


def _status(place: Surface, entry: Entry) -> str:
    """A status that sends the reader to the row's field, the one that goes with its error type if there are several."""
    field = place.code_field if entry.field == place.failure_field else entry.field
    statuses = [status for status, decider in place.decided_by.items() if decider == field] or ["failed"]
    return next((status for status in statuses if entry.error_type == f"{status}_error"), statuses[0])


def _nested(path: Sequence[str], value: object) -> dict[str, Any]:
    first, *rest = path
    return {first: _nested(rest, value) if rest else value}
