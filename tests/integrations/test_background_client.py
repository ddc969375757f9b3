"""The client that frameworks are given: `responses.create` is a background run, everything else is the client's own."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError

from runoutcome import AsyncRuns, RunError, RunRateLimitError, SubmissionUnknownError
from runoutcome.integrations._background_client import BackgroundClient
from runoutcome.testing import Emulator

PARAMS: dict[str, Any] = {"model": "gpt-5.5", "input": "Name a moon."}
Body = Callable[["World"], Awaitable[None]]


class World:
    """An emulator, and clients over it."""

    def __init__(self, emulator: Emulator, original: AsyncOpenAI) -> None:
        self.emulator, self.original = emulator, original
        self.runs = AsyncRuns(original)

    def client(self, resume: Any = None, **options: Any) -> Any:
        """A client with these options."""
        options.setdefault("poll_interval_ms", 1)
        return BackgroundClient(self.runs, resume, options)


@pytest.fixture
def play() -> Iterator[Callable[[Body], None]]:
    """Run a test's body in an event loop, with a world."""
    with Emulator(speed=1000) as emulator:

        async def inside(body: Body) -> None:
            async with AsyncOpenAI(base_url=emulator.base_url, api_key="any", max_retries=0) as original:
                await body(World(emulator, original))

        yield lambda body: asyncio.run(inside(body))


def outcome(words: str) -> dict[str, Any]:
    """Parameters of a run that ends so."""
    return {**PARAMS, "metadata": {"emulate": words}}


async def events_of(client: Any, **params: Any) -> list[Any]:
    """All events of a streamed create."""
    return [event async for event in await client.responses.create(stream=True, **params)]


def test_a_create_is_a_background_run(play: Callable[[Body], None]) -> None:
    """`responses.create` returns the completed response of one background run, whose token was told."""

    async def body(world: World) -> None:
        tokens: list[str] = []
        response = await world.client(on_submitted=tokens.append).responses.create(**PARAMS)
        assert response.status == "completed"
        assert response.output_text
        assert [run.id in tokens[0] for run in world.emulator.runs] == [True]

    play(body)


def test_a_failed_run_raises(play: Callable[[Body], None]) -> None:
    """A failed run raises the class that `create_and_poll` raises, with its token."""

    async def body(world: World) -> None:
        with pytest.raises(RunRateLimitError) as caught:
            await world.client().responses.create(**outcome("insufficient_quota"))
        assert world.emulator.runs[0].id in (caught.value.run_token or "")

    play(body)


def test_resubmission(play: Callable[[Body], None]) -> None:
    """The options hold for each create, `resubmit` among them."""

    async def body(world: World) -> None:
        client = world.client(resubmit=1)
        for _ in range(2):
            await client.responses.create(**outcome("server_error,completed"))
            with pytest.raises(RunError):
                await client.responses.create(**outcome("invalid_prompt"))
        assert len(world.emulator.runs) == 5  # by then the emulator gives this job its last outcome

    play(body)


def test_a_run_is_resumed_once(play: Callable[[Body], None]) -> None:
    """The first create waits for the run to resume; the second makes a run."""

    async def body(world: World) -> None:
        pending = await world.runs.create(**PARAMS)
        client = world.client(resume=pending.id)
        ids = [(await client.responses.create(**PARAMS)).id for _ in range(2)]
        assert ids[0] == pending.id
        assert ids == [run.id for run in world.emulator.runs]

    play(body)


def test_retrieve_waits(play: Callable[[Body], None]) -> None:
    """`responses.retrieve` waits for the end of a run that exists, whatever the options say of submissions."""

    async def body(world: World) -> None:
        pending = await world.runs.create(**PARAMS)
        client = world.client(resubmit=2, on_submitted=print)
        response = await client.responses.retrieve(response_id=pending.id, include=[], timeout=5)
        assert (response.id, response.status) == (pending.id, "completed")
        assert len(world.emulator.runs) == 1

    play(body)


def test_retrieve_asks_for_what_it_is_asked_for(play: Callable[[Body], None]) -> None:
    """The `include` of `responses.retrieve` goes with the polls: the server refuses a word that it does not know."""

    async def body(world: World) -> None:
        pending = await world.runs.create(**PARAMS)
        with pytest.raises(BadRequestError, match="no_such_field"):
            await world.client().responses.retrieve(pending.id, include=["no_such_field"])

    play(body)


def test_events(play: Callable[[Body], None]) -> None:
    """A streamed create gives the events of one background run, the terminal one last."""

    async def body(world: World) -> None:
        events = await events_of(world.client(resubmit=2), **PARAMS)
        assert events[-1].type == "response.completed"
        assert "response.output_text.delta" in {event.type for event in events}
        assert [run.id for run in world.emulator.runs] == [events[-1].response.id]

    play(body)


@pytest.mark.parametrize("words", ["insufficient_quota", "max_output_tokens", "cancelled"])
def test_a_stream_raises(play: Callable[[Body], None], words: str) -> None:
    """A stream raises in place of the event that ends the run, unless that is completed."""

    async def body(world: World) -> None:
        seen: list[str] = []

        async def read() -> None:
            async for event in await world.client().responses.create(stream=True, **outcome(words)):
                seen.append(event.type)

        with pytest.raises(RunError):
            await read()
        assert seen[0] == "response.created"
        assert seen[-1] not in ("response.failed", "response.incomplete", "response.completed")

    play(body)


def test_a_resumed_stream_begins_at_the_start(play: Callable[[Body], None]) -> None:
    """A resumed stream gives the run's events from the first on, whatever cursor the token holds."""

    async def body(world: World) -> None:
        async with world.runs.create_and_stream(**PARAMS) as stream:
            async for event in stream:
                if event.sequence_number == 3:
                    break
            token = stream.token
        events = await events_of(world.client(resume=token, resubmit=1), **PARAMS)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert len(world.emulator.runs) == 1

    play(body)


def test_a_create_is_never_sent_twice_in_silence(play: Callable[[Body], None]) -> None:
    """A create whose answer is lost raises `SubmissionUnknownError`, streamed or not."""

    async def body(world: World) -> None:
        lost = {**PARAMS, "metadata": {"emulate_create": "lost"}}
        with pytest.raises(SubmissionUnknownError):
            await world.client().responses.create(**lost)
        with pytest.raises(SubmissionUnknownError):
            await events_of(world.client(), **lost)
        assert len(world.emulator.runs) == 2

    play(body)


def test_everything_else_is_the_clients(play: Callable[[Body], None]) -> None:
    """Other attributes and methods are those of the client; `with_options` changes nothing."""

    async def body(world: World) -> None:
        client = world.client()
        assert client.base_url == world.original.base_url
        assert client.with_options(max_retries=0) is client
        assert copy.copy(client).responses is client.responses
        response = await client.responses.create(**PARAMS)
        assert (await client.responses.input_items.list(response.id)).data
        assert not hasattr(client.responses, "with_streaming_response")

    play(body)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"accept": "incomplete"}, TypeError, "'accept'"),
        ({"on_interrupt": "stop"}, ValueError, "on_interrupt"),
        ({"max_wait_seconds": -1}, ValueError, "max_wait_seconds"),
        ({"poll_interval_ms": "fast"}, TypeError, "poll_interval_ms"),
        ({"resume": "{"}, ValueError, "resume token"),
        ({"resume": 3}, TypeError, "a run is"),
    ],
)
def test_options_are_checked_at_once(
    play: Callable[[Body], None], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """An option that makes no sense is refused when the client is made."""

    async def body(world: World) -> None:
        with pytest.raises(error, match=words):
            world.client(**options)

    play(body)


def test_runs_are_async() -> None:
    """Anything but an `AsyncRuns` is refused."""
    with pytest.raises(TypeError, match="runs is an AsyncRuns; got str"):
        BackgroundClient("runs", None, {})  # type: ignore[arg-type]
