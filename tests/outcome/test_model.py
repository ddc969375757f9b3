"""The plain values: `Entry`, `Rule`, `Outcome`."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from runoutcome import Catalog, Outcome, classify, error_for

FAILED: dict[str, Any] = {"object": "response", "id": "resp_1", "status": "failed"}


def outcome_of(code: str | None, message: str | None = None) -> Outcome:
    """The outcome of a failed run."""
    return classify({**FAILED, "error": {"code": code, "message": message}})


@pytest.mark.parametrize(
    ("place", "row_id"),
    [
        (("error.code", "literal", "server_error"), "response/error.code/server_error"),
        (("error.code", "null", None), "response/error.code/<null>"),
        (("error.code", "unknown", None), "response/error.code/<unknown>"),
        (("error.code", "http_status", None), "response/error.code/<http_status>"),
        (("error", "null", None), "response/error/<null>"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_entry_id(catalog: Catalog, place: tuple[Any, ...], row_id: str) -> None:
    """An entry's id is its surface, field and value, with the match in angle brackets where it is for no literal."""
    entry = catalog.entry("response", *place)
    assert entry is not None
    assert entry.id == row_id


def test_entry_description_is_cause_and_remedy(catalog: Catalog) -> None:
    """An entry's description is its cause and its remedy."""
    entry = catalog.find("server_error")[0]
    assert entry.description == f"{entry.cause} {entry.remedy}"


@pytest.mark.parametrize("status", ["queued", "completed", "failed", "done", None])
def test_only_a_completed_run_is_ok(status: str | None) -> None:
    """`ok` is for the status "completed" alone."""
    assert classify({"status": status, "object": "response"}).ok is (status == "completed")


def test_outcome_is_frozen_and_hashable() -> None:
    """An outcome cannot be changed, and can be a key, also with usage."""
    outcome = classify({"status": "completed", "usage": {"input_tokens": 1}})
    with pytest.raises(FrozenInstanceError):
        outcome.status = "failed"  # type: ignore[misc]
    assert {outcome: 1}[replace(outcome)] == 1


def test_words_come_from_the_row() -> None:
    """Title, cause and remedy are those of the row that decided."""
    outcome = outcome_of("server_error")
    assert outcome.entry is not None
    assert (outcome.title, outcome.cause, outcome.remedy) == (
        outcome.entry.title,
        outcome.entry.cause,
        outcome.entry.remedy,
    )


def test_words_of_a_rule_beat_those_of_the_row() -> None:
    """Title, cause and remedy are those of the message rule where one refined the row."""
    outcome = outcome_of("rate_limit_exceeded", "Request too large for gpt-5.5")
    assert outcome.rule is not None
    assert (outcome.title, outcome.cause, outcome.remedy) == (
        outcome.rule.title,
        outcome.rule.cause,
        outcome.rule.remedy,
    )


def test_words_without_a_row() -> None:
    """What is no run body still has a title, a cause and a remedy."""
    outcome = classify(None)
    assert (outcome.title, outcome.entry) == ("No run body", None)
    assert outcome.cause
    assert outcome.remedy


def test_remedy_does_not_contradict_a_server_that_claims_retryable() -> None:
    """Where the payload itself claims `retryable`, the remedy says so and not what the row for no code says."""
    field = {"type": "rate_limit_error", "retryable": True, "catalog": "1.2.0"}
    error = {"message": "busy", "outcome": field}
    outcome = classify({**FAILED, "error": error})
    assert outcome.entry is not None
    assert outcome.retryable
    assert outcome.remedy != outcome.entry.remedy


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        (Outcome("terminal", "failed", code="c", reason="r"), "c"),
        (Outcome("terminal", "incomplete", reason="r"), "r"),
        (Outcome("terminal", "cancelled"), "cancelled"),
        (Outcome("unknown"), "no status"),
    ],
    ids=["code", "reason", "status", "nothing"],
)
def test_label_is_the_most_telling_word(outcome: Outcome, label: str) -> None:
    """The label is the code, else the reason, else the status."""
    assert outcome.label == label


def test_describe_holds_title_cause_remedy_and_message() -> None:
    """The description is one line with the label, title, cause, remedy and the server's message at its end."""
    outcome = outcome_of("server_error", "boom at 3")
    text = outcome.describe()
    assert text.startswith("server_error: ")
    assert all(part in text for part in (outcome.title, outcome.cause, outcome.remedy))
    assert text.endswith(" Server message: boom at 3")


def test_describe_without_message_has_no_empty_tail() -> None:
    """Without a server message the description ends with the remedy."""
    outcome = outcome_of("server_error")
    assert outcome.describe().endswith(outcome.remedy)


def test_to_dict_is_json_with_every_field() -> None:
    """`to_dict` has every field and `ok`, survives strict JSON, and names row and rule by id."""
    outcome = outcome_of("rate_limit_exceeded", "Request too large")
    document = json.loads(json.dumps(outcome.to_dict(), allow_nan=False))
    assert set(document) == {spec.name for spec in fields(Outcome)} | {"ok"}
    assert document["entry"] == "response/error.code/rate_limit_exceeded"
    assert document["rule"] == "request-too-large"
    assert document["ok"] is False


def test_to_dict_copies_usage() -> None:
    """The usage in `to_dict` is a copy: changing it changes no outcome."""
    outcome = classify({"status": "completed", "usage": {"input_tokens": 1}})
    outcome.to_dict()["usage"]["input_tokens"] = 2
    assert outcome.usage == {"input_tokens": 1}


def test_problem_with_a_status() -> None:
    """A problem document of a failure that has an HTTP status: its phrase is the title, the rest are extensions."""
    outcome = outcome_of("rate_limit_exceeded", "Please try again in 2s")
    assert outcome.problem() == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": outcome.describe(),
        "instance": "resp_1",
        "run_status": "failed",
        "code": "rate_limit_exceeded",
        "error_type": "rate_limit_error",
        "retryable": True,
        "action": "resubmit_later",
        "retry_after": 2.0,
    }


@pytest.mark.parametrize(
    "body",
    [
        {"status": "failed", "error": None},
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        {"status": "cancelled"},
        {},
    ],
    ids=["failed_null", "incomplete", "cancelled", "no_body"],
)
def test_problem_without_an_http_status(body: dict[str, Any]) -> None:
    """Where no HTTP error status is known the problem claims none, and its title is the outcome's."""
    outcome = classify(body)
    problem = outcome.problem()
    assert "status" not in problem
    assert (problem["type"], problem["title"]) == ("about:blank", outcome.title)


def test_problem_of_a_status_without_a_phrase() -> None:
    """A status that HTTP has no phrase for keeps the outcome's title."""
    outcome = outcome_of("499")
    assert (outcome.problem()["status"], outcome.problem()["title"]) == (499, outcome.title)


def test_to_dict_is_json_for_a_count_of_5000_digits() -> None:
    """A token count that cannot be printed does not keep an outcome from being JSON."""
    outcome = classify({"status": "failed", "usage": {"input_tokens": 10**5000, "output_tokens": 1}})
    assert json.dumps(outcome.to_dict())


def test_quota_beside_a_retryable_code_gives_its_own_advice() -> None:
    """The remedy of a retryable code does not stand where a code for used-up quota takes `retryable` away."""
    outcome = classify({"status": "failed", "error": {"code": "rate_limit_exceeded", "type": "insufficient_quota"}})
    assert (outcome.retryable, outcome.action, outcome.error_class) == (False, "fix_account", "RateLimitError")
    assert "add credit" in outcome.remedy


def test_advice_after_tools_is_one_order() -> None:
    """Where tools acted the remedy says to look first, and does not say to submit the request again."""
    body = {"status": "failed", "error": {"code": "server_error"}, "output": [{"type": "mcp_call", "name": "pay"}]}
    acted, idle = classify(body), classify({**body, "output": []})
    assert (
        acted.remedy == "Tools acted in this run (pay) and act again in a new one: check first what they have changed."
    )
    assert idle.remedy.startswith("Submit the same request again")
    assert "tools" not in idle.remedy


def test_a_tool_acts_at_any_place_of_a_long_output() -> None:
    """A call after more items than are read for texts counts; an outcome names no more than 100 calls."""
    body: dict[str, Any] = {"status": "failed", "error": {"code": "server_error"}}
    late = classify({**body, "output": [{"type": "reasoning"}] * 10_001 + [{"type": "mcp_call", "name": "pay"}]})
    assert late.tools_ran == ("pay",)
    assert len(classify({**body, "output": [{"type": "mcp_call", "name": "pay"}] * 500}).tools_ran) == 100


def test_a_pickle_of_many_failed_items_is_small() -> None:
    """Failed items are named up to 100, with short codes, so that an exception can travel."""
    item = {"type": "mcp_call" * 999, "status": "failed", "name": "n" * 9999, "error": {"code": "c" * 9999}}
    error = error_for({"status": "failed", "error": {"code": "server_error"}, "output": [item] * 20_000})
    assert len(pickle.dumps(error)) < 40_000
