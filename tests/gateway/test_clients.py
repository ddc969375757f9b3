"""Real clients of the SDK before the gateway, and the emulator or a broken upstream behind it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from gateways import Connection, free_port, gateway_to, upstream
from openai import AsyncOpenAI, OpenAI

from runoutcome import AsyncRuns, RunRateLimitError, Runs, SubmissionUnknownError
from runoutcome.testing import Emulator

PARAMS: dict[str, Any] = {"model": "gpt-5", "input": "Hello", "background": True}
FAILED = {"metadata": {"emulate": "rate_limit_exceeded"}}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator whose runs end soon."""
    with Emulator({"queued_seconds": 0.05, "running_seconds": 0.1}) as emulator:
        yield emulator


@pytest.fixture
def address(emulator: Emulator) -> Iterator[str]:
    """A gateway before the emulator."""
    with gateway_to(emulator.base_url) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[OpenAI]:
    """A client of the gateway."""
    with OpenAI(base_url=address, api_key="any", max_retries=0) as client:
        yield client


def mistakes(emulator: Emulator) -> list[str]:
    """The mistakes of the client by the emulator's verdict; that it polls often is none here."""
    return [finding.kind for finding in emulator.verdict().findings if finding.severity == "error"]


def polled(client: OpenAI, **params: Any) -> Any:
    """A run that was polled to its end with plain means."""
    run = client.responses.create(**PARAMS, **params)
    while run.status in ("queued", "in_progress"):
        run = client.responses.retrieve(run.id)
    return run


def test_a_failed_run_has_the_field(client: OpenAI) -> None:
    """A plain client reads `outcome` in the error of a run that failed; a completed run has none."""
    failed = polled(client, **FAILED)
    assert failed.error is not None
    outcome = failed.error.model_dump()["outcome"]
    assert (outcome["class"], outcome["retryable"], outcome["action"]) == ("RateLimitError", True, "resubmit_later")
    assert "outcome" not in polled(client).model_dump_json()


def test_a_stream_ends_with_the_field(client: OpenAI) -> None:
    """The last event of a stream has the field, and the events before it arrive."""
    events = list(client.responses.create(**PARAMS, **FAILED, stream=True))
    assert [event.type for event in events][:2] == ["response.created", "response.queued"]
    assert events[-1].type == "response.failed"
    assert events[-1].response.error is not None
    assert events[-1].response.error.model_dump()["outcome"]["class"] == "RateLimitError"


def test_a_cancelled_run(client: OpenAI) -> None:
    """A cancel goes through."""
    run = client.responses.create(**PARAMS)
    assert client.responses.cancel(run.id).status == "cancelled"


def test_an_error_of_the_api_passes(client: OpenAI) -> None:
    """An unknown id is the API's own 404, with its request id."""
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve("resp_unknown")
    assert caught.value.request_id is not None
    assert caught.value.type != "gateway_error"


def test_our_runs_before_it(emulator: Emulator, client: OpenAI) -> None:
    """`Runs` waits and raises as without a gateway, and the verdict on it is clean."""
    runs = Runs(client)
    assert runs.create_and_poll(**PARAMS, poll_interval_ms=20).status == "completed"
    with pytest.raises(RunRateLimitError):
        runs.create_and_poll(**PARAMS, **FAILED, poll_interval_ms=20)
    with runs.create_and_stream(**PARAMS) as stream:
        assert stream.get_final_response().status == "completed"
    assert not mistakes(emulator)


def test_the_async_client(emulator: Emulator, address: str) -> None:
    """The same with `AsyncRuns`, and 20 runs at once."""

    async def work() -> list[str | None]:
        async with AsyncOpenAI(base_url=address, api_key="any", max_retries=0) as client:
            runs = AsyncRuns(client)
            jobs = (runs.create_and_poll(**PARAMS, poll_interval_ms=20) for _ in range(20))
            return [run.status for run in await asyncio.gather(*jobs)]

    assert asyncio.run(work()) == ["completed"] * 20
    assert not mistakes(emulator)


@contextmanager
def client_of(origin: str, **options: Any) -> Iterator[OpenAI]:
    """A client of a gateway before this upstream."""
    with gateway_to(origin) as address, OpenAI(base_url=address, api_key="any", **options) as client:
        yield client


@contextmanager
def counting_upstream() -> Iterator[tuple[str, list[bytes]]]:
    """An upstream that reads requests and closes the connection, with the lines of the requests."""
    lines: list[bytes] = []
    lock = threading.Lock()

    def handle(connection: Connection) -> None:
        connection.read_whole()
        with lock:
            lines.append(connection.lines[0])

    with upstream(handle) as address:
        yield address, lines


def test_the_sdk_sends_an_ambiguous_create_once() -> None:
    """A create that the upstream may have read is not sent again by the SDK's own retries; a poll is."""
    with counting_upstream() as (origin, lines), client_of(origin, max_retries=2) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            client.responses.create(**PARAMS)
        assert (caught.value.status_code, caught.value.code, len(lines)) == (502, "gateway_read_error", 1)
        with pytest.raises(openai.InternalServerError):
            client.responses.retrieve("resp_1")
    assert len(lines) == 4


def test_our_create_stays_ambiguous() -> None:
    """`Runs` sends it once and says that a run may exist."""
    with counting_upstream() as (origin, lines), client_of(origin) as client, pytest.raises(SubmissionUnknownError):
        Runs(client).create(**PARAMS)
    assert len(lines) == 1


def test_our_create_without_an_upstream_is_no_refusal() -> None:
    """`Runs` takes no 502 of a proxy for a refusal, even one that says that nothing was sent."""
    origin = f"http://127.0.0.1:{free_port()}/v1"
    with client_of(origin) as client, pytest.raises(SubmissionUnknownError):
        Runs(client).create(**PARAMS)
