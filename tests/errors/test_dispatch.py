"""`error_for`, `raise_for_status`, `is_retryable` and `retry_after`."""

from __future__ import annotations

import asyncio
import copy
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from hypothesis import given, strategies as st

from bodies import CARRIERS, ROWS, body_of, sdk_model, short
from runoutcome import (
    Entry,
    Outcome,
    PollingLostError,
    RunCancelledError,
    RunContentFilterError,
    RunError,
    RunExpiredError,
    RunFailedError,
    RunGoneError,
    RunIncompleteError,
    RunPendingError,
    RunRateLimitError,
    RunStatusError,
    RunUnknownError,
    SubmissionUnknownError,
    WaitTimeoutError,
    classify,
    error_for,
    is_retryable,
    raise_for_status,
    retry_after,
)
from runoutcome._errors.raising import ACCEPTED, class_for, parse_accept, retry_after_of

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

HttpError = Callable[..., Any]
BODIES: dict[str, dict[str, Any]] = {
    "completed": {"status": "completed"},
    "queued": {"status": "queued"},
    "in_progress": {"status": "in_progress"},
    "failed": {"status": "failed", "error": {"code": "server_error"}},
    "incomplete": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    "content_filter": {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
    "cancelled": {"status": "cancelled"},
    "expired": {"status": "expired"},
    "unknown": {"status": "hibernating"},
    "nothing": {},
    "webhook": {"object": "event", "type": "response.completed", "data": {"id": "resp_1"}},
    "cancelled_webhook": {"object": "event", "type": "response.cancelled", "data": {"id": "resp_1"}},
    "error_event": {"type": "error", "code": "server_error"},
}
CLASSES: dict[str, type[RunError] | None] = {
    "completed": None,
    "queued": RunPendingError,
    "in_progress": RunPendingError,
    "failed": RunStatusError,
    "incomplete": RunIncompleteError,
    "content_filter": RunContentFilterError,
    "cancelled": RunCancelledError,
    "expired": RunExpiredError,
    "unknown": RunUnknownError,
    "nothing": RunUnknownError,
    "webhook": RunUnknownError,
    "cancelled_webhook": RunUnknownError,
    "error_event": RunUnknownError,
}
# Word -> the bodies that it makes acceptable.
ACCEPTS = {
    "incomplete": {"incomplete", "content_filter"},
    "cancelled": {"cancelled"},
    "pending": {"queued", "in_progress"},
}


def failed(code: object, message: str | None = None, **error: Any) -> dict[str, Any]:
    """The body of a failed run."""
    return {"status": "failed", "id": "resp_1", "error": {"code": code, "message": message, **error}}


def run_error(body: object) -> RunError:
    """The error for a body that is not completed."""
    error = error_for(body)
    assert error is not None
    return error


# --- error_for and raise_for_status --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
def test_class(name: str) -> None:
    """Each kind of body raises its class; `error_for` gives the same, but None for what is completed or pending."""
    expected = CLASSES[name]
    error = error_for(BODIES[name])
    if expected is None:
        assert raise_for_status(BODIES[name]) is BODIES[name]
        assert error is None
        return
    with pytest.raises(expected) as caught:
        raise_for_status(BODIES[name])
    assert error is None if expected is RunPendingError else type(error) is type(caught.value)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_completed_run_is_given_back_as_it_is(carrier: str) -> None:
    """What is returned is the very object that was handed in, whatever carried the run."""
    obj = CARRIERS[carrier](body_of(next(row for row in ROWS if row.value == "completed")))
    assert raise_for_status(obj) is obj
    assert error_for(obj) is None


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.id)
def test_what_is_returned_is_completed(entry: Entry) -> None:
    """Of all rows only the completed one is returned."""
    body = body_of(entry)
    if entry.value == "completed" and entry.field == "status":
        assert raise_for_status(body) is body
    else:
        with pytest.raises(RunError):
            raise_for_status(body)


@pytest.mark.parametrize("word", ACCEPTED)
@pytest.mark.parametrize(
    "form", [str, lambda word: [word], lambda word: {word}, iter], ids=["str", "list", "set", "iter"]
)
def test_accept(word: Any, form: Any) -> None:
    """A word in `accept`, also a bare one, returns exactly the bodies it names, and those that are completed."""
    accept = (lambda: form(word)) if form is not iter else (lambda: iter([word]))
    for name, body in BODIES.items():
        if name == "completed" or name in ACCEPTS[word]:
            assert raise_for_status(body, accept=accept()) is body
        else:
            with pytest.raises(RunError):
                raise_for_status(body, accept=accept())


def test_accept_takes_several_words() -> None:
    """Several words accept what each of them accepts, and nothing accepts what failed, expired or is unknown."""
    returned = set()
    for name, body in BODIES.items():
        try:
            raise_for_status(body, accept=ACCEPTED)
        except RunError:
            continue
        returned.add(name)
    assert returned == {"completed"}.union(*ACCEPTS.values())


@pytest.mark.parametrize(
    "accept",
    ["failed", "completed", "expired", "unknown", "", "canceled", "Incomplete", ["incomplete", "failed"], [None], [5]],
    ids=str,
)
def test_accept_of_another_word(accept: Any) -> None:
    """A word that cannot be accepted is a ValueError that names it, also where the run is completed."""
    with pytest.raises(ValueError, match="accept takes 'incomplete', 'cancelled', 'pending'; got "):
        raise_for_status({"status": "completed"}, accept=accept)


def test_parse_accept() -> None:
    """The words of `accept` become a set."""
    assert parse_accept(()) == frozenset()
    assert parse_accept("pending") == frozenset({"pending"})
    assert parse_accept(["pending", "pending", "cancelled"]) == frozenset({"pending", "cancelled"})


def test_raised_from_none() -> None:
    """An error for a body has no cause and hides the context it is raised in: the body is the cause."""

    def raise_while_handling() -> None:
        try:
            raise KeyError("not this")
        except KeyError:
            raise_for_status(BODIES["failed"])

    with pytest.raises(RunFailedError) as caught:
        raise_while_handling()
    error = caught.value
    assert (error.__cause__, error.__suppress_context__) == (None, True)
    assert "not this" not in "".join(traceback.format_exception(error))


def test_named_surface_and_catalog(catalog: Any) -> None:
    """`surface` and `catalog` mean what they mean for `classify`."""
    with pytest.raises(RunUnknownError):
        raise_for_status(BODIES["completed"], surface="fine_tuning.job")
    assert isinstance(error_for(BODIES["completed"], surface="fine_tuning.job"), RunUnknownError)
    assert raise_for_status(BODIES["completed"], catalog=catalog) is BODIES["completed"]


@pytest.mark.parametrize("surface", ["nope", "", 5, ["response"]], ids=repr)
def test_a_surface_that_nobody_knows_is_refused(surface: Any) -> None:
    """A mistyped name is a ValueError that lists the surfaces: it says nothing about the run; `classify` is total."""
    for judge in (raise_for_status, error_for):
        with pytest.raises(ValueError, match="surface is one of 'response', 'batch', "):
            judge(BODIES["completed"], surface=surface)
    assert classify(BODIES["completed"], surface=surface).phase == "unknown"


@pytest.mark.parametrize("accept", [None, 5, True])
def test_an_accept_that_is_no_words_is_refused(accept: Any) -> None:
    """What holds no words at all is a TypeError that lists those there are."""
    with pytest.raises(TypeError, match="accept takes 'incomplete', 'cancelled', 'pending', or several of them; got"):
        raise_for_status(BODIES["completed"], accept=accept)
    with pytest.raises(ValueError, match=r"accept takes .*; got .\['pending'\]."):
        raise_for_status(BODIES["completed"], accept=[["pending"]])  # type: ignore[list-item]


def test_a_call_that_was_not_awaited_says_so() -> None:
    """A coroutine in place of a body is no run, and the message says what is missing; the error can be copied."""

    async def create() -> None: ...

    coroutine = create()
    try:
        with pytest.raises(RunUnknownError, match=r"^This is a coroutine: did you forget await\?") as caught:
            raise_for_status(coroutine)
        told = error_for(coroutine)
    finally:
        coroutine.close()
    assert told is not None
    assert str(told) == str(caught.value) == str(pickle.loads(pickle.dumps(told)))
    assert copy.deepcopy(told).run is None


@pytest.mark.parametrize("obj", [None, "", b"<html>", [], 5, object()], ids=short)
def test_what_is_no_run_raises_too(obj: object) -> None:
    """What is no run body is raised as unknown, with the object itself on `.run`."""
    with pytest.raises(RunUnknownError) as caught:
        raise_for_status(obj, accept=ACCEPTED)
    assert caught.value.run is obj


@given(
    st.builds(
        Outcome,
        st.sampled_from(["pending", "terminal", "unknown"]),
        st.one_of(st.none(), st.text()),
        error_class=st.one_of(st.none(), st.sampled_from(sorted(vars(openai))), st.text()),
        status_code=st.one_of(st.none(), st.integers()),
    )
)
def test_any_outcome_has_a_class(outcome: Outcome) -> None:
    """Whatever an outcome says there is a class for it, and a status class only where there is a status."""
    cls = class_for(outcome)
    assert issubclass(cls, RunError)
    assert not issubclass(cls, RunStatusError) or outcome.status_code is not None


# --- is_retryable --------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("code", RETRYABLE_CODES, ids=str)
def test_retryable_run(code: object) -> None:
    """A failed run is retryable where its outcome says so."""
    assert is_retryable(run_error(failed(code)))


@pytest.mark.parametrize("code", FINAL_CODES, ids=str)
def test_final_run(code: object) -> None:
    """A failed run is not retryable where its outcome says so, or where nobody knows."""
    assert not is_retryable(run_error(failed(code)))


@pytest.mark.parametrize(
    "name", [name for name in BODIES if name not in ("completed", "failed", "queued", "in_progress")]
)
def test_other_endings_are_not_retryable(name: str) -> None:
    """What is not known to have ended in a retryable failure is not retryable, an error event included."""
    assert not is_retryable(run_error(BODIES[name]))


def test_pending_is_not_retryable() -> None:
    """A run that goes on is not retryable: a second one would be paid for too."""
    with pytest.raises(RunPendingError) as caught:
        raise_for_status(BODIES["queued"])
    assert not is_retryable(caught.value)


RETRYABLE_OUTCOME = classify(failed("server_error"))


@pytest.mark.parametrize("cls", [WaitTimeoutError, PollingLostError, SubmissionUnknownError])
def test_errors_of_waiting_are_not_retryable(cls: Any) -> None:
    """After an error of our own waiting or submitting the run may be going: never retryable, whatever was seen."""
    assert not is_retryable(cls("m", outcome=RETRYABLE_OUTCOME))
    assert cls.retryable is False


def test_a_gone_run_is_not_retryable(http_error: HttpError) -> None:
    """A gone run may have completed, so it is never retryable, also if the 404 says otherwise."""
    cause = http_error(404, {"code": "not_found"}, {"x-should-retry": "true"})
    assert is_retryable(cause)
    assert not is_retryable(RunGoneError.of(cause, "resp_1", None))
    assert not is_retryable(RunGoneError("m", response=cause.response, body=cause.body))


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        asyncio.TimeoutError(),
        OSError("x"),
        ConnectionResetError(),
        ValueError("x"),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        openai.OpenAIError("x"),
        openai.ContentFilterFinishReasonError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_foreign_errors_are_not_retryable(error: BaseException) -> None:
    """What is neither a run error nor an HTTP error of the SDK is not retryable."""
    assert not is_retryable(error)


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


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, False) for status in (400, 401, 403, 404, 418, 422)),
        *((status, True) for status in (408, 409, 429, 500, 502, 503, 529)),
    ],
)
@pytest.mark.parametrize("told", [None, "true", "false", "TRUE", "maybe"])
def test_http_errors_go_by_the_sdks_rule(
    http_error: HttpError, answering: Any, status: int, expected: bool, told: str | None
) -> None:
    """A real HTTP error is retryable exactly if the installed SDK would send the request again."""
    error = http_error(status, {"message": "m"}, {"x-should-retry": told} if told else {})
    assert is_retryable(error) is {"true": True, "false": False}.get(told or "", expected)
    assert is_retryable(error) is answering(None)._should_retry(error.response)


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
@pytest.mark.parametrize("told", [None, "true"])
@pytest.mark.parametrize("status", [429, 503])
def test_quota_is_not_retryable(http_error: HttpError, error: object, told: str | None, status: int) -> None:
    """An HTTP error about quota or billing is not retryable, whatever its status and headers say."""
    assert not is_retryable(http_error(status, error, {"x-should-retry": told} if told else {}))


@pytest.mark.parametrize("error", [None, "boom", [], 5, {}, {"message": 5, "type": ["x"]}, "<html>"], ids=repr)
def test_http_errors_with_odd_bodies(http_error: HttpError, error: object) -> None:
    """An HTTP error whose body is of another shape goes by its status."""
    assert is_retryable(http_error(503, error))
    assert not is_retryable(http_error(400, error))


@pytest.mark.parametrize("code", [429, 400, 1.5, True, ["a"], {"a": 1}], ids=repr)
def test_http_errors_with_odd_codes(http_error: HttpError, code: object) -> None:
    """An HTTP error whose code is no text, as gateways send it, goes by its status."""
    assert is_retryable(http_error(503, {"code": code, "message": "m"}))
    assert not is_retryable(http_error(400, {"code": code, "message": "m"}))


def test_groups() -> None:
    """A group is retryable only if all its members are, however deep."""
    good, bad = run_error(failed("server_error")), run_error(failed("invalid_prompt"))
    assert is_retryable(ExceptionGroup("g", [good, ExceptionGroup("h", [good])]))
    assert not is_retryable(ExceptionGroup("g", [good, ExceptionGroup("h", [good, bad])]))
    assert not is_retryable(ExceptionGroup("g", [good, WaitTimeoutError("m")]))
    assert not is_retryable(BaseExceptionGroup("g", [good, KeyboardInterrupt()]))


# --- retry_after ---------------------------------------------------------------------------------------------------


def test_retry_after_of_a_run() -> None:
    """A run error's delay is that of its outcome."""
    assert retry_after(run_error(failed("rate_limit_exceeded", "Please try again in 2.5s"))) == 2.5
    assert retry_after(run_error(failed("server_error"))) is None


def test_retry_after_of_a_run_agrees_with_its_synthetic_response() -> None:
    """Who reads the synthetic response's headers finds the same delay."""
    error = run_error(failed("rate_limit_exceeded", "Please try again in 2.512s"))
    assert isinstance(error, RunRateLimitError)
    assert retry_after_of(error.response.headers) == pytest.approx(2.512)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
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
    ],
    ids=str,
)
def test_retry_after_of_an_http_error(http_error: HttpError, headers: dict[str, str], seconds: float | None) -> None:
    """An HTTP error's delay is read from its headers: milliseconds, seconds, or a date, which may have passed."""
    assert retry_after(http_error(503, {"message": "m"}, headers)) == seconds


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


@pytest.mark.parametrize("error", [ValueError(), TimeoutError(), WaitTimeoutError("m"), KeyboardInterrupt()], ids=repr)
def test_retry_after_of_others(error: BaseException) -> None:
    """Other errors have no delay."""
    assert retry_after(error) is None


def test_a_foreign_object_with_a_request_id() -> None:
    """Only a text is a request id: a mock's attribute is none, and so no poll is claimed."""
    assert run_error(SimpleNamespace(status="failed", error=None, _request_id=5)).poll_status_code is None
    model = sdk_model(failed("server_error"))
    model._request_id = "req_1"
    assert run_error(model).poll_status_code == 200
