"""The meaning of an outcome: its exception, why it is retryable or not, and the phrases that pages and commands share.

Loads the SDK, whose classes the exceptions are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .._catalog.catalog import Catalog
from .._catalog.rows import Action, Alternative, Entry, Rule
from .._errors.raising import class_for
from .._outcome.outcome import Outcome

REASONS: Mapping[Action, str] = {
    "resubmit": "an identical new run may succeed",
    "resubmit_later": "an identical new run may succeed after a while",
    "change_request": "the request has to be changed first",
    "raise_limit": "a limit has to be raised, or less asked for, first",
    "fix_account": "the account, its key or its limits have to be put right first",
    "continue": "there is something to go on with instead",
    "wait": "it is still going",
    "none": "there is no sign that running it again would help",
}


@dataclass(frozen=True)
class Meaning:
    """An outcome, its exception (None: none is raised), and the rules that could decide otherwise."""

    outcome: Outcome
    exception: str | None
    sdk_class: str | None
    """The nearest class of `openai` that the exception is."""
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, outcome: Outcome, catalog: Catalog) -> Meaning:
        """Return the meaning of an outcome."""
        if outcome.ok:
            return cls(outcome, None, None, ())
        raised = class_for(outcome)
        bases = (base.__name__ for base in raised.__mro__ if base.__module__.partition(".")[0] == "openai")
        return cls(outcome, raised.__name__, next(bases), tuple(_refining(outcome, catalog)))

    @property
    def why(self) -> str:
        """`yes` or `no`, and the reason."""
        return f"{'yes' if self.outcome.retryable else 'no'}: {self.reason}"

    @property
    def reason(self) -> str:
        """Reason why an identical new run may succeed, or not."""
        if self.outcome.ok:
            return "it is completed"
        if self.outcome.retryable and self.outcome.tools_ran:
            return "a new run may succeed, but tools acted in this one and would act again"
        return REASONS[self.outcome.action] if self.outcome.phase != "unknown" else "what became of the run is unknown"


def _refining(outcome: Outcome, catalog: Catalog) -> Iterator[Rule]:
    """Yield the rules by which another message would have decided otherwise whether this failure is retryable."""
    entry = outcome.entry
    if entry is None or outcome.rule is not None or not _is_failure(entry, catalog):
        return
    for rule in catalog.rules:
        if rule.is_for(outcome.surface, outcome.code) and rule.retryable != outcome.retryable:
            yield rule


def _is_failure(entry: Entry, catalog: Catalog) -> bool:
    """Return whether the row is about an error object: only these have a message that rules look at."""
    surface = catalog.surfaces[entry.surface]
    return entry.field in (surface.failure_field, surface.code_field)


def basis(entry: Entry) -> str:
    """Return what a row rests on."""
    documented = "documented" if entry.documented else "not documented"
    inferred = "inferred from synchronous errors, gateways or sibling APIs; " if entry.inferred else ""
    return f"{documented}; {inferred}confidence {entry.confidence}"


def since(entry: Entry) -> str:
    """Return the versions of the catalog and of the SDK that a row came with."""
    sdk = f"openai {entry.sdk_since}" if entry.sdk_since else "not in the SDK's types"
    return f"catalog {entry.since}; {sdk}"


def http(outcome: Outcome) -> str:
    """Return the HTTP status of an outcome, and where it comes from."""
    if outcome.status_code is None:
        return "none known"
    if outcome.status_code < 400:
        return f"{outcome.status_code}: a synchronous call does not raise for it either"
    if outcome.entry and outcome.entry.inferred:
        return f"{outcome.status_code}, inferred"
    if outcome.entry and outcome.entry.match == "literal" and outcome.entry.status_code is None:
        return f"{outcome.status_code}, by its class (never observed)"
    return str(outcome.status_code)


def advice(retryable: bool) -> str:
    """Return the flag in words."""
    return "retryable" if retryable else "not retryable"


def other_view(view: Alternative) -> str:
    """Return how others decide, and why."""
    parts = [f"openai.{view.error_class}"] if view.error_class else []
    parts += [] if view.retryable is None else [advice(view.retryable)]
    return f"{' and '.join(parts) or 'otherwise'}: {view.argument}"
