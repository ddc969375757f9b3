"""The index of the pages: how to use what they say, the values by surface, and the message rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry, Rule, Surface
from ._address import link_to, rule_anchor, value_of
from ._markdown import anchor, code, listed, table

_COLUMNS = ("value", "meaning", "class", "retryable", "action")
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


def index(catalog: Catalog) -> Iterator[str]:
    """The lines of the index."""
    yield from (f"# All values of catalog {catalog.version}", "", _HEAD)
    if catalog.overlays:
        yield from (f"With the overlays {', '.join(map(code, catalog.overlays))}.", "")
    yield from (f"[{name}](#{name.replace('.', '-')}) ·" for name in catalog.surfaces)
    yield from ("[message rules](#rules)", "", *anchor("in-code"), "## In code", "", _IN_CODE, "")
    for place in catalog.surfaces.values():
        yield from _surface(place, [row for row in catalog.entries if row.surface == place.name])
    yield from (*anchor("rules"), "## Message rules", "")
    yield from (_RULES, "")
    for rule in catalog.rules:
        yield from _rule(rule)


def _surface(place: Surface, rows: list[Entry]) -> Iterator[str]:
    yield from (*anchor(place.name.replace(".", "-")), f"## {place.name}", "")
    if place.legacy:
        yield from ("Legacy: kept for what still runs.", "")
    for field in dict.fromkeys(row.field for row in rows):
        yield from (f"### {place.name}: {field}", "")
        yield from table(
            ("value", "meaning", "class", "retryable", "action"), (_cells(row) for row in rows if row.field == field)
        )
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
    yield from (*anchor(rule_anchor(rule)), f"### {rule.title}", "")
    of = {None: "a failure without a code", "*": "any failure"}.get(rule.code) or f"the code {code(str(rule.code))}"
    told = "retryable" if rule.retryable else "not retryable"
    yield from (f"For {of}: {told}, {code(rule.action)}. {rule.cause} {rule.remedy}", "")
    yield from listed("Evidence:", (f"<{link}>" for link in rule.evidence))
