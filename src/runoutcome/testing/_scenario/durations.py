"""How long one run takes: spans drawn by seed, durations divided by the emulator's speed. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .script import OutcomeScript, Seconds, Span

DURATIONS = (
    "queued_seconds",
    "running_seconds",
    "expires_after_seconds",
    "hidden_seconds",
    "missing_from_seconds",
    "missing_until_seconds",
    "completes_despite_cancel_seconds",
)
"""The durations of an outcome, each a number of seconds or a span."""


def paced(script: OutcomeScript, *, seed: int, nth: int, speed: float) -> OutcomeScript:
    """The script of the nth run: every duration a number, and divided by `speed`."""
    changes: dict[str, Any] = {}
    for name in DURATIONS:
        seconds = getattr(script, name)
        if span := script.spans.get(name):
            # One generator per draw, as for outcomes: a span more changes no other duration.
            seconds = random.Random(f"{seed}/{nth}/{name}").uniform(*span)
        if seconds is not None:
            changes[name] = seconds / speed
    return replace(script, spans={}, **changes)


def with_spans(durations: Mapping[str, Seconds]) -> dict[str, Any]:
    """The same durations as fields of an `OutcomeScript` or `Scenario`: numbers by name, spans apart."""
    spans: dict[str, Span] = {name: span for name, span in durations.items() if isinstance(span, tuple)}
    return {name: seconds for name, seconds in durations.items() if name not in spans} | {"spans": spans}
