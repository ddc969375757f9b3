"""`runoutcome explain`: what a code, a reason, a status or a whole body means, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from .._catalog import Catalog
from .._lookup import Failure, Verdict, lookup, verdict_of
from .._model import FAILURE, FAILURE_CODE, Outcome
from ._errors import UserError
from ._render import print_json, print_line, print_pairs, stdout
from ._subject import read_subject


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A code, reason or status; a file with one response body as JSON; or - for stdin."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """Say what a code, a reason, a status or a body means.

    And which exception it is, whether the run may be submitted again, and what to do.
    """
    catalog = Catalog.load()
    subject = read_subject(what.strip(), catalog)
    body = subject if isinstance(subject, Mapping) else None
    outcomes = [_of_body(body)] if body is not None else outcomes_of_word(catalog, str(subject))

    from ._explanation import Explanation  # not above: the exception classes load the SDK

    explanations = [Explanation.of(outcome, catalog) for outcome in outcomes]
    if as_json:
        judged = outcomes[0].to_dict() if body is not None else None
        print_json({"what": what, "outcome": judged, "explanations": [found.to_dict() for found in explanations]})
        return
    console = stdout()
    for number, found in enumerate(explanations):
        if number:
            console.print()
        print_line(console, found.heading, "bold")
        print_pairs(console, [*(found.body_pairs() if body is not None else ()), *found.pairs()])


def _of_body(body: Mapping[str, Any]) -> Outcome:
    from .._classify import classify

    outcome = classify(body)
    if outcome.entry is None and outcome.status is None and outcome.code is None:
        named = f'"object" is {body["object"]!r}' if "object" in body else 'it has no "status" and no "error"'
        raise UserError(f"this JSON is no run body that catalog {outcome.catalog_version} knows: {named}")
    return outcome


def outcomes_of_word(catalog: Catalog, word: str) -> list[Outcome]:
    """A made-up outcome for each row that `word` is the value of."""
    verdicts = list(_verdicts(catalog, word))
    if not verdicts:
        raise UserError(_unknown(catalog, word))
    return [_made_up(catalog, word, verdict) for verdict in verdicts]


def _verdicts(catalog: Catalog, word: str) -> Iterator[Verdict]:
    if word == "null":
        yield from (verdict_of(catalog, entry, known=False) for entry in catalog.entries if entry.match == "null")
        return
    yield from (verdict_of(catalog, entry, known=True) for entry in catalog.find(word))
    by_number = lookup(catalog, "response", Failure(code=word))
    if by_number.entry is not None and by_number.entry.match == "http_status":
        yield by_number


def _made_up(catalog: Catalog, word: str, verdict: Verdict) -> Outcome:
    """What a body with this value amounts to; only that gives a row its exception class."""
    entry = verdict.entry
    assert entry is not None, "only rows are explained"
    surface = catalog.surfaces[entry.surface]
    deciding = FAILURE_CODE if entry.field == FAILURE else entry.field
    status = next((name for name, field in surface.decided_by.items() if field == deciding), word)
    return Outcome(
        phase="pending" if status in surface.pending else "terminal",
        status=status,
        surface=entry.surface,
        code=word if deciding == FAILURE_CODE and word != "null" else None,
        error_class=verdict.error_class,
        error_type=verdict.error_type,
        status_code=verdict.status_code,
        retryable=verdict.retryable,
        action=verdict.action,
        known=verdict.known,
        entry=entry,
        catalog_version=catalog.version,
    )


def _unknown(catalog: Catalog, word: str) -> str:
    values = sorted({entry.value for entry in catalog.entries if entry.value is not None})
    if not word:
        return "a code, a reason, a status, a file or - was expected, and got an empty text"
    close = get_close_matches(word.lower(), values, n=3, cutoff=0.7)
    if word.startswith("resp_"):
        hint = f"It looks like the id of a run: runoutcome wait {word}"
    elif close:
        hint = f"Did you mean {' or '.join(close)}?"
    else:
        hint = "All values: runoutcome catalog"
    return (
        f"{word!r} is neither a file nor a value in catalog {catalog.version}. {hint} "
        "(A run that fails with an unknown code raises RunFailedError, a bare openai.APIError, and is never retryable.)"
    )
