"""A body that a user hands to a command, judged; what is none is one clear line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._catalog.catalog import Catalog
from ..._outcome.classify import classify
from ..._outcome.outcome import Outcome
from .._errors import UserError


def judged(body: Mapping[str, Any], catalog: Catalog) -> Outcome:
    """The outcome of a body. Raises UserError for JSON that tells nothing about a run."""
    outcome = classify(body, catalog=catalog)
    if outcome.surface is None and outcome.status is None:
        raise UserError(f"this JSON is no run body that catalog {catalog.version} knows: {_what_it_is(body)}")
    return outcome


def _what_it_is(body: Mapping[str, Any]) -> str:
    if "object" in body:
        return f'"object" is {body["object"]!r}'
    if "custom_id" in body and "url" in body:
        return "it is a line of a batch's input, and the output tells what became of it"
    return 'it has no "status" and no "error"'
