"""The one module that knows the SDK and its HTTP library."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from openai import OpenAI

from bodies import REQUEST_ID, body_of, http_response
from runoutcome import Catalog, _sdk, classify
from runoutcome._sdk.responses import build_run, http_library_of, native_http_library, run_url, synthetic_response

BODY = body_of(Catalog.load().find("server_error")[0])
LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


def test_version_and_library_agree(http: Any) -> None:
    """The SDK's line decides the HTTP library: `httpx` up to 2.x, `httpx2` from 3.0."""
    major = int(_sdk.SDK_VERSION.partition(".")[0])
    assert openai.__version__ == _sdk.SDK_VERSION
    assert http.__name__ == ("httpx2" if major >= 3 else "httpx")
    client = OpenAI(api_key="k")
    assert isinstance(client._client, http.Client)
    client.close()


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_library_of_a_response_is_its_own(name: str) -> None:
    """A response's HTTP library is the one it is an object of, whatever the SDK is written for."""
    library = importlib.import_module(name)
    assert http_library_of(library.Response(200)) is library


@pytest.mark.parametrize("obj", [None, "x", SimpleNamespace()], ids=repr)
def test_the_library_of_anything_else(http: Any, obj: object) -> None:
    """What is no response of a known library is taken for the installed SDK's."""
    assert http_library_of(obj) is http


@pytest.mark.parametrize(
    ("response_id", "polled", "url"),
    [
        ("resp_1", None, "https://api.openai.com/v1/responses/resp_1"),
        (None, None, "https://api.openai.com/v1/responses"),
        ("", None, "https://api.openai.com/v1/responses"),
        ("a/b?c#d e", None, "https://api.openai.com/v1/responses/a%2Fb%3Fc%23d%20e"),
        ("resp_1", "https://gw.test:8443/x/responses/resp_1", "https://gw.test:8443/x/responses/resp_1"),
        ("resp_1", "https://user:pw@gw.test/r?api-key=sk-1#f", "https://gw.test/r"),
        ("resp_1", "", ""),
    ],
)
def test_the_address_of_a_run(response_id: str | None, polled: str | None, url: str) -> None:
    """A run's address is where it was polled, without credentials, query and fragment, else the API's own."""
    assert run_url(response_id, polled) == url


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_synthetic_response(name: str) -> None:
    """A synthetic response belongs to the library that is asked for, has a bare request, and says what it is."""
    library = importlib.import_module(name)
    response = synthetic_response(library, "https://a.test/r", 429, {"x-should-retry": "true"}, {"error": None})
    assert isinstance(response, library.Response)
    assert (response.synthetic, response.status_code, response.json()) == (True, 429, {"error": None})
    assert response.headers["x-should-retry"] == "true"
    assert response.headers["content-type"] == "application/json"
    assert (response.request.method, str(response.request.url)) == ("GET", "https://a.test/r")
    assert set(response.request.headers) <= {"host"}


def test_a_synthetic_response_of_what_json_does_not_know() -> None:
    """A payload with other objects in it, or with lone surrogates, makes a response too."""
    library = native_http_library()
    response = synthetic_response(library, "https://a.test", 500, {}, {"error": {"x": object(), "y": "\ud800"}})
    assert response.json()["error"]["y"] == "\ud800"


def test_a_run_is_built_as_the_sdk_builds_it(answering: Callable[..., OpenAI]) -> None:
    """The model of a body is that of the SDK's own `retrieve`, request id included."""
    theirs = answering(lambda request: http_response(BODY)).responses.retrieve("resp_1")
    ours = build_run(BODY, REQUEST_ID)
    assert type(ours) is type(theirs)
    assert (ours._request_id, ours.to_dict()) == (theirs._request_id, theirs.to_dict())
    assert classify(ours) == classify(theirs)
