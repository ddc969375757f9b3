"""Many runs at once, in both colours: real clients, real sockets, real time, polls every few milliseconds."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import Any

import openai
import pytest

from colours import COLOURS, OpenWorld, Script, World, body_of, ended_polls, open_worlds, refusal, reply
from runoutcome import Outcome, OutputParseError, RunExceptionGroup, RunResult, WaitTimeoutError
from runoutcome._sdk.responses import native_http_library
from runoutcome._waiting.resume_token import loads

worlds = pytest.fixture(params=COLOURS)(open_worlds)
QUICK: dict[str, Any] = {"poll_interval_ms": 5}
SHORT = {"queued_seconds": 0.0, "running_seconds": 0.05}


def submit(world: World, count: int, outcome: str = "completed") -> list[str]:
    """Ids of runs that were submitted elsewhere."""
    return [world.submitted(outcome) for _ in range(count)]


def collect(
    world: World, runs: Any, on_result: Callable[[RunResult[Any]], Any] = lambda result: None, **options: Any
) -> list[RunResult[Any]]:
    """What `poll_many` gives, in its order; `on_result` ends the iteration by returning True."""
    return world_run(world, lambda made: _taken(made.poll_many(runs, **QUICK | options), on_result))


def world_run(world: World, use: Callable[[Any], Any], **options: Any) -> Any:
    """What `use` gives for a `Runs`, or for an `AsyncRuns` in a loop, of a client of this world."""
    if world.colour == "sync":
        with world.client() as client, ended_polls():
            return use(world.runs(client, **options))

    async def go() -> Any:
        async with world.client() as client:
            result = use(world.runs(client, **options))
            return await result if hasattr(result, "__await__") else result

    return asyncio.run(go())


def _taken(results: Any, on_result: Callable[[RunResult[Any]], Any]) -> Any:
    if isinstance(results, Iterator):
        taken = []
        for result in results:
            taken.append(result)
            if on_result(result):
                break
        return taken

    async def take() -> list[RunResult[Any]]:
        taken = []
        async for result in results:
            taken.append(result)
            if on_result(result):
                await results.aclose()
                break
        return taken

    return take()


def workers() -> set[threading.Thread]:
    """The threads that make polls, alive."""
    return {thread for thread in threading.enumerate() if thread.name == "runoutcome worker"}


def test_every_run_gives_one_result(worlds: OpenWorld) -> None:
    """Completed or not, each run comes out once, with its response or its exception, and its outcome."""
    world = worlds(SHORT, real_time=True)
    ids = submit(world, 4) + submit(world, 3, "server_error") + submit(world, 3, "insufficient_quota")
    results = collect(world, ids)
    assert sorted(result.index for result in results) == list(range(10))
    assert all(ids[result.index] == result.response_id == result.run for result in results)
    by_place = sorted(results, key=lambda result: result.index)
    assert [result.has_response for result in by_place] == [True] * 4 + [False] * 6
    assert [result.retryable for result in by_place] == [False] * 4 + [True] * 3 + [False] * 3
    assert by_place[0].result().output_text
    with pytest.raises(openai.RateLimitError):
        by_place[9].result()
    assert by_place[9].action == "fix_account"


def test_results_come_as_runs_end(worlds: OpenWorld) -> None:
    """A run that takes long does not hold up the others."""
    world = worlds({"outcomes": [{"name": "long", "running_seconds": 3600.0}], **SHORT}, real_time=True)
    ids = [*submit(world, 1, "long"), *submit(world, 5)]
    first = collect(world, ids, on_result=lambda result: result.index == 5)
    assert all(result.index != 0 for result in first)


def test_gather_keeps_the_order(worlds: OpenWorld) -> None:
    """Responses stand where their runs stood."""
    world = worlds(SHORT, real_time=True)
    ids = submit(world, 12)
    responses = world.call("gather", ids, **QUICK)
    assert [response.id for response in responses] == ids


def test_nothing_gives_nothing(worlds: OpenWorld) -> None:
    """No runs, no results."""
    world = worlds(real_time=True)
    assert (collect(world, []), world.call("gather", [])) == ([], [])


def test_what_did_not_complete_is_grouped_by_what_is_to_be_done(worlds: OpenWorld) -> None:
    """One exception group: retry these, fix these, gone; with the results of all, also of those that completed."""
    world = worlds(SHORT, real_time=True)
    ids = [
        *submit(world, 2),
        *submit(world, 2, "server_error"),
        *submit(world, 3, "invalid_prompt"),
    ]
    gone = submit(world, 1)[0]
    world.plain.responses.delete(gone)
    with pytest.raises(RunExceptionGroup, match="6 of 8 runs did not complete") as caught:
        world.call("gather", [*ids, json.dumps({"runoutcome": 1, "id": gone, "seen": True})], **QUICK)
    group = caught.value
    assert [len(part) for part in (group.retry, group.fix, group.gone, group.going)] == [2, 3, 1, 0]
    assert [str(part).partition(" (")[0] for part in group.exceptions] == ["retry these", "fix these", "gone"]
    assert [result.has_response for result in group.results] == [True] * 2 + [False] * 6


def test_a_run_that_takes_too_long_is_a_result_like_any_other(worlds: OpenWorld) -> None:
    """Its deadline ends its own wait; the token says how to go on."""
    world = worlds({"outcomes": [{"name": "long", "running_seconds": 3600.0}], **SHORT}, real_time=True)
    ids = [*submit(world, 1, "long"), *submit(world, 1)]
    late, done = sorted(collect(world, ids, max_wait_seconds=0.5), key=lambda result: result.index)
    assert done.has_response
    assert isinstance(late.error, WaitTimeoutError)
    assert (late.outcome.phase, loads(late.token or "").response_id) == ("pending", ids[0])


def test_poll_faults_are_survived(worlds: OpenWorld) -> None:
    """What a server in trouble answers is no evidence about any run."""
    troubled = {"name": "completed", "poll_faults": ["503", "html", "cut", "reset", "{}", "empty"]}
    world = worlds({**SHORT, "outcomes": [troubled]}, real_time=True)
    assert all(result.has_response for result in collect(world, submit(world, 20)))
    assert len(world.posts) == 20
    assert not world.cancels


@pytest.mark.parametrize("places", [1, 3])
def test_no_more_polls_than_agreed_are_in_flight(worlds: OpenWorld, places: int) -> None:
    """The number of requests at the same time, and of workers, is bounded whatever the number of runs."""
    world = worlds(SHORT, real_time=True)
    lock, inside, most, most_workers, others = threading.Lock(), set[int](), 0, 0, workers()

    def begun(request: Any) -> None:
        nonlocal most, most_workers
        with lock:
            inside.add(id(request))
            most, most_workers = max(most, len(inside)), max(most_workers, len(workers() - others))

    def answered(response: Any) -> None:
        with lock:
            inside.discard(id(response.request))

    world.hooks.append(begun)
    world.response_hooks.append(answered)
    ids = submit(world, 25)
    responses = world_run(world, lambda runs: runs.gather(ids, **QUICK), max_polls_in_flight=places)
    assert len(responses) == 25
    assert most <= places
    assert most_workers <= places


def test_a_generator_is_drawn_from_as_there_is_room(worlds: OpenWorld) -> None:
    """With a limit, no run is taken up before another has ended and its result was taken."""
    world = worlds(SHORT, real_time=True)
    drawn = taken = 0
    most = 0

    def source() -> Iterator[str]:
        nonlocal drawn, most
        for _ in range(10):
            drawn += 1
            most = max(most, drawn - taken)
            yield world.submitted()

    def count(_: RunResult[Any]) -> None:
        nonlocal taken
        taken += 1

    assert len(collect(world, source(), on_result=count, max_in_flight=3)) == 10
    assert most <= 4  # async, the next is drawn when the result is handed on, a moment before it is counted here


def test_whoever_stops_leaves_the_runs_alone(worlds: OpenWorld) -> None:
    """Leaving the loop cancels nothing, and nobody polls any more."""
    world = worlds({"outcomes": [{"name": "long", "running_seconds": 3600.0}], **SHORT}, real_time=True)
    ids = [*submit(world, 1), *submit(world, 5, "long")]
    assert [result.index for result in collect(world, ids, on_result=lambda result: True)] == [0]
    polls = len(world.polls)
    assert not world.cancels
    assert all(world.status_of(run_id) in ("queued", "in_progress") for run_id in ids[1:])
    assert len(world.polls) == polls + 5


def test_functions_are_called_where_the_results_are_taken(worlds: OpenWorld) -> None:
    """`on_update` and `on_fault` are called by the caller's own thread, never by a worker."""
    world = worlds({**SHORT, "outcomes": [{"name": "completed", "poll_faults": ["503"]}]}, real_time=True)
    seen: list[tuple[str, int]] = []

    def update(outcome: Outcome) -> None:
        seen.append((f"{outcome.status}", threading.get_ident()))

    def fault(error: BaseException) -> None:
        seen.append((type(error).__name__, threading.get_ident()))

    assert len(collect(world, submit(world, 5), on_update=update, on_fault=fault)) == 5
    assert {word for word, _ in seen} >= {"InternalServerError", "completed"}
    assert {thread for _, thread in seen} == {threading.get_ident()}


def test_what_a_function_raises_ends_the_iteration(worlds: OpenWorld) -> None:
    """It comes out with the tokens of the runs that have not ended."""
    world = worlds({"queued_seconds": 0.0, "running_seconds": 3600.0}, real_time=True)
    ids = submit(world, 3)

    def update(outcome: Outcome) -> None:
        raise LookupError(outcome.status)

    with pytest.raises(LookupError) as caught:
        collect(world, ids, on_update=update)
    assert [loads(token).response_id for token in caught.value.run_tokens] == ids  # type: ignore[attr-defined]
    assert not world.cancels


def test_a_source_that_fails_ends_the_iteration(worlds: OpenWorld) -> None:
    """The runs that it gave before are left alone, and their tokens are told."""
    world = worlds({"queued_seconds": 0.0, "running_seconds": 3600.0}, real_time=True)
    ids = submit(world, 2)

    def source() -> Iterator[str]:
        yield from ids
        raise OSError("the list broke off")

    with pytest.raises(OSError, match="the list broke off") as caught:
        collect(world, source())
    assert [loads(token).response_id for token in caught.value.run_tokens] == ids  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [[7], [""], [{"status": "queued"}]])
def test_what_names_no_run_is_refused(worlds: OpenWorld, bad: Iterable[Any]) -> None:
    """One error that says what a run is."""
    with pytest.raises((TypeError, ValueError), match="response id"):
        collect(worlds(real_time=True), bad)


@pytest.mark.parametrize("wrong", [{"max_in_flight": 0}, {"max_wait_seconds": -1}, {"accept": "complete"}])
def test_arguments_are_checked_before_anything_else(worlds: OpenWorld, wrong: dict[str, Any]) -> None:
    """A mistake in a call is an error of the call, not of its first result."""
    world = worlds(real_time=True)

    def call(runs: Any) -> None:
        with pytest.raises(ValueError, match="got"):
            runs.poll_many([], **wrong)

    world_run(world, call)


def test_ended_runs_need_no_request(worlds: OpenWorld) -> None:
    """A response that has ended is judged as it is."""
    script = Script([refusal(500)])
    world = worlds(answer=script, real_time=True)
    results = collect(world, [body_of("completed"), body_of("failed", "resp_2")])
    assert {(result.index, result.has_response) for result in results} == {(0, True), (1, False)}
    assert not script.requests


def test_one_refused_poll_does_not_touch_the_others(worlds: OpenWorld) -> None:
    """A 403 for one run is its result, as the SDK's own error; the others are waited for."""

    def answer(request: Any) -> Any:
        run_id = request.url.path.rpartition("/")[2]
        return refusal(403) if run_id == "resp_1" else reply(body_of("completed", run_id))

    results = collect(worlds(answer=answer, real_time=True), ["resp_0", "resp_1", "resp_2"])
    refused = next(result for result in results if result.index == 1)
    assert isinstance(refused.error, openai.PermissionDeniedError)
    assert (refused.outcome.phase, refused.response_id) == ("unknown", "resp_1")
    assert sum(result.has_response for result in results) == 2


def test_structured_output_is_parsed_for_each(worlds: OpenWorld) -> None:
    """With `text_format` each response that completed has its `output_parsed`; one that does not fit is to be fixed."""
    pydantic = pytest.importorskip("pydantic")
    moon = pydantic.create_model("Moon", name=(str, ...))

    def answer(request: Any) -> Any:
        run_id = request.url.path.rpartition("/")[2]
        text = '{"name": "Titan"}' if run_id == "resp_0" else "Titan, I think."
        content = [{"type": "output_text", "text": text, "annotations": []}]
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
        return reply(body_of("completed", run_id, output=[message]))

    world = worlds(answer=answer, real_time=True)
    assert world.call("gather", ["resp_0"], text_format=moon)[0].output_parsed.name == "Titan"
    with pytest.raises(RunExceptionGroup) as caught:
        world.call("gather", ["resp_0", "resp_1"], text_format=moon)
    assert [type(error) for error in caught.value.fix] == [OutputParseError]


class Board:
    """Where a test puts up notices."""

    def __init__(self) -> None:
        self.listeners: dict[str, Callable[[], None]] = {}
        self.has_listener = threading.Event()

    def listen(self, response_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Remember whom to wake."""
        self.listeners[response_id] = wake
        self.has_listener.set()
        return lambda: self.listeners.pop(response_id) and None


def test_a_notice_wakes_the_run_it_is_about(worlds: OpenWorld) -> None:
    """With an inbox a run is asked for once and then when its notice comes, not by the clock."""
    polls: dict[str, int] = {}
    board = Board()

    def answer(request: Any) -> Any:
        run_id = request.url.path.rpartition("/")[2]
        polls[run_id] = polls.get(run_id, 0) + 1
        if len(polls) == 2 and polls[run_id] == 1:  # both have been asked for once: now one of them ends
            threading.Thread(target=lambda: board.listeners["resp_0"]()).start()
        return reply(body_of("completed" if polls[run_id] > 1 else "in_progress", run_id))

    world = worlds(answer=answer, real_time=True)

    def use(runs: Any) -> Any:
        return _taken(runs.poll_many(["resp_0", "resp_1"]), lambda result: True)

    assert [result.response_id for result in world_run(world, use, notices=board)] == ["resp_0"]
    assert polls == {"resp_0": 2, "resp_1": 1}
    assert not board.listeners


def test_polls_keep_to_a_rate(worlds: OpenWorld) -> None:
    """With a rate, polls start no faster than it allows."""
    world, times = worlds({**SHORT, "running_seconds": 0.0}, real_time=True), list[float]()
    ids, started = submit(world, 12), time.monotonic()
    world.hooks.append(lambda request: times.append(time.monotonic()))
    world_run(world, lambda runs: runs.gather(ids, **QUICK), max_polls_per_second=10.0)
    assert len(times) == 12
    assert max(times) - started > 0.9  # two may start at once, and the last a second later


# What only one colour has


def test_an_async_source_does_not_hold_up_results() -> None:
    """A source that waits for more runs to come lets those through that have ended."""
    world = World("async", SHORT, real_time=True)

    async def go() -> list[RunResult[Any]]:
        first_result = asyncio.Event()

        async def source() -> AsyncIterator[str]:
            yield world.submitted()
            await first_result.wait()
            yield world.submitted()

        results = []
        async with world.client() as client:
            async for result in world.runs(client).poll_many(source(), **QUICK):
                results.append(result)
                first_result.set()
        return results

    try:
        assert [result.index for result in asyncio.run(go())] == [0, 1]
    finally:
        world.close()


def test_nothing_is_left_running_behind() -> None:
    """When the results are taken, or their taker goes away, no task remains but his own."""
    world = World("async", {**SHORT, "outcomes": [{"name": "long", "running_seconds": 3600.0}]}, real_time=True)

    async def give_up(runs: Any, ids: list[str]) -> Any:
        with pytest.raises(asyncio.CancelledError) as caught:
            await runs.gather(ids, **QUICK)
        return caught.value.run_tokens  # type: ignore[attr-defined]

    async def go() -> None:
        async with world.client() as client:
            runs = world.runs(client)
            assert len(await runs.gather(submit(world, 5), **QUICK)) == 5
            for _ in range(3):
                await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1
            waiting = asyncio.ensure_future(give_up(runs, submit(world, 5, "long")))
            while len(asyncio.all_tasks()) < 4:  # noqa: ASYNC110 - what is looked at sets no event
                await asyncio.sleep(0)
            waiting.cancel()
            assert len(await waiting) == 5
            while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - what is looked at sets no event
                await asyncio.sleep(0)

    try:
        asyncio.run(go())
        assert not world.cancels
    finally:
        world.close()


def test_an_async_runs_can_be_used_in_one_loop_after_another() -> None:
    """What an interrupted loop left behind does not hold up the next."""
    statuses = ["in_progress"]
    world = World("async", answer=lambda request: reply(body_of(statuses[0])), real_time=True)
    client = world.client()
    runs = world.runs(client)

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(runs.gather(["resp_1", "resp_1"], **QUICK), 0.1)

    async def finish() -> int:
        async with client:
            return len(await runs.gather(["resp_1", "resp_1"], **QUICK))

    with closing(world):
        asyncio.run(give_up())
        statuses[0] = "completed"
        assert asyncio.run(finish()) == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_both_async_backends_will_do(backend: str) -> None:
    """An AsyncRuns works wherever the SDK's client works."""
    anyio, _ = pytest.importorskip("anyio"), pytest.importorskip(backend)
    world = World("async", SHORT, real_time=True)

    async def go() -> int:
        async with world.client() as client:
            return len(await world.runs(client).gather(submit(world, 5), **QUICK))

    try:
        assert anyio.run(go, backend=backend) == 5
    finally:
        world.close()


def test_ctrl_c_tells_how_to_go_on() -> None:
    """KeyboardInterrupt out of the wait for the next result carries the tokens of all that have not ended."""
    world = World("sync", {"queued_seconds": 0.0, "running_seconds": 3600.0}, real_time=True)
    ids = submit(world, 3)
    main, once = threading.get_ident(), [signal.SIGINT]

    def press(request: Any) -> None:
        if len(world.polls) >= 10:
            with suppress(IndexError):
                signal.pthread_kill(main, once.pop())

    world.hooks.append(press)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            collect(world, ids)
        assert [loads(token).response_id for token in caught.value.run_tokens] == ids  # type: ignore[attr-defined]
        assert not world.cancels
    finally:
        world.close()


def test_the_deadline_holds_for_those_that_had_to_wait(worlds: OpenWorld) -> None:
    """Where the server is silent, no run waits for its turn and then for a poll of its own after the deadline."""
    release = threading.Event()

    def stall(request: Any) -> Any:
        release.wait(0.05)
        return native_http_library().ReadTimeout("silent")

    world = worlds(answer=stall, real_time=True)
    results = world_run(
        world,
        lambda runs: _taken(runs.poll_many(["resp_1"] * 200, max_wait_seconds=0.2, **QUICK), lambda _: False),
        max_polls_in_flight=1,
    )
    release.set()
    assert {type(result.error) for result in results} == {WaitTimeoutError}
    assert len(world.log) < 200  # of 50 ms each there is time for four, and a second for those that had no poll yet


def test_a_source_that_is_cancelled_is_told() -> None:
    """An async source that ends by somebody else's cancellation ends the iteration with it, as a plain loop does."""
    world = World("async", SHORT, real_time=True)

    async def source() -> AsyncIterator[str]:
        yield world.submitted()
        raise asyncio.CancelledError("of another task")

    async def go() -> list[Any]:
        async with world.client() as client:
            return [result async for result in world.runs(client).poll_many(source(), **QUICK)]

    try:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(go())
    finally:
        world.close()
