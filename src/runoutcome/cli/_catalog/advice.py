"""Advice of `explain` about a value: an example body, the line that catches it, and whether such a run is billed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._catalog.catalog import Catalog
from ..._catalog.rows import HOME, Entry
from ...contract._meaning import Meaning
from ...contract._sample import sample

# Rows about the output stand for its form, and not for a word in it.
_ANSWER = {"type": "message", "content": [{"type": "output_text", "text": "..."}]}
_OUTPUTS: Mapping[tuple[str, str | None], Any] = {
    ("output", "refusal"): [{"type": "message", "content": [{"type": "refusal", "refusal": "..."}]}],
    ("output", "empty"): [],
    ("output", "failed_items"): [{"type": "mcp_call", "status": "failed"}, _ANSWER],
    ("output_file_id", "empty"): None,
}
_REQUIRED = {"refusal": "RunRefusedError", "empty": "RunEmptyError"}


def example(catalog: Catalog, entry: Entry, meaning: Meaning) -> dict[str, Any]:
    """Return the smallest body with the value of a row."""
    word = meaning.outcome.code if entry.match in ("unknown", "http_status") else None
    body = sample(catalog, entry, word)
    if entry.field in body and (entry.field, entry.value) in _OUTPUTS:
        body[entry.field] = _OUTPUTS[entry.field, entry.value]
    return body


def except_line(entry: Entry | None, meaning: Meaning) -> str:
    """Return the `except` line for an outcome, and which attribute tells its value apart; empty if none is raised."""
    outcome, name = meaning.outcome, meaning.exception
    if name is None:
        required = _REQUIRED.get(entry.value or "") if entry and entry.field.startswith("output") else None
        return f'except runoutcome.{required} as error:  # with require="output"' if required else ""
    told = (
        f"error.code == {outcome.code!r}"
        if outcome.code
        else f"error.outcome.reason == {outcome.reason!r}"
        if outcome.reason
        else f"error.outcome.status == {outcome.status!r}"
    )
    return f"except runoutcome.{name} as error:  # {told}"


def billed(meaning: Meaning) -> str:
    """Return whether such a run is billed, as far as that is known."""
    outcome = meaning.outcome
    if outcome.entry is not None and outcome.entry.id == "batch.output_row/error.code/batch_expired":
        return "no: the request was not executed"
    if outcome.surface != HOME:
        return "not known"
    if outcome.ok:
        return "yes, by the tokens in `usage`"
    if outcome.phase != "terminal":
        return "not known before its end; what it has done may be billed"
    if outcome.status == "incomplete":
        return "not known for sure; the output so far was generated, and `usage` counts its tokens"
    if outcome.status == "cancelled":
        return "not known; one client saw zero usage after a cancel"
    return "not known; read `usage`: most failed bodies have none"
