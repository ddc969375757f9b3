"""`classify`: one body, one outcome, whatever carried it; and any input gives an outcome."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock, Mock

import openai
import pytest
from hypothesis import example, given, settings, strategies as st
from openai.types import webhooks
from openai.types.responses import ResponseErrorEvent

from bodies import CARRIERS, RESPONSE_ID, ROWS, UNKNOWN_WORD, body_of, deciding_row, http_response, sdk_model, short
from runoutcome import CATALOG_VERSION, Catalog, Entry, Outcome, RunError, WaitTimeoutError, classify, error_for

FAILED: dict[str, Any] = {"object": "response", "id": "resp_1", "status": "failed"}
NO_BODY = Outcome("unknown", error_class="APIError", error_type="unknown_error", catalog_version=CATALOG_VERSION)


def failed(**error: Any) -> dict[str, Any]:
    """The body of a failed run with these fields in its error."""
    return {**FAILED, "error": error}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.id)
def test_one_body_one_outcome(entry: Entry, carrier: str) -> None:
    """A row's body gives the same outcome and exception class in every carrier, and the class that the row names."""
    body = body_of(entry)
    obj = CARRIERS[carrier](body)
    outcome, error = classify(obj), error_for(obj)
    assert outcome == classify(body)
    assert outcome.entry is not None
    assert outcome.entry.id == deciding_row(entry)
    assert type(error) is type(error_for(body))
    if error is None:
        assert outcome.ok or outcome.phase == "pending"
    elif entry.error_class is not None:
        assert isinstance(error, getattr(openai, entry.error_class))


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.id)
def test_a_literal_row_decides_as_written(entry: Entry) -> None:
    """The outcome of a literal's body says what its row says, and is known."""
    if deciding_row(entry) != entry.id or entry.match != "literal":
        return
    outcome = classify(body_of(entry))
    assert (outcome.error_class, outcome.error_type, outcome.retryable, outcome.action, outcome.known) == (
        entry.error_class,
        entry.error_type,
        entry.retryable,
        entry.action,
        True,
    )
    assert outcome.status_code == entry.status_code or entry.status_code is None


@pytest.mark.parametrize("entry", [row for row in ROWS if row.match != "literal"], ids=lambda entry: entry.id)
def test_only_literals_are_known(entry: Entry) -> None:
    """What a row for null, unknown values or numbers decides is not known."""
    assert not classify(body_of(entry)).known


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("queued", "pending"),
        ("in_progress", "pending"),
        ("completed", "terminal"),
        ("failed", "terminal"),
        ("incomplete", "terminal"),
        ("cancelled", "terminal"),
        ("expired", "terminal"),
        ("canceled", "terminal"),
        ("COMPLETED", "unknown"),
        ("paused", "unknown"),
        (5, "unknown"),
        (True, "unknown"),
        (None, "unknown"),
        ("", "unknown"),
        (["completed"], "unknown"),
    ],
    ids=str,
)
def test_phase(status: object, phase: str) -> None:
    """A status is pending, terminal, or, if nobody knows it, unknown; never guessed at."""
    outcome = classify({**FAILED, "status": status})
    assert outcome.phase == phase
    assert outcome.ok is (status == "completed")


def test_an_unknown_status_keeps_the_raw_value() -> None:
    """An unknown status is typed, not retryable, and kept as it came."""
    outcome = classify({**FAILED, "status": UNKNOWN_WORD})
    assert (outcome.status, outcome.phase, outcome.error_class, outcome.retryable, outcome.known) == (
        UNKNOWN_WORD,
        "unknown",
        "APIError",
        False,
        False,
    )


def test_a_pending_run_has_no_error_class() -> None:
    """A pending run is no failure: no class, no error type, the action is to wait; an error in it is told."""
    outcome = classify({**FAILED, "status": "queued", "error": {"code": "server_error"}})
    assert (outcome.error_class, outcome.error_type, outcome.code, outcome.action) == (
        None,
        None,
        "server_error",
        "wait",
    )


def test_a_pending_run_has_no_result() -> None:
    """Usage and output are those of a run that has ended: a poll of a pending one does not pay for reading them."""
    outcome = classify({**FAILED, "status": "in_progress", "usage": {"input_tokens": 1}, "output": [{}]})
    assert (outcome.usage, outcome.has_output, outcome.response_id) == (None, False, "resp_1")


WEBHOOKS = {
    "completed": webhooks.ResponseCompletedWebhookEvent,
    "failed": webhooks.ResponseFailedWebhookEvent,
    "incomplete": webhooks.ResponseIncompleteWebhookEvent,
    "cancelled": webhooks.ResponseCancelledWebhookEvent,
}


@pytest.mark.parametrize("carrier", ["dict", "sdk_model", "json"])
@pytest.mark.parametrize("status", WEBHOOKS)
def test_a_webhook_is_a_notice(status: str, carrier: str) -> None:
    """A webhook gives status and id and no judgement: the phase is unknown, also for "completed"."""
    payload = {"object": "event", "id": "evt_1", "created_at": 1, "type": f"response.{status}", "data": {"id": "r_1"}}
    make = {"dict": dict, "json": json.dumps, "sdk_model": lambda body: WEBHOOKS[status].construct(**body)}
    assert classify(make[carrier](payload)) == replace(NO_BODY, status=status, response_id="r_1")


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_error", "message": "m", "param": "p", "sequence_number": 3},
        {"type": "error", "error": {"code": "server_error", "message": "m", "param": "p"}},
        {"error": {"type": "server_error", "code": "server_error", "message": "m", "param": "p"}},
        ResponseErrorEvent.construct(type="error", code="server_error", message="m", param="p", sequence_number=3),
    ],
    ids=["flat", "nested", "http_envelope", "sdk_model"],
)
def test_an_error_event_is_classified_by_its_code(event: object) -> None:
    """An error without a body is classified by its code, with the phase unknown: it is the connection speaking."""
    outcome = classify(event)
    assert (outcome.phase, outcome.status, outcome.code, outcome.message, outcome.param) == (
        "unknown",
        None,
        "server_error",
        "m",
        "p",
    )
    assert (outcome.error_class, outcome.known) == ("InternalServerError", True)


def test_a_raw_http_error_is_an_error_event(http: Any) -> None:
    """A raw answer with the API's error envelope is classified by its code, with the phase unknown."""
    response = http.Response(429, json={"error": {"code": "insufficient_quota", "message": "m"}})
    outcome = classify(response)
    assert (outcome.phase, outcome.code, outcome.action) == ("unknown", "insufficient_quota", "fix_account")


def test_the_sdks_raw_response(answering: Any) -> None:
    """What `with_raw_response` gives is read like the answer inside it."""
    body = failed(code="server_error")
    client = answering(lambda request: http_response(body))
    assert classify(client.responses.with_raw_response.retrieve("resp_1")) == classify(body)


def test_a_raw_http_answer_that_was_not_read(http: Any) -> None:
    """A streamed answer whose content was not read yet says nothing, and does not raise."""
    assert classify(http.Response(200, content=iter([b"{}"]))) == NO_BODY


class Hostile:
    """An object whose attributes raise."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class HostileMapping(Mapping[str, Any]):
    """A mapping whose values raise."""

    def __getitem__(self, key: str) -> Any:
        raise OSError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(["status"])

    def __len__(self) -> int:
        return 1


class HostileText:
    """A status that cannot be made text."""

    def __str__(self) -> str:
        raise ZeroDivisionError


class HostileClass:
    """An object that lies about its class."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise MemoryError


def deep(levels: int, leaf: Any = None) -> Any:
    """A list in a list in a list."""
    for _ in range(levels):
        leaf = [leaf]
    return leaf


@pytest.mark.parametrize(
    "obj",
    [
        None,
        True,
        0,
        10**5000,
        float("nan"),
        "",
        "completed",
        "<html><body>502 Bad Gateway</body></html>",
        b"\x00\xff",
        bytearray(),
        memoryview(b"{"),
        '{"status": "comp',
        "[" * 100_000,
        '{"a":' * 100_000,
        [],
        {},
        (),
        object(),
        object,
        classify,
        ValueError("x"),
        {"id": "resp_1"},
        {5: 6},
        {"object": "job", "status": "completed"},
        {"object": "chat.completion", "id": "chatcmpl-1"},
        {"object": "list", "data": []},
        {"object": "response.deleted", "deleted": True},
        {"object": "", "status": "completed"},
        {"type": "response.output_text.delta", "delta": "x"},
        {"type": "response.completed"},
        {"type": "response.mcp_call.failed", "item_id": "mcp_1"},
        Hostile(),
        HostileMapping(),
    ],
    ids=short,
)
def test_no_run_body(obj: object) -> None:
    """What is no run body has the phase unknown, no status, and claims nothing."""
    assert classify(obj) == NO_BODY


def test_an_object_that_lies_about_its_class() -> None:
    """An object that cannot even be asked for its type is no run body."""
    assert classify(HostileClass()) == NO_BODY


def test_a_mock_is_not_completed() -> None:
    """A mock, whose every attribute is another mock, is never taken for a completed run."""
    for mock in (MagicMock(), Mock(), MagicMock(spec=dict), MagicMock(spec=openai.types.responses.Response)):
        outcome = classify(mock)
        assert (outcome.phase, outcome.ok, outcome.retryable) == ("unknown", False, False)


def test_a_mock_of_a_failed_run() -> None:
    """A mock that has a status and an error is read like the real thing."""
    mock = MagicMock(object="response", status="failed")
    mock.error.code = "server_error"
    assert classify(mock).error_class == "InternalServerError"


@pytest.mark.parametrize(
    ("error", "code", "row"),
    [
        (None, None, "response/error/<null>"),
        ({}, None, "response/error.code/<null>"),
        ([], None, "response/error.code/<null>"),
        ([{"code": "server_error"}], None, "response/error.code/<null>"),
        ("", None, "response/error.code/<null>"),
        ("boom", None, "response/error.code/<null>"),
        (5, None, "response/error.code/<null>"),
        ({"code": None}, None, "response/error.code/<null>"),
        ({"code": ""}, None, "response/error.code/<null>"),
        ({"code": "no_such_code"}, "no_such_code", "response/error.code/<unknown>"),
        ({"code": "SERVER_ERROR"}, "SERVER_ERROR", "response/error.code/<unknown>"),
        ({"code": True}, "true", "response/error.code/<unknown>"),
        ({"code": 429.0}, "429.0", "response/error.code/<unknown>"),
        ({"code": ["server_error"]}, '["server_error"]', "response/error.code/<unknown>"),
        ({"code": {"a": 1}}, '{"a":1}', "response/error.code/<unknown>"),
        ({"code": 10**5000}, "<int>", "response/error.code/<unknown>"),
        ({"code": "\ud800"}, "\ud800", "response/error.code/<unknown>"),
        ({"code": 429}, "429", "response/error.code/<http_status>"),
        ({"code": "429"}, "429", "response/error.code/<http_status>"),
    ],
    ids=short,
)
def test_errors_of_any_shape(error: object, code: str | None, row: str) -> None:
    """A failed run is terminal and typed whatever its error looks like, and the raw code is kept."""
    outcome = classify({**FAILED, "error": error})
    assert outcome.entry is not None
    assert (outcome.phase, outcome.code, outcome.entry.id, outcome.known) == ("terminal", code, row, False)


def test_an_error_that_is_text_is_the_message() -> None:
    """An error that is a bare string is kept as the message."""
    assert classify({**FAILED, "error": "boom"}).message == "boom"


@pytest.mark.parametrize("field", ["code", "message", "type", "param", "action"])
def test_a_deep_value_does_not_hide_a_failure(field: str) -> None:
    """A failed run is terminal even if a word of its error is nested too deep to print."""
    assert classify(failed(**{field: deep(100_000)})).phase == "terminal"


@pytest.mark.parametrize("details", [None, {}, {"reason": None}, {"reason": ""}, [], "content_filter", 5], ids=str)
def test_incomplete_without_a_reason(details: object) -> None:
    """An incomplete run without a reason is terminal, has no class and is not retryable."""
    outcome = classify({**FAILED, "status": "incomplete", "incomplete_details": details})
    assert (outcome.phase, outcome.reason, outcome.error_class, outcome.error_type, outcome.retryable) == (
        "terminal",
        None,
        None,
        "incomplete_error",
        False,
    )
    assert not outcome.known


def test_incomplete_ignores_an_error() -> None:
    """An incomplete run is decided by its reason, not by an error that may be there too."""
    body = {**failed(code="server_error"), "status": "incomplete", "incomplete_details": {"reason": "steered"}}
    assert (classify(body).reason, classify(body).code, classify(body).retryable) == ("steered", None, False)


@pytest.mark.parametrize("surface", ["no_such_surface", "", "Response", ["response"], 5], ids=str)
def test_a_surface_nobody_knows(surface: Any) -> None:
    """A surface that is not in the catalog gives no judgement, and does not raise."""
    assert classify(failed(code="server_error"), surface=surface) == NO_BODY


def test_a_named_surface_beats_the_objects_own() -> None:
    """A surface that is named is used even if the body calls itself something else."""
    assert classify({"object": "job", "status": "completed"}, surface="response").ok


@pytest.mark.parametrize("type", ["message", "reasoning", "function_call", "image_generation_call"])
def test_an_output_item_is_no_run(type: str) -> None:
    """An item of a run's output has a status of its own, which says nothing about the run."""
    assert not classify({"type": type, "id": "msg_1", "status": "completed"}).ok


@pytest.mark.parametrize("carrier", ["dict", "sdk_model"])
def test_facts_of_the_run(carrier: str) -> None:
    """Id, model, usage and whether there is output are read from the body."""
    body = body_of(Catalog.load().find("server_error")[0])
    outcome = classify(CARRIERS[carrier](body))
    assert (outcome.response_id, outcome.model, outcome.has_output) == (RESPONSE_ID, "gpt-5.5", True)
    assert outcome.usage == {
        "input_tokens": 11,
        "output_tokens": 7,
        "total_tokens": 18,
        "cached_tokens": 3,
        "reasoning_tokens": 5,
    }
    assert (outcome.surface, outcome.catalog_version, outcome.overlay) == ("response", CATALOG_VERSION, None)


@pytest.mark.parametrize("output", [[], None, "absent"], ids=str)
def test_a_run_without_output(output: object) -> None:
    """A run with an empty output, or without one, has none."""
    body = {**FAILED, "output": output} if output != "absent" else FAILED
    assert classify(body).has_output is False


@pytest.mark.parametrize(
    ("error", "seconds", "source"),
    [
        ({"code": "rate_limit_exceeded", "message": "Please try again in 2.5s"}, 2.5, "error.message"),
        ({"code": "slow_down", "message": "retry after 20 seconds"}, 20.0, "error.message"),
        ({"code": 429, "message": "try again in 1s"}, 1.0, "error.message"),
        ({"code": "rate_limit_exceeded", "message": "try again in 9h"}, 3600.0, "error.message"),
        (
            {"code": "rate_limit_exceeded", "message": "try again in 2s", "headers": {"Retry-After": "7"}},
            7.0,
            "error.headers.retry-after",
        ),
        ({"code": "server_error", "headers": {"retry-after-ms": "1500"}}, 1.5, "error.headers.retry-after-ms"),
        ({"code": "server_error", "message": "try again in 2s"}, None, None),
        ({"code": "insufficient_quota", "message": "try again in 2s"}, None, None),
        ({"code": "rate_limit_exceeded", "message": "Request too large. Please try again in 2s"}, None, None),
        ({"code": "rate_limit_exceeded", "message": "no wish"}, None, None),
        ({"code": "rate_limit_exceeded", "headers": {"retry-after": "nan"}}, None, None),
    ],
    ids=short,
)
@pytest.mark.parametrize("carrier", ["dict", "sdk_model"])
def test_retry_after(error: dict[str, Any], seconds: float | None, source: str | None, carrier: str) -> None:
    """A wish is in headers, or in the words of a rate limit that is no quota; it is capped, and its source is named."""
    outcome = classify(CARRIERS[carrier]({**FAILED, "error": error}))
    assert (outcome.retry_after, outcome.retry_after_source) == (seconds, source)


def test_an_outcome_is_its_own_classification() -> None:
    """Classifying an outcome, or an exception that carries one, gives that outcome."""
    outcome = classify(failed(code="server_error"))
    assert classify(outcome) is outcome
    assert classify(error_for(outcome)) is outcome
    assert classify(WaitTimeoutError("m", outcome=outcome)) is outcome


def test_an_exception_without_an_outcome_is_no_run() -> None:
    """An exception that carries no outcome, whatever its attributes, is no run body."""
    error = ValueError()
    error.outcome = "completed"  # type: ignore[attr-defined]
    assert classify(error) == NO_BODY
    assert classify(WaitTimeoutError("m")) == NO_BODY


def test_a_catalog_can_be_given(catalog: Catalog) -> None:
    """The catalog that is given decides, and its version is in the outcome."""
    row = catalog.entry("response", "error.code", "literal", "server_error")
    assert row is not None
    mine = replace(row, value="my_code", retryable=False, action="none")
    own = replace(catalog, version="9.9.9", entries=(*catalog.entries, mine))
    outcome = classify(failed(code="my_code"), catalog=own)
    assert (outcome.entry, outcome.catalog_version, outcome.overlay) == (mine, "9.9.9", None)
    assert not classify(failed(code="my_code")).known


# --- totality ------------------------------------------------------------------------------------------------------

texts = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=[]), max_size=30),  # lone surrogates too
    st.sampled_from(["response", "event", "failed", "completed", "incomplete", "queued", "error", "response.failed"]),
    st.sampled_from(sorted({row.value for row in ROWS if row.value})),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.just(10**4000))
keys = st.one_of(
    texts,
    st.sampled_from(["object", "id", "status", "error", "code", "type", "message", "response", "data", "usage"]),
    st.sampled_from(["output", "incomplete_details", "reason", "headers", "retryable", "action", "model", "content"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=6)),
    max_leaves=15,
)
bodies = st.fixed_dictionaries(
    {"status": st.one_of(st.sampled_from(["failed", "incomplete", "completed", "cancelled"]), scalars)},
    optional={
        "object": st.one_of(st.just("response"), values),
        "id": values,
        "error": st.one_of(st.dictionaries(keys, values, max_size=6), values),
        "incomplete_details": values,
        "usage": st.one_of(st.dictionaries(keys, values, max_size=4), values),
        "output": values,
        "model": values,
    },
)


def check(obj: Any) -> Outcome:
    """The outcome of `obj`, which must be one and must not contradict itself."""
    outcome = classify(obj)
    error = error_for(obj)
    assert isinstance(outcome, Outcome)
    assert outcome.retryable is (outcome.action in ("resubmit", "resubmit_later"))
    assert outcome.ok is (outcome.status == "completed" and outcome.phase == "terminal")
    assert (error is None) == (outcome.ok or outcome.phase == "pending")
    assert error is None or (isinstance(error, RunError) and error.outcome == outcome)
    assert isinstance(outcome.describe(), str)
    assert hash(outcome) == hash(classify(obj))
    return outcome


@pytest.mark.parametrize("depth", [50, 500, 5_000, 200_000])
def test_deep_values_and_huge_numbers(depth: int) -> None:
    """Values nested deeper than Python can print, and numbers longer than it will, give an outcome."""
    for value in (deep(depth), deep(depth, 10**5000), 10**5000):
        check(value)
        check({"object": value})
        check({"status": value})
        check({"type": "error", "code": value, "error": value})
        check({"type": "response.failed", "response": value})
        check({"status": "failed", "id": value, "model": value, "error": {"code": value, "headers": value}})
        check({"status": "failed", "error": value, "output": value, "usage": {"input_tokens": value}})
        check({"status": "incomplete", "incomplete_details": {"reason": value}})
    check("[" * depth + "]" * depth)
    check('{"status": "failed", "error": ' + "[" * depth + "]" * depth + "}")


@given(values)
def test_any_value_gives_an_outcome(value: Any) -> None:
    """Any JSON value, and worse, gives an outcome that does not contradict itself."""
    check(value)


@settings(max_examples=300)
@given(bodies)
def test_any_body_gives_an_outcome(body: dict[str, Any]) -> None:
    """Any body with a status gives an outcome; a failed run of this surface is terminal, and only "completed" is ok."""
    outcome = check(body)
    if body.get("object", "response") == "response" and body["status"] == "failed":
        assert outcome.phase == "terminal"
    if outcome.ok:
        assert body["status"] == "completed"


@given(bodies)
def test_any_model_gives_the_outcome_of_its_body(body: dict[str, Any]) -> None:
    """Any body gives the same outcome as an SDK model, which is made without validation, as the SDK does."""
    names = {name: value for name, value in body.items() if not isinstance(value, str) or value}
    model = sdk_model(names)
    assert check(model).phase == check(names).phase
    assert check(model).code == check(names).code or isinstance(names.get("error"), (dict, list))


@given(st.one_of(st.text(), st.binary(), st.text(alphabet=string.printable)))
@example("\ud800")
@example('{"status": "failed", "error": {"code": "\\ud800"}}')
@example(b'{"status": "failed", "id": 1' + b"0" * 5000 + b"}")
def test_any_text_gives_an_outcome(text: str | bytes) -> None:
    """Any text and any bytes give an outcome."""
    check(text)


@given(values)
def test_text_and_value_agree(value: Any) -> None:
    """The JSON text of an object gives the outcome of the object."""
    try:
        text = json.dumps(value)
    except ValueError:  # an int of more than 4300 digits
        return
    if isinstance(value, dict):
        assert check(text) == check(json.loads(text))


@given(st.dictionaries(st.text(alphabet=string.ascii_lowercase, max_size=8), values), st.booleans())
def test_any_object_gives_an_outcome(attributes: dict[str, Any], magic: bool) -> None:
    """Any object with attributes, also a mock, gives an outcome."""
    thing = MagicMock() if magic else type("Thing", (), {})()
    vars(thing).update(attributes)  # as arguments some of the names mean something else to a mock, or to a class
    check(thing)
