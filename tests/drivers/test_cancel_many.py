"""Many runs whose wait is interrupted: left alone, or asked to stop, with the interrupt as it was."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import anyio
import pytest

from colours import COLOURS, OpenWorld, World, body_of, open_worlds, reply

worlds = pytest.fixture(params=COLOURS)(open_worlds)
STUCK: dict[str, Any] = {"queued_seconds": 0.0, "running_seconds": 3600.0}


class Killed(BaseException):
    """What Ctrl-C is; a class of its own, so that a test cannot end the tests."""


def interrupted(world: World, ids: list[str], interrupt: BaseException, **options: Any) -> Any:
    """What leaves `gather` when a callback is interrupted."""

    def interrupting(outcome: object) -> None:
        raise interrupt

    with pytest.raises(type(interrupt)) as caught:
        world.call("gather", ids, on_update=interrupting, poll_interval_ms=5, **options)
    return caught.value


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for the cancels on a busy machine."""
    monkeypatch.setattr("runoutcome._operations.interrupts.CANCEL_SECONDS", 60.0)


def test_runs_are_left_alone_by_default(worlds: OpenWorld) -> None:
    """What interrupts is raised as it is, with the tokens; nothing is sent for it."""
    world, interrupt = worlds(STUCK, real_time=True), Killed()
    error = interrupted(world, [world.submitted() for _ in range(3)], interrupt)
    assert error is interrupt
    assert (len(error.run_tokens), world.cancels, hasattr(error, "run_cancelled")) == (3, [], False)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, Killed])
def test_runs_are_stopped_if_asked(worlds: OpenWorld, kind: type[BaseException]) -> None:
    """With "cancel" each run that had not ended is asked once to stop, and the interrupt says which are cancelled."""
    world, interrupt = worlds(STUCK, real_time=True), kind()
    ids = [world.submitted() for _ in range(20)]
    error = interrupted(world, ids, interrupt, on_interrupt="cancel")
    assert error is interrupt
    assert (error.run_cancelled, set(error.runs_cancelled)) == (True, set(ids))
    assert len(world.cancels) == len(ids)
    assert {world.status_of(run_id) for run_id in ids} == {"cancelled"}
    if sys.version_info >= (3, 11):
        assert "20 runs were to stop, and 20 are cancelled now" in error.__notes__[0]


def test_an_error_is_no_interrupt(worlds: OpenWorld) -> None:
    """An ordinary exception of a callback leaves the runs as they are."""
    world = worlds(STUCK, real_time=True)
    interrupted(world, [world.submitted()], OSError(), on_interrupt="cancel")
    assert world.cancels == []


def test_a_cancel_that_fails_does_not_keep_the_others(worlds: OpenWorld) -> None:
    """Each is asked, and the interrupt leaves as it is and names those of which the server says that they stopped."""
    world = worlds({**STUCK, "faults": [{"route": "cancel", "fault": "500", "to": 2}]}, real_time=True)
    ids = [world.submitted() for _ in range(5)]
    error = interrupted(world, ids, Killed(), on_interrupt="cancel")
    assert (error.run_cancelled, len(error.runs_cancelled), len(world.cancels)) == (False, 3, 5)


def test_it_takes_10_seconds_at_most(worlds: OpenWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server does not answer, nobody waits for it longer, and the runs that were not asked are left."""
    monkeypatch.setattr("runoutcome._operations.interrupts.CANCEL_SECONDS", 0.3)
    world = worlds({**STUCK, "faults": [{"route": "cancel", "fault": "stall"}]}, real_time=True)
    ids = [world.submitted() for _ in range(12)]
    error = interrupted(world, ids, Killed(), on_interrupt="cancel")
    assert (error.run_cancelled, error.runs_cancelled) == (False, ())
    assert len(world.cancels) <= 8
    world.emulator.stop()
    for thread in threading.enumerate():
        if thread.name == "runoutcome cancel":
            thread.join()


def test_another_word_is_refused(worlds: OpenWorld) -> None:
    """`on_interrupt` is "leave" or "cancel"; anything else is a ValueError before any request."""
    world = worlds(STUCK, real_time=True)
    with pytest.raises(ValueError, match="on_interrupt is 'leave' or 'cancel'; got 'stop'"):
        world.call("gather", ["resp_1"], on_interrupt="stop")
    assert world.emulator.requests == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_task_stops_its_runs(backend: str) -> None:
    """The cancels are sent though the task is being cancelled, and then the cancellation goes on."""
    world = World("async", STUCK, real_time=True)
    ids = [world.submitted() for _ in range(3)]

    async def go() -> None:
        async with world.client() as client:
            with anyio.CancelScope() as scope:
                await world.runs(client).gather(
                    ids, on_update=lambda outcome: scope.cancel(), poll_interval_ms=5, on_interrupt="cancel"
                )
            assert scope.cancelled_caught

    try:
        anyio.run(go, backend=backend)
        assert {world.status_of(run_id) for run_id in ids} == {"cancelled"}
    finally:
        world.close()


def test_task_cancel_stops_the_runs_of_the_task() -> None:
    """`task.cancel()` leaves as CancelledError, after the cancels."""
    asked: list[str] = []

    def answer(request: Any) -> Any:
        if request.method == "POST":
            asked.append(request.url.path)
        return reply(body_of("in_progress" if request.method == "GET" else "cancelled"))

    world, told = World("async", answer=answer), asyncio.Event()

    async def gather(runs: Any) -> Any:
        try:
            await runs.gather(
                ["resp_1"], on_update=lambda outcome: told.set(), poll_interval_ms=60_000, on_interrupt="cancel"
            )
        except asyncio.CancelledError as error:
            return error  # before Python 3.11 whoever awaits the task is given another one

    async def go() -> Any:
        async with world.client() as client:
            waiting = asyncio.ensure_future(gather(world.runs(client)))
            await asyncio.wait_for(told.wait(), 30)  # where gather fails nobody is told
            waiting.cancel()
            return await waiting

    try:
        assert asyncio.run(go()).runs_cancelled == ("resp_1",)
        assert asked == ["/v1/responses/resp_1/cancel"]
    finally:
        world.close()
