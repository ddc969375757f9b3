"""Polls through the user's own client: what each of them sends, what it brings, and when it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from types import SimpleNamespace
from typing import Any, Literal

import anyio
import openai
import pytest
from hypothesis import given, strategies

from bodies import REQUEST_ID, body_of, http_response
from colours import RawServer
from runoutcome import Catalog, _sdk
from runoutcome._sdk import request_template as _sdk_request
from runoutcome._sdk.client_transport import AsyncClientTransport, ClientTransport
from runoutcome._sdk.request_template import options_of

BODY = body_of(Catalog.load().find("server_error")[0])
URL = "https://api.example.test/v1"
PATIENCE = 30.0
LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


class Poller:
    """Polls of one colour through a real client that has no network: a function answers its requests.

    A poll is the first one through the client, or one that comes after a good one (`again`).
    """

    def __init__(self, colour: Literal["sync", "async"], *, again: bool) -> None:
        self.colour, self.again = colour, again
        self.client: Any = None
        self.requests: list[Any] = []
        """What was sent since `open`."""
        self._answer: Callable[[Any], Any] = good_answer
        self._stack = ExitStack()
        self._loop = asyncio.new_event_loop() if colour == "async" else None

    def open(self, answer: Callable[[Any], Any] | None = None, cls: str = "OpenAI", **options: Any) -> Poller:
        """With a new client. `cls` is the name of its class, or a function that makes it of the SDK's own class."""
        library = options.pop("library", _sdk.native_http_library())
        self._answer = lambda request: library.Response(200, json=BODY)
        given: dict[str, Any] = {"api_key": "sk-secret-key", "max_retries": 2, **options}
        if "azure_endpoint" not in given:
            given.setdefault("base_url", URL)
        transport = library.MockTransport(self._handle if self.colour == "sync" else self._handle_async)
        http = (library.Client if self.colour == "sync" else library.AsyncClient)(transport=transport)
        name = cls if self.colour == "sync" else f"Async{cls}"
        self.client = self._client_class(name)(**given, http_client=http)
        self._stack.callback(self._close)
        transports: Any = ClientTransport if self.colour == "sync" else AsyncClientTransport
        self._transport = transports(self.client)
        if self.again:
            self.fetch("resp_before")
        self.requests.clear()
        self._answer = answer or good_answer
        return self

    def _client_class(self, name: str) -> Any:
        return getattr(openai, name)

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

    def _close(self) -> None:
        self.run(self.client.close())

    def close(self) -> None:
        """Close what is open."""
        self._stack.close()
        if self._loop is not None:
            self._loop.close()


def good_answer(_: Any) -> Any:
    """A good answer."""
    return http_response(BODY)


@pytest.fixture(params=["sync-first", "sync-again", "async-first", "async-again"])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """A `Poller` of either colour, whose polls are first ones or later ones."""
    colour, _, turn = request.param.partition("-")
    with closing(Poller(colour, again=turn == "again")) as poller:
        yield poller


@pytest.fixture(params=["sync", "async"])
def later(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """A `Poller` of either colour, whose polls are later ones."""
    with closing(Poller(request.param, again=True)) as poller:
        yield poller


def test_a_poll_is_one_get_with_the_clients_own_key(poller: Poller) -> None:
    """A poll is one GET of the run through the user's client, and gives the answer's bytes, headers and facts."""
    got = poller.open(default_headers={"x-own": "1"}).fetch("resp_1", PATIENCE)
    (request,) = poller.requests
    assert (request.method, str(request.url)) == ("GET", f"{URL}/responses/resp_1")
    assert (request.headers["authorization"], request.headers["x-own"]) == ("Bearer sk-secret-key", "1")
    assert json.loads(got.content) == BODY
    assert (got.status_code, got.request_id, got.url) == (200, REQUEST_ID, str(request.url))
    assert got.http_library is _sdk.native_http_library()


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


FAULTS = ["ConnectError", "ConnectTimeout", "ReadTimeout", "PoolTimeout", "ReadError", "RemoteProtocolError"]


@pytest.mark.parametrize("name", [*FAULTS, "ValueError", "OSError"])
def test_what_a_transport_raises_is_what_the_sdk_makes_of_it(later: Poller, http: Any, name: str) -> None:
    """A fault of the transport leaves as the error that the client's own `get` makes of it, with the same cause."""
    fault = getattr(http, name)("m") if name in FAULTS else {"ValueError": ValueError, "OSError": OSError}[name]("m")

    def answer(request: Any) -> Any:
        raise fault

    def error_of(call: Callable[[], Any]) -> tuple[Any, ...]:
        with pytest.raises((openai.OpenAIError, ValueError, OSError)) as caught:
            call()
        return type(caught.value), str(caught.value), caught.value.__cause__

    poller = later.open(answer, max_retries=0)
    by_sdk = error_of(lambda: poller.run(poller.client.get("/responses/resp_1", cast_to=http.Response)))
    assert error_of(poller.fetch) == by_sdk


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
        assert options_of(client, None)["timeout"] == expected


# What later polls send


def sent(request: Any) -> Any:
    """All that the server and the transport see of a request."""
    return request.method, str(request.url), request.headers.raw, request.content, request.extensions


def retrieved(poller: Poller, response_id: str) -> Any:
    """What the client's own `get` sends for a run."""
    options: Any = options_of(poller.client, None)
    path = f"/responses/{_sdk.quote(response_id, safe='')}"
    poller.run(poller.client.get(path, cast_to=_sdk.native_http_library().Response, options=options))
    return sent(poller.requests.pop())


CLIENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "organisation": {"organization": "org-1", "project": "proj_1"},
    "headers and query": {"default_headers": {"X-Own": "1"}, "default_query": {"api-version": "2026", "n": 1}},
    "own authorization": {"default_headers": {"Authorization": "Basic eDp5"}},
    "base url with a path": {"base_url": "https://gw.test:8443/a%20b/v1"},
    "base url with a query": {"base_url": "https://gw.test/v1?code=1"},
    "base url with a password": {"base_url": "https://user:pw@gw.test/v1"},
    "azure": {"cls": "AzureOpenAI", "azure_endpoint": "https://a.test", "api_version": "2026-01-01"},
    "azure deployment": {
        "cls": "AzureOpenAI",
        "azure_endpoint": "https://a.test",
        "api_version": "2026-01-01",
        "azure_deployment": "d",
    },
    "azure token": {
        "cls": "AzureOpenAI",
        "azure_endpoint": "https://a.test",
        "api_version": "2026-01-01",
        "api_key": None,
        "azure_ad_token": "t",
    },
}


@pytest.mark.parametrize("options", CLIENTS.values(), ids=CLIENTS.keys())
def test_a_later_poll_sends_what_the_client_sends(later: Poller, options: dict[str, Any]) -> None:
    """The request of a later poll is the client's own, to the letter: method, address, headers in order, timeouts."""
    poller = later.open(**options)
    poller.fetch("resp_1")
    assert sent(poller.requests.pop()) == retrieved(poller, "resp_1")


@given(response_id=strategies.text(min_size=1, max_size=20))
def test_a_later_poll_of_any_id(response_id: str) -> None:
    """Whatever the id is, a later poll asks for the address that the client's own `get` asks for."""
    try:
        response_id.encode()
    except UnicodeEncodeError:  # neither can be written
        return
    with closing(Poller("sync", again=True)) as poller:
        poller.open().fetch(response_id)
        assert sent(poller.requests.pop()) == retrieved(poller, response_id)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "key": lambda client: setattr(client, "api_key", "sk-new"),
    "base url": lambda client: setattr(client, "base_url", "https://new.test/v2"),
    "organisation": lambda client: setattr(client, "organization", "org-new"),
    "timeout": lambda client: setattr(client, "timeout", 4.0),
    "headers in place": lambda client: client._custom_headers.update({"x-new": "1"}),
    "query in place": lambda client: client._custom_query.update({"new": "1"}),
    "headers of the http client": lambda client: client._client.headers.update({"x-new": "1"}),
    "query of the http client": lambda client: setattr(client._client, "params", {"new": "1"}),
    "cookie of the http client": lambda client: client._client.cookies.set("new", "1"),
    "method of its own": lambda client: setattr(
        client, "_prepare_url", lambda url: _sdk.native_http_library().URL(URL)
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_changes_about_a_client_holds_at_once(later: Poller, change: Callable[[Any], Any]) -> None:
    """The poll after a change of the client, or of its HTTP client, is made as the client is by then."""
    poller = later.open(default_headers={"x-own": "1"}, default_query={"own": "1"})
    poller.fetch("resp_1")
    before = sent(poller.requests.pop())
    change(poller.client)
    for _ in range(2):
        poller.fetch("resp_1")
        assert sent(poller.requests[-1]) == retrieved(poller, "resp_1") != before


def test_a_cookie_is_sent_back(later: Poller) -> None:
    """A cookie that the server sets, or takes back, is the HTTP client's matter, on later polls too."""
    cookies = ["a=1; Path=/", "a=2; Path=/", "a=; Path=/; Max-Age=0", "b=3; Path=/"]

    def answer(request: Any) -> Any:
        response = http_response(BODY)
        if cookies:
            response.headers["set-cookie"] = cookies.pop(0)
        return response

    poller = later.open(answer)
    for _ in range(5):
        poller.fetch("resp_1")
    assert [request.headers.get("cookie") for request in poller.requests] == [None, "a=1", "a=2", None, "b=3"]


def test_an_own_cookie_header_is_sent_as_it_is(later: Poller) -> None:
    """A Cookie header of the user's stays, whatever the server sets."""
    poller = later.open(default_headers={"Cookie": "mine=1"})
    poller.client._client.cookies.set("theirs", "2")
    poller.fetch("resp_1")
    assert sent(poller.requests.pop()) == retrieved(poller, "resp_1")


def test_what_a_hook_does_to_a_request_stays_with_it(later: Poller) -> None:
    """Event hooks get each request before it is sent, can read and change it, and meet the next one unchanged."""
    seen: list[tuple[str | None, bytes]] = []

    def hook(request: Any) -> None:
        seen.append((request.headers.get("x-hook"), request.content))
        request.headers["x-hook"] = str(len(seen))
        request.extensions["timeout"]["read"] = 1.0
        request.extensions["own"] = 1

    async def hook_async(request: Any) -> None:
        hook(request)

    poller = later.open()
    poller.client._client.event_hooks = {"request": [hook if later.colour == "sync" else hook_async], "response": []}
    for _ in range(3):
        poller.fetch("resp_1")
    assert seen == [(None, b"")] * 3
    assert [request.headers["x-hook"] for request in poller.requests] == ["1", "2", "3"]


def test_a_key_that_is_asked_for_is_asked_for_each_time(later: Poller) -> None:
    """A client whose key is a function polls with what it gives at that moment."""
    keys = iter("abcdefgh")

    async def key_async() -> str:
        return next(keys)

    poller = later.open(api_key=partial(next, keys) if later.colour == "sync" else key_async)
    for _ in range(3):
        poller.fetch("resp_1")
    assert [request.headers["authorization"] for request in poller.requests] == ["Bearer b", "Bearer c", "Bearer d"]


def test_an_azure_token_is_asked_for_each_time(later: Poller) -> None:
    """An Azure client with a token provider polls with what it gives at that moment."""
    tokens = iter("abcdefgh")
    azure = {"azure_endpoint": "https://a.test", "api_version": "2026-01-01", "api_key": None}
    poller = later.open(cls="AzureOpenAI", azure_ad_token_provider=partial(next, tokens), **azure)
    for _ in range(3):
        poller.fetch("resp_1")
    assert [request.headers["authorization"] for request in poller.requests] == ["Bearer b", "Bearer c", "Bearer d"]


@pytest.mark.parametrize("name", ["_prepare_options", "_build_request", "_prepare_url", "get", "request"])
def test_what_a_subclass_does_is_done_each_time(later: Poller, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of a class of the user's own is asked each time: whatever it overrides takes part in every poll."""
    calls: list[str] = []

    def subclass(self: Poller, base: str) -> Any:
        def override(client: Any, *args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return getattr(super(own, client), name)(*args, **kwargs)

        own: Any = type("Own", (getattr(openai, base),), {name: override})
        return own

    monkeypatch.setattr(Poller, "_client_class", subclass)
    poller = later.open()
    calls.clear()
    for _ in range(3):
        poller.fetch("resp_1")
    assert calls == [name] * 3


def test_a_request_of_the_http_clients_own_making(later: Poller) -> None:
    """An HTTP client that makes its requests in a way of its own makes each of them."""
    poller = later.open()
    http, made = poller.client._client, []

    def build_request(*args: Any, **kwargs: Any) -> Any:
        made.append(1)
        return type(http).build_request(http, *args, **kwargs)

    http.build_request = build_request
    for _ in range(3):
        poller.fetch("resp_1")
    assert len(made) >= 3


def test_the_sdks_log_is_complete(later: Poller, caplog: pytest.LogCaptureFixture) -> None:
    """At the level DEBUG the SDK's own log has its lines for each poll."""
    poller = later.open()
    with caplog.at_level(logging.DEBUG, logger="openai._base_client"):
        poller.fetch("resp_1")
        first = [record.msg for record in caplog.records if record.name == "openai._base_client"]
        poller.fetch("resp_1")
    assert [record.msg for record in caplog.records if record.name == "openai._base_client"] == first * 2
    assert first


def test_a_release_that_is_not_known(later: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK is not made as those that are known, each poll is the client's own `get`."""
    monkeypatch.setattr(_sdk_request, "_final_options", None)
    poller = later.open()
    poller.client.api_key = "sk-new"
    poller.fetch("resp_1")
    assert sent(poller.requests.pop()) == retrieved(poller, "resp_1")


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_client_with_the_other_http_library(later: Poller, name: str) -> None:
    """A client that carries the HTTP library of another line of the SDK polls through that one."""
    library = importlib.import_module(name)
    try:
        poller = later.open(lambda request: library.Response(200, json=BODY), library=library)
    except TypeError:
        pytest.skip("this line of the SDK does not take that library")
    assert poller.fetch("resp_1").http_library is library


# The deadline


@pytest.mark.parametrize("turn", ["first", "again"])
def test_an_async_answer_that_never_comes_is_bounded(turn: str) -> None:
    """An async poll that is not answered in time is a TimeoutError."""

    async def never(request: Any) -> Any:
        await anyio.sleep_forever()

    with closing(Poller("async", again=turn == "again")) as poller:
        poller.open(never)
        with pytest.raises(TimeoutError, match=r"not complete after 0.01 s"):
            poller.fetch("resp_1", 0.01)


DRIPS = {
    "head": b"HTTP/1.1 200 OK\r\nx-drip: ",
    "body": b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n",
    "body of a 500": b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 100000\r\n\r\n",
}


@pytest.mark.parametrize("beginning", DRIPS.values(), ids=DRIPS.keys())
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_answer_drop_by_drop_is_bounded(colour: Literal["sync", "async"], beginning: bytes) -> None:
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

    with closing(Poller("sync", again=False)) as poller:
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
