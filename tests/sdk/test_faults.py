"""The one reader of failed requests: what each kind of exception proves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import openai
import pytest
from openai import OpenAI

from runoutcome._sdk.faults import Fault, NoRunBodyError, read_fault

UNREADABLE = json.JSONDecodeError("cut", "{", 1)


@pytest.mark.parametrize(
    ("name", "kind", "sent"),
    [
        *((name, "unreachable", "never") for name in ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError")),
        ("UnsupportedProtocol", "unreachable", "never"),
        *((name, "unreachable", "maybe") for name in ("ReadTimeout", "WriteTimeout", "ReadError", "WriteError")),
        *((name, "unreachable", "maybe") for name in ("RemoteProtocolError", "DecodingError")),
        ("LocalProtocolError", "refused_here", "never"),
    ],
)
def test_an_error_of_the_http_library(
    answering: Callable[..., OpenAI], http: Any, name: str, kind: str, sent: str
) -> None:
    """A request was never sent only where no connection was made or the library would not write it."""

    def answer(request: Any) -> Any:
        raise getattr(http, name)("m", request=request)

    with pytest.raises(openai.APIConnectionError) as caught:
        answering(answer).responses.create(model="m", input="x")
    for error in (caught.value, caught.value.__cause__):
        assert error is not None
        fault = read_fault(error)
        assert (fault.kind, fault.sent, fault.status_code, fault.is_poll_fault) == (kind, sent, None, True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((error, "unreachable") for error in (OSError(), ConnectionResetError(), TimeoutError())),
        *((error, "unreachable") for error in (anyio.EndOfStream(), anyio.BrokenResourceError())),
        (RuntimeError("Event loop is closed"), "unreachable"),
        (NoRunBodyError("HTTP 200 with an HTML page"), "garbage"),
        (UNREADABLE, "garbage"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "garbage"),
        *((error, "foreign") for error in (ValueError(), RuntimeError("a hook broke"), KeyboardInterrupt())),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:40],
)
def test_an_error_of_nobody_in_particular(error: BaseException, kind: str) -> None:
    """An error of a socket or a body is a poll fault; an error of the caller's own code is none."""
    fault = read_fault(error)
    assert (fault.kind, fault.is_poll_fault) == (kind, kind != "foreign")
    assert fault.sent == ("answered" if kind == "garbage" else "maybe")


@pytest.mark.parametrize(
    ("status", "is_poll_fault"),
    [(400, False), (401, False), (403, False), (404, False), (408, True), (409, True), (429, True), (500, True)],
)
def test_an_http_error(http_error: Callable[..., Exception], status: int, is_poll_fault: bool) -> None:
    """An answer is an answer; which ones say nothing about the run is the waiting policy's table."""
    words = {"code": "a_code", "message": "m"}
    fault = read_fault(http_error(status, words, {"retry-after": "3"}))
    assert fault == Fault("answered", "answered", status, from_api=True, is_json=True, retry_after=3.0, words=words)
    assert fault.is_poll_fault is is_poll_fault


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"error": {"message": "m"}}', True),
        (b'{"error": {}}', True),
        (b'{"error": "m"}', False),
        (b'{"error": null}', False),
        (b'{"message": "m"}', False),
        (b"[]", False),
        (b"<html>502</html>", False),
        (b"", False),
        (b"\xff\xfe", False),
        (b"[" * 100_000, False),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_the_apis_own_envelope(http: Any, content: bytes, expected: bool) -> None:
    """The API's own JSON envelope is its answer; a page of something in between is not."""
    response = http.Response(502, content=content, request=http.Request("POST", "https://a.test"))
    assert read_fault(openai.InternalServerError("m", response=response, body=None)).from_api is expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "250", "retry-after": "2"}, 0.25),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ],
)
def test_the_delay_that_an_answer_asks_for(
    http_error: Callable[..., Exception], headers: dict[str, str], seconds: float | None
) -> None:
    """The finer header wins, a date is turned into seconds, and a value that makes no sense is none."""
    assert read_fault(http_error(429, None, headers)).retry_after == seconds
