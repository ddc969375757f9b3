"""Nothing that a body holds ends a wait, or a create, but what the waiting policy says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fuzz_polls import WAYS as FUZZED_WAYS, run

from bodies import short
from colours import COLOURS, WAYS, OpenWorld, Script, body_of, open_worlds, reply
from runoutcome import Catalog, SubmissionUnknownError, classify
from runoutcome._operations.observation import observe_answer
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
def test_a_mutated_body_raises_nothing_but_run_errors(colour: str, transport: str) -> None:
    """A wait that meets a mutated body ends as `classify` judges that body, or goes on."""
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
