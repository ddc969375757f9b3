"""Outcomes and faults that a test hands to a running emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from runoutcome.testing import Emulator, OutcomeScript, ScenarioError, parse_fault

Connect = Callable[[Emulator], OpenAI]
AT_ONCE = {"queued_seconds": 0, "running_seconds": 0}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Runs end at once, so that a create says what becomes of it."""
    with Emulator(AT_ONCE) as emulator:
        yield emulator


@pytest.fixture
def end(emulator: Emulator, connect: Connect) -> Callable[..., str]:
    """Creates a run and says how it ends: its code, its reason, or its status."""
    client = connect(emulator)

    def end(prompt: str = "hi", **params: Any) -> str:
        run = client.responses.create(**{"model": "gpt-5", "input": prompt, "background": True, **params})
        if run.error:
            return str(run.error.code)
        return str(run.incomplete_details.reason if run.incomplete_details else run.status)

    return end


def test_outcomes_are_taken_in_order(emulator: Emulator, end: Callable[..., str]) -> None:
    """One per create, also where two jobs are the same request; afterwards the scenario decides again."""
    emulator.script("server_error", "completed")
    emulator.script("content_filter")
    assert [end(), end(), end("other"), end("third")] == ["server_error", "completed", "content_filter", "completed"]
    assert emulator.unconsumed == []


def test_the_last_outcome_of_a_job_stays(emulator: Emulator, end: Callable[..., str]) -> None:
    """As with markers: the same request comes to the same end until something else is scripted."""
    emulator.script("server_error")
    assert [end(), end(), end("other")] == ["server_error", "server_error", "completed"]
    emulator.script("completed")
    assert [end(), end()] == ["completed", "completed"]


def test_a_comma_list_stays_with_its_job(emulator: Emulator, end: Callable[..., str]) -> None:
    """Its words are for the submissions of one request, whatever else is created in between."""
    emulator.script("rate_limit_exceeded,slow_down,completed", "server_error")
    assert [end("a"), end("b"), end("a"), end("a")] == ["rate_limit_exceeded", "server_error", "slow_down", "completed"]


def test_what_is_left_is_listed(emulator: Emulator, end: Callable[..., str]) -> None:
    """The rest of a list under way, then what nobody came for."""
    emulator.script("rate_limit_exceeded,completed", "server_error")
    emulator.script("stuck", match="never")
    assert emulator.unconsumed == ["rate_limit_exceeded", "completed", "server_error", "stuck"]
    end()
    assert emulator.unconsumed == ["completed", "server_error", "stuck"]


@pytest.mark.parametrize(
    "match",
    [
        "report",
        {"input_contains": "report"},
        {"metadata": {"kind": "r"}},
        lambda request: "r" in request["metadata"]["kind"],
    ],
    ids=["text", "table", "metadata", "function"],
)
def test_a_match_chooses_the_jobs(emulator: Emulator, end: Callable[..., str], match: Any) -> None:
    """By a text within the input, by the table of a scenario's jobs, or by any function of the request."""
    emulator.script("server_error", match=match)
    assert end("a letter", metadata={"kind": "l"}) == "completed"
    assert end("a report", metadata={"kind": "r"}) == "server_error"


def test_the_first_that_fits_is_taken(emulator: Emulator, end: Callable[..., str]) -> None:
    """Outcomes for some jobs and for any job share one queue."""
    emulator.script("slow_down")
    emulator.script("server_error", match="report")
    assert [end("report"), end("report")] == ["slow_down", "server_error"]


def test_a_marker_of_the_request_comes_first(emulator: Emulator, end: Callable[..., str]) -> None:
    """A request that chooses its outcome itself leaves the script alone."""
    emulator.script("server_error")
    assert end(metadata={"emulate": "content_filter"}) == "content_filter"
    assert end(model="emulate-slow_down") == "slow_down"
    assert emulator.unconsumed == ["server_error"]


def test_outcomes_of_the_scenario_and_values_can_be_scripted(connect: Connect) -> None:
    """A name from `[[outcomes]]`, and an `OutcomeScript` with faults of its own."""
    busy = {"name": "busy", "status": "failed", "code": "slow_down", "weight": 0}
    shy = OutcomeScript("shy", status="failed", code=7, create_faults=(parse_fault(400),), queued_seconds=3600)
    with Emulator({**AT_ONCE, "outcomes": [busy]}) as emulator:
        client = connect(emulator)
        emulator.script("busy", shy)
        first = client.responses.create(model="gpt-5", input="a", background=True)
        assert first.error is not None
        assert first.error.code == "slow_down"
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="gpt-5", input="b", background=True)
        assert emulator.unconsumed == ["shy"]
        assert client.responses.create(model="gpt-5", input="b", background=True).status == "queued"
        assert emulator.runs[-1].outcome.code == 7


@pytest.mark.parametrize(
    ("outcome", "match", "said"),
    [
        ("complted", None, "script: unknown outcome 'complted'; did you mean 'completed'"),
        ("completed,", None, "script: 'completed,' has an empty item"),
        ("completed", {"prompt": "x"}, "script: .*unknown key 'prompt'"),
        ("completed", {"metadata": {"a": 1}}, "script: .*metadata: "),
    ],
)
def test_a_script_that_means_nothing_is_an_error(emulator: Emulator, outcome: str, match: Any, said: str) -> None:
    """At once, and nothing of it is scripted."""
    with pytest.raises(ScenarioError, match=said):
        emulator.script("completed", outcome, match=match)
    assert emulator.unconsumed == []


def test_a_fault_counts_from_its_call(emulator: Emulator, connect: Connect) -> None:
    """`from_` and `to` count the calls of the route after `fault`, and a rule of the scenario is asked first."""
    client = connect(emulator)
    run = client.responses.create(model="gpt-5", input="hi", background=True)
    client.responses.retrieve(run.id)
    emulator.fault("poll", 503, from_=2, to=2)
    emulator.fault("poll", {"status": 429, "retry_after": 3}, from_=3, times=1)
    answers: list[int] = []
    for _ in range(4):
        try:
            answers.append(client.responses.with_raw_response.retrieve(run.id).http_response.status_code)
        except openai.APIStatusError as error:
            answers.append(error.status_code)
    assert answers == [200, 503, 429, 200]


@pytest.mark.parametrize(
    ("route", "fault", "conditions", "said"),
    [
        ("pole", "html", {}, "route: .*'pole'; did you mean 'poll'"),
        ("poll", "htlm", {}, "fault: .*'htlm'; did you mean 'html'"),
        ("poll", "html", {"from_": 3, "to": 2}, "to: expected 3 or more"),
        ("poll", "html", {"shar": 0.5}, "unknown key 'shar'; did you mean 'share'"),
    ],
)
def test_a_fault_that_means_nothing_is_an_error(
    emulator: Emulator, route: Any, fault: str, conditions: dict[str, Any], said: str
) -> None:
    """The same words are allowed as in a scenario's `[[faults]]`."""
    with pytest.raises(ScenarioError, match=said):
        emulator.fault(route, fault, **conditions)
