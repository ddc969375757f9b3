"""The observer of a `Runs`: it sees each event of each run, in both colours, and harms none."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from colours import COLOURS, PARAMS, OpenWorld, Script, VirtualClock, World, body_of, open_worlds, refusal, reply
from runoutcome import AsyncRuns, RunEvent, RunExceptionGroup, Runs, SubmissionUnknownError, WaitTimeoutError
from runoutcome._operations.events import Events
from runoutcome._waiting.resume_token import ResumeToken, loads
from runoutcome.testing import ManualClock, OutcomeScript, Scenario, parse_fault

worlds = pytest.fixture(params=COLOURS)(open_worlds)
SHORT = {"queued_seconds": 0.0, "running_seconds": 0.05}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Recorder:
    """An observer that keeps the events, and returns what it is told to."""

    def __init__(self, result: object = None) -> None:
        self.events: list[RunEvent] = []
        self.result = result

    def __call__(self, event: RunEvent) -> object:
        """Keep an event."""
        self.events.append(event)
        return self.result

    @property
    def kinds(self) -> list[str]:
        """The kinds of the events, without the polls."""
        return [event.kind for event in self.events if event.kind != "polled"]

    def of(self, kind: str) -> RunEvent:
        """The first event of a kind."""
        return next(event for event in self.events if event.kind == kind)

    def ends(self) -> dict[str | None, list[str]]:
        """The last events of each run, by its id, or its key where there is none."""
        ends: dict[str | None, list[str]] = {}
        for event in self.events:
            if event.kind in ("ended", "left"):
                ends.setdefault(event.response_id or event.key, []).append(event.kind)
        return ends


def observe(world: World, observer: Callable[[RunEvent], object]) -> None:
    """Give the `Runs` of a world an observer."""
    plain = world.runs
    world.runs = lambda client, **options: plain(client, **{"observer": observer, **options})  # type: ignore[method-assign]


def test_a_job_from_its_first_post_to_the_end_of_its_second_run(worlds: OpenWorld) -> None:
    """Each step of a job is an event, in order, with the run, its key and its attempt."""
    faulty = OutcomeScript("faulty", status="failed", code="server_error", poll_faults=(parse_fault("503"),))
    world, seen = worlds(Scenario(outcomes=(faulty,))), Recorder()
    observe(world, seen)
    world.create_and_poll("faulty,completed", resubmit=1, max_wait_seconds=None, key="job")
    once = ["submitting", "submitted", "changed", "fault", "changed", "ended"]
    assert [kind for kind in seen.kinds if kind != "changed"] == [
        *[kind for kind in once if kind != "changed"],
        "resubmitting",
        *["submitting", "submitted", "ended"],
    ]
    first, second = world.emulator.runs
    assert seen.ends() == {first.id: ["ended"], second.id: ["ended"]}
    ended = [event for event in seen.events if event.kind == "ended"]
    assert [(event.attempt, event.is_final, event.status) for event in ended] == [
        (1, False, "failed"),
        (2, True, "completed"),
    ]
    assert {event.job for event in ended} == {"job"}
    assert (seen.of("submitting").model, seen.of("submitting").key) == (PARAMS["model"], "job-1")
    again = seen.of("resubmitting")
    assert (again.key, again.attempt, again.previous_response_id) == ("job-2", 2, first.id)
    assert getattr(seen.of("fault").error, "status_code", None) == 503
    assert all(one.at <= other.at for one, other in zip(seen.events, seen.events[1:], strict=False))
    completed = ended[1].outcome
    assert completed is not None
    assert completed.usage


def test_each_poll_is_an_event_with_its_times(worlds: OpenWorld) -> None:
    """A poll says when it began and what it brought; there are as many as reached the server."""
    world, seen = worlds(), Recorder()
    observe(world, seen)
    world.call("poll", world.submitted(), max_wait_seconds=None)
    polls = [event for event in seen.events if event.kind == "polled"]
    assert len(polls) == len(world.polls)
    assert polls[-1].status == "completed"
    assert all(poll.started_at is not None and poll.started_at <= poll.at for poll in polls)
    assert seen.kinds[0] == "waiting"
    assert seen.of("ended").submitted_at is not None


def test_a_create_alone_is_left(worlds: OpenWorld) -> None:
    """A create that nobody waits for ends with `left`."""
    world, seen = worlds(), Recorder()
    observe(world, seen)
    world.create()
    assert seen.kinds == ["submitting", "submitted", "left"]
    assert (seen.of("left").reason, seen.of("left").status) == ("created", "queued")


def test_refused_and_sent_again(worlds: OpenWorld) -> None:
    """A refusal is an event, and so is the POST after it; a final one ends with `left`."""
    world, seen = worlds(answer=Script([refusal(429, "slow_down"), refusal(401)])), Recorder()
    observe(world, seen)
    with pytest.raises(Exception, match="401"):
        world.create()
    assert seen.kinds == ["submitting", "refused", "submitting", "refused", "left"]
    assert seen.of("left").reason == "error"


def test_a_create_that_may_have_gone_through(worlds: OpenWorld) -> None:
    """An unknown submission is left as such, under its key."""
    world, seen = worlds(answer=Script([reply(text="oops", status=500)])), Recorder()
    observe(world, seen)
    with pytest.raises(SubmissionUnknownError) as caught:
        world.create()
    assert seen.kinds == ["submitting", "left"]
    assert (seen.of("left").reason, seen.of("left").key) == ("unknown", caught.value.key)


def test_the_deadline_and_a_cancel_at_it(worlds: OpenWorld) -> None:
    """A wait that gives up says so, then what the cancel did, then that it lets go."""
    world, seen = worlds(), Recorder()
    observe(world, seen)
    with pytest.raises(WaitTimeoutError):
        world.call("poll", world.submitted("stuck"), max_wait_seconds=5, on_timeout="cancel")
    assert seen.kinds == ["waiting", "changed", "gave_up", "cancelled", "changed", "left"]
    assert [seen.of(kind).reason for kind in ("gave_up", "left")] == ["deadline", "deadline"]


def test_a_pending_run_that_is_accepted_is_left(worlds: OpenWorld) -> None:
    """At the deadline an accepted pending run is returned, and left."""
    world, seen = worlds(), Recorder()
    observe(world, seen)
    assert world.call("poll", world.submitted("stuck"), max_wait_seconds=5, accept="pending").status == "queued"
    assert seen.kinds[-2:] == ["gave_up", "left"]


def test_a_cancel(worlds: OpenWorld) -> None:
    """A cancel tells its polls and what it did."""
    world, seen = worlds(), Recorder()
    observe(world, seen)
    world.call("cancel", world.submitted("stuck"))
    assert [event.kind for event in seen.events] == ["polled", "cancelled"]
    assert seen.of("cancelled").status == "cancelled"


@pytest.mark.parametrize("method", ["gather", "poll_many"])
def test_many_runs(worlds: OpenWorld, method: str) -> None:
    """Of many runs, each is told from its beginning to one end."""
    world, seen = worlds(SHORT, real_time=True), Recorder()
    observe(world, seen)
    ids = [world.submitted(outcome) for outcome in ("completed", "server_error", "completed")]
    ids.append(world.submitted("stuck"))
    until = {"max_wait_seconds": 3, "poll_interval_ms": 20}
    with suppress(RunExceptionGroup):
        if method == "gather":
            world.call("gather", ids, **until)
        else:
            collect(world, ids, **until)
    assert seen.ends() == {ids[0]: ["ended"], ids[1]: ["ended"], ids[2]: ["ended"], ids[3]: ["left"]}
    assert {event.response_id for event in seen.events if event.kind == "waiting"} == set(ids)


def collect(world: World, ids: list[str], **options: Any) -> list[Any]:
    """The results of `poll_many`."""

    async def collect_async() -> list[Any]:
        async with world.client() as client:
            return [result async for result in world.runs(client).poll_many(ids, **options)]

    if world.colour == "async":
        return asyncio.run(collect_async())
    return list(world.runs(world.client()).poll_many(ids, **options))


def test_runs_that_the_caller_of_poll_many_abandons(worlds: OpenWorld) -> None:
    """Runs that have not ended when the caller stops iterating are left."""
    world, left = worlds(SHORT, real_time=True), threading.Event()
    ids = [world.submitted(), world.submitted("stuck")]
    seen = Recorder()

    def observer(event: RunEvent) -> None:
        seen(event)
        if event.kind == "left":
            left.set()

    async def first_async() -> None:
        async with world.client() as client:
            results = AsyncRuns(client, observer=observer).poll_many(ids, poll_interval_ms=20)
            await anext(results)  # type: ignore[call-overload]
            await results.aclose()  # type: ignore[attr-defined]

    if world.colour == "async":
        asyncio.run(first_async())
    else:
        results: Any = Runs(world.client(), observer=observer).poll_many(ids, poll_interval_ms=20)
        next(results)
        results.close()
    assert left.wait(30)
    assert seen.ends() == {ids[0]: ["ended"], ids[1]: ["left"]}
    assert seen.of("left").reason == "abandoned"


def test_an_interrupt_leaves_the_run(worlds: OpenWorld) -> None:
    """An interrupted wait leaves its run, and says so."""
    world, seen = worlds(), Recorder()
    observe(world, seen)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    world.clock.on_sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        world.create_and_poll("stuck")
    assert (seen.kinds[-1], seen.of("left").reason) == ("left", "interrupted")
    assert len(seen.ends()) == 1


@pytest.mark.parametrize("whole", [True, False], ids=["read", "left early"])
def test_a_stream(worlds: OpenWorld, *, whole: bool) -> None:
    """A stream tells its submission, each status once, and one end."""
    world, seen = worlds(SHORT, real_time=True), Recorder()
    observe(world, seen)
    params = {**PARAMS, "metadata": {"emulate": "completed"}}

    async def follow_async() -> None:
        async with world.client() as client, world.runs(client).create_and_stream(**params) as stream:
            async for _ in stream:
                if not whole:
                    break

    if world.colour == "async":
        asyncio.run(follow_async())
    else:
        with world.runs(world.client()).create_and_stream(**params) as stream:
            for _ in stream:
                if not whole:
                    break
    assert seen.kinds[:2] == ["submitting", "submitted"]
    statuses = [event.status for event in seen.events if event.kind == "changed"]
    assert len(statuses) == len(set(statuses))
    assert (seen.kinds[-1], len(seen.ends())) == ("ended" if whole else "left", 1)


def test_a_faulty_observer_harms_no_run(worlds: OpenWorld, caplog: pytest.LogCaptureFixture) -> None:
    """An exception of the observer is a record of the logger, and nothing else."""
    caplog.set_level(logging.WARNING, logger="runoutcome")
    world = worlds()

    def fail(event: RunEvent) -> None:
        raise RuntimeError(event.kind)

    observe(world, fail)
    assert world.create_and_poll().status == "completed"
    records: list[Any] = [record for record in caplog.records if record.name == "runoutcome"]
    assert {record.run_event for record in records} == {"observer_failed"}
    assert {"submitting", "submitted", "ended"} <= {record.kind for record in records}


def test_a_coroutine_function_is_no_observer(worlds: OpenWorld, caplog: pytest.LogCaptureFixture) -> None:
    """It is a TypeError at once; where it is told by its coroutines only, these are closed, and the log says so."""
    world = worlds()

    async def observer(event: RunEvent) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="plain function, also for AsyncRuns"):
        world.runs(world.client(), observer=observer)
    observe(world, lambda event: observer(event))
    assert world.create_and_poll().status == "completed"
    assert "plain function" in caplog.text


@pytest.mark.parametrize("observer", [Recorder, "otel", 1])
def test_what_is_no_observer(worlds: OpenWorld, observer: Any) -> None:
    """A class, or what cannot be called, is a TypeError at once."""
    world = worlds()
    with pytest.raises(TypeError, match="observer is a function"):
        world.runs(world.client(), observer=observer)


def test_two_streams_do_not_share_their_statuses() -> None:
    """A stream tells a status once, whatever another stream of the same `Runs` has told."""
    seen = Recorder()
    events = Events(VirtualClock(ManualClock(), lambda kind, what: None), seen)
    for stream in (replace(events, only_changes=True), replace(events, only_changes=True)):
        for status in ("queued", "queued", "in_progress"):
            stream.tell("changed", ResumeToken("resp_1"), status=status)
    assert [event.status for event in seen.events] == ["queued", "in_progress"] * 2


def test_an_event_cannot_be_changed() -> None:
    """Events are frozen values."""
    event: Any = RunEvent("submitting", 0.0)
    with pytest.raises(FrozenInstanceError):
        event.kind = "ended"
    assert event.attempt is None


def test_the_trace_travels_in_the_token(worlds: OpenWorld) -> None:
    """The trace that an observer returns for `submitting` is in the token, and in the events of a resumed wait."""
    world, seen, tokens = worlds(), Recorder(TRACE), list[str]()
    observe(world, seen)
    world.create_and_poll(on_submitted=tokens.append)
    assert loads(tokens[0]).trace == TRACE
    world.call("poll", tokens[0])
    assert {event.trace for event in seen.events if event.response_id} == {TRACE}


@pytest.mark.parametrize("result", [None, 1, "hello", TRACE + "\n", TRACE.upper(), "ff" + TRACE[2:]])
def test_what_is_no_trace_is_not_kept(worlds: OpenWorld, result: object) -> None:
    """Only a W3C traceparent gets into a token."""
    world, tokens = worlds(answer=Script([reply(body_of("completed"))])), list[str]()
    observe(world, Recorder(result))
    world.call("create_and_poll", **PARAMS, on_submitted=tokens.append)
    assert "trace" not in tokens[0]
