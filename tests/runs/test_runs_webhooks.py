"""Waits that a webhook ends: a real receiver, the emulator as its sender, and polls only where a webhook is lost."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette

from colours import COLOURS, PARAMS, Colour, World
from runoutcome import AsyncRuns, RunCancelledError, RunInternalServerError, Runs
from runoutcome._waiting import polling as _wait
from runoutcome.asgi import webhook_route
from runoutcome.webhooks import Inbox
from webhook_samples import SECRET, event, serving, sign

NEVER = (3600.0, 3600.0)
"""A safety net that no test lives to see: what ends a wait then is the webhook."""
PATIENCE_SECONDS = 120.0


class NoticedWorld(World):
    """A world whose `Runs` has an inbox, in real time; the emulator's clock is moved by the test."""

    def __init__(self, colour: Colour, url: str, inbox: Inbox, **scenario: Any) -> None:
        super().__init__(colour, {"webhooks": {"url": url, "secret": SECRET}, **scenario})
        self.inbox = inbox

    def runs(self, client: Any, **options: Any) -> Any:
        """`Runs` or `AsyncRuns` with the inbox."""
        cls = Runs if self.colour == "sync" else AsyncRuns
        return cls(client, resubmit_budget=self.budget, notices=self.inbox, **options)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """As in any world, without a deadline, but not for ever."""
        return within_patience(lambda: World.call(self, name, *args, **{"max_wait_seconds": None, **kwargs}))

    def on_poll(self, number: int, do: Callable[[], object]) -> None:
        """Do something when the poll of this number has been answered, before the answer is read."""

        answered = itertools.count(1)

        def hook(response: Any) -> None:
            if response.request.method == "GET" and next(answered) == number:
                do()

        self.response_hooks.append(hook)

    def end_runs(self) -> None:
        """Let all runs end; their webhooks are delivered before this returns."""
        self.clock.server.advance(60)
        self.emulator.settle_webhooks()

    def forge(self, run_id: str, webhook_id: str = "wh_1") -> None:
        """A good webhook that comes before its run reads as ended."""
        body = event(data_id=run_id)
        now = int(self.inbox._clock())
        self.inbox.receive(body, sign(body, at=now, webhook_id=webhook_id))


def within_patience(call: Callable[[], Any]) -> Any:
    """What the call gives or raises; a failure if it takes for ever."""
    done: queue.Queue[tuple[bool, Any]] = queue.Queue()

    def run() -> None:
        try:
            done.put((True, call()))
        except BaseException as error:  # noqa: BLE001 - raised again below
            done.put((False, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        is_good, value = done.get(timeout=PATIENCE_SECONDS)
    except queue.Empty:
        pytest.fail("nothing ended the wait")
    if not is_good:
        raise value
    return value


@pytest.fixture(params=COLOURS)
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., NoticedWorld]]:
    """Opens a world; keyword arguments are keys of the emulator's scenario."""
    monkeypatch.setattr(_wait, "SAFETY_NET_SECONDS", NEVER)
    with ExitStack() as stack:

        def open_world(**scenario: Any) -> NoticedWorld:
            inbox = Inbox(SECRET)
            base = stack.enter_context(serving(Starlette(routes=[webhook_route("/webhooks", inbox)])))
            return stack.enter_context(closing(NoticedWorld(request.param, f"{base}/webhooks", inbox, **scenario)))

        yield open_world


def test_a_wait_ends_when_the_webhook_comes(world: Callable[..., NoticedWorld]) -> None:
    """A wait polls once, sleeps until the webhook comes, and polls once more; then nobody listens any more."""
    here = world()
    run_id = here.submitted()
    here.on_poll(1, lambda: here.clock.server.advance(60))  # the emulator's sender does the rest
    assert here.call("poll", run_id).status == "completed"
    assert len(here.polls) == 2
    assert here.inbox._listeners == {}


def test_the_body_decides(world: Callable[..., NoticedWorld]) -> None:
    """The webhook only says that the run has ended; the error is made from the body that is fetched."""
    here = world()
    run_id = here.submitted("server_error")
    here.on_poll(1, here.end_runs)
    with pytest.raises(RunInternalServerError) as caught:
        here.call("poll", run_id)
    assert (caught.value.code, caught.value.poll_status_code, len(here.polls)) == ("server_error", 200, 2)


def test_a_notice_that_others_hear_too(world: Callable[..., NoticedWorld]) -> None:
    """A notice that comes while a poll is answered ends the sleep after it, also where others wait for the run."""
    here = world()
    run_id = here.submitted()
    heard: list[str] = []
    stop = here.inbox.listen(run_id, lambda: heard.append(run_id))
    here.on_poll(1, here.end_runs)
    assert here.call("poll", run_id).status == "completed"
    assert (heard, len(here.polls)) == ([run_id], 2)
    stop()
    assert here.inbox._listeners == {}


def test_a_notice_that_comes_before_the_wait_listens(world: Callable[..., NoticedWorld]) -> None:
    """A run that ends while its create is being answered is found by the first poll, without a sleep before it."""
    here = world()
    here.response_hooks.append(lambda response: here.end_runs() if response.request.method == "POST" else None)
    assert here.call("create_and_poll", **PARAMS).status == "completed"
    assert (len(here.posts), len(here.polls)) == (1, 1)


def test_a_lost_webhook_costs_time_and_not_the_run(
    world: Callable[..., NoticedWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no webhook comes the slow polls of the safety net find the end."""
    monkeypatch.setattr(_wait, "SAFETY_NET_SECONDS", (0.01, 0.02))
    here = world()
    run_id = here.submitted(emulate_webhook="drop")
    here.on_poll(2, here.end_runs)
    assert here.call("poll", run_id).status == "completed"
    assert len(here.polls) == 3
    assert here.emulator.deliveries == []


def test_copies_of_a_webhook_wake_once(world: Callable[..., NoticedWorld]) -> None:
    """A webhook that comes twice makes one poll."""
    here = world()
    run_id = here.submitted(emulate_webhook="duplicate")
    here.on_poll(1, here.end_runs)
    assert here.call("poll", run_id).status == "completed"
    assert [one.status for one in here.emulator.deliveries] == [204, 200]
    assert len(here.polls) == 2


def test_a_forged_webhook_ends_nothing(world: Callable[..., NoticedWorld]) -> None:
    """A webhook by a wrong secret makes no poll; the genuine one after it does."""
    here = world()
    run_id = here.submitted(emulate_webhook="wrong-secret")
    here.on_poll(1, here.end_runs)
    assert here.call("poll", run_id).status == "completed"
    assert [one.status for one in here.emulator.deliveries] == [400, 204]
    assert len(here.polls) == 2


def test_webhooks_of_other_runs_wake_nobody(world: Callable[..., NoticedWorld]) -> None:
    """While other runs end the wait sleeps on; its own webhook (here of a cancel) ends it."""
    here = world()
    run_id = here.submitted("stuck")

    def end_another_first() -> None:
        here.submitted()
        here.end_runs()
        here.plain.responses.cancel(run_id)
        here.emulator.settle_webhooks()

    here.on_poll(1, end_another_first)
    with pytest.raises(RunCancelledError):
        here.call("poll", run_id)
    assert len(here.emulator.deliveries) == 2
    assert len(here.polls) == 2


def test_a_run_that_still_reads_as_pending_is_polled_quickly(
    world: Callable[..., NoticedWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a notice a run that reads as pending is asked for again soon, and not after the long sleep."""
    monkeypatch.setattr(_wait, "FIRST_DELAY_SECONDS", 0.01)
    here = world()
    run_id = here.submitted(emulate_webhook="drop")
    here.on_poll(1, lambda: here.forge(run_id))
    here.on_poll(4, here.end_runs)
    assert here.call("poll", run_id).status == "completed"
    assert len(here.polls) == 5


def test_a_poll_fault_after_a_notice(world: Callable[..., NoticedWorld], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the poll after a notice fails it is made again soon: the notice is not used up by it."""
    monkeypatch.setattr(_wait, "FIRST_DELAY_SECONDS", 0.01)
    here = world(faults=[{"route": "poll", "from": 2, "to": 3, "fault": "503"}])
    run_id = here.submitted()
    here.on_poll(1, here.end_runs)
    assert here.call("poll", run_id).status == "completed"
    assert [poll.status for poll in here.polls] == [200, 503, 503, 200]


@pytest.mark.parametrize("name", ["poll", "gather"])
def test_a_notice_does_not_shorten_what_the_server_asked_for(world: Callable[..., NoticedWorld], name: str) -> None:
    """A webhook that comes while a poll's Retry-After runs ends the wait after it, by one poll."""
    fault = {"route": "poll", "to": 1, "fault": {"status": 503, "retry_after": 0.5}}
    here = world(queued_seconds=0, running_seconds=0, faults=[fault])
    run_id = here.submitted(emulate_webhook="drop")
    here.on_poll(1, lambda: here.forge(run_id))
    here.call(name, run_id if name == "poll" else [run_id])
    assert [poll.status for poll in here.polls] == [503, 200]
    assert here.emulator.verdict().of_kind("retry_after_ignored") == ()


def test_a_resubmitted_run_has_notices_of_its_own(
    world: Callable[..., NoticedWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is made again is waited for by its own webhook."""
    monkeypatch.setattr("runoutcome._waiting.resubmit.FIRST_DELAY_SECONDS", {"resubmit": 0.01, "resubmit_later": 0.01})
    here = world()
    here.response_hooks.append(lambda response: here.end_runs() if response.request.method == "POST" else None)
    response = here.call("create_and_poll", metadata={"emulate": "server_error,completed"}, resubmit=1, **PARAMS)
    assert response.status == "completed"
    assert (len(here.posts), len(here.polls)) == (2, 2)


def test_many_runs(world: Callable[..., NoticedWorld]) -> None:
    """Each of many runs is polled once, and once more when its webhook has come."""
    here = world()
    run_ids = [here.submitted() for _ in range(20)]
    here.on_poll(20, here.end_runs)
    responses = here.call("gather", run_ids)
    assert [response.id for response in responses] == run_ids
    assert len(here.polls) <= 40
    assert here.inbox._listeners == {}


def test_under_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that is delivered in another thread wakes a wait under trio."""
    monkeypatch.setattr(_wait, "SAFETY_NET_SECONDS", NEVER)
    inbox = Inbox(SECRET)
    with (
        serving(Starlette(routes=[webhook_route("/webhooks", inbox)])) as base,
        closing(NoticedWorld("async", f"{base}/webhooks", inbox)) as here,
    ):
        run_id = here.submitted()
        here.on_poll(1, lambda: here.clock.server.advance(60))

        async def wait() -> Any:
            async with here.client() as client:
                return await here.runs(client).poll(run_id, max_wait_seconds=None)

        assert within_patience(lambda: anyio.run(wait, backend="trio")).status == "completed"
        assert len(here.polls) == 2
