"""An inbox: each webhook is told once, to all who wait for its run, whenever they began to."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st

from runoutcome._operations.effects import Notices
from runoutcome.webhooks import Inbox, MemorySeenIds, Notice, Receipt, WebhookError, WebhookSignatureError, _inbox
from webhook_samples import FOREIGN_SECRET, NOW, OLD_SECRET, SECRET, event, sign

Post = tuple[bytes, dict[str, str]]


def post(run_id: str = "resp_1", type: str = "response.completed", **options: Any) -> Post:
    """A webhook of a run, under an id of its own."""
    body = event(type, run_id)
    return body, sign(body, **{"webhook_id": f"wh_{run_id}_{type}", **options})


def inbox(secrets: Any = SECRET, **options: Any) -> Inbox:
    """An inbox at the time of the samples."""
    return Inbox(secrets, **{"clock": lambda: NOW, **options})


class Waiter:
    """Counts how often it was woken."""

    def __init__(self, inbox: Inbox, run_id: str = "resp_1") -> None:
        self.woken = 0
        self.stop = inbox.listen(run_id, self.wake)

    def wake(self) -> None:
        """A notice came."""
        self.woken += 1


class BrokenStore:
    """A store of ids that fails while it is told to."""

    def __init__(self) -> None:
        self.ids = MemorySeenIds()
        self.is_down = True

    def add(self, webhook_id: str, now: float) -> bool:
        """Part of the protocol."""
        if self.is_down:
            raise ConnectionError("the store is down")
        return self.ids.add(webhook_id, now)

    def discard(self, webhook_id: str) -> None:
        """Part of the protocol."""
        if self.is_down:
            raise ConnectionError("the store is down")
        self.ids.discard(webhook_id)


def test_a_webhook_wakes_who_waits_for_its_run() -> None:
    """`receive` gives the notice, and wakes everybody who waits for the run, and nobody else."""
    here = inbox()
    one, two, other = Waiter(here), Waiter(here), Waiter(here, "resp_2")
    receipt = here.receive(*post())
    assert receipt == Receipt(
        Notice("wh_resp_1_response.completed", "evt_1", "response.completed", "resp_1", NOW - 5), True
    )
    assert (one.woken, two.woken, other.woken) == (1, 1, 0)


def test_a_copy_is_told_from_a_new_one() -> None:
    """A webhook that came before is acknowledged as such and wakes nobody, whatever it is signed with."""
    here = inbox([SECRET, OLD_SECRET])
    waiter = Waiter(here)
    copies = [post(), post(), post(by=[OLD_SECRET], at=NOW - 200), post()]
    assert [here.receive(*copy).is_new for copy in copies] == [True, False, False, False]
    assert waiter.woken == 1


def test_accepting_tells_nobody() -> None:
    """A server that answers first accepts, and delivers after that."""
    here = inbox()
    waiter = Waiter(here)
    receipt = here.accept(*post())
    assert (receipt.is_new, waiter.woken) == (True, 0)
    assert not here.accept(*post()).is_new
    here.deliver(receipt.notice)
    assert waiter.woken == 1


def test_a_notice_that_came_before_anybody_listened() -> None:
    """Who listens later is woken at once, and the next one is not: the notice has been told."""
    here = inbox()
    here.receive(*post())
    here.receive(*post())
    assert [Waiter(here).woken, Waiter(here).woken] == [1, 0]


def test_a_notice_that_was_heard_is_not_kept() -> None:
    """A notice that woke somebody is not told to those who listen later."""
    here = inbox()
    Waiter(here)
    here.receive(*post())
    assert Waiter(here).woken == 0


def test_each_notice_of_a_run_is_told() -> None:
    """Two events of one run (a cancel that came too late) wake twice, in whatever order they come."""
    here = inbox()
    waiter = Waiter(here)
    for type in ("response.completed", "response.cancelled"):
        here.receive(*post(type=type))
    assert waiter.woken == 2


def test_who_stops_listening_is_not_woken() -> None:
    """After `stop` the others are still woken; stopping twice is no harm; nothing is left behind."""
    here = inbox()
    one, two = Waiter(here), Waiter(here)
    one.stop()
    one.stop()
    here.receive(*post())
    assert (one.woken, two.woken) == (0, 1)
    two.stop()
    assert here._listeners == {}


def test_early_notices_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the runs nobody listens for the last ones with a notice are remembered, by default ten thousand."""
    assert _inbox.MAX_EARLY == 10_000
    monkeypatch.setattr(_inbox, "MAX_EARLY", 2)
    here = inbox()
    for run_id, type in [("a", "failed"), ("b", "failed"), ("a", "cancelled"), ("c", "failed")]:
        here.receive(*post(run_id, f"response.{type}"))
    assert [Waiter(here, run_id).woken for run_id in "abc"] == [1, 0, 1]
    assert here._early == {}


@pytest.mark.parametrize("type", ["batch.completed", "fine_tuning.job.succeeded", "realtime.call.incoming"])
def test_other_events_wake_nobody(type: str) -> None:
    """An event that is not about a run is received, told to `on_notice`, and wakes no waiter."""
    told: list[Notice] = []
    here = inbox(on_notice=told.append)
    waiter = Waiter(here)
    receipt = here.receive(*post(type=type))
    assert (receipt.is_new, receipt.notice.is_run, waiter.woken) == (True, False, 0)
    assert told == [receipt.notice]
    assert Waiter(here).woken == 0


def test_a_forged_webhook_does_not_use_up_its_id() -> None:
    """A webhook that is refused is not remembered: the genuine one under the same id is new."""
    here = inbox()
    waiter = Waiter(here)
    for refused in (post(by=[FOREIGN_SECRET]), post(at=NOW - 600), (b"{", sign(b"{", webhook_id="wh_resp_1"))):
        with pytest.raises(WebhookError):
            here.receive(*refused)
    assert here.receive(*post()).is_new
    assert waiter.woken == 1


def test_a_rotation_of_secrets() -> None:
    """With both secrets webhooks of either are taken; after the rotation only those of the new one."""
    during, after = inbox([SECRET, OLD_SECRET]), inbox(SECRET)
    for by in ([OLD_SECRET], [SECRET], [OLD_SECRET, SECRET]):
        assert during.accept(*post(by=by, webhook_id=f"wh_{len(by)}_{by[0]}")).is_new
    with pytest.raises(WebhookSignatureError):
        after.accept(*post(by=[OLD_SECRET]))


def test_the_tolerance_is_the_inboxs() -> None:
    """`tolerance_seconds` and `clock` decide what is too old."""
    assert inbox(tolerance_seconds=3600).accept(*post(at=NOW - 3000)).is_new
    with pytest.raises(WebhookSignatureError, match="s ago"):
        Inbox(SECRET).accept(*post(at=1_000_000_000))


def test_a_copy_after_three_days_is_new() -> None:
    """An id is forgotten when the provider has given up sending it."""
    now = [float(NOW)]
    here = inbox(clock=lambda: now[0])
    assert here.accept(*post()).is_new
    now[0] += 73 * 3600
    assert here.accept(*post(at=int(now[0]))).is_new


def test_a_store_that_fails() -> None:
    """What the store raises comes out of `receive`, nobody is told, and the next copy is new."""
    store = BrokenStore()
    here = inbox(seen=store)
    waiter = Waiter(here)
    with pytest.raises(ConnectionError):
        here.receive(*post())
    assert waiter.woken == 0
    store.is_down = False
    assert here.receive(*post()).is_new
    assert waiter.woken == 1


def test_what_on_notice_raises_comes_out_and_the_next_copy_is_new() -> None:
    """A notice that could not be acted on is not lost: waiters are woken, the sender is told, and tries again."""
    told: list[Notice] = []

    def failing_once(notice: Notice) -> None:
        told.append(notice)
        if len(told) == 1:
            raise OSError("the disk is full")

    here = inbox(on_notice=failing_once)
    waiter = Waiter(here)
    with pytest.raises(OSError, match="disk is full"):
        here.receive(*post())
    assert waiter.woken == 1
    assert [here.receive(*post()).is_new for _ in range(2)] == [True, False]
    assert len(told) == 2


def test_the_first_error_is_told() -> None:
    """Where `on_notice` fails and the store cannot forget, the error is that of `on_notice`."""
    store = BrokenStore()
    store.is_down = False

    def failing(notice: Notice) -> None:
        store.is_down = True
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        inbox(seen=store, on_notice=failing).receive(*post())


def test_a_coroutine_function_is_awaited_or_refused() -> None:
    """`deliver_async` awaits `on_notice`; `receive` says that it cannot, and leaves no coroutine behind."""
    told: list[Notice] = []

    async def tell(notice: Notice) -> None:
        told.append(notice)

    here = inbox(on_notice=tell)
    waiter = Waiter(here)
    with pytest.raises(TypeError, match="await deliver_async"):
        here.receive(*post())
    gc.collect()
    assert (told, waiter.woken) == ([], 1)
    receipt = here.accept(*post())
    assert receipt.is_new
    anyio.run(here.deliver_async, receipt.notice)
    assert (told, waiter.woken) == ([receipt.notice], 2)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_plain_function_does_for_deliver_async(backend: str) -> None:
    """`deliver_async` calls a plain `on_notice` too, under any loop; what it raises comes out."""
    told: list[Notice] = []
    here = inbox(on_notice=told.append)
    anyio.run(here.deliver_async, here.accept(*post()).notice, backend=backend)
    assert len(told) == 1

    async def failing(notice: Notice) -> None:
        raise OSError("the disk is full")

    here = inbox(on_notice=failing)
    with pytest.raises(OSError, match="disk is full"):
        anyio.run(here.deliver_async, here.accept(*post()).notice, backend=backend)
    assert here.accept(*post()).is_new


def test_waking_may_listen_and_stop() -> None:
    """A `wake` may stop itself, stop another and listen anew, as a wait does that ends or goes on."""
    here = inbox()
    again: list[Waiter] = []

    def wake() -> None:
        stop()
        other.stop()
        again.append(Waiter(here))

    stop = here.listen("resp_1", wake)
    other = Waiter(here)
    here.receive(*post())
    here.receive(*post(type="response.failed"))
    assert [waiter.woken for waiter in again] == [1]


def test_a_loop_that_has_ended_is_no_reason_not_to_wake_the_others() -> None:
    """A waiter whose event loop is closed is passed over."""
    here = inbox()
    loop = asyncio.new_event_loop()
    loop.close()
    here.listen("resp_1", lambda: loop.call_soon_threadsafe(print) and None)
    waiter = Waiter(here)
    here.receive(*post())
    assert waiter.woken == 1


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["come", "listen", "stop"])), max_size=40))
def test_every_notice_is_told_exactly_once(steps: list[tuple[int, str]]) -> None:
    """In whatever order copies come and waiters begin and end, one waiter at a time hears each notice once."""
    here = inbox()
    came: set[int] = set()
    heard: Counter[int] = Counter()
    stops: dict[int, Callable[[], None]] = {}
    for number, step in steps:
        if step == "come":
            assert here.receive(*post(f"resp_{number}")).is_new == (number not in came)
            came.add(number)
        elif step == "listen" and number not in stops:
            stops[number] = here.listen(f"resp_{number}", lambda number=number: heard.update([number]))
        elif step == "stop" and number in stops:
            stops.pop(number)()
    for number in came:
        here.listen(f"resp_{number}", lambda number=number: heard.update([number]))
    assert heard == Counter(came)


def test_many_threads() -> None:
    """Copies that come in many threads at once wake each waiter once, also those that begin to listen meanwhile."""
    here = inbox()
    posts = [post(f"resp_{number}") for number in range(50)] * 8
    heard: Counter[int] = Counter()

    def listen(number: int) -> None:
        here.listen(f"resp_{number}", lambda: heard.update([number]))

    with ThreadPoolExecutor(8) as pool:
        receipts = [pool.submit(here.receive, *one) for one in posts[:200]]
        listening = [pool.submit(listen, number) for number in range(50)]
        receipts += [pool.submit(here.receive, *one) for one in posts[200:]]
        assert sum(receipt.result().is_new for receipt in receipts) == 50
        for done in listening:
            done.result()
    assert heard == Counter(range(50))


def test_nothing_shows_a_secret() -> None:
    """Neither the inbox nor what it is made of shows a secret."""
    here = inbox([SECRET, OLD_SECRET])
    shown = repr(here) + repr(vars(here))
    for secret in (SECRET, OLD_SECRET, "the secret"):
        assert secret not in shown


@pytest.mark.parametrize("secrets", [None, "", [], "whsec_?"], ids=repr)
def test_a_wrong_secret_is_an_error_at_once(secrets: Any) -> None:
    """What cannot be a secret is told when the inbox is made, not by the first webhook."""
    with pytest.raises((ValueError, TypeError), match="secret"):
        Inbox(secrets)


def test_it_is_what_a_wait_listens_to() -> None:
    """An inbox has the form that `Runs(notices=...)` takes."""
    notices: Notices = inbox()
    assert notices.listen("resp_1", lambda: None)
