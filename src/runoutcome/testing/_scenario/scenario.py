"""`Scenario`: the script of an emulator as a value, and the meaning of outcome words in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..._catalog.validator import ValidationError
from .._errors import ScenarioError, unknown
from .outcome_words import OUTCOME_FORMS, builtin_outcome, outcome_words
from .readers import checked
from .script import QUEUED_SECONDS, RUNNING_SECONDS, FaultRule, JobRule, OutcomeScript, Span
from .webhooks import Webhooks


@dataclass(frozen=True)
class Scenario:
    """Script of an emulator. Build one in code, or read one with `load_scenario`.

    Raises ScenarioError for two outcomes of one name, for a rule that names an unknown one, and for a limit below 1.
    """

    __module__ = "runoutcome.testing"

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
    unstored_background: str = "keep"
    """Treatment of a background create with `store` false: `keep` the run for a while after its end, or `refuse` it."""
    cancelling_seconds: float = 0.0
    """Seconds for which a run goes on after its cancel; an outcome's own come before it."""
    requests_per_minute: int | None = None
    """Creates within a minute; more are refused with 429. None refuses none."""
    tokens_per_minute: int | None = None
    """Tokens within a minute: those of the input, and `max_output_tokens`. None refuses none."""
    spans: Mapping[str, Span] = field(default_factory=dict[str, Span], hash=False)
    """Durations above as spans, for outcomes that are named by a word alone."""

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ScenarioError(f"{self.name}: {name}: expected 1 or more, or None for no limit, got {limit}")
        checked(lambda scenario: check_names(scenario.outcomes, scenario.jobs, scenario.faults), self, self.name)

    def limited_to(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> "Scenario":
        """The scenario with these limits; None keeps its own. Raises ScenarioError for a limit below 1."""
        return replace(
            self,
            requests_per_minute=self.requests_per_minute if requests_per_minute is None else requests_per_minute,
            tokens_per_minute=self.tokens_per_minute if tokens_per_minute is None else tokens_per_minute,
        )

    def outcome(self, word: str) -> OutcomeScript:
        """The outcome of this name, else the one that the word names by itself. Raises ValueError if neither."""
        if named := self._named.get(word):
            return named
        return replace(
            _builtin(word, self._named),
            queued_seconds=self.queued_seconds,
            running_seconds=self.running_seconds,
            cancelling_seconds=self.cancelling_seconds,
            spans=self.spans,
        )

    @cached_property
    def _named(self) -> dict[str, OutcomeScript]:
        return {script.name: script for script in self.outcomes}


def check_names(outcomes: Sequence[OutcomeScript], jobs: Sequence[JobRule], faults: Sequence[FaultRule]) -> None:
    """Raises ValidationError for two outcomes of one name, and for a rule that names an unknown outcome."""
    names: set[str] = set()
    for number, script in enumerate(outcomes):
        if script.name in names:
            raise ValidationError.at("outcomes", number, "name", problem="another outcome has this name")
        names.add(script.name)
    words = [("jobs", number, word) for number, rule in enumerate(jobs) for word in rule.outcomes]
    words += [("faults", number, rule.outcome) for number, rule in enumerate(faults) if rule.outcome]
    for table, number, word in words:
        try:
            _ = word in names or _builtin(word, names)
        except ValueError as error:
            raise ValidationError.at(table, number, "outcome", problem=error) from None


def _builtin(word: str, names: Iterable[str]) -> OutcomeScript:
    script = builtin_outcome(word)
    if script is None:
        raise ValueError(unknown("outcome", word, (*names, *outcome_words()), OUTCOME_FORMS))
    return script
