"""The catalog as documentation: an index, and a page for each value with a section for each row. Pure.

A new version of the catalog changes only the pages it concerns: the index alone names the version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry, Rule, Surface
from ._address import INDEX, anchor_of, link_to, page_of, rule_anchor, value_of
from ._meaning import Meaning, advice, basis, http, other_view, since
from ._sample import outcome_of

MARKER = "<!-- Made by: runoutcome catalog pages docs/catalog. What is changed here by hand gets lost. -->"
"""The first line of every generated page."""

_REQUIRED = {"refusal": "RunRefusedError", "empty": "RunEmptyError"}
"""The exceptions of a completed run without the output that was asked for."""

_HEAD = """\
What every code, reason and status of a run's body means: what to do, which exception it is raised as, whether an
identical new run may succeed, and on what evidence. `runoutcome explain CODE` prints the same;
[the guide](../catalog.md) says how the catalog is read and kept.
"""
_IN_CODE = """\
```python
import openai
from runoutcome import RunError, raise_for_status

try:
    raise_for_status({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}})
except openai.RateLimitError as error:  # the class of the page, or any class above it
    assert isinstance(error, RunError)
    print(error.code, error.retryable, error.outcome.action, error.outcome.remedy)
```

[All exceptions](../exceptions.md) · [Other codes for your own server](../overlays.md)"""

_RULES = """\
The first rule that fits the code and the message of a failure decides about `retryable`. The patterns are in
[the catalog itself](../../src/runoutcome/data/catalog.json)."""


def pages(catalog: Catalog) -> dict[str, str]:
    """Return the text of every page by its name."""
    entries = sorted(catalog.entries, key=page_of)  # stable: the rows of a page stay in the order of the catalog
    texts = {name: _text(_page(list(rows), catalog)) for name, rows in groupby(entries, page_of)}
    return {INDEX: _text(_index(catalog)), **texts}


def _text(lines: Iterable[str]) -> str:
    return "\n".join([MARKER, *lines, ""])


def _index(catalog: Catalog) -> Iterator[str]:
    yield from (f"# All values of catalog {catalog.version}", "", _HEAD)
    if catalog.overlays:
        yield from (f"With the overlays {', '.join(map(code, catalog.overlays))}.", "")
    yield from (f"[{name}](#{name.replace('.', '-')}) ·" for name in catalog.surfaces)
    yield from ("[message rules](#rules)", "", *_anchor("in-code"), "## In code", "", _IN_CODE, "")
    for surface in catalog.surfaces.values():
        yield from _surface(surface, [row for row in catalog.entries if row.surface == surface.name])
    yield from (*_anchor("rules"), "## Message rules", "")
    yield from (_RULES, "")
    for rule in catalog.rules:
        yield from _rule(rule)


def _surface(surface: Surface, rows: list[Entry]) -> Iterator[str]:
    yield from (*_anchor(surface.name.replace(".", "-")), f"## {surface.name}", "")
    if surface.legacy:
        yield from ("Legacy: kept for what still runs.", "")
    for field in dict.fromkeys(row.field for row in rows):
        yield from (f"### {surface.name}: {field}", "")
        cells = (_cells(row) for row in rows if row.field == field)
        yield from table(("value", "meaning", "class", "retryable", "action"), cells)
        yield ""


def _cells(row: Entry) -> tuple[str, ...]:
    return (
        f"[{code(value_of(row))}]({link_to(row)})",
        row.title,
        code(row.error_class) if row.error_class else "-",
        "yes" if row.retryable else "no",
        code(row.action),
    )


def _rule(rule: Rule) -> Iterator[str]:
    yield from (*_anchor(rule_anchor(rule)), f"### {rule.title}", "")
    of = {None: "a failure without a code", "*": "any failure"}.get(rule.code) or f"the code {code(str(rule.code))}"
    yield from (f"For {of}: {advice(rule.retryable)}, {code(rule.action)}. {rule.cause} {rule.remedy}", "")
    yield from _list("Evidence:", (f"<{link}>" for link in rule.evidence))


def _page(rows: Sequence[Entry], catalog: Catalog) -> Iterator[str]:
    yield from (f"# {code(value_of(rows[0]))}", "")
    if len(rows) > 1:
        links = (f"[{_position(row)}](#{anchor_of(row)}): {row.title}" for row in rows)
        yield from _list("It stands in several fields, and means something of its own in each:", links)
    for row in rows:
        yield from _section(row, catalog)
    yield f"[All values]({INDEX}) · [How to catch it]({INDEX}#in-code)"


def _section(row: Entry, catalog: Catalog) -> Iterator[str]:
    meaning = Meaning.of(outcome_of(catalog, row), catalog)
    yield from (*_anchor(anchor_of(row)), f"## {_position(row)}: {row.title}", "")
    yield from _deprecation(row, catalog)
    yield from (f"**What happened.** {row.cause}", "", f"**What to do.** {row.remedy}", "")
    if row.match == "http_status":
        yield from (*_by_status(row, catalog), "")
    decision = () if row.match == "http_status" else _decision(row, meaning)
    yield from (*table(("what", "is"), [*decision, *_facts(row)]), "")
    yield from _list("Unless its message says otherwise:", map(_exception_to, meaning.rules))
    yield from _list("Contested. Others decide differently:", map(other_view, row.alternatives))
    yield from _list("Evidence:", (f"<{link}>" for link in row.evidence))


def _position(row: Entry) -> str:
    return f"{code(row.field)} of a {code(row.surface)}"


def _decision(row: Entry, meaning: Meaning) -> Iterator[tuple[str, str]]:
    yield "retryable", meaning.why
    yield "action", code(row.action)
    yield "exception", _exception(row, meaning)
    yield "`error.type`", code(row.error_type) if row.error_type else "none"
    yield "HTTP status", http(meaning.outcome)


def _facts(row: Entry) -> Iterator[tuple[str, str]]:
    yield "since", since(row)
    yield "basis", basis(row)
    if row.overlay:
        yield "decided by", f"the overlay {code(row.overlay)}"


def _exception(row: Entry, meaning: Meaning) -> str:
    if meaning.exception is None:
        required = _REQUIRED.get(row.value or "") if row.field.startswith("output") else None
        return (f'{code(required)} with `require="output"`; else ' if required else "") + "none: it is returned"
    if meaning.outcome.phase == "pending":
        return f"none while it is polled; {code(meaning.exception)} from `raise_for_status`"
    return f"{code(meaning.exception)}, also `openai.{meaning.sdk_class}`"


def _deprecation(row: Entry, catalog: Catalog) -> Iterator[str]:
    old = row.deprecated
    if old is not None:
        instead = next((other for other in catalog.entries if other.id == old.use), None)
        use = f" Use [{code(value_of(instead))}]({link_to(instead)})." if instead else ""
        yield from (f"**Deprecated** since catalog {old.since}. {old.reason}{use}", "")


def _by_status(row: Entry, catalog: Catalog) -> Iterator[str]:
    """Yield a table of the HTTP statuses: those with a class of their own, and one for each kind of the rest."""
    statuses = sorted({*catalog.http_statuses, *catalog.retryable_statuses, 402, 418, 500, 503})
    meanings = [Meaning.of(outcome_of(catalog, row, str(status)), catalog) for status in statuses]
    rows = [
        (str(one.outcome.status_code), code(one.exception or ""), one.why, code(one.outcome.action)) for one in meanings
    ]
    yield from table(("HTTP status", "exception", "retryable", "action"), rows)
    yield ""
    yield "418 stands for any other 4xx, 500 for any other 5xx."


def _exception_to(rule: Rule) -> str:
    return f"[{rule.title}]({INDEX}#{rule_anchor(rule)}): then {advice(rule.retryable)}, {code(rule.action)}"


def code(text: str) -> str:
    """Return `text` as code."""
    word = " ".join(text.split())
    return f"`` {word} ``" if "`" in word else f"`{word}`"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield _row(columns)
    yield f"|{' --- |' * len(columns)}"
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    escaped = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _list(heading: str, items: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a list under a heading; none for an empty list."""
    lines = [f"- {item}" for item in items]
    if lines:
        yield from (heading, "", *lines, "")


def _anchor(name: str) -> Iterator[str]:
    """Yield the lines of an anchor, which stays when the heading below it changes."""
    yield from (f'<a id="{name}"></a>', "")
