"""Nothing that a body holds ends a wait, or a create, but what the waiting policy says."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from fuzz_polls import WAYS as FUZZED_WAYS, run

from bodies import short
from colours import COLOURS, WAYS, OpenWorld, RawServer, Script, body_of, open_worlds, reply
from runoutcome import Catalog, SubmissionUnknownError, classify
from runoutcome._operations.observation import observe_answer
from runoutcome._sdk import SDK_VERSION
from runoutcome._sdk.responses import Answer, native_http_library

worlds = pytest.fixture(params=WAYS)(open_worlds)
client_worlds = pytest.fixture(params=COLOURS)(open_worlds)
CATALOG = Catalog.load()
LONG = "9" * 5000
DEEP = {"deep": json.loads("[" * 400 + "]" * 400)}


def text(**fields: Any) -> str:
    """The JSON of a completed run with these fields; the word LONG stands for a number of 5,000 digits."""
    return json.dumps(body_of("completed", **fields)).replace('"LONG"', LONG)


@pytest.mark.parametrize(("colour", "transport"), FUZZED_WAYS)
def test_a_mutated_answer_raises_nothing_but_run_errors(colour: str, transport: str) -> None:
    """A wait that meets a mutated answer ends as `classify` judges its body, or goes on."""
    assert run(colour, transport, 120, seed=11) == []


@pytest.mark.parametrize("status", [["failed"], {}, [], {"a": 1}, ["in_progress"], 7, True, None], ids=short)
def test_a_status_that_is_no_text_is_polled_on(worlds: OpenWorld, status: Any) -> None:
    """A status of another type is one that nobody knows: the wait goes on."""
    world = worlds(answer=Script([reply(body_of("queued") | {"status": status}), "completed"]))
    assert world.call("poll", "resp_1").status == "completed"


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": 10**400},
        {"created_at": "LONG"},
        {"created_at": float("nan")},
        {"temperature": 10**400, "output": [{"_BaseModel__cls": 1}], "_fields_set": 3},
        {"output": [{"type": {}}, DEEP]},
        {"metadata": {"runoutcome_key": ["base-1"], "runoutcome_window": 8}},
    ],
    ids=short,
)
def test_a_terminal_body_with_odd_values_is_the_runs_end(worlds: OpenWorld, fields: dict[str, Any]) -> None:
    """Values that make no sense change nothing about how a run ended."""
    world = worlds(answer=Script([reply(text=text(**fields))]))
    assert world.call("poll", "resp_1").status == "completed"
    assert world.call("poll", json.loads(text(**{**fields, "created_at": 10**400}).replace(LONG, "0"))).id == "resp_1"


@pytest.mark.parametrize(
    "content",
    [
        '{"id": "", "object": "response", "status": "queued"}',
        '{"id": "resp_1", "object": "response", "status": "queued", "status": "completed"}',
        '{"id": "resp_1", "object": "response", "status": "queued", "id": "resp_2"}',
        f'{{"id": "resp_1", "object": "response", "created_at": {LONG}, "status": "queued"}}',
        f'{{"id": "resp_1", "object": "response", "status": "failed", "error": {{"code": {LONG}}}}}',
        f'{{"id": "resp_1", "object": "response", "status": "completed", "usage": {{"total_tokens": -{LONG}}}}}',
    ],
    ids=lambda content: content[:80],
)
def test_a_corner_has_one_answer_on_every_path(content: str) -> None:
    """Names that come twice, an empty id and a number of 5,000 digits are judged alike by a poll and by `classify`."""
    answer = Answer(content.encode(), 200, {}, "https://api.example.test", native_http_library())
    parsed = json.loads(content, parse_int=lambda digits: int(digits[:4000]) * 10**1000)
    outcomes = [
        observe_answer(answer, CATALOG).outcome,
        classify(content),
        classify(content.encode()),
        classify(parsed),
    ]
    assert all(outcome == outcomes[0] for outcome in outcomes)


@pytest.mark.parametrize(
    "content", [text(created_at=10**400), text(created_at="LONG"), "[" * 100_000, text(run_id="\ud800")], ids=short
)
def test_an_unreadable_answer_to_a_create_is_ambiguous(client_worlds: OpenWorld, content: str) -> None:
    """A create whose answer the SDK cannot read, or whose id cannot be asked for, may have made a run."""
    script = Script([reply(text=content)])
    with pytest.raises(SubmissionUnknownError) as caught:
        client_worlds(answer=script).create()
    assert caught.value.key
    assert script.methods == ["POST"]


CHARSETS = [(503, "hex"), (500, "undefined"), (503, "idna"), (429, "hex"), (408, "punycode")]


@pytest.mark.parametrize(("status", "charset"), CHARSETS)
def test_an_answer_in_no_charset_of_text_is_a_poll_fault(worlds: OpenWorld, status: int, charset: str) -> None:
    """The SDK trips over the text of such an answer; the wait goes on."""
    odd = reply(None, status, '{"error": {}}', content_type=f"application/json; charset={charset}")
    assert worlds(answer=Script([odd, "completed"])).call("poll", "resp_1").status == "completed"


@pytest.mark.parametrize(("status", "charset"), [*CHARSETS, (400, "hex")])
def test_a_create_answered_in_no_charset_of_text_is_ambiguous(
    client_worlds: OpenWorld, status: int, charset: str
) -> None:
    """Nobody knows what the answer says, so the run may be going."""
    script = Script([reply(None, status, '{"error": {}}', content_type=f"application/json; charset={charset}")])
    with pytest.raises(SubmissionUnknownError):
        client_worlds(answer=script).create()
    assert script.methods == ["POST"]


def test_a_redirect_to_no_host_name_is_a_poll_fault_and_an_ambiguous_create(client_worlds: OpenWorld) -> None:
    """A host name that is too long fails in the look-up of names, and not with an error of the HTTP library."""
    redirect = f"HTTP/1.1 307 There\r\nlocation: http://{'a' * 70}.test/\r\ncontent-length: 0\r\n\r\n"
    run = json.dumps(body_of("completed"))
    good = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(run)}\r\n\r\n{run}"
    answers = [redirect, good, redirect]

    def answer(connection: socket.socket, head: str) -> None:
        connection.sendall(answers.pop(0).encode())

    with RawServer(answer) as server:
        world = client_worlds(base_url=server.base_url)
        assert world.call("poll", "resp_1").status == "completed"
        with pytest.raises(SubmissionUnknownError):
            world.create()


def test_text_that_no_request_can_hold_is_the_callers_error(client_worlds: OpenWorld) -> None:
    """A request that could not be built was never sent."""
    world = client_worlds()
    with pytest.raises(UnicodeError, match="surrogates"):
        world.create(input="\ud800")
    with pytest.raises(ValueError, match="JSON"):
        world.create(temperature=float("nan"))


@pytest.mark.skipif(SDK_VERSION < "3", reason="before 3.x the SDK takes an error of a hook for one of the connection")
def test_an_error_of_the_callers_hook_is_raised_as_it_is(client_worlds: OpenWorld) -> None:
    """A function of the caller's among the frames makes the error the caller's, wherever it was raised below."""

    def hook(request: Any) -> None:
        ("a" * 70).encode("idna")

    world = client_worlds()
    world.hooks.append(hook)
    with pytest.raises(UnicodeError, match="idna"):
        world.call("poll", "resp_1")
