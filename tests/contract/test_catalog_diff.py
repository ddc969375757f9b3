"""What a change of the catalog breaks, by the policy in `docs/versioning.md`, and which version number it needs."""

from __future__ import annotations

import json
from copy import deepcopy
from importlib.resources import files

import pytest
from catalogs import (
    Edit,
    add_entry,
    add_rule,
    both,
    compared,
    drop,
    entry,
    put,
    rule,
    small_catalog,
    surface,
)

from runoutcome.contract import Severity, bump_between, diff, raised
from runoutcome.contract._diff import ENTRY_FIELDS, RULE_FIELDS, SECTIONS, SURFACE_FIELDS

RETRYABLE = {"retryable": True, "action": "resubmit"}
DEPRECATED = {"since": "1.3.0", "reason": "Not sent any more."}
SURFACE = {"object": "new", "status_field": "status", "pending": [], "terminal": ["completed"], "decided_by": {}}

FORBIDDEN: dict[str, Edit] = {
    "an entry goes that was not deprecated": drop("entries", 0),
}
BREAKING: dict[str, Edit] = {
    "a deprecated entry goes": drop("entries", 4),
    "another class": entry("error_class", "NotFoundError"),
    "another error type": entry("error_type", "unknown_error"),
    "another retryable": entry("retryable", True),
    "another status": put("entries", 1, "status_code", value=422),
    "a status that differs from that of the error type": entry("status_code", 422),
    "an entry of a surface contradicts the one it fell back to": add_entry(
        "batch", "errors.data.code", "bad", **RETRYABLE
    ),
    "the same for the entry for no code": add_entry("batch", "errors.data.code", None),
    "the same for the entry for an unknown status": add_entry("batch", "status", None, match="unknown", **RETRYABLE),
    "a surface goes": drop("surfaces", "batch"),
    "a surface has another object": surface("object", "batches"),
    "an alias goes": surface("aliases", []),
    "the status is elsewhere": surface("status_field", "state"),
    "the failure is elsewhere": surface("failure_field", "error"),
    "the counts are not found any more": surface("counts_field", None),
    "a status goes": surface("pending", []),
    "a status moves from pending to terminal": both(
        surface("pending", []), surface("terminal", ["completed", "done", "failed", "validating"])
    ),
    "a status becomes a success": surface("completed", ["completed", "done"]),
    "a status is no success any more": surface("completed", []),
    "another field decides": surface("decided_by", {"failed": "error.code"}),
    "a field decides instead of the status": surface("decided_by", {"failed": "errors.data.code", "done": "x"}),
    "a field decides no longer": surface("decided_by", {}),
    "another pattern": rule("pattern", "z"),
    "another retryable of a rule": rule("retryable", True),
    "another code of a rule": rule("code", "x"),
    "a rule goes": drop("rules", 0),
    "a rule comes that makes retryable": add_rule(retryable=True),
    "rules change places": lambda document: document["rules"].reverse(),
    "an error type goes": drop("error_types", "bad_request_error"),
    "another class of an error type": put("error_types", "unknown_error", "error_class", value="NotFoundError"),
    "an HTTP status comes": put("http_statuses", "409", value="unknown_error"),
    "fewer words of a rule": rule("words", ["abc"]),
    "words of a rule that had none": put("rules", 1, "words", value=["abc"]),
    "a longer word of a rule": rule("words", ["abcd", "xyz"]),
    "an HTTP status goes": drop("http_statuses", "400"),
    "another type of an HTTP status": put("http_statuses", "400", value="unknown_error"),
    "an HTTP status becomes retryable": put("retryable_statuses", value=[408, 429]),
    "an HTTP status is not retryable any more": put("retryable_statuses", value=[]),
    "an upstream type goes": drop("upstream_error_types", "invalid_request_error"),
    "another type for an upstream type": put("upstream_error_types", "invalid_request_error", value="unknown_error"),
}
MINOR: dict[str, Edit] = {
    "a new code": add_entry("response", "error.code", "new", **RETRYABLE),
    "a new number as a code": add_entry("response", "error.code", "429"),
    "an entry of a surface agrees with the one it fell back to": add_entry("batch", "errors.data.code", "bad"),
    "a status of its own for what fell back to unknown": add_entry("batch", "status", "failed", **RETRYABLE),
    "another action": entry("action", "fix_account"),
    "a status where none was known": put("entries", 2, "status_code", value=409),
    "deprecated": entry("deprecated", DEPRECATED),
    "no longer deprecated": drop("entries", 4, "deprecated"),
    "a field that is new to entries": entry("severity", "high"),
    "a new surface": put("surfaces", "new", value=SURFACE),
    "an entry of a new surface contradicts `response`": both(
        put("surfaces", "new", value=SURFACE), add_entry("new", "error.code", "bad", **RETRYABLE)
    ),
    "another name by which bodies are found": surface("aliases", ["jobs", "job"]),
    "a new pending status": surface("pending", ["validating", "queued"]),
    "a new terminal status": surface("terminal", ["completed", "done", "failed", "expired"]),
    "a new success": both(
        surface("terminal", ["completed", "done", "failed", "ok"]), surface("completed", ["completed", "ok"])
    ),
    "a new status that a field decides": both(
        surface("terminal", ["completed", "done", "failed", "broken"]),
        surface("decided_by", {"failed": "errors.data.code", "broken": "errors.data.code"}),
    ),
    "an output where none was known": surface("output_field", "output_file_id"),
    "a surface is called legacy": surface("legacy", True),
    "another action of a rule": rule("action", "fix_account"),
    "a rule comes that takes retryable away": add_rule(retryable=False),
    "a new error type": put("error_types", "new_error", value={"error_class": None, "status_code": None}),
    "a new upstream type": put("upstream_error_types", "tokens", value="unknown_error"),
    "a section that is new to catalogs": put("notes", value={}),
}
PATCH: dict[str, Edit] = {
    "another title": entry("title", "Another"),
    "evidence": entry("evidence", ["https://example.com"]),
    "alternatives": entry("alternatives", [{"argument": "Others do."}]),
    "confidence": entry("confidence", "high"),
    "the status of the error type is written out": entry("status_code", 400),
    "the status of the error type is left out": put("entries", 1, "status_code", value=None),
    "deprecated in other words": put("entries", 4, "deprecated", "reason", value="Other words."),
    "another order of names": both(surface("object", "jobs"), surface("aliases", ["batch"])),
    "another place in the SDK": surface("sdk_model", "openai.types.batch.Batch"),
    "a name in the OpenAPI document": surface("openapi_schema", "Batch"),
    "other words of a rule": rule("title", "Another"),
    "one more word of a rule": rule("words", ["abc", "xyz", "more"]),
    "a shorter word of a rule": rule("words", ["bc", "xyz"]),
    "no words of a rule any more": rule("words", []),
}
CASES = [
    pytest.param(severity, edit, id=f"{severity.word}: {name}")
    for severity, edits in (
        (Severity.FORBIDDEN, FORBIDDEN),
        (Severity.BREAKING, BREAKING),
        (Severity.MINOR, MINOR),
        (Severity.PATCH, PATCH),
    )
    for name, edit in edits.items()
]


@pytest.mark.parametrize(("severity", "edit"), CASES)
def test_each_change_is_as_severe_as_the_policy_says(severity: Severity, edit: Edit) -> None:
    """Each kind of change has the severity that the policy gives it."""
    found = compared(edit)
    assert found.needed is severity, found.changes


def test_the_order_of_entries_is_no_change() -> None:
    """The same catalog with its entries in another order has no change."""
    assert compared(lambda document: document["entries"].reverse()).changes == ()


def test_every_field_of_the_schema_has_a_severity() -> None:
    """The policy knows every section of a catalog, and every field of an entry, a rule and a surface."""
    schema = json.loads(files("runoutcome").joinpath("data/catalog.schema.json").read_bytes())
    forms = schema["$defs"]
    assert schema["properties"].keys() == SECTIONS
    # What a row is found by is no field of it that could change.
    key = {"surface", "field", "match", "value"}
    assert forms["entry"]["properties"].keys() == {*ENTRY_FIELDS, *key}
    assert forms["rule"]["properties"].keys() == {*RULE_FIELDS, "id"}
    assert forms["surface_rule"]["properties"].keys() == {*SURFACE_FIELDS}


def test_an_unknown_field_may_not_change() -> None:
    """A field that this code does not know is breaking when it changes or goes."""
    old, new = small_catalog(), small_catalog()
    old["entries"][0]["novel"], new["entries"][0]["novel"] = 1, 2
    assert diff(old, new).needed is diff(old, small_catalog()).needed is Severity.BREAKING


def test_another_object_is_told_by_name() -> None:
    """A surface whose bodies call themselves something else has one change for each name."""
    changes = compared(surface("object", "batches")).changes
    assert [change.what for change in changes] == [
        "no longer found by the object 'batch'",
        "now also found by the object 'batches'",
    ]


def test_what_was_deprecated_in_between_may_go() -> None:
    """An entry that a version between the two deprecated is breaking to remove, and not forbidden."""
    between = small_catalog()
    between["entries"][0]["deprecated"] = {"since": "1.3.0", "reason": "Renamed."}
    (change,) = compared(drop("entries", 0), version="2.0.0", between=(between,)).changes
    assert change.severity is Severity.BREAKING


def test_a_surface_that_leaves_out_a_field_means_its_default() -> None:
    """Writing the defaults of a surface out is no change."""
    spelled = {"aliases": [], "completed": ["completed"], "failure_field": "error", "legacy": False}
    assert compared(lambda document: document["surfaces"]["response"].update(spelled)).changes == ()


def test_a_change_says_what_and_where() -> None:
    """A change has its kind, id, field and values, in words and as JSON."""
    (change,) = compared(entry("action", "none")).changes
    assert change.to_dict() == {
        "severity": "minor",
        "kind": "entry",
        "id": "response/error.code/bad",
        "field": "action",
        "old": "change_request",
        "new": "none",
        "what": 'action: "change_request" -> "none"',
    }


def test_long_values_are_not_in_the_words() -> None:
    """A change of a long text names the field only."""
    (change,) = compared(entry("title", "word " * 50)).changes
    assert change.what == "title changed"


def test_the_most_severe_change_is_first_and_decides() -> None:
    """Changes are sorted by severity, and the worst is what the new version needs."""
    found = compared(entry("title", "x"), entry("action", "none"), entry("retryable", True), drop("entries", 1))
    severities = [change.severity.word for change in found.changes]
    assert severities == ["forbidden", "breaking", "minor", "patch"]
    assert found.needed is Severity.FORBIDDEN


@pytest.mark.parametrize(
    ("old", "new", "bump"),
    [
        ("1.2.3", "2.0.0", Severity.BREAKING),
        ("1.2.3", "1.3.0", Severity.MINOR),
        ("1.2.3", "1.2.4", Severity.PATCH),
        ("1.9.0", "1.10.0", Severity.MINOR),
        ("1.2.3", "1.2.3", Severity.NONE),
        ("1.2.3", "1.1.9", Severity.NONE),
        ("2.0.0", "1.9.9", Severity.NONE),
    ],
)
def test_a_bump_is_the_first_number_that_is_raised(old: str, new: str, bump: Severity) -> None:
    """Two versions announce what the first number between them that differs says, compared as numbers."""
    assert bump_between(old, new) is bump


@pytest.mark.parametrize(
    ("edit", "covering"),
    [
        (entry("title", "x"), {"1.2.4", "1.3.0", "2.0.0"}),
        (entry("action", "none"), {"1.3.0", "2.0.0"}),
        (entry("retryable", True), {"2.0.0"}),
        (drop("entries", 0), set[str]()),
    ],
)
def test_a_bump_covers_what_is_no_more_severe(edit: Edit, covering: set[str]) -> None:
    """A version number covers changes up to its own kind, and no number covers what is forbidden."""
    versions = ("1.2.3", "1.2.4", "1.3.0", "2.0.0")
    assert {version for version in versions if compared(edit, version=version).is_covered} == covering


def test_nothing_needs_no_new_version() -> None:
    """A catalog without a change is covered by its own number."""
    assert compared().is_covered


@pytest.mark.parametrize(
    ("severity", "version"),
    [(Severity.PATCH, "1.2.4"), (Severity.MINOR, "1.3.0"), (Severity.BREAKING, "2.0.0")],
)
def test_the_next_version_covers(severity: Severity, version: str) -> None:
    """The next version for a severity is the smallest that announces it."""
    assert raised("1.2.3", severity) == version
    assert bump_between("1.2.3", version) is severity


def test_comparing_changes_nothing() -> None:
    """The documents are only read."""
    old, new = small_catalog(), {**small_catalog(), "rules": []}
    before = deepcopy((old, new))
    diff(old, new)
    assert (old, new) == before


def erratum(edit: Edit, since: str = "1.3.0", entry_id: str = "response/error.code/bad") -> Edit:
    """The edit, published as the correction of an entry."""
    return both(edit, put("errata", value=[{"id": entry_id, "since": since, "reason": "A slip."}]))


@pytest.mark.parametrize(
    "edit",
    [
        both(entry("error_class", "NotFoundError"), entry("error_type", "unknown_error")),
        entry("status_code", 422),
    ],
)
def test_an_erratum_is_minor(edit: Edit) -> None:
    """A correction that the catalog lists is covered by a minor version, and the change says why it was made."""
    assert compared(edit, version="1.3.0").needed is Severity.BREAKING
    found = compared(erratum(edit), version="1.3.0")
    assert found.needed is Severity.MINOR
    assert found.is_covered
    assert all(change.what.endswith("; an erratum: A slip.") for change in found.changes)


def test_a_list_of_errata_is_no_change() -> None:
    """The list itself changes no answer."""
    assert compared(put("errata", value=[])).changes == ()


def test_words_are_new_to_a_catalog_without_any() -> None:
    """A catalog of a format without words is not narrowed by getting them."""
    old, new = small_catalog(), {**small_catalog(), "catalog_version": "1.3.0"}
    del old["rules"][0]["words"]
    assert diff(old, new).changes == ()


def test_an_erratum_may_take_retryable_away_and_never_give_it() -> None:
    """Of `retryable` only the change to false can be a correction."""
    false = erratum(both(entry("retryable", False), entry("action", "none")))
    old, new = small_catalog(), {**small_catalog(), "catalog_version": "1.3.0"}
    old["entries"][0] |= {"retryable": True, "action": "resubmit"}
    false(new)
    assert diff(old, new).needed is Severity.MINOR
    assert compared(erratum(entry("retryable", True)), version="1.3.0").needed is Severity.BREAKING


@pytest.mark.parametrize(
    "edit",
    [
        erratum(entry("error_class", "NotFoundError"), since="1.2.3"),
        erratum(entry("error_class", "NotFoundError"), entry_id="response/error.code/exact"),
        erratum(rule("pattern", "z"), entry_id="first"),
        erratum(drop("entries", 0)),
    ],
    ids=["of an older version", "of another entry", "of a rule", "an entry that goes"],
)
def test_what_no_erratum_excuses(edit: Edit) -> None:
    """An erratum is for its version and its entry, not for rules, and not for an entry that goes."""
    assert compared(edit, version="1.3.0").needed >= Severity.BREAKING


def test_a_new_rule_names_those_it_comes_before() -> None:
    """A rule that is tried before published ones says which, as their messages may get its action."""
    new = {"id": "third", "surface": "response", "code": "*", "pattern": "c", "retryable": False}
    (change,) = compared(lambda document: document["rules"].insert(1, new)).changes
    assert (change.severity, change.what) == (Severity.MINOR, "added, and tried before second")
