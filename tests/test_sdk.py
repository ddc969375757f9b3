"""The one module that knows the SDK and its HTTP library."""

from __future__ import annotations

import importlib.util
import inspect
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anyio
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from bodies import REQUEST_ID, body_of, http_response
from runoutcome import Catalog, _sdk, classify

BODY = body_of(Catalog.load().find("server_error")[0])
LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


@pytest.fixture
def fetch(http: Any, answering: Callable[..., OpenAI], request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`_sdk.fetch` or, by parameter, `_sdk.fetch_async`: one poll, answered by a function, through a real client."""

    def sync(handler: Callable[[Any], Any], response_id: str, seconds: float | None, **options: Any) -> Any:
        return _sdk.fetch(answering(handler, **options), response_id, seconds)

    def coroutine(handler: Callable[[Any], Any], response_id: str, seconds: float | None, **options: Any) -> Any:
        async def run() -> Any:
            given = {"api_key": "sk-secret-key", "base_url": "https://api.example.test/v1", "max_retries": 2, **options}
            transport = http.AsyncClient(transport=http.MockTransport(handler))
            async with AsyncOpenAI(**given, http_client=transport) as client:
                return await _sdk.fetch_async(client, response_id, seconds)

        return anyio.run(run)

    return sync if request.param == "sync" else coroutine


both_colours = pytest.mark.parametrize("fetch", ["sync", "async"], indirect=True)


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
    assert _sdk.http_library_of(library.Response(200)) is library


@pytest.mark.parametrize("obj", [None, "x", SimpleNamespace()], ids=repr)
def test_the_library_of_anything_else(http: Any, obj: object) -> None:
    """What is no response of a known library is taken for the installed SDK's."""
    assert _sdk.http_library_of(obj) is http


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
    assert _sdk.run_url(response_id, polled) == url


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_synthetic_response(name: str) -> None:
    """A synthetic response belongs to the library that is asked for, has a bare request, and says what it is."""
    library = importlib.import_module(name)
    response = _sdk.synthetic_response(library, "https://a.test/r", 429, {"x-should-retry": "true"}, {"error": None})
    assert isinstance(response, library.Response)
    assert (response.synthetic, response.status_code, response.json()) == (True, 429, {"error": None})
    assert response.headers["x-should-retry"] == "true"
    assert response.headers["content-type"] == "application/json"
    assert (response.request.method, str(response.request.url)) == ("GET", "https://a.test/r")
    assert set(response.request.headers) <= {"host"}


def test_a_synthetic_response_of_what_json_does_not_know() -> None:
    """A payload with other objects in it, or with lone surrogates, makes a response too."""
    library = _sdk.native_http_library()
    response = _sdk.synthetic_response(library, "https://a.test", 500, {}, {"error": {"x": object(), "y": "\ud800"}})
    assert response.json()["error"]["y"] == "\ud800"


def test_a_run_is_built_as_the_sdk_builds_it(answering: Callable[..., OpenAI]) -> None:
    """The model of a body is that of the SDK's own `retrieve`, request id included."""
    theirs = answering(lambda request: http_response(BODY)).responses.retrieve("resp_1")
    ours = _sdk.build_run(BODY, REQUEST_ID)
    assert type(ours) is type(theirs)
    assert (ours._request_id, ours.to_dict()) == (theirs._request_id, theirs.to_dict())
    assert classify(ours) == classify(theirs)


@both_colours
def test_a_poll_is_one_get_with_the_clients_own_key(fetch: Callable[..., Any]) -> None:
    """A poll is one GET of the run through the user's client, and gives the answer's bytes, headers and facts."""
    requests: list[Any] = []

    def answer(request: Any) -> Any:
        requests.append(request)
        return http_response(BODY)

    got = fetch(answer, "resp_1", 30.0, default_headers={"x-own": "1"})
    (request,) = requests
    assert (request.method, str(request.url)) == ("GET", "https://api.example.test/v1/responses/resp_1")
    assert (request.headers["authorization"], request.headers["x-own"]) == ("Bearer sk-secret-key", "1")
    assert json.loads(got.content) == BODY
    assert (got.status_code, got.request_id, got.url) == (200, REQUEST_ID, str(request.url))
    assert got.http_library is _sdk.native_http_library()


@both_colours
def test_an_id_stays_inside_its_path(fetch: Callable[..., Any]) -> None:
    """An id with slashes, dots or a query in it cannot make another request than the poll of that id."""
    paths: list[bytes] = []

    def answer(request: Any) -> Any:
        paths.append(request.url.raw_path)
        return http_response(BODY)

    fetch(answer, "../files?limit=1#x", None)
    assert paths == [b"/v1/responses/..%2Ffiles%3Flimit%3D1%23x"]


@both_colours
@pytest.mark.parametrize("status", [401, 404, 408, 429, 500, 503])
def test_a_poll_is_never_sent_again(fetch: Callable[..., Any], http: Any, status: int) -> None:
    """A poll that fails is the SDK's own error after one request, whatever the client's retries are."""
    requests: list[Any] = []

    def answer(request: Any) -> Any:
        requests.append(request)
        return http.Response(status, json={"error": {"message": "m"}}, request=request)

    with pytest.raises(openai.APIStatusError) as caught:
        fetch(answer, "resp_1", 30.0, max_retries=2)
    assert (caught.value.status_code, len(requests)) == (status, 1)


@both_colours
@pytest.mark.parametrize("content", [b"", b"<html>", b'{"status": "comp', b"{}"], ids=repr)
def test_any_2xx_is_an_answer(fetch: Callable[..., Any], http: Any, content: bytes) -> None:
    """What a 2xx brought is not looked into here: HTML, cut and empty bodies are answers too."""
    got = fetch(lambda request: http.Response(200, content=content, request=request), "resp_1", 30.0)
    assert (got.content, got.request_id) == (content, None)


@both_colours
@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        (600.0, 30.0, 30.0),
        (600.0, None, 30.0),
        (5.0, None, 5.0),
        (5.0, 2.0, 2.0),
        (None, 500.0, 30.0),
        (None, None, 30.0),
    ],
)
def test_time_for_a_poll(fetch: Callable[..., Any], own: float | None, given: float | None, expected: float) -> None:
    """Each read of a poll may take the least of 30 s, the client's own timeout, and the time that is left."""
    timeouts: list[Any] = []

    def answer(request: Any) -> Any:
        timeouts.append(request.extensions["timeout"]["read"])
        return http_response(BODY)

    fetch(answer, "resp_1", given, timeout=own)
    assert timeouts == [expected]


def test_time_for_a_poll_by_a_structured_timeout(http: Any) -> None:
    """A client's structured timeout counts by its read timeout."""
    assert _sdk._read_timeout(http.Timeout(60.0, read=4.0), None) == 4.0
    assert _sdk._read_timeout(http.Timeout(None), None) == 30.0


def test_an_answer_drop_by_drop_is_bounded(
    http: Any, answering: Callable[..., OpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync poll whose answer comes drop by drop is a TimeoutError when the time is up, and its answer is closed."""
    now, closed = [0.0], []
    monkeypatch.setattr(_sdk, "time", SimpleNamespace(monotonic=lambda: now[0], time=time.time))

    class Drops(http.SyncByteStream):  # type: ignore[misc,name-defined]
        def __iter__(self) -> Iterator[bytes]:
            while True:
                now[0] += 1.0
                yield b" "

        def close(self) -> None:
            closed.append(True)

    client = answering(lambda request: http.Response(200, stream=Drops(), request=request))
    with pytest.raises(TimeoutError, match=r"not complete after 5 s"):
        _sdk.fetch(client, "resp_1", 5.0)
    assert now[0] == pytest.approx(6.0)
    assert closed == [True]


def test_an_async_answer_that_never_comes_is_bounded(http: Any) -> None:
    """An async poll that is not answered in time is a TimeoutError."""

    async def never(request: Any) -> Any:
        await anyio.sleep_forever()

    async def run() -> None:
        transport = http.AsyncClient(transport=http.MockTransport(never))
        async with AsyncOpenAI(api_key="k", base_url="https://a.test", http_client=transport) as client:
            await _sdk.fetch_async(client, "resp_1", 0.001)

    with pytest.raises(TimeoutError, match=r"not complete after 0.001 s"):
        anyio.run(run)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ConnectError", True),
        ("ConnectTimeout", True),
        ("PoolTimeout", True),
        ("ProxyError", True),
        ("UnsupportedProtocol", True),
        ("ReadTimeout", False),
        ("WriteTimeout", False),
        ("ReadError", False),
        ("WriteError", False),
        ("RemoteProtocolError", False),
        ("DecodingError", False),
    ],
)
def test_what_was_never_connected(answering: Callable[..., OpenAI], http: Any, name: str, expected: bool) -> None:
    """Only where no connection was made a request was never sent; the SDK's error for it says so by its cause."""

    def answer(request: Any) -> Any:
        raise getattr(http, name)("m", request=request)

    with pytest.raises(openai.APIConnectionError) as caught:
        answering(answer).responses.create(model="m", input="x")
    assert _sdk.never_connected(caught.value) is expected
    assert isinstance(caught.value.__cause__, _sdk.transport_errors())


@pytest.mark.parametrize("error", [ValueError(), TimeoutError(), ConnectionRefusedError()], ids=repr)
def test_what_is_no_error_of_sending(error: Exception) -> None:
    """Nothing is proven about a request by an error that did not come from the HTTP library."""
    assert not _sdk.never_connected(error)


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
    """Only the API's own JSON envelope is an answer of the API; a page of something in between is not."""
    response = http.Response(502, content=content, request=http.Request("POST", "https://a.test"))
    assert _sdk.is_api_envelope(openai.InternalServerError("m", response=response, body=None)) is expected


@pytest.mark.parametrize(
    "error",
    [OSError(), ConnectionResetError(), TimeoutError(), anyio.EndOfStream(), anyio.BrokenResourceError()],
    ids=lambda error: type(error).__name__,
)
def test_transport_errors(error: Exception) -> None:
    """What can come out of a socket while a body is read is a transport error; a programming error is none."""
    assert isinstance(error, _sdk.transport_errors())
    assert not isinstance(ValueError(), _sdk.transport_errors())


@pytest.mark.skipif(
    "admin_api_key" not in inspect.signature(OpenAI).parameters, reason="this line of the SDK knows no admin keys"
)
@pytest.mark.parametrize("key", ["sk-secret-key", None])
def test_a_poll_never_sends_an_admin_key(
    answering: Callable[..., OpenAI], monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    """A client that also holds an admin key polls with its ordinary one, and not at all if it has none."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    keys: list[str] = []

    def answer(request: Any) -> Any:
        keys.append(request.headers["authorization"])
        return http_response(BODY)

    client = answering(answer, api_key=key, admin_api_key="sk-admin-key")
    if key is None:
        with pytest.raises(TypeError, match="authentication"):
            _sdk.fetch(client, "resp_1", None)
    else:
        _sdk.fetch(client, "resp_1", None)
    assert keys == ([f"Bearer {key}"] if key else [])
