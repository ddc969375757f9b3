"""Outcomes chosen for a request: by its own marker, else by a rule of the scenario, else by a seeded draw. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
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
    """The outcome words of the 1st, 2nd, ... submission of this request, if it is the nth paid create.

    Raises ApiError (400) for a marker that names no outcome.
    """
    if (marker := _marker(request)) is not None:
        param, text = marker
        with _refusing(param):
            words = split_words(text)
            for word in words:
                scenario.outcome(word)
            return words
    rule = next((rule for rule in scenario.jobs if meets(rule, request, nth)), None)
    return (_drawn(scenario, seed, nth),) if rule is None else rule.outcomes


def create_faults_for(request: Mapping[str, Any]) -> tuple[Fault, ...] | None:
    """The faults of the marker `emulate_create`; None without one. Raises ApiError (400) for an unknown fault."""
    if (marker := metadata_of(request).get(CREATE_MARKER)) is None:
        return None
    with _refusing(f"metadata.{CREATE_MARKER}"):
        return tuple(parse_fault(word) for word in split_words(marker))


def check_webhook_marker(scenario: Scenario, request: Mapping[str, Any]) -> None:
    """Raises ApiError (400) for a marker `emulate_webhook` with an unknown word."""
    if (marker := metadata_of(request).get(WEBHOOK_MARKER)) is not None:
        with _refusing(f"metadata.{WEBHOOK_MARKER}"):
            scenario.webhooks.marked(marker)


def is_marked(request: Mapping[str, Any]) -> bool:
    """The request chooses its outcomes itself."""
    return _marker(request) is not None


def meets(rule: JobRule, request: Mapping[str, Any], nth: int | None) -> bool:
    """The rule applies to the request, if that is the nth paid create."""
    return (
        rule.metadata.items() <= metadata_of(request).items()
        and (rule.input_contains is None or rule.input_contains in prompt_text(request))
        and rule.nth in (None, nth)
    )


def _marker(request: Mapping[str, Any]) -> tuple[str, str] | None:
    """The parameter that chooses the outcomes, and its words."""
    if (words := metadata_of(request).get(OUTCOME_MARKER)) is not None:
        return f"metadata.{OUTCOME_MARKER}", words
    match = _MODEL_MARKER.fullmatch(request["model"])
    return ("model", match["words"]) if match else None


@contextmanager
def _refusing(param: str) -> Generator[None, None, None]:
    try:
        yield
    except ValueError as error:
        raise ApiError(400, f"Invalid '{param}': {error}", param=param, code="invalid_value") from None


def _drawn(scenario: Scenario, seed: int, nth: int) -> str:
    weights = [script.weight for script in scenario.outcomes]
    if not any(weights):
        return "completed"
    # One generator per draw: the nth run gets the same outcome after a restart, and whether rules chose others or not.
    generator = random.Random(f"{seed}/{nth}")
    return generator.choices(scenario.outcomes, weights)[0].name
