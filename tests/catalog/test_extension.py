"""What an overlay amounts to on top of the catalog: new rows, changed rows, statuses, rules, and contradictions."""

from __future__ import annotations

from typing import Any

import pytest

from bodies import short
from runoutcome import Catalog, CatalogError, Outcome, classify, error_for, raise_for_status


def failed(**error: Any) -> dict[str, Any]:
    """The body of a failed run with this error."""
    return {"object": "response", "id": "resp_1", "status": "failed", "error": {"message": "m", **error}}


def judged(body: dict[str, Any], *entries: dict[str, Any], **rest: Any) -> Outcome:
    """The outcome of `body` by the shipped catalog with an overlay of these entries on top."""
    return classify(body, catalog=Catalog.load().extend({"name": "mine", "entries": list(entries), **rest}))


def test_a_new_code_decides() -> None:
    """A code that the catalog does not have gets its class, status and advice from the overlay."""
    row = {"value": "busy", "error_type": "internal_server_error", "status_code": 503, "retryable": True}
    outcome = judged(failed(code="busy"), row)
    assert (outcome.error_class, outcome.status_code, outcome.retryable) == ("InternalServerError", 503, True)
    assert (outcome.action, outcome.known, outcome.overlay) == ("resubmit", True, "mine")


def test_the_error_type_gives_class_and_status() -> None:
    """An error type alone is enough: class and HTTP status follow from it."""
    outcome = judged(failed(code="busy"), {"value": "busy", "error_type": "rate_limit_error", "retryable": False})
    assert (outcome.error_class, outcome.status_code, outcome.action) == ("RateLimitError", 429, "none")


def test_a_class_gives_its_error_type() -> None:
    """A class alone is enough where it has one error type."""
    outcome = judged(failed(code="busy"), {"value": "busy", "error_class": "ConflictError", "retryable": False})
    assert (outcome.error_type, outcome.status_code) == ("conflict_error", 409)


def test_a_published_row_is_changed_where_the_overlay_says_so() -> None:
    """An override keeps what it does not name: here only the advice differs, and it names who decided."""
    published = classify(failed(code="failed_to_download_image"))
    outcome = judged(failed(code="failed_to_download_image"), {"value": "failed_to_download_image", "retryable": True})
    assert (published.retryable, published.overlay) == (False, None)
    assert (outcome.retryable, outcome.action, outcome.overlay) == (True, "resubmit", "mine")
    assert (outcome.error_class, outcome.status_code) == (published.error_class, published.status_code)
    assert outcome.title == published.title


def test_another_error_type_drops_the_old_status() -> None:
    """An override of the type takes the status of the new type, not the observed one of the old."""
    outcome = judged(
        failed(code="server_is_overloaded"), {"value": "server_is_overloaded", "error_type": "rate_limit_error"}
    )
    assert (outcome.error_class, outcome.status_code) == ("RateLimitError", 429)


def test_a_changed_status_alone_keeps_the_class() -> None:
    """An override of the HTTP status keeps the class."""
    outcome = judged(failed(code="server_error"), {"value": "server_error", "status_code": 502})
    assert (outcome.error_class, outcome.status_code, outcome.retryable) == ("InternalServerError", 502, True)


def test_what_the_overlay_did_not_decide_is_not_its() -> None:
    """An outcome that a published row decided names no overlay."""
    row = {"value": "busy", "error_type": "rate_limit_error", "retryable": False}
    assert judged(failed(code="server_error"), row).overlay is None
    assert judged(failed(code="a_word_nobody_knows"), row).overlay is None


def test_the_exception_carries_the_overlay() -> None:
    """The exception made by an overlay's row says so."""
    catalog = Catalog.load().extend(
        {"name": "mine", "entries": [{"value": "busy", "error_type": "conflict_error", "retryable": True}]}
    )
    error = error_for(failed(code="busy"), catalog=catalog)
    assert error is not None
    assert (type(error).__name__, error.overlay, error.retryable) == ("RunConflictError", "mine", True)


def test_the_last_overlay_wins() -> None:
    """Overlays go on top of each other, in the order they come."""
    first = {"name": "first", "entries": [{"value": "server_error", "retryable": False}]}
    second = {"name": "second", "entries": [{"value": "server_error", "retryable": True, "action": "resubmit_later"}]}
    catalog = Catalog.load().extend(first).extend(second)
    outcome = classify(failed(code="server_error"), catalog=catalog)
    assert (outcome.overlay, outcome.action, catalog.overlays) == ("second", "resubmit_later", ("first", "second"))


def test_the_catalog_itself_stays_as_it_was() -> None:
    """Extending gives a new catalog; the loaded one, which everybody shares, is not touched."""
    before = Catalog.load()
    before.extend({"entries": [{"value": "server_error", "retryable": False}]})
    assert classify(failed(code="server_error")).retryable
    assert Catalog.load() is before


def test_another_surface() -> None:
    """A row can be for any surface; its field is that of the surface's codes unless it names one."""
    row = {"surface": "vector_store.file", "value": "locked", "error_type": "conflict_error", "retryable": True}
    body = {"object": "vector_store.file", "status": "failed", "last_error": {"code": "locked", "message": "m"}}
    assert judged(body, row).error_class == "ConflictError"
    assert not judged(failed(code="locked"), row).known


def test_a_reason() -> None:
    """A row can be for a reason."""
    row = {
        "field": "incomplete_details.reason",
        "value": "paused",
        "error_type": "incomplete_error",
        "retryable": False,
    }
    outcome = judged(
        {"status": "incomplete", "incomplete_details": {"reason": "paused"}}, {**row, "action": "continue"}
    )
    assert (outcome.known, outcome.action, outcome.error_type) == (True, "continue", "incomplete_error")


def test_a_missing_error() -> None:
    """`match = "null"` decides about failed runs without an error, which some servers always send."""
    row = {"field": "error", "match": "null", "error_type": "internal_server_error", "retryable": True}
    outcome = judged({"status": "failed", "error": None}, row)
    assert (outcome.error_class, outcome.retryable, outcome.known, outcome.overlay) == (
        "InternalServerError",
        True,
        False,
        "mine",
    )


@pytest.mark.parametrize(
    ("phase", "ok", "action"), [("pending", False, "wait"), ("completed", True, "none"), ("terminal", False, "none")]
)
def test_a_status(phase: str, ok: bool, action: str) -> None:
    """A status that only this server has is pending, completed or terminal, as the overlay says."""
    row: dict[str, Any] = {"field": "status", "value": "odd", "phase": phase}
    if phase == "terminal":
        row |= {"error_type": "cancelled_error", "retryable": False}
    outcome = judged({"object": "response", "status": "odd"}, row)
    assert (outcome.phase, outcome.ok) == ("pending" if phase == "pending" else "terminal", ok)
    assert (outcome.action, outcome.known, outcome.overlay) == (action, True, "mine")


def test_a_completed_status_is_returned() -> None:
    """What an overlay calls completed is returned by `raise_for_status`."""
    catalog = Catalog.load().extend({"entries": [{"field": "status", "value": "done", "phase": "completed"}]})
    body = {"object": "response", "status": "done"}
    assert raise_for_status(body, catalog=catalog) is body


def test_a_rule_comes_before_the_published_ones() -> None:
    """A message rule of an overlay is tried first, and its name is in the outcome."""
    rule = {"id": "two-large", "code": "*", "pattern": "request too large", "retryable": False, "action": "raise_limit"}
    outcome = judged(failed(code="rate_limit_exceeded", message="Request too large"), rules=[rule])
    assert (outcome.rule and outcome.rule.id, outcome.action) == ("two-large", "raise_limit")
    row = {"id": "at-capacity", "pattern": "at capacity", "retryable": True}
    outcome = judged(failed(message="We are AT CAPACITY"), rules=[row])
    assert (outcome.retryable, outcome.action, outcome.overlay) == (True, "resubmit", "mine")
    assert not judged(failed(code="busy", message="We are at capacity"), rules=[row]).retryable


@pytest.mark.parametrize("code", ["busy", "rate_limit_exceeded", "500", None])
@pytest.mark.parametrize(
    "message",
    ["Busy: request too large.", "Busy: flagged for possible cybersecurity risk.", "Busy: insufficient credits."],
)
def test_an_overlay_gives_no_retryable_back(code: str | None, message: str) -> None:
    """A rule of an overlay that says retryable yields to a published one that forbids it under any code."""
    rule = {"id": "busy", "code": "*", "pattern": "^busy", "retryable": True}
    outcome = judged(failed(code=code, message=message), rules=[rule])
    assert (outcome.retryable, outcome.overlay) == (False, None)
    assert judged(failed(code=code, message="Busy."), rules=[rule]).retryable


def test_a_rule_of_the_same_name_takes_the_place_of_the_published_one() -> None:
    """A rule with the id of a published one replaces it, also one that holds under any code."""
    rules = [
        {"id": "request-too-large", "code": "x", "pattern": "never", "retryable": False},
        {"id": "request-too-large-any-code", "code": "x", "pattern": "never", "retryable": False},
    ]
    catalog = Catalog.load().extend({"rules": rules})
    assert [found.id for found in catalog.rules].count("request-too-large") == 1
    assert classify(failed(code="rate_limit_exceeded", message="Request too large"), catalog=catalog).retryable


def test_an_upstream_type_gives_the_class_only() -> None:
    """A word of the server's own for `error.type` gives the class, and never makes a run retryable."""
    outcome = judged(failed(type="BudgetExceeded"), upstream_error_types={"BudgetExceeded": "rate_limit_error"})
    assert (outcome.error_class, outcome.retryable, outcome.overlay) == ("RateLimitError", False, "mine")
    assert judged(failed(type="requests"), upstream_error_types={"x": "rate_limit_error"}).overlay is None


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"entries": [{"value": "x"}]}, "entries[0] ('x'): needs an error_type, as the catalog has no such entry"),
        (
            {"entries": [{"value": "x", "error_type": "conflict_error"}]},
            "entries[0] ('x'): needs retryable = true or false",
        ),
        (
            {"entries": [{"value": "x", "error_class": None, "retryable": False}]},
            ".error_class: null needs an error_type",
        ),
        (
            {
                "entries": [
                    {"value": "x", "error_type": "conflict_error", "error_class": "APIError", "retryable": False}
                ]
            },
            ".error_class: 'APIError' does not go with 'conflict_error', which is 'ConflictError'",
        ),
        (
            {"entries": [{"value": "server_error", "action": "none"}]},
            "entries[0] ('server_error').action: 'none' does not go with retryable = true, which needs resubmit or",
        ),
        (
            {"entries": [{"value": "server_error", "retryable": False, "action": "resubmit"}]},
            ".action: 'resubmit' does not go with retryable = false, which forbids resubmit",
        ),
        (
            {"entries": [{"field": "status", "value": "odd", "retryable": False}]},
            'needs phase = "pending", "completed" or',
        ),
        ({"entries": [{"value": "server_error", "contested": True}]}, ".contested: needs alternatives"),
        (
            {"entries": [{"value": "server_error", "retryable": True}] * 2},
            "entries[1] ('server_error'): there is an entry for response/error.code/server_error before this one",
        ),
        (
            {"rules": [{"id": "a", "pattern": "a", "retryable": True, "action": "none"}]},
            "rules[0].action: 'none' does not go with retryable = true",
        ),
        ({"rules": [{"id": "a", "pattern": "a", "retryable": True}] * 2}, "rules[1].id: there is a rule 'a' before"),
    ],
    ids=short,
)
def test_a_contradiction_is_told(document: dict[str, Any], told: str) -> None:
    """A row that says too little, contradicts itself or is there twice is an error that names it."""
    with pytest.raises(CatalogError) as caught:
        Catalog.load().extend({**document, "name": "gw"})
    assert told in str(caught.value)
    assert str(caught.value).startswith("the overlay")
