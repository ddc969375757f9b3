"""Notices over Redis: a wait hears what another process received, and Redis may go away meanwhile."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from redis import Redis
from starlette.applications import Starlette

from colours import COLOURS, PARAMS
from redis_server import RedisServer, check_binary
from runoutcome import AsyncRuns, Runs
from runoutcome.asgi import webhook_route
from runoutcome.testing import Emulator, ManualClock
from runoutcome.webhooks import Inbox, Notice, RedisNotices
from webhook_samples import NOW, SECRET, event, serving, sign

PATIENCE_SECONDS = 60.0
WORKER = """
import asyncio, sys
from openai import AsyncOpenAI, OpenAI
from runoutcome import AsyncRuns, Runs
from runoutcome._waiting import polling
from runoutcome.webhooks import RedisNotices

colour, base_url, redis_url, run_id = sys.argv[1:]
polling.SAFETY_NET_SECONDS = 3600.0, 3600.0  # only a notice ends the wait
notices = RedisNotices(redis_url)

def tell(outcome):
    print(outcome.status, flush=True)

async def wait():
    runs = AsyncRuns(AsyncOpenAI(base_url=base_url, api_key="any"), notices=notices)
    return await runs.poll(run_id, max_wait_seconds=None, on_update=tell)

if colour == "sync":
    runs = Runs(OpenAI(base_url=base_url, api_key="any"), notices=notices)
    runs.poll(run_id, max_wait_seconds=None, on_update=tell)
else:
    asyncio.run(wait())
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test's own."""
    check_binary()
    server = RedisServer(tmp_path)
    yield server
    server.close()


class Waiter:
    """A wait that was woken, or was not yet."""

    def __init__(self, notices: RedisNotices, run_id: str = "resp_1") -> None:
        self.woken, self.count = threading.Event(), 0
        self.stop = notices.listen(run_id, self.wake)

    def wake(self) -> None:
        """A notice came."""
        self.count += 1
        self.woken.set()

    def is_woken(self) -> bool:
        """Wait for the notice; False if none comes."""
        return self.woken.wait(PATIENCE_SECONDS)


def notice(run_id: str = "resp_1", webhook_id: str = "wh_1") -> Notice:
    """A notice of a run."""
    return Notice(webhook_id, "evt_1", "response.completed", run_id, NOW)


def inbox(notices: RedisNotices) -> Inbox:
    """The inbox of a web process."""
    return Inbox(SECRET, seen=notices, on_notice=notices.publish, clock=lambda: NOW)


def post(run_id: str = "resp_1", webhook_id: str = "wh_1") -> tuple[bytes, dict[str, str]]:
    """A webhook."""
    body = event(data_id=run_id)
    return body, sign(body, webhook_id=webhook_id)


def test_a_notice_wakes_the_waits_of_other_processes(server: RedisServer) -> None:
    """Each wait for the run hears it, in whatever worker; the others do not."""
    web, *workers = (server.notices() for _ in range(3))
    waiters = [Waiter(worker) for worker in workers]
    other = Waiter(workers[0], "resp_2")
    assert inbox(web).receive(*post()).is_new
    assert all(waiter.is_woken() for waiter in waiters)
    assert not other.woken.is_set()


def test_two_web_processes_deliver_a_webhook_once(server: RedisServer) -> None:
    """A copy that reaches another web process is known there, and wakes nobody again."""
    one, two, worker = (server.notices() for _ in range(3))
    waiter, witness = Waiter(worker), Waiter(worker, "resp_2")
    assert [inbox(web).receive(*post()).is_new for web in (one, two, one)] == [True, False, False]
    inbox(two).receive(*post("resp_2", "wh_2"))
    assert witness.is_woken()
    assert waiter.is_woken()
    assert waiter.count == 1


def test_a_notice_that_comes_before_the_wait_is_kept(server: RedisServer) -> None:
    """It wakes each wait that begins later, and Redis forgets it after a time."""
    web, worker = server.notices(keep_seconds=3600), server.notices()
    inbox(web).receive(*post())
    first = Waiter(worker)
    assert first.is_woken()
    assert Waiter(worker).is_woken()
    with server.client() as client:
        ttl: Any = client.ttl("runoutcome:notice:resp_1")
    assert 0 < ttl <= 3600


def test_only_ids_types_and_times_are_stored(server: RedisServer) -> None:
    """Keys are under the namespace; the values hold nothing of the body, and no secret."""
    web = server.notices(namespace="mine")
    body = event(data_id="resp_1", secret_words="Saturn")
    inbox(web).receive(body, sign(body))
    with server.client() as client:
        keys: Any = client.keys("*")
        value: Any = client.get("mine:notice:resp_1")
        assert client.get("mine:seen:wh_1") == b"1"
    assert sorted(keys) == [b"mine:notice:resp_1", b"mine:seen:wh_1"]
    assert json.loads(value) == {"id": "resp_1", "webhook": "wh_1", "type": "response.completed", "at": NOW - 5}


def test_a_notice_that_is_about_no_run_is_not_passed_on(server: RedisServer) -> None:
    """Webhooks of batches are remembered, and nothing else."""
    web = server.notices()
    body = event("batch.completed", "batch_1")
    assert inbox(web).receive(body, sign(body)).is_new
    with server.client() as client:
        assert client.keys("*") == [b"runoutcome:seen:wh_1"]


def test_a_killed_server_is_a_warning_and_waits_go_on(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """While Redis is away nothing is heard, and nothing raises; when it is back, the same waits hear again."""
    caplog.set_level(logging.INFO, logger="runoutcome")
    web, worker = server.notices(), server.notices()
    waiter, again = Waiter(worker), Waiter(worker, "resp_2")
    web.publish(notice())
    assert waiter.is_woken()
    server.kill()
    with pytest.raises(Exception, match=r"refused|closed|reset"):
        inbox(web).receive(*post("resp_2"))
    wait_until(lambda: "notices_lost" in caplog.text)
    server.start()
    assert inbox(web).receive(*post("resp_2")).is_new  # the sender sends it again
    assert again.is_woken()
    wait_until(lambda: "notices_back" in caplog.text)
    assert waiter.count == 1


def test_closed_notices_leave_nothing_behind(server: RedisServer) -> None:
    """After `close` the thread has ended, nobody is woken, and a wait that ends later does no harm."""
    worker = server.notices()
    waiter = Waiter(worker)
    worker.close()
    assert "runoutcome redis" not in [thread.name for thread in threading.enumerate()]
    server.notices().publish(notice())
    waiter.stop()
    assert waiter.count == 0


def wait_until(is_true: Callable[[], bool]) -> None:
    """Wait until something is true that another thread does; a failure if it takes for ever."""
    turn = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / 0.05)):
        if is_true():
            return
        turn.wait(0.05)
    pytest.fail("it never came true")


def test_a_wait_may_begin_while_the_server_is_away(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A wait that begins then hears what comes when the server is back."""
    caplog.set_level(logging.INFO, logger="runoutcome")
    server.kill()
    worker = server.notices()
    waiter = Waiter(worker)
    wait_until(lambda: "notices_lost" in caplog.text)
    server.start()
    server.notices().publish(notice())
    assert waiter.is_woken()


def test_a_wait_that_cannot_be_woken_harms_no_other(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """If the first of two waits raises, the second is woken, and Redis is not said to be away."""
    notices = server.notices()
    ends = [notices.listen("resp_1", lambda: [][0])]
    waiter = Waiter(notices)
    notices.publish(notice())
    assert waiter.is_woken()
    assert "notices_lost" not in caplog.text
    for stop in (*ends, waiter.stop):
        stop()


def test_the_thread_ends_with_the_last_wait(server: RedisServer) -> None:
    """Nobody listens where nobody waits, and a later wait listens again."""
    worker = server.notices()
    waiter = Waiter(worker)
    waiter.stop()
    waiter.stop()
    wait_until(lambda: worker._thread is None)
    assert worker._listeners == {}
    later = Waiter(worker)
    server.notices().publish(notice())
    assert later.is_woken()


@pytest.mark.parametrize("text", ["", "[]", "no JSON", '{"id": 1}', b"\xff"])
def test_what_another_program_writes_wakes_nobody(server: RedisServer, text: Any) -> None:
    """Garbage in the channel or under a key is passed over."""
    worker = server.notices()
    with server.client() as client:
        client.set("runoutcome:notice:resp_1", text)
        waiter, witness = Waiter(worker), Waiter(worker, "resp_2")
        server.notices().publish(notice("resp_2"))
        assert witness.is_woken()
        client.publish("runoutcome:notices", text)
        server.notices().publish(notice("resp_2", "wh_2"))
        wait_until(lambda: witness.count == 2)
    assert waiter.count == 0


@pytest.mark.parametrize("colour", COLOURS)
def test_a_web_process_and_a_worker(server: RedisServer, colour: str) -> None:
    """The worker's wait ends by the webhook that the web process got: one poll before it, one after."""
    clock = ManualClock()
    web = server.notices()
    receiver = Inbox(SECRET, seen=web, on_notice=web.publish)
    with (
        serving(Starlette(routes=[webhook_route("/webhooks", receiver)])) as base,
        Emulator({"webhooks": {"url": f"{base}/webhooks", "secret": SECRET}}, clock=clock) as emulator,
    ):
        run_id = created(emulator)
        command = [sys.executable, "-c", WORKER, colour, emulator.base_url, server.url, run_id]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "queued\n"
            clock.advance(60)
            assert worker.stdout.readline() == "completed\n"
            assert worker.wait() == 0
        polls = [request for request in emulator.requests if request.method == "GET"]
    assert len(polls) == 2


def created(emulator: Emulator) -> str:
    """The id of a new run."""
    from openai import OpenAI

    with OpenAI(base_url=emulator.base_url, api_key="any") as client:
        return client.responses.create(**PARAMS, background=True).id


@pytest.mark.parametrize("cls", [Runs, AsyncRuns])
def test_a_runs_takes_it(cls: Any) -> None:
    """It is a source of notices for both colours."""
    import openai

    client = openai.OpenAI(api_key="any") if cls is Runs else openai.AsyncOpenAI(api_key="any")
    assert cls(client, notices=RedisNotices("redis://127.0.0.1:1")) is not None


def test_a_client_of_the_users(server: RedisServer) -> None:
    """A client that the user made works, also one that decodes texts."""
    with server.client() as plain, Redis.from_url(server.url, decode_responses=True) as decoding:
        waiters = [Waiter(RedisNotices(client)) for client in (plain, decoding)]
        assert inbox(RedisNotices(decoding)).receive(*post()).is_new
        assert all(waiter.is_woken() for waiter in waiters)
        for waiter in waiters:
            waiter.stop()


@pytest.mark.parametrize("client", [redis.asyncio.Redis(), Redis, 1, None])
def test_what_is_no_client(client: Any) -> None:
    """A client whose methods are coroutine functions, or none at all, is a TypeError."""
    with pytest.raises(TypeError, match=r"redis\.Redis"):
        RedisNotices(client)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"keep_seconds": 0}, ValueError),
        ({"keep_seconds": float("inf")}, ValueError),
        ({"keep_seconds": "6h"}, TypeError),
        ({"namespace": None}, TypeError),
    ],
)
def test_what_makes_no_sense(options: dict[str, Any], error: type[Exception]) -> None:
    """A time that is none, or below a second, and a namespace that is no text are refused by name."""
    with pytest.raises(error, match=next(iter(options))):
        RedisNotices("redis://127.0.0.1:1", **options)


@pytest.mark.parametrize("options", [{"seen": "redis://localhost"}, {"on_notice": RedisNotices("redis://127.0.0.1:1")}])
def test_an_inbox_takes_the_parts_of_it(options: dict[str, Any]) -> None:
    """An inbox refuses a URL as its store, and the object itself in place of its `publish`, before a webhook comes."""
    with pytest.raises(TypeError, match=next(iter(options))):
        Inbox(SECRET, **options)


@pytest.mark.once
def test_a_missing_package_names_the_extra() -> None:
    """Without `redis` the webhooks work, and a URL says what to install."""
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from runoutcome.webhooks import Inbox, RedisNotices\n"
        "try:\n    RedisNotices('redis://localhost')\nexcept ImportError as error:\n    print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'runoutcome[redis]'" in result.stdout
