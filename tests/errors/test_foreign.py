"""How exceptions travel that are not ours: what they said arrives, and nothing that they held."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import openai
import pytest

from runoutcome import PollingLostError, is_retryable, retry_after
from runoutcome._errors.sdk_pickling import Traveller, pack
from runoutcome._sdk import native_http_library
from runoutcome._sdk.faults import read_fault

KEY = "sk-secret-key-of-ours"
PROMPT = "Write about the secret plan."
URL = "https://user:password@api.example.test/v1/responses/resp_1?api-version=1"
http = native_http_library()


class LockedError(Exception):
    """Holds what no pickle can."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class PairError(OSError):
    """Cannot be made from its own arguments again."""

    def __init__(self, first: str, *, second: str) -> None:
        super().__init__(f"{first} and {second}")


def travelled(error: Exception) -> Any:
    """The exception on the other side."""
    packed = pack(error)
    arrived = pickle.loads(pickle.dumps(packed))
    return arrived.exception() if isinstance(arrived, Traveller) else arrived


def refused(status: int, cls: Any, *, body: Any = None, **headers: str) -> Any:
    """What the SDK raises for an answer to a poll, with the whole exchange on it."""
    sent = {"authorization": f"Bearer {KEY}", "api-key": KEY, "x-note": PROMPT}
    request = http.Request("GET", URL, headers=sent)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = http.Response(status, headers={"set-cookie": PROMPT, **named}, request=request, json={"error": body})
    error = cls(f"Error code: {status} - no such key: {KEY}", response=response, body=body)
    error.run_token = "resp_1"
    return error


def test_a_refusal_arrives_as_what_it_was() -> None:
    """Class, status, code, request id and the token are there, and tenacity is told the same about it."""
    body = {"message": "No quota.", "code": "insufficient_quota", "type": "x", "param": None}
    error = refused(429, openai.RateLimitError, body=body, x_request_id="req_1", retry_after="7")
    arrived = travelled(error)
    assert type(arrived) is openai.RateLimitError
    assert (arrived.status_code, arrived.code, arrived.request_id) == (429, "insufficient_quota", "req_1")
    assert (arrived.type, arrived.param, arrived.body["message"]) == ("x", None, "No quota.")
    assert (arrived.run_token, arrived.message) == ("resp_1", str(arrived))
    assert (is_retryable(arrived), retry_after(arrived)) == (is_retryable(error), retry_after(error)) == (False, 7.0)
    assert read_fault(arrived).from_api
    assert arrived.response.synthetic
    assert travelled(arrived).status_code == 429


def test_nothing_live_or_secret_travels() -> None:
    """Neither the key, which some gateways repeat, nor headers, nor more of a page than of any message."""
    page = f"<html>{'x' * 5000}"
    error = refused(404, openai.NotFoundError, body={"message": f"Bad key {KEY}", "input": PROMPT, "page": page})
    sent = pickle.dumps(pack(error))
    for secret in (KEY, PROMPT, "password", "api-version"):
        assert secret.encode() not in sent
    assert len(sent) < 2000
    assert str(travelled(error)) == "Error code: 404 - no such key: ..."


@pytest.mark.parametrize(
    "error",
    [
        openai.APIConnectionError(request=http.Request("GET", URL)),
        openai.APITimeoutError(request=http.Request("GET", URL)),
        openai.OpenAIError("Missing credentials."),
        refused(418, openai.APIStatusError, body="<html>"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_of_the_sdk_arrives(error: Exception) -> None:
    """Whatever its constructor asks for, it has its class and its text again."""
    arrived = travelled(error)
    assert (type(arrived), str(arrived)) == (type(error), str(error)[:300].replace(KEY, "..."))
    assert is_retryable(arrived) == is_retryable(error)


def test_a_class_of_somebodys_own_arrives_as_the_sdks() -> None:
    """A subclass that may not be there on the other side is named as the class of the SDK that it is one of."""

    class OwnError(openai.NotFoundError):
        pass

    assert type(travelled(refused(404, OwnError))) is openai.NotFoundError


def test_what_comes_back_by_itself_is_left_alone() -> None:
    """Our own errors, and all others that a pickle gives back."""
    for error in (PollingLostError("lost", token="resp_1"), OSError(5, "no disk"), KeyError("x")):
        assert pack(error) is error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (LockedError("stuck"), Exception, "LockedError: stuck"),
        (PairError("a", second="b"), OSError, "PairError: a and b"),
        (http.ReadTimeout("late", request=http.Request("GET", URL)), Exception, "ReadTimeout: late"),
    ],
    ids=["lock", "arguments", "http"],
)
def test_what_does_not_come_back_arrives_as_its_text(error: Exception, kind: type, text: str) -> None:
    """The nearest built-in class says what it was, and what it said; the token is there."""
    error.run_token = "resp_1"  # type: ignore[attr-defined]
    arrived = travelled(error)
    assert (type(arrived), str(arrived), arrived.run_token) == (kind, text, "resp_1")
    assert str(copy.deepcopy(pack(error)).exception()) == text  # type: ignore[union-attr]
