"""Webhooks as a receiver meets them: a real one on loopback, checked with the SDK and by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from runoutcome.testing import Emulator, EmulatorError, ManualClock, ScenarioError, Webhooks, load_scenario

Connect = Callable[[Emulator], OpenAI]
SECRET = "whsec_" + base64.b64encode(b"the secret of this receiver").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"the secret before this one").decode()


@dataclass(frozen=True)
class Received:
    """One POST as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """A webhook endpoint: keeps what comes, and answers 200 or what the script says next."""

    script: list[int | str] = field(default_factory=list)
    """A status; `hang up` for no answer; `stall` to wait for `resume`; `nonsense` for what is not HTTP."""
    received: list[Received] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)
    resume: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Keep one request, and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.rfile.read(int(headers["content-length"]))
        self.received.append(Received(request.path, headers, body))
        answer = self.script.pop(0) if self.script else 200
        if answer == "stall":
            self.stalled.set()
            self.resume.wait()
        elif answer == "nonsense":
            request.wfile.write(b"good day\r\n\r\n")
        elif answer != "hang up":
            request.send_response(int(answer))
            request.send_header("location", "/elsewhere")
            request.end_headers()
            request.wfile.write(b"thank you")

    @property
    def ids(self) -> list[str]:
        """The runs it was told of."""
        return [json.loads(one.body)["data"]["id"] for one in self.received]


@contextmanager
def listening(*script: int | str) -> Iterator[Receiver]:
    """A receiver with this script."""
    receiver = Receiver(list(script))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_port}/hooks?of=tests"
        try:
            yield receiver
        finally:
            receiver.resume.set()
            server.shutdown()
            thread.join()


@dataclass
class Scene:
    """A receiver, an emulator that knows it, and a client of it; time is moved by hand."""

    receiver: Receiver
    emulator: Emulator
    client: OpenAI
    clock: ManualClock

    def run(self, outcome: str = "completed", webhook: str = "ok", **metadata: str) -> str:
        """The id of a new background run."""
        marked = {"emulate": outcome, "emulate_webhook": webhook, **metadata}
        return self.client.responses.create(model="gpt-5", input="hi", background=True, metadata=marked).id

    def after(self, seconds: float) -> list[Received]:
        """What has been received when so much time has passed."""
        self.clock.advance(seconds)
        self.emulator.settle_webhooks()
        return self.receiver.received

    def told(self, outcome: str = "completed", webhook: str = "ok") -> Received:
        """The one webhook about a new run."""
        self.run(outcome, webhook)
        (received,) = self.after(1)
        return received

    def unwrap(self, received: Received, secret: str = SECRET) -> Any:
        """What the SDK makes of it."""
        return self.client.webhooks.unwrap(received.body, received.headers, secret=secret)


@pytest.fixture
def scene(connect: Connect) -> Iterator[Callable[..., Scene]]:
    """Opens a scene: the script of the receiver, and fields of `[webhooks]`. Runs take half a second."""
    with ExitStack() as stack:

        def open_scene(*script: int | str, speed: float = 1.0, **webhooks: Any) -> Scene:
            receiver, clock = stack.enter_context(listening(*script)), ManualClock()
            settings = {"url": receiver.url, "secret": SECRET, **webhooks}
            # Half a second by the emulator's clock, whatever the speed.
            pace = {"queued_seconds": 0.1 * speed, "running_seconds": 0.4 * speed}
            emulator = stack.enter_context(Emulator({"webhooks": settings, **pace}, clock=clock, speed=speed))
            return Scene(receiver, emulator, connect(emulator), clock)

        yield open_scene


@pytest.mark.parametrize(
    ("outcome", "type"),
    [
        ("completed", "response.completed"),
        ("server_error", "response.failed"),
        ("failed", "response.failed"),
        ("max_output_tokens", "response.incomplete"),
        ("cancelled", "response.cancelled"),
    ],
)
def test_the_sdk_unwraps_the_event_of_a_run_that_ended(scene: Callable[..., Scene], outcome: str, type: str) -> None:
    """When a background run ends, the receiver gets an event of its status, which the SDK verifies and reads."""
    here = scene()
    run_id = here.run(outcome)
    assert here.after(0.4) == []
    (received,) = here.after(0.2)
    event = here.unwrap(received)
    ended = int(here.emulator.runs[0].created_at + 0.5)
    assert (event.type, event.data.id, event.object, event.created_at) == (type, run_id, "event", ended)
    assert event.id.startswith("evt_")
    assert event.__class__.__name__ == f"Response{type.removeprefix('response.').title()}WebhookEvent"


def test_a_cancelled_run_is_told_when_it_is_cancelled(scene: Callable[..., Scene]) -> None:
    """`POST cancel` ends the run, and its event is `response.cancelled`."""
    here = scene()
    run_id = here.run("stuck")
    assert here.after(3600) == []
    here.client.responses.cancel(run_id)
    (received,) = here.after(0)
    event = here.unwrap(received)
    assert (event.type, event.data.id) == ("response.cancelled", run_id)
    assert len(here.after(3600)) == 1


@pytest.mark.parametrize("outcome", ["stuck", "expired", "status:paused"])
def test_a_run_without_such_an_end_is_not_told(scene: Callable[..., Scene], outcome: str) -> None:
    """There is no event for a run that never ends, nor for a status that has none."""
    here = scene()
    here.run(outcome)
    assert here.after(1e6) == []


def test_foreground_runs_are_not_told(scene: Callable[..., Scene]) -> None:
    """A run whose answer was waited for has no event."""
    here = scene()
    here.client.responses.create(model="gpt-5", input="hi")
    assert here.after(10) == []


def test_a_webhook_is_the_request_that_the_provider_sends(scene: Callable[..., Scene]) -> None:
    """Path, headers and body are the documented ones; an HMAC computed here agrees with the signature."""
    here = scene()
    before = int(time.time())
    received = here.told()
    assert received.path == "/hooks?of=tests"
    assert list(json.loads(received.body)) == ["object", "id", "type", "created_at", "data"]
    headers = dict(received.headers)
    assert headers.pop("host") in here.receiver.url
    assert headers.pop("user-agent").startswith("OpenAI/1.0")
    assert headers.pop("content-type") == "application/json"
    assert headers.pop("webhook-id").startswith("wh_")
    assert before <= int(headers.pop("webhook-timestamp")) <= int(time.time())
    signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    signature = hmac.new(b"the secret of this receiver", signed, hashlib.sha256).digest()
    assert headers.pop("webhook-signature") == "v1," + base64.b64encode(signature).decode()
    assert sorted(headers) == ["connection", "content-length"]


def test_a_duplicate_has_the_same_id_and_body(scene: Callable[..., Scene]) -> None:
    """The second copy differs in nothing but the time at which it is signed."""
    here = scene()
    first = here.told(webhook="duplicate")
    _, second = here.after(1)
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    here.unwrap(second)
    assert [(one.attempt, one.copy) for one in here.emulator.deliveries] == [(1, 1), (1, 2)]
    assert len(here.after(1e6)) == 2


def test_a_reordered_event_comes_after_a_later_one(scene: Callable[..., Scene]) -> None:
    """The event of the run that ended first arrives second."""
    here = scene()
    first = here.run(webhook="reorder")
    assert here.after(1) == []
    second = here.run()
    here.after(1)
    assert here.receiver.ids == [second, first]


def test_a_delayed_event_comes_late(scene: Callable[..., Scene]) -> None:
    """Nothing is sent until `delay_seconds` after the end of the run."""
    here = scene(delay_seconds=3600)
    here.run(webhook="delay")
    prompt = here.run()
    here.after(3600)
    assert here.receiver.ids == [prompt]
    assert len(here.after(1)) == 2


def test_a_dropped_event_never_comes(scene: Callable[..., Scene]) -> None:
    """The run ends, and nobody is told; polling still shows it."""
    here = scene()
    run_id = here.run(webhook="drop")
    assert here.after(1e6) == []
    assert here.emulator.deliveries == []
    assert here.client.responses.retrieve(run_id).status == "completed"


def test_during_a_rotation_either_secret_will_do(scene: Callable[..., Scene]) -> None:
    """With an old secret each webhook has two signatures, and the SDK accepts it with either."""
    here = scene(old_secret=OLD_SECRET)
    received = here.told()
    assert len(received.headers["webhook-signature"].split()) == 2
    assert here.unwrap(received, SECRET) == here.unwrap(received, OLD_SECRET)
    assert here.emulator.deliveries[0].signed_with == "both"


@pytest.mark.parametrize(
    ("fields", "webhook", "good", "bad", "signed_with"),
    [
        ({"sign_with": "old_secret"}, "ok", OLD_SECRET, SECRET, "old_secret"),
        ({"sign_with": "secret"}, "ok", SECRET, OLD_SECRET, "secret"),
        ({"sign_with": "secret"}, "old-secret", OLD_SECRET, SECRET, "old_secret"),
    ],
)
def test_before_and_after_a_rotation_one_secret_signs(
    scene: Callable[..., Scene], fields: dict[str, Any], webhook: str, good: str, bad: str, signed_with: str
) -> None:
    """With `sign_with`, or by marker, only one of the secrets verifies."""
    here = scene(old_secret=OLD_SECRET, **fields)
    received = here.told(webhook=webhook)
    here.unwrap(received, good)
    with pytest.raises(InvalidWebhookSignatureError):
        here.unwrap(received, bad)
    assert here.emulator.deliveries[0].signed_with == signed_with


def test_a_wrong_secret_does_not_verify_and_the_retry_does(scene: Callable[..., Scene]) -> None:
    """A forged delivery is refused by the SDK; the next attempt, under the same id, is genuine."""
    here = scene(400)
    forged = here.told(webhook="wrong-secret")
    with pytest.raises(InvalidWebhookSignatureError, match="does not match"):
        here.unwrap(forged)
    _, genuine = here.after(10)
    assert here.unwrap(genuine).type == "response.completed"
    assert genuine.headers["webhook-id"] == forged.headers["webhook-id"]
    deliveries = here.emulator.deliveries
    assert [one.signed_with for one in deliveries] == ["wrong_secret", "secret"]
    assert [one.faults for one in deliveries] == [("wrong_secret",), ()]
    assert [one.status for one in deliveries] == [400, 200]


def test_an_old_timestamp_is_outside_the_tolerance(scene: Callable[..., Scene]) -> None:
    """A webhook signed ten minutes ago is refused, though its signature is right."""
    here = scene()
    received = here.told(webhook="old-timestamp")
    with pytest.raises(InvalidWebhookSignatureError, match="too old"):
        here.unwrap(received)
    here.client.webhooks.verify_signature(received.body, received.headers, secret=SECRET, tolerance=3600)


def test_a_bad_body_is_signed_and_is_no_json(scene: Callable[..., Scene]) -> None:
    """The signature of a cut body holds; reading it fails."""
    here = scene()
    received = here.told(webhook="bad-body")
    here.client.webhooks.verify_signature(received.body, received.headers, secret=SECRET)
    with pytest.raises(json.JSONDecodeError):
        here.unwrap(received)


def test_webhooks_are_sent_again_until_2xx(scene: Callable[..., Scene]) -> None:
    """An error, a redirect and a broken connection are no receipt; after a 204 there is no more."""
    here = scene(500, 302, "hang up", "nonsense", 404, 204)
    here.run()
    received = here.after(3600)
    assert len({one.headers["webhook-id"] for one in received}) == 1
    assert {one.path for one in received} == {"/hooks?of=tests"}
    deliveries = here.emulator.deliveries
    assert [one.status for one in deliveries] == [500, 302, None, None, 404, 204]
    assert [one.attempt for one in deliveries] == [1, 2, 3, 4, 5, 6]
    assert [one.error is None for one in deliveries] == [True, True, False, False, True, True]
    assert all(one.at == here.clock.now() > one.due_at for one in deliveries)
    assert len(here.after(1e6)) == 6


def test_retries_come_when_they_are_due(scene: Callable[..., Scene]) -> None:
    """The second attempt is made 4 to 6 s after the first, and not before; `speed` divides that."""
    here = scene(500, speed=10.0)
    here.run()
    here.after(0.5)
    assert len(here.after(0.39)) == 1
    assert len(here.after(0.22)) == 2


def test_a_receiver_that_is_down_is_tried_again(connect: Connect) -> None:
    """Without anybody listening an attempt has no status, and says why."""
    with listening() as receiver:
        url = receiver.url
    clock = ManualClock()
    settings = {"url": url, "retry_for_seconds": 30}
    with Emulator({"webhooks": settings}, clock=clock) as emulator:
        connect(emulator).responses.create(model="gpt-5", input="hi", background=True)
        clock.advance(3600)
        deliveries = emulator.settle_webhooks()
        assert len(deliveries) == 3
        assert {one.status for one in deliveries} == {None}
        assert all("no connection" in (one.error or "") for one in deliveries)


def test_a_receiver_that_does_not_answer_is_given_up(scene: Callable[..., Scene]) -> None:
    """After `timeout_seconds` the attempt has failed, and the next is made."""
    here = scene("stall", timeout_seconds=0.05)
    here.run()
    assert len(here.after(3600)) == 2
    assert [one.status for one in here.emulator.deliveries] == [None, 200]
    assert "no answer within 0.05 s" in (here.emulator.deliveries[0].error or "")


def test_the_api_answers_while_a_receiver_does_not(scene: Callable[..., Scene]) -> None:
    """A stalled receiver holds up neither the API nor, up to `concurrency`, the other webhooks."""
    here = scene("stall", concurrency=2)
    first = here.run()
    here.clock.advance(1)
    assert here.receiver.stalled.wait(60)
    assert here.client.responses.retrieve(first).status == "completed"
    second = here.run()
    here.clock.advance(1)
    with pytest.raises(EmulatorError, match=r"not delivered within 0\.2 s"):
        here.emulator.settle_webhooks(0.2)
    here.receiver.resume.set()
    here.emulator.settle_webhooks()
    assert here.receiver.ids[:2] == [first, second]


def test_the_concurrency_is_a_bound(scene: Callable[..., Scene]) -> None:
    """With one delivery at a time the next waits for the one before it."""
    here = scene("stall", concurrency=1)
    runs = [here.run() for _ in range(3)]
    here.clock.advance(1)
    assert here.receiver.stalled.wait(60)
    with pytest.raises(EmulatorError):
        here.emulator.settle_webhooks(0.1)
    assert here.receiver.ids == runs[:1]
    here.receiver.script.append(200)
    here.receiver.resume.set()
    here.emulator.settle_webhooks()
    assert sorted(set(here.receiver.ids)) == sorted(runs)


def test_stopping_breaks_off_what_is_under_way(scene: Callable[..., Scene]) -> None:
    """An emulator stops with a delivery pending; started again, it makes that attempt once more."""
    here = scene("stall")
    run_id = here.run()
    here.clock.advance(1)
    assert here.receiver.stalled.wait(60)
    here.emulator.stop()
    assert here.emulator.deliveries == []
    with pytest.raises(EmulatorError, match="only while the emulator runs"):
        here.emulator.settle_webhooks()
    here.emulator.start()
    (delivery,) = here.emulator.settle_webhooks()
    assert (delivery.run_id, delivery.attempt, delivery.status) == (run_id, 1, 200)
    assert here.receiver.ids == [run_id, run_id]


def test_runs_of_a_state_file_are_told_if_they_were_pending(connect: Connect, tmp_path: Path) -> None:
    """An emulator on a state file tells what ends from now on."""
    clock, state = ManualClock(), tmp_path / "state.jsonl"
    with Emulator(clock=clock, state_path=state) as emulator:
        client = connect(emulator)
        runs = []
        for outcome in ("completed", "stuck"):
            made = client.responses.create(model="gpt-5", input="hi", background=True, metadata={"emulate": outcome})
            runs.append(made.id)
            clock.advance(1)
    with listening() as receiver, Emulator(clock=clock, state_path=state, webhook_url=receiver.url) as emulator:
        connect(emulator).responses.cancel(runs[1])
        emulator.settle_webhooks()
        assert receiver.ids == [runs[1]]


def test_a_real_clock_delivers_by_itself(connect: Connect) -> None:
    """Without a manual clock a webhook comes when the run has ended; the default secret is told."""
    with listening("stall") as receiver, Emulator(webhook_url=receiver.url, speed=10) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        assert receiver.stalled.wait(60)
        (received,) = receiver.received
        event = client.webhooks.unwrap(received.body, received.headers, secret=emulator.webhook_secret)
        assert getattr(event.data, "id", None) == run.id
        assert client.responses.retrieve(run.id).status == "completed"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://192.168.0.1/hook",
        "http://0.0.0.0:8000/hook",
        "https://127.0.0.1/hook",
        "ftp://localhost/hook",
        "localhost:8000",
        "http://localhost:0/",
        "http://localhost:66000/",
        "http://user@localhost/",
        "http://localhost/a\r\nx: y",
        "http://[::2]/",
        "",
    ],
)
def test_only_receivers_on_this_machine_are_allowed(url: str) -> None:
    """Any other URL is one error that says what would do."""
    with pytest.raises(ScenarioError, match=r"webhooks: url: expected http:// and localhost, 127\.0\.0\.1 or \[::1\]"):
        Emulator(webhook_url=url)


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.8.8.8/x?y=z", "http://[::1]:1/hook"])
def test_loopback_has_several_names(url: str) -> None:
    """`localhost`, 127.0.0.0/8 and ::1 are on this machine."""
    assert Webhooks(url=url).url == url


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"drp": 0.1}, "unknown key 'drp'; did you mean 'drop'?"),
        ({"drop": 1.1}, "drop: expected a share of the events, 0 to 1, got 1.1"),
        ({"drop": "often"}, "drop: expected a number, 0 or more, got 'often'"),
        ({"url": "http://example.com"}, "url: expected http://"),
        ({"url": 5}, "url: expected a string"),
        ({"secret": "whsec_?"}, "secret: expected whsec_ and base64"),
        ({"secret": "whsec_"}, "secret: expected a secret that is not empty"),
        ({"sign_with": "both"}, "sign_with: 'both' needs an old_secret"),
        ({"sign_with": "neither", "old_secret": "x"}, "sign_with: unknown word 'neither'"),
        ({"retry_seconds": 0}, "retry_seconds: expected more than 0"),
        ({"concurrency": 0}, "concurrency: expected 1 or more"),
        ({"concurrency": 1.5}, "concurrency: expected a whole number"),
        ([], "expected a table"),
    ],
)
def test_a_wrong_table_is_one_clear_error(table: object, said: str) -> None:
    """A bad key or value of `[webhooks]` names the scenario, the table, the key and what is allowed."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario({"webhooks": table})
    assert str(caught.value).startswith("scenario: [webhooks]: ")
    assert said in str(caught.value)


def test_the_arguments_come_before_the_table() -> None:
    """`webhook_url` and `webhook_secret` stand in for those of the scenario; the rest of the table stays."""
    scenario = {"webhooks": {"url": "http://localhost:1/", "secret": OLD_SECRET, "drop": 0.5}}
    emulator = Emulator(scenario, webhook_url="http://localhost:2/", webhook_secret=SECRET)
    assert emulator.scenario.webhooks == Webhooks(url="http://localhost:2/", secret=SECRET, drop=0.5)
    assert emulator.webhook_secret == SECRET
    assert Emulator(scenario).webhook_secret == OLD_SECRET
    assert SECRET not in repr(emulator.scenario)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("dupe", "unknown word 'dupe'"),
        ("drop,", "empty item"),
        ("old-secret", "needs an old_secret"),
    ],
)
def test_a_bad_marker_is_refused(client: OpenAI, marker: str, said: str) -> None:
    """A marker `emulate_webhook` that names nothing is a 400, and no run is created."""
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        client.responses.create(model="gpt-5", input="hi", background=True, metadata={"emulate_webhook": marker})
    assert caught.value.param == "metadata.emulate_webhook"


def test_words_of_a_marker_add_up(scene: Callable[..., Scene]) -> None:
    """A comma list has all its effects on the one event, and stands in for every share."""
    here = scene(old_timestamp=1.0)
    here.told(webhook="duplicate,wrong-secret,bad-body")
    here.after(1)
    assert [one.faults for one in here.emulator.deliveries] == [("wrong_secret", "bad_body")] * 2


def test_without_a_url_nothing_is_sent(client: OpenAI, emulator: Emulator, clock: ManualClock) -> None:
    """An emulator that was given no receiver has nothing to settle."""
    client.responses.create(model="gpt-5", input="hi", background=True)
    clock.advance(10)
    assert emulator.settle_webhooks() == []
