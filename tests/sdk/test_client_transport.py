"""Polls through the user's own client: what each of them sends, what it brings, and when it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import openai
import pytest

from bodies import REQUEST_ID, body_of, http_response
from colours import COLOURS, Colour, RawServer
from runoutcome import Catalog
from runoutcome._sdk.client_transport import AsyncClientTransport, ClientTransport, read_timeout
from runoutcome._sdk.responses import native_http_library

BODY = body_of(Catalog.load().find("server_error")[0])
URL = "https://api.example.test/v1"
PATIENCE = 30.0
LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
AZURE = {"cls": "AzureOpenAI", "azure_endpoint": "https://a.test", "api_version": "2026-01-01", "api_key": None}


class Poller:
    """Polls of one colour through a real client that has no network: a function answers its requests."""

    def __init__(self, colour: Colour) -> None:
        self.colour: Colour = colour
        self.client: Any = None
        self.requests: list[Any] = []
        """All that was sent."""
        self._stack = ExitStack()
        self._loop = asyncio.new_event_loop() if colour == "async" else None

    def open(self, answer: Callable[[Any], Any] | None = None, cls: Any = "OpenAI", **options: Any) -> Poller:
        """With a new client. `cls` is the name of its class, or a function that makes it of the SDK's own class."""
        library = options.pop("library", native_http_library())
        self._answer = answer or good_answer
        params: dict[str, Any] = {"api_key": "sk-secret-key", "max_retries": 2, **options}
        if "azure_endpoint" not in params:
            params.setdefault("base_url", URL)
        transport = library.MockTransport(self._handle if self.colour == "sync" else self._handle_async)
        http = (library.Client if self.colour == "sync" else library.AsyncClient)(transport=transport)
        prefix = "" if self.colour == "sync" else "Async"
        client_class = (
            getattr(openai, prefix + cls) if isinstance(cls, str) else cls(getattr(openai, f"{prefix}OpenAI"))
        )
        self.client = client_class(**params, http_client=http)
        self._stack.callback(lambda: self.run(self.client.close()))
        transports: Any = ClientTransport if self.colour == "sync" else AsyncClientTransport
        self._transport = transports(self.client)
        return self

    def fetch(self, response_id: str = "resp_1", seconds: float | None = None) -> Any:
        """One poll."""
        return self.run(self._transport.fetch(response_id, seconds))

    def run(self, result: Any) -> Any:
        """What it is, or what awaiting it gives."""
        return result if self._loop is None else self._loop.run_until_complete(result)

    def _handle(self, request: Any) -> Any:
        self.requests.append(request)
        return self._answer(request)

    async def _handle_async(self, request: Any) -> Any:
        result = self._handle(request)
        return await result if inspect.isawaitable(result) else result

    def close(self) -> None:
        """Close what is open."""
        self._stack.close()
        if self._loop is not None:
            self._loop.close()


def good_answer(_: Any) -> Any:
    """A good answer."""
    return http_response(BODY)


@pytest.fixture(params=COLOURS)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """A `Poller` of either colour."""
    with closing(Poller(request.param)) as poller:
        yield poller


def test_a_poll_is_one_get_with_the_clients_own_key(poller: Poller) -> None:
    """A poll is one GET of the run through the user's client, and gives the answer's bytes, headers and facts."""
    got = poller.open(default_headers={"x-own": "1"}).fetch("resp_1", PATIENCE)
    (request,) = poller.requests
    assert (request.method, str(request.url)) == ("GET", f"{URL}/responses/resp_1")
    assert (request.headers["authorization"], request.headers["x-own"]) == ("Bearer sk-secret-key", "1")
    assert json.loads(got.content) == BODY
    assert (got.status_code, got.request_id, got.url) == (200, REQUEST_ID, str(request.url))
    assert got.http_library is native_http_library()


def test_an_id_stays_inside_its_path(poller: Poller) -> None:
    """An id with slashes, dots or a query in it cannot make another request than the poll of that id."""
    poller.open().fetch("../files?limit=1#x")
    assert [request.url.raw_path for request in poller.requests] == [b"/v1/responses/..%2Ffiles%3Flimit%3D1%23x"]


@pytest.mark.parametrize("status", [301, 401, 404, 408, 429, 500, 503])
def test_a_poll_is_never_sent_again(poller: Poller, http: Any, status: int) -> None:
    """A poll that fails is the SDK's own error after one request, whatever the client's retries are."""
    poller.open(lambda request: http.Response(status, json={"error": {"message": "m", "code": "c"}}))
    with pytest.raises(openai.APIStatusError) as caught:
        poller.fetch("resp_1", PATIENCE)
    assert (caught.value.status_code, caught.value.code, len(poller.requests)) == (status, "c", 1)
    assert caught.value.request is poller.requests[0]
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"status": "comp', b"{}"], ids=repr)
def test_any_2xx_is_an_answer(poller: Poller, http: Any, content: bytes) -> None:
    """What a 2xx brought is not looked into here: HTML, cut and empty bodies are answers too."""
    got = poller.open(lambda request: http.Response(200, content=content)).fetch()
    assert (got.content, got.request_id) == (content, None)


def test_a_redirect_is_followed_as_the_http_client_does(poller: Poller, http: Any) -> None:
    """Whether a redirect is followed, and with which headers, is the HTTP client's matter."""

    def answer(request: Any) -> Any:
        return http.Response(307, headers={"location": "https://other.test/r"}) if URL in str(request.url) else good

    good = http_response(BODY)
    poller.open(answer).client._client.follow_redirects = True
    got = poller.fetch()
    assert got.url == "https://other.test/r"
    assert "authorization" not in poller.requests[1].headers


@pytest.mark.parametrize("name", ["ConnectError", "ReadTimeout"])
def test_a_fault_of_the_transport_is_the_sdks_error(poller: Poller, http: Any, name: str) -> None:
    """A fault of the transport leaves as the SDK's error, with the fault as its cause, after one request."""
    fault = getattr(http, name)("m")

    def answer(request: Any) -> Any:
        raise fault

    with pytest.raises(openai.APIConnectionError) as caught:
        poller.open(answer).fetch()
    assert isinstance(caught.value, openai.APITimeoutError) == (name == "ReadTimeout")
    assert caught.value.__cause__ is fault
    assert len(poller.requests) == 1


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
def test_time_for_each_read(poller: Poller, own: float | None, given: float | None, expected: float) -> None:
    """Each read of a poll may take the least of 30 s, the client's own timeout, and the time that is left."""
    poller.open(timeout=own).fetch("resp_1", given)
    (request,) = poller.requests
    assert request.extensions["timeout"]["read"] == expected
    assert request.headers["x-stainless-read-timeout"] == str(expected)


def test_time_for_each_read_by_a_structured_timeout(http: Any) -> None:
    """A client's structured timeout counts by its read timeout."""
    for timeout, expected in ((http.Timeout(60.0, read=4.0), 4.0), (http.Timeout(None), 30.0)):
        client: Any = SimpleNamespace(timeout=timeout)
        assert read_timeout(client, None) == expected


# The client


def test_the_client_is_asked_for_each_request(poller: Poller) -> None:
    """A key that is a function, a change of the client and an event hook hold for the next poll."""
    keys = iter("abc")
    hooked: list[Any] = []

    async def key_async() -> str:
        return next(keys)

    async def hook_async(request: Any) -> None:
        hooked.append(request)

    poller.open(api_key=partial(next, keys) if poller.colour == "sync" else key_async)
    poller.fetch()
    poller.client.base_url = "https://new.test/v2"
    hook = hooked.append if poller.colour == "sync" else hook_async
    poller.client._client.event_hooks = {"request": [hook], "response": []}
    poller.fetch()
    assert [request.headers["authorization"] for request in poller.requests] == ["Bearer a", "Bearer b"]
    assert [request.url.host for request in poller.requests] == ["api.example.test", "new.test"]
    assert hooked == poller.requests[1:]


def test_azure_is_asked_as_by_its_client(poller: Poller) -> None:
    """An Azure client's deployment, version and token of the moment are in each poll."""
    tokens = iter("ab")
    poller.open(**AZURE, azure_deployment="d", azure_ad_token_provider=partial(next, tokens))
    poller.fetch()
    poller.fetch()
    assert [request.headers["authorization"] for request in poller.requests] == ["Bearer a", "Bearer b"]
    assert str(poller.requests[0].url) == "https://a.test/openai/responses/resp_1?api-version=2026-01-01"


@pytest.mark.parametrize("name", ["_prepare_options", "_build_request", "get", "request"])
def test_a_subclass_takes_part_in_each_poll(poller: Poller, name: str) -> None:
    """What a client class of the user's overrides is called for each poll."""
    calls: list[str] = []

    def subclass(base: Any) -> Any:
        def override(self: Any, *args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return getattr(base, name)(self, *args, **kwargs)

        return type("Own", (base,), {name: override})

    poller.open(cls=subclass)
    poller.fetch()
    poller.fetch()
    assert calls == [name] * 2


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_client_with_the_other_http_library(poller: Poller, name: str) -> None:
    """A client that carries the HTTP library of another line of the SDK polls through that one."""
    library = importlib.import_module(name)
    try:
        poller.open(lambda request: library.Response(200, json=BODY), library=library)
    except TypeError:
        pytest.skip("this line of the SDK does not take that library")
    assert poller.fetch("resp_1").http_library is library


# The deadline


def test_an_async_answer_that_never_comes_is_bounded() -> None:
    """An async poll that is not answered in time is a TimeoutError."""

    async def never(request: Any) -> Any:
        await anyio.sleep_forever()

    with closing(Poller("async")) as poller:
        poller.open(never)
        with pytest.raises(TimeoutError, match=r"not complete after 0.01 s"):
            poller.fetch("resp_1", 0.01)


DRIPS = {
    "head": b"HTTP/1.1 200 OK\r\nx-drip: ",
    "body": b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n",
    "body of a 500": b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 100000\r\n\r\n",
}


@pytest.mark.parametrize("beginning", DRIPS.values(), ids=DRIPS.keys())
@pytest.mark.parametrize("colour", COLOURS)
def test_an_answer_drop_by_drop_is_bounded(colour: Colour, beginning: bytes) -> None:
    """A poll whose answer comes drop by drop, wherever it does, is a TimeoutError when the time is up."""
    over = threading.Event()

    def drip(connection: socket.socket, head: str) -> None:
        connection.sendall(beginning)
        while not over.wait(0.01):
            connection.sendall(b"x")

    with RawServer(drip) as server, ExitStack() as stack:
        stack.callback(over.set)
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        if colour == "sync":
            client = stack.enter_context(openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0))
            with pytest.raises(TimeoutError):
                ClientTransport(client).fetch("resp_1", 0.2)
        else:
            other = openai.AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=0)
            stack.callback(lambda: loop.run_until_complete(other.close()))
            with pytest.raises(TimeoutError):
                loop.run_until_complete(AsyncClientTransport(other).fetch("resp_1", 0.2))


def test_an_answer_that_comes_too_late_is_dropped(http: Any) -> None:
    """What comes after the deadline is dropped, and the client polls on."""
    go_on, late = threading.Event(), threading.Event()

    def answer(request: Any) -> Any:
        if not late.is_set():
            late.set()
            go_on.wait(PATIENCE)
        return http_response(BODY)

    with closing(Poller("sync")) as poller:
        poller.open(answer)
        with pytest.raises(TimeoutError):
            poller.fetch("resp_1", 0.01)
        go_on.set()
        assert poller.fetch("resp_2", PATIENCE).status_code == 200


@pytest.mark.skipif(
    "admin_api_key" not in inspect.signature(openai.OpenAI).parameters,
    reason="this line of the SDK knows no admin keys",
)
@pytest.mark.parametrize("key", ["sk-secret-key", None])
def test_a_poll_never_sends_an_admin_key(poller: Poller, monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    """A client that also holds an admin key polls with its ordinary one, and not at all if it has none."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is None:
        with pytest.raises(TypeError, match="authentication"):
            poller.open(api_key=None, admin_api_key="sk-admin-key").fetch()
        assert poller.requests == []
    else:
        poller.open(api_key=key, admin_api_key="sk-admin-key").fetch()
        assert [request.headers["authorization"] for request in poller.requests] == [f"Bearer {key}"]
