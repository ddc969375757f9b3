"""The ladder: which rung decides about one failure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from runoutcome import Catalog
from runoutcome._catalog.lookup import (
    RESUBMIT_ACTIONS,
    Claim,
    Failure,
    Verdict,
    error_type_of_status,
    is_retryable_status,
    lookup,
)
from runoutcome._catalog.rows import ERROR_TYPES, ErrorType, Rule

QUOTA_WORDS = "You exceeded your current quota, please check your plan and billing details."
TOO_LARGE_WORDS = "Request too large for gpt-5.5"


def look_up(**fields: Any) -> Verdict:
    """The verdict of the shipped catalog on a failure of the surface `response`."""
    return lookup(Catalog.load(), "response", Failure(**fields))


def row_id(verdict: Verdict) -> str | None:
    """The id of the row behind a verdict."""
    return verdict.entry.id if verdict.entry else None


def test_rung_1_exact_code() -> None:
    """A code of the catalog decides by its own row, whatever the type says."""
    verdict = look_up(code="server_error", type="invalid_request_error")
    assert (verdict.error_class, verdict.status_code, verdict.retryable) == ("InternalServerError", 500, True)
    assert row_id(verdict) == "response/error.code/server_error"
    assert verdict.known


def test_rung_1_takes_the_row_of_its_own_surface_first(catalog: Catalog) -> None:
    """A row of the run's own surface beats the one of `response`."""
    row = catalog.entry("response", "error.code", "literal", "server_error")
    assert row is not None
    own = replace(row, surface="batch", field="errors.data.code", retryable=False, action="none")
    extended = replace(catalog, entries=(*catalog.entries, own))
    assert lookup(extended, "batch", Failure("server_error")).entry is own
    assert lookup(extended, "response", Failure("server_error")).retryable


def test_rung_2_same_code_on_response(catalog: Catalog) -> None:
    """A code that another surface has no row for decides by the row of `response`."""
    verdict = lookup(catalog, "batch", Failure("server_error"))
    assert row_id(verdict) == "response/error.code/server_error"
    assert verdict.known


def test_rung_2_before_the_numeric_one(catalog: Catalog) -> None:
    """A row for a literal that looks like a number beats the reading as an HTTP status."""
    own = replace(catalog.find("server_error")[0], value="429")
    extended = replace(catalog, entries=(*catalog.entries, own))
    assert lookup(extended, "response", Failure("429")).error_class == "InternalServerError"


@pytest.mark.parametrize(
    ("code", "error_class", "error_type", "retryable", "action"),
    [
        ("400", "BadRequestError", "bad_request_error", False, "change_request"),
        ("401", "AuthenticationError", "authentication_error", False, "fix_account"),
        ("402", "APIStatusError", "api_status_error", False, "fix_account"),
        ("403", "PermissionDeniedError", "permission_denied_error", False, "fix_account"),
        ("404", "NotFoundError", "not_found_error", False, "change_request"),
        ("408", "APIStatusError", "api_status_error", True, "resubmit"),
        ("409", "ConflictError", "conflict_error", True, "resubmit"),
        ("418", "APIStatusError", "api_status_error", False, "change_request"),
        ("422", "UnprocessableEntityError", "unprocessable_entity_error", False, "change_request"),
        ("429", "RateLimitError", "rate_limit_error", True, "resubmit_later"),
        ("499", "APIStatusError", "api_status_error", False, "change_request"),
        ("500", "InternalServerError", "internal_server_error", True, "resubmit"),
        ("502", "InternalServerError", "internal_server_error", True, "resubmit"),
        ("503", "InternalServerError", "internal_server_error", True, "resubmit_later"),
        ("599", "InternalServerError", "internal_server_error", True, "resubmit"),
    ],
)
def test_rung_3_numeric_code(code: str, error_class: str, error_type: str, retryable: bool, action: str) -> None:
    """A code of three digits from 400 to 599 is read as an HTTP status, by the SDK's tables, and is not known."""
    verdict = look_up(code=code)
    assert verdict.status_code == int(code)
    assert (verdict.error_class, verdict.error_type) == (error_class, error_type)
    assert (verdict.retryable, verdict.action, verdict.known) == (retryable, action, False)
    assert row_id(verdict) == "response/error.code/<http_status>"


@pytest.mark.parametrize(
    "code", ["399", "600", "99", "0500", " 500", "500 ", "5e2", "500.0", "-500", "٤٢٩", "4٢٩", "200"]
)
def test_rung_3_takes_no_other_number(code: str) -> None:
    """A number that is no HTTP error status, and digits of other scripts, are an unknown code."""
    verdict = look_up(code=code)
    assert (verdict.error_class, verdict.status_code, verdict.retryable) == ("APIError", None, False)
    assert row_id(verdict) == "response/error.code/<unknown>"


def test_rung_3_before_the_field() -> None:
    """A numeric code beats the `outcome` field of the payload."""
    verdict = look_up(code="429", claim=Claim("internal_server_error"))
    assert (verdict.error_class, verdict.retryable) == ("RateLimitError", True)


@pytest.mark.parametrize("error_type", [name for name in ERROR_TYPES if name != "api_status_error"])
@pytest.mark.parametrize("code", [None, "no_such_code"])
def test_rung_4_the_field_gives_the_class(catalog: Catalog, error_type: ErrorType, code: str | None) -> None:
    """The type of the `outcome` field gives class and status; it comes before the server's own type."""
    verdict = look_up(code=code, type="insufficient_quota", claim=Claim(error_type))
    row = catalog.error_types[error_type]
    assert (verdict.error_type, verdict.error_class, verdict.status_code) == (
        error_type,
        row.error_class,
        row.status_code,
    )
    assert (verdict.retryable, verdict.action, verdict.known) == (False, "none", False)


@pytest.mark.parametrize(
    ("retryable", "action", "expected"),
    [
        (True, "resubmit_later", (True, "resubmit_later")),
        (True, "resubmit", (True, "resubmit")),
        (True, None, (True, "resubmit")),
        (True, "dance", (True, "resubmit")),
        (True, "fix_account", (True, "resubmit")),
        (False, "change_request", (False, "change_request")),
        (False, "resubmit", (False, "none")),
        (False, None, (False, "none")),
        (False, "resubmit_later", (False, "none")),
        (False, "fix_account", (False, "fix_account")),
    ],
)
def test_rung_4_the_field_is_believed(retryable: bool, action: str | None, expected: tuple[bool, str]) -> None:
    """`retryable` and `action` of the field are believed, unless they contradict each other."""
    verdict = look_up(claim=Claim("rate_limit_error", retryable, action))
    assert (verdict.retryable, verdict.action) == expected


@pytest.mark.parametrize("error_type", [name for name in ERROR_TYPES if name != "api_status_error"])
def test_rung_6_our_type_gives_the_class_only(catalog: Catalog, error_type: str) -> None:
    """One of our error types in `error.type` gives class and status, and never makes a failure retryable."""
    verdict = look_up(code="no_such_code", type=error_type)
    row = catalog.error_types[error_type]
    assert (verdict.error_type, verdict.error_class) == (error_type, row.error_class)
    assert (verdict.retryable, verdict.action, verdict.known) == (False, "none", False)


def test_rung_6_actual_status_error_needs_a_number() -> None:
    """`api_status_error` means "its actual status": without a number it decides nothing."""
    verdict = look_up(type="api_status_error")
    assert (verdict.error_class, verdict.retryable) == ("APIError", False)


@pytest.mark.parametrize(("upstream", "error_type"), Catalog.load().upstream_error_types.items())
def test_rung_6_upstream_type_gives_the_class_only(catalog: Catalog, upstream: str, error_type: str) -> None:
    """The server's own `error.type` refines the class, and never makes a failure retryable."""
    verdict = look_up(code="no_such_code", type=upstream)
    assert (verdict.error_class, verdict.error_type) == (catalog.error_types[error_type].error_class, error_type)
    assert (verdict.retryable, verdict.action, verdict.known) == (False, "none", False)


def test_rung_6_at_capacity_is_not_retryable_by_its_type() -> None:
    """The codeless "at capacity" failure that came as invalid_request_error is a bad request, not retryable."""
    verdict = look_up(message="The model is at capacity", type="invalid_request_error")
    assert (verdict.error_class, verdict.retryable) == ("BadRequestError", False)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ({"code": "no_such_code"}, "response/error.code/<unknown>"),
        ({"code": "no_such_code", "type": "no_such_type"}, "response/error.code/<unknown>"),
        ({"message": "boom"}, "response/error.code/<null>"),
        ({}, "response/error.code/<null>"),
        ({"is_null": True}, "response/error/<null>"),
    ],
    ids=["unknown_code", "unknown_code_and_type", "no_code", "empty_error", "no_error"],
)
def test_rung_7_absence(failure: dict[str, Any], expected: str) -> None:
    """Without anything to go by the row for a missing error, a missing code or an unknown code decides."""
    verdict = look_up(**failure)
    assert row_id(verdict) == expected
    assert (verdict.error_class, verdict.status_code, verdict.retryable, verdict.known) == (
        "APIError",
        None,
        False,
        False,
    )


def test_no_row_at_all_is_a_bare_error(catalog: Catalog) -> None:
    """A catalog without rows still gives a verdict: a bare error that is not retryable."""
    empty = replace(catalog, entries=(), rules=())
    verdict = lookup(empty, "response", Failure("server_error"))
    assert verdict == Verdict(None, "APIError", "unknown_error", None, False, "none", known=False)


@pytest.mark.parametrize("value", sorted(entry.value or "" for entry in Catalog.load().entries if entry.value))
def test_known_is_about_literals(catalog: Catalog, value: str) -> None:
    """A failure is known exactly if there is a row for its literal code."""
    assert look_up(code=value).known is (catalog.entry("response", "error.code", "literal", value) is not None)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error", "no_such_code", "429", None])
@pytest.mark.parametrize("type", [None, "rate_limit_error", "server_error"])
def test_quota_wording_is_never_retryable(code: str | None, type: str | None) -> None:
    """Quota wording under any code, number, type, claim or none is a matter of the account."""
    verdict = look_up(code=code, type=type, message=QUOTA_WORDS, claim=Claim("internal_server_error", retryable=True))
    assert (verdict.retryable, verdict.action) == (False, "fix_account")
    assert verdict.rule is not None
    assert verdict.rule.id == "quota-used-up"


def test_a_rule_refines_an_exact_hit() -> None:
    """A rule changes `retryable` and `action` of a known code, and leaves its row, class and status."""
    verdict = look_up(code="rate_limit_exceeded", message=TOO_LARGE_WORDS)
    assert (verdict.retryable, verdict.action) == (False, "change_request")
    assert (verdict.error_class, verdict.status_code, verdict.known) == ("RateLimitError", 429, True)
    assert row_id(verdict) == "response/error.code/rate_limit_exceeded"


def test_a_rule_is_for_its_code() -> None:
    """A rule that names a code is not named for another, where the rule for any code holds."""
    for code in ("rate_limit_exceeded", "server_error", "429", "no_such_code", None):
        rule = look_up(code=code, message=TOO_LARGE_WORDS).rule
        expected = "request-too-large" if code == "rate_limit_exceeded" else "request-too-large-any-code"
        assert rule is not None
        assert rule.id == expected


@pytest.mark.parametrize("code", ["server_error", "slow_down", "429", "500", "502", "no_such_code", None])
@pytest.mark.parametrize("message", [TOO_LARGE_WORDS, QUOTA_WORDS, "Flagged for possible cybersecurity risk."])
def test_rules_for_any_code_hold_under_any_code_number_and_none(code: str | None, message: str) -> None:
    """Too large, flagged for safety and used-up quota are never retryable, and the class stays that of the code."""
    verdict, plain = look_up(code=code, message=message), look_up(code=code, message="m")
    assert not verdict.retryable
    assert verdict.action in ("change_request", "fix_account")
    assert (verdict.error_class, verdict.error_type, verdict.status_code, verdict.known) == (
        plain.error_class,
        plain.error_type,
        plain.status_code,
        plain.known,
    )


@pytest.mark.parametrize("rule", Catalog.load().rules, ids=lambda rule: rule.id)
@given(data=st.data())
def test_the_words_of_a_rule_are_in_every_message_it_is_for(rule: Rule, data: st.DataObject) -> None:
    """The quick test by words never hides a message that the pattern is found in."""
    text = data.draw(st.from_regex(rule.pattern, alphabet=st.characters(max_codepoint=126)))
    found = re.search(rule.pattern, text.lower(), re.ASCII)
    assert found is None or any(word in text.lower() for word in rule.words)


def test_a_rule_without_words_is_tried_on_every_message(catalog: Catalog) -> None:
    """A rule needs no words."""
    bare = replace(catalog, rules=tuple(replace(rule, words=()) for rule in catalog.rules))
    failure = Failure("rate_limit_exceeded", "Request too large")
    assert lookup(bare, "response", failure) == lookup(catalog, "response", failure)._replace(rule=bare.rules[0])


def test_a_rule_for_no_code(catalog: Catalog) -> None:
    """A rule whose code is null applies only where there is no code."""
    rule = replace(catalog.rules[0], id="codeless", code=None, pattern="at capacity", words=())
    extended = replace(catalog, rules=(rule,))
    assert lookup(extended, "response", Failure(None, "at capacity")).rule is rule
    assert lookup(extended, "response", Failure("no_such_code", "at capacity")).rule is None


def test_a_rule_is_for_its_surface(catalog: Catalog) -> None:
    """A rule of another surface does not apply; one of `response` applies everywhere."""
    foreign = replace(catalog, rules=(replace(catalog.rules[1], surface="batch"),))
    assert lookup(foreign, "response", Failure("server_error", QUOTA_WORDS)).retryable
    assert not lookup(foreign, "batch", Failure("server_error", QUOTA_WORDS)).retryable
    assert not lookup(catalog, "batch", Failure("server_error", QUOTA_WORDS)).retryable


def test_a_rule_that_changes_nothing_is_not_named() -> None:
    """Where a rule agrees with the row, the row's own words stay."""
    verdict = look_up(code="insufficient_quota", message=QUOTA_WORDS)
    assert (verdict.retryable, verdict.action, verdict.rule) == (False, "fix_account", None)


def test_the_first_rule_decides(catalog: Catalog) -> None:
    """Rules are tried in the order of the data."""
    both = f"{TOO_LARGE_WORDS}. {QUOTA_WORDS}"
    first = look_up(code="rate_limit_exceeded", message=both).rule
    swapped = replace(catalog, rules=catalog.rules[::-1])
    second = lookup(swapped, "response", Failure("rate_limit_exceeded", both)).rule
    assert first is catalog.rules[0]
    assert second is catalog.rules[2]


@pytest.mark.parametrize("status", range(400, 600))
def test_status_tables_are_the_sdks_own(catalog: Catalog, http_error: Any, status: int) -> None:
    """The class and the retry rule of an HTTP status are those of the installed SDK."""
    error = http_error(status, {"message": "x"})
    error_type = error_type_of_status(catalog, status)
    assert catalog.error_types[error_type].error_class == type(error).__name__
    assert is_retryable_status(catalog, status) is (status in (408, 409, 429) or status >= 500)


words = st.one_of(
    st.none(),
    st.sampled_from(sorted({entry.value or "x" for entry in Catalog.load().entries})),
    st.sampled_from([*ERROR_TYPES, *Catalog.load().upstream_error_types]),
    st.integers(0, 999).map(str),
    st.text(max_size=20),
)
failures = st.builds(
    Failure,
    code=words,
    message=st.one_of(st.none(), st.text(max_size=40), st.sampled_from([QUOTA_WORDS, TOO_LARGE_WORDS])),
    type=words,
    claim=st.none()
    | st.builds(Claim, st.sampled_from([t for t in ERROR_TYPES if t != "api_status_error"]), st.booleans(), words),
    is_null=st.booleans(),
)


@given(failures)
def test_no_verdict_contradicts_itself(failure: Failure) -> None:
    """Whatever a failure says, its verdict is retryable exactly if the action is to submit again."""
    verdict = lookup(Catalog.load(), "response", failure)
    assert verdict.retryable is (verdict.action in RESUBMIT_ACTIONS)


@given(failures)
def test_an_unknown_code_is_retryable_only_by_the_field(failure: Failure) -> None:
    """An unknown or missing code is retryable only as an HTTP status, or by the `outcome` field."""
    verdict = lookup(Catalog.load(), "response", failure)
    if verdict.retryable and not verdict.known:
        numeric = verdict.entry is not None and verdict.entry.match == "http_status"
        assert numeric or (failure.claim is not None and failure.claim.retryable)


@given(failures)
def test_a_known_code_ignores_every_claim(failure: Failure) -> None:
    """What the payload claims about itself changes nothing about a code that the catalog knows."""
    bare = lookup(Catalog.load(), "response", Failure(failure.code, failure.message))
    if bare.known:
        assert lookup(Catalog.load(), "response", failure._replace(is_null=False)) == bare
