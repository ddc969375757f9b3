"""What interrupts a wait stays what it was: it leaves with the token, and the run goes on or is asked to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import anyio
import pytest

from colours import COLOURS, PARAMS, OpenWorld, Script, World, body_of, open_worlds, refusal, reply
from runoutcome import AsyncRuns, RunCancelledError
from runoutcome._waiting.resume_token import loads
from runoutcome.testing import FaultRule, Scenario, parse_fault

worlds = pytest.fixture(params=COLOURS)(open_worlds)
has_notes = sys.version_info >= (3, 11)
since_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")


class Killed(BaseException):
    """What Ctrl-C is; a class of its own, so that a test cannot end the tests."""


def interrupted(world: World, kind: type[BaseException], method: str, *args: Any, **options: Any) -> Any:
    """What interrupts a method, with its notes."""
    with pytest.raises(kind) as caught:
        world.call(method, *args, **options)
    return caught.value


def note_of(error: BaseException) -> str:
    """What the interrupt says about the run, where Python has notes."""
    return " ".join(getattr(error, "__notes__", ()))


def raising(error: BaseException) -> Callable[[object], None]:
    """A function that raises this, whatever it is told."""

    def fail(told: object) -> None:
        raise error

    return fail


def press_ctrl_c(told: object) -> None:
    """Ctrl-C as the terminal sends it, at this very place."""
    signal.raise_signal(signal.SIGINT)


# Whoever interrupts


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, Killed])
@pytest.mark.parametrize("place", ["pause", "poll", "callback"])
def test_a_run_is_left_alone_by_default(worlds: OpenWorld, kind: type[BaseException], place: str) -> None:
    """What interrupts a wait is raised as it is, with the token, which its traceback shows; nothing is sent for it."""
    world, interrupt = worlds(), kind()
    error = interrupted(world, kind, "poll", world.submitted("stuck"), **at(world, place, interrupt))
    assert error is interrupt
    assert loads(error.run_token).response_id == world.emulator.runs[0].id
    assert (world.cancels, hasattr(error, "run_cancelled")) == ([], False)
    assert note_of(error) == (f"runoutcome: resume the wait with the token {error.run_token}" if has_notes else "")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, Killed])
@pytest.mark.parametrize("place", ["pause", "poll", "callback"])
def test_a_run_is_stopped_if_asked(worlds: OpenWorld, kind: type[BaseException], place: str) -> None:
    """With `on_interrupt="cancel"` one cancel is sent before it leaves, and it says what became of the run."""
    world, interrupt = worlds(), kind()
    run_id = world.submitted("stuck")
    error = interrupted(world, kind, "poll", run_id, on_interrupt="cancel", **at(world, place, interrupt))
    assert error is interrupt
    assert (loads(error.run_token).response_id, error.run_cancelled) == (run_id, True)
    assert (len(world.cancels), world.status_of(run_id)) == (1, "cancelled")
    assert ("was asked to stop; it is cancelled now" in note_of(error)) is has_notes


def at(world: World, place: str, interrupt: BaseException) -> dict[str, Any]:
    """Have a wait interrupted at this place; gives arguments for it."""
    if place == "callback":
        return {"on_update": raising(interrupt)}
    if place == "pause":
        world.clock.on_sleep = raising(interrupt)
    else:
        world.hooks.append(lambda request: raising(interrupt)(request) if request.method == "GET" else None)
    return {}


@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_a_real_ctrl_c(worlds: OpenWorld, on_interrupt: str) -> None:
    """A signal in the middle of a wait ends it as Ctrl-C does; the run goes on, or is stopped."""
    world = worlds()
    run_id = world.submitted("stuck")
    with pytest.raises(KeyboardInterrupt):
        world.call("poll", run_id, on_update=press_ctrl_c, on_interrupt=on_interrupt)
    assert world.status_of(run_id) == ("queued" if on_interrupt == "leave" else "cancelled")


def test_an_error_is_no_interrupt(worlds: OpenWorld) -> None:
    """An ordinary exception of a callback, and one of ours, leaves the run as it is."""
    world = worlds()
    interrupted(world, OSError, "poll", world.submitted("stuck"), on_update=raising(OSError()), on_interrupt="cancel")
    interrupted(world, TimeoutError, "poll", world.submitted("stuck"), on_interrupt="cancel", max_wait_seconds=5)
    interrupted(world, RunCancelledError, "poll", world.submitted("cancelled"), on_interrupt="cancel")
    assert world.cancels == []


def test_another_word_is_refused(worlds: OpenWorld) -> None:
    """`on_interrupt` is "leave" or "cancel"; anything else is a ValueError before any request."""
    world = worlds()
    for method, args in (("poll", ["resp_1"]), ("create_and_poll", [])):
        interrupted(world, ValueError, method, *args, on_interrupt="stop")
    assert world.emulator.requests == []


# What becomes of the cancel


@pytest.mark.parametrize("fault", ["500", "401", "429", "409", "404", "html", "cut", "reset"])
def test_a_failing_cancel_keeps_the_interrupt(worlds: OpenWorld, fault: str) -> None:
    """Whatever the cancel is answered, the interrupt leaves as it is, after one request, and says that it is unsure."""
    world = worlds(Scenario(faults=(FaultRule("cancel", parse_fault(fault)),)))
    run_id, interrupt = world.submitted("stuck"), KeyboardInterrupt()
    error = interrupted(world, KeyboardInterrupt, "poll", run_id, on_interrupt="cancel", on_update=raising(interrupt))
    assert error is interrupt
    assert (error.run_cancelled, len(world.cancels)) == (False, 1)
    assert loads(error.run_token).response_id == run_id
    assert ("poll its token" in note_of(error)) is has_notes
    assert error.__cause__ is None


def test_a_second_ctrl_c_gives_up(worlds: OpenWorld) -> None:
    """Who presses again while the cancel is on its way waits no longer; the first interrupt is what leaves."""
    world, first, second = worlds(), KeyboardInterrupt("first"), KeyboardInterrupt("second")
    run_id = world.submitted("stuck")
    world.hooks.append(lambda request: raising(second)(request) if request.method == "POST" else None)
    error = interrupted(world, KeyboardInterrupt, "poll", run_id, on_interrupt="cancel", on_update=raising(first))
    assert error is first
    assert (error.run_cancelled, world.cancels) == (False, [])
    assert loads(error.run_token).response_id == run_id


def test_a_run_that_had_ended_is_told(worlds: OpenWorld) -> None:
    """A cancel that comes too late (200 with the run as it ended) is not taken for one that worked."""
    script = Script([reply(body_of("queued")), reply(body_of("completed"))])
    error = interrupted(
        worlds(answer=script), Killed, "poll", "resp_1", on_interrupt="cancel", on_update=raising(Killed())
    )
    assert error.run_cancelled is False
    assert ("it is completed now" in note_of(error)) is has_notes


def test_the_cancel_of_an_interrupt_is_short(worlds: OpenWorld) -> None:
    """Nobody who pressed Ctrl-C waits for more than 10 seconds, and nothing is sent twice."""
    script = Script([reply(body_of("queued")), refusal(503, retry_after="0.001")])
    world = worlds(answer=script)
    interrupted(world, Killed, "poll", "resp_1", on_interrupt="cancel", on_update=raising(Killed()))
    assert script.methods == ["GET", "POST"]
    if world.colour == "sync":  # an async request is bounded by the shield around it
        assert script.requests[-1].extensions["timeout"]["read"] <= 10


def test_the_cancel_of_an_interrupt_is_short_however_slowly_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that drips does not hold up a sync wait, either: the timeout of a request is for each read of it."""
    monkeypatch.setattr("runoutcome._operations.interrupts.CANCEL_SECONDS", 0.2)
    done = threading.Event()
    script = Script([reply(body_of("queued")), lambda request: done.wait(60) and reply(body_of("cancelled"))])
    with closing(World("sync", answer=script)) as world:
        error = interrupted(world, Killed, "poll", "resp_1", on_interrupt="cancel", on_update=raising(Killed()))
        done.set()
    assert error.run_cancelled is False
    assert ("that failed (TimeoutError)" in note_of(error)) is has_notes


# In a job


@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_an_interrupt_right_after_the_post(worlds: OpenWorld, on_interrupt: str) -> None:
    """Ctrl-C in `on_submitted` is in the middle of the wait: the run is there, and goes on or is stopped."""
    world = worlds()
    error = interrupted(
        world, Killed, "create_and_poll", **PARAMS, on_submitted=raising(Killed()), on_interrupt=on_interrupt
    )
    (run,) = world.emulator.runs
    assert loads(error.run_token).response_id == run.id
    assert len(world.cancels) == (0 if on_interrupt == "leave" else 1)


def test_an_interrupted_post_is_not_stopped(worlds: OpenWorld) -> None:
    """During the POST nobody knows the id of the run: the key is on what leaves, and no cancel is sent."""
    world = worlds()
    world.hooks.append(raising(Killed()))
    error = interrupted(world, Killed, "create_and_poll", **PARAMS, on_interrupt="cancel")
    assert error.run_key.endswith("-1")
    assert not hasattr(error, "run_token")
    assert world.emulator.requests == []


def test_between_two_runs_there_is_nothing_to_stop(worlds: OpenWorld) -> None:
    """In the pause before a resubmission the run has ended: nothing is cancelled, and nothing is made."""
    world = worlds()
    world.clock.on_sleep = lambda seconds: raising(Killed())(seconds) if len(told) == 1 else None
    told: list[Any] = []
    error = interrupted(
        world,
        Killed,
        "create_and_poll",
        **PARAMS,
        metadata={"emulate": "server_error,completed"},
        resubmit=1,
        on_resubmitting=told.append,
        on_interrupt="cancel",
    )
    assert (world.cancels, len(world.posts), len(error.attempts)) == ([], 1, 1)
    assert loads(error.run_token).response_id == world.emulator.runs[0].id


def test_only_the_run_that_is_going_is_stopped(worlds: OpenWorld) -> None:
    """In a later run of a job it is that run which is asked to stop."""
    world = worlds()
    world.clock.on_sleep = lambda seconds: raising(Killed())(seconds) if len(world.emulator.runs) == 2 else None
    error = interrupted(
        world,
        Killed,
        "create_and_poll",
        **PARAMS,
        metadata={"emulate": "server_error,stuck"},
        resubmit=1,
        on_interrupt="cancel",
    )
    assert [run.id for run in world.emulator.runs][1] == loads(error.run_token).response_id
    assert [request.path.split("/")[-2] for request in world.cancels] == [world.emulator.runs[1].id]
    assert error.run_cancelled is True


# Tasks


def in_a_task(world: World, test: Callable[[AsyncRuns, str], Awaitable[None]]) -> str:
    """Run an async test with a client of the world, in real time, on a run that never ends; gives its id."""
    run_id = world.submitted("stuck")

    async def main() -> None:
        async with world.client() as client:
            await test(AsyncRuns(client), run_id)

    asyncio.run(main())
    return run_id


@pytest.fixture
def world() -> Any:
    """An async world, closed after the test."""
    opened = World("async")
    yield opened
    opened.close()


@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_a_cancelled_task(world: World, on_interrupt: Any) -> None:
    """A task that is cancelled ends cancelled, with the token; its run goes on, or is stopped before it ends."""
    errors: list[Any] = []

    async def test(runs: AsyncRuns, run_id: str) -> None:
        polled = asyncio.Event()

        async def wait() -> None:
            try:
                await runs.poll(run_id, on_update=lambda outcome: polled.set(), on_interrupt=on_interrupt)
            except asyncio.CancelledError as error:  # outside the task Python 3.10 makes a new one
                errors.append(error)
                raise

        task = asyncio.ensure_future(wait())
        await polled.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run_id = in_a_task(world, test)
    assert loads(errors[0].run_token).response_id == run_id
    assert world.status_of(run_id) == ("queued" if on_interrupt == "leave" else "cancelled")
    assert getattr(errors[0], "run_cancelled", None) is (True if on_interrupt == "cancel" else None)


def test_a_task_that_is_cancelled_twice_gives_up(world: World) -> None:
    """A second cancel while the first one's request is on its way ends the task at once, with the token."""
    errors: list[Any] = []

    async def test(runs: AsyncRuns, run_id: str) -> None:
        polled, asking, never = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def hold(request: Any) -> None:
            if request.method == "POST":
                asking.set()
                await never.wait()

        world.hooks.append(hold)

        async def wait() -> None:
            try:
                await runs.poll(run_id, on_update=lambda outcome: polled.set(), on_interrupt="cancel")
            except asyncio.CancelledError as error:
                errors.append(error)
                raise

        task = asyncio.ensure_future(wait())
        await polled.wait()
        task.cancel()
        await asking.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run_id = in_a_task(world, test)
    assert (loads(errors[0].run_token).response_id, errors[0].run_cancelled) == (run_id, False)
    assert world.cancels == []


@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_wait_for(world: World, on_interrupt: Any) -> None:
    """`asyncio.wait_for` around a wait is a TimeoutError as ever; the run goes on, or is stopped."""

    async def test(runs: AsyncRuns, run_id: str) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(runs.poll(run_id, on_interrupt=on_interrupt), 0.2)

    run_id = in_a_task(world, test)
    assert world.status_of(run_id) == ("queued" if on_interrupt == "leave" else "cancelled")


@since_311
@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_timeout(world: World, on_interrupt: Any) -> None:
    """`asyncio.timeout` around a wait is a TimeoutError as ever, and the task goes on after it."""

    async def test(runs: AsyncRuns, run_id: str) -> None:
        async def wait() -> None:
            async with asyncio.timeout(None) as scope:  # type: ignore[attr-defined,unused-ignore]
                now = asyncio.get_running_loop().time
                await runs.poll(run_id, on_update=lambda outcome: scope.reschedule(now()), on_interrupt=on_interrupt)

        with pytest.raises(TimeoutError):
            await wait()
        task: Any = asyncio.current_task()
        assert task.cancelling() == 0
        assert (await runs.cancel(run_id)).status == "cancelled"

    in_a_task(world, test)
    assert len(world.cancels) == (1 if on_interrupt == "leave" else 2)


@since_311
@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_a_task_group(world: World, on_interrupt: Any) -> None:
    """A task group that fails ends its waits, and says only what failed."""

    async def test(runs: AsyncRuns, run_id: str) -> None:
        polled = asyncio.Event()

        async def fail() -> None:
            await polled.wait()
            raise OSError("disk full")

        async def work() -> None:
            async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined,unused-ignore]
                group.create_task(runs.poll(run_id, on_update=lambda _: polled.set(), on_interrupt=on_interrupt))
                group.create_task(fail())

        with pytest.raises(Exception, match="unhandled errors") as caught:
            await work()
        assert [type(error) for error in caught.value.exceptions] == [OSError]  # type: ignore[attr-defined]

    run_id = in_a_task(world, test)
    assert world.status_of(run_id) == ("queued" if on_interrupt == "leave" else "cancelled")


# Scopes of anyio, on asyncio and on trio


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("on_interrupt", ["leave", "cancel"])
def test_a_cancelled_scope(world: World, backend: str, on_interrupt: Any) -> None:
    """A cancel scope, which cancels again at every turn, does not get through to the request that stops the run."""
    pytest.importorskip(backend)
    run_id = world.submitted("stuck")
    errors: list[Any] = []

    async def main() -> None:
        async with world.client() as client:
            with anyio.CancelScope() as scope:
                try:
                    await AsyncRuns(client).poll(
                        run_id, on_update=lambda outcome: scope.cancel(), on_interrupt=on_interrupt
                    )
                except anyio.get_cancelled_exc_class() as error:
                    errors.append(error)
                    raise
            assert scope.cancelled_caught

    anyio.run(main, backend=backend)
    assert loads(errors[0].run_token).response_id == run_id
    assert world.status_of(run_id) == ("queued" if on_interrupt == "leave" else "cancelled")
    assert len(world.cancels) == (1 if on_interrupt == "cancel" else 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancel_without_an_answer_is_given_up(world: World, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request that stops the run may not hold up the one who left: after its time it is given up."""
    pytest.importorskip(backend)
    monkeypatch.setattr("runoutcome._operations.interrupts.CANCEL_SECONDS", 0.05)
    run_id = world.submitted("stuck")
    errors: list[Any] = []

    async def hold(request: Any) -> None:
        if request.method == "POST":
            await anyio.sleep_forever()

    world.hooks.append(hold)

    async def main() -> None:
        async with world.client() as client:
            with anyio.CancelScope() as scope:
                try:
                    await AsyncRuns(client).poll(
                        run_id, on_update=lambda outcome: scope.cancel(), on_interrupt="cancel"
                    )
                except anyio.get_cancelled_exc_class() as error:
                    errors.append(error)
                    raise

    anyio.run(main, backend=backend)
    assert (loads(errors[0].run_token).response_id, errors[0].run_cancelled) == (run_id, False)
    assert ("TimeoutError" in note_of(errors[0])) is has_notes
