"""What changed between two catalogs, and how severe that is. Pure; `docs/versioning.md` is this policy in words.

Works on the plain documents, so that versions older and newer than this code can be compared.

The promise is about answers: a body that a row decides gets the same class, error type, HTTP status and `retryable` for
as long as the major version stays. What nobody knew (a new code, a status no row names) may become known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ._change import Change, Diff, Severity
from ._entries import WORDS, Document, entries_of, entry_changes
from ._rows import Row, field_changes, table_changes
from ._surfaces import surface_changes

TABLES = {
    "error_types": "error type",
    "http_statuses": "HTTP status",
    "upstream_error_types": "upstream error type",
}
"""The small tables of a catalog, and what a row of each is called."""
SECTIONS = {"$schema", "catalog_version", "surfaces", "entries", "rules", "retryable_statuses", *TABLES}
RULE_FIELDS = {
    **dict.fromkeys(("surface", "code", "pattern", "retryable"), Severity.BREAKING),
    "action": Severity.MINOR,
    **dict.fromkeys((*WORDS, "words"), Severity.PATCH),  # `words` are a shortcut, and decide nothing
}


def diff(old: Document, new: Document, between: Iterable[Document] = ()) -> Diff:
    """Everything that changed from `old` to `new`, the most severe first, else in the order of the catalog.

    `between` are the versions released between the two: an entry that one of them deprecated may go.
    """
    deprecated = {
        name for document in (old, *between) for name, row in entries_of(document).items() if row.get("deprecated")
    }
    changes = [
        *surface_changes(old["surfaces"], new["surfaces"]),
        *entry_changes(old, new, deprecated),
        *_rule_changes(old["rules"], new["rules"]),
        *_small_changes(old, new),
    ]
    changes.sort(key=lambda change: -change.severity)
    return Diff(old["catalog_version"], new["catalog_version"], tuple(changes))


def _rule_changes(old: Sequence[Row], new: Sequence[Row]) -> Iterator[Change]:
    """A rule speaks about bodies that have an answer already: a new one may only take `retryable` away.

    Nobody can tell which messages another pattern matches, so a pattern stays; another rule can be added.
    """
    before, after = {row["id"]: row for row in old}, {row["id"]: row for row in new}
    for name, row in before.items():
        if name in after:
            yield from field_changes("rule", name, row, after[name], RULE_FIELDS)
        else:
            yield Change(Severity.BREAKING, "rule", name, "removed")
    for name, row in after.items():
        if name not in before and row["retryable"]:
            yield Change(Severity.BREAKING, "rule", name, "added, and makes failures retryable that were not")
        elif name not in before:
            yield Change(Severity.MINOR, "rule", name, "added")
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield Change(Severity.BREAKING, "rule", "*", "in another order, and the first that matches decides")


def _small_changes(old: Document, new: Document) -> Iterator[Change]:
    for section, kind in TABLES.items():
        yield from table_changes(kind, old[section], new[section])
    before, after = set(old["retryable_statuses"]), set(new["retryable_statuses"])
    for status in sorted(before ^ after):
        what = "removed" if status in before else "added"
        yield Change(Severity.BREAKING, "retryable HTTP status", str(status), what)
    yield from table_changes("section", _rest(old), _rest(new))


def _rest(document: Document) -> Row:
    """The sections this code does not know."""
    return {name: value for name, value in document.items() if name not in SECTIONS}
