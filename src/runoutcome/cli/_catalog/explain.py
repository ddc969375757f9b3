"""`runoutcome explain`: the meaning of a code, a reason, a status, a class, a body or a file of bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from ..._catalog.catalog import Catalog
from ..._catalog.lookup import Failure, lookup
from ..._catalog.overlay import dialects
from ..._outcome.outcome import Outcome
from ...contract._sample import outcome_of
from .._errors import Exit, UserError
from .._output.console import print_json, print_line, print_pairs, stderr, stdout
from .._output.outcomes import without_texts
from .._output.text import any_of
from .nearest import nearest_values
from .overlays import VARIABLE, catalog_in_use, overlaid
from .subject import Line, outcome_of_body, read_subject


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A code, reason, status or exception class; a file with a body as JSON, or one on each line; "
            "or - for stdin.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """Say what a code, an exception class or a body means.

    And which exception it is, whether the run may be submitted again, and what to do. Of a file with a body on each
    line, such as the output of a batch, it lists what did not complete.
    """
    catalog = catalog_in_use()
    subject = read_subject(what.strip(), catalog)
    if isinstance(subject, list):
        _explain_lines(what, subject, catalog, as_json=as_json)
    elif isinstance(subject, str):
        if not _explain_class(subject, catalog, as_json=as_json):
            _explain(what, None, outcomes_of_word(catalog, subject), catalog, as_json=as_json)
    else:
        outcome = outcome_of_body(subject, catalog)
        _explain(what, outcome, [outcome], catalog, as_json=as_json)


def _explain(
    what: str, of_body: Outcome | None, outcomes: Sequence[Outcome], catalog: Catalog, *, as_json: bool
) -> None:
    from ...contract._meaning import Meaning  # not above: the exception classes load the SDK
    from .explain_output import print_meaning, to_dict

    meanings = [Meaning.of(outcome, catalog) for outcome in outcomes]
    if as_json:
        outcome = without_texts(of_body) if of_body else None
        print_json(
            {"what": what, "outcome": outcome, "explanations": [to_dict(meaning, catalog) for meaning in meanings]}
        )
        return
    console = stdout()
    for number, meaning in enumerate(meanings):
        if number:
            console.print()
        print_meaning(console, meaning, catalog, of_body)


def _explain_class(word: str, catalog: Catalog, *, as_json: bool) -> bool:
    """Explain an exception class; return whether the word is the name of one."""
    if catalog.find(word):
        return False
    from .class_name import classes_of  # not above: the exception classes load the SDK

    classes = classes_of(word, catalog)
    if as_json and classes:
        print_json({"what": word, "outcome": None, "classes": [one.to_dict() for one in classes]})
        return True
    console = stdout()
    for number, one in enumerate(classes):
        if number:
            console.print()
        print_line(console, f"{one.name}: {one.text}", "bold")
        print_pairs(console, one.pairs())
    return bool(classes)


def _explain_lines(what: str, lines: Sequence[Line], catalog: Catalog, *, as_json: bool) -> None:
    from .explain_output import print_rows, read_rows  # not above, for the same reason

    rows, broken = read_rows(lines, catalog)
    if not rows:
        raise UserError(f"no line of {what} can be explained; line {broken[0].number}: {broken[0].problem}")
    if as_json:
        problems = [{"line": line.number, "problem": line.problem} for line in broken]
        print_json({"what": what, "rows": [row.to_dict() for row in rows], "broken": problems})
    else:
        print_rows(stdout(), rows)
    for line in broken:
        print_line(stderr(), f"runoutcome: line {line.number} was left out: {line.problem}")
    if broken:
        raise typer.Exit(Exit.USAGE)


def outcomes_of_word(catalog: Catalog, word: str) -> list[Outcome]:
    """Return an outcome for each row with the value `word`: that of a body which this row decides about."""
    if word == "null":
        return [outcome_of(catalog, entry) for entry in catalog.entries if entry.match == "null"]
    outcomes = [outcome_of(catalog, entry) for entry in catalog.find(word)]
    by_number = lookup(catalog, "response", Failure(code=word)).entry
    if by_number is not None and by_number.match == "http_status":
        outcomes.append(outcome_of(catalog, by_number, word))
    if not outcomes:
        raise UserError(_unknown(catalog, word))
    return outcomes


def _unknown(catalog: Catalog, word: str) -> str:
    from .class_name import is_sdk_class, nearest_classes  # not above, for the same reason

    if not word:
        return "a code, a reason, a status, a class, a file or - was expected, and got an empty text"
    if is_sdk_class(word):
        return f"no run is raised as {word}: it is about a single request. For the classes: runoutcome explain RunError"
    close = nearest_classes(word) or nearest_values(catalog, word)
    dialect = next((name for name in dialects() if Catalog.load().extend(name).find(word)), None)
    if dialect:
        hint = f"The dialect {dialect} has it; set {VARIABLE}={dialect}."
    elif word.startswith("resp_"):
        hint = f"It looks like the id of a run: runoutcome wait {word}"
    elif close:
        hint = f"Did you mean {any_of(close)}?"
    else:
        hint = "All values: runoutcome catalog"
    return (
        f"{word!r} is neither a file, nor a class, nor a value in catalog {catalog.version}{overlaid(catalog)}. {hint} "
        "(A run that fails with an unknown code raises RunFailedError, a bare openai.APIError, and is never retryable.)"
    )
