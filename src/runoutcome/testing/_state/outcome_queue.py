"""`OutcomeQueue`: outcomes that a test hands out to the jobs that come, and those that nobody came for."""

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
from .choice import is_marked, meets

Scripted = str | OutcomeScript
"""What becomes of one job: an outcome, or a comma list of words with one for each submission."""
Match = str | Mapping[str, Any] | Callable[[Mapping[str, Any]], bool]
"""Which jobs: a text within their input, a table as `match` of a scenario's `[[jobs]]`, or a test of the request."""


@dataclass
class _Turns:
    """The outcomes of one job that are still to come, and the one that came last."""

    coming: deque[OutcomeScript]
    last: OutcomeScript | None = None


class OutcomeQueue:
    """Each outcome is for one job. A create takes the next of its own job, else the first in the queue that fits it.

    A job whose outcomes are used up, while nothing in the queue fits it, gets its last one again, as with markers.
    A request with a marker of its own takes nothing.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._lock = threading.Lock()
        self._waiting: list[tuple[Callable[[Mapping[str, Any]], bool], _Turns]] = []
        self._jobs: dict[str, _Turns] = {}

    def add(self, outcomes: Sequence[Scripted], match: Match | None = None) -> None:
        """Put outcomes at the end, one for each job. Raises ScenarioError for a word or a match that means nothing."""
        fits = _condition(match)
        turns = [_Turns(deque(self._read(outcome))) for outcome in outcomes]
        with self._lock:
            self._waiting.extend((fits, turn) for turn in turns)

    def next_for(self, request: Mapping[str, Any], job: str) -> OutcomeScript | None:
        """What a run of this request would come to; None where nothing is scripted. `job` is the key of the request."""
        with self._lock:
            turns = self._turns(request, job)
            return (turns.coming[0] if turns.coming else turns.last) if turns else None

    def take(self, request: Mapping[str, Any], job: str) -> None:
        """The run of `next_for` was created."""
        with self._lock:
            turns = self._turns(request, job)
            if turns is None or not turns.coming:
                return
            turns.last = turns.coming.popleft()
            self._jobs[job] = turns
            self._waiting = [(fits, waiting) for fits, waiting in self._waiting if waiting is not turns]

    @property
    def unconsumed(self) -> list[str]:
        """The outcomes that no create has come for, by name: those of jobs under way, then those in the queue."""
        with self._lock:
            turns = [*self._jobs.values(), *(waiting for _, waiting in self._waiting)]
            return [outcome.name for turn in turns for outcome in turn.coming]

    def _turns(self, request: Mapping[str, Any], job: str) -> _Turns | None:
        if is_marked(request):
            return None
        own = self._jobs.get(job)
        if own and own.coming:
            return own
        return next((turns for fits, turns in self._waiting if fits(request)), own)

    def _read(self, outcome: Scripted) -> list[OutcomeScript]:
        if isinstance(outcome, OutcomeScript):
            return [outcome]
        try:
            return [self._scenario.outcome(word) for word in split_words(outcome)]
        except ValueError as error:
            raise ScenarioError(f"script: {error}") from None


def _condition(match: Match | None) -> Callable[[Mapping[str, Any]], bool]:
    if match is None:
        return lambda request: True
    if callable(match):
        return match
    table = {"input_contains": match} if isinstance(match, str) else match
    rule = checked(read_job, {"match": table, "outcome": "completed"}, "script")
    return lambda request: meets(rule, request, nth=None)
