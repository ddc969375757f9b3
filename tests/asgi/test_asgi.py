"""The ASGI application of an inbox: driven by hand, and by uvicorn with webhooks of the emulator."""

from __future__ import annotations

import http.client
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import pytest
from openai import OpenAI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount, Route

from runoutcome.asgi import WebhookApp, webhook_route
from runoutcome.testing import Delivery, Emulator, ManualClock
from runoutcome.webhooks import Inbox, MemorySeenIds, Notice
from webhook_samples import FOREIGN_SECRET, NOW, OLD_SECRET, SECRET, event, serving, sign

PATH = "/webhooks/openai"


class Broken:
    """A store of ids that is down."""

    def add(self, webhook_id: str, now: float) -> bool:
        """Part of the protocol."""
        raise ConnectionError("the store is down")

    def discard(self, webhook_id: str) -> None:
        """Part of the protocol."""


@dataclass
class Exchange:
    """One request to an application, and in order all that happened."""

    body: bytes = field(default_factory=event)
    headers: dict[str, str] | None = None
    method: str = "POST"
    chunks: list[bytes | None] | None = None
    """The body in pieces; None is a sender that goes away."""
    send_error: BaseException | None = None
    log: list[Any] = field(default_factory=list)
    """Statuses, "sent" for the end of an answer, and what the test notes."""
    read: int = 0
    """How many pieces were asked for."""
    headers_sent: dict[bytes, bytes] = field(default_factory=dict)
    text: str = ""

    def with_app(self, app: Any, backend: str = "asyncio") -> Exchange:
        """Send it to an application."""
        scope = {
            "type": "http",
            "method": self.method,
            "path": PATH,
            "headers": [(name.encode(), value.encode()) for name, value in (self.headers or sign(self.body)).items()],
        }
        anyio.run(app, scope, self.receive, self.send, backend=backend)
        return self

    async def receive(self) -> dict[str, Any]:
        """Part of the interface of ASGI."""
        chunks = [self.body] if self.chunks is None else self.chunks
        self.read += 1
        chunk = chunks[self.read - 1]
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": self.read < len(chunks)}

    async def send(self, message: Any) -> None:
        """Part of the interface of ASGI."""
        if self.send_error is not None:
            raise self.send_error
        if message["type"] == "http.response.start":
            self.log.append(message["status"])
            self.headers_sent = dict(message["headers"])
        else:
            self.log.append("more" if message.get("more_body") else "sent")
            self.text += message["body"].decode()


def inbox(**options: Any) -> Inbox:
    """An inbox at the time of the samples."""
    return Inbox(SECRET, **{"clock": lambda: NOW, **options})


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_answer_is_complete_before_anybody_is_told(backend: str) -> None:
    """A notice of a run is answered 204; waiters are woken and `on_notice` is called after the last message."""
    exchange = Exchange()
    here = inbox(on_notice=lambda notice: exchange.log.append(notice.type))
    here.listen("resp_1", lambda: exchange.log.append("woken"))
    exchange.with_app(WebhookApp(here), backend)
    assert exchange.log == [204, "sent", "woken", "response.completed"]
    assert exchange.headers_sent == {}


def test_a_coroutine_function_is_awaited_after_the_answer() -> None:
    """`on_notice` of an application may be a coroutine function."""
    exchange = Exchange()

    async def tell(notice: Notice) -> None:
        await anyio.lowlevel.checkpoint()
        exchange.log.append(notice.status)

    assert exchange.with_app(WebhookApp(inbox(on_notice=tell))).log == [204, "sent", "completed"]


def test_copies_and_other_events_are_acknowledged() -> None:
    """A copy is answered 200 and told to nobody; an event of something else is answered 200 and told."""
    told: list[str] = []
    app = WebhookApp(inbox(on_notice=lambda notice: told.append(notice.type)))
    first, copy = (Exchange().with_app(app) for _ in range(2))
    body = event("batch.completed", "batch_1")
    other = Exchange(body, sign(body, webhook_id="wh_2")).with_app(app)
    assert [first.log, copy.log, other.log] == [[204, "sent"], [200, "sent"], [200, "sent"]]
    assert (copy.text, other.text) == ("received before", "not about a run")
    assert told == ["response.completed", "batch.completed"]


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (Exchange(headers={"webhook-id": "wh_1"}), "webhook-timestamp is missing"),
        (Exchange(headers=sign(event(), at=NOW - 600)), "signed 600 s ago"),
        (Exchange(headers=sign(event(), by=[FOREIGN_SECRET])), "no signature of the webhook is valid"),
        (Exchange(b"private words"), "not a JSON object"),
        (Exchange(b""), "not a JSON object"),
    ],
    ids=["headers", "timestamp", "secret", "body", "empty"],
)
def test_what_is_no_webhook_is_400(exchange: Exchange, said: str) -> None:
    """What cannot be verified or read is answered 400, with a short plain text that shows neither secret nor body."""
    here = inbox()
    here.listen("resp_1", lambda: exchange.log.append("woken"))
    exchange.with_app(WebhookApp(here))
    assert exchange.log == [400, "sent"]
    assert said in exchange.text
    assert not any(word in exchange.text for word in (SECRET, FOREIGN_SECRET, "private"))
    assert exchange.headers_sent[b"content-type"] == b"text/plain; charset=utf-8"
    assert exchange.headers_sent[b"content-length"] == str(len(exchange.text)).encode()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_405(method: str) -> None:
    """Any method but POST is answered 405, with the header that names it, and its body is not read."""
    exchange = Exchange(method=method).with_app(WebhookApp(inbox()))
    assert (exchange.log, exchange.read) == ([405, "sent"], 0)
    assert exchange.headers_sent[b"allow"] == b"POST"


def test_a_body_that_says_it_is_too_long() -> None:
    """A body announced to be longer than the limit is answered 413 without reading it."""
    exchange = Exchange(headers={**sign(event()), "content-length": "1000001"}).with_app(WebhookApp(inbox()))
    assert (exchange.log, exchange.read) == ([413, "sent"], 0)


def test_a_body_that_is_too_long() -> None:
    """A body that grows longer than the limit is answered 413 when it does, and the rest is not read."""
    exchange = Exchange(chunks=[b"x" * 600] * 5).with_app(WebhookApp(inbox(), max_body_bytes=1000))
    assert (exchange.log, exchange.read) == ([413, "sent"], 2)
    assert "at most 1000 bytes" in exchange.text


@pytest.mark.parametrize("length", ["", "-1", "ten", "9" * 30, "5"])
def test_a_length_that_is_wrong(length: str) -> None:
    """What else `content-length` says is the server's matter; the body is read as it comes."""
    body = event()
    exchange = Exchange(headers={**sign(body), "content-length": length}, chunks=[body[:9], b"", body[9:]])
    assert exchange.with_app(WebhookApp(inbox(), max_body_bytes=len(body))).log == [204, "sent"]


def test_a_sender_that_goes_away_before_the_end() -> None:
    """A body that breaks off gets no answer, and its id is not used up."""
    here = inbox()
    body = event()
    assert Exchange(chunks=[body[:9], None], headers=sign(body)).with_app(WebhookApp(here)).log == []
    assert here.accept(body, sign(body)).is_new


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_sender_that_does_not_wait_for_the_answer(backend: str) -> None:
    """A connection that breaks while the answer is sent is no error: the notice is told, and the copy is a copy."""
    exchange = Exchange(send_error=BrokenPipeError("gone"))
    here = inbox()
    here.listen("resp_1", lambda: exchange.log.append("woken"))
    assert exchange.with_app(WebhookApp(here), backend).log == ["woken"]
    assert Exchange().with_app(WebhookApp(here)).log == [200, "sent"]


def test_a_server_that_cancels_while_the_answer_is_sent() -> None:
    """A request that is cancelled then still wakes the waiters."""
    exchange = Exchange()
    here = inbox()
    here.listen("resp_1", lambda: exchange.log.append("woken"))

    async def run() -> None:
        with anyio.CancelScope() as scope:

            async def send(message: Any) -> None:
                scope.cancel()
                await anyio.lowlevel.checkpoint()

            headers = [(name.encode(), value.encode()) for name, value in sign(event()).items()]
            request = {"type": "http", "method": "POST", "headers": headers}
            await WebhookApp(here)(request, exchange.receive, send)

    anyio.run(run)
    assert exchange.log == ["woken"]


def test_a_store_that_fails_is_told_before_any_answer() -> None:
    """What the store of ids raises is the server's to answer, so that the webhook is sent again."""
    exchange = Exchange()
    with pytest.raises(ConnectionError):
        exchange.with_app(WebhookApp(inbox(seen=Broken())))
    assert exchange.log == []


def test_what_on_notice_raises_comes_after_the_answer() -> None:
    """An error of `on_notice` is for the server's log; the next copy of the webhook counts as new."""
    exchange = Exchange()

    async def failing(notice: Notice) -> None:
        raise OSError("the disk is full")

    here = inbox(on_notice=failing)
    with pytest.raises(OSError, match="disk is full"):
        exchange.with_app(WebhookApp(here))
    assert exchange.log == [204, "sent"]
    assert here.accept(event(), sign(event())).is_new


def test_a_server_starts_and_stops_it() -> None:
    """The lifespan of a server is answered, so that the application can stand alone."""
    coming = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return coming.pop()

    async def send(message: Any) -> None:
        sent.append(message["type"])

    anyio.run(WebhookApp(inbox()), {"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_other_scopes() -> None:
    """A websocket is refused; what is no scope of a server is one clear error."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise NotImplementedError

    anyio.run(WebhookApp(inbox()), {"type": "websocket"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
    with pytest.raises(TypeError, match="a scope of the type 'mqtt'"):
        anyio.run(WebhookApp(inbox()), {"type": "mqtt"}, receive, send)


def test_a_route_without_starlette(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Starlette is not installed the error says what else there is."""
    monkeypatch.setitem(sys.modules, "starlette.routing", None)
    with pytest.raises(ImportError, match=r"webhook_route needs starlette; WebhookApp\(inbox\) is for"):
        webhook_route(PATH, inbox())


# From here on: a real server, real sockets, and the emulator as the sender.


def ask(base: str, method: str = "POST", path: str = PATH, body: bytes = b"", **headers: str) -> tuple[int, str]:
    """The status and the body of one answer."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def apps(here: Inbox) -> dict[str, Any]:
    """The application alone and within others, and the path by which it is reached."""
    slow = Middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    return {
        "alone": (WebhookApp(here), "/any/path"),
        "a route": (Starlette(routes=[webhook_route(PATH, here)]), PATH),
        "beneath": (Starlette(routes=[Mount("/hooks", routes=[webhook_route("/{project}", here)])]), "/hooks/mine"),
        "middleware": (Starlette(routes=[webhook_route(PATH, here)], middleware=[slow]), PATH),
        "mounted": (Starlette(routes=[Mount(PATH, WebhookApp(here))]), f"{PATH}/"),
        "any endpoint": (Starlette(routes=[Route(PATH, WebhookApp(here))]), PATH),
    }


@pytest.mark.parametrize("place", apps(inbox()))
def test_a_server_serves_it(place: str) -> None:
    """Alone, as a route, beneath a prefix, mounted and behind middleware it answers alike."""
    body = event()
    app, path = apps(inbox())[place]
    with serving(app) as base:
        answers = [ask(base, "POST", path, body, **sign(body)) for _ in range(2)]
        answers += [ask(base, "POST", path, body + b" ", **sign(body)), ask(base, "GET", path)]
        answers += [ask(base, "POST", path, b"x" * 1_000_001)]
    assert [status for status, _ in answers] == [204, 200, 400, 405, 413]


def test_a_mount_without_a_slash_is_redirected() -> None:
    """A mounted application is not reached without a slash at the end: a sender would take that for a failure."""
    app = Starlette(routes=[Mount(PATH, WebhookApp(inbox()))])
    with serving(app) as base:
        assert ask(base, body=event(), **sign(event()))[0] == 307


def test_a_server_answers_500_where_the_store_fails() -> None:
    """A webhook that could not be remembered is not acknowledged."""
    with serving(Starlette(routes=[webhook_route(PATH, inbox(seen=Broken()))])) as base:
        assert ask(base, body=event(), **sign(event()))[0] == 500


@dataclass
class Scene:
    """An inbox that is served, and an emulator that sends to it; the test moves the emulator's clock."""

    emulator: Emulator
    client: OpenAI
    clock: ManualClock
    woken: list[str]
    inbox: Inbox

    def run(self, webhook: str = "ok", outcome: str = "completed") -> str:
        """The id of a new run that is listened to."""
        metadata = {"emulate": outcome, "emulate_webhook": webhook}
        run_id = self.client.responses.create(model="gpt-5", input="hi", background=True, metadata=metadata).id
        self.inbox.listen(run_id, lambda: self.woken.append(run_id))
        return run_id

    def after(self, seconds: float) -> list[Delivery]:
        """What has been delivered when so much time has passed."""
        self.clock.advance(seconds)
        return self.emulator.settle_webhooks()


@contextmanager
def scene(secrets: Any = SECRET, on_notice: Any = None, seen: Any = None, **webhooks: Any) -> Iterator[Scene]:
    """Opens a scene; `webhooks` are fields of the emulator's settings. At its end all that was acknowledged is told."""
    here = Inbox(secrets, on_notice=on_notice, seen=seen)
    clock = ManualClock()
    with serving(Starlette(routes=[webhook_route(PATH, here)])) as base:
        settings = {"url": base + PATH, "secret": SECRET, **webhooks}
        with (
            Emulator({"webhooks": settings}, clock=clock) as emulator,
            OpenAI(base_url=emulator.base_url, api_key="any", max_retries=0) as client,
        ):
            yield Scene(emulator, client, clock, [], here)


@pytest.mark.parametrize("outcome", ["completed", "server_error", "max_output_tokens", "cancelled"])
def test_every_end_of_a_run_is_told(outcome: str) -> None:
    """However a run ends, its webhook is acknowledged at the first attempt and wakes who waits."""
    with scene() as here:
        run_id = here.run(outcome=outcome)
        assert [one.status for one in here.after(60)] == [204]
    assert here.woken == [run_id]


@pytest.mark.parametrize(
    ("webhook", "answers"),
    [
        ("duplicate", [204, 200]),
        ("delay", [204]),
        ("wrong-secret", [400, 204]),
        ("old-timestamp", [400, 204]),
        ("bad-body", [400, 204]),
        ("duplicate,wrong-secret,bad-body", [400, 400, 204, 200]),
        ("old-secret", [204]),
        ("both-secrets", [204]),
        ("duplicate,old-secret", [204, 200]),
        ("drop", []),
    ],
)
def test_what_goes_wrong_with_a_webhook(webhook: str, answers: list[int]) -> None:
    """Whatever goes wrong on the way, a webhook that arrives wakes once, and what is forged wakes nobody."""
    with scene([SECRET, OLD_SECRET], old_secret=OLD_SECRET) as here:
        run_id = here.run(webhook)
        assert [one.status for one in here.after(3600)] == answers
    assert here.woken == [run_id] * bool(answers)


def test_reordered_webhooks() -> None:
    """The order in which runs are told does not matter."""
    with scene() as here:
        first = here.run("reorder")
        here.after(1)
        second = here.run()
        here.after(60)
    assert here.woken == [second, first]


def test_a_secret_that_was_rotated_away() -> None:
    """Webhooks signed with a secret that is no longer told are refused until the provider uses the new one."""
    with scene(SECRET, old_secret=OLD_SECRET) as here:
        here.run("old-secret")
        assert {one.status for one in here.after(60)} == {400}
    assert here.woken == []


def test_the_sender_is_answered_while_the_notice_is_acted_on() -> None:
    """The emulator has its receipt before `on_notice` is done, which here waits for that."""
    answered, acted = threading.Event(), threading.Event()

    async def act(notice: Notice) -> None:
        if await anyio.to_thread.run_sync(answered.wait, 10):
            acted.set()

    with scene(on_notice=act) as here:
        here.run()
        assert [one.status for one in here.after(60)] == [204]
        assert not acted.is_set()
        answered.set()
        assert acted.wait(10)


def test_a_store_that_recovers_loses_nothing() -> None:
    """While ids cannot be remembered webhooks are not acknowledged; when they can, the next attempt is taken."""
    store = MemorySeenIds()
    calls: list[str] = []

    class FailingOnce:
        def add(self, webhook_id: str, now: float) -> bool:
            calls.append(webhook_id)
            if len(calls) == 1:
                raise ConnectionError("the store is down")
            return store.add(webhook_id, now)

        discard = store.discard

    with scene(seen=FailingOnce()) as here:
        run_id = here.run()
        assert [one.status for one in here.after(3600)] == [500, 204]
    assert here.woken == [run_id]
