"""How the answer to a poll is read: to the status while the run is pending, whole once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bodies import EXTRAS, http_response
from runoutcome import Catalog, classify
from runoutcome._operations.observation import NoRunBodyError, observe_answer
from runoutcome._sdk.faults import read_fault
from runoutcome._sdk.responses import Answer, native_http_library

CATALOG = Catalog.load()


def answer(content: bytes, **headers: str) -> Answer:
    """The answer to a poll with this body."""
    return Answer(content, 200, {"x-request-id": "req_1", **headers}, "https://api.example.test", native_http_library())


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_of_a_pending_body_only_the_status_is_read(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pending body is not parsed beyond its status, and has the outcome that parsing it has."""
    body = {**EXTRAS, "status": status, "output": [{"type": "reasoning"}] * 500}
    content = json.dumps({"id": body["id"], "object": "response", "status": status, **body}).encode()
    whole = classify(content)
    monkeypatch.setattr(json, "loads", None)
    seen = observe_answer(answer(content, **{"openai-poll-after-ms": "1500"}), CATALOG)
    assert seen.outcome == whole
    assert (seen.hint_seconds, seen.origin.request_id, seen.origin.poll_status_code) == (1.5, "req_1", 200)


@pytest.mark.parametrize("changes", [{"object": "batch"}, {"id": 5}, {"id": None}, {"status": None}, {"status": 7}])
def test_a_head_that_is_no_runs_is_read_whole(changes: dict[str, Any]) -> None:
    """A head without the id, object or status of a run is judged like any other body."""
    body = {"id": "resp_1", "object": "response", "status": "queued", **changes}
    if "status" in changes:
        assert observe_answer(answer(json.dumps(body).encode()), CATALOG).outcome.phase == "unknown"
        return
    with pytest.raises(NoRunBodyError):
        observe_answer(answer(json.dumps(body).encode()), CATALOG)


def test_a_terminal_body_is_read_whole() -> None:
    """The answer that ends a run is read whole, and made the SDK's model."""
    body = {"id": "resp_1", "object": "response", "status": "completed", "output": [], "model": "m"}
    seen = observe_answer(answer(json.dumps(body).encode()), CATALOG)
    assert (seen.outcome, seen.unread) == (classify(body), None)
    assert (type(seen.origin.run).__name__, seen.origin.run.model) == ("Response", "m")


def test_the_carrier_of_these_tests_is_an_answer() -> None:
    """The same body as a raw HTTP response has the same outcome."""
    body = {**EXTRAS, "status": "queued"}
    assert classify(http_response(body)) == observe_answer(answer(json.dumps(body).encode()), CATALOG).outcome


def test_an_error_in_a_run_that_goes_on_is_told() -> None:
    """A pending body with an error is pending, and its outcome has the error's code and message."""
    body = {
        "id": "resp_1",
        "object": "response",
        "status": "in_progress",
        "error": {"code": "slow_down", "message": "m"},
    }
    outcome = observe_answer(answer(json.dumps(body).encode()), CATALOG).outcome
    assert (outcome.phase, outcome.action, outcome.code, outcome.message) == ("pending", "wait", "slow_down", "m")


def test_an_error_in_place_of_a_run_keeps_its_words() -> None:
    """An error envelope under 200 is no run body; the fault has the server's own code and message."""
    content = json.dumps({"error": {"code": "server_error", "message": "No GPU."}}).encode()
    with pytest.raises(NoRunBodyError, match=r"an error in place of the run \(server_error: No GPU\.\)") as caught:
        observe_answer(answer(content), CATALOG)
    assert read_fault(caught.value).words == {"code": "server_error", "message": "No GPU."}
