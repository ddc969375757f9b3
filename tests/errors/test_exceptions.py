"""The exceptions: their tree, their fields, their pickles and copies."""

from __future__ import annotations

import copy
import gc
import json
import multiprocessing
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Literal

import openai
import pydantic
import pytest
from hypothesis import example, given, strategies as st

import runoutcome
from bodies import REQUEST_ID, ROWS, URL, body_of, http_response, reraise, sdk_model, short
from runoutcome import (
    Attempt,
    Catalog,
    OutputParseError,
    PollingLostError,
    RunBadRequestError,
    RunCancelledError,
    RunContentFilterError,
    RunError,
    RunExpiredError,
    RunFailedError,
    RunGoneError,
    RunIncompleteError,
    RunInternalServerError,
    RunPendingError,
    RunRateLimitError,
    Runs,
    RunStatusError,
    RunUnknownError,
    SubmissionUnknownError,
    WaitTimeoutError,
    classify,
    error_for,
    raise_for_status,
)
from runoutcome._errors.bases import Origin
from runoutcome._operations.observation import in_form
from runoutcome._sdk.responses import native_http_library
from runoutcome._sdk.structured_output import TextFormat
from runoutcome._waiting.resume_token import ResumeToken

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
MAX_PICKLE_BYTES = 2048

# Class -> its bases of ours, and the class of `openai` it also is.
TREE: dict[str, tuple[set[str], str]] = {
    "RunError": (set(), "OpenAIError"),
    "RunFailedError": ({"RunError"}, "APIError"),
    "RunStatusError": ({"RunError", "RunFailedError"}, "APIStatusError"),
    **{
        f"Run{name}": ({"RunError", "RunFailedError", "RunStatusError"}, name)
        for name in (
            "BadRequestError",
            "AuthenticationError",
            "PermissionDeniedError",
            "NotFoundError",
            "ConflictError",
            "UnprocessableEntityError",
            "RateLimitError",
            "InternalServerError",
        )
    },
    "RunIncompleteError": ({"RunError"}, "OpenAIError"),
    "RunContentFilterError": ({"RunError", "RunIncompleteError"}, "ContentFilterFinishReasonError"),
    "RunCancelledError": ({"RunError"}, "OpenAIError"),
    "RunExpiredError": ({"RunError"}, "OpenAIError"),
    "RunRefusedError": ({"RunError"}, "OpenAIError"),
    "RunEmptyError": ({"RunError"}, "OpenAIError"),
    "RunPendingError": ({"RunError"}, "OpenAIError"),
    "RunUnknownError": ({"RunError"}, "APIError"),
    "RunGoneError": (set(), "NotFoundError"),
    "WaitTimeoutError": (set(), "OpenAIError"),
    "PollingLostError": (set(), "OpenAIError"),
    "SubmissionUnknownError": (set(), "OpenAIError"),
    "OutputParseError": (set(), "OpenAIError"),
}
OPENAI_CLASSES = (
    "APIError",
    "APIStatusError",
    "APIConnectionError",
    "APITimeoutError",
    "APIResponseValidationError",
    "BadRequestError",
    "AuthenticationError",
    "PermissionDeniedError",
    "NotFoundError",
    "ConflictError",
    "UnprocessableEntityError",
    "RateLimitError",
    "InternalServerError",
    "ContentFilterFinishReasonError",
    "LengthFinishReasonError",
)

STATUS_CODES = {
    "RunBadRequestError": ("invalid_prompt", 400),
    "RunAuthenticationError": ("invalid_api_key", 401),
    "RunPermissionDeniedError": ("misalignment_policy_violation", 403),
    "RunNotFoundError": ("model_not_found", 404),
    "RunConflictError": (409, 409),
    "RunUnprocessableEntityError": ("422", 422),
    "RunRateLimitError": ("rate_limit_exceeded", 429),
    "RunInternalServerError": ("server_is_overloaded", 503),
    "RunStatusError": (418, 418),
}
TOKEN = ResumeToken("resp_1", 1_760_000_000.5, "nonce-1", "2h").dumps()


COMPLETED = {"object": "response", "id": "resp_1", "status": "completed", "instructions": "the secret prompt"}


def message(text: str) -> dict[str, Any]:
    """An item of output that says `text`."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}


def failed(code: object = "server_error", message: str | None = "boom", **fields: Any) -> dict[str, Any]:
    """The body of a failed run."""
    error = {"code": code, "message": message, "param": "input[0]"}
    return {"object": "response", "id": "resp_1", "status": "failed", "error": error, **fields}


def run_error(body: Any) -> RunError:
    """The error for a body that is not completed."""
    error = error_for(body)
    assert error is not None
    return error


def pending_error() -> RunPendingError:
    """The error for a run that goes on."""
    with pytest.raises(RunPendingError) as caught:
        raise_for_status({"object": "response", "id": "resp_1", "status": "queued"})
    return caught.value


def status_error(name: str) -> RunStatusError:
    """A status error of this class, with a delay."""
    body = failed(STATUS_CODES[name][0])
    body["error"]["headers"] = {"retry-after-ms": "1500"}
    error = run_error(sdk_model(body))
    assert isinstance(error, RunStatusError)
    return error


def not_found(http: Any = None) -> openai.NotFoundError:
    """A real 404 of the SDK, made of a request that holds a key."""
    library = http or native_http_library()
    request = library.Request("GET", "https://api.example.test/v1/x", headers={"Authorization": "Bearer sk-secret-key"})
    response = library.Response(404, request=request, headers={"x-request-id": REQUEST_ID})
    return openai.NotFoundError("m", response=response, body={"code": "not_found", "type": "t", "message": "gone"})


def polled(error: RunError) -> RunError:
    """`error` as `Runs` makes it: with what is known of the poll, and how to go on."""
    error.poll_status_code, error.request_id, error.run_token = 200, REQUEST_ID, TOKEN
    return error


def last_of_three(error: Any) -> Any:
    """`error` as the end of a job whose runs have failed twice before."""
    error.attempts = tuple(
        Attempt(number, f"nonce-{number}", f"resp_{'0' * 40}{number}", "failed", "server_error", True, 12_345)
        for number in (1, 2)
    )
    if isinstance(error, RunError):
        polled(error)
        error.attempts += (Attempt.of(3, "nonce-3", error.outcome),)
        error.not_resubmitted = "attempts"
    return error


# One of every class; made anew for every test, because exceptions can be changed.
MAKERS: dict[str, Callable[[], Any]] = {
    "RunError": lambda: RunError.of(classify(failed()), Origin()),
    "RunFailedError": lambda: run_error(failed("no_such_code")),
    **{name: (lambda name=name: status_error(name)) for name in STATUS_CODES},
    "RunIncompleteError": lambda: run_error(
        {"status": "incomplete", "id": "resp_1", "incomplete_details": {"reason": "max_output_tokens"}}
    ),
    "RunContentFilterError": lambda: run_error(
        {"status": "incomplete", "id": "resp_1", "incomplete_details": {"reason": "content_filter"}}
    ),
    "RunCancelledError": lambda: run_error({"status": "cancelled", "id": "resp_1"}),
    "RunExpiredError": lambda: run_error({"status": "expired", "id": "resp_1"}),
    "RunPendingError": pending_error,
    "RunUnknownError": lambda: run_error({"status": "hibernating", "id": "resp_1"}),
    "RunGoneError": lambda: RunGoneError.of(not_found(), "resp_1", TOKEN),
    "WaitTimeoutError": lambda: WaitTimeoutError(
        "late", response_id="resp_1", token=TOKEN, key="nonce-1", outcome=classify({"status": "queued"})
    ),
    "PollingLostError": lambda: PollingLostError("lost", response_id="resp_1", token=TOKEN, key="nonce-1"),
    "SubmissionUnknownError": lambda: SubmissionUnknownError("unsure", key="nonce-1"),
    "OutputParseError": lambda: OutputParseError.of(
        sdk_model(COMPLETED), classify(COMPLETED), TOKEN, "Moon", ["missing", "int_parsing"]
    ),
}
MAKERS.update(
    {
        f"polled {name}": (lambda make=make: polled(make()))
        for name, make in MAKERS.items()
        if issubclass(getattr(runoutcome, name), RunError)
    }
)


def every_error() -> Iterator[Any]:
    """A fresh error of every class."""
    for make in MAKERS.values():
        yield make()


def every_status_error() -> Iterator[RunStatusError]:
    """A fresh error of every class with a status."""
    return map(status_error, STATUS_CODES)


FACTS = (
    "message",
    "code",
    "param",
    "type",
    "outcome",
    "response_id",
    "run_token",
    "token",
    "key",
    "retryable",
    "request_id",
    "poll_status_code",
    "status_code",
    "synthetic",
    "attempts",
    "not_resubmitted",
)


def facts(error: BaseException) -> dict[str, Any]:
    """Everything an error says that a pickle or a copy must keep."""
    return {name: getattr(error, name) for name in FACTS if hasattr(error, name)} | {
        "class": type(error),
        "str": str(error),
        "repr": repr(error),
        "args": error.args,
    }


# --- the tree ------------------------------------------------------------------------------------------------------


def test_the_tree_is_complete() -> None:
    """Every exception that is exported is in the tree that these tests know."""
    exported = {name for name in runoutcome.__all__ if name.endswith("Error")} - {"CatalogError"}  # of no run
    assert exported == set(TREE)


def test_place_in_the_tree() -> None:
    """A class has exactly the bases of ours and of `openai` that the design draws."""
    for name, (ours, theirs) in TREE.items():
        cls = getattr(runoutcome, name)
        assert {other for other in TREE if other != name and issubclass(cls, getattr(runoutcome, other))} == ours
        expected = {base for base in OPENAI_CLASSES if issubclass(getattr(openai, theirs), getattr(openai, base))}
        assert {base for base in OPENAI_CLASSES if issubclass(cls, getattr(openai, base))} == expected
        assert issubclass(cls, openai.OpenAIError)


def test_caught_as_the_class_of_openai() -> None:
    """`except openai.X` catches every exception of ours that is drawn below X."""
    for error in every_error():
        with pytest.raises(getattr(openai, TREE[type(error).__name__][1])) as caught:
            raise error
        assert caught.value is error


def test_classes_are_static_and_public() -> None:
    """Every class says that it lives in the package root, and can be imported from there by that name."""
    for name in TREE:
        cls = getattr(runoutcome, name)
        assert (cls.__module__, cls.__qualname__) == ("runoutcome", name)


def test_our_deadline_is_a_timeout_and_no_blip() -> None:
    """`WaitTimeoutError` is the builtin TimeoutError, and no connection error that pollers would try again."""
    assert issubclass(WaitTimeoutError, TimeoutError)
    assert not issubclass(WaitTimeoutError, (openai.APIConnectionError, openai.APIError))
    assert not issubclass(PollingLostError, (TimeoutError, openai.APIError))


def test_gone_is_no_run_error() -> None:
    """`RunGoneError` is a real 404 and says nothing about what became of the run."""
    assert not issubclass(RunGoneError, RunError)
    assert RunGoneError.synthetic is False


@pytest.mark.parametrize(
    ("body", "is_a", "is_not"),
    [
        (failed("vector_store_timeout"), openai.InternalServerError, (openai.APIConnectionError, TimeoutError)),
        (failed("request_timeout"), openai.InternalServerError, (openai.APIConnectionError, TimeoutError)),
        (failed("connection_failed"), openai.InternalServerError, (openai.APIConnectionError, OSError)),
        (failed("image_file_not_found"), openai.BadRequestError, openai.NotFoundError),
        ({"status": "cancelled"}, RunCancelledError, (openai.APIError, openai.ConflictError)),
        ({"status": "expired"}, RunExpiredError, (openai.APIError, TimeoutError)),
    ],
    ids=lambda value: short(value) if isinstance(value, dict) else "",
)
def test_classes_that_pollers_misread(body: Any, is_a: Any, is_not: Any) -> None:
    """No failure takes a class that pollers read as "blip", "expired" or "not there"."""
    error = run_error(body)
    assert isinstance(error, is_a)
    assert not isinstance(error, is_not)


def test_a_cancelled_run_is_not_a_cancelled_task() -> None:
    """A run that was cancelled on the server is an Exception, not asyncio's or a future's CancelledError."""
    import asyncio
    import concurrent.futures

    assert not issubclass(RunCancelledError, (asyncio.CancelledError, concurrent.futures.CancelledError))


# --- fields --------------------------------------------------------------------------------------------------------


def test_a_status_error_is_one_of_the_sdk() -> None:
    """A status error has the fields of the SDK's own: status, code, param, type, body, message, ids."""
    for name, (code, status) in STATUS_CODES.items():
        error = status_error(name)
        assert type(error).__name__ == name
        assert (error.status_code, error.code, error.param) == (status, str(code), "input[0]")
        assert error.type == error.error_type
        assert isinstance(error.body, dict)
        assert error.body["code"] == code
        assert error.message == str(error) == f"run {error.response_id}: {error.outcome.describe()}"
        assert repr(error) == f"{name}({error.message!r})"


def test_a_synthetic_response(http: Any) -> None:
    """`.response` is of the installed HTTP library, marked synthetic, with a request and the headers agents read."""
    for error in every_status_error():
        response: Any = error.response
        assert type(response) is http.Response
        assert response is error.response
        assert (response.synthetic, error.synthetic, response.status_code) == (True, True, error.status_code)
        assert response.json() == {"error": error.body}
        assert response.headers["x-should-retry"] == ("true" if error.retryable else "false")
        assert response.headers["retry-after-ms"] == "1500"
        assert (response.request.method, response.request.url.path) == ("GET", "/v1/responses/resp_1")
        assert type(error.request) is http.Request


def test_no_delay_no_header() -> None:
    """Where the server named no delay the synthetic response names none, and no request id either."""
    error = run_error(failed())
    assert isinstance(error, RunStatusError)
    assert "retry-after-ms" not in error.response.headers
    assert "x-request-id" not in error.response.headers


def test_the_sdk_would_decide_rightly_by_the_synthetic_response(answering: Any) -> None:
    """The SDK's own retry rule, asked about the synthetic response, says what the outcome says."""
    client = answering(reraise)
    for error in every_status_error():
        assert client._should_retry(error.response) is error.retryable


def test_no_status_is_claimed_where_none_is_known() -> None:
    """Only status errors and the gone error have a `.status_code` and a `.response`."""
    for error in every_error():
        claims = type(error).__name__ in {*STATUS_CODES, "RunGoneError"}
        assert (hasattr(error, "status_code"), hasattr(error, "response")) == (claims, claims)


@pytest.mark.parametrize(
    "body", [failed("no_such_code"), {"status": "hibernating"}, {"status": "failed", "error": None}], ids=short
)
def test_a_bare_error_is_one_of_the_sdk(http: Any, body: Any) -> None:
    """A bare error has what a bare `openai.APIError` has: message, request, body, code, param, type."""
    error = run_error(body)
    assert isinstance(error, openai.APIError)
    assert type(error.request) is http.Request
    assert error.body == body.get("error")
    assert (error.code, error.type) == ((body.get("error") or {}).get("code"), "unknown_error")


def test_the_upstream_type_is_kept() -> None:
    """`.type` is the server's own type, `.error_type` the stable one."""
    body = failed("no_such_code")
    body["error"]["type"] = "server_error"
    error = run_error(body)
    assert (error.type, error.error_type) == ("server_error", "internal_server_error")


def test_fields_of_the_outcome() -> None:
    """Every field of the outcome can be read on a run error itself."""
    names = set(classify(failed()).to_dict()) - {"message", "status_code"}
    for error in every_error():
        if isinstance(error, RunError):
            assert all(getattr(error, name) == getattr(error.outcome, name) for name in names)


def test_a_message_says_what_to_do() -> None:
    """An error's message holds title, cause and remedy, and the server's own message."""
    for entry in ROWS:
        if error := error_for(body_of(entry)):
            parts = (error.outcome.title, error.outcome.cause, error.outcome.remedy, error.outcome.message or "")
            assert all(part in str(error) for part in parts)


def test_in_process_nothing_is_cut() -> None:
    """In this process code and message are whole, however long."""
    error = run_error(failed("c" * 500, "m" * 5000))
    assert (error.code, error.outcome.message) == ("c" * 500, "m" * 5000)
    assert "m" * 5000 in str(error)


def test_the_partial_output_stays_on_run() -> None:
    """`.run` is the very object that was judged, with its partial output, which was paid for."""
    model = sdk_model(body_of(Catalog.load().find("max_output_tokens")[0]))
    error = run_error(model)
    assert error.run is model
    assert error.has_output


@pytest.mark.parametrize("carrier", ["json", "bytes"])
def test_run_of_a_text_is_its_document(carrier: str) -> None:
    """`.run` of an error that was made from JSON text is the parsed body."""
    text = json.dumps(failed())
    assert run_error(text if carrier == "json" else text.encode()).run == failed()


def test_a_real_poll_is_remembered(answering: Any) -> None:
    """An error for a response of a real client knows its request id, and that the poll was answered 200."""
    client = answering(lambda request: http_response(failed()))
    error = run_error(client.responses.retrieve("resp_1"))
    assert isinstance(error, RunInternalServerError)
    assert (error.poll_status_code, error.request_id, error.response_id) == (200, REQUEST_ID, "resp_1")
    assert (error.status_code, error.response.headers["x-request-id"]) == (500, REQUEST_ID)


def test_no_poll_no_poll_status() -> None:
    """Without a poll there is no poll status and no request id."""
    error = run_error(failed())
    assert (error.poll_status_code, error.request_id) == (None, None)


def test_a_raw_answer_is_a_poll() -> None:
    """An error for a raw HTTP answer knows its status and request id, as one for an SDK model does."""
    error = run_error(http_response(failed()))
    assert (error.poll_status_code, error.request_id) == (200, REQUEST_ID)


def test_an_error_for_an_error_keeps_the_run() -> None:
    """The error for an exception that carries an outcome has that exception's run, body and poll."""
    first = run_error(http_response(failed()))
    second = run_error(first)
    assert second is not first
    assert second.run == failed()
    assert (second.body, second.poll_status_code, second.request_id) == (first.body, 200, REQUEST_ID)


def test_a_raw_answer_gives_its_address() -> None:
    """The synthetic response to a raw answer is for the address that was polled, and of the answer's library."""
    error = run_error(http_response(failed()))
    assert isinstance(error, RunStatusError)
    assert str(error.response.request.url) == URL
    assert type(error.response) is type(http_response(failed()))


def test_every_error_says_how_to_go_on() -> None:
    """`run_token` is there on every class, None where no run of ours is behind the error; `token` is the same."""
    for error in every_error():
        assert error.run_token in (None, TOKEN)
        assert error.token == error.run_token


def test_fresh_exception_per_call() -> None:
    """Two calls for one body give two exceptions, so that no traceback or token leaks from one to the other."""
    body = failed()
    first, second = run_error(body), run_error(body)
    assert first is not second
    first.run_token = TOKEN
    assert second.run_token is None


def test_the_gone_error() -> None:
    """A gone run has the real 404's facts, a message that says it may have completed, and the token."""
    error = RunGoneError.of(not_found(), "resp_1", TOKEN)
    assert (error.status_code, error.poll_status_code, error.code, error.type) == (404, 404, "not_found", "t")
    assert (error.request_id, error.response_id, error.run_token, error.token) == (REQUEST_ID, "resp_1", TOKEN, TOKEN)
    assert "may have completed" in str(error)
    assert error.retryable is False
    assert (error.response.status_code, error.response.headers["x-should-retry"]) == (404, "false")


# --- pickles and copies --------------------------------------------------------------------------------------------

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
every_copy = pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])


@every_protocol
def test_pickle(protocol: int) -> None:
    """Every class survives every protocol of pickle with everything it says, also twice."""
    for error in every_error():
        data = pickle.dumps(error, protocol)
        assert len(data) <= MAX_PICKLE_BYTES
        twin = pickle.loads(data)
        assert facts(twin) == facts(error)
        assert facts(pickle.loads(pickle.dumps(twin, protocol))) == facts(error)


def test_rebuilt_from_args() -> None:
    """An exception stored as its class and args, as Celery does in JSON, comes back whole."""
    for error in every_error():
        args = json.loads(json.dumps(error.args))
        assert facts(type(error)(*args)) == facts(error)


@every_copy
def test_copy(copying: Callable[[Any], Any]) -> None:
    """A copy says the same, is another object, and keeps body, run and cause."""
    for error in every_error():
        error.__cause__ = cause = ValueError("why")
        twin = copying(error)
        assert twin is not error
        assert facts(twin) == facts(error)
        assert (twin.__cause__, twin.__suppress_context__) == (cause, True)
        assert getattr(twin, "run", None) == getattr(error, "run", None)
        assert getattr(twin, "body", None) == getattr(error, "body", None)


def test_copy_after_the_response_was_built() -> None:
    """A copy of an error whose response exists has an equal response, a deep copy one of its own."""
    error = status_error("RunRateLimitError")
    response = error.response
    assert copy.copy(error).response is response
    twin = copy.deepcopy(error)
    assert twin.response is not response
    assert twin.response.json() == response.json()


def test_a_deep_copy_has_its_own_run() -> None:
    """Changing the run of a deep copy changes nothing here; a shallow copy shares it."""
    body = failed()
    error = run_error(body)
    assert copy.copy(error).run is body
    copy.deepcopy(error).run["status"] = "completed"
    assert body["status"] == "failed"


def test_what_a_copy_from_a_pickle_can_still_give() -> None:
    """After a pickle, request, response and body are there again, the run is not."""
    for error in every_error():
        twin = pickle.loads(pickle.dumps(error))
        assert getattr(twin, "run", None) is None
        if isinstance(twin, openai.APIStatusError):
            assert twin.response.status_code == twin.status_code
            assert twin.request.url == twin.response.request.url
            assert isinstance(twin.body, dict)


@every_protocol
def test_the_attempts_of_a_job_are_pickled(protocol: int) -> None:
    """The end of a job says in under 2 KB which runs came before it, and why there was no other."""
    for error in map(last_of_three, every_error()):
        data = pickle.dumps(error, protocol)
        assert len(data) <= MAX_PICKLE_BYTES
        twin = pickle.loads(data)
        assert (type(twin), twin.retryable, twin.attempts) == (type(error), error.retryable, error.attempts)
        assert getattr(twin, "not_resubmitted", None) == getattr(error, "not_resubmitted", None)
        assert pickle.loads(pickle.dumps(twin, protocol)).attempts == error.attempts


@every_copy
def test_a_copy_has_the_attempts(copying: Callable[[Any], Any]) -> None:
    """A copy in this process has the attempts with their outcomes."""
    for error in map(last_of_three, every_error()):
        assert copying(error).attempts == error.attempts
        if isinstance(error, RunError):
            assert copying(error).attempts[-1].outcome is error.outcome


def test_an_error_for_an_error_keeps_the_attempts() -> None:
    """The error for an exception that carries an outcome has its job's attempts, and its token."""
    first = last_of_three(run_error(failed()))
    second = run_error(first)
    assert (second.attempts, second.not_resubmitted) == (first.attempts, "attempts")
    assert second.run_token == TOKEN


def test_the_outcome_of_a_wait_keeps_its_id() -> None:
    """The outcome that an error of waiting carries has its response id after a pickle too."""
    outcome = classify({"status": "queued", "id": "resp_1"})
    twin = pickle.loads(pickle.dumps(WaitTimeoutError("late", response_id="resp_1", token=TOKEN, outcome=outcome)))
    assert twin.outcome == outcome


def test_a_group_is_pickled_and_copied() -> None:
    """An ExceptionGroup of all classes survives pickle and deepcopy."""
    members = list(every_error())
    group = ExceptionGroup("several", members)
    for twin in (pickle.loads(pickle.dumps(group)), copy.deepcopy(group)):
        assert [facts(member) for member in twin.exceptions] == [facts(member) for member in members]


def test_through_a_process_pool() -> None:
    """Through a ProcessPoolExecutor each class arrives as it left, and the pool goes on working."""
    errors = list(every_error())
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(reraise, error) for error in errors]
        futures += [pool.submit(raise_for_status, failed())]
        arrived = [future.exception(timeout=60) for future in futures]
        assert pool.submit(int, "7").result(timeout=60) == 7
    for error, twin in zip([*errors, run_error(failed())], arrived, strict=True):
        assert twin is not None
        assert facts(twin) == facts(error)


def test_through_a_multiprocessing_pool() -> None:
    """Through `multiprocessing.Pool`, which hangs for ever on the SDK's own errors, an error arrives."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply_async(raise_for_status, (failed("insufficient_quota"),))
        with pytest.raises(RunRateLimitError) as caught:
            result.get(timeout=60)
        pool.close()
        pool.join()
    assert facts(caught.value) == facts(run_error(failed("insufficient_quota")))


# --- small pickles without secrets ---------------------------------------------------------------------------------

WORDS = {"ascii": "a", "quotes": '"', "umlauts": "ü", "emoji": "\U0001f600", "nul": "\0", "surrogates": "\ud800"}


def longest(char: str, length: int) -> list[RunError]:
    """Run errors whose every word is made of so many `char`, as `error_for` makes them from SDK models."""
    long = char * length
    error = {"code": long, "message": long, "param": long, "type": long}
    bodies: list[dict[str, Any]] = [
        {"status": "failed", "error": error},
        {"status": "failed", "error": {**error, "code": "previous_response_not_found"}},
        {"status": "failed", "error": {**error, "code": "rate_limit_exceeded", "message": "request too large" + long}},
        {"status": "incomplete", "incomplete_details": {"reason": long}},
        {"status": long},
    ]
    errors = []
    for body in bodies:
        model = sdk_model({"object": "response", "id": long, "model": long, **body, "usage": {"input_tokens": 10**9}})
        model._request_id = REQUEST_ID
        errors.append(run_error(model))
    return errors


def assert_small(error: BaseException) -> None:
    """Check the size of a pickle, and that the class, and what was decided, arrive in it."""
    for protocol in PROTOCOLS:
        data = pickle.dumps(error, protocol)
        assert len(data) <= MAX_PICKLE_BYTES
        twin = pickle.loads(data)
        assert type(twin) is type(error)
        assert twin.retryable == error.retryable  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", WORDS)
def test_a_pickle_stays_small(words: str) -> None:
    """A pickle stays under 2 KB however long code, message, ids and types are, whatever they are made of."""
    for length in (30, 90, 300, 5000):
        for error in longest(WORDS[words], length):
            assert_small(error)


long_text = st.builds(
    lambda text, times: text * times,
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x7FF), max_size=20),
    st.integers(1, 100),
)


@given(code=long_text, message=long_text, response_id=long_text, model=long_text)
@example("", "", "", "")
def test_any_pickle_stays_small(code: str, message: str, response_id: str, model: str) -> None:
    """A pickle stays under 2 KB whatever the words of an error are."""
    error = {"code": code, "message": message, "param": code, "type": model}
    assert_small(run_error({"status": "failed", "id": response_id, "model": model, "error": error}))


@pytest.mark.parametrize("length", [50, 300, 500])
def test_a_pickle_with_a_token_stays_small(length: int) -> None:
    """A pickle stays under 2 KB with the resume token of a gateway's long id in it, and the token is whole."""
    response_id = "resp_" + "x" * length
    token = ResumeToken(response_id, 1_760_000_000.0, "f" * 32 + "-1", "8h").dumps()
    for error in (
        run_error({**failed("previous_response_not_found", "m" * 300), "id": response_id}),
        WaitTimeoutError(f"The run {response_id} had not ended after 3600 s.", response_id=response_id, token=token),
        PollingLostError(f"Polls of the run {response_id} failed.", response_id=response_id, token=token),
        RunGoneError.of(not_found(), response_id, token),
    ):
        error.run_token = token
        assert_small(error)
        twin = pickle.loads(pickle.dumps(error))
        assert (twin.run_token, twin.response_id) == (token, response_id)


@pytest.mark.parametrize("length", [36, 300, 512])
def test_a_pickle_with_a_key_stays_small(length: int) -> None:
    """A pickle stays under 2 KB with the longest key that metadata can hold, which is whole, also in a token."""
    key, response_id = "k" * length, "resp_" + "0" * 48
    token = ResumeToken(response_id, 1_760_000_000.0, key, "8h").dumps()
    outcome = classify({**body_of(ROWS[0]), "id": response_id})
    for error in (
        WaitTimeoutError(f"The run {response_id} had not ended.", token=token, key=key, outcome=outcome),
        SubmissionUnknownError(f"The create may or may not have gone through. Look for {key!r}.", key=key),
    ):
        assert_small(error)
        twin = pickle.loads(pickle.dumps(error))
        assert (twin.key, twin.run_token, twin.response_id) == (key, error.run_token, error.response_id)
        assert (str(twin), twin.outcome) == (str(error), error.outcome)


@pytest.mark.parametrize("words", WORDS)
def test_a_pickle_with_many_attempts_stays_small(words: str) -> None:
    """A pickle stays under 2 KB however many runs came before, and whatever their words are made of."""
    long = WORDS[words] * 500
    for error in (*longest(WORDS[words], 300), WaitTimeoutError("late", response_id="resp_1", token=TOKEN)):
        error.run_token = TOKEN
        error.attempts = tuple(Attempt(n, None, long, long, long, True, 10**12) for n in range(1, 100))
        assert_small(error)


def test_a_pickle_of_a_count_of_5000_digits() -> None:
    """An error whose usage cannot be printed can still be pickled."""
    assert_small(run_error({"status": "failed", "error": None, "usage": {"input_tokens": 10**5000}}))


def test_cuts_are_marked() -> None:
    """What is cut in a pickle ends in an ellipsis."""
    twin = pickle.loads(pickle.dumps(run_error(failed("c" * 500, "m" * 5000))))
    assert twin.code.endswith("…")
    assert twin.outcome.message.endswith("…")
    assert len(twin.code) <= 100
    assert len(twin.outcome.message) <= 300


SECRETS = ("sk-secret-key", "Bearer", "Authorization", "the secret prompt", "half an answer", "swordfish")


def secret_body(**fields: Any) -> dict[str, Any]:
    """A body that echoes a prompt, instructions and output."""
    entry = Catalog.load().find("server_error")[0]
    return body_of(entry, instructions="the secret prompt", input="the secret prompt", **fields)


def leaks(error: BaseException) -> list[str]:
    """The secrets that can be found in what leaves this process, or in a log."""
    shown = "".join(traceback.format_exception_only(type(error), error))
    texts = [str(error), repr(error), repr(error.args), shown]
    texts += [pickle.dumps(error, protocol).decode("latin-1") for protocol in PROTOCOLS]
    return [secret for secret in SECRETS if any(secret in text for text in texts)]


def every_real_error(answering: Any) -> list[BaseException]:
    """Errors that came out of real requests of a real client, which held a key and a prompt."""
    answers = [
        secret_body(),
        secret_body(error={"code": "insufficient_quota", "message": "m"}),
        secret_body(status="incomplete", error=None, incomplete_details={"reason": "content_filter"}),
        secret_body(status="cancelled", error=None),
    ]
    errors: list[BaseException] = []
    for body in answers:
        client = answering(
            lambda request, body=body: http_response(body), base_url="https://user:swordfish@api.example.test/v1"
        )
        for go in (
            lambda client=client: raise_for_status(client.responses.create(model="m", input="the secret prompt")),
            lambda client=client: Runs(client).poll("resp_1"),
        ):
            with pytest.raises(openai.OpenAIError) as caught:
                go()
            errors.append(caught.value)
    return errors


def test_nothing_secret_leaves(answering: Any) -> None:
    """No key, header, prompt or output is in the pickle, str, repr or args of an error from a real request."""
    for error in every_real_error(answering):
        assert isinstance(error, RunError)
        assert error.run.instructions == "the secret prompt"
        assert leaks(error) == []
        if isinstance(error, RunStatusError):
            assert "authorization" not in error.response.request.headers
            assert "swordfish" not in str(error.response.request.url)
            assert leaks(error) == []


def test_nothing_secret_leaves_an_unreadable_output() -> None:
    """The error for an output that does not fit shows nothing of it, also where pydantic quotes it."""

    class Moon(pydantic.BaseModel):
        name: int
        kind: Literal["moon"]

    body = {**COMPLETED, "output": [message('{"name": "the secret prompt", "half an answer": 1}')]}
    with pytest.raises(OutputParseError) as caught:
        in_form(TextFormat(Moon), sdk_model(body), classify(body), TOKEN)
    error = caught.value
    assert "the secret prompt" in str(error.__cause__)
    assert "does not match the model `Moon`: int_parsing, missing." in str(error)
    assert leaks(error) == []


def test_nothing_secret_leaves_a_gone_run() -> None:
    """The error for a gone run holds nothing of the real request that was answered 404."""
    error = RunGoneError.of(not_found(), "resp_1", TOKEN)
    assert leaks(error) == []
    assert "authorization" not in error.response.request.headers
    assert leaks(error) == []


# --- the SDK's constructor calls -----------------------------------------------------------------------------------


def test_made_again_from_our_own_response() -> None:
    """`cls(message=..., response=..., body=...)`, as LangChain calls it, keeps the outcome, ids and delay."""
    for error in map(polled, every_status_error()):
        assert isinstance(error, RunStatusError)
        twin = type(error)(message=str(error), response=error.response, body=error.body)
        assert facts(twin) == facts(error)
        assert twin.response is error.response
        assert twin.body == error.body
        assert facts(pickle.loads(pickle.dumps(twin))) == facts(error)


def test_made_again_as_another_class() -> None:
    """A subclass made from our response keeps the outcome too, and can say it in its own words."""

    class TooLongError(RunBadRequestError):
        pass

    error = run_error(failed("context_length_exceeded"))
    assert isinstance(error, RunStatusError)
    twin = TooLongError(message="too long", response=error.response, body=error.body)
    assert (str(twin), twin.outcome, twin.status_code) == ("too long", error.outcome, 400)


def real_response(http: Any, status: int) -> Any:
    """A real answer to a real request, with a key in it."""
    request = http.Request("POST", "https://api.example.test/v1", headers={"Authorization": "Bearer sk-secret-key"})
    return http.Response(status, request=request, headers={"x-request-id": REQUEST_ID}, json={"error": {}})


def test_made_from_a_foreign_response(http: Any) -> None:
    """From a real response the SDK's call works: class, response and body as given, outcome by the body."""
    body = {"code": "rate_limit_exceeded", "message": "Please try again in 2s", "param": None, "type": "requests"}
    error = RunRateLimitError(message="m", response=real_response(http, 429), body=body)
    assert (str(error), error.body, error.code, error.status_code) == ("m", body, "rate_limit_exceeded", 429)
    assert (error.retryable, error.retry_after) == (True, 2.0)
    assert error.response.request.method == "POST"
    assert leaks(error) == []
    twin = pickle.loads(pickle.dumps(error))
    assert (str(twin), twin.code, twin.retryable) == ("m", "rate_limit_exceeded", True)


def test_made_from_a_foreign_response_with_an_unknown_code(http: Any) -> None:
    """A foreign error that nobody knows is of the class it was made as, and not retryable."""
    error = RunRateLimitError(message="m", response=real_response(http, 429), body={"message": "hm"})
    assert (error.status_code, error.code, error.retryable) == (429, None, False)


@pytest.mark.parametrize("body", [None, {"message": "hm"}, "<html>", {"code": "no_such_code"}], ids=short)
def test_made_from_a_foreign_response_without_a_known_status(http: Any, body: Any) -> None:
    """A foreign error that nobody knows has the status of its response."""
    classes: dict[int, Any] = {502: RunInternalServerError, 418: RunStatusError}
    for status, cls in classes.items():
        assert cls(message="m", response=real_response(http, status), body=body).status_code == status


def test_made_from_a_foreign_response_with_its_request_id(http: Any) -> None:
    """A foreign error has the request id of its response, as the SDK's own constructor gives it."""
    body = {"code": "rate_limit_exceeded"}
    for cls in (RunRateLimitError, RunGoneError):
        assert cls(message="m", response=real_response(http, 429), body=body).request_id == REQUEST_ID


def test_gone_made_again_from_our_own_response() -> None:
    """A gone run's error that is made again from its own response keeps the id and the token."""
    error = RunGoneError.of(not_found(), "resp_1", TOKEN)
    twin = RunGoneError(message=str(error), response=error.response, body=error.body)
    assert (twin.response_id, twin.run_token) == ("resp_1", TOKEN)


def test_gone_made_the_sdks_way(http: Any) -> None:
    """The SDK's call works for a gone run, from a foreign response too."""
    error = RunGoneError(message="m", response=real_response(http, 404), body={"code": "c"})
    assert (str(error), error.code, error.status_code, error.body) == ("m", "c", 404, {"code": "c"})
    assert pickle.loads(pickle.dumps(error)).code == "c"


def test_made_from_a_message_alone() -> None:
    """A run error made from a message alone says it, and claims nothing."""
    for cls in (RunFailedError, RunIncompleteError, RunContentFilterError, RunUnknownError):
        error = cls("just a message")
        assert (str(error), error.retryable, error.run, error.run_token) == ("just a message", False, None, None)
        assert facts(pickle.loads(pickle.dumps(error))) == facts(error)


def test_a_bare_error_made_the_sdks_way(http: Any) -> None:
    """`APIError`'s own call, with the request as the second positional argument, works."""
    request = http.Request("GET", "https://api.example.test/v1")
    for cls in (RunFailedError, RunUnknownError):
        assert cls("m", request, body={"code": "c"}).request is request


@pytest.mark.parametrize("state", ["", "{}", '{"v": 2}', "[1]", "null"])
def test_args_that_are_none_of_ours(state: str) -> None:
    """Args that no release of this version wrote are a ValueError, never misread."""
    with pytest.raises(ValueError, match=r"snapshot|JSON|Expecting"):
        RunFailedError("m", state)


# --- lazily built parts never raise --------------------------------------------------------------------------------

STRANGE_BODIES: dict[str, dict[str, Any]] = {
    "newline_id": failed(id="resp_1\r\nx: y"),
    "slash_id": failed(id="../../v1/files?x=1#y"),
    "emoji_id": failed(id="\U0001f600"),
    "huge_number": failed(id=10**4000),
    "nan": failed(extra=float("nan")),
    "surrogate_id": failed(id="\ud800"),
    "long_id": failed(id="x" * 70_000),
    "surrogate_message": failed(message="\ud800"),
    "error_text": {"status": "failed", "error": "boom"},
    "event": {"type": "error", "code": "server_error"},
    "deep_error": {**failed(), "error": {"code": "server_error", "x": json.loads("[" * 300 + "]" * 300)}},
}


@pytest.mark.parametrize("body", STRANGE_BODIES.values(), ids=STRANGE_BODIES)
def test_parts_built_on_access(body: dict[str, Any]) -> None:
    """Body, request and response of an error can be read whatever the server put into the run."""
    error = run_error(body)
    assert error.body is not None
    assert error.request.url.host == "api.openai.com"  # type: ignore[attr-defined]
    if isinstance(error, RunStatusError):
        assert error.response.status_code == error.status_code
    assert pickle.loads(pickle.dumps(error)).retryable == error.retryable


def test_a_request_id_of_other_characters() -> None:
    """A request id that is not ASCII does not keep the response from being built."""
    model = sdk_model(failed())
    model._request_id = "req_é"
    error = run_error(model)
    assert isinstance(error, RunStatusError)
    assert error.response.status_code == 500


def test_an_error_is_not_kept_alive_by_itself() -> None:
    """An error that was handled is freed at once: no reference cycle holds its run."""
    import weakref

    gc.disable()
    try:
        error = run_error(sdk_model(failed()))
        assert isinstance(error, RunStatusError)
        assert error.response.status_code == 500
        watch = weakref.ref(error)
        del error
        assert watch() is None
    finally:
        gc.enable()


class Uncopyable(dict[str, object]):
    """A body that refuses to be copied."""

    def __deepcopy__(self, memo: object) -> object:
        raise TypeError("no copies")


def test_a_body_that_cannot_be_copied_is_shared() -> None:
    """A deep copy of an error whose body cannot be copied has the same body."""
    error = error_for(Uncopyable(failed()))
    assert error is not None
    assert copy.deepcopy(error).run is error.run
