"""runoutcome, in each of the ways to wait that it has: `python runoutcome_ways.py JOBS AT_ONCE WAY`.

The way `webhooks` listens on the port in `WEBHOOK_PORT`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from jobs import MODEL, Answer, at_once, in_tasks, in_threads, prompts, tell
from openai import AsyncOpenAI, OpenAI

from runoutcome import AsyncRuns, RunError, RunResult, Runs
from runoutcome.asgi import WebhookApp
from runoutcome.webhooks import Inbox

IDLE_SECONDS = 10.0
"""A stream that is silent for so long is opened again; the default is a minute."""


def answer_of(response: Any) -> Answer:
    """What was returned."""
    return str(response.status), response.output_text


def failure_of(error: RunError) -> Answer:
    """What the error says of the run: its status, and the code or the reason."""
    return str(error.outcome.status), f"{error.outcome.code or error.outcome.reason}: {error.outcome.message}"


def tell_result(prompt: str, result: RunResult) -> None:
    """Says what came of one run of many."""
    error = result.error
    if error is None:
        tell(prompt, *answer_of(result.response))
    else:
        tell(prompt, *(failure_of(error) if isinstance(error, RunError) else (type(error).__name__, str(error))))


def threads() -> None:
    """`Runs.create_and_poll`, each job in a thread."""
    with OpenAI() as client:
        runs = Runs(client)

        def job(prompt: str) -> Answer:
            try:
                return answer_of(runs.create_and_poll(model=MODEL, input=prompt))
            except RunError as error:
                return failure_of(error)

        in_threads(job)


async def tasks(notices: Inbox | None = None) -> None:
    """`AsyncRuns.create_and_poll`, each job in a task."""
    async with AsyncOpenAI() as client:
        runs = AsyncRuns(client, notices=notices)

        async def job(prompt: str) -> Answer:
            try:
                return answer_of(await runs.create_and_poll(model=MODEL, input=prompt))
            except RunError as error:
                return failure_of(error)

        await in_tasks(job)


def many() -> None:
    """`Runs.poll_many`, over a generator that submits."""
    asked: dict[str, str] = {}
    with OpenAI() as client:
        runs = Runs(client)

        def submitted() -> Iterator[str]:
            for prompt in prompts():
                run = runs.create(model=MODEL, input=prompt)
                asked[run.id] = prompt
                yield run.id

        for result in runs.poll_many(submitted(), max_in_flight=at_once()):
            tell_result(asked[result.run], result)


async def many_async() -> None:
    """`AsyncRuns.poll_many`, over an async generator that submits."""
    asked: dict[str, str] = {}
    async with AsyncOpenAI() as client:
        runs = AsyncRuns(client)

        async def submitted() -> AsyncIterator[str]:
            for prompt in prompts():
                run = await runs.create(model=MODEL, input=prompt)
                asked[run.id] = prompt
                yield run.id

        async for result in runs.poll_many(submitted(), max_in_flight=at_once()):
            tell_result(asked[result.run], result)


def streams() -> None:
    """`Runs.create_and_stream`, each job in a thread: all its events, and the response at their end."""
    with OpenAI() as client:
        runs = Runs(client)

        def job(prompt: str) -> Answer:
            with runs.create_and_stream(model=MODEL, input=prompt, idle_timeout_seconds=IDLE_SECONDS) as stream:
                numbers = [event.sequence_number for event in stream]
                try:
                    return in_order(numbers, stream.get_final_response())
                except RunError as error:
                    return failure_of(error)

        in_threads(job)


async def streams_async() -> None:
    """`AsyncRuns.create_and_stream`, each job in a task."""
    async with AsyncOpenAI() as client:
        runs = AsyncRuns(client)

        async def job(prompt: str) -> Answer:
            async with runs.create_and_stream(model=MODEL, input=prompt, idle_timeout_seconds=IDLE_SECONDS) as stream:
                numbers = [event.sequence_number async for event in stream]
                try:
                    return in_order(numbers, await stream.get_final_response())
                except RunError as error:
                    return failure_of(error)

        await in_tasks(job)


def in_order(numbers: list[int], response: Any) -> Answer:
    """What was returned, if each event came once and in order."""
    return answer_of(response) if numbers == sorted(set(numbers)) else ("events out of order", str(numbers))


async def webhooks() -> None:
    """`AsyncRuns(client, notices=inbox)`, whose inbox is served beside it."""
    inbox = Inbox(os.environ["OPENAI_WEBHOOK_SECRET"])
    async with serving(WebhookApp(inbox), int(os.environ["WEBHOOK_PORT"])):
        await tasks(inbox)


@asynccontextmanager
async def serving(application: Any, port: int) -> AsyncIterator[None]:
    """The application on a port of this machine."""
    server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
    with socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
        served = asyncio.create_task(server.serve([listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await served


WAYS: dict[str, Callable[[], Awaitable[None] | None]] = {
    "threads": threads,
    "tasks": tasks,
    "many": many,
    "many-async": many_async,
    "streams": streams,
    "streams-async": streams_async,
    "webhooks": webhooks,
}

if __name__ == "__main__":
    started = WAYS[sys.argv[3]]()
    if started is not None:
        asyncio.run(started)  # type: ignore[arg-type]
