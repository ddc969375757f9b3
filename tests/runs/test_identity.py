"""The body of another run is never taken for that of the run that was asked for."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import openai
import pytest

from colours import PARAMS, WAYS, OpenWorld, RawServer, Script, World, body_of, open_worlds, reply
from runoutcome import Runs, RunStatusError, WaitTimeoutError
from runoutcome._waiting.identity import KnownRuns
from runoutcome._waiting.resume_token import ResumeToken


@pytest.fixture(params=WAYS)
def worlds(request: pytest.FixtureRequest) -> Iterator[OpenWorld]:
    """Worlds whose `Runs` poll by the transport of the way."""

    def with_transport(world: World) -> World:
        world.runs = partial(world.runs, transport=world.transport)  # type: ignore[method-assign]
        return world

    steps = open_worlds(request)
    open_world = next(steps)
    yield lambda *args, **options: with_transport(open_world(*args, **options))
    next(steps, None)


FAILED = {"error": {"code": "server_error", "message": "It broke."}}


@pytest.mark.parametrize(
    ("response_id", "key", "whose"),
    [
        ("resp_1", None, "own"),
        ("resp_1", "b-1", "own"),
        ("resp_2", "a-1", "other"),
        ("resp_2", None, "other"),
        ("gw_9", "a-1", "own"),
        ("gw_9", "b-1", "other"),
        ("gw_9", "c-1", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_whose_a_body_is(response_id: str | None, key: str | None, whose: str) -> None:
    """Its id decides, then the id of another run, then its key, then the key of another run."""
    known, token = KnownRuns(), ResumeToken("resp_1", key="a-1")
    for run in (token, ResumeToken("resp_2", key="b-1")):
        known.add(run)
    assert known.whose(token, response_id, key) == whose


@pytest.mark.parametrize(("response_id", "key", "whose"), [("gw_9", "b-1", "unknown"), ("resp_2", "b-1", "other")])
def test_whose_a_body_is_when_the_run_has_no_key(response_id: str | None, key: str | None, whose: str) -> None:
    """The key of a known run proves nothing about an id that a server may have given to that run; its id does."""
    known = KnownRuns()
    known.add(ResumeToken("resp_2", key="b-1"))
    assert known.whose(ResumeToken("gw_8"), response_id, key) == whose


def posts_then(*answers: Any) -> Script:
    """A server that makes runs with ids of their own, and answers polls with these, the last one for ever."""
    polls, made = list(answers), list[str]()

    def answer(request: Any) -> Any:
        if request.method == "POST":
            made.append(f"resp_{len(made) + 1}")
            metadata = json.loads(request.content)["metadata"]
            return reply(body_of("queued", made[-1], metadata=metadata))
        body = polls.pop(0) if len(polls) > 1 else polls[0]
        return reply(body(request) if callable(body) else body)

    return Script([answer])


def poll_knowing(world: World, other: str, **options: Any) -> Any:
    """Poll `resp_1` by a `Runs` that knows another run."""
    if world.colour == "sync":
        runs = world.runs(world.client())
        runs._named(other)
        return runs.poll("resp_1", **options)

    async def poll() -> Any:
        async with world.client() as client:
            runs = world.runs(client)
            runs._named(other)
            return await runs.poll("resp_1", **options)

    return asyncio.run(poll())


@pytest.mark.parametrize("stray", ["completed", "failed", "in_progress"])
def test_the_body_of_another_known_run_is_a_fault(worlds: OpenWorld, stray: str) -> None:
    """A stray answer with the body of a run that this `Runs` knows is polled over, and nothing is resubmitted."""
    other = body_of(stray, "resp_2", **(FAILED if stray == "failed" else {}))
    world = worlds(answer=(script := Script([reply(other), reply(body_of("completed"))])))
    response = poll_knowing(world, "resp_2")
    assert (response.id, response.status) == ("resp_1", "completed")
    assert script.requests


@pytest.mark.parametrize("status", ["in_progress", "completed"])
def test_a_body_with_our_key_is_the_runs(worlds: OpenWorld, status: str) -> None:
    """A server that names a run anew in each answer, and keeps its metadata, is believed at once."""
    numbers = iter(range(100))
    own = {"runoutcome_key": "k-1"}
    script = Script(
        [
            *[lambda request: reply(body_of(status, f"gw_{next(numbers)}", metadata=own))] * 2,
            lambda request: reply(body_of("failed", f"gw_{next(numbers)}", metadata=own, **FAILED)),
        ]
    )
    world = worlds(answer=script)
    token = ResumeToken("resp_1", key="k-1").dumps()
    if status == "completed":
        assert world.call("poll", token).id == "gw_0"
        assert len(script.requests) == 1
        return
    with pytest.raises(RunStatusError) as caught:
        world.call("poll", token)
    assert (caught.value.response_id, caught.value.outcome.body_id) == ("resp_1", "gw_2")
    assert caught.value.outcome.to_dict()["body_id"] == "gw_2"
    assert len(script.requests) == 3


@pytest.mark.parametrize("method", ["poll", "cancel"])
def test_the_last_name_of_a_renamed_run_is_good_for_a_request(worlds: OpenWorld, method: str) -> None:
    """A run that its server names anew in each answer can be polled and cancelled by the id of the returned body."""
    numbers, own = iter(range(100)), {"runoutcome_key": "k-1"}

    def answer(request: Any) -> Any:
        number = next(numbers)
        if request.method == "POST" and number:
            return reply({"error": {"message": "Cannot cancel a completed response."}}, status=400)
        return reply(body_of("completed" if number else "queued", f"gw_{number}", metadata=own))

    world = worlds(answer=Script([answer]))

    if world.colour == "sync":
        runs = world.runs(world.client())
        made = runs.create_and_poll(model="gpt-5.5", input="Hi", metadata={"runoutcome_key": "k"})
        assert getattr(runs, method)(made.id).status == "completed"
        return

    async def asynchronously() -> None:
        async with world.client() as client:
            runs = world.runs(client)
            made = await runs.create_and_poll(model="gpt-5.5", input="Hi", metadata={"runoutcome_key": "k"})
            assert (await getattr(runs, method)(made.id)).status == "completed"

    asyncio.run(asynchronously())


def test_an_id_that_nobody_knows_is_asked_for_once_more(worlds: OpenWorld) -> None:
    """A body under an unknown id is read again: then it is the run's own, or how the server names its runs."""
    script = Script([reply(body_of("failed", "gw_1", **FAILED)), reply(body_of("completed"))])
    assert worlds(answer=script).call("poll", "resp_1").id == "resp_1"
    assert len(script.requests) == 2
    pending = [reply(body_of("in_progress", f"gw_{number}")) for number in (1, 2)]
    script = Script([*pending, reply(body_of("failed", "gw_3", **FAILED))])
    with pytest.raises(RunStatusError) as caught:
        worlds(answer=script).call("poll", "resp_1")
    assert (caught.value.response_id, caught.value.outcome.body_id) == ("resp_1", "gw_3")
    assert len(script.requests) == 3  # what the server does was asked once


def test_a_run_that_is_known_by_no_key_is_not_made_again(worlds: OpenWorld) -> None:
    """A failed body without our id and our key may be somebody else's: no second run is paid for it."""
    world = worlds(answer=(script := posts_then(body_of("failed", "gw_1", **FAILED))))
    if world.transport == "fast":
        return  # the server behind the socket reads no body of a POST
    with pytest.raises(RunStatusError) as caught:
        world.call("create_and_poll", resubmit=1, **PARAMS)
    assert caught.value.not_resubmitted == "identity"
    assert script.methods.count("POST") == 1


def test_an_accepted_pending_body_is_whole(worlds: OpenWorld) -> None:
    """`accept="pending"` gives the whole body, under whatever id the server has for it."""
    script = Script([reply(body_of("in_progress", "gw_1", model="m-9"))])
    response = worlds(answer=script).call("poll", "resp_1", accept="pending", max_wait_seconds=0)
    assert (response.id, response.model) == ("gw_1", "m-9")


def test_a_stranger_to_the_end_is_no_answer(worlds: OpenWorld) -> None:
    """A server that answers with another known run's body only has not answered."""
    world = worlds(answer=Script([reply(body_of("completed", "resp_2"))]))
    with pytest.raises(WaitTimeoutError) as caught:
        poll_knowing(world, "resp_2", max_wait_seconds=30)
    assert "another run" in str(caught.value.__cause__)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("http_client", ["the SDK's", "the user's"])
def test_a_forked_process_has_connections_of_its_own(http_client: str) -> None:
    """A child polls over a connection of its own; where the HTTP client is the user's, it is told to make one."""
    ports: set[int] = set()

    def handle(connection: Any, head: str) -> None:
        while head:
            ports.add(connection.getpeername()[1])
            content = json.dumps(body_of("completed", head.split()[1].rpartition("/")[2])).encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content)
                + content
            )
            head = connection.recv(65536).decode("latin-1")

    with ExitStack() as stack:
        server = stack.enter_context(RawServer(handle))
        options: Any = {} if http_client == "the SDK's" else {"http_client": openai.DefaultHttpxClient()}
        client = openai.OpenAI(api_key="k", base_url=server.base_url, max_retries=0, **options)
        stack.enter_context(closing(client))
        runs = Runs(client)
        assert runs.poll("resp_1").id == "resp_1"
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = 0 if runs.poll("resp_2").id == "resp_2" else 1
            except RuntimeError as error:
                code = 2 if "forked" in str(error) else 3
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == (0 if options == {} else 2)
        assert runs.poll("resp_1").id == "resp_1"
        assert len(ports) == (2 if options == {} else 1)
