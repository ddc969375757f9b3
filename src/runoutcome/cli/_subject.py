"""What `explain` is asked about: the words or the body behind its one argument."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._catalog import Catalog
from ._errors import UserError

Subject = str | Mapping[str, Any]
"""A code, a reason or a status; or a response body."""


def read_subject(what: str, catalog: Catalog) -> Subject:
    """What `what` stands for: standard input, JSON itself, a value of the catalog, a file; else the word it is."""
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
    """All of standard input."""
    if sys.stdin is None:  # closed by whoever started us
        return b""
    return sys.stdin.buffer.read()


def _parse(content: bytes, name: str, *, is_file: bool = False) -> Subject:
    if not content.strip():
        raise UserError(f"{name} is empty; a response body as JSON was expected" + ("" if is_file else ", or a code"))
    try:
        document = json.loads(content)
    except RecursionError:
        raise UserError(f"{name} is nested too deeply for a response body") from None
    except ValueError as error:
        word = content.decode("utf-8-sig", "replace").strip()
        if not is_file and len(word.split()) == 1 and word[0] not in '{["':
            return word
        raise UserError(f"{name} is not JSON: {error}") from None
    if isinstance(document, dict):
        return document
    if not is_file and (document is None or type(document) in (str, int)):
        return "null" if document is None else str(document)
    raise UserError(f"{name} holds JSON, but no object; a response body is an object")
