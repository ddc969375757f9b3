"""`Scenario`: the script of an emulator, as a value, and what an outcome word means in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from .._errors import unknown
from .outcome_words import OUTCOME_FORMS, builtin_outcome, outcome_words
from .position import Place
from .script import QUEUED_SECONDS, RUNNING_SECONDS, FaultRule, JobRule, OutcomeScript, Span
from .webhooks import Webhooks


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
    webhooks: Webhooks = Webhooks()
    cancel_finished: int = 400
    """The HTTP status of a cancel of an ended run: 200, 400 or 409; an outcome's `cancel_status` comes before it."""
    unstored_background: str = "refuse"
    """What becomes of a background create with `store` false: `refuse` it, or `keep` the run for a while."""

    spans: Mapping[str, Span] = field(default_factory=dict[str, Span], hash=False)
    """`queued_seconds` or `running_seconds` as spans, for outcomes that are named by a word alone."""

    def __post_init__(self) -> None:
        check_fit(Place(self.name), self.outcomes, self.jobs, self.faults)

    def outcome(self, word: str) -> OutcomeScript:
        """The outcome of this name, else the one the word names by itself. Raises ValueError if neither."""
        if named := self._named.get(word):
            return named
        return replace(
            _builtin(word, self._named),
            queued_seconds=self.queued_seconds,
            running_seconds=self.running_seconds,
            spans=self.spans,
        )

    def check_words(self, words: Sequence[str]) -> None:
        """Raises ValueError for the first word that is no outcome here."""
        for word in words:
            self.outcome(word)

    @cached_property
    def _named(self) -> dict[str, OutcomeScript]:
        return {script.name: script for script in self.outcomes}


def check_fit(
    place: Place, outcomes: Sequence[OutcomeScript], jobs: Sequence[JobRule], faults: Sequence[FaultRule]
) -> None:
    """Raises ScenarioError for two outcomes of one name, and for a rule that names an outcome nobody knows."""
    names: set[str] = set()
    for number, script in enumerate(outcomes, 1):
        if script.name in names:
            raise place.at("outcomes", number).error("name", "every outcome needs a name of its own")
        names.add(script.name)
    named = [("jobs", number, word) for number, rule in enumerate(jobs, 1) for word in rule.outcomes]
    named += [("faults", number, rule.outcome) for number, rule in enumerate(faults, 1) if rule.outcome]
    for table, number, word in named:
        try:
            _ = word in names or _builtin(word, names)
        except ValueError as error:
            raise place.at(table, number).error("outcome", error) from None


def _builtin(word: str, names: Iterable[str]) -> OutcomeScript:
    script = builtin_outcome(word)
    if script is None:
        raise ValueError(unknown("outcome", word, (*names, *outcome_words()), OUTCOME_FORMS))
    return script
