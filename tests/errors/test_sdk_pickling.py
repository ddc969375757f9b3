"""Plain forms of exceptions that are not ours: class, text and facts, and no live object."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from typing import Any

import openai
import pytest

from runoutcome import PollingLostError, is_retryable, retry_after
from runoutcome._errors.sdk_pickling import pack, unpack
from runoutcome._sdk.faults import read_fault
from runoutcome._sdk.responses import native_http_library

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

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


def repickled(error: Exception) -> Any:
    """The exception after its plain form was pickled and loaded."""
    return unpack(pickle.loads(pickle.dumps(pack(error))))


def refused(status: int, cls: Any, *, body: Any = None, **headers: str) -> Any:
    """What the SDK raises for an answer to a poll, with the whole exchange on it."""
    sent = {"authorization": f"Bearer {KEY}", "api-key": KEY, "x-note": PROMPT}
    request = http.Request("GET", URL, headers=sent)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = http.Response(status, headers={"set-cookie": PROMPT, **named}, request=request, json={"error": body})
    error = cls(f"Error code: {status} - no such key: {KEY}", response=response, body=body)
    error.run_token = "resp_1"
    return error


def test_a_refusal_is_kept() -> None:
    """Class, status, code, request id and the token are there, and tenacity is told the same about it."""
    body = {"message": "No quota.", "code": "insufficient_quota", "type": "x", "param": None}
    error = refused(429, openai.RateLimitError, body=body, x_request_id="req_1", retry_after="7")
    loaded = repickled(error)
    assert type(loaded) is openai.RateLimitError
    assert (loaded.status_code, loaded.code, loaded.request_id) == (429, "insufficient_quota", "req_1")
    assert (loaded.type, loaded.param, loaded.body["message"]) == ("x", None, "No quota.")
    assert (loaded.run_token, loaded.message) == ("resp_1", str(loaded))
    assert (is_retryable(loaded), retry_after(loaded)) == (is_retryable(error), retry_after(error)) == (False, 7.0)
    assert read_fault(loaded).from_api
    assert loaded.response.synthetic
    assert repickled(loaded).status_code == 429


def test_nothing_live_or_secret_is_pickled() -> None:
    """Neither the key, which some gateways repeat, nor headers, nor more of a page than of any message."""
    page = f"<html>{'x' * 5000}"
    error = refused(404, openai.NotFoundError, body={"message": f"Bad key {KEY}", "input": PROMPT, "page": page})
    sent = pickle.dumps(pack(error))
    for secret in (KEY, PROMPT, "password", "api-version"):
        assert secret.encode() not in sent
    assert len(sent) < 2000
    assert str(repickled(error)) == "Error code: 404 - no such key: ..."


def test_every_error_of_the_sdk_is_kept() -> None:
    """Whatever its constructor asks for, it has its class and its text again."""
    for error in (
        openai.APIConnectionError(request=http.Request("GET", URL)),
        openai.APITimeoutError(request=http.Request("GET", URL)),
        openai.OpenAIError("Missing credentials."),
        refused(418, openai.APIStatusError, body="<html>"),
    ):
        loaded = repickled(error)
        assert (type(loaded), str(loaded)) == (type(error), str(error)[:300].replace(KEY, "..."))
        assert is_retryable(loaded) == is_retryable(error)


def test_a_class_of_somebodys_own_becomes_the_sdks() -> None:
    """A subclass that may not be there on the other side is named as the class of the SDK that it is one of."""

    class OwnError(openai.NotFoundError):
        pass

    assert type(repickled(refused(404, OwnError))) is openai.NotFoundError


def test_a_picklable_error_is_left_alone() -> None:
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
def test_another_error_becomes_its_text(error: Exception, kind: type, text: str) -> None:
    """The nearest built-in class says what it was, and what it said; the token is there."""
    error.run_token = "resp_1"  # type: ignore[attr-defined]
    loaded = repickled(error)
    assert (type(loaded), str(loaded), loaded.run_token) == (kind, text, "resp_1")
    assert str(unpack(copy.deepcopy(pack(error)))) == text


def test_a_group_is_packed_with_its_members() -> None:
    """Groups within groups come back as groups, their members as they would alone."""
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [refused(404, openai.NotFoundError)]), KeyError("x")])
    loaded = repickled(group)
    assert (loaded.message, loaded.exceptions[0].message) == ("outer", "inner")
    assert [type(error) for error in loaded.exceptions[0].exceptions] == [openai.NotFoundError]
    assert repr(loaded.exceptions[1]) == "KeyError('x')"
