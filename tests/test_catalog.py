"""The data: `catalog.json`, its schema, its released copy, and the calls that are settled."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import jsonschema
import openai
import pytest

from runoutcome import CATALOG_VERSION, Catalog, Entry
from runoutcome._lookup import Failure, lookup
from runoutcome._model import ACTIONS, ERROR_TYPES

DATA = files("runoutcome").joinpath("data")
SHIPPED: dict[str, Any] = json.loads(DATA.joinpath("catalog.json").read_text("utf-8"))
SCHEMA: dict[str, Any] = json.loads(DATA.joinpath("catalog.schema.json").read_text("utf-8"))
ENTRIES = Catalog.load().entries
RESUBMIT = ("resubmit", "resubmit_later")

SDK_CODES = (
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "data_residency_mismatch",
    "bio_policy",
    "misalignment_policy_violation",
    "vector_store_timeout",
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_content_policy_violation",
    "invalid_image_mode",
    "image_file_too_large",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
)
IMAGE_CODES = tuple(code for code in SDK_CODES if "image" in code)

BAD_REQUEST = ("BadRequestError", 400, "bad_request_error", False, "change_request")
FORBIDDEN = ("PermissionDeniedError", 403, "permission_denied_error", False)
OUT_OF_MONEY = ("RateLimitError", 429, "rate_limit_error", False, "fix_account")
OVERLOADED = ("InternalServerError", 503, "internal_server_error", True, "resubmit_later")

# The design's "Settled calls": field, value -> class, status, error type, retryable[, action].
SETTLED: dict[tuple[str, str], tuple[Any, ...]] = {
    ("error.code", "server_error"): ("InternalServerError", 500, "internal_server_error", True, "resubmit"),
    ("error.code", "rate_limit_exceeded"): ("RateLimitError", 429, "rate_limit_error", True, "resubmit_later"),
    ("error.code", "vector_store_timeout"): ("InternalServerError", 500, "internal_server_error", True),
    **{("error.code", code): BAD_REQUEST for code in IMAGE_CODES},
    ("error.code", "image_file_not_found"): BAD_REQUEST,
    ("error.code", "failed_to_download_image"): BAD_REQUEST,
    ("error.code", "data_residency_mismatch"): FORBIDDEN,
    ("error.code", "misalignment_policy_violation"): FORBIDDEN,
    ("error.code", "bio_policy"): BAD_REQUEST,
    ("error.code", "invalid_prompt"): BAD_REQUEST,
    ("error.code", "cyber_policy"): BAD_REQUEST,
    ("error.code", "context_length_exceeded"): BAD_REQUEST,
    ("error.code", "insufficient_quota"): OUT_OF_MONEY,
    ("error.code", "credit_balance_exhausted"): OUT_OF_MONEY,
    ("error.code", "organization_spend_limit_exceeded"): OUT_OF_MONEY,
    ("error.code", "project_spend_limit_exceeded"): OUT_OF_MONEY,
    ("error.code", "organization_usage_limit_exceeded"): OUT_OF_MONEY,
    ("error.code", "usage_limit_exceeded"): OUT_OF_MONEY,
    ("error.code", "usage_limit_reached"): OUT_OF_MONEY,
    ("error.code", "usage_not_included"): OUT_OF_MONEY,
    ("error.code", "subscription_sharing_usage_limit_exceeded"): OUT_OF_MONEY,
    ("error.code", "billing_not_active"): OUT_OF_MONEY,
    ("error.code", "quota_exceeded"): OUT_OF_MONEY,
    ("error.code", "slow_down"): ("RateLimitError", 429, "rate_limit_error", True),
    ("error.code", "server_is_overloaded"): OVERLOADED,
    ("incomplete_details.reason", "content_filter"): (
        "ContentFilterFinishReasonError",
        200,
        "content_filter_error",
        False,
    ),
    ("incomplete_details.reason", "max_output_tokens"): (None, 200, "incomplete_error", False, "raise_limit"),
    ("incomplete_details.reason", "max_messages"): (None, 200, "incomplete_error", False),
    ("incomplete_details.reason", "steered"): (None, 200, "incomplete_error", False),
    ("status", "cancelled"): (None, None, "cancelled_error", False),
}

# Rule id -> the code its examples come with, messages it is about, messages it is not about.
RULE_EXAMPLES: dict[str, tuple[str | None, list[str], list[str]]] = {
    "request-too-large": (
        "rate_limit_exceeded",
        [
            "Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested 31250. "
            "The input or output tokens must be reduced in order to run successfully.",
            "REQUEST TOO LARGE",
            "The messages must be reduced to fit.",
        ],
        [
            "Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, "
            "Requested 2500. Please try again in 3s. Visit https://platform.openai.com/account/rate-limits to learn "
            "more. You can increase your rate limit by adding a payment method to your account at "
            "https://platform.openai.com/account/billing.",
            "The request is not too large.",
            "",
        ],
    ),
    "quota-used-up": (
        None,
        [
            "You exceeded your current quota, please check your plan and billing details. For more information on this "
            "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
            "Your credit balance is too low to access the API.",
            "insufficient_quota",
            "Insufficient credits. Add more at the dashboard.",
            "Billing hard limit has been reached",
            "Your account is not active, please check your billing details on our website.",
            "You have reached your monthly spend limit.",
            "The usage limit has been reached",
        ],
        [
            "Rate limit reached for gpt-4o in organization org-1 on requests per min (RPM): Limit 3, Used 3, Requested "
            "1. Please try again in 20s. You can increase your rate limit by adding a payment method to your account "
            "at https://platform.openai.com/account/billing.",
            "The server had an error while processing your request. Sorry about that!",
            "You have reached the limit of your patience.",
            "This model's maximum context length is 128000 tokens.",
            "",
        ],
    ),
}


def test_data_follows_its_schema() -> None:
    """The shipped data is valid by the schema that is shipped beside it, and the schema itself is one."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    errors = [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(SHIPPED)]
    assert errors == []


def objects_in(schema: Any) -> list[dict[str, Any]]:
    """Every object schema inside `schema`."""
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    found = [schema] if isinstance(schema, dict) and schema.get("type") == "object" else []
    return found + [item for value in inner for item in objects_in(value)]


def test_schema_allows_nothing_extra() -> None:
    """Every object of the schema refuses fields it does not name."""
    assert [schema for schema in objects_in(SCHEMA) if schema.get("additionalProperties") is not False] == []


@pytest.mark.parametrize(
    "change",
    [
        {"retryable": True},
        {"action": "resubmit"},
        {"contested": True},
        {"value": None},
        {"error_class": "APITimeoutError"},
        {"error_type": "no_such_error"},
        {"title": "x" * 261},
        {"cause": "caf\u00e9"},
        {"surplus": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_schema_refuses_a_contradiction(change: dict[str, Any]) -> None:
    """The schema refuses an entry that contradicts itself, or uses a word or a length it does not know."""
    entry = next(row for row in SHIPPED["entries"] if row["value"] == "image_too_small")
    data = {**SHIPPED, "entries": [{**entry, **change}]}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(data)


def test_schema_knows_the_words_of_the_model() -> None:
    """Actions and error types are the same in the schema and in the code."""
    assert tuple(SCHEMA["$defs"]["action"]["enum"]) == ACTIONS
    assert tuple(SCHEMA["$defs"]["error_type"]["enum"]) == ERROR_TYPES
    assert tuple(SHIPPED["error_types"]) == ERROR_TYPES


def test_version_of_the_code_is_that_of_the_data() -> None:
    """`CATALOG_VERSION` is the version of the shipped data."""
    assert SHIPPED["catalog_version"] == CATALOG_VERSION == Catalog.load().version


def test_shipped_catalog_is_the_released_one() -> None:
    """The shipped data is, to the byte, the copy kept for its version."""
    released = DATA.joinpath("released", f"catalog-{CATALOG_VERSION}.json")
    assert DATA.joinpath("catalog.json").read_bytes() == released.read_bytes()


def test_changelog_names_the_version() -> None:
    """The catalog's changelog has a section for the shipped version."""
    assert f"\n## {CATALOG_VERSION}\n" in DATA.joinpath("CHANGELOG.md").read_text("utf-8")


def test_load_reads_the_disk_once() -> None:
    """`Catalog.load()` gives the same frozen object every time."""
    assert Catalog.load() is Catalog.load()


def test_every_row_of_the_data_is_loaded() -> None:
    """Nothing is lost between the data and its values."""
    catalog = Catalog.load()
    assert len(catalog.entries) == len(SHIPPED["entries"])
    assert len(catalog.rules) == len(SHIPPED["rules"])
    assert len(catalog._index) == len(catalog.entries)


def test_rows_are_unique() -> None:
    """No two rows are about the same value of the same field."""
    ids = [entry.id for entry in ENTRIES]
    assert sorted(ids) == sorted(set(ids))


def test_words_for_people_are_unique() -> None:
    """No two rows have the same title, so that a title says which row it was."""
    titles = [entry.title for entry in ENTRIES] + [rule.title for rule in Catalog.load().rules]
    assert sorted(titles) == sorted(set(titles))


@pytest.mark.parametrize("bad", [{}, {"catalog_version": "1.0.0"}, {**SHIPPED, "entries": [{}]}], ids=str)
def test_from_dict_refuses_other_data(bad: dict[str, Any]) -> None:
    """Data of another form is a KeyError, a TypeError or a ValueError."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Catalog.from_dict(bad)


@pytest.mark.parametrize("code", SDK_CODES)
def test_every_code_of_the_sdk_has_a_row(catalog: Catalog, code: str) -> None:
    """Each code of the SDK's closed enum has a documented row that is not inferred and names a class."""
    entry = catalog.entry("response", "error.code", "literal", code)
    assert entry is not None
    assert entry.documented
    assert not entry.inferred
    assert entry.error_class is not None
    assert entry.sdk_since is not None


def test_the_sdk_has_21_codes() -> None:
    """No other row claims to be in the SDK's enum of codes."""
    claimed = {entry.value for entry in ENTRIES if entry.field == "error.code" and entry.sdk_since}
    assert claimed == set(SDK_CODES)
    assert len(SDK_CODES) == 21


@pytest.mark.parametrize(("place", "expected"), SETTLED.items(), ids=lambda value: value[1])
def test_settled_call(catalog: Catalog, place: tuple[str, str], expected: tuple[Any, ...]) -> None:
    """A settled call is in the data as it was settled: class, status, error type, retryable and action."""
    field, value = place
    entry = catalog.entry("response", field, "literal", value)
    assert entry is not None
    # A class without an observed status takes the status of its error type.
    status = entry.status_code or (catalog.error_types[entry.error_type].status_code if entry.error_type else None)
    actual = (entry.error_class, status, entry.error_type, entry.retryable, entry.action)
    assert actual[: len(expected)] == expected


@pytest.mark.parametrize("match", ["null", "unknown"])
def test_a_code_nobody_knows_is_a_bare_error(catalog: Catalog, match: Any) -> None:
    """An unknown and a missing code, and a missing error, are a bare APIError that is not retryable."""
    rows = [catalog.entry("response", "error.code", match), catalog.entry("response", "error", "null")]
    for entry in rows:
        assert entry is not None
        assert (entry.error_class, entry.status_code, entry.error_type, entry.retryable, entry.action) == (
            "APIError",
            None,
            "unknown_error",
            False,
            "none",
        )


def test_a_renamed_code_maps_like_its_old_name(catalog: Catalog) -> None:
    """`bio_policy` was biology-related `invalid_prompt` before it had a name, so the two map alike."""
    new, old = catalog.find("bio_policy")[0], catalog.find("invalid_prompt")[0]
    assert (new.error_class, new.error_type, new.retryable) == (old.error_class, old.error_type, old.retryable)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_class_is_one_of_openai(entry: Entry) -> None:
    """The class a row names is an exception class of `openai`, or it names none."""
    if entry.error_class is not None:
        assert issubclass(getattr(openai, entry.error_class), openai.OpenAIError)


NO_CLASS = "response/error.code/websocket_connection_limit_reached"
"""The one failure code for which neither a class nor an error type is claimed: docs/decisions/0004."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_type_class_and_status_agree(catalog: Catalog, entry: Entry) -> None:
    """A row's class is that of its error type, and its status that of its class, or 503, or 200 if it stopped early."""
    if entry.error_type is None:
        assert entry.error_class is None
        assert entry.field == "status" or entry.id == NO_CLASS
        return
    row = catalog.error_types[entry.error_type]
    allowed = {
        "internal_server_error": (None, 500, 503),
        "incomplete_error": (None, 200),
        "content_filter_error": (None, 200),
    }.get(entry.error_type, (None, row.status_code))
    assert entry.error_class == row.error_class
    assert entry.status_code in allowed


@pytest.mark.parametrize("error_type", ERROR_TYPES)
def test_error_type_has_the_status_of_its_class(catalog: Catalog, error_type: str) -> None:
    """An error type's status is the one the SDK gives to its class."""
    row = catalog.error_types[error_type]
    status = getattr(getattr(openai, row.error_class or "APIError"), "status_code", row.status_code)
    assert row.status_code == status
    if row.status_code is not None and row.status_code < 500:
        assert catalog.http_statuses[row.status_code] == error_type


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_retryable_means_resubmit(entry: Entry) -> None:
    """A row is retryable exactly if its action is to submit again."""
    assert entry.retryable == (entry.action in RESUBMIT)


@pytest.mark.parametrize("rule", Catalog.load().rules, ids=lambda rule: rule.id)
def test_retryable_means_resubmit_in_rules(rule: Any) -> None:
    """A rule is retryable exactly if its action is to submit again."""
    assert rule.retryable == (rule.action in RESUBMIT)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_contested_rows_carry_the_other_calls(entry: Entry) -> None:
    """A row is contested exactly if it carries other calls, and each of them differs from its own."""
    assert entry.contested == bool(entry.alternatives)
    for other in entry.alternatives:
        assert other.argument
        differs = (other.error_class is not None and other.error_class != entry.error_class) or (
            other.retryable is not None and other.retryable != entry.retryable
        )
        # "No class" is written as a missing class, which cannot be told from "same class".
        assert differs or (other.error_class is None and other.retryable is None)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_words_are_short_sentences(entry: Entry) -> None:
    """A title is a few words without a full stop, cause and remedy are sentences, and all of it fits in a pickle."""
    assert len(entry.title) <= 50
    assert not entry.title.endswith(".")
    for text in (entry.cause, entry.remedy):
        assert len(text) <= 200
        assert text.endswith(".")
        assert text == " ".join(text.split())
    assert len(f"{entry.title}. {entry.description}") <= 350


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.inferred], ids=lambda entry: entry.id)
def test_inferred_rows_say_so(entry: Entry) -> None:
    """A row that was never seen in a run's body says in its words what it is inferred from."""
    assert entry.cause.startswith("Inferred from ")


def test_every_rule_has_examples() -> None:
    """Each rule of the catalog has examples in this file, and no example is about a rule that is not there."""
    assert [rule.id for rule in Catalog.load().rules] == list(RULE_EXAMPLES)


@pytest.mark.parametrize(
    ("rule_id", "code", "message"),
    [(rule_id, code, message) for rule_id, (code, hits, _) in RULE_EXAMPLES.items() for message in hits],
)
def test_rule_decides_about_its_messages(catalog: Catalog, rule_id: str, code: str | None, message: str) -> None:
    """A rule compiles, finds the messages it is about, and what it says then holds."""
    rule = catalog.rule(rule_id)
    assert rule is not None
    assert re.search(rule.pattern, message.lower(), re.ASCII)
    verdict = lookup(catalog, "response", Failure(code or "rate_limit_exceeded", message))
    assert (verdict.rule, verdict.retryable, verdict.action) == (rule, rule.retryable, rule.action)


@pytest.mark.parametrize(
    ("rule_id", "code", "message"),
    [(rule_id, code, message) for rule_id, (code, _, misses) in RULE_EXAMPLES.items() for message in misses],
)
def test_rule_leaves_other_messages(catalog: Catalog, rule_id: str, code: str | None, message: str) -> None:
    """A rule does not find the messages that only look like those it is about."""
    rule = catalog.rule(rule_id)
    assert rule is not None
    assert not re.search(rule.pattern, message.lower(), re.ASCII)
    assert lookup(catalog, "response", Failure(code or "rate_limit_exceeded", message)).rule is None


def test_rules_are_searched_in_any_case(catalog: Catalog) -> None:
    """A rule finds its messages in any case, and its pattern has no capital letter, which would never be found."""
    for rule_id, (code, hits, _) in RULE_EXAMPLES.items():
        rule = catalog.rule(rule_id)
        assert rule is not None
        assert rule.pattern == rule.pattern.lower()
        for message in (hits[0].upper(), hits[0].lower(), hits[0].title()):
            assert lookup(catalog, "response", Failure(code or "rate_limit_exceeded", message)).rule is rule


def test_schema_refuses_a_pattern_with_capitals() -> None:
    """The schema refuses a rule whose pattern could never be found in a message in lower case."""
    rule = {**SHIPPED["rules"][0], "pattern": "Request too large"}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid({**SHIPPED, "rules": [rule]})


def test_rule_by_id_that_is_not_there(catalog: Catalog) -> None:
    """Asking for a rule or an entry that is not there gives None."""
    assert catalog.rule("no-such-rule") is None
    assert catalog.rule(None) is None
    assert catalog.entry("response", "error.code", "literal", "no_such_code") is None


def test_find_looks_on_every_field(catalog: Catalog) -> None:
    """`find` gives every row for a literal, whichever field it is a value of."""
    assert [entry.id for entry in catalog.find("content_filter")] == [
        "response/error.code/content_filter",
        "response/incomplete_details.reason/content_filter",
    ]
    assert catalog.find("<null>") == ()


@pytest.mark.parametrize("name", ["batch", "", None, 5, ["response"], {}], ids=str)
def test_surface_of_other_objects(catalog: Catalog, name: object) -> None:
    """Only the names of run bodies have a surface; anything else, of any type, has none."""
    assert catalog.surface_of(name) is None
    assert catalog.surface_of("response") is catalog.surfaces["response"]


def test_statuses_are_pending_or_terminal(catalog: Catalog) -> None:
    """Every literal status row is either pending or terminal, never both."""
    surface = catalog.surfaces["response"]
    literals = {entry.value for entry in ENTRIES if entry.field == "status" and entry.match == "literal"}
    assert surface.pending | surface.terminal == literals
    assert not surface.pending & surface.terminal
