"""`--record` and `--replay`: what passed the gateway becomes a test, and no key or prompt becomes part of it."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from gateways import Connection, free_port, gateway_to, upstream
from hypothesis import given, strategies as st
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response

from runoutcome import AsyncRuns, RunRateLimitError, Runs, SubmissionUnknownError
from runoutcome.gateway import Gateway, GatewayError
from runoutcome.gateway._recorder import Recording
from runoutcome.gateway._redaction import blanked, without_keys
from runoutcome.testing import Emulator, EmulatorError, RecordingError, Replay
from runoutcome.testing._replay.recording import read_recording

KEY = "sk-secret-of-the-test"
PROMPT = "The prompt of the test."
PARAMS: dict[str, Any] = {"model": "gpt-5", "input": PROMPT, "background": True}
FAILED = {"metadata": {"emulate": "rate_limit_exceeded"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The name of a new recording."""
    return tmp_path / "recording.jsonl"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator whose runs end soon."""
    with Emulator({"queued_seconds": 0.05, "running_seconds": 0.1}) as emulator:
        yield emulator


def client_of(address: str) -> OpenAI:
    """A client with the key of the test."""
    return OpenAI(base_url=address, api_key=KEY, max_retries=0, default_headers={"Cookie": f"session={KEY}"})


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a recording."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def run_and_stream(client: OpenAI) -> tuple[str, list[str]]:
    """The code of a failed run that our `Runs` waits for, and the events of a completed one."""
    runs = Runs(client)
    with pytest.raises(RunRateLimitError) as caught:
        runs.create_and_poll(**PARAMS, **FAILED, poll_interval_ms=20)
    events = client.responses.create(**PARAMS, stream=True)
    return str(caught.value.code), [event.type for event in events]


def test_a_failure_that_was_recorded_happens_again(path: Path, emulator: Emulator) -> None:
    """A client gets the same error, the same events and the same refusal from the file; nothing is left of it then."""
    with gateway_to(emulator.base_url, record=path) as address, client_of(address) as client:
        before = run_and_stream(client)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve("resp_unknown")
    with Replay(path, speed=1000) as replay, client_of(replay.base_url) as client:
        assert run_and_stream(client) == before
        with pytest.raises(openai.NotFoundError) as caught:
            client.responses.retrieve("resp_unknown")
        assert caught.value.request_id is not None
        assert replay.left == []


async def endings(address: str) -> Counter[str]:
    """The ways in which 20 runs end for `AsyncRuns`."""
    async with AsyncOpenAI(base_url=address, api_key=KEY) as client:
        runs = AsyncRuns(client)
        jobs = (runs.create_and_poll(**PARAMS, poll_interval_ms=50) for _ in range(20))
        results = await asyncio.gather(*jobs, return_exceptions=True)
    return Counter(result.status if isinstance(result, Response) else type(result).__name__ for result in results)


def recording_gateway(emulator: Emulator, path: Path, reports: list[str]) -> AbstractContextManager[str]:
    """A gateway before an emulator, with a recording and its reports."""
    return gateway_to(emulator.base_url, record=path, report=reports.append)


@pytest.mark.parametrize("scenario", ["chaos", "flaky-proxy"])
def test_many_runs_end_again_as_they_did(path: Path, scenario: str) -> None:
    """Runs that end in every way, with faults of polls and creates, end so before the replay, and use it up."""
    reports: list[str] = []
    with Emulator(scenario, speed=50) as emulator, recording_gateway(emulator, path, reports) as address:
        before = asyncio.run(endings(address))
    with Replay(path, speed=50) as replay:
        assert asyncio.run(endings(replay.base_url)) == before
        assert replay.left == []
    assert [line for line in reports if "read_error" not in line] == []


def test_keys_prompts_and_outputs_are_not_recorded(path: Path, emulator: Emulator) -> None:
    """The file has neither key, cookie, prompt nor output, and only its owner can read it."""
    with gateway_to(emulator.base_url, record=path) as address, client_of(address) as client:
        run_and_stream(client)
        options: dict[str, Any] = {"instructions": PROMPT, "user": KEY, "extra_query": {"key": KEY}}
        output = client.responses.create(model="gpt-5", input=PROMPT, **options).output_text
    text = path.read_text("utf-8")
    assert output
    assert [word for word in (KEY, PROMPT, output, "authorization", "cookie") if word in text] == []
    assert "rate_limit_exceeded" in text
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_contents_are_recorded_if_asked_for(path: Path, emulator: Emulator) -> None:
    """With `record_content` prompts and outputs stand in the file, but no key, not even one within a prompt."""
    with gateway_to(emulator.base_url, record=path, record_content=True) as address, client_of(address) as client:
        tools: Any = [{"type": "mcp", "server_label": "s", "server_url": "https://x", "authorization": "token-1234"}]
        client.responses.create(model="gpt-5", input=f"{PROMPT} {KEY}", tools=tools)
    text = path.read_text("utf-8")
    assert PROMPT in text
    assert [word for word in (KEY, "token-1234") if word in text] == []


def answered(path: Path, answer: bytes, *, target: str = "/v1/x", **options: Any) -> None:
    """Record one exchange with an upstream that answers so and closes the connection."""

    def handle(connection: Connection) -> None:
        connection.read_whole()
        connection.send(answer)

    with ExitStack() as stack:
        address = stack.enter_context(gateway_to(stack.enter_context(upstream(handle)), record=path, **options))
        connection = stack.enter_context(closing(http.client.HTTPConnection(urlsplit(address).netloc)))
        connection.request("GET", target)
        connection.getresponse().read()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n%s\r\n"


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            HEAD % (b"application/json", b"") + b'{"id": "a", "text": "b", "n": 3}',
            {"body": {"id": "a", "text": "", "n": 0}},
        ),
        (HEAD % (b"application/json", b"Content-Encoding: gzip\r\n") + gzip.compress(b"{}"), {"body": {}}),
        (HEAD % (b"application/json", b"") + b'{"id', {"bytes": 4}),
        (HEAD % (b"text/html", b"") + b"<p>", {"bytes": 3}),
        (HEAD % (b"text/event-stream", b"") + b": ping\n\n", {"event": {}}),
        (HEAD % (b"text/event-stream", b"") + b"data: [DONE]\n\n", {"event": {"data": "[DONE]"}}),
        (
            HEAD % (b"text/event-stream", b"") + b'id: 7\nevent: e\ndata: {"type":\ndata: "e"}',
            {"event": {"event": "e", "id": "7", "data": {"type": "e"}}},
        ),
        (HEAD % (b"text/event-stream", b"") + b"data: secret\r\n\r\n", {"event": {"bytes": 6}}),
    ],
)
def test_bodies_that_are_recorded(path: Path, answer: bytes, line: dict[str, Any]) -> None:
    """JSON is recorded as a document, a stream event by event, and of anything else its length."""
    answered(path, answer)
    start, request, head, body, end = lines_of(path)
    assert start["format"] == "runoutcome.recording/1"
    assert (request["request"]["path"], head["answer"]["status"], end["end"]) == ("/v1/x", 200, "done")
    assert {name: body[name] for name in line} == line
    assert start.keys() == {"format", "started_at", "content", "base_path"}


def test_a_key_in_the_query_is_recorded_nowhere(path: Path) -> None:
    """A server that quotes the key of the query in its error puts it into no recording."""
    error = b'{"error": {"message": "Bad key: AIza-secret-1."}}'
    answered(path, HEAD % (b"application/json", b"") + error, target="/v1/x?key=AIza-secret-1&after=resp_1")
    assert lines_of(path)[3]["body"] == {"error": {"message": "Bad key: [removed]."}}
    assert lines_of(path)[1]["request"]["query"] == "key=&after=resp_1"


def test_texts_and_bytes_with_contents(path: Path, tmp_path: Path) -> None:
    """With contents, a text is recorded as a text and anything else in base64."""
    answered(path, HEAD % (b"text/html", b"") + b"<p>", record_content=True)
    assert lines_of(path)[3]["text"] == "<p>"
    answered(tmp_path / "other", HEAD % (b"audio/wav", b"") + b"\xff", record_content=True)
    assert lines_of(tmp_path / "other")[3]["base64"] == "/w=="


def test_an_answer_of_the_gateway_is_recorded(path: Path) -> None:
    """A create without an upstream is answered with 502 from the file, too."""
    address = f"http://127.0.0.1:{free_port()}/v1"
    with (
        gateway_to(address, record=path) as gateway,
        client_of(gateway) as client,
        pytest.raises(SubmissionUnknownError),
    ):
        Runs(client).create(**PARAMS)
    with (
        Replay(path) as replay,
        client_of(replay.base_url) as client,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        client.responses.create(**PARAMS)
    assert caught.value.code == "gateway_connect_error"


def test_an_answer_that_broke_off_breaks_off(path: Path) -> None:
    """A connection that broke in the middle of an answer is broken by the replay."""
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    event = b'data: {"type": "response.created", "response": {"id": "resp_1", "status": "queued"}}\n\n'
    with pytest.raises(http.client.IncompleteRead):
        answered(path, cut + b"%x\r\n%s\r\n" % (len(event), event))
    assert lines_of(path)[-1]["end"] == "cut"
    with Replay(path) as replay, closing(http.client.HTTPConnection(urlsplit(replay.base_url).netloc)) as connection:
        connection.request("GET", "/v1/x")
        response = connection.getresponse()
        assert json.loads(response.readline()[6:])["response"] == {"id": "resp_1", "status": "queued"}
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()


def test_a_full_disk_does_not_break_the_traffic(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording ends with a whole line and one report; requests pass."""
    reports: list[str] = []
    write = os.write

    def fill(file: int, content: Any) -> int:
        if b'"answer"' in bytes(content):
            raise OSError(28, "No space left on device")
        return write(file, content)

    monkeypatch.setattr("runoutcome.gateway._recorder.os.write", fill)
    answered(path, HEAD % (b"application/json", b"") + b"{}", report=reports.append)
    assert [line.keys() & {"format", "request"} for line in lines_of(path)] == [{"format"}, {"request"}]
    assert reports == ["the recording ends here, requests still pass: No space left on device"]


def test_a_fault_of_the_recorder_does_not_break_the_traffic(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange that cannot be noted passes, and the next one is recorded again."""
    reports: list[str] = []
    faults = iter([KeyError("x")])

    def headers(_: Any) -> Any:
        for fault in faults:
            raise fault
        return []

    monkeypatch.setattr("runoutcome.gateway._recorder.recorded_headers", headers)
    address = f"http://127.0.0.1:{free_port()}/v1"
    with gateway_to(address, record=path, report=reports.append) as gateway, client_of(gateway) as client:
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                client.responses.retrieve("resp_1")
    seen = [line for line in lines_of(path) if line.get("n") == 2]
    assert [line.keys() - {"n", "at"} for line in seen] == [{"request"}, {"answer"}, {"body"}, {"end"}]
    assert reports[0] == "request 1 is not recorded: KeyError"


def test_a_line_that_was_begun_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line of a full disk is cut off."""
    recording = Recording(path, base_path="/v1")
    recording.next_number()
    write, answers = os.write, iter([True, False])

    def half(file: int, content: Any) -> int:
        if next(answers):
            return write(file, bytes(content)[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runoutcome.gateway._recorder.os.write", half)
    recording.write('{"n": 1}')
    assert len(lines_of(path)) == 1


def test_a_file_that_exists_is_refused(path: Path) -> None:
    """A recording does not overwrite anything, nor follow a link."""
    path.symlink_to(path.parent / "target")
    with pytest.raises(GatewayError, match="exists"):
        Gateway("https://x/v1", record=path)
    with pytest.raises(GatewayError, match="cannot be written"):
        Gateway("https://x/v1", record=path.parent / "none" / "x")


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(
            st.sampled_from(["input", "text", "error", "metadata", "usage", "response", "arguments"]), parts
        )
    ),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_blanking_takes_any_document(document: Any) -> None:
    """Any JSON value is blanked to JSON, and blanked a second time it stays."""
    once = blanked(document)
    assert blanked(json.loads(json.dumps(once))) == once
    json.dumps(without_keys(document))


ERROR, BLANK = {"code": "x", "message": "m"}, {"code": "", "message": ""}


@pytest.mark.parametrize(
    ("document", "rest"),
    [
        ({"status": "failed", "error": ERROR}, {"status": "failed", "error": ERROR}),
        ({"type": "error", **ERROR}, {"type": "error", **ERROR}),
        ({"message": "m", "code": "print(1)"}, {"message": "", "code": ""}),
        ({"output": [{"type": "mcp_call", "error": ERROR}]}, {"output": [{"type": "mcp_call", "error": BLANK}]}),
        ({"usage": {"details": {"x": 3}}}, {"usage": {"details": {"x": 3}}}),
        ({"metadata": {"runoutcome_key": "k", "id": "x"}}, {"metadata": {"runoutcome_key": "k", "id": ""}}),
        ({"prompt": {"id": "p", "variables": {"id": "x"}}}, {"prompt": {"id": "p", "variables": {}}}),
        ({"embedding": [0.5, 0.25], "flag": True, "none": None}, {"embedding": [], "flag": True, "none": None}),
    ],
)
def test_what_is_blanked(document: Any, rest: Any) -> None:
    """Errors, usage and known names stay, within a response and in an event about it; everything else is empty."""
    assert blanked(document) == rest
    if document.get("type") != "error":
        assert blanked({"response": document}) == {"response": rest}


def recorded(path: Path, *lines: dict[str, Any]) -> Path:
    """A recording of these lines."""
    head = {"format": "runoutcome.recording/1", "base_path": "/openai/v1"}
    path.write_text("".join(json.dumps(line) + "\n" for line in (head, *lines)), "utf-8")
    return path


def exchange(number: int, method: str, target: str, status: str) -> list[dict[str, Any]]:
    """The lines of one exchange."""
    request = {"method": method, "path": target, "query": "", "headers": []}
    answer = {"status": 200, "headers": [["content-type", "application/json"]]}
    body = {"id": "resp_1", "object": "response", "status": status}
    parts = ({"request": request}, {"answer": answer}, {"body": body}, {"end": "done"})
    return [{"n": number, "at": 0.0, **part} for part in parts]


def test_requests_get_their_answers_in_order(path: Path) -> None:
    """A path has a queue of its own, whose last read is repeated; what was not recorded is a clear error."""
    lines = [
        *exchange(1, "POST", "/openai/v1/responses", "queued"),
        *exchange(2, "GET", "/responses/resp_1", "in_progress"),
        *exchange(3, "GET", "/openai/v1/responses/resp_1", "completed"),
    ]
    with Replay(recorded(path, *lines)) as replay, OpenAI(base_url=replay.base_url, api_key="any") as client:
        assert replay.base_url.endswith("/openai/v1")
        assert client.responses.create(**PARAMS).status == "queued"
        assert replay.left == ["GET /responses/resp_1"] * 2
        statuses = [client.responses.retrieve("resp_1").status for _ in range(3)]
        assert statuses == ["in_progress", "completed", "completed"]
        with pytest.raises(openai.NotFoundError, match="no answer left for POST /openai/v1/responses") as caught:
            client.responses.create(**PARAMS)
        assert caught.value.code == "replay_unknown_request"


def test_times_are_those_of_the_recording(path: Path) -> None:
    """Heads and pieces of an answer keep their distance from the request, whenever that was made."""
    request, *answer = exchange(1, "GET", "/responses/resp_1", "completed")
    lines = [{**request, "at": 7.0}, *({**line, "at": 8.5 + number} for number, line in enumerate(answer))]
    (only,) = read_recording(recorded(path, *lines)).exchanges
    assert (only.after, [piece.after for piece in only.pieces]) == (1.5, [2.5])


def test_a_request_that_was_never_answered_is_not_answered(path: Path) -> None:
    """If the client had left before the answer, it waits in vain again."""
    request, *_ = exchange(1, "GET", "/responses/resp_1", "completed")
    lines = [request, {"n": 1, "at": 30.0, "end": "client_left"}]
    with (
        Replay(recorded(path, *lines)) as replay,
        client_of(replay.base_url) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.responses.retrieve("resp_1", timeout=0.2)


def test_a_cut_file_is_read_up_to_the_cut(path: Path) -> None:
    """A process that was killed leaves half a line."""
    lines = exchange(1, "GET", "/responses/resp_1", "completed")
    recorded(path, *lines)
    path.write_text(path.read_text("utf-8") + '{"n": 2, "at', "utf-8")
    with Replay(path) as replay, OpenAI(base_url=replay.base_url, api_key="any") as client:
        assert client.responses.retrieve("resp_1").status == "completed"


@pytest.mark.parametrize("fields", [{"end": "finished"}, {"answer": {"status": 999, "headers": []}}])
def test_a_line_edited_by_hand(path: Path, fields: dict[str, Any]) -> None:
    """An end that is unknown, and a status that no server can send, are refused at the start."""
    recorded(path, *exchange(1, "GET", "/responses/resp_1", "completed"), {"n": 1, "at": 0, **fields})
    with pytest.raises(RecordingError, match="not a line of a recording"):
        Replay(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no recording"),
        ("{}\n", "no recording"),
        ("# Notes\n\nNone.\n", "no recording"),
        ('{"format": "runoutcome.recording/1"', "line 1: no JSON"),
        ('{"format": "runoutcome.recording/1"}\n', "line 1: not the head"),
        ('{"format": "runoutcome.recording/1", "base_path": ""}\n[]\n', "line 2: not an object"),
        ('{"format": "runoutcome.recording/1", "base_path": ""}\n{"n": 1}\n', "line 2: not a line"),
    ],
)
def test_a_file_that_is_no_recording(path: Path, text: str, words: str) -> None:
    """The error names the file and the line."""
    path.write_text(text, "utf-8")
    with pytest.raises(RecordingError, match=f"recording.jsonl.*{words}"):
        Replay(path)


def test_wrong_arguments_of_a_replay(path: Path) -> None:
    """A missing file and a wrong speed are refused."""
    with pytest.raises(RecordingError, match="No such file"):
        Replay(path)
    with pytest.raises(EmulatorError, match="more than 0"):
        Replay(recorded(path), speed=0)
