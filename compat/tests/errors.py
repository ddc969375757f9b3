"""Real errors by name: run bodies through `raise_for_status`; waits and submissions through `Runs` and the emulator.

Also imported by worker processes, so it imports no test tool.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from runoutcome import (
    OutputParseError,
    PollingLostError,
    RunEmptyError,
    RunError,
    RunGoneError,
    RunRefusedError,
    Runs,
    SubmissionUnknownError,
    WaitTimeoutError,
    raise_for_status,
)
from runoutcome.testing import Emulator

API_KEY, PROMPT, OUTPUT = "sk-compat-0123456789abcdef", "my-private-prompt", "my-private-output"
SECRETS = (API_KEY, PROMPT, OUTPUT)
DELAY_SECONDS = 2.512
SEEN_TOKEN = '{"runoutcome":1,"id":"resp_deleted","seen":true}'


REFUSED: Mapping[str, Any] = MappingProxyType(
    {"status": "completed", "output": [{"type": "message", "content": [{"type": "refusal", "refusal": OUTPUT}]}]}
)


class Planet(BaseModel):
    """A form that no output of the emulator has."""

    moons: int


def failed(code: object, message: str = "Something went wrong.") -> Mapping[str, Any]:
    """What a failed run's body says with this code."""
    return {"status": "failed", "error": {"code": code, "message": message}}


# Name -> what the run's body says. An identical new run may succeed after the first ones; after the others it may not.
RETRYABLE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "rate_limit_exceeded": failed(
            "rate_limit_exceeded", f"Rate limit reached for this model. Please try again in {DELAY_SECONDS}s."
        ),
        "slow_down": failed("slow_down"),
        "server_error": failed("server_error", "The server had an error while processing your request."),
        "server_is_overloaded": failed("server_is_overloaded"),
        "vector_store_timeout": failed("vector_store_timeout"),
        "conflict": failed(409),
    }
)
FINAL: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "insufficient_quota": failed("insufficient_quota", "You exceeded your current quota."),
        "credit_balance_exhausted": failed("credit_balance_exhausted"),
        "request_too_large": failed(
            "rate_limit_exceeded", "Request too large for this model: Limit 30000, Requested 90000. It must be reduced."
        ),
        "invalid_prompt": failed("invalid_prompt"),
        "cyber_policy": failed("cyber_policy"),
        "context_length_exceeded": failed("context_length_exceeded"),
        "invalid_api_key": failed("invalid_api_key"),
        "misalignment_policy_violation": failed("misalignment_policy_violation"),
        "model_not_found": failed("model_not_found"),
        "unprocessable": failed(422),
        "teapot": failed(418),
        "unknown_code": failed("a_code_nobody_knows"),
        "no_error": {"status": "failed", "error": None},
        "max_output_tokens": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        "content_filter": {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
        "cancelled": {"status": "cancelled"},
        "expired": {"status": "expired"},
        "queued": {"status": "queued"},
        "unknown_status": {"status": "a_status_nobody_knows"},
    }
)
STATUS_ERRORS: Mapping[str, int] = MappingProxyType(
    {
        "rate_limit_exceeded": 429,
        "slow_down": 429,
        "server_error": 500,
        "server_is_overloaded": 503,
        "vector_store_timeout": 500,
        "conflict": 409,
        "insufficient_quota": 429,
        "credit_balance_exhausted": 429,
        "request_too_large": 429,
        "invalid_prompt": 400,
        "cyber_policy": 400,
        "context_length_exceeded": 400,
        "invalid_api_key": 401,
        "misalignment_policy_violation": 403,
        "model_not_found": 404,
        "unprocessable": 422,
        "teapot": 418,
    }
)
"""The errors that claim an HTTP status, and which."""
# After these the run may still be going, or be finished and paid for.
WAITS = ("gone", "wait_timeout", "polling_lost", "submission_unknown")
UNUSABLE = ("refused", "empty", "output_parse")
"""Completed runs without the result that was asked for. In process they hold the model's own words."""
NOT_RETRYABLE = (*FINAL, *WAITS)
EVERY = (*RETRYABLE, *NOT_RETRYABLE)


def error(name: str) -> Exception:
    """A fresh error of this name, as our own calls raise it."""
    if name in (*WAITS, *UNUSABLE):
        return copy.copy(_wait_errors()[name])
    return caught(RunError, lambda: raise_for_status(Response.construct(**run_body(name))))


def run_body(name: str) -> dict[str, Any]:
    """The whole body of the run that ends in the error of this name, with what was asked and answered."""
    return {
        "object": "response",
        "id": f"resp_{name}",
        "model": "gpt-5.5",
        "error": None,
        "incomplete_details": None,
        "instructions": PROMPT,
        "metadata": {"note": PROMPT},
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "incomplete",
                "content": [{"type": "output_text", "text": OUTPUT, "annotations": []}],
            }
        ],
        **{**RETRYABLE, **FINAL}[name],
    }


def raise_error(name: str) -> None:
    """Raise the error of this name; for what needs a function it can import."""
    raise error(name)


def caught(kind: type[Exception], call: Callable[[], object]) -> Exception:
    """The error of this kind that `call` raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def leaked(carrier: bytes | str) -> list[str]:
    """The secrets that can be read in what leaves the process."""
    text = carrier.decode("utf-8", "replace") if isinstance(carrier, bytes) else carrier
    return [secret for secret in SECRETS if secret in text]


class FastClock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self._monotonic, self._start = 0.0, time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._monotonic

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._start + self._monotonic

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._monotonic += seconds


@cache
def _wait_errors() -> dict[str, Exception]:
    outcomes = [{"name": "down", "status": "in_progress", "poll_faults": ["503"] * 400}]
    # Runs end at once or never: the clock of the waits is not that of the emulator.
    scenario = {"queued_seconds": 0, "running_seconds": 0, "outcomes": outcomes}
    params: dict[str, Any] = {"model": "gpt-5.5", "input": PROMPT, "background": True}
    with (
        Emulator(scenario) as emulator,
        OpenAI(base_url=emulator.base_url, api_key=API_KEY, max_retries=0) as client,
    ):

        def runs() -> Runs:
            return Runs(client, clock=FastClock())

        def submitted(outcome: str) -> Response:
            return client.responses.create(**params, metadata={"emulate": outcome})

        return {
            "gone": caught(RunGoneError, lambda: runs().poll(SEEN_TOKEN)),
            "wait_timeout": caught(WaitTimeoutError, lambda: runs().poll(submitted("stuck"), max_wait_seconds=60)),
            "polling_lost": caught(PollingLostError, lambda: runs().poll(submitted("down"))),
            "submission_unknown": caught(
                SubmissionUnknownError, lambda: runs().create(**params, metadata={"emulate_create": "lost"})
            ),
            "refused": caught(RunRefusedError, lambda: raise_for_status(REFUSED, require="output")),
            "empty": caught(RunEmptyError, lambda: raise_for_status({"status": "completed"}, require="output")),
            "output_parse": caught(OutputParseError, lambda: runs().poll(submitted("completed"), text_format=Planet)),
        }
