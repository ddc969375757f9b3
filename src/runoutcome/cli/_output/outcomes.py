"""Outcomes for printing: successes that are none, and an outcome as JSON without the words of a model."""

from __future__ import annotations

from typing import Any

from ..._catalog.rows import HOME
from ..._outcome.outcome import Outcome


def is_hollow(outcome: Outcome) -> bool:
    """Return whether a run completed without output, or with failed items beside it."""
    return outcome.ok and outcome.surface == HOME and (not outcome.has_output or bool(outcome.failed_items))


def without_texts(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON for a command that prints no output of a run: it tells that there is a refusal only."""
    data = outcome.to_dict()
    data["has_refusal"] = data.pop("refusal") is not None
    data["failed_items"] = [{"type": item.type, "code": item.code} for item in outcome.failed_items]
    return data
