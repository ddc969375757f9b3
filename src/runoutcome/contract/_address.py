"""The address of a row in the documentation: the page of its value, and the anchor of its field. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry, Rule

INDEX = "README.md"
_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.]{0,99}", re.ASCII)
_NOT_PLAIN = re.compile(r"[^a-z0-9_]+", re.ASCII)
# The index itself, and names that Windows forbids for a file, whatever comes after a dot.
_TAKEN = {"readme", "index", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def value_of(entry: Entry) -> str:
    """Return the literal value of a row; for other rows `<null>`, `<unknown>` or `<http_status>`."""
    return entry.value if entry.match == "literal" and entry.value is not None else f"<{entry.match}>"


def page_of(entry: Entry) -> str:
    """Return the name of the page of a row's value: that value, if every file system takes it as a name.

    Published values are plain words. Any other value gets a hash, so that two never share a page. Rows without a
    literal value have names such as `unknown-code`: no plain word has a hyphen.
    """
    if entry.match == "http_status":
        return "http-status.md"
    if entry.match != "literal" or entry.value is None:
        return f"{entry.match}-{entry.field.rpartition('.')[2]}.md"
    if _PLAIN.fullmatch(entry.value) and entry.value.partition(".")[0] not in _TAKEN:
        return f"{entry.value}.md"
    digest = sha256(entry.value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_NOT_PLAIN.sub('_', entry.value.lower())[:60]}-{digest}.md"


def anchor_of(entry: Entry) -> str:
    """Return the anchor of a row on its page: its surface and its field."""
    return _NOT_PLAIN.sub("-", f"{entry.surface}/{entry.field}")


def link_to(entry: Entry) -> str:
    """Return the page and the anchor of a row, as a link from one of the pages."""
    return f"{page_of(entry)}#{anchor_of(entry)}"


def rule_anchor(rule: Rule) -> str:
    """Return the anchor of a message rule in the index."""
    return f"rule-{rule.id}"


def docs_of(entry: Entry) -> str | None:
    """Return the page and the anchor of a row among the pages that `runoutcome catalog pages` writes.

    None for a row that only an overlay has.
    """
    published = Catalog.load().entry(entry.surface, entry.field, entry.match, entry.value)
    return link_to(entry) if published else None
