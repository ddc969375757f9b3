"""What an outcome comes to: the exception it is raised as, why it is retryable or not, and what could change that.

Loads the SDK, whose classes the exceptions are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .._catalog.catalog import Catalog
from .._catalog.rows import Action, Entry, Rule
from .._errors.raising import class_for
from .._outcome.outcome import Outcome

WHY: Mapping[Action, str] = {
    "resubmit": "an identical new run may succeed",
    "resubmit_later": "an identical new run may succeed after a while",
    "change_request": "the request has to be changed first",
    "raise_limit": "a limit has to be raised, or less asked for, first",
    "fix_account": "the account, its key or its limits have to be put right first",
    "continue": "there is something to go on with instead",
    "wait": "it is still going",
    "none": "nothing says that an identical new run would end otherwise",
}


@dataclass(frozen=True)
class Meaning:
    """An outcome, the exception raised for it (None: none is), and the rules that could decide otherwise."""

    outcome: Outcome
    exception: str | None
    sdk_class: str | None
    """The nearest class of `openai` that the exception is."""
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, outcome: Outcome, catalog: Catalog) -> Meaning:
        """The meaning of an outcome."""
        if outcome.ok:
            return cls(outcome, None, None, ())
        raised = class_for(outcome)
        bases = (base.__name__ for base in raised.__mro__ if base.__module__.partition(".")[0] == "openai")
        return cls(outcome, raised.__name__, next(bases), tuple(_refining(outcome, catalog)))

    @property
    def why(self) -> str:
        """Whether an identical new run may succeed, and why."""
        return f"{'yes' if self.outcome.retryable else 'no'}: {self.reason}"

    @property
    def reason(self) -> str:
        """Why an identical new run may succeed, or not."""
        if self.outcome.ok:
            return "it is completed"
        return WHY[self.outcome.action] if self.outcome.phase != "unknown" else "what became of the run is unknown"


def is_failure(entry: Entry, catalog: Catalog) -> bool:
    """Whether the row is about an error object, the only ones with a message that rules look at."""
    place = catalog.surfaces[entry.surface]
    return entry.field in (place.failure_field, place.code_field)


def _refining(outcome: Outcome, catalog: Catalog) -> Iterator[Rule]:
    """The rules by which another message would have decided otherwise whether this failure is retryable."""
    entry = outcome.entry
    if entry is None or outcome.rule is not None or not is_failure(entry, catalog):
        return
    for rule in catalog.rules:
        if rule.is_for(outcome.surface, outcome.code) and rule.retryable != outcome.retryable:
            yield rule
