"""The strategies for tenacity, under its own controllers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import openai
import pytest
import tenacity

from runoutcome import RunError, Runs, SubmissionUnknownError, error_for
from runoutcome._sdk.responses import native_http_library
from runoutcome.integrations.tenacity import (
    retry_if_retryable,
    stop_if_action,
    stop_if_retry_after_exceeds,
    wait_retry_after,
)
from runoutcome.testing import Emulator

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

DELAY_SECONDS = 2.512
LIMITED = ("rate_limit_exceeded", f"Rate limit reached. Please try again in {DELAY_SECONDS}s.")
HOURS = ("rate_limit_exceeded", "Rate limit reached. Please try again in 7200s.")


def run_error(code: str, message: str = "Something went wrong.", **fields: Any) -> RunError:
    """The error of a run that failed with this code."""
    body = {"object": "response", "id": "resp_1", "status": "failed", "error": {"code": code, "message": message}}
    error = error_for({**body, **fields})
    assert isinstance(error, RunError)
    return error


def http_error(status: int, **headers: str) -> openai.APIStatusError:
    """The SDK's own error for an answer with this status."""
    library = native_http_library()
    request = library.Request("POST", "https://api.openai.com/v1/responses")
    response = library.Response(status, headers=headers, request=request)
    return openai.APIStatusError("refused", response=response, body=None)


def acted() -> RunError:
    """A retryable failure of a run in which a tool acted."""
    return run_error("server_error", output=[{"type": "mcp_call", "id": "mcp_1", "status": "completed"}])


def connection_error() -> openai.APIConnectionError:
    """A create that reached nobody."""
    return openai.APIConnectionError(request=native_http_library().Request("POST", "https://api.openai.com/v1"))


MAKERS: dict[str, tuple[Callable[[], Exception], bool]] = {
    "retryable run": (lambda: run_error("server_error"), True),
    "limited run": (lambda: run_error(*LIMITED), True),
    "quota run": (lambda: run_error("insufficient_quota"), False),
    "unknown code": (lambda: run_error("a_code_nobody_knows"), False),
    "tool acted": (acted, False),
    "create that may have gone through": (lambda: SubmissionUnknownError("lost", key="key-1"), False),
    "HTTP 503": (lambda: http_error(503), True),
    "HTTP 400": (lambda: http_error(400), False),
    "no connection": (connection_error, True),
    "foreign": (lambda: KeyError("x"), False),
    "retryable group": (lambda: ExceptionGroup("two", [run_error("server_error"), http_error(500)]), True),
    "mixed group": (lambda: ExceptionGroup("two", [run_error("server_error"), run_error("invalid_prompt")]), False),
}
"""An exception, and whether another attempt is right."""


def attempts(make: Callable[[], Exception], *, is_async: bool = False, **strategies: Any) -> tuple[int, list[float]]:
    """How often work that always fails is tried under these strategies, and the waits between."""
    calls, sleeps = list[int](), list[float]()
    strategies = {"stop": tenacity.stop_after_attempt(3), "retry": retry_if_retryable(), **strategies}

    def work() -> None:
        calls.append(1)
        raise make()

    async def work_async() -> None:
        work()

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)

    with suppress(Exception):
        if is_async:
            asyncio.run(tenacity.AsyncRetrying(**strategies, sleep=sleep)(work_async))
        else:
            tenacity.Retrying(**strategies, sleep=sleeps.append)(work)
    return len(calls), sleeps


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_retry_if_retryable(name: str, is_async: bool) -> None:
    """Another attempt is made where a new run may succeed, and nowhere else, in both colours."""
    make, is_right = MAKERS[name]
    assert attempts(make, is_async=is_async)[0] == (3 if is_right else 1)


def test_after_tools() -> None:
    """With `after_tools=True` a retryable run in which a tool acted is made again."""
    assert attempts(acted, retry=retry_if_retryable(after_tools=True))[0] == 3


def test_a_result_is_left_alone() -> None:
    """A function that returns is done, whatever it returns."""
    body = {"object": "response", "status": "failed", "error": {"code": "server_error", "message": ""}}
    retrying = tenacity.Retrying(retry=retry_if_retryable(), wait=wait_retry_after(), stop=stop_if_action("resubmit"))
    assert retrying(lambda: body) is body


@pytest.mark.parametrize(
    ("make", "seconds"),
    [
        (lambda: run_error(*LIMITED), DELAY_SECONDS),
        (lambda: http_error(429, **{"retry-after": "7"}), 7.0),
        (lambda: ExceptionGroup("two", [run_error(*LIMITED), http_error(429, **{"retry-after": "7"})]), 7.0),
        (lambda: run_error("server_error"), 1.5),
    ],
)
def test_wait_retry_after(make: Callable[[], Exception], seconds: float) -> None:
    """The wait is the server's, of a group the longest; without one it is the fallback's."""
    assert attempts(make, wait=wait_retry_after(tenacity.wait_fixed(1.5)))[1] == [seconds] * 2


def test_a_wait_can_be_added_to() -> None:
    """The wait combines with tenacity's own by `+`, and its fallback may be a function."""
    wait = wait_retry_after(lambda state: state.attempt_number * 10) + tenacity.wait_fixed(0.5)
    assert attempts(lambda: run_error("server_error"), wait=wait)[1] == [10.5, 20.5]


def test_a_fallback_is_a_strategy() -> None:
    """A number in its place is refused at once, and does not hide the first failure."""
    number: Any = 5
    with pytest.raises(TypeError, match="fallback"):
        wait_retry_after(number)


def test_the_fallback_by_default_backs_off() -> None:
    """Without a fallback of one's own the wait grows from attempt to attempt."""
    first, second = attempts(lambda: run_error("server_error"), wait=wait_retry_after())[1]
    assert 0 < first < second + 1


@pytest.mark.parametrize(
    ("make", "actions", "calls"),
    [
        (lambda: run_error("insufficient_quota"), ["fix_account"], 1),
        (lambda: run_error("invalid_prompt"), ["fix_account"], 3),
        (lambda: run_error("invalid_prompt"), ["fix_account", "change_request"], 1),
        (acted, ["none"], 1),
        (lambda: KeyError("x"), ["fix_account"], 3),
    ],
)
def test_stop_if_action(make: Callable[[], Exception], actions: list[str], calls: int) -> None:
    """Under a `retry` that takes everything, the attempts end at an exception with one of the actions."""
    stop = stop_if_action(*actions) | tenacity.stop_after_attempt(3)
    assert attempts(make, retry=tenacity.retry_if_exception_type(Exception), stop=stop)[0] == calls


def test_an_action_is_a_known_word() -> None:
    """A word that is no action is refused, with those that are."""
    with pytest.raises(ValueError, match=r"resubmit.*fix_account.*got 'fix_acount'"):
        stop_if_action("resubmit", "fix_acount")


@pytest.mark.parametrize(
    ("make", "calls"),
    [
        (lambda: run_error(*LIMITED), 3),
        (lambda: run_error(*HOURS), 1),
        (lambda: ExceptionGroup("two", [run_error(*LIMITED), run_error(*HOURS)]), 1),
        (lambda: http_error(503), 3),
    ],
)
def test_stop_if_retry_after_exceeds(make: Callable[[], Exception], calls: int) -> None:
    """The attempts end if the server asked for a longer wait than the limit, which is compared uncut."""
    stop = stop_if_retry_after_exceeds(3600) | tenacity.stop_after_attempt(3)
    assert attempts(make, stop=stop)[0] == calls


@pytest.mark.parametrize(("seconds", "error"), [("60", TypeError), (-1, ValueError), (float("nan"), ValueError)])
def test_a_limit_is_a_time(seconds: Any, error: type[Exception]) -> None:
    """A limit that is no time is refused."""
    with pytest.raises(error, match="seconds is a number of seconds"):
        stop_if_retry_after_exceeds(seconds)


@pytest.mark.parametrize(
    ("marker", "seconds", "runs"),
    [
        ({"emulate": "server_error,completed"}, None, 2),
        ({"emulate": "insufficient_quota"}, None, 1),
        ({"emulate": "stuck"}, 0, 1),
        ({"emulate_create": "lost"}, None, 1),
    ],
)
def test_runs_are_paid_again_only_where_that_is_right(marker: dict[str, str], seconds: float | None, runs: int) -> None:
    """Around `create_and_poll` a retryable failure makes one more run; quota, a pending run, a lost create: none."""
    params = {"model": "gpt-5.5", "input": "Hi", "metadata": marker}
    with Emulator(speed=1000) as emulator, openai.OpenAI(base_url=emulator.base_url, api_key="any") as client:
        retrying = tenacity.Retrying(retry=retry_if_retryable(), stop=tenacity.stop_after_attempt(3), reraise=True)
        with suppress(openai.OpenAIError):
            retrying(lambda: Runs(client).create_and_poll(**params, poll_interval_ms=1, max_wait_seconds=seconds))
        assert len(emulator.runs) == runs
