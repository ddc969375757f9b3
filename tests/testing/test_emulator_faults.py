"""What a client meets when an answer goes wrong, and what the server did meanwhile."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from runoutcome.testing import Emulator, FaultRule, ManualClock, OutcomeScript, Scenario, parse_fault

try:
    http: Any = importlib.import_module("httpx2")
except ModuleNotFoundError:
    http = importlib.import_module("httpx")

Connect = Callable[[Emulator], OpenAI]


def created(client: OpenAI, faults: str = "ok", **metadata: str) -> Response:
    """A create that meets these faults, one per POST of the same request."""
    return client.responses.create(
        model="gpt-5", input="hi", background=True, metadata={"emulate_create": faults, **metadata}
    )


def with_poll_faults(*faults: str) -> Scenario:
    """Every run completes at once, and its polls meet these faults."""
    return Scenario(
        outcomes=(
            OutcomeScript(
                "faulty", queued_seconds=0, running_seconds=0, poll_faults=tuple(parse_fault(word) for word in faults)
            ),
        )
    )


def polled(client: OpenAI, run_id: str) -> object:
    """What `retrieve` returns, which is not always what it says."""
    return client.responses.retrieve(run_id)


def answers(client: OpenAI, run_id: str, polls: int) -> list[str]:
    """What each poll came to: the status of the run, or the kind of error."""
    seen: list[str] = []
    for _ in range(polls):
        try:
            run = polled(client, run_id)
        except (openai.APIError, json.JSONDecodeError) as error:
            seen.append(type(error).__name__)
        else:
            seen.append(str(run.status) if isinstance(run, Response) else type(run).__name__)
    return seen


def test_poll_faults_are_met_one_per_poll(connect: Connect) -> None:
    """Each poll of a run meets the next fault of its list; after the last one the answers are good."""
    words = ("503", "html", "cut", "empty", "{}", "429", "reset", "503-html", "ok")
    with Emulator(with_poll_faults(*words)) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        assert answers(client, run.id, 10) == [
            "InternalServerError",
            "str",
            "JSONDecodeError",
            "JSONDecodeError",
            "None",
            "RateLimitError",
            "APIConnectionError",
            "InternalServerError",
            "completed",
            "completed",
        ]
        assert [request.status for request in emulator.requests][1:] == [
            503,
            200,
            200,
            200,
            200,
            429,
            None,
            503,
            200,
            200,
        ]


def test_poll_faults_can_start_later(connect: Connect) -> None:
    """`poll_faults_from` is the first poll that meets one; each run counts its own polls."""
    outcome = {"name": "late", "poll_faults": ["503", {"status": 503, "retry_after": 1.5}], "poll_faults_from": 2}
    with Emulator({"queued_seconds": 0, "running_seconds": 0, "outcomes": [outcome]}) as emulator:
        client = connect(emulator)
        for prompt in ("one", "two"):
            run = client.responses.create(model="gpt-5", input=prompt, background=True)
            assert answers(client, run.id, 2) == ["completed", "InternalServerError"]
            with pytest.raises(openai.InternalServerError) as caught:
                client.responses.retrieve(run.id)
            assert caught.value.response.headers["retry-after"] == "1.5"
            assert answers(client, run.id, 1) == ["completed"]


def test_an_error_envelope_is_the_api_own(connect: Connect) -> None:
    """A fault with a status has the API's envelope; its code and message can be given."""
    fault = parse_fault({"status": 429, "code": "insufficient_quota", "message": "You exceeded your current quota."})
    with Emulator(Scenario(faults=(FaultRule("create", fault),))) as emulator:
        with pytest.raises(openai.RateLimitError, match="exceeded your current quota") as caught:
            created(connect(emulator))
        assert caught.value.code == "insufficient_quota"
        assert emulator.runs == []


def test_a_proxy_page_is_not_the_api_envelope(client: OpenAI) -> None:
    """`502-html` has an HTML body under its status."""
    with pytest.raises(openai.InternalServerError) as caught:
        created(client, "502-html")
    assert caught.value.response.headers["content-type"].startswith("text/html")
    assert "<html>" in caught.value.response.text


def test_a_reset_closes_the_connection_under_the_client(client: OpenAI, emulator: Emulator) -> None:
    """The client of a `reset` sees the network fail, not an answer."""
    with pytest.raises(openai.APIConnectionError) as caught:
        created(client, "reset")
    assert isinstance(caught.value.__cause__, http.NetworkError)
    assert emulator.requests[-1].status is None


def test_a_stall_never_answers(client: OpenAI, emulator: Emulator) -> None:
    """The client of a `stall` runs into its own timeout; the run exists."""
    before = len(emulator.runs)
    with pytest.raises(openai.APITimeoutError):
        created(client.with_options(timeout=0.2), "stall")
    assert len(emulator.runs) == before + 1
    assert emulator.requests[-1].response_id == emulator.runs[-1].id


@pytest.mark.parametrize(
    ("fault", "runs"),
    [
        ("503", 0),
        ("429", 0),
        ("reset", 0),
        ("502-html-rejected", 0),
        ("502-html", 1),
        ("lost", 1),
        ("no-id", 1),
        ("html", 1),
        ("cut", 1),
        ("empty", 1),
    ],
)
def test_a_create_fault_says_whether_the_run_exists(client: OpenAI, emulator: Emulator, fault: str, runs: int) -> None:
    """Some faults come before the run is created, others after; the next POST of the same request is good."""
    before = len(emulator.runs)
    try:
        answered: object = created(client, fault, id=fault)
    except (openai.APIError, json.JSONDecodeError):
        answered = None
    assert getattr(answered, "id", None) is None
    assert len(emulator.runs) == before + runs
    assert created(client, fault, id=fault).id == emulator.runs[-1].id
    assert emulator.runs[-1].submission == runs + 1


def test_create_faults_can_come_with_the_outcome(connect: Connect) -> None:
    """`create_faults` of an outcome are met one per POST, without the client's help."""
    outcome = {"name": "shy", "create_faults": ["503", "lost"]}
    with Emulator({"outcomes": [outcome]}) as emulator:
        client = connect(emulator)
        for error in (openai.InternalServerError, openai.APIConnectionError):
            with pytest.raises(error):
                client.responses.create(model="gpt-5", input="hi", background=True)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        assert [paid.id for paid in emulator.runs][1:] == [run.id]


def test_rules_put_faults_on_routes(connect: Connect, clock: ManualClock) -> None:
    """`[[faults]]` covers the nth to the mth call of a route, whichever run it is about."""
    rules = [
        {"route": "create", "from": 2, "to": 2, "fault": 503},
        {"route": "poll", "to": 1, "fault": "html"},
        {"route": "cancel", "to": 1, "fault": "500"},
        {"route": "cancel", "from": 2, "to": 2, "fault": "lost"},
    ]
    with Emulator({"faults": rules}, clock=clock) as emulator:
        client = connect(emulator)
        run = created(client)
        with pytest.raises(openai.InternalServerError):
            created(client)
        assert answers(client, run.id, 2) == ["str", "queued"]
        with pytest.raises(openai.InternalServerError):
            client.responses.cancel(run.id)
        assert answers(client, run.id, 1) == ["queued"]
        with pytest.raises(openai.APIConnectionError):
            client.responses.cancel(run.id)
        assert answers(client, run.id, 1) == ["cancelled"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("htlm", "unknown fault 'htlm'; did you mean 'html'"),
        (200, "400 to 599"),
        ({"status": "html"}, "the status of a fault is 400 to 599"),
        ({"retry_after": 1}, "unknown fault ''"),
        ({"status": 503, "retry-after": 1}, "did you mean 'retry_after'"),
        ({"status": 503, "retry_after": "soon"}, "a number of seconds, got 'soon'"),
        ({"status": 503, "code": 7}, "code of a fault is a string, got 7"),
    ],
)
def test_a_bad_fault_is_named(value: object, said: str) -> None:
    """A fault nobody knows is an error that says what is allowed."""
    with pytest.raises(ValueError, match=said):
        parse_fault(value)
