"""Each field of the data is changed, and some check has to fail for each change.

The conformance vectors have to notice a change of a field that decides about outcomes. The committed exports, which
hold every field, have to notice a change of words, and of the few fields that no outcome depends on (see `is_idle`).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from importlib.resources import files
from itertools import chain
from typing import Any, NamedTuple

import pytest
from catalogs import drop, put
from vectors import ROOT, VECTORS, agree, outcome_of

from runoutcome import Catalog
from runoutcome._catalog.rows import ACTIONS, ERROR_TYPES
from runoutcome.contract._exports import EXPORTS

pytestmark = pytest.mark.once
Document = dict[str, Any]

DATA: Document = json.loads(files("runoutcome").joinpath("data/catalog.json").read_text("utf-8"))
COMMITTED = {name: ROOT.joinpath(export.path).read_text("utf-8") for name, export in EXPORTS.items()}
ROW = "batch.output_row"
CLASSES = ("BadRequestError", "RateLimitError")
NEVER = "(?!)"
ENTRY_WORDS = (
    *("title", "cause", "remedy", "since", "sdk_since", "documented", "inferred", "confidence", "contested"),
    *("evidence", "alternatives", "deprecated"),
)
RULE_WORDS = ("title", "cause", "remedy", "since")
SURFACE_WORDS = ("status_field", "legacy", "sdk_model", "openapi_schema")


class Mutant(NamedTuple):
    """One change: its name, how it is made, whose vectors to look at first, and whether outcomes depend on it."""

    name: str
    change: Callable[[Document], None]
    near: str
    decides: bool = True


def other(value: Any, *choices: Any) -> Any:
    """The first of `choices` that is not `value`."""
    return next(choice for choice in choices if choice != value)


def changed(value: Any) -> Any:
    """Another value of the same kind, or some text in place of null."""
    if isinstance(value, bool):
        return not value
    return [*value, "x"] if isinstance(value, list) else f"{value or ''}x"


def changed_words(row: Document, field: str) -> Any:
    """Another value for words of an entry."""
    structured = {"alternatives": [{"argument": "x"}], "deprecated": {"since": "9.9.9", "reason": "x"}}
    return other(row.get(field), structured[field]) if field in structured else changed(row[field])


def entry_mutants(index: int) -> Iterator[Mutant]:
    """Every change of the fields that decide about an entry's outcomes."""
    row = DATA["entries"][index]
    name = f"{row['surface']}/{row['field']}/{row['value'] if row['match'] == 'literal' else '<' + row['match'] + '>'}"
    deciding = {
        "surface": other(row["surface"], "response", "batch"),
        "field": other(row["field"], "error.code", "status"),
        "match": other(row["match"], "literal", "unknown"),
        "value": changed(row["value"]),
        "error_class": other(row["error_class"], *CLASSES),
        "status_code": 418,
        "error_type": other(row["error_type"], *ERROR_TYPES),
        "retryable": not row["retryable"],
        "action": other(row["action"], *ACTIONS),
    }
    for field, value in deciding.items():
        yield Mutant(f"{name} {field}", put("entries", index, field, value=value), name, not is_idle(row, field))


def is_idle(row: Document, field: str) -> bool:
    """Whether no outcome depends on this field of an entry.

    A status about which another field decides, also where that says nothing, has a row for its words only. The row for
    HTTP statuses lends its name and words: class, status and the rest come from the number. Rows about the output lend
    theirs to a completed run. A run that has not ended is never retryable.
    """
    surface = DATA["surfaces"][row["surface"]]
    if row["match"] == "http_status" or row["field"] == surface["output_field"]:
        return field not in ("surface", "field", "match", "value")
    if field == "retryable" and row["field"] == "status" and row["value"] not in surface["terminal"]:
        return True
    decided = surface["decided_by"]
    return row["field"] == "status" and row["value"] in ("failed", "incomplete") and row["value"] in decided


def surface_mutants(name: str) -> Iterator[Mutant]:
    """Every change of one surface."""
    surface = DATA["surfaces"][name]

    def mutant(what: str, change: Callable[[Document], None], decides: bool = True) -> Mutant:
        return Mutant(f"{name} {what}", change, name, decides)

    at = ("surfaces", name)
    yield mutant("object", put(*at, "object", value=f"{surface['object']}x" if surface["object"] else "list"))
    for field, usual in (("output_field", "output"), ("counts_field", "request_counts")):
        yield mutant(field, put(*at, field, value=changed(surface[field]) if surface[field] else usual))
    told = list(surface["decided_by"].values())
    has_codes = f"{surface['failure_field']}.code" in told
    yield mutant("failure_field", put(*at, "failure_field", value="mislaid"), has_codes)
    for field in ("aliases", "pending", "terminal", "completed"):
        for index, member in enumerate(surface[field]):
            yield mutant(f"{field} without {member}", drop(*at, field, index))
    for status in surface["decided_by"]:
        yield mutant(f"decided_by without {status}", drop(*at, "decided_by", status), name != ROW)
        yield mutant(f"decided_by of {status}", put(*at, "decided_by", status, value="mislaid.reason"), name != ROW)
    for field in SURFACE_WORDS:
        yield mutant(field, put(*at, field, value=changed(surface[field])), decides=False)


def rule_mutants(index: int) -> Iterator[Mutant]:
    """Every change of one rule, each of the wordings in its pattern left out once."""
    rule = DATA["rules"][index]
    at = ("rules", index)
    deciding = {
        "id": [changed(rule["id"])],
        "surface": ["batch"],
        "code": [other(rule["code"], "*", "server_error"), None],
        "pattern": ["", NEVER, *without_one(rule["pattern"])],
        "retryable": [not rule["retryable"]],
        "action": [other(rule["action"], *ACTIONS)],
    }
    for field, values in deciding.items():
        for number, value in enumerate(values):
            yield Mutant(f"{rule['id']} {field} {number}", put(*at, field, value=value), rule["id"])
    for number, word in enumerate(rule["words"]):
        yield Mutant(f"{rule['id']} words without {word}", drop(*at, "words", number), rule["id"])
    for field in (*RULE_WORDS, "evidence"):
        yield Mutant(f"{rule['id']} {field}", put(*at, field, value=changed(rule[field])), rule["id"], decides=False)
    yield Mutant(f"{rule['id']} gone", drop(*at), rule["id"])


def without_one(pattern: str) -> list[str]:
    """The pattern without each of its alternatives, of which none is empty."""
    wordings = re.split(r"\|(?![^(]*\))", pattern)
    return ["|".join(wordings[:number] + wordings[number + 1 :]) or NEVER for number in range(len(wordings))]


def table_mutants() -> Iterator[Mutant]:
    """Every change of the tables beside entries, surfaces and rules."""
    for table in ("http_statuses", "upstream_error_types"):
        for word, error_type in DATA[table].items():
            yield Mutant(f"{table} {word} gone", drop(table, word), word)
            yield Mutant(f"{table} {word}", put(table, word, value=other(error_type, *ERROR_TYPES)), word)
    for index, status in enumerate(DATA["retryable_statuses"]):
        yield Mutant(f"{status} not retryable", drop("retryable_statuses", index), str(status))
    for error_type, row in DATA["error_types"].items():
        at = ("error_types", error_type)
        yield Mutant(
            f"{error_type} error_class", put(*at, "error_class", value=other(row["error_class"], *CLASSES)), "type"
        )
        # `api_status_error` always has the status that the number says.
        decides = error_type != "api_status_error"
        yield Mutant(f"{error_type} status_code", put(*at, "status_code", value=418), "type", decides)
    yield Mutant("rules in another order", lambda document: document["rules"].reverse(), "rule-first-wins")
    yield Mutant("catalog_version", put("catalog_version", value="9.9.9"), "", decides=False)


def catalog_with(mutant: Mutant) -> Catalog:
    """The catalog with this change."""
    document = {key: deepcopy(value) if key != "entries" else [*map(dict, value)] for key, value in DATA.items()}
    mutant.change(document)
    return Catalog.from_dict(document)


def is_noticed(mutant: Mutant) -> bool:
    """Whether a check fails for this change: a vector where outcomes depend on it, else an export."""
    catalog = catalog_with(mutant)
    return fails_a_vector(catalog, mutant.near) if mutant.decides else is_stale(catalog)


def is_words(mutant: Mutant) -> bool:
    """Whether the change is one of words, which no outcome has in it."""
    return mutant.name.endswith(tuple(f" {field}" for field in SURFACE_WORDS))


def fails_a_vector(catalog: Catalog, near: str) -> bool:
    """Whether some vector no longer comes out as it says; those that have to do with `near` are tried first."""
    return any(not agree(vector["outcome"], outcome_of(vector, vector["body"], catalog)) for vector in sorted_by(near))


def sorted_by(near: str) -> Iterable[Document]:
    """All vectors, those that name `near` in their outcome, name or body first."""
    return sorted(VECTORS, key=lambda vector: near not in TEXTS[vector["name"]])


TEXTS = {vector["name"]: json.dumps(vector) for vector in VECTORS}


def is_stale(catalog: Catalog) -> bool:
    """Whether some committed export is no longer what is generated."""
    return any(export.text(catalog) != COMMITTED[name] for name, export in EXPORTS.items())


def survivors(mutants: Iterable[Mutant]) -> list[str]:
    """The names of the changes that nobody notices."""
    return [mutant.name for mutant in mutants if not is_noticed(mutant)]


def test_without_a_change_no_check_fails() -> None:
    """The checks pass for the data as it is, so that what fails in the tests below is due to the change."""
    catalog = Catalog.from_dict(DATA)
    assert not fails_a_vector(catalog, "")
    assert not is_stale(catalog)


def lines_of(text: str) -> list[list[str]]:
    """The lines of a CSV file."""
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("field", ENTRY_WORDS)
def test_a_changed_word_of_an_entry_is_noticed(field: str) -> None:
    """Words that are changed in every entry change the line of every entry in the CSV, which has one for each."""
    document = {**DATA, "entries": [{**row, field: changed_words(row, field)} for row in DATA["entries"]]}
    lines = lines_of(EXPORTS["csv"].text(Catalog.from_dict(document)))
    pairs = zip(lines, lines_of(COMMITTED["csv"]), strict=True)
    assert [line[0] for line, committed in pairs if line == committed] == ["id"]


@pytest.mark.parametrize("name", DATA["surfaces"])
def test_a_changed_surface_is_noticed(name: str) -> None:
    """Each field that decides, changed, and each member of a surface's lists, left out, fails a check."""
    rows = (entry_mutants(index) for index, row in enumerate(DATA["entries"]) if row["surface"] == name)
    assert survivors(chain(surface_mutants(name), *rows)) == []


def test_a_changed_rule_is_noticed() -> None:
    """Each field of a rule, changed, and each wording of its pattern, left out, fails a check."""
    assert survivors(chain.from_iterable(map(rule_mutants, range(len(DATA["rules"]))))) == []


def test_a_changed_table_is_noticed() -> None:
    """Each line of the tables by HTTP status and by type, changed or left out, fails a check."""
    assert survivors(table_mutants()) == []


@pytest.mark.parametrize("name", DATA["surfaces"])
def test_what_counts_as_idle_is_idle(name: str) -> None:
    """No outcome changes with a field that is left to the exports: the vectors would have to notice it."""
    rows = (entry_mutants(index) for index, row in enumerate(DATA["entries"]) if row["surface"] == name)
    idle = [mutant for mutant in chain(surface_mutants(name), *rows) if not mutant.decides and not is_words(mutant)]
    assert [mutant.name for mutant in idle if fails_a_vector(catalog_with(mutant), mutant.near)] == []


def test_no_field_is_left_out() -> None:
    """There is a change for every field of an entry, a surface and a rule, and for every part of the data."""
    entries = {
        mutant.name.rpartition(" ")[2] for index in range(len(DATA["entries"])) for mutant in entry_mutants(index)
    }
    assert entries.union(ENTRY_WORDS) == {"deprecated"}.union(*DATA["entries"])
    surfaces = {mutant.name.split()[1] for name in DATA["surfaces"] for mutant in surface_mutants(name)}
    assert surfaces == set().union(*DATA["surfaces"].values())
    rules = {mutant.name.split()[1] for index in range(len(DATA["rules"])) for mutant in rule_mutants(index)}
    assert rules == {"gone"}.union(*DATA["rules"])
    told = {
        "entries",
        "surfaces",
        "rules",
        "http_statuses",
        "upstream_error_types",
        "retryable_statuses",
        "error_types",
    }
    assert DATA.keys() == told | {"$schema", "catalog_version"}
