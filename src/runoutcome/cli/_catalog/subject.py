"""The subject of `explain`: the word, the body or the lines behind its one argument."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._catalog.catalog import Catalog
from ..._outcome.classify import classify
from ..._outcome.outcome import Outcome
from .._errors import UserError


@dataclass(frozen=True)
class Line:
    """One line of a JSON Lines file: a body, or the problem with it."""

    number: int
    body: Mapping[str, Any] | None
    problem: str | None = None


Subject = str | Mapping[str, Any] | list[Line]
"""A code, a reason or a status; a body; or a body on each line."""


def read_subject(what: str, catalog: Catalog) -> Subject:
    """Return the subject of `what`: standard input, JSON itself, a value of the catalog, a file; else the word."""
    if what == "-":
        return _parse(read_stdin(), "standard input")
    if what.lstrip().startswith("{"):
        return _parse(what.encode("utf-8", "surrogateescape"), "the argument")
    if catalog.find(what) or not (os.path.exists(what) or _looks_like_path(what)):
        return what
    try:
        return _parse(Path(what).read_bytes(), what, is_file=True)
    except OSError as error:
        raise UserError(f"{what} cannot be read: {error.strerror}") from None


def _looks_like_path(what: str) -> bool:
    return os.sep in what or what.lower().endswith((".json", ".jsonl", ".txt"))


def read_stdin() -> bytes:
    """Return all of standard input."""
    if sys.stdin is None:  # the parent process closed it
        return b""
    return sys.stdin.buffer.read()


def _parse(content: bytes, name: str, *, is_file: bool = False) -> Subject:
    if not content.strip():
        raise UserError(f"{name} is empty; a response body as JSON was expected" + ("" if is_file else ", or a code"))
    if is_file and name.lower().endswith(".jsonl"):
        return _lines(content)
    try:
        document = json.loads(content)
    except RecursionError:
        raise UserError(f"{name} is nested too deeply for a response body") from None
    except ValueError as error:
        lines = _lines(content)
        if len(lines) > 1 and any(line.body is not None for line in lines):
            return lines
        word = content.decode("utf-8-sig", "replace").strip()
        if not is_file and len(word.split()) == 1 and word[0] not in '{["':
            return word
        raise UserError(f"{name} is not JSON: {error}") from None
    if isinstance(document, dict):
        return document
    if not is_file and (document is None or type(document) in (str, int)):
        return "null" if document is None else str(document)
    raise UserError(f"{name} is JSON, but not an object; a response body is an object")


def _lines(content: bytes) -> list[Line]:
    """Return the lines that are not blank. An object starts its line: an indented one is part of a larger document."""
    lines = enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
    return [_line(number, text) for number, text in lines if text.strip()]


def _line(number: int, text: bytes) -> Line:
    try:
        document = json.loads(text)
    except RecursionError:
        return Line(number, None, "it is nested too deeply")
    except ValueError as error:
        return Line(number, None, f"it is not JSON: {error}")
    if not isinstance(document, dict) or not text.startswith(b"{"):
        return Line(number, None, "it is not a JSON object")
    return Line(number, document)


def outcome_of_body(body: Mapping[str, Any], catalog: Catalog) -> Outcome:
    """Return the outcome of a body. Raises UserError for JSON that is not about a run."""
    outcome = classify(body, catalog=catalog)
    if outcome.surface is None and outcome.status is None:
        raise UserError(f"this JSON is not a run body of catalog {catalog.version}: {_reason(body)}")
    return outcome


def _reason(body: Mapping[str, Any]) -> str:
    if "object" in body:
        return f'"object" is {body["object"]!r}'
    if "custom_id" in body and "url" in body:
        return "it is a line of a batch's input, and the output tells what became of it"
    return 'it has no "status" and no "error"'
