"""Every surface but `response`, through the same functions: rows, models of the installed SDK, JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import openai
import pytest

from bodies import EXTRAS, RESPONSE_ID, event, http_response
from runoutcome import (
    Catalog,
    Entry,
    RunCancelledError,
    RunError,
    RunExpiredError,
    RunFailedError,
    RunPendingError,
    RunRateLimitError,
    RunUnknownError,
    classify,
    error_for,
    is_retryable,
    raise_for_status,
)
from surface_bodies import ROWS, SURFACES, body, body_of, failure, row, sdk_model

CARRIERS: dict[str, Callable[[Entry, dict[str, Any]], Any]] = {
    "dict": lambda _, body: body,
    "sdk_model": lambda entry, body: sdk_model(entry.surface, body),
    "json_line": lambda _, body: f"{json.dumps(body)}\n",
    "json_bytes": lambda _, body: json.dumps(body).encode(),
    "raw_http": lambda _, body: http_response(body),
}
FAILED_RUN = {**EXTRAS, "status": "failed", "error": {"code": "server_error", "message": "boom"}}


def is_deciding(entry: Entry) -> bool:
    """Whether the row decides about its own body: of `failed` and `incomplete`, the error or the reason decides."""
    place = Catalog.load().surfaces[entry.surface]
    is_reasoned = entry.value in place.decided_by and entry.error_type != "cancelled_error"
    return not (entry.field == "status" and is_reasoned)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("entry", [entry for entry in ROWS if is_deciding(entry)], ids=lambda entry: entry.id)
def test_every_row_decides_about_its_body(entry: Entry, carrier: str) -> None:
    """A body with a row's value has that row's verdict, whatever carried it, on the installed SDK."""
    obj = CARRIERS[carrier](entry, body_of(entry))
    if obj is None:
        pytest.skip("this SDK has no model of it")
    outcome = classify(obj)
    assert outcome.entry is not None
    assert outcome.entry.id == entry.id
    assert (outcome.surface, outcome.error_class, outcome.error_type) == (
        entry.surface,
        entry.error_class,
        entry.error_type,
    )
    assert (outcome.retryable, outcome.action, outcome.known) == (entry.retryable, entry.action, True)
    assert replace(classify(body_of(entry)), entry=None) == replace(outcome, entry=None)


@pytest.mark.parametrize("surface", [name for name in SURFACES if name != "batch.output_row"])
def test_statuses_have_the_phase_of_their_surface(surface: str) -> None:
    """Each status is pending or terminal as its surface says; completed ones are returned, the others raise."""
    place = Catalog.load().surfaces[surface]
    for status in place.pending:
        assert classify(body(surface, status)).phase == "pending"
        with pytest.raises(RunPendingError):
            raise_for_status(body(surface, status))
    for status in place.terminal:
        outcome = classify(body(surface, status))
        assert (outcome.phase, outcome.ok) == ("terminal", status in place.completed)
    for status in place.completed:
        obj = sdk_model(surface, body(surface, status)) or body(surface, status)
        assert raise_for_status(obj) is obj
    assert classify(body(surface, "a_word_nobody_knows")).phase == "unknown"
    with pytest.raises(RunUnknownError):
        raise_for_status(body(surface, "a_word_nobody_knows"))


@pytest.mark.parametrize("surface", [name for name in SURFACES if name not in ("vector_store.file_batch",)])
def test_a_failure_code_of_responses_means_the_same_everywhere(surface: str) -> None:
    """A code without a row on its own surface is decided by the row of `response`, and is known."""
    if surface == "batch.output_row":
        obj = row(error={"code": "insufficient_quota", "message": "m"})
    else:
        obj = failure(surface, "insufficient_quota")
    error = error_for(obj)
    assert isinstance(error, openai.RateLimitError)
    assert (error.retryable, error.action, error.outcome.known) == (False, "fix_account", True)


@pytest.mark.parametrize("surface", [name for name in SURFACES if name not in ("vector_store.file_batch",)])
@pytest.mark.parametrize("code", ["a_word_nobody_knows", None])
def test_an_unknown_failure_is_never_retryable(surface: str, code: str | None) -> None:
    """An unknown or missing code is a bare APIError everywhere, and says what the server said."""
    if surface == "batch.output_row":
        obj = row(error={"code": code, "message": "the words"})
    else:
        obj = failure(surface, code, "the words")
    error = error_for(obj)
    assert type(error) is RunFailedError
    assert (error.retryable, error.outcome.known, error.code) == (False, False, code)
    assert "the words" in str(error)


@pytest.mark.parametrize(
    "surface", ["batch", "fine_tuning.job", "vector_store.file", "eval.run", "video", "thread.run"]
)
def test_a_failure_without_an_error(surface: str) -> None:
    """`failed` with a null error is a failure of an unknown kind."""
    error = error_for(body(surface, "failed"))
    assert type(error) is RunFailedError
    assert not error.retryable


def test_the_message_rules_hold_on_every_surface() -> None:
    """Quota wording makes a failure a matter of the account on any surface."""
    words = "Billing hard limit has been reached"
    for obj in (failure("fine_tuning.job", None, words), failure("batch", "a_word_nobody_knows", words)):
        outcome = classify(obj)
        assert (outcome.retryable, outcome.action) == (False, "fix_account"), outcome


# --- batches -------------------------------------------------------------------------------------------------------


def test_the_first_pointless_error_of_a_batch_decides() -> None:
    """A batch with several errors is retryable only if all of them are; the one that is not is told."""
    errors = [
        {"code": "rate_limit_exceeded", "message": "slow", "line": None},
        {"code": "insufficient_quota", "message": "no money", "line": 4},
        {"code": "a_word_nobody_knows", "message": "odd", "line": 5},
    ]
    batch = body("batch", "failed", ("errors", {"object": "list", "data": errors}))
    outcome = classify(batch)
    assert (outcome.code, outcome.message, outcome.retryable) == ("insufficient_quota", "no money", False)
    batch["errors"]["data"] = errors[:1]
    assert classify(batch).retryable
    error = error_for(sdk_model("batch", batch))
    assert isinstance(error, RunRateLimitError)
    assert error.body["message"] == "slow"


@pytest.mark.parametrize("errors", [None, {}, {"data": []}, {"data": None}, {"data": "x"}, [], "x", 5])
def test_odd_lists_of_errors(errors: Any) -> None:
    """A failed batch without a readable list of errors is a failure of an unknown kind, and nothing raises."""
    outcome = classify(body("batch", "failed", ("errors", errors)))
    assert (outcome.phase, outcome.status, outcome.retryable, outcome.known) == ("terminal", "failed", False, False)


def test_counts_are_told() -> None:
    """A job of many parts says how many ended in which way; its own status decides."""
    outcome = classify(sdk_model("batch", body("batch", "completed")) or body("batch", "completed"))
    assert (outcome.ok, outcome.counts) == (True, {"total": 3, "completed": 2, "failed": 1})
    outcome = classify(body("vector_store.file_batch", "completed"))
    assert outcome.ok
    assert outcome.counts is not None
    assert outcome.counts["failed"] == 2
    assert classify(body("eval.run", "completed")).to_dict()["counts"]["errored"] == 1


def test_an_expired_batch_is_not_submitted_again_whole() -> None:
    """The finished part of an expired batch is paid for: it is not retryable, and is told to go on with the rest."""
    error = error_for(body("batch", "expired"))
    assert isinstance(error, RunExpiredError)
    assert (error.retryable, error.action) == (False, "continue")
    assert error.outcome.has_output


# --- rows of a batch's output --------------------------------------------------------------------------------------


def test_a_run_inside_a_row_is_judged_like_any_other() -> None:
    """A failed run in a 200 row has the outcome, and the exception the body, of the run itself."""
    obj = row(200, FAILED_RUN)
    assert classify(obj) == classify(FAILED_RUN)
    error = error_for(json.dumps(obj))
    assert isinstance(error, openai.InternalServerError)
    assert (error.response_id, error.request_id, error.poll_status_code) == (RESPONSE_ID, "req_1", None)
    assert error.run == FAILED_RUN


@pytest.mark.parametrize("status", ["completed", "queued", "incomplete", "odd"])
def test_a_run_inside_a_row_has_its_own_phase(status: str) -> None:
    """A run in a row that is completed, pending, incomplete or odd is just that."""
    inner = {**EXTRAS, "status": status}
    assert classify(row(200, inner)) == classify(inner)


@pytest.mark.parametrize(
    ("status_code", "sdk_class", "retryable"),
    [
        (400, openai.BadRequestError, False),
        (401, openai.AuthenticationError, False),
        (403, openai.PermissionDeniedError, False),
        (404, openai.NotFoundError, False),
        (408, openai.APIStatusError, True),
        (409, openai.ConflictError, True),
        (413, openai.APIStatusError, False),
        (422, openai.UnprocessableEntityError, False),
        (429, openai.RateLimitError, True),
        (500, openai.InternalServerError, True),
        (503, openai.InternalServerError, True),
    ],
)
@pytest.mark.parametrize("inner", [{"error": {"message": "m"}}, {"error": "m"}, "<html>", None, {}, {"detail": "m"}])
def test_an_http_error_in_a_row_is_what_the_sdk_raises_for_it(
    status_code: int, sdk_class: type[openai.APIStatusError], retryable: bool, inner: Any
) -> None:
    """An HTTP error inside a row, whatever its body, is the class that the SDK raises for that status."""
    error = error_for(row(status_code, inner))
    assert isinstance(error, sdk_class)
    assert (error.status_code, error.retryable, error.outcome.known) == (status_code, retryable, False)
    assert error.response.status_code == status_code
    assert error.request_id == "req_1"


def test_a_known_code_in_an_http_error_says_what_to_do() -> None:
    """The HTTP status gives the class, the code what may be done: a 429 for want of money is not retryable."""
    error = error_for(row(429, {"error": {"code": "insufficient_quota", "message": "m", "type": "x"}}))
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, error.type, error.retryable, error.action) == ("insufficient_quota", "x", False, "fix_account")
    odd = error_for(row(500, {"error": {"code": "rate_limit_exceeded", "message": "m"}}))
    assert isinstance(odd, openai.InternalServerError)
    assert (odd.status_code, odd.retryable, odd.outcome.known) == (500, True, True)
    typed = classify(row(429, {"error": {"message": "m", "type": "insufficient_quota"}}))
    assert (typed.retryable, typed.action) == (False, "fix_account")


def test_an_expired_row_may_be_submitted_again() -> None:
    """A row that the batch had no time for was never run: it is expired, and retryable."""
    error = error_for(row(error={"code": "batch_expired", "message": "m"}))
    assert isinstance(error, RunExpiredError)
    assert error.outcome.status == "failed"
    assert is_retryable(error)


@pytest.mark.parametrize(
    "inner", [{"object": "chat.completion", "usage": {"prompt_tokens": 3}}, {"object": "list", "data": []}, {"id": "m"}]
)
def test_the_answer_of_another_endpoint_is_completed(inner: dict[str, Any]) -> None:
    """A 200 row with the answer of a synchronous endpoint is completed."""
    outcome = classify(row(200, inner))
    assert (outcome.ok, outcome.surface, outcome.has_output) == (True, "batch.output_row", True)
    assert (outcome.usage or {}).get("input_tokens") == inner.get("usage", {}).get("prompt_tokens")


@pytest.mark.parametrize(
    "obj", [row(200, None), row(200, ""), row(200, {}), row(200, []), row(302, {"a": 1}), row(99, {"a": 1})]
)
def test_a_row_that_proves_nothing_is_unknown(obj: dict[str, Any]) -> None:
    """A row without an answer that says something is unknown, never completed."""
    outcome = classify(obj)
    assert (outcome.phase, outcome.ok, outcome.retryable) == ("unknown", False, False)
    assert isinstance(error_for(obj), RunUnknownError)


@pytest.mark.parametrize("code", ["429", 429.0, True, None])
def test_an_odd_status_code_is_no_status_code(code: Any) -> None:
    """A status code that is no whole number is not taken for one."""
    obj = {"custom_id": "a", "response": {"status_code": code, "body": {"error": {"code": "server_error"}}}}
    assert classify(obj).code == "server_error"
    assert classify({"custom_id": "a", "response": {"status_code": code, "body": {"x": 1}}}).phase == "unknown"


def test_an_error_inside_a_200_row() -> None:
    """A gateway's 200 with an error inside is that error."""
    outcome = classify(row(200, {"error": {"code": "server_error", "message": "m"}}))
    assert (outcome.phase, outcome.code, outcome.retryable) == ("terminal", "server_error", True)


def test_rows_of_other_servers() -> None:
    """A body that is JSON in a text, an error that is a text, and a code beside it: other servers write these."""
    assert classify(row(200, json.dumps(FAILED_RUN))) == classify(FAILED_RUN)
    assert classify(row(200, '{"object": "chat.completion"}')).ok
    assert classify(row(400, None, "vLLM says no")).message == "vLLM says no"
    outcome = classify(row(429, {"code": "insufficient_quota", "error": "out of money"}))
    assert (outcome.code, outcome.message, outcome.retryable) == ("insufficient_quota", "out of money", False)


def test_a_line_of_the_input_file_is_no_row_of_the_output() -> None:
    """A request line has a `custom_id`, too, and says nothing about an outcome."""
    assert classify({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {}}).phase == "unknown"


def test_the_surface_can_be_named() -> None:
    """A row without its `custom_id`, and a body without its `object`, are judged by the surface that is named."""
    nameless = {"response": {"status_code": 503, "body": None}}
    assert classify(nameless, surface="batch.output_row").status_code == 503
    assert classify(json.dumps(nameless), surface="batch.output_row").status_code == 503
    assert classify({"status": "succeeded"}, surface="fine_tuning.job").ok
    assert not classify({"status": "succeeded"}).ok
    assert classify(row(503), surface="batch").status_code == 503


# --- the others ----------------------------------------------------------------------------------------------------


def test_a_file_batch_has_two_names() -> None:
    """The name in the API's documentation and the one in its bodies are the same surface."""
    for name in ("vector_store.files_batch", "vector_store.file_batch"):
        assert classify({"object": name, "status": "completed"}).surface == "vector_store.file_batch"


@pytest.mark.parametrize("spelling", ["canceled", "cancelled"])
def test_both_spellings_of_a_cancelled_eval_run(spelling: str) -> None:
    """A cancelled eval run is cancelled in either spelling, and accepted as such."""
    obj = body("eval.run", spelling)
    assert isinstance(error_for(obj), RunCancelledError)
    assert raise_for_status(obj, accept="cancelled") is obj


@pytest.mark.parametrize(("reason", "known"), [(None, True), ("turn_detected", True), ("a_word_nobody_knows", False)])
def test_a_cancelled_realtime_response(reason: str | None, known: bool) -> None:
    """A cancelled realtime response is cancelled, whatever its reason."""
    obj = body("realtime.response", "cancelled", ("status_details", {"type": "cancelled", "reason": reason}))
    outcome = classify(obj)
    assert (outcome.error_type, outcome.known, outcome.reason) == ("cancelled_error", known, reason)
    assert isinstance(error_for(sdk_model("realtime.response", obj) or obj), RunCancelledError)


def test_a_realtime_event_brings_its_response() -> None:
    """The event `response.done` of a realtime session is judged by the response in it."""
    inner = body("realtime.response", "incomplete", ("status_details.reason", "content_filter"))
    outcome = classify({"type": "response.done", "event_id": "event_1", "response": inner})
    assert (outcome.surface, outcome.error_type) == ("realtime.response", "content_filter_error")
    assert isinstance(error_for(inner), openai.ContentFilterFinishReasonError)


def test_a_thread_run_that_waits_for_us() -> None:
    """A run that requires an action is pending, and is told to go on, not to wait."""
    outcome = classify(body("thread.run", "requires_action"))
    assert (outcome.phase, outcome.action) == ("pending", "continue")


def test_headers_in_a_videos_error() -> None:
    """A video's error may hold the HTTP headers of the attempt: their delay counts."""
    obj = body("video", "failed", ("error", {"code": "rate_limit_exceeded", "headers": {"Retry-After": "7"}}))
    assert classify(obj).retry_after == 7.0


@pytest.mark.parametrize(
    ("kind", "status"),
    [("batch.expired", "expired"), ("fine_tuning.job.succeeded", "succeeded"), ("eval.run.failed", "failed")],
)
def test_a_webhook_is_a_notice_on_every_surface(kind: str, status: str) -> None:
    """A webhook gives status and id, and proves nothing: fetch the object by its id."""
    outcome = classify({"object": "event", "id": "evt_1", "type": kind, "data": {"id": "x_1"}})
    assert (outcome.phase, outcome.status, outcome.response_id, outcome.ok) == ("unknown", status, "x_1", False)


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.id)
def test_errors_of_every_surface_travel(entry: Entry) -> None:
    """The exception of any surface arrives from a pickle with its type, its row and its advice."""
    import pickle

    error = error_for(body_of(entry))
    if error is None:
        return
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert isinstance(arrived, RunError)
    assert (arrived.surface, arrived.outcome.entry, arrived.retryable) == (
        error.surface,
        error.outcome.entry,
        error.retryable,
    )
    assert len(pickle.dumps(error)) < 2048


def test_a_response_event_is_untouched_by_the_others(catalog: Catalog) -> None:
    """Stream events of responses are read as before."""
    assert classify(event(FAILED_RUN), catalog=catalog) == classify(FAILED_RUN)
