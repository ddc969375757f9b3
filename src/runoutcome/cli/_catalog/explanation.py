"""One outcome, put into words: the catalog's row, the exception it becomes, and who sees it differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ..._catalog.rows import Entry, Rule
from ..._outcome.outcome import Outcome
from ...contract._address import docs_of, value_of
from ...contract._meaning import Meaning, advice, basis, http, other_view, since
from .._output.text import Cell

Pair = tuple[str, Cell | Sequence[str]]


def heading(meaning: Meaning) -> str:
    """The value and its title."""
    outcome, entry = meaning.outcome, meaning.outcome.entry
    if entry is None or entry.match in ("unknown", "http_status"):  # the body's word is not the row's
        return f"{outcome.label}: {outcome.title}"
    return f"{value_of(entry)}: {outcome.title}"


def body_pairs(outcome: Outcome) -> Iterator[Pair]:
    """What only a body tells."""
    if outcome.status is None:
        yield "status", "none: this is an error alone, without its run, which may still be going"
    else:
        yield "status", f"{outcome.status} ({outcome.phase})"
    yield "kind", outcome.surface if outcome.surface not in (None, "response") else ""
    yield "id", outcome.response_id or ""
    yield "code", outcome.code or ""
    yield "reason", outcome.reason or ""
    yield "param", outcome.param or ""
    yield "server says", outcome.message or ""
    yield "model", outcome.model or ""
    yield "counts", ", ".join(f"{name} {count}" for name, count in (outcome.counts or {}).items())
    if outcome.retry_after is not None:
        yield "retry after", f"{outcome.retry_after:g} s (by {outcome.retry_after_source})"
    yield (
        "output",
        "some was written; it is on `.run` of the exception" if outcome.has_output and not outcome.ok else "",
    )


def pairs(meaning: Meaning) -> Iterator[Pair]:
    """What the catalog says, each with its label."""
    outcome, entry = meaning.outcome, meaning.outcome.entry
    yield "exception", _raised(meaning)
    yield "retryable", meaning.why
    yield "action", outcome.action
    yield "cause", outcome.cause
    yield "what to do", outcome.remedy
    yield "HTTP", http(outcome)
    yield "error.type", outcome.error_type or ""
    if outcome.rule:
        yield "refined by", f"rule {outcome.rule.id}, by the server's message"
    yield "decided by", f"overlay {outcome.overlay}" if outcome.overlay else ""
    if entry:
        yield "stands in", f"{entry.field} of a {entry.surface}"
        yield "basis", basis(entry)
        yield "since", since(entry) if docs_of(entry) else ""
        yield "deprecated", _deprecated(entry)
    yield "unless", [_exception_to(rule) for rule in meaning.rules]
    if entry and entry.contested:
        yield "contested", [other_view(view) for view in entry.alternatives] or "others decide differently"
    source = outcome.rule or entry
    yield "evidence", list(source.evidence) if source else []
    yield "more", (docs_of(entry) if entry else None) or ""


def to_dict(meaning: Meaning) -> dict[str, Any]:
    """The same as JSON."""
    outcome = meaning.outcome
    names = ("title", "cause", "remedy", "error_class", "error_type", "status_code", "retryable", "action", "known")
    return {
        "exception": meaning.exception,
        **{name: getattr(outcome, name) for name in names},
        "overlay": outcome.overlay,
        "entry": asdict(outcome.entry) if outcome.entry else None,
        "rule": asdict(outcome.rule) if outcome.rule else None,
        "refining_rules": [rule.id for rule in meaning.rules],
        "docs": docs_of(outcome.entry) if outcome.entry else None,
    }


def _raised(meaning: Meaning) -> str:
    if meaning.exception is None:
        return "none: the run is returned"
    if meaning.outcome.phase == "pending":
        return f"none while it is polled; {meaning.exception} from raise_for_status"
    return f"{meaning.exception} (also openai.{meaning.sdk_class})"


def _deprecated(entry: Entry) -> str:
    old = entry.deprecated
    if old is None:
        return ""
    return f"since catalog {old.since}: {old.reason}{f' Use {old.use}.' if old.use else ''}"


def _exception_to(rule: Rule) -> str:
    return f"its message tells of: {rule.title} (then {advice(rule.retryable)}, {rule.action}; rule {rule.id})"
