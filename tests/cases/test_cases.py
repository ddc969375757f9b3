"""Small inputs with their right answers: bodies for `classify` and `raise_for_status`, sources for the doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest
from body_cases import ROWS

import runoutcome
from runoutcome.doctor import check_source

SOURCES = sorted((Path(__file__).parent / "doctor").glob("*.py"))
MISSING = object()


def matches(value: object, expected: Any) -> bool:
    """Whether a field has the expected value."""
    return expected(value) if callable(expected) else value == expected


@pytest.mark.parametrize(("body", "options", "fields", "kind"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_body_gets_the_right_answer(
    body: Any, options: dict[str, Any], fields: dict[str, Any], kind: str | None
) -> None:
    """The outcome, the exception and its words are those of the row, and error and outcome agree."""
    catalog = runoutcome.Catalog.load()
    if "overlay" in options:
        catalog = catalog.extend(options["overlay"])
    surface = {"surface": options["surface"]} if "surface" in options else {}
    outcome = runoutcome.classify(body, catalog=catalog, **surface)
    error = None
    try:
        runoutcome.raise_for_status(body, catalog=catalog, require=options.get("require"), **surface)
    except openai.OpenAIError as raised:
        error = raised
    text = (str(error) if error else outcome.remedy).lower()
    answers = {
        "text": fields.get("text", "").lower() in text,
        "text_not": fields.get("text_not", "\0").lower() not in text,
    }
    if error is not None:
        answers["is_retryable"] = runoutcome.is_retryable(error) is fields.get("is_retryable")
        assert getattr(error, "retryable", outcome.retryable) == outcome.retryable
    for name, expected in fields.items():
        right = answers[name] if name in answers else matches(getattr(outcome, name, MISSING), expected)
        assert right, (name, expected, getattr(outcome, name, text))
    if kind == "":
        assert error is None
    elif kind is not None:
        assert isinstance(error, getattr(openai, kind, None) or getattr(runoutcome, kind))


@pytest.mark.once
@pytest.mark.parametrize("path", SOURCES, ids=[path.stem for path in SOURCES])
def test_the_doctor_finds_what_is_there(path: Path) -> None:
    """The first line of a source names the rules with a finding in it, or says `nothing`."""
    text = path.read_text("utf-8")
    named = text.splitlines()[0].removeprefix("# doctor:")
    expected = {rule.strip() for rule in named.split(",")} - {"nothing"}
    rules = {finding.rule for finding in check_source(text)}
    assert expected <= rules
    assert expected or not rules
