"""One outcome, put into words: the catalog's row, the exception it becomes, and who sees it differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .._catalog import Catalog
from .._dispatch import class_for
from .._model import Alternative, Entry, Outcome, Rule
from ._catalog import value_of
from ._text import Cell

Pair = tuple[str, Cell | Sequence[str]]


@dataclass(frozen=True)
class Explanation:
    """An outcome, the exception raised for it (None: none is), and the rules that could decide otherwise."""

    outcome: Outcome
    exception: str | None
    sdk_class: str | None
    """The nearest class of `openai` that the exception is."""
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, outcome: Outcome, catalog: Catalog) -> Explanation:
        """The explanation of an outcome."""
        rules = tuple(_refining(outcome, catalog))
        if outcome.ok:
            return cls(outcome, None, None, rules)
        raised = class_for(outcome)
        bases = (base.__name__ for base in raised.__mro__ if base.__module__.partition(".")[0] == "openai")
        return cls(outcome, raised.__name__, next(bases), rules)

    @property
    def heading(self) -> str:
        """The value and its title."""
        entry = self.outcome.entry
        if entry is None:
            return f"{self.outcome.label}: {self.outcome.title}"
        value = self.outcome.label if entry.match in ("unknown", "http_status") else value_of(entry)
        return f"{value}: {self.outcome.title}"

    def body_pairs(self) -> Iterator[Pair]:
        """What only a body tells."""
        outcome = self.outcome
        if outcome.status is None:
            yield "status", "none: this is an error alone, without its run, which may still be going"
        else:
            yield "status", f"{outcome.status} ({outcome.phase})"
        yield "response", outcome.response_id or ""
        yield "code", outcome.code or ""
        yield "reason", outcome.reason or ""
        yield "param", outcome.param or ""
        yield "server says", outcome.message or ""
        yield "model", outcome.model or ""
        if outcome.retry_after is not None:
            yield "retry after", f"{outcome.retry_after:g} s (by {outcome.retry_after_source})"
        yield "output", "some was written; it is on `.run` of the exception" if self._has_partial_output else ""

    def pairs(self) -> Iterator[Pair]:
        """What the catalog says, each with its label."""
        outcome, entry = self.outcome, self.outcome.entry
        yield "exception", self._raised()
        yield "retryable", "yes: an identical new run may succeed" if outcome.retryable else "no"
        yield "action", outcome.action
        yield "cause", outcome.cause
        yield "what to do", outcome.remedy
        yield "HTTP", _http(outcome)
        yield "error.type", outcome.error_type or ""
        if outcome.rule:
            yield "refined by", f"rule {outcome.rule.id}, by the server's message"
        if entry:
            yield "stands in", f"{entry.field} of a {entry.surface}"
            yield "basis", _basis(entry)
            sdk = f"openai {entry.sdk_since}" if entry.sdk_since else "in no types of openai"
            yield "since", f"catalog {entry.since}; {sdk}"
        yield "unless", [_exception_to(rule) for rule in self.rules]
        if entry and entry.contested:
            yield "contested", [_other_view(view) for view in entry.alternatives] or "somebody decides otherwise"
        source = outcome.rule or entry
        yield "evidence", list(source.evidence) if source else []

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        outcome = self.outcome
        names = ("title", "cause", "remedy", "error_class", "error_type", "status_code", "retryable", "action", "known")
        data: dict[str, Any] = {name: getattr(outcome, name) for name in names}
        return {
            "exception": self.exception,
            **data,
            "entry": asdict(outcome.entry) if outcome.entry else None,
            "rule": asdict(outcome.rule) if outcome.rule else None,
            "refining_rules": [rule.id for rule in self.rules],
        }

    @property
    def _has_partial_output(self) -> bool:
        return self.outcome.has_output and not self.outcome.ok

    def _raised(self) -> str:
        if self.exception is None:
            return "none: the run is returned"
        if self.outcome.phase == "pending":
            return f"none while it is polled; {self.exception} from raise_for_status"
        return f"{self.exception} (also openai.{self.sdk_class})"


def _refining(outcome: Outcome, catalog: Catalog) -> Iterator[Rule]:
    """The rules by which another message would have made this failure not retryable."""
    entry = outcome.entry
    if entry is None or outcome.rule is not None or not outcome.retryable:
        return
    for rule in catalog.rules:
        if rule.code in ("*", outcome.code) and rule.retryable != outcome.retryable:
            yield rule


def _http(outcome: Outcome) -> str:
    if outcome.status_code is None:
        return "none known"
    if outcome.status_code < 400:
        return f"{outcome.status_code}: a synchronous call does not raise for it either"
    if outcome.entry and outcome.entry.match == "literal" and outcome.entry.status_code is None:
        return f"{outcome.status_code}, by its class (never observed)"
    return str(outcome.status_code)


def _basis(entry: Entry) -> str:
    named = "documented" if entry.documented else "not documented"
    seen = "inferred from synchronous errors, gateways or sibling APIs; " if entry.inferred else ""
    return f"{named}; {seen}confidence {entry.confidence}"


def _exception_to(rule: Rule) -> str:
    return f"its message tells of: {rule.title} (then not retryable, {rule.action}; rule {rule.id})"


def _other_view(view: Alternative) -> str:
    made = [f"openai.{view.error_class}"] if view.error_class else []
    made += [] if view.retryable is None else ["retryable" if view.retryable else "not retryable"]
    return f"{' and '.join(made) or 'otherwise'}: {view.argument}"
