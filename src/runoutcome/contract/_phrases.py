"""What the command line and the pages say in the same words. Pure."""

from __future__ import annotations

from .._catalog.rows import Alternative, Entry
from .._outcome.outcome import Outcome


def basis(entry: Entry) -> str:
    """What a row rests on."""
    named = "documented" if entry.documented else "not documented"
    seen = "inferred from synchronous errors, gateways or sibling APIs; " if entry.inferred else ""
    return f"{named}; {seen}confidence {entry.confidence}"


def since(entry: Entry) -> str:
    """The versions of the catalog and of the SDK that a row came with."""
    return f"catalog {entry.since}; {f'openai {entry.sdk_since}' if entry.sdk_since else 'in no types of openai'}"


def http(outcome: Outcome) -> str:
    """The HTTP status of an outcome, and where it comes from."""
    if outcome.status_code is None:
        return "none known"
    if outcome.status_code < 400:
        return f"{outcome.status_code}: a synchronous call does not raise for it either"
    if outcome.entry and outcome.entry.match == "literal" and outcome.entry.status_code is None:
        return f"{outcome.status_code}, by its class (never observed)"
    return str(outcome.status_code)


def advice(retryable: bool) -> str:
    """The flag as words."""
    return "retryable" if retryable else "not retryable"


def other_view(view: Alternative) -> str:
    """What somebody decides otherwise, and why."""
    made = [f"openai.{view.error_class}"] if view.error_class else []
    made += [] if view.retryable is None else [advice(view.retryable)]
    return f"{' and '.join(made) or 'otherwise'}: {view.argument}"
