"""Which outcomes a request gets: its own marker, else the scenario's rules, else the scenario's seeded draw. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from .._errors import ApiError
from .._scenario.fault import Fault, parse_fault
from .._scenario.outcome_words import split_words
from .._scenario.scenario import Scenario
from .._scenario.script import JobRule
from .._scenario.webhooks import WEBHOOK_MARKER
from .request import metadata_of, prompt_text

OUTCOME_MARKER = "emulate"
CREATE_MARKER = "emulate_create"
_MODEL_MARKER = re.compile(r"emulate[-:](?P<words>.*)", re.DOTALL)


def outcomes_for(scenario: Scenario, request: Mapping[str, Any], *, nth: int, seed: int) -> tuple[str, ...]:
    """The outcome words of the 1st, 2nd, ... submission of this request, were it the nth paid create.

    Raises ApiError (400) for a marker that names no outcome.
    """
    if (marker := metadata_of(request).get(OUTCOME_MARKER)) is not None:
        return _marked(scenario, f"metadata.{OUTCOME_MARKER}", marker)
    if match := _MODEL_MARKER.fullmatch(request["model"]):
        return _marked(scenario, "model", match["words"])
    for rule in scenario.jobs:
        if meets(rule, request, nth):
            return rule.outcomes
    return (_drawn(scenario, seed, nth),)


def create_faults_for(request: Mapping[str, Any]) -> tuple[Fault, ...] | None:
    """The faults of the marker `emulate_create`; None without one. Raises ApiError (400) for an unknown fault."""
    marker = metadata_of(request).get(CREATE_MARKER)
    if marker is None:
        return None
    try:
        return tuple(parse_fault(word) for word in split_words(marker))
    except ValueError as error:
        raise _bad_marker(f"metadata.{CREATE_MARKER}", error) from None


def check_webhook_marker(scenario: Scenario, request: Mapping[str, Any]) -> None:
    """Raises ApiError (400) for a marker `emulate_webhook` that names nothing."""
    marker = metadata_of(request).get(WEBHOOK_MARKER)
    if marker is None:
        return
    try:
        scenario.webhooks.marked(marker)
    except ValueError as error:
        raise _bad_marker(f"metadata.{WEBHOOK_MARKER}", error) from None


def _marked(scenario: Scenario, param: str, marker: str) -> tuple[str, ...]:
    try:
        words = split_words(marker)
        for word in words:
            scenario.outcome(word)
    except ValueError as error:
        raise _bad_marker(param, error) from None
    return words


def _bad_marker(param: str, error: ValueError) -> ApiError:
    return ApiError(400, f"Invalid '{param}': {error}", param=param, code="invalid_value")


def is_marked(request: Mapping[str, Any]) -> bool:
    """The request chooses its outcomes itself."""
    return OUTCOME_MARKER in metadata_of(request) or _MODEL_MARKER.fullmatch(request["model"]) is not None


def meets(rule: JobRule, request: Mapping[str, Any], nth: int | None) -> bool:
    """The request, were it the nth paid create, is one the rule is for."""
    return (
        rule.metadata.items() <= metadata_of(request).items()
        and (rule.input_contains is None or rule.input_contains in prompt_text(request))
        and rule.nth in (None, nth)
    )


def _drawn(scenario: Scenario, seed: int, nth: int) -> str:
    weights = [script.weight for script in scenario.outcomes]
    if not any(weights):
        return "completed"
    # One generator per draw: the nth run gets the same outcome after a restart and whatever was drawn by rule.
    generator = random.Random(f"{seed}/{nth}")
    return generator.choices(scenario.outcomes, weights)[0].name
