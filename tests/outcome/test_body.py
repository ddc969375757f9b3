"""What is read from an object, before anything is decided."""

from __future__ import annotations

import json
from collections import UserDict
from types import SimpleNamespace
from typing import Any

import pytest

from bodies import CARRIERS, RESPONSE_ID, ROWS, body_of, short
from runoutcome import Catalog
from runoutcome._catalog.lookup import Claim, Failure
from runoutcome._outcome.body import Reading, look, read, read_failure, read_usage, word

FAILED = body_of(Catalog.load().find("server_error")[0])


class Raising:
    """An object that has a `code` which cannot be read."""

    @property
    def code(self) -> str:
        """Raises."""
        raise RuntimeError("no")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_run_is_read_from_every_carrier(carrier: str) -> None:
    """A body is a run with its status, error and id, whatever carried it."""
    reading = read(CARRIERS[carrier](FAILED))
    assert (reading.kind, reading.object, reading.status) == ("run", "response", "failed")
    assert (look(reading.error, "code"), reading.response_id) == ("server_error", RESPONSE_ID)


@pytest.mark.parametrize("obj", [UserDict(FAILED), SimpleNamespace(**FAILED)], ids=["mapping", "attributes"])
def test_a_run_is_read_from_foreign_types(obj: object) -> None:
    """A mapping of any type, and any object with the API's field names, is read like a dict."""
    assert read(obj).status == "failed"


@pytest.mark.parametrize(
    ("obj", "kind"),
    [
        (None, "none"),
        (5, "none"),
        ([], "none"),
        ({}, "none"),
        ([FAILED], "none"),
        ("", "none"),
        (b"\xff\xfe", "none"),
        ("<html>502</html>", "none"),
        ('{"status": "fail', "none"),
        ("[]", "none"),
        ('"failed"', "none"),
        ({"error": None}, "none"),
        ({"error": "text"}, "none"),
        ({"error": {}}, "none"),
        ({"type": "response.output_text.delta", "delta": "x"}, "none"),
        ({"type": "batch.completed", "data": {"id": "batch_1"}}, "notice"),
        ({"status": "failed"}, "run"),
        ({"object": "response"}, "run"),
        ({"object": "batch", "status": "completed"}, "run"),
        ({"error": {"message": "m"}}, "event"),
        ({"type": "error", "code": "server_error"}, "event"),
        ({"type": "error", "error": {"code": "server_error"}}, "event"),
        ({"type": "response.failed", "data": {"id": "resp_1"}}, "notice"),
    ],
    ids=short,
)
def test_kind(obj: object, kind: str) -> None:
    """A run's body, an error without one, a notice, and everything else are told apart."""
    assert read(obj).kind == kind


def test_a_notice_gives_status_and_id() -> None:
    """A webhook is read for the status in its type and the id in its data, never as a body."""
    webhook = {"object": "event", "id": "evt_1", "type": "response.cancelled", "data": {"id": "resp_1"}}
    assert read(webhook) == Reading("notice", status="cancelled", response_id="resp_1")


def test_an_event_without_status_takes_that_of_its_type() -> None:
    """A stream event whose run has no status of its own takes it from its type."""
    reading = read({"type": "response.failed", "response": {"id": "resp_1"}})
    assert (reading.kind, reading.status) == ("run", "failed")


def test_a_runs_own_status_beats_that_of_the_event() -> None:
    """A cancelled stream may end in `response.failed`: the run's own status counts."""
    assert read({"type": "response.failed", "response": {"status": "cancelled"}}).status == "cancelled"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_bytes_of_any_encoding(encoding: str) -> None:
    """JSON bytes are read in every encoding that JSON allows."""
    assert read(json.dumps(FAILED).encode(encoding)).status == "failed"


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (None, Failure(is_null=True)),
        ("boom", Failure(message="boom")),
        ("", Failure()),
        ({}, Failure()),
        ([], Failure()),
        (5, Failure()),
        ({"code": "c", "message": "m", "param": "p", "type": "t"}, Failure("c", "m", "t", "p")),
        ({"code": "", "message": ""}, Failure()),
        ({"code": 429}, Failure("429")),
        ({"code": 429.0}, Failure("429.0")),
        ({"code": True}, Failure("true")),
        ({"code": ["a"]}, Failure('["a"]')),
        ({"code": {}}, Failure("{}")),
        ({"type": "error", "code": "c"}, Failure("c")),
        ({"retryable": True, "action": "resubmit"}, Failure()),
        ({"outcome": {"type": "rate_limit_error", "retryable": True}}, Failure()),
        ({"outcome": {"type": "odd", "catalog": "1.2.0"}}, Failure()),
        ({"outcome": {"type": "rate_limit_error", "catalog": "1"}}, Failure(claim=Claim("rate_limit_error"))),
        (
            {"outcome": {"type": "conflict_error", "retryable": 1, "retry_after_ms": 50, "action": 5, "catalog": "1"}},
            Failure(claim=Claim("conflict_error", retryable=False, action="5", retry_after=0.05)),
        ),
        (SimpleNamespace(code="c", message=None), Failure("c")),
    ],
    ids=short,
)
def test_failure(error: object, failure: Failure) -> None:
    """An error object of any type gives its words as text, and empty ones as None."""
    assert read_failure(error) == failure


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), ("", None), ("x", "x"), (0, "0"), (10**5000, "<int>"), (b"x", "b'x'")],
    ids=["none", "empty", "text", "zero", "huge", "bytes"],
)
def test_word(value: object, text: str | None) -> None:
    """A value as text: None for null and the empty string, a placeholder for an int that Python will not print."""
    assert word(value) == text


def test_word_of_a_text_subclass_is_plain() -> None:
    """A subclass of str becomes a plain str, so that nothing foreign gets into an outcome."""
    text = word(type("Text", (str,), {})("x"))
    assert type(text) is str


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (None, None),
        ({}, None),
        ("many", None),
        ({"input_tokens": 3}, {"input_tokens": 3}),
        ({"input_tokens": True, "output_tokens": "7", "total_tokens": 1.5}, None),
        ({"input_tokens_details": {"cached_tokens": 2}}, {"cached_tokens": 2}),
        ({"input_tokens": 0, "output_tokens_details": None}, {"input_tokens": 0}),
        (
            SimpleNamespace(input_tokens=1, output_tokens_details=SimpleNamespace(reasoning_tokens=4)),
            {"input_tokens": 1, "reasoning_tokens": 4},
        ),
    ],
    ids=short,
)
def test_usage(usage: object, counts: dict[str, int] | None) -> None:
    """Usage is flat, and holds only the counts that are whole numbers."""
    assert read_usage(usage) == counts


def test_looking_raises_nothing() -> None:
    """A missing name is None, and so is an attribute of a foreign object that raises."""
    assert look(object(), "code") is None
    assert look(Raising(), "code") is None


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.id)
def test_bodies_of_rows_are_runs(entry: Any) -> None:
    """The bodies that these tests make from rows are read as runs."""
    assert read(body_of(entry)).kind == "run"
