"""The dispatcher, its threads and its tasks: who polls when, in which context, and that all of it ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import closing
from contextvars import ContextVar
from typing import Any

import pytest

from colours import COLOURS, OpenWorld, World, body_of, ended_polls, open_worlds, reply
from runoutcome import RunExceptionGroup

worlds = pytest.fixture(params=COLOURS)(open_worlds)
QUICK: dict[str, Any] = {"poll_interval_ms": 5}
SHORT = {"queued_seconds": 0.0, "running_seconds": 0.05}
PATIENCE = 60.0


def submit(world: World, count: int) -> list[str]:
    """Ids of runs that were submitted elsewhere."""
    return [world.submitted() for _ in range(count)]


def threads(name: str) -> set[threading.Thread]:
    """The threads of this name."""
    return {thread for thread in threading.enumerate() if thread.name == name}


def test_a_poll_has_the_context_of_its_caller(worlds: OpenWorld) -> None:
    """What the caller set is seen by the hooks of the client, also where another call has its own."""
    caller = ContextVar("caller", default="nobody")
    callers: set[tuple[str, str]] = set()
    world = worlds(answer=lambda request: reply(body_of("completed", request.url.path.rpartition("/")[2])))
    world.hooks.append(lambda request: callers.add((request.url.path.rpartition("/")[2], caller.get())))

    async def gather_async() -> None:
        async with world.client() as client:
            runs = world.runs(client)

            async def gather(name: str) -> None:
                caller.set(name)
                await runs.gather([name])

            await asyncio.gather(gather("resp_a"), gather("resp_b"))

    def gather_sync() -> None:
        with world.client() as client, ended_polls():
            runs = world.runs(client)
            for name in ("resp_a", "resp_b"):
                caller.set(name)
                runs.gather([name])

    if world.colour == "async":
        asyncio.run(gather_async())
    else:
        gather_sync()
    assert callers == {("resp_a", "resp_a"), ("resp_b", "resp_b")}


def test_two_calls_share_the_workers() -> None:
    """Whoever asks, one `Runs` has so many polls in flight and no more."""
    most, others, lengths = 0, threads("runoutcome worker"), list[int]()

    def count(request: Any) -> None:
        nonlocal most
        most = max(most, len(threads("runoutcome worker") - others))

    with closing(World("sync", SHORT, real_time=True)) as world, world.client() as client, ended_polls():
        world.hooks.append(count)
        runs, ids = world.runs(client, max_polls_in_flight=2), submit(world, 20)
        callers = [
            threading.Thread(target=lambda part=part: lengths.append(len(runs.gather(part, **QUICK))))
            for part in (ids[:10], ids[10:])
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert lengths == [10, 10]
    assert 1 <= most <= 2


def test_the_threads_are_started_when_needed_and_end() -> None:
    """A `Runs` that polls one run has no thread; one that waits for many has a dispatcher as long as it waits."""
    dispatchers = list[int]()
    others = threads("runoutcome dispatcher")
    with closing(World("sync", answer=lambda request: reply(body_of("completed")))) as world, world.client() as client:
        world.hooks.append(lambda request: dispatchers.append(len(threads("runoutcome dispatcher") - others)))
        runs = world.runs(client)
        runs.poll("resp_1")
        runs.gather(["resp_1"])
        (dispatcher,) = threads("runoutcome dispatcher") - others or {None}
        if dispatcher is not None:  # it ends a moment later
            dispatcher.join()
    assert dispatchers == [0, 1]


# Ends


SCRIPT = """
import os, signal, sys, threading, time
import openai
from runoutcome import Runs
from runoutcome._sdk.responses import native_http_library

http, polled = native_http_library(), threading.Event()
def answer(request):
    polled.set()
    if "ctrl-c" in sys.argv:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(3600)

client = openai.OpenAI(api_key="any", http_client=http.Client(transport=http.MockTransport(answer)))
runs, seconds = Runs(client), 3600 if "deadline" in sys.argv else None
if "ctrl-c" in sys.argv:
    try:
        runs.gather(["resp_1"], max_wait_seconds=seconds)
    except KeyboardInterrupt as interrupt:
        print("token" if len(interrupt.run_tokens) == 1 else interrupt.run_tokens)
else:
    gather = lambda: runs.gather(["resp_1"], max_wait_seconds=seconds)
    threading.Thread(target=gather, daemon=True).start()
    polled.wait()
    print("left")
"""


@pytest.mark.parametrize("deadline", ["deadline", "no deadline"])
@pytest.mark.parametrize(("end", "line"), [("exit", "left"), ("ctrl-c", "token")])
def test_a_process_ends_in_the_middle_of_a_poll(end: str, line: str, deadline: str) -> None:
    """No thread keeps the interpreter, or the thread that waits, until a poll of an hour is answered."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, end, deadline],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{line}\n", "")


def test_a_run_that_is_left_while_it_is_polled_is_not_polled_again() -> None:
    """A poll in flight ends in the background; its result starts nothing."""
    polled, go_on = threading.Event(), threading.Event()

    def answer(request: Any) -> Any:
        if request.url.path.endswith("resp_1"):
            return reply(body_of("completed", "resp_1"))
        paths.append(request.url.path)
        polled.set()
        go_on.wait()
        return reply(body_of("in_progress", "resp_2"))

    paths = list[str]()
    with closing(World("sync", answer=answer, real_time=True)) as world, world.client() as client:
        with ended_polls():
            results = world.runs(client).poll_many(["resp_2", "resp_1"], **QUICK)
            assert next(results).response_id == "resp_1"
            polled.wait()
            results.close()  # type: ignore[attr-defined]
            go_on.set()
        assert len(paths) == 1


def test_a_loop_that_was_left_without_its_end_is_nothing_to_the_next() -> None:
    """Loops that are closed with tasks in them leave neither polls nor slots behind."""
    world = World("async", answer=lambda request: reply(body_of("in_progress")), real_time=True)
    kept: list[Any] = []

    async def leave() -> None:
        results = runs.poll_many(["resp_1"] * 3, **QUICK)
        kept.append(results)
        waiting = asyncio.ensure_future(anext(results))
        while not runs._schedulers.of_this_loop()._in_flight:  # noqa: ASYNC110 - what is looked at sets no event
            await asyncio.sleep(0)
        waiting.cancel()

    async def give_up() -> int:
        with pytest.raises(RunExceptionGroup):
            await runs.gather(["resp_1"], max_wait_seconds=0.05, **QUICK)
        await client.close()
        return len(runs._schedulers._by_loop)

    with closing(world):
        client = world.client()
        runs = world.runs(client)
        for _ in range(3):
            with closing(asyncio.new_event_loop()) as loop:
                loop.run_until_complete(leave())
                loop.run_until_complete(loop.shutdown_asyncgens())
        assert asyncio.run(give_up()) == 1


def test_workers_that_are_cancelled_tell_whoever_waits() -> None:
    """Where somebody cancels every task there is, the wait ends, and not only its workers."""
    world = World("async", answer=lambda request: reply(body_of("in_progress")), real_time=True)

    async def go() -> None:
        async with world.client() as client:
            waiting = asyncio.ensure_future(world.runs(client).gather(["resp_1"], poll_interval_ms=60_000))
            while not (others := asyncio.all_tasks() - {waiting, asyncio.current_task()}):  # noqa: ASYNC110
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)
            for task in others:
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    try:
        asyncio.run(go())
    finally:
        world.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks are eager from Python 3.12 on")
def test_eager_tasks_leave_no_places_taken() -> None:
    """A worker that ends before its task is known is not counted for ever."""
    world = World("async", answer=lambda request: reply(body_of("completed")), real_time=True)

    async def go() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
        async with world.client() as client:
            runs = world.runs(client, max_polls_in_flight=2)
            ended = await world.runs(client).gather(["resp_1"])
            for _ in range(5):
                assert len(await asyncio.wait_for(runs.gather(ended), 30)) == 1
            assert runs._schedulers.of_this_loop().is_idle

    try:
        asyncio.run(go())
    finally:
        world.close()


def test_a_forked_process_has_workers_of_its_own() -> None:
    """A process that was forked while runs were waited for has none of those threads, and none of their slots."""
    world = World("sync", SHORT, real_time=True)
    try:
        ids = submit(world, 3)

        def gather(runs: Any) -> Any:
            polls, scheduler = runs._driver.polls, runs._scheduler
            scheduler._process = polls._process = -1  # as a fork leaves it: with a dispatcher and a poll in flight
            taken = polls.slot()
            polls.pace.in_flight.add(taken)
            scheduler._free = 0
            scheduler._is_dispatching.acquire()
            polls._lock.acquire()
            polls.leave(taken)  # what the parent had taken is not given back here
            return runs.gather(ids, **QUICK)

        with world.client() as client, ended_polls():
            assert len(gather(world.runs(client, max_polls_in_flight=1))) == 3
    finally:
        world.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # multi-threaded, as what is tested
def test_a_real_fork_in_the_middle_of_a_poll() -> None:
    """Parent and child each have their results, though the parent had a poll in flight."""
    polled, go_on, parent = threading.Event(), threading.Event(), os.getpid()

    def answer(request: Any) -> Any:
        if os.getpid() == parent:
            polled.set()
            go_on.wait()
        return reply(body_of("completed"))

    with closing(World("sync", answer=answer, real_time=True)) as world, world.client() as client, ended_polls():
        runs, responses = world.runs(client, max_polls_in_flight=1), list[Any]()
        waiting = threading.Thread(target=lambda: responses.extend(runs.gather(["resp_1"])))
        waiting.start()
        polled.wait()
        child = os.fork()
        if child == 0:
            try:
                os._exit(len(runs.gather(["resp_1"] * 7)))
            finally:
                os._exit(99)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        go_on.set()
        waiting.join()
        assert len(responses) == 1


def test_a_machine_without_threads_makes_do_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dispatcher that cannot start a worker polls by itself; where there is none, the caller is told."""
    world = World("sync", SHORT, real_time=True)
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def only_one(thread: threading.Thread) -> None:
        if thread.name in ("runoutcome dispatcher", "runoutcome worker"):
            started.append(thread)
            if len(started) > allowed:
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", only_one)
    try:
        ids = submit(world, 5)
        with world.client() as client, ended_polls():
            allowed = 1
            assert len(world.runs(client).gather(ids, **QUICK)) == 5
            assert len(started) > 1
            started.clear()
            allowed = 0
            with pytest.raises(RuntimeError, match="can't start new thread"):
                world.runs(client).gather(ids, **QUICK)
    finally:
        world.close()


def test_an_iterator_that_is_collected_anywhere_blocks_nobody() -> None:
    """The collector may end an iterator in any thread: at the end of it nobody is waited for."""
    world = World("sync", {**SHORT, "outcomes": [{"name": "long", "running_seconds": 3600.0}]}, real_time=True)
    try:
        with world.client() as client, ended_polls():
            runs = world.runs(client)
            results = runs.poll_many([world.submitted("long"), world.submitted()], **QUICK)
            next(results)
            is_busy, go_on = threading.Event(), threading.Event()
            runs._scheduler._send(lambda: is_busy.set() or go_on.wait())
            is_busy.wait()
            results.close()  # type: ignore[attr-defined]
            go_on.set()
            assert len(runs.gather(submit(world, 2), **QUICK)) == 2
        assert not len(runs._scheduler._schedule)
    finally:
        world.close()
