"""`--strict`: the poll of a failed run is an HTTP error, for clients that understand nothing else."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from gateways import Connection, gateway_to, upstream
from openai import OpenAI

from runoutcome import is_retryable
from runoutcome.testing import Emulator

PARAMS: dict[str, Any] = {"model": "gpt-5", "input": "Hello", "background": True}
FAILED: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "failed", "error": None}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator whose runs end at once."""
    with Emulator({"queued_seconds": 0, "running_seconds": 0}) as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[OpenAI]:
    """A client of a strict gateway before the emulator, with the SDK's own retries."""
    with gateway_to(emulator.base_url, strict=True) as address, OpenAI(base_url=address, api_key="any") as client:
        yield client


def create(client: OpenAI, word: str, **params: Any) -> Any:
    """A run that ends by this word."""
    return client.responses.create(**PARAMS, metadata={"emulate": word}, **params)


@pytest.mark.parametrize(
    ("word", "error_class", "status"),
    [
        ("rate_limit_exceeded", openai.RateLimitError, 429),
        ("server_error", openai.InternalServerError, 500),
        ("invalid_prompt", openai.BadRequestError, 400),
        ("incomplete:max_output_tokens", openai.APIStatusError, 424),
        ("incomplete:content_filter", openai.APIStatusError, 424),
    ],
)
def test_a_failed_poll_raises_its_class(
    emulator: Emulator, client: OpenAI, word: str, error_class: type[openai.APIStatusError], status: int
) -> None:
    """A plain client raises the class of the failure after one poll, and finds the run and the outcome in the error."""
    run = create(client, word)
    with pytest.raises(error_class) as caught:
        client.responses.retrieve(run.id)
    error: Any = caught.value
    assert (error.status_code, error.body["response_id"]) == (status, run.id)
    assert error.response.headers["x-runoutcome-response-id"] == run.id
    assert error.response.headers["x-should-retry"] == "false"
    assert error.request_id is not None
    assert error.body["outcome"]["catalog"]
    assert error.code == word.rpartition(":")[2]
    assert len(emulator.requests) == 2
    assert not is_retryable(error)


def test_completed_and_pending_polls_pass(client: OpenAI) -> None:
    """A completed run is returned as it is."""
    assert client.responses.retrieve(create(client, "completed").id).status == "completed"


def test_creates_streams_and_cancels_pass(client: OpenAI) -> None:
    """The answer of a create is its receipt, whatever became of the run; a stream ends as without `--strict`."""
    run = client.responses.create(model="gpt-5", input="Hello", metadata={"emulate": "server_error"})
    assert run.status == "failed"
    events = list(create(client, "server_error", stream=True))
    assert events[-1].type == "response.failed"
    cancelled = client.responses.cancel(create(client, "stuck").id)
    assert client.responses.retrieve(cancelled.id).status == "cancelled"


def test_a_client_can_switch_it_off(client: OpenAI) -> None:
    """With `x-runoutcome-strict: off` the body of the run is returned."""
    run = client.responses.retrieve(
        create(client, "incomplete:max_output_tokens").id, extra_headers={"x-runoutcome-strict": "off"}
    )
    assert run.status == "incomplete"
    assert run.incomplete_details is not None
    assert run.incomplete_details.model_dump()["outcome"]["type"] == "incomplete_error"


def polled(
    body: bytes, path: str = "/v1/responses/resp_1", headers: bytes = b""
) -> tuple[http.client.HTTPResponse, bytes]:
    """The answer of a strict gateway to a poll that its upstream answers so."""

    def handle(connection: Connection) -> None:
        connection.read_whole()
        head = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nETag: "1"\r\n%s\r\n'
        connection.send(head % (len(body), headers) + body)

    with ExitStack() as stack:
        address = stack.enter_context(gateway_to(stack.enter_context(upstream(handle)), strict=True))
        connection = stack.enter_context(closing(http.client.HTTPConnection(urlsplit(address).netloc)))
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        return response, response.read()


def test_a_failure_without_a_status_is_424() -> None:
    """A failed run with no error in it has no class; its words are the catalog's."""
    response, body = polled(json.dumps(FAILED).encode())
    error = json.loads(body)["error"]
    assert (response.status, error["code"], error["type"]) == (424, None, "unknown_error")
    assert (error["response_id"], error["response_status"]) == ("resp_1", "failed")
    assert error["message"]
    assert response.headers["etag"] is None
    assert int(response.headers["content-length"]) == len(body)


def test_a_packed_answer_is_read() -> None:
    """A gzip body of a failed run is answered without compression."""
    packed = gzip.compress(json.dumps(FAILED).encode())
    response, body = polled(packed, headers=b"Content-Encoding: gzip\r\n")
    assert (response.status, response.headers["content-encoding"]) == (424, None)
    assert json.loads(body)["error"]["response_id"] == "resp_1"


def test_the_words_of_the_server_are_kept() -> None:
    """Fields of the run's error stay, also unknown ones and an `outcome` of the server."""
    own = {"code": "server_error", "message": "Oops.", "x": 1, "outcome": {"type": "mine"}}
    _, body = polled(json.dumps({**FAILED, "error": own}).encode())
    error = json.loads(body)["error"]
    assert {name: error[name] for name in own} == own


@pytest.mark.parametrize("run_id", ["resp\r\nx: 1", "", None, "ü"])
def test_an_id_that_is_no_header(run_id: str | None) -> None:
    """An id that no header can hold is in the body; without an id it is the one that was asked for."""
    response, body = polled(json.dumps({**FAILED, "id": run_id}).encode())
    assert response.status == 424
    assert json.loads(body)["error"]["response_id"] == (run_id or "resp_1")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", FAILED),
        ("/v1/responses/resp_1/input_items", FAILED),
        ("/v1/batches/batch_1", {"id": "batch_1", "object": "batch", "status": "failed"}),
        ("/v1/responses/resp_1", {**FAILED, "status": "in_progress"}),
        ("/v1/responses/resp_1", {**FAILED, "status": "new"}),
        ("/v1/responses/resp_1", []),
    ],
)
def test_other_answers_pass(path: str, body: Any) -> None:
    """Other paths, runs that go on, unknown statuses and other bodies are answered with 200."""
    assert polled(json.dumps(body).encode(), path)[0].status == 200


@pytest.mark.parametrize(
    "text", [b'{"status": "failed"', b'{"object": "response", "status": "failed", "n": %s}' % (b"1" * 5000)]
)
def test_a_body_that_cannot_be_read_passes(text: bytes) -> None:
    """Broken JSON, and a number of more digits than Python reads, stay as they are."""
    response, body = polled(text)
    assert (response.status, body) == (200, text)


def test_the_head_of_a_stream_does_not_wait() -> None:
    """A client that follows a run knows that it is connected before the first event."""
    read = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_whole()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        assert read.wait(60)

    with ExitStack() as stack:
        address = stack.enter_context(gateway_to(stack.enter_context(upstream(handle)), strict=True))
        stack.callback(read.set)
        connection = stack.enter_context(closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)))
        connection.request("GET", "/v1/responses/resp_1?stream=true")
        assert connection.getresponse().status == 200
