"""`OutcomeQueue`: outcomes that a test scripts for the next jobs, and those that no job has taken yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import ScenarioError
from .._scenario.loader import read_job
from .._scenario.outcome_words import split_words
from .._scenario.readers import checked
from .._scenario.scenario import Scenario
from .._scenario.script import OutcomeScript
from .outcome_choice import is_marked, meets

Scripted = str | OutcomeScript
"""Outcome of one job, or a comma list of words with one for each submission."""
Condition = Callable[[Mapping[str, Any]], bool]
Match = str | Mapping[str, Any] | Condition
"""Jobs: a text within their input, a table as `match` of a scenario's `[[jobs]]`, or a test of the request."""


@dataclass
class _JobOutcomes:
    """The outcomes of one job that are still to come, and the last one that came."""

    coming: deque[OutcomeScript]
    last: OutcomeScript | None = None


class OutcomeQueue:
    """Outcomes, each for one job. A create takes the next of its own job, else the first in the queue that fits it.

    A job whose outcomes are used up gets its last one again if nothing in the queue fits it, as with markers. A request
    with a marker of its own takes nothing.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._lock = threading.Lock()
        self._waiting: list[tuple[Condition, _JobOutcomes]] = []
        self._jobs: dict[str, _JobOutcomes] = {}

    def add(self, outcomes: Sequence[Scripted], match: Match | None = None) -> None:
        """Put outcomes at the end, one for each job. Raises ScenarioError for an unknown word or a wrong match."""
        fits = _condition(match)
        added = [(fits, _JobOutcomes(deque(self._scripts(outcome)))) for outcome in outcomes]
        with self._lock:
            self._waiting += added

    def next_for(self, request: Mapping[str, Any], job: str) -> OutcomeScript | None:
        """The outcome of a run of this request, if one is scripted; `job` is the key of the request."""
        with self._lock:
            outcomes = self._outcomes(request, job)
            return (outcomes.coming[0] if outcomes.coming else outcomes.last) if outcomes else None

    def take(self, request: Mapping[str, Any], job: str) -> None:
        """Count the outcome of `next_for` as used."""
        with self._lock:
            outcomes = self._outcomes(request, job)
            if outcomes and outcomes.coming:
                outcomes.last = outcomes.coming.popleft()
                self._jobs[job] = outcomes
                self._waiting = [waiting for waiting in self._waiting if waiting[1] is not outcomes]

    @property
    def unconsumed(self) -> list[str]:
        """The names of the outcomes that no create has taken: those of jobs under way, then those in the queue."""
        with self._lock:
            jobs = [*self._jobs.values(), *(outcomes for _, outcomes in self._waiting)]
            return [outcome.name for outcomes in jobs for outcome in outcomes.coming]

    def _outcomes(self, request: Mapping[str, Any], job: str) -> _JobOutcomes | None:
        if is_marked(request):
            return None
        own = self._jobs.get(job)
        if own and own.coming:
            return own
        return next((outcomes for fits, outcomes in self._waiting if fits(request)), own)

    def _scripts(self, outcome: Scripted) -> list[OutcomeScript]:
        if isinstance(outcome, OutcomeScript):
            return [outcome]
        try:
            return [self._scenario.outcome(word) for word in split_words(outcome)]
        except ValueError as error:
            raise ScenarioError(f"script: {error}") from None


def _condition(match: Match | None) -> Condition:
    if callable(match):
        return match
    table = {"input_contains": match} if isinstance(match, str) else match or {}
    rule = checked(read_job, {"match": table, "outcome": "completed"}, "script")
    return lambda request: meets(rule, request, nth=None)
