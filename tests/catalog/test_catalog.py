"""The data: `catalog.json`, its schema, its released copies, the settled calls, and the dialects on top of it."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from itertools import pairwise
from typing import Any

import jsonschema
import openai
import pytest

from runoutcome import CATALOG_VERSION, Catalog, CatalogError, Entry
from runoutcome._catalog.document import CATALOG, problems
from runoutcome._catalog.lookup import Failure, lookup
from runoutcome._catalog.overlay import dialects, read_overlay, released_dialects
from runoutcome._catalog.rows import ACTIONS, ERROR_TYPES
from runoutcome.contract import diff, read_catalog

DATA = files("runoutcome").joinpath("data")
SHIPPED: dict[str, Any] = json.loads(DATA.joinpath("catalog.json").read_text("utf-8"))
SCHEMA: dict[str, Any] = json.loads(DATA.joinpath("catalog.schema.json").read_text("utf-8"))
RELEASED: dict[str, Any] = {
    path.name: json.loads(path.read_text("utf-8"))
    for path in DATA.joinpath("released").iterdir()
    if path.name.startswith("catalog-")
}
ENTRIES = Catalog.load().entries
SURFACES = tuple(SHIPPED["surfaces"])
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
    ("status", "canceled"): (None, None, "cancelled_error", False, "none"),
    ("incomplete_details.reason", "max_tool_calls"): (None, 200, "incomplete_error", False, "raise_limit"),
    **{
        ("error.code", code): BAD_REQUEST
        for what in ("model", "service_tier", "reasoning_effort")
        for code in (f"unsupported_{what}", f"{what}_not_supported")
    },
    ("error.code", "model_not_found"): ("NotFoundError", 404, "not_found_error", False, "change_request"),
    ("error.code", "billing_hard_limit_reached"): OUT_OF_MONEY,
    ("error.code", "resource_unavailable"): ("RateLimitError", 429, "rate_limit_error", True, "resubmit_later"),
    ("error.code", "rate_limit_error"): ("RateLimitError", 429, "rate_limit_error", True, "resubmit_later"),
    ("error.code", "too_many_requests"): ("RateLimitError", 429, "rate_limit_error", True, "resubmit_later"),
    ("error.code", "overloaded"): OVERLOADED,
    ("error.code", "incorrect_hostname"): ("AuthenticationError", 401, "authentication_error", False, "fix_account"),
    ("error.code", "unauthorized"): ("AuthenticationError", 401, "authentication_error", False, "fix_account"),
    ("error.code", "permission_error"): (*FORBIDDEN, "fix_account"),
    ("error.code", "forbidden"): (*FORBIDDEN, "fix_account"),
    ("error.code", "not_found_error"): ("NotFoundError", 404, "not_found_error", False, "change_request"),
    ("error.code", "conflict_error"): ("ConflictError", 409, "conflict_error", False, "none"),
    ("error.code", "mcp_server_startup_failed"): ("APIStatusError", 424, "api_status_error", False, "change_request"),
    ("error.code", "missing_compute_residency_info"): ("APIStatusError", 451, "api_status_error", False, "fix_account"),
    ("output", "refusal"): (None, 200, None, False, "change_request"),
    ("output", "empty"): (None, 200, None, False, "none"),
    ("output", "failed_items"): (None, 200, None, False, "none"),
}

WAIT = (None, None, None, False, "wait")
SUCCESS = (None, 200, None, False, "none")
FAILED = ("APIError", None, "unknown_error", False, "none")
CANCELLED = (None, None, "cancelled_error", False, "none")
EARLY = (None, None, "incomplete_error", False, "none")
NO_MORE_TOKENS = (None, None, "incomplete_error", False, "raise_limit")
SERVER_ERROR = ("InternalServerError", 500, "internal_server_error", True, "resubmit")
RATE_LIMIT = ("RateLimitError", 429, "rate_limit_error", True, "resubmit_later")
BAD_FILE_CODES = (
    "invalid_json_line",
    "missing_required_parameter",
    "invalid_url",
    "streaming_unsupported",
    "invalid_request",
    "duplicate_custom_id",
    "mismatched_model",
)

TURN_CODES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("server_error", "internal_error", "connection_failed", "request_timeout"), SERVER_ERROR),
    **dict.fromkeys(("rate_limit_exceeded", "flex_unavailable"), RATE_LIMIT),
    "server_overloaded": OVERLOADED,
    **dict.fromkeys(("invalid_request", "context_length_exceeded", "cyber_policy"), BAD_REQUEST),
    "misalignment_policy_violation": (*FORBIDDEN, "change_request"),
    "resource_not_found": ("NotFoundError", 404, "not_found_error", False, "change_request"),
    "authentication_error": ("AuthenticationError", 401, "authentication_error", False, "fix_account"),
    "active_turn_not_steerable": ("ConflictError", 409, "conflict_error", False, "none"),
    "executor_version_incompatible": ("ConflictError", 409, "conflict_error", False, "change_request"),
    "sandbox_error": ("InternalServerError", 500, "internal_server_error", False, "change_request"),
    **dict.fromkeys(("usage_limit_exceeded", "billing_not_active", "credit_balance_exhausted"), OUT_OF_MONEY),
    **dict.fromkeys(("project_spend_limit_exceeded", "organization_spend_limit_exceeded"), OUT_OF_MONEY),
    "organization_usage_limit_exceeded": OUT_OF_MONEY,
    "session_budget_exceeded": ("RateLimitError", 429, "rate_limit_error", False, "raise_limit"),
    "max_output_tokens": NO_MORE_TOKENS,
}

# The settled calls of the other surfaces: surface, field, value -> class, status, error type, retryable, action.
SETTLED_ELSEWHERE: dict[tuple[str, str, str], tuple[Any, ...]] = {
    **{("batch", "status", status): WAIT for status in ("validating", "in_progress", "finalizing", "cancelling")},
    ("batch", "status", "completed"): SUCCESS,
    ("batch", "status", "failed"): FAILED,
    ("batch", "status", "cancelled"): CANCELLED,
    ("batch", "status", "expired"): (None, None, "expired_error", False, "continue"),
    ("batch", "errors.data.code", "token_limit_exceeded"): RATE_LIMIT,
    ("batch", "errors.data.code", "model_not_found"): (
        "NotFoundError",
        404,
        "not_found_error",
        False,
        "change_request",
    ),
    **{("batch", "errors.data.code", code): BAD_REQUEST for code in BAD_FILE_CODES},
    ("batch.output_row", "status", "completed"): SUCCESS,
    ("batch.output_row", "status", "failed"): FAILED,
    ("batch.output_row", "error.code", "batch_expired"): (None, None, "expired_error", True, "resubmit"),
    ("batch.output_row", "error.code", "batch_cancelled"): CANCELLED,
    **{("fine_tuning.job", "status", status): WAIT for status in ("validating_files", "queued", "running", "pausing")},
    ("fine_tuning.job", "status", "paused"): (None, None, None, False, "continue"),
    ("fine_tuning.job", "status", "succeeded"): SUCCESS,
    ("fine_tuning.job", "status", "failed"): FAILED,
    ("fine_tuning.job", "status", "cancelled"): CANCELLED,
    ("fine_tuning.job", "error.code", "server_error"): SERVER_ERROR,
    ("fine_tuning.job", "error.code", "invalid_training_file"): BAD_REQUEST,
    ("vector_store.file", "status", "in_progress"): WAIT,
    ("vector_store.file", "status", "completed"): SUCCESS,
    ("vector_store.file", "status", "failed"): FAILED,
    ("vector_store.file", "status", "cancelled"): CANCELLED,
    ("vector_store.file", "last_error.code", "server_error"): SERVER_ERROR,
    ("vector_store.file", "last_error.code", "unsupported_file"): BAD_REQUEST,
    ("vector_store.file", "last_error.code", "invalid_file"): BAD_REQUEST,
    ("vector_store.file_batch", "status", "in_progress"): WAIT,
    ("vector_store.file_batch", "status", "completed"): SUCCESS,
    ("vector_store.file_batch", "status", "failed"): FAILED,
    ("vector_store.file_batch", "status", "cancelled"): CANCELLED,
    ("eval.run", "status", "queued"): WAIT,
    ("eval.run", "status", "in_progress"): WAIT,
    ("eval.run", "status", "completed"): SUCCESS,
    ("eval.run", "status", "failed"): FAILED,
    ("eval.run", "status", "canceled"): CANCELLED,
    ("eval.run", "status", "cancelled"): CANCELLED,
    ("realtime.response", "status", "in_progress"): WAIT,
    ("realtime.response", "status", "completed"): SUCCESS,
    ("realtime.response", "status", "failed"): FAILED,
    ("realtime.response", "status", "incomplete"): EARLY,
    ("realtime.response", "status", "cancelled"): CANCELLED,
    ("realtime.response", "status_details.reason", "turn_detected"): CANCELLED,
    ("realtime.response", "status_details.reason", "client_cancelled"): CANCELLED,
    ("realtime.response", "status_details.reason", "max_output_tokens"): NO_MORE_TOKENS,
    ("realtime.response", "status_details.reason", "content_filter"): (
        "ContentFilterFinishReasonError",
        None,
        "content_filter_error",
        False,
        "change_request",
    ),
    ("video", "status", "queued"): WAIT,
    ("video", "status", "in_progress"): WAIT,
    ("video", "status", "completed"): SUCCESS,
    ("video", "status", "failed"): FAILED,
    ("video", "error.code", "moderation_blocked"): BAD_REQUEST,
    **{("thread.run", "status", status): WAIT for status in ("queued", "in_progress", "cancelling")},
    ("thread.run", "status", "requires_action"): (None, None, None, False, "continue"),
    ("thread.run", "status", "completed"): SUCCESS,
    ("thread.run", "status", "failed"): FAILED,
    ("thread.run", "status", "incomplete"): EARLY,
    ("thread.run", "status", "cancelled"): CANCELLED,
    ("thread.run", "status", "expired"): (None, None, "expired_error", False, "none"),
    ("thread.run", "last_error.code", "server_error"): SERVER_ERROR,
    ("thread.run", "last_error.code", "rate_limit_exceeded"): RATE_LIMIT,
    ("thread.run", "last_error.code", "invalid_prompt"): BAD_REQUEST,
    ("thread.run", "incomplete_details.reason", "max_completion_tokens"): NO_MORE_TOKENS,
    ("thread.run", "incomplete_details.reason", "max_prompt_tokens"): NO_MORE_TOKENS,
    ("batch", "output_file_id", "empty"): (None, 200, None, False, "change_request"),
    ("batch.output_row", "response.status_code", "0"): FAILED,
    ("agent.session.turn", "status", "queued"): WAIT,
    ("agent.session.turn", "status", "in_progress"): WAIT,
    ("agent.session.turn", "status", "waiting"): (None, None, None, False, "continue"),
    ("agent.session.turn", "status", "completed"): SUCCESS,
    ("agent.session.turn", "status", "failed"): FAILED,
    ("agent.session.turn", "status", "cancelled"): CANCELLED,
    **{("agent.session.turn", "error.code", code): expected for code, expected in TURN_CODES.items()},
}

# What the SDK's closed enums list elsewhere: surface, field -> values.
SDK_VALUES: dict[tuple[str, str], tuple[str, ...]] = {
    ("vector_store.file", "last_error.code"): ("server_error", "unsupported_file", "invalid_file"),
    ("thread.run", "last_error.code"): ("server_error", "rate_limit_exceeded", "invalid_prompt"),
    ("thread.run", "incomplete_details.reason"): ("max_completion_tokens", "max_prompt_tokens"),
    ("realtime.response", "status_details.reason"): (
        "turn_detected",
        "client_cancelled",
        "max_output_tokens",
        "content_filter",
    ),
    # `session_budget_exceeded` left the SDK's types between 3.54 and 3.57; the guide still has it.
    ("agent.session.turn", "error.code"): tuple(TURN_CODES),
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
            "",
        ],
    ),
    "request-too-large-any-code": (
        "429",
        [
            "Request too large for this model on tokens per min (TPM): Limit 30000, Requested 50000. The input or "
            "output tokens must be reduced in order to run successfully.",
            "The prompt must be reduced.",
        ],
        ["The request is not too large.", "413 Request Entity Too Large", ""],
    ),
    "flagged-for-safety": (
        "500",
        [
            "litellm.InternalServerError: InternalServerError: OpenAIException - Your request was flagged for possible "
            "cybersecurity risk and was not completed",
            "This content was flagged for possible biological risk.",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again.",
            "Your request was rejected as a result of our safety system.",
        ],
        [
            "The request was flagged for review.",
            "See our usage policies for the limits that apply.",
            "The server had an error while processing your request. You can retry your request.",
            "",
        ],
    ),
}

# Words that a reader under stress stumbles over, and what they stood for.
RIDDLES = re.compile(r"nothing (?:says|points|to correct|is wrong)|\b(?:somebody|nobody|whoever)\b", re.IGNORECASE)


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
def test_schema_and_reader_refuse_a_contradiction(change: dict[str, Any]) -> None:
    """Schema and reader refuse an entry that contradicts itself, or uses a word or a length it does not know."""
    entry = next(row for row in SHIPPED["entries"] if row["value"] == "image_too_small")
    data = {**SHIPPED, "entries": [{**entry, **change}]}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(data)
    assert len(problems(data, CATALOG)) == 1


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


@pytest.mark.parametrize("released", RELEASED.values(), ids=RELEASED)
def test_a_minor_version_changes_no_decision(released: dict[str, Any]) -> None:
    """Every row and rule of a released version of this major is still there and decides the same."""
    if released["catalog_version"].partition(".")[0] != CATALOG_VERSION.partition(".")[0]:
        return
    identity = ("surface", "field", "match", "value")
    decision = ("error_class", "error_type", "retryable", "since")
    now = {tuple(row[key] for key in identity): row for row in SHIPPED["entries"]}
    for row in released["entries"]:
        place = tuple(row[key] for key in identity)
        assert [now[place][key] for key in decision] == [row[key] for key in decision], place
        assert status_of(now[place]) == status_of(row), place
    rules = {rule["id"]: rule for rule in SHIPPED["rules"]}
    for rule in released["rules"]:
        assert [rules[rule["id"]][key] for key in ("code", "pattern", "retryable")] == [
            rule[key] for key in ("code", "pattern", "retryable")
        ]


def status_of(row: dict[str, Any]) -> int | None:
    """The HTTP status that an outcome gets from a row: its own, else that of its error type."""
    kind: dict[str, Any] = SHIPPED["error_types"].get(row["error_type"], {})
    status: int | None = row["status_code"] or kind.get("status_code")
    return status


def test_a_class_with_a_status_says_it() -> None:
    """A row whose class has an HTTP status has it written out, for readers who have no table of classes."""
    assert [row["value"] for row in SHIPPED["entries"] if row["status_code"] is None and status_of(row)] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_a_row_has_evidence_or_says_that_it_is_inferred(entry: Entry) -> None:
    """Every row has a link to what it rests on, or is marked as inferred."""
    assert entry.evidence or entry.inferred
    assert not {link for link in entry.evidence if link.count("/") < 5 and "github.com" in link}, "a whole repository"


@pytest.mark.parametrize("row", [*ENTRIES, *Catalog.load().rules], ids=lambda row: row.id)
def test_words_are_plain(row: Any) -> None:
    """No text of the catalog is a riddle, and none tells a row of a batch to fetch a run."""
    arguments = [view.argument for view in getattr(row, "alternatives", ())]
    assert not any(map(RIDDLES.search, (row.title, row.cause, row.remedy, *arguments)))
    assert row.surface != "batch.output_row" or "fetch" not in row.remedy.lower()


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
    claimed = {
        entry.value
        for entry in ENTRIES
        if entry.surface == "response" and entry.field == "error.code" and entry.sdk_since
    }
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


@pytest.mark.parametrize(("place", "expected"), SETTLED_ELSEWHERE.items(), ids=lambda value: "/".join(map(str, value)))
def test_settled_call_elsewhere(catalog: Catalog, place: tuple[str, str, str], expected: tuple[Any, ...]) -> None:
    """A settled call of another surface is in the data as it was settled."""
    surface, field, value = place
    entry = catalog.entry(surface, field, "literal", value)
    assert entry is not None
    status = entry.status_code or (catalog.error_types[entry.error_type].status_code if entry.error_type else None)
    assert (entry.error_class, status, entry.error_type, entry.retryable, entry.action) == expected


def test_every_row_elsewhere_is_settled() -> None:
    """No row of another surface is without a settled call in this file."""
    rows = {(entry.surface, entry.field, entry.value) for entry in ENTRIES if entry.surface != "response"}
    assert rows == set(SETTLED_ELSEWHERE)


@pytest.mark.parametrize(("place", "values"), SDK_VALUES.items(), ids=lambda value: "/".join(value))
def test_every_value_of_the_sdk_has_a_row(catalog: Catalog, place: tuple[str, str], values: tuple[str, ...]) -> None:
    """Each value of a closed enum of the SDK has a documented row on its own surface, and no other claims to be one."""
    surface, field = place
    for value in values:
        entry = catalog.entry(surface, field, "literal", value)
        assert entry is not None
        assert entry.documented
        assert entry.sdk_since is not None
    claimed = {
        entry.value for entry in ENTRIES if entry.surface == surface and entry.field == field and entry.sdk_since
    }
    assert claimed == set(values)


@pytest.mark.parametrize("surface", [name for name in SURFACES if name != "response"])
def test_a_code_falls_back_to_the_one_of_a_response(catalog: Catalog, surface: str) -> None:
    """A code that a surface does not have is what it is on `response`, where the row for it is alone."""
    verdict = lookup(catalog, surface, Failure("insufficient_quota"))
    assert verdict.entry is catalog.entry("response", "error.code", "literal", "insufficient_quota")
    assert verdict.known
    unknown = lookup(catalog, surface, Failure("no_such_code"))
    assert unknown.entry is catalog.entry("response", "error.code", "unknown")
    assert not unknown.known


def test_rows_elsewhere_say_more_than_those_of_a_response(catalog: Catalog) -> None:
    """A code is not repeated on another surface, unless the SDK lists it there or other words tell what to do."""
    for entry in ENTRIES:
        same = catalog.entry("response", "error.code", "literal", entry.value) if entry.field.endswith("code") else None
        if same is not None and same is not entry:
            assert entry.sdk_since or entry.remedy != same.remedy


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
        output = catalog.surfaces[entry.surface].output_field
        assert entry.field in ("status", output) or entry.id == NO_CLASS
        return
    row = catalog.error_types[entry.error_type]
    allowed = {
        "internal_server_error": (None, 500, 503),
        "incomplete_error": (None, 200),
        "content_filter_error": (None, 200),
        "api_status_error": (408, 424, 451),
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
    assert len(f"{entry.title}. {entry.description}") <= 260


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
    """Schema and reader refuse a rule whose pattern could never be found in a message in lower case."""
    data = {**SHIPPED, "rules": [{**SHIPPED["rules"][0], "pattern": "Request too large"}]}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(data)
    assert len(problems(data, CATALOG)) == 1


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
        "realtime.response/status_details.reason/content_filter",
    ]
    assert catalog.find("<null>") == ()


@pytest.mark.parametrize("name", ["list", "batch.output_row", "", None, 5, ["response"], {}], ids=str)
def test_surface_of_other_objects(catalog: Catalog, name: object) -> None:
    """Only what a body calls itself has a surface; any other name, or a value of any type, has none."""
    assert catalog.surface_of(name) is None
    assert catalog.surface_of("response") is catalog.surfaces["response"]


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_is_found_by_the_names_of_its_bodies(catalog: Catalog, name: str) -> None:
    """A surface is found by the `object` of its bodies and by every alias of it."""
    place = catalog.surfaces[name]
    for object_name in (place.object, *place.aliases):
        assert object_name is None or catalog.surface_of(object_name) is place


@pytest.mark.parametrize("name", SURFACES)
def test_statuses_are_pending_or_terminal(catalog: Catalog, name: str) -> None:
    """Every status of a surface is either pending or terminal, never both, and has a row of its own."""
    place = catalog.surfaces[name]
    literals = {
        entry.value
        for entry in ENTRIES
        if entry.surface == name and entry.field == "status" and entry.match == "literal"
    }
    assert place.pending | place.terminal == literals
    assert not place.pending & place.terminal
    assert place.completed <= place.terminal


@pytest.mark.parametrize("name", SURFACES)
def test_a_status_row_fits_its_phase(catalog: Catalog, name: str) -> None:
    """A pending or successful status has no class and no error type, any other terminal one has an error type."""
    place = catalog.surfaces[name]
    for entry in ENTRIES:
        if (entry.surface, entry.field, entry.match) != (name, "status", "literal"):
            continue
        went_wrong = entry.value in place.terminal - place.completed
        assert (entry.error_type is not None) == went_wrong
        if entry.value in place.pending:
            assert entry.action in ("wait", "continue")
        assert not entry.retryable


@pytest.mark.parametrize("name", SURFACES)
def test_rows_stand_in_a_field_that_is_read(catalog: Catalog, name: str) -> None:
    """A row's field is the surface's status, its code, its error object, or one that decides about a status."""
    place = catalog.surfaces[name]
    read = {"status", place.code_field, place.failure_field, place.output_field, place.status_field}
    read |= set(place.decided_by.values())
    assert {entry.field for entry in ENTRIES if entry.surface == name} <= read
    assert set(place.decided_by) <= place.terminal


# --- the dialects ---------------------------------------------------------------------------------------------------

DIALECTS = dialects()
MINE = [(name, entry) for name in DIALECTS for entry in Catalog.load().extend(name).entries if entry.overlay == name]

# Dialect, code, message -> rule, retryable, action; None for messages that only look like it.
DIALECT_MESSAGES: list[tuple[str, str | None, str, str | None, bool, str]] = [
    ("azure", None, "Your resource has been temporarily blocked.", "azure-resource-blocked", False, "fix_account"),
    (
        "litellm",
        "background_streaming_error",
        "litellm.RateLimitError: AzureException RateLimitError - have exceeded token rate limit. Please retry after 60 "
        "seconds.",
        "litellm-rate-limit",
        True,
        "resubmit_later",
    ),
    (
        "litellm",
        "background_streaming_error",
        "litellm.RateLimitError: OpenAIException - You exceeded your current quota, please check your plan and billing "
        "details.",
        "litellm-quota",
        False,
        "fix_account",
    ),
    (
        "litellm",
        "background_streaming_error",
        "litellm.RateLimitError: Rate limit reached. You can increase your rate limit by adding a payment method at "
        "https://platform.openai.com/account/billing.",
        "litellm-rate-limit",
        True,
        "resubmit_later",
    ),
    (
        "litellm",
        "background_streaming_error",
        "litellm.BudgetExceededError: Budget has been exceeded! Current cost: 12.3, Max budget: 12.0",
        "litellm-quota",
        False,
        "fix_account",
    ),
    (
        "litellm",
        "background_streaming_error",
        "litellm.AuthenticationError: Incorrect API key provided.",
        "litellm-account",
        False,
        "fix_account",
    ),
    (
        "litellm",
        "background_streaming_error",
        "litellm.BadRequestError: Unsupported value. Fallbacks failed: litellm.RateLimitError: busy",
        "litellm-bad-request",
        False,
        "change_request",
    ),
    ("litellm", "500", "litellm.BudgetExceededError: m", "litellm-quota-any-code", False, "fix_account"),
    ("litellm", "429", "Budget has been exceeded! Current cost: 1", "litellm-quota-any-code", False, "fix_account"),
    ("litellm", "500", "litellm.AuthenticationError: m", "litellm-account-any-code", False, "fix_account"),
    ("litellm", "500", "litellm.ContextWindowExceededError: m", "litellm-refused-any-code", False, "change_request"),
    ("litellm", "500", "litellm.ContentPolicyViolationError: m", "litellm-refused-any-code", False, "change_request"),
    (
        "litellm",
        "500",
        "litellm.InternalServerError: m. Fallbacks failed: litellm.BadRequestError: m",
        None,
        True,
        "resubmit",
    ),
    ("litellm", "background_streaming_error", "Connection reset by peer", None, False, "none"),
    (
        "litellm",
        "background_streaming_error",
        "litellm.RateLimitError: RateLimitError: Request too large for gpt-4o on tokens per min (TPM). The input or "
        "output tokens must be reduced in order to run successfully.",
        "request-too-large-any-code",
        False,
        "change_request",
    ),
    (
        "litellm",
        "server_error",
        "openai closed the responses stream before any terminal event (response.completed, response.incomplete or "
        "response.failed)",
        "litellm-stream-broke-off",
        False,
        "none",
    ),
    (
        "litellm",
        "server_error",
        "litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided.",
        "litellm-refused",
        False,
        "change_request",
    ),
    (
        "litellm",
        "server_error",
        "litellm.InternalServerError: busy. Fallbacks failed: litellm.BadRequestError",
        None,
        True,
        "resubmit",
    ),
    (
        "litellm",
        "rate_limit_exceeded",
        "No deployments available for selected model, Try again in 2 seconds.",
        None,
        True,
        "resubmit_later",
    ),
    (
        "ogx",
        "processing_error",
        "Background response timed out after 300s",
        "ogx-background-timeout",
        False,
        "raise_limit",
    ),
    ("ogx", "processing_error", "'NoneType' object is not iterable", None, False, "none"),
    (
        "ogx",
        "server_error",
        "Truncation mode 'auto' is not supported. Use 'disabled'.",
        "ogx-truncation",
        False,
        "change_request",
    ),
    ("ogx", "server_error", "The model is overloaded.", None, False, "none"),
    ("openrouter", "server_error", "Invalid credentials", "openrouter-credentials", False, "fix_account"),
    ("openrouter", "server_error", "Provider returned error", None, True, "resubmit"),
    ("openrouter", "server_error", "User not found.", "openrouter-bad-key", False, "fix_account"),
    ("openrouter", "server_error", "The tool answered: user not found.", None, True, "resubmit"),
    (
        "openrouter",
        "429",
        "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
        "openrouter-daily-cap",
        False,
        "fix_account",
    ),
    ("openrouter", "429", "Rate limit exceeded: free-models-per-min.", None, True, "resubmit_later"),
    ("xai", None, "You do not have an active Grok subscription.", "xai-entitlement", False, "fix_account"),
    (
        "xai",
        "permission-denied",
        "Your newly created team doesn't have any credits or licenses yet.",
        None,
        False,
        "fix_account",
    ),
    ("xai", None, "You are out of available resources for Grok.", "xai-entitlement", False, "fix_account"),
    ("xai", None, "The cluster is out of available resources.", None, False, "none"),
]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_gives_no_retryable_back(name: str) -> None:
    """Under no code of a dialect is a failure retryable that is too large, flagged for safety or out of quota."""
    catalog = Catalog.load().extend(name)
    codes = [entry.value for entry in catalog.entries if entry.field == "error.code" and entry.surface == "response"]
    for rule_id in ("request-too-large-any-code", "flagged-for-safety", "quota-used-up"):
        for message in RULE_EXAMPLES[rule_id][1]:
            for text in (message, f"litellm.RateLimitError: {message}"):
                for code in (*codes, "429", "500", "no_such_code", None):
                    assert not lookup(catalog, "response", Failure(code, text)).retryable, (code, text)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_has_a_version_that_is_kept(name: str) -> None:
    """A dialect is, to the byte, the copy kept for its version, and its changelog has a section for that."""
    version = read_overlay(name).version
    shipped, released = (
        DATA.joinpath(f"dialects/{name}.toml"),
        DATA.joinpath(f"released/dialects/{name}-{version}.toml"),
    )
    assert shipped.read_bytes() == released.read_bytes()
    changelog = DATA.joinpath("dialects/CHANGELOG.md").read_text("utf-8")
    assert f"\n### {version}\n" in changelog.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", DIALECTS)
def test_every_version_of_a_dialect_announces_its_changes(name: str) -> None:
    """Each released version of a dialect, and the shipped one, has a number that covers what changed since the last."""
    for old, new in pairwise([*released_dialects(name), name]):
        found = diff(read_catalog(old), read_catalog(new))
        assert found.is_covered, [change for change in found.changes if change.severity > found.given]


def test_a_dialect_can_be_pinned() -> None:
    """A released version of a dialect is an overlay of its name; another version is an error that names those."""
    assert released_dialects("azure") == ("azure@1.0.0", "azure@1.1.0")
    old, new = Catalog.load().extend("azure@1.0.0"), Catalog.load().extend("azure")
    assert (old.overlays, new.overlays) == (("azure",), ("azure",))
    assert (len(old.find("storage_error")), len(new.find("storage_error"))) == (0, 1)
    with pytest.raises(CatalogError, match=r"azure@9.9.9: not one of the released azure@1.0.0, azure@1.1.0"):
        Catalog.load().extend("azure@9.9.9")


def test_the_dialects_that_are_shipped() -> None:
    """One overlay is shipped for each server whose words are known to differ, named like its file."""
    assert DIALECTS == ("azure", "litellm", "ogx", "openrouter", "vllm", "xai")
    assert [read_overlay(name).name for name in DIALECTS] == list(DIALECTS)


@pytest.mark.parametrize(("name", "entry"), MINE, ids=lambda value: value if isinstance(value, str) else value.id)
def test_a_row_of_a_dialect_is_like_a_row_of_the_catalog(catalog: Catalog, name: str, entry: Entry) -> None:
    """A dialect's row has evidence and short words, agrees with itself, and differs from the row it overrides."""
    assert entry.evidence
    assert entry.retryable == (entry.action in RESUBMIT)
    assert entry.contested == bool(entry.alternatives)
    assert entry.error_class == (catalog.error_types[entry.error_type].error_class if entry.error_type else None)
    assert len(entry.title) <= 50
    assert len(entry.cause) <= 200
    assert len(entry.remedy) <= 200
    assert len(f"{entry.title}. {entry.description}") <= 260
    assert not any(map(RIDDLES.search, (entry.title, entry.cause, entry.remedy)))
    assert all(text.isascii() and text.endswith(".") for text in (entry.cause, entry.remedy))
    assert entry.inferred == entry.cause.startswith("Inferred from ")
    base = catalog.entry(entry.surface, entry.field, entry.match, entry.value)
    assert base is None or (base.retryable, base.action, base.remedy) != (entry.retryable, entry.action, entry.remedy)


@pytest.mark.parametrize("name", DIALECTS)
def test_what_a_dialect_says_is_said_in_full(name: str) -> None:
    """A shipped dialect leaves no words of a rule or of a new row to be made up, and gives evidence for each."""
    overlay = read_overlay(name)
    base = Catalog.load()
    for row in overlay.entries:
        place = base.surfaces[row.get("surface", "response")]
        field = row.get("field", place.code_field)
        known = base.entry(place.name, field, row.get("match", "literal"), row.get("value"))
        assert {"title", "cause", "remedy", "evidence"} <= set(row)
        assert known is not None or "phase" in row or {"error_type", "retryable", "action", "confidence"} <= set(row)
    for rule in overlay.rules:
        assert {"title", "cause", "remedy", "evidence", "action"} <= set(rule)
        assert rule["id"].startswith(f"{name}-")


@pytest.mark.parametrize(("name", "code", "message", "rule_id", "retryable", "action"), DIALECT_MESSAGES)
def test_message_of_a_dialect(
    name: str, code: str | None, message: str, rule_id: str | None, retryable: bool, action: str
) -> None:
    """A dialect's rules find the messages they are about, and leave those that only look like them."""
    verdict = lookup(Catalog.load().extend(name), "response", Failure(code, message))
    assert (verdict.rule.id if verdict.rule else None) == rule_id
    assert (verdict.retryable, verdict.action) == (retryable, action)


def test_every_rule_of_a_dialect_has_examples() -> None:
    """Each rule of a dialect is met by a message of this file."""
    rules = {rule["id"] for name in DIALECTS for rule in read_overlay(name).rules}
    assert rules - {"ogx-no-chunks"} == {row[3] for row in DIALECT_MESSAGES} - {None, "request-too-large-any-code"}
    failure = Failure("server_error", "No chunks were generated from the file")
    verdict = lookup(Catalog.load().extend("ogx"), "vector_store.file", failure)
    assert verdict.rule is not None
    assert (verdict.rule.id, verdict.action) == ("ogx-no-chunks", "change_request")


def test_a_realtime_rate_limit_of_azure() -> None:
    """Azure calls a realtime rate limit an invalid request: the dialect goes by the code instead of the type."""
    failure = Failure("inference_rate_limit_exceeded", "Too many requests.", type="invalid_request_error")
    plain = lookup(Catalog.load(), "realtime.response", failure)
    azure = lookup(Catalog.load().extend("azure"), "realtime.response", failure)
    assert (plain.error_class, plain.retryable) == ("BadRequestError", False)
    assert (azure.error_class, azure.retryable, azure.action) == ("RateLimitError", True, "resubmit_later")


def test_a_pending_job_of_azure() -> None:
    """Azure's status `pending` of a fine-tuning job is pending with the dialect, and unknown without."""
    assert "pending" not in Catalog.load().surfaces["fine_tuning.job"].pending
    assert "pending" in Catalog.load().extend("azure").surfaces["fine_tuning.job"].pending
