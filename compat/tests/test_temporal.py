"""Temporal: what its failure converter makes of a raised error, without a server."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter, DefaultFailureConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import runoutcome
from errors import EVERY, RETRYABLE, STATUS_ERRORS, WAITS, caught, error, leaked, raise_error
from runoutcome import RunError, is_retryable, retry_after

PACKAGE = "temporalio"


def converted(exc: BaseException) -> Failure:
    """The failure that the worker sends to the server for this exception."""
    failure = Failure()
    asyncio.run(DataConverter.default.encode_failure(exc, failure))
    return failure


def received(failure: Failure) -> BaseException:
    """The exception that a workflow or client gets for it."""
    sent = Failure.FromString(failure.SerializeToString())
    return asyncio.run(DataConverter.default.decode_failure(sent))


def application_error(exc: Exception) -> ApplicationError:
    """What an activity raises in its place: the decision for Temporal, the outcome as data."""
    delay = retry_after(exc)
    return ApplicationError(
        str(exc),
        *((exc.outcome.to_dict(),) if isinstance(exc, RunError) else ()),
        type=type(exc).__name__,
        non_retryable=not is_retryable(exc),
        next_retry_delay=None if delay is None else timedelta(seconds=delay),
    )


@pytest.mark.parametrize("name", EVERY)
def test_the_default_converter_keeps_class_name_and_text(name: str) -> None:
    """`DataConverter` sends an error as an `ApplicationError` with its class name and text, and nothing secret."""
    sent = caught(Exception, lambda: raise_error(name))
    failure = converted(sent)
    got = received(failure)
    assert isinstance(got, ApplicationError)
    assert (got.type, got.message) == (type(sent).__name__, str(sent))
    assert hasattr(runoutcome, got.type or "")
    assert leaked(failure.SerializeToString()) == []


@pytest.mark.parametrize("name", [name for name in EVERY if name not in WAITS])
def test_a_run_error_brings_no_cause_along(name: str) -> None:
    """A failure for a run's body has no cause: nothing of ours hangs below it."""
    assert not converted(error(name)).HasField("cause")


def test_the_default_converter_does_not_ask_for_the_verdict() -> None:
    """Limitation: of a foreign exception the converter reads class and text only, so a quota failure counts as
    retryable unless the activity says otherwise, as below, or the retry policy names the class.
    """
    failure = Failure()
    DefaultFailureConverter().to_failure(error("insufficient_quota"), DataConverter.default.payload_converter, failure)
    assert not failure.application_failure_info.non_retryable
    assert not failure.application_failure_info.details.payloads


@pytest.mark.parametrize("name", EVERY)
def test_an_application_error_tells_the_verdict(name: str) -> None:
    """An activity that raises `ApplicationError(non_retryable=not is_retryable(e), next_retry_delay=...)` with
    `outcome.to_dict()` as details: verdict, delay and outcome arrive.
    """
    sent = error(name)

    async def activity() -> None:
        try:
            raise sent
        except Exception as exc:
            raise application_error(exc) from exc

    failure = converted(caught(ApplicationError, lambda: asyncio.run(ActivityEnvironment().run(activity))))
    got = received(failure)
    assert isinstance(got, ApplicationError)
    assert got.non_retryable is (name not in RETRYABLE)
    assert got.next_retry_delay == (timedelta(seconds=2.512) if name == "rate_limit_exceeded" else None)
    if isinstance(sent, RunError):
        assert list(got.details) == [json.loads(json.dumps(sent.outcome.to_dict()))]
        assert got.details[0]["status_code"] == STATUS_ERRORS.get(name, got.details[0]["status_code"])
    assert leaked(failure.SerializeToString()) == []
