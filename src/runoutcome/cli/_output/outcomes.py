"""Outcomes for printing: successes that are none, and an outcome as JSON without the words of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._catalog.rows import HOME
from ..._outcome.outcome import Outcome


def hollow(outcome: Outcome) -> str | None:
    """Return what a completed run lacks: `with a refusal`, `without output`, `with failed items`; None for nothing."""
    if not outcome.ok or outcome.surface != HOME:
        return None
    if not outcome.has_output:
        return "with a refusal" if outcome.refusal is not None else "without output"
    return "with failed items" if outcome.failed_items else None


def remedy_here(outcome: Outcome, place: str) -> str:
    """Return the remedy for a user of the command line, who finds partial output at `place`, and not on a `.run`."""
    return outcome.remedy.replace("on `.run`", place)


def counts_of(lacks: Mapping[str, int]) -> str:
    """Return how often each lack was found: `1 with a refusal, 2 without output`."""
    return ", ".join(f"{count} {lack}" for lack, count in sorted(lacks.items()))


def without_texts(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON for a command that prints no output of a run: it tells that there is a refusal only."""
    data = outcome.to_dict()
    data["has_refusal"] = data.pop("refusal") is not None
    data["failed_items"] = [{"type": item.type, "code": item.code} for item in outcome.failed_items]
    return data
