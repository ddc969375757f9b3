"""What the API refuses, and how."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError

import openai
import pytest
from openai import OpenAI

from runoutcome.testing import Emulator


def send(emulator: Emulator, data: bytes | None, headers: Mapping[str, str], path: str = "/responses") -> Any:
    """Status and JSON of a plain HTTP request, for what the SDK's client cannot be made to send."""
    request = urllib.request.Request(emulator.base_url + path, data, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.load(reply)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


KEY = {"Authorization": "Bearer any"}
GOOD = json.dumps({"model": "gpt-5", "input": "hi"}).encode()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic abc"}])
def test_a_request_without_a_key_is_refused(emulator: Emulator, headers: dict[str, str]) -> None:
    """No token is a 401 in the API's envelope."""
    status, body = send(emulator, GOOD, headers)
    assert status == 401
    assert body["error"].pop("message")
    assert body == {"error": {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}}


@pytest.mark.parametrize("headers", [KEY, {"api-key": "any"}])
def test_any_key_will_do(emulator: Emulator, headers: dict[str, str]) -> None:
    """Any bearer token, or an `api-key` header, is accepted."""
    assert send(emulator, GOOD, headers)[0] == 200


@pytest.mark.parametrize("data", [b"{", b"[]", b'"x"', b"\xff", b""])
def test_a_body_that_is_no_json_object_is_refused(emulator: Emulator, data: bytes) -> None:
    """Malformed JSON is a 400 in the API's envelope."""
    status, body = send(emulator, data, KEY)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"background": "yes"}, "background"),
        ({"background": True, "store": False}, "store"),
        ({"stream": True}, "stream"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"metadata": {"k" * 65: "v"}}, "metadata." + "k" * 64),
        ({"metadata": {str(n): "v" for n in range(17)}}, "metadata"),
        ({"tools": ["look"]}, "tools"),
        ({"reasoning": "much"}, "reasoning"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(
    client: OpenAI, emulator: Emulator, params: dict[str, Any], param: str
) -> None:
    """A 400 names the parameter, and no run is created."""
    before = len(emulator.runs)
    arguments: dict[str, Any] = {"model": "gpt-5", "input": "hi", **params}
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**arguments)
    assert caught.value.param == param
    assert len(emulator.runs) == before


def test_metadata_at_its_limits_is_accepted(client: OpenAI) -> None:
    """16 pairs, keys of 64 and values of 512 characters are within bounds."""
    metadata = {f"{n:064}": "v" * 512 for n in range(16)}
    assert client.responses.create(model="gpt-5", input="hi", metadata=metadata).metadata == metadata


def test_streams_are_refused_in_so_many_words(client: OpenAI) -> None:
    """The emulator says that it does not stream yet, on create and on retrieve."""
    run = client.responses.create(model="gpt-5", input="hi", background=True)
    with pytest.raises(openai.BadRequestError, match="does not stream yet"):
        client.responses.create(model="gpt-5", input="hi", background=True, stream=True)
    with pytest.raises(openai.BadRequestError, match="does not stream yet"):
        client.responses.retrieve(run.id, stream=True)


@pytest.mark.parametrize("path", ["/models", "/responses/resp_x/input_items", "/responses/resp_x/cancel"])
def test_other_routes_are_not_there(emulator: Emulator, path: str) -> None:
    """A route the emulator lacks is a 404 in the API's envelope; so is a GET of the cancel route."""
    status, body = send(emulator, None, KEY, path)
    assert (status, body["error"]["message"]) == (404, f"Invalid URL (GET /v1{path})")


def test_every_answer_has_the_headers_of_the_api(client: OpenAI) -> None:
    """Good answers and errors carry a request id of their own, and the processing time."""
    good = client.responses.with_raw_response.create(model="gpt-5", input="hi").headers
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve("resp_x")
    bad = caught.value.response.headers
    for headers in (good, bad):
        assert headers["x-request-id"].startswith("req_")
        assert int(headers["openai-processing-ms"]) >= 0
    assert good["x-request-id"] != bad["x-request-id"]
    assert caught.value.request_id == bad["x-request-id"]


@pytest.mark.parametrize(
    ("params", "param", "said"),
    [
        ({"metadata": {"emulate": "complted"}}, "metadata.emulate", "'complted'; did you mean 'completed'"),
        ({"metadata": {"emulate": "completed,,failed"}}, "metadata.emulate", "empty place"),
        ({"metadata": {"emulate": "failed:"}}, "metadata.emulate", "failed:CODE"),
        ({"model": "emulate-nothing"}, "model", "Allowed: completed, cancelled,"),
        ({"metadata": {"emulate_create": "503,x"}}, "metadata.emulate_create", "unknown fault 'x'"),
    ],
)
def test_a_bad_marker_is_refused_with_what_is_allowed(
    client: OpenAI, params: dict[str, Any], param: str, said: str
) -> None:
    """A marker that names nothing is a 400 with the word and the words that would do."""
    arguments: dict[str, Any] = {"model": "gpt-5", "input": "hi", "background": True, **params}
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        client.responses.create(**arguments)
    assert caught.value.param == param
