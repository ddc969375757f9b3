"""`is_retryable` and `retry_after`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import openai
import pytest
from hypothesis import given, strategies as st

from runoutcome import (
    Catalog,
    PollingLostError,
    RunError,
    RunGoneError,
    RunPendingError,
    RunRateLimitError,
    SubmissionUnknownError,
    WaitTimeoutError,
    action_for,
    classify,
    error_for,
    is_retryable,
    raise_for_status,
    retry_after,
)
from runoutcome._sdk.faults import retry_after_of

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

HttpError = Callable[..., Any]
OTHER_BODIES: list[dict[str, Any]] = [
    {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
    {"status": "cancelled"},
    {"status": "expired"},
    {"status": "hibernating"},
    {},
    {"object": "event", "type": "response.completed", "data": {"id": "resp_1"}},
    {"object": "event", "type": "response.cancelled", "data": {"id": "resp_1"}},
    {"type": "error", "code": "server_error"},
]


def failed(code: object, message: str | None = None) -> dict[str, Any]:
    """The body of a failed run."""
    return {"status": "failed", "id": "resp_1", "error": {"code": code, "message": message}}


def run_error(body: object) -> RunError:
    """The error for a body that is not completed."""
    error = error_for(body)
    assert error is not None
    return error


RETRYABLE_CODES = [
    "server_error",
    "rate_limit_exceeded",
    "slow_down",
    "vector_store_timeout",
    429,
    500,
    "503",
    408,
    409,
]
FINAL_CODES = ["insufficient_quota", "invalid_prompt", "image_file_not_found", "no_such_code", None, 400, 404, "402"]


def test_a_failed_run() -> None:
    """A failed run is retryable if its outcome says so, and not if its code is unknown."""
    assert [code for code in (*RETRYABLE_CODES, *FINAL_CODES) if is_retryable(run_error(failed(code)))] == (
        RETRYABLE_CODES
    )


def test_other_endings_are_not_retryable() -> None:
    """A body without a retryable failure is not retryable, an error event included."""
    assert [body for body in OTHER_BODIES if is_retryable(run_error(body))] == []


def test_pending_is_not_retryable() -> None:
    """A run that goes on is not retryable: a second one would be paid for too."""
    with pytest.raises(RunPendingError) as caught:
        raise_for_status({"status": "queued"})
    assert not is_retryable(caught.value)


def test_errors_of_waiting_are_not_retryable() -> None:
    """After an error of our own waiting or submitting the run may be going: never retryable, whatever was seen."""
    for cls in (WaitTimeoutError, PollingLostError, SubmissionUnknownError):
        assert not is_retryable(cls("m", outcome=classify(failed("server_error"))))
        assert cls.retryable is False


def test_a_gone_run_is_not_retryable(http_error: HttpError) -> None:
    """A gone run may have completed, so it is never retryable, also if the 404 says otherwise."""
    cause = http_error(404, {"code": "not_found"}, {"x-should-retry": "true"})
    assert is_retryable(cause)
    assert not is_retryable(RunGoneError.of(cause, "resp_1", None))
    assert not is_retryable(RunGoneError("m", response=cause.response, body=cause.body))


def test_foreign_errors_are_not_retryable() -> None:
    """An error that is neither a run error nor an HTTP error of the SDK is not retryable."""
    errors = [
        TimeoutError(),
        asyncio.TimeoutError(),
        OSError("x"),
        ConnectionResetError(),
        ValueError("x"),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        openai.OpenAIError("x"),
        openai.ContentFilterFinishReasonError(),
    ]
    assert [error for error in errors if is_retryable(error)] == []


def test_connection_errors_are_retryable(http: Any) -> None:
    """The SDK's connection errors, timeouts included, are retryable, as for the SDK itself."""
    request = http.Request("GET", "https://api.example.test/v1")
    assert is_retryable(openai.APIConnectionError(request=request))
    assert is_retryable(openai.APITimeoutError(request=request))


def test_a_bare_api_error_is_not_retryable(http: Any) -> None:
    """A bare `APIError` and a validation error are not retryable."""
    request = http.Request("GET", "https://api.example.test/v1")
    assert not is_retryable(openai.APIError("m", request, body={"code": "server_error"}))
    response = http.Response(200, request=request)
    assert not is_retryable(openai.APIResponseValidationError(response, None))


@pytest.mark.parametrize("should_retry", [None, "true", "false", "TRUE", "maybe"])
def test_http_errors_go_by_the_sdks_rule(http_error: HttpError, answering: Any, should_retry: str | None) -> None:
    """A real HTTP error is retryable exactly if the installed SDK would send the request again."""
    client, headers = answering(None), {"x-should-retry": should_retry} if should_retry else {}
    for status in (400, 401, 403, 404, 418, 422, 408, 409, 429, 500, 502, 503, 529):
        error = http_error(status, {"message": "m"}, headers)
        by_status = status in (408, 409, 429) or status >= 500
        assert is_retryable(error) is {"true": True, "false": False}.get(should_retry or "", by_status)
        assert is_retryable(error) is client._should_retry(error.response)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "insufficient_quota"},
        {"type": "insufficient_quota"},
        {"code": "credit_balance_exhausted", "message": "m"},
        {"code": "billing_not_active"},
        {"message": "You exceeded your current quota, please check your plan and billing details."},
        {"code": "rate_limit_exceeded", "message": "You exceeded your current quota, please check your plan."},
    ],
    ids=lambda error: next(iter(error.items()))[1][:30],
)
def test_quota_is_not_retryable(http_error: HttpError, error: object) -> None:
    """An HTTP error about quota or billing is not retryable, whatever its status and headers say."""
    for status in (429, 503):
        assert not is_retryable(http_error(status, error))
        assert not is_retryable(http_error(status, error, {"x-should-retry": "true"}))


QUOTA = {"code": "insufficient_quota", "message": "m"}
NESTED: list[object] = [
    "insufficient_quota",
    {"error": QUOTA},
    {"detail": {"error": QUOTA}},
    {"detail": "You exceeded your current quota, please check your plan and billing details."},
    {"code": 429, "message": "m", "metadata": {"raw": json.dumps({"error": {"code": "insufficient_quota"}})}},
    {"code": 429, "message": "m", "metadata": {"raw": {"error": {"message": "m", "type": "insufficient_quota"}}}},
    {"code": 429, "message": "m", "metadata": {"raw": "You exceeded your current quota, please check your plan."}},
]


@pytest.mark.parametrize("error", NESTED, ids=json.dumps)
def test_quota_of_any_shape_is_not_retryable(http_error: HttpError, error: object) -> None:
    """The retry advice reads an HTTP error as deep as the action does."""
    for headers in ({}, {"x-should-retry": "true"}):
        assert action_for(http_error(429, error, headers)) == "fix_account"
        assert not is_retryable(http_error(429, error, headers))


def test_retry_advice_and_action_agree(http_error: HttpError) -> None:
    """An HTTP error whose code or message takes the resubmit action away is not retryable, whatever the headers say."""
    codes = [row.value for row in Catalog.load().entries if row.field == "error.code" and row.match == "literal"]
    shapes: list[object] = [{"code": code, "message": "m"} for code in codes]
    shapes += [{"error": {"code": code}} for code in codes]
    shapes += [{"code": "server_error", "type": code, "message": "m"} for code in codes]
    shapes += [
        {"message": message} for message in ("Request too large", "exceeds the context window", "out of credits")
    ]
    for error in [*shapes, *NESTED]:
        answer = http_error(500, error, {"x-should-retry": "true"})
        assert is_retryable(answer) is action_for(answer).startswith("resubmit"), error


def test_http_errors_with_odd_bodies(http_error: HttpError) -> None:
    """An HTTP error whose body is of another shape, or whose code is no text, goes by its status."""
    codes: tuple[object, ...] = (429, 400, 1.5, True, ["a"], {"a": 1})
    bodies: tuple[object, ...] = (None, "boom", [], 5, {}, {"message": 5, "type": ["x"]}, "<html>")
    for error in (*bodies, *({"code": code, "message": "m"} for code in codes)):
        assert is_retryable(http_error(503, error))
        assert not is_retryable(http_error(400, error))


def test_groups() -> None:
    """A group is retryable only if all its members are, however deep."""
    good, bad = run_error(failed("server_error")), run_error(failed("invalid_prompt"))
    assert is_retryable(ExceptionGroup("g", [good, ExceptionGroup("h", [good])]))
    assert not is_retryable(ExceptionGroup("g", [good, ExceptionGroup("h", [good, bad])]))
    assert not is_retryable(ExceptionGroup("g", [good, WaitTimeoutError("m")]))
    assert not is_retryable(BaseExceptionGroup("g", [good, KeyboardInterrupt()]))


def test_retry_after_of_a_run() -> None:
    """A run error's delay is that of its outcome."""
    assert retry_after(run_error(failed("rate_limit_exceeded", "Please try again in 2.5s"))) == 2.5
    assert retry_after(run_error(failed("server_error"))) is None


def test_retry_after_of_a_run_agrees_with_its_synthetic_response() -> None:
    """The headers of the synthetic response name the same delay."""
    error = run_error(failed("rate_limit_exceeded", "Please try again in 2.512s"))
    assert isinstance(error, RunRateLimitError)
    assert retry_after_of(error.response.headers) == pytest.approx(2.512)


DELAYS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"Retry-After": "7"}, 7.0),
    ({"retry-after": "7.5"}, 7.5),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after": "-5"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ({"retry-after": "Wed, 99 Foo 2015 77:28:00 GMT"}, None),
    ({"retry-after": "Wed, 21 Oct 99999 07:28:00 GMT"}, None),
]


def test_retry_after_of_an_http_error(http_error: HttpError) -> None:
    """An HTTP error's delay is read from its headers: milliseconds, seconds, or a date, which may have passed."""
    for headers, seconds in DELAYS:
        assert (headers, retry_after(http_error(503, {"message": "m"}, headers))) == (headers, seconds)


def test_retry_after_of_a_date(http_error: HttpError, monkeypatch: pytest.MonkeyPatch) -> None:
    """A date to come is counted from now."""
    monkeypatch.setattr(time, "time", lambda: 1_760_000_000.0)
    headers = {"retry-after": formatdate(1_760_000_090, usegmt=True)}
    assert retry_after(http_error(503, {"message": "m"}, headers)) == 90.0


@given(st.text(max_size=40), st.one_of(st.none(), st.text(max_size=10)))
def test_any_header_gives_a_sane_delay_or_none(value: str, milliseconds: str | None) -> None:
    """Whatever the headers hold, the delay is None or not negative."""
    headers = {"retry-after": value} | ({"retry-after-ms": milliseconds} if milliseconds is not None else {})
    seconds = retry_after_of(headers)
    assert seconds is None or seconds >= 0


@given(st.lists(st.sampled_from(["Wed,", "21", "Oct", "2026", "07:28:00", "GMT", "+0000", "-9999", "0", ":", "99999"])))
def test_any_date_gives_a_sane_delay_or_none(words: list[str]) -> None:
    """Whatever a date is made of, the delay is None or not negative."""
    seconds = retry_after_of({"retry-after": " ".join(words)})
    assert seconds is None or seconds >= 0


def test_retry_after_of_a_group(http_error: HttpError) -> None:
    """A group's delay is the longest of its members', None if none has one."""
    short, long = run_error(failed("slow_down", "try again in 2s")), http_error(503, None, {"retry-after": "9"})
    assert retry_after(ExceptionGroup("g", [short, ExceptionGroup("h", [long, ValueError()])])) == 9.0
    assert retry_after(ExceptionGroup("g", [ValueError()])) is None


def test_retry_after_of_others() -> None:
    """Other errors have no delay."""
    for error in (ValueError(), TimeoutError(), WaitTimeoutError("m"), KeyboardInterrupt()):
        assert retry_after(error) is None
