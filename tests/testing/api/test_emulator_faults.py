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
        created(client.with_options(timeout=http.Timeout(60, read=0.2)), "stall")
    while len(emulator.runs) == before:
        pass
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


@pytest.mark.parametrize("fault", ["text-plain", "octet-stream"])
def test_a_wrong_content_type_carries_the_true_body(connect: Connect, fault: str) -> None:
    """The body is that of the run, under a type that clients do not read as JSON."""
    with Emulator(with_poll_faults(fault)) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        raw = client.responses.with_raw_response.retrieve(run.id)
        assert raw.headers["content-type"].partition(";")[0].replace("/", "-").endswith(fault)
        assert json.loads(raw.text)["status"] == "completed"


@pytest.mark.parametrize("fault", ["bad-gzip", "torn", "reset"])
def test_a_broken_answer_is_a_failure_of_the_network(connect: Connect, fault: str) -> None:
    """A body that is not what its encoding says, that ends in its middle, or never comes, fails below the SDK."""
    with Emulator(with_poll_faults(fault)) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        assert answers(client, run.id, 2) == ["APIConnectionError", "completed"]


@pytest.mark.parametrize(
    ("kind", "seen"), [("torn", "APIConnectionError"), ("html", "str"), ("bad-gzip", "APIConnectionError")]
)
@pytest.mark.parametrize("slowness", ["stall_seconds", "drip_seconds"])
def test_a_broken_answer_can_be_slow_too(connect: Connect, kind: str, seen: str, slowness: str) -> None:
    """What is wrong with an answer is not lost when it stalls or drips as well."""
    rule = {"route": "poll", "times": 1, "fault": {"kind": kind, slowness: 0.02, "headers": {"x-proxy": "1"}}}
    with Emulator({"faults": [rule], "queued_seconds": 0, "running_seconds": 0}) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        assert answers(client, run.id, 2) == [seen, "completed"]


def test_half_a_body_came_before_the_reset(connect: Connect) -> None:
    """The client of a `torn` answer has its headers and part of its body."""
    with Emulator(with_poll_faults("torn")) as emulator, http.Client(headers={"authorization": "Bearer any"}) as plain:
        run = connect(emulator).responses.create(model="gpt-5", input="hi", background=True)
        with plain.stream("GET", f"{emulator.base_url}/responses/{run.id}") as reply:
            pieces = reply.iter_raw()
            received = next(pieces)
            with pytest.raises(http.TransportError):
                next(pieces)
        assert 0 < len(received) < int(reply.headers["content-length"])


def test_a_redirect_leads_to_the_same_place(connect: Connect) -> None:
    """A client that follows a `redirect` asks again, and has its answer; a create takes effect once."""
    rules = [{"route": "create", "to": 1, "fault": "redirect"}, {"route": "poll", "to": 1, "fault": "redirect"}]
    with Emulator({"faults": rules}) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        assert client.responses.retrieve(run.id).id == run.id
        assert [request.status for request in emulator.requests] == [307, 200, 307, 200]
        assert len(emulator.runs) == 1


@pytest.mark.parametrize(
    "slowness",
    [{"stall_seconds": 0.05}, {"drip_seconds": 0.05}, {"kind": "drip"}, "slow", {"kind": "ok", "stall_seconds": 1}],
)
def test_a_slow_answer_is_good_in_the_end(connect: Connect, slowness: Any) -> None:
    """An answer that stalls or drips is the true one; `speed` divides the time it takes."""
    scenario = Scenario(faults=(FaultRule("poll", parse_fault(slowness)),), running_seconds=0, queued_seconds=0)
    with Emulator(scenario, speed=50) as emulator:
        client = connect(emulator)
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        assert answers(client, run.id, 1) == ["completed"]
        assert emulator.requests[-1].fault is not None


@pytest.mark.parametrize("slowness", [{"stall_seconds": 30}, {"kind": "reset", "stall_seconds": 30}])
def test_a_slow_answer_does_not_hold_up_the_stop(connect: Connect, slowness: dict[str, Any]) -> None:
    """A client that leaves early, and an emulator that stops, do not wait for a slow answer."""
    with Emulator(Scenario(faults=(FaultRule("create", parse_fault(slowness)),))) as emulator:
        with pytest.raises(openai.APITimeoutError):
            created(connect(emulator).with_options(timeout=http.Timeout(60, read=0.2)))
        while not emulator.requests:
            pass


@pytest.mark.parametrize("slowness", [{"drip_seconds": 30}, {"status": 503, "drip_seconds": 30}])
def test_a_body_drips(connect: Connect, slowness: dict[str, Any]) -> None:
    """The headers of a dripping answer come at once, also those of an error; the body takes its time."""
    with Emulator(Scenario(faults=(FaultRule("poll", parse_fault(slowness)),))) as emulator:
        run = connect(emulator).responses.create(model="gpt-5", input="hi", background=True)
        with (
            http.Client(headers={"authorization": "Bearer any"}) as plain,
            plain.stream("GET", f"{emulator.base_url}/responses/{run.id}") as reply,
        ):
            assert reply.status_code == slowness.get("status", 200)
            assert len(next(reply.iter_raw())) < int(reply.headers["content-length"]) / 10


def test_a_fault_can_say_more(connect: Connect) -> None:
    """Delays in milliseconds, further headers, and an error that comes although the run was made."""
    fault = {"status": 503, "retry_after_ms": 250, "headers": {"x-should-retry": "false"}, "applied": True}
    with Emulator({"faults": [{"route": "create", "fault": fault}]}) as emulator:
        with pytest.raises(openai.InternalServerError) as caught:
            created(connect(emulator))
        assert caught.value.response.headers["retry-after-ms"] == "250"
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert len(emulator.runs) == 1


def test_a_proxy_page_can_ask_to_wait(connect: Connect) -> None:
    """`retry_after` goes with any answer that has headers."""
    fault = {"status": "503-html", "retry_after": 7}
    with Emulator({"faults": [{"route": "create", "fault": fault}]}) as emulator:
        with pytest.raises(openai.InternalServerError) as caught:
            created(connect(emulator))
        assert caught.value.response.headers["retry-after"] == "7"
        assert emulator.requests[-1].retry_after == 7


def test_a_rule_can_be_for_the_runs_of_one_outcome(connect: Connect, clock: ManualClock) -> None:
    """With `outcome` a rule leaves the other runs alone; `times` ends it."""
    rule = {"route": "poll", "outcome": "failed", "times": 1, "fault": 503}
    with Emulator({"faults": [rule]}, clock=clock) as emulator:
        client = connect(emulator)
        good, bad = created(client), created(client, emulate="failed")
        assert answers(client, good.id, 1) == ["queued"]
        assert answers(client, bad.id, 2) == ["InternalServerError", "queued"]


def test_an_outage_can_have_its_hour(connect: Connect) -> None:
    """A rule with a window holds from one moment after the start to another, by the emulator's clock and speed."""
    clock = ManualClock()
    rule = {"route": "models", "after_seconds": 3600, "until_seconds": 7200, "fault": "502-html"}
    with Emulator({"faults": [rule]}, clock=clock, speed=60) as emulator:
        client = connect(emulator)
        for seconds, is_out in ((59, False), (1, True), (59, True), (1, False)):
            clock.advance(seconds)
            try:
                client.models.list()
            except openai.InternalServerError:
                assert is_out
            else:
                assert not is_out


def test_cancel_faults_can_come_with_the_outcome(connect: Connect, clock: ManualClock) -> None:
    """`cancel_faults` of an outcome are met one per cancel of the run."""
    with Emulator({"outcomes": [{"name": "stubborn", "cancel_faults": ["503", "lost"]}]}, clock=clock) as emulator:
        client = connect(emulator)
        run = created(client)
        for error, status in ((openai.InternalServerError, "queued"), (openai.APIConnectionError, "cancelled")):
            with pytest.raises(error):
                client.responses.cancel(run.id)
            assert answers(client, run.id, 1) == [status]
        assert client.responses.cancel(run.id).status == "cancelled"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("htlm", "unknown fault 'htlm'; did you mean 'html'"),
        (200, "400 to 599"),
        ({"status": "html"}, "the status of a fault is 400 to 599"),
        ({"retry_after": 1}, "a fault has a kind, a status, stall_seconds or drip_seconds"),
        ({"kind": "html", "status": 503}, "a kind or a status, not both"),
        ({"kind": "htlm"}, "did you mean 'html'"),
        ({"kind": 503}, "kind of a fault is a string, got 503"),
        ({"stall_seconds": -1}, "stall_seconds of a fault is a number of seconds, got -1"),
        ({"status": 503, "retry_after_ms": 1.5}, "retry_after_ms of a fault is a whole number, 0 or more, got 1.5"),
        ({"kind": "stream-cut", "after": True}, "after of a fault is a whole number, 0 or more, got True"),
        ({"status": 503, "applied": 1}, "applied of a fault is true or false, got 1"),
        ({"status": 503, "headers": {"a": 1}}, "headers of a fault is a table of strings"),
        ({"status": 503, "retry-after": 1}, "did you mean 'retry_after'"),
        ({"status": 503, "retry_after": "soon"}, "a number of seconds, got 'soon'"),
        ({"status": 503, "code": 7}, "code of a fault is a string, got 7"),
    ],
)
def test_a_bad_fault_is_named(value: object, said: str) -> None:
    """A fault nobody knows is an error that says what is allowed."""
    with pytest.raises(ValueError, match=said):
        parse_fault(value)
