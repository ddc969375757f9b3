"""The result of one run of many, and the group of the runs that did not complete."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import openai
import pytest

from colours import body_of, refusal
from runoutcome import (
    Catalog,
    PollingLostError,
    RunExceptionGroup,
    RunInternalServerError,
    RunResult,
    WaitTimeoutError,
    action_for,
    classify,
    error_for,
    is_retryable,
    raise_for_status,
)
from runoutcome._errors.results import result_of
from runoutcome._sdk.responses import native_http_library

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

CATALOG = Catalog.load()


def failed(code: str | None, run_id: str = "resp_1") -> RunResult[Any]:
    """The result of a run that failed with this code."""
    error = error_for(body_of("failed", run_id, error={"code": code, "message": "It went wrong."}))
    assert error is not None
    return result_of(run_id, 0, run_id, error, CATALOG)


def group() -> RunExceptionGroup:
    """A group with a member of each kind but gone."""
    waited = WaitTimeoutError("still going", response_id="resp_9", token="resp_9")
    going = result_of("resp_9", 3, "resp_9", waited, CATALOG)
    return RunExceptionGroup.of([failed("server_error"), failed("invalid_prompt"), failed(None), going])


def test_a_completed_run_has_a_response() -> None:
    """Its result is what `poll` returns."""
    body: Any = body_of("completed")
    result = result_of("resp_1", 4, "resp_1", body, CATALOG)
    assert (result.has_response, result.result(), result.index, result.response_id) == (True, body, 4, "resp_1")
    assert (result.retryable, result.action, result.token) == (False, "none", None)


def test_a_failed_run_raises_what_poll_raises() -> None:
    """Its result is an exception, and its outcome says what may be done."""
    result = failed("server_error")
    assert (result.has_response, result.retryable, result.action) == (False, True, "resubmit")
    with pytest.raises(RunInternalServerError):
        result.result()


def test_an_error_that_says_nothing_about_the_run_leaves_it_unknown() -> None:
    """A wait that was lost, or an error of the client's: the outcome is unknown, and names the run."""
    for error in (PollingLostError("lost", token="resp_3"), OSError("no network")):
        outcome = result_of("resp_3", 0, "resp_3", error, CATALOG).outcome
        assert (outcome.phase, outcome.response_id, outcome.retryable) == ("unknown", "resp_3", False)


def test_a_result_shows_no_prompt() -> None:
    """Its repr is one short line."""
    body: Any = body_of("completed", instructions="A secret prompt.")
    assert repr(result_of(body, 0, "resp_1", body, CATALOG)) == "<RunResult 0: resp_1 ok>"
    assert repr(failed("server_error")) == "<RunResult 0: resp_1 RunInternalServerError>"


def test_members_are_split_by_what_to_do() -> None:
    """A new run may help, or it would not, or the run may still be going."""
    failures = group()
    assert [getattr(error, "code", None) for error in failures.retry] == ["server_error"]
    assert [getattr(error, "code", None) for error in failures.fix] == ["invalid_prompt", None]
    assert [type(error).__name__ for error in failures.going] == ["WaitTimeoutError"]
    assert failures.gone == ()
    assert "retry these: 1, fix these: 2, still going: 1" in str(failures)


def test_a_group_is_retryable_only_as_a_whole() -> None:
    """`is_retryable` of a group is that of all its members; one of its parts may well be."""
    failures = group()
    assert not is_retryable(failures)
    assert is_retryable(failures.exceptions[0])


def waited(status: str) -> WaitTimeoutError:
    """A wait that timed out, and what its run was last seen as."""
    return WaitTimeoutError("It took too long.", token="resp_1", outcome=classify(body_of(status)))


def refused(status: int) -> openai.APIStatusError:
    """The SDK's error for a poll that was answered with this status."""
    cls = {401: openai.AuthenticationError, 403: openai.PermissionDeniedError, 404: openai.NotFoundError}
    return cls.get(status, openai.APIStatusError)(f"It is {status}.", response=refusal_of(status), body=None)


def refusal_of(status: int) -> Any:
    """An answer, with the request that it was sent for."""
    response = refusal(status)
    response.request = native_http_library().Request("GET", "https://api.example.test/v1/responses/resp_1")
    return response


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (waited("cancelled"), "fix"),
        (waited("in_progress"), "going"),
        (WaitTimeoutError("It took too long.", token="resp_1"), "going"),
        (PollingLostError("lost", token="resp_1"), "going"),
        (error_for(body_of("cancelled")), "fix"),
        (error_for(body_of("hibernating")), "going"),
        (refused(400), "fix"),
        (refused(404), "fix"),
        (refused(410), "fix"),
        (refused(401), "going"),
        (refused(403), "going"),
        (refused(429), "going"),
        (refused(503), "going"),
        (OSError("no network"), "going"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_part_of_a_wait_that_ended_otherwise(error: Exception, part: str) -> None:
    """A run that was cancelled is over; an id that is refused needs fixing; after anything else it may be going.

    A key that is refused says nothing about the run: its token is polled once the key is right.
    """
    failures = RunExceptionGroup("Some did not complete.", [error])
    assert {name: len(getattr(failures, name)) for name in ("retry", "fix", "gone", "going")} == {
        **dict.fromkeys(("retry", "fix", "gone", "going"), 0),
        part: 1,
    }
    loaded = pickle.loads(pickle.dumps(failures))
    assert [type(member) for member in getattr(loaded, part)] == [type(error)]


def test_errors_of_others_are_pickled_in_a_group() -> None:
    """Members of the SDK's classes, which have no pickle of their own, keep their positions and tokens."""
    lost = refused(404)
    lost.run_token = "resp_1"  # type: ignore[attr-defined]
    results = [result_of("resp_1", 0, "resp_1", lost, CATALOG), result_of("resp_2", 1, "resp_2", refused(401), CATALOG)]
    failures = RunExceptionGroup.of(results)
    for loaded in (pickle.loads(pickle.dumps(failures)), copy.deepcopy(failures)):
        assert [str(part) for part in loaded.exceptions] == [str(part) for part in failures.exceptions]
        assert (loaded.fix[0].status_code, loaded.fix[0].run_token) == (404, "resp_1")
        assert type(loaded.going[0]) is openai.AuthenticationError
        assert str(pickle.loads(pickle.dumps(loaded))) == str(failures)
    assert copy.copy(failures).fix == (lost,)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_group_is_pickled_without_results(copied: Any) -> None:
    """Its members and parts are kept; the results, which hold prompts and output, are left out."""
    failures, loaded = group(), copied(group())
    assert type(loaded) is RunExceptionGroup
    assert [type(error) for error in loaded.fix] == [type(error) for error in failures.fix]
    assert (len(failures.results), loaded.results) == (4, ())
    assert str(loaded) == str(failures)


def test_a_part_split_off_is_a_group_of_the_same_kind() -> None:
    """`except*` and `split` give groups with `retry`, `fix`, `gone` and `going` of their own."""
    matching, rest = group().split(RunInternalServerError)
    assert isinstance(matching, RunExceptionGroup)
    assert isinstance(rest, RunExceptionGroup)
    assert [len(part) for part in (matching.retry, matching.fix, rest.retry, rest.fix, rest.going)] == [1, 0, 0, 2, 1]
    assert len(rest.results) == 4
    assert group().split(KeyboardInterrupt)[0] is None


def test_a_group_is_an_exception_group() -> None:
    """It is an ExceptionGroup, and so are its parts."""
    assert isinstance(group(), ExceptionGroup)
    assert isinstance(group(), BaseExceptionGroup)
    assert all(isinstance(part, ExceptionGroup) for part in group().exceptions)


def test_results_can_be_judged_again() -> None:
    """The exception of a result is as good as its body."""
    with pytest.raises(RunInternalServerError):
        raise_for_status(failed("server_error").error)


def test_a_run_that_acted_is_not_among_those_to_retry() -> None:
    """A run in which tools acted has to be looked at first: it is in `fix`, and its action is none."""
    output = [{"type": "mcp_call", "name": "pay"}]
    error = error_for(body_of("failed", error={"code": "server_error"}, output=output))
    assert error is not None
    group = RunExceptionGroup.of([result_of("resp_1", 0, "resp_1", error, CATALOG)])
    assert (group.retry, group.fix) == ((), (error,))
    assert (is_retryable(error), action_for(error), is_retryable(error, after_tools=True)) == (False, "none", True)
