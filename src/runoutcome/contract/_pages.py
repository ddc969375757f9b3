"""The catalog as documentation: a page for each value, with a section for each row, and an index. Pure.

What changes with a version of the catalog changes only the pages it concerns: none but the index names the version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry, Rule
from ._address import INDEX, anchor_of, link_to, page_of, rule_anchor, value_of
from ._index import index
from ._markdown import MARKER, anchor, code, listed, table
from ._meaning import Meaning
from ._phrases import advice, basis, http, other_view, since
from ._sample import outcome_of


def pages(catalog: Catalog) -> dict[str, str]:
    """The text of every page, by its name."""
    entries = sorted(catalog.entries, key=page_of)  # stable: the rows of a page stay in the order of the catalog
    found = {name: _page(list(rows), catalog) for name, rows in groupby(entries, page_of)}
    return {INDEX: _text(index(catalog)), **{name: _text(lines) for name, lines in found.items()}}


def _text(lines: Iterable[str]) -> str:
    return "\n".join([MARKER, *lines, ""])


def _page(rows: Sequence[Entry], catalog: Catalog) -> Iterator[str]:
    yield from (f"# {code(value_of(rows[0]))}", "")
    if len(rows) > 1:
        links = (f"[{_place(row)}](#{anchor_of(row)}): {row.title}" for row in rows)
        yield from listed("It stands in several fields, and means something of its own in each:", links)
    for row in rows:
        yield from _section(row, catalog)
    yield f"[All values]({INDEX}) · [How to catch it]({INDEX}#in-code)"


def _section(row: Entry, catalog: Catalog) -> Iterator[str]:
    meaning = Meaning.of(outcome_of(catalog, row), catalog)
    yield from (*anchor(anchor_of(row)), f"## {_place(row)}: {row.title}", "")
    yield from _deprecated(row, catalog)
    yield from (f"**What happened.** {row.cause}", "", f"**What to do.** {row.remedy}", "")
    if row.match == "http_status":
        yield from (*_by_status(row, catalog), "")
    decided = () if row.match == "http_status" else _decision(row, meaning)
    yield from (*table(("what", "is"), [*decided, *_facts(row)]), "")
    yield from listed("Unless its message says otherwise:", map(_exception_to, meaning.rules))
    yield from listed("Contested. Somebody decides otherwise:", map(other_view, row.alternatives))
    yield from listed("Evidence:", (f"<{link}>" for link in row.evidence))


def _place(row: Entry) -> str:
    return f"{code(row.field)} of a {code(row.surface)}"


def _decision(row: Entry, meaning: Meaning) -> Iterator[tuple[str, str]]:
    yield "retryable", meaning.why
    yield "action", code(row.action)
    yield "exception", _raised(meaning)
    yield "`error.type`", code(row.error_type) if row.error_type else "none"
    yield "HTTP status", http(meaning.outcome)


def _facts(row: Entry) -> Iterator[tuple[str, str]]:
    yield "since", since(row)
    yield "basis", basis(row)
    if row.overlay:
        yield "decided by", f"the overlay {code(row.overlay)}"


def _raised(meaning: Meaning) -> str:
    if meaning.exception is None:
        return "none: it is returned"
    if meaning.outcome.phase == "pending":
        return f"none while it is polled; {code(meaning.exception)} from `raise_for_status`"
    return f"{code(meaning.exception)}, also `openai.{meaning.sdk_class}`"


def _deprecated(row: Entry, catalog: Catalog) -> Iterator[str]:
    old = row.deprecated
    if old is not None:
        instead = next((other for other in catalog.entries if other.id == old.use), None)
        use = f" Use [{code(value_of(instead))}]({link_to(instead)})." if instead else ""
        yield from (f"**Deprecated** since catalog {old.since}. {old.reason}{use}", "")


def _by_status(row: Entry, catalog: Catalog) -> Iterator[str]:
    """What each HTTP status amounts to: those with a class of their own, and one for each of the rest."""
    statuses = sorted({*catalog.http_statuses, *catalog.retryable_statuses, 418, 500, 503})
    found = [Meaning.of(outcome_of(catalog, row, str(status)), catalog) for status in statuses]
    rows = [
        (str(one.outcome.status_code), code(one.exception or ""), one.why, code(one.outcome.action)) for one in found
    ]
    yield from table(("HTTP status", "exception", "retryable", "action"), rows)
    yield ""
    yield "418 stands for any other 4xx, 500 for any other 5xx."


def _exception_to(rule: Rule) -> str:
    return f"[{rule.title}]({INDEX}#{rule_anchor(rule)}): then {advice(rule.retryable)}, {code(rule.action)}"
