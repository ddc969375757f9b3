"""The form of catalogs and overlays: what our readers accept is what the published schemas accept."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given, strategies as st

from bodies import short
from runoutcome._catalog.document import CATALOG as CATALOG_READER, OVERLAY as OVERLAY_READER, problems

DATA = files("runoutcome").joinpath("data")
CATALOG_SCHEMA: dict[str, Any] = json.loads(DATA.joinpath("catalog.schema.json").read_text("utf-8"))
OVERLAY_SCHEMA: dict[str, Any] = json.loads(DATA.joinpath("overlay.schema.json").read_text("utf-8"))
CATALOG: dict[str, Any] = json.loads(DATA.joinpath("catalog.json").read_text("utf-8"))
OVERLAY: dict[str, Any] = {
    "name": "gateway",
    "entries": [
        {"value": "busy", "error_type": "internal_server_error", "status_code": 503, "retryable": True},
        {"match": "null", "error_type": "rate_limit_error", "retryable": False, "action": "fix_account"},
    ],
    "rules": [{"id": "at-capacity", "code": "*", "pattern": "capacity", "retryable": True}],
    "upstream_error_types": {"Busy": "rate_limit_error"},
}
# Small, so that every part of it is met by a random change.
SMALL = {**CATALOG, "entries": CATALOG["entries"][:4] + CATALOG["entries"][-2:]}
STRANGE = st.sampled_from(
    [None, True, 0, 1, 2.5, 999, "", "x", "RateLimitError", "none", [], ["x", "x"], {}, {"a": 1}]
).map(copy.deepcopy)


def is_right(document: object, schema: dict[str, Any]) -> bool:
    """What `jsonschema` says of it."""
    return jsonschema.Draft202012Validator(schema).is_valid(document)


@st.composite
def changed(draw: st.DrawFn, document: dict[str, Any]) -> Any:
    """`document` with one or two of its values replaced, removed or added somewhere."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from([*keys, "new"])) if keys else "new"
            inner = place[key] if key in keys else None
            if isinstance(inner, (dict, list)) and inner and draw(st.booleans()):
                place = inner
                continue
            if key in keys and draw(st.booleans()):
                del place[key]
            elif isinstance(place, dict):
                place[key] = draw(STRANGE)
            else:
                place.append(draw(STRANGE))
            break
    return document


@given(changed(OVERLAY))
def test_an_overlay_is_judged_as_by_jsonschema(document: Any) -> None:
    """An overlay with anything in any place is right exactly if `jsonschema` says so."""
    assert (not problems(document, OVERLAY_READER)) == is_right(document, OVERLAY_SCHEMA)


@given(changed(SMALL))
def test_a_catalog_is_judged_as_by_jsonschema(document: Any) -> None:
    """A catalog with anything in any place is right exactly if `jsonschema` says so."""
    assert (not problems(document, CATALOG_READER)) == is_right(document, CATALOG_SCHEMA)


ENTRY_EDGES: dict[str, list[object]] = {
    **{
        name: OVERLAY_SCHEMA["$defs"][name]["enum"]
        for name in ("surface", "field", "action", "error_class", "error_type")
    },
    **{
        name: [*OVERLAY_SCHEMA["$defs"]["entry"]["properties"][name]["enum"], "?"]
        for name in ("match", "phase", "confidence")
    },
    "value": ["x" * 100, "x" * 101],
    "title": ["x" * 400, "x" * 401, "caf\u00e9"],
    "status_code": [199, 200, 599, 600, None],
    "sdk_since": ["1.2.3", "1.2", "01.2.3", None],
    "alternatives": [[{"argument": "x", "error_class": name}] for name in ("APITimeoutError", "APIError", None)],
}


@pytest.mark.parametrize("key", ENTRY_EDGES)
def test_words_and_bounds_are_those_of_the_schema(key: str) -> None:
    """Every word of the schema is accepted, and each length and number up to its bound."""
    for value in ENTRY_EDGES[key]:
        document = {"entries": [{key: value}]}
        assert (not problems(document, OVERLAY_READER)) == is_right(document, OVERLAY_SCHEMA), value


@pytest.mark.parametrize(
    "change",
    [
        {"http_statuses": {}},
        {"http_statuses": {"500": "internal_server_error"}},
        {"retryable_statuses": [400, 499]},
        {"retryable_statuses": [500]},
        {"upstream_error_types": {"rate_limit_error": "rate_limit_error"}},
        {"upstream_error_types": {"9": "rate_limit_error"}},
        {"surfaces": {**CATALOG["surfaces"], "response": {**CATALOG["surfaces"]["response"], "terminal": []}}},
        {"rules": [{**CATALOG["rules"][0], "words": ["ab"]}]},
        {"rules": [CATALOG["rules"][0]] * 2},
        {"entries": [{**CATALOG["entries"][0], "deprecated": {"since": "1.0.0", "reason": "x", "use": "x" * 200}}]},
        {"entries": [{**CATALOG["entries"][0], "deprecated": {"since": "1.0.0", "reason": "x", "use": "x" * 201}}]},
        {"entries": []},
    ],
    ids=short,
)
def test_edges_of_a_catalog_are_those_of_the_schema(change: dict[str, Any]) -> None:
    """A catalog at a bound is accepted exactly if `jsonschema` accepts it."""
    document = {**CATALOG, **change}
    assert (not problems(document, CATALOG_READER)) == is_right(document, CATALOG_SCHEMA)


@pytest.mark.parametrize("document", [None, 5, "text", [], [{}], {}], ids=short)
def test_what_is_no_table_at_all(document: object) -> None:
    """A document of another type is one problem, and not an exception."""
    assert (not problems(document, OVERLAY_READER)) == is_right(document, OVERLAY_SCHEMA)


def test_the_shipped_documents_are_right() -> None:
    """The shipped catalog has the form of its schema."""
    assert problems(CATALOG, CATALOG_READER) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"entries": {}}, "entries: must be a list, and is {}"),
        ({"nmae": "x"}, "nmae: is no key that is allowed here (did you mean name?)"),
        ({"entries": [{"action": "resubmt"}]}, 'entries[0].action: "resubmt" is not allowed (did you mean resubmit?)'),
        ({"entries": [{"status_code": 99}]}, "entries[0].status_code: 99 is less than 200, or null"),
        ({"entries": [{"status_code": True}]}, "entries[0].status_code: must be a whole number, and is true, or null"),
        ({"entries": [{"title": ""}]}, 'entries[0].title: "" is shorter than 1'),
        ({"entries": [{"evidence": ["http://x"]}]}, 'entries[0].evidence[0]: "http://x" does not have the form'),
        ({"entries": [{"evidence": ["https://x", "https://x"]}]}, "entries[0].evidence[1]: is there twice"),
        ({"rules": [{"id": "a"}]}, "rules[0]: 'pattern' is missing"),
        (
            {"upstream_error_types": {"rate_limit_error": "bad_request_error"}},
            "rate_limit_error: is a name with",
        ),
    ],
    ids=short,
)
def test_a_problem_names_key_and_what_is_allowed(change: dict[str, Any], told: str) -> None:
    """A problem says where it is, what is there, and what may be there."""
    assert told in "\n".join(problems(change, OVERLAY_READER))


def test_a_long_value_is_shown_short() -> None:
    """A value that is wrong is shown by its beginning."""
    (line,) = problems({"name": "x" * 5000}, OVERLAY_READER)
    assert len(line) < 200
    assert "…" in line
