"""`Scenario`: the script of an emulator, as a value, and what an outcome word means in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ._errors import ScenarioError, unknown
from ._script import QUEUED_SECONDS, RUNNING_SECONDS, FaultRule, JobRule, OutcomeScript
from ._words import OUTCOME_FORMS, OUTCOME_WORDS, builtin_outcome


@dataclass(frozen=True)
class Scenario:
    """What an emulator does. Build one in code, or read one with `load_scenario`.

    Raises ScenarioError for two outcomes of one name and for a rule that names an outcome nobody knows.
    """

    name: str = "scenario"
    description: str = ""
    seed: int = 0
    queued_seconds: float = QUEUED_SECONDS
    running_seconds: float = RUNNING_SECONDS
    outcomes: tuple[OutcomeScript, ...] = ()
    jobs: tuple[JobRule, ...] = ()
    faults: tuple[FaultRule, ...] = ()

    def __post_init__(self) -> None:
        if len(self._named) != len(self.outcomes):
            raise ScenarioError(f"{self.name}: [[outcomes]]: name: every outcome needs a name of its own")
        for number, rule in enumerate(self.jobs, 1):
            try:
                self.check_words(rule.outcomes)
            except ValueError as error:
                raise ScenarioError(f"{self.name}: [[jobs]] no. {number}: outcome: {error}") from None

    def outcome(self, word: str) -> OutcomeScript:
        """The outcome of this name, else the one the word names by itself. Raises ValueError if neither."""
        if named := self._named.get(word):
            return named
        script = builtin_outcome(word)
        if script is None:
            raise ValueError(unknown("outcome", word, (*self._named, *OUTCOME_WORDS), OUTCOME_FORMS))
        return replace(script, queued_seconds=self.queued_seconds, running_seconds=self.running_seconds)

    def check_words(self, words: Sequence[str]) -> None:
        """Raises ValueError for the first word that is no outcome here."""
        for word in words:
            self.outcome(word)

    @cached_property
    def _named(self) -> dict[str, OutcomeScript]:
        return {script.name: script for script in self.outcomes}
