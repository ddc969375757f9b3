"""What an outcome can do besides ending well: every row of the catalog, bodies of any kind, ids that come and go."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import openai
import pytest
from hypothesis import given, strategies as st
from openai import OpenAI

from runoutcome import Catalog, classify
from runoutcome.testing import Emulator, ManualClock, Scenario, load_scenario
from runoutcome.testing._scenario.outcome_words import outcome_words
from runoutcome.testing._state.body import response_body
from runoutcome.testing._state.fault_plan import FaultPlan
from runoutcome.testing._state.runs import EmulatedRun

Connect = Callable[[Emulator], OpenAI]
ROWS = [entry for entry in Catalog.load().entries if entry.surface == "response" and entry.field != "output"]
# A failure or an end for a reason is decided by the row for its code or reason.
DECIDED_BY = {"response/status/failed": "response/error/<null>"}
DECIDED_BY["response/status/incomplete"] = "response/incomplete_details.reason/<null>"


def end_of(word: str) -> dict[str, Any]:
    """The body of a run with this outcome, an hour after its creation."""
    run = EmulatedRun("resp_1", 0, {"model": "gpt-5", "background": True}, word, Scenario().outcome(word), 1)
    return response_body(run, 3600)


def submit(client: OpenAI, **metadata: str) -> str:
    """The id of a background run."""
    return client.responses.create(model="gpt-5", input="hi", background=True, metadata=metadata).id


def asked(client: OpenAI, run_id: str) -> str:
    """The status of a run; `404` where the server does not know it."""
    try:
        return client.responses.retrieve(run_id).status or "none"
    except openai.NotFoundError:
        return "404"


def test_every_row_of_the_catalog_is_an_outcome() -> None:
    """The id of a row names an outcome that the catalog judges by that row; null and unknown rows included."""
    for entry in ROWS:
        decided = classify(end_of(entry.id)).entry
        assert decided is not None
        assert decided.id == DECIDED_BY.get(entry.id, entry.id)


def test_every_value_of_the_catalog_is_a_word() -> None:
    """A code, a reason or a status alone names an outcome, with a message where it is a failure."""
    surface = Catalog.load().surfaces["response"]
    for value in {entry.value for entry in ROWS if entry.value is not None}:
        assert value in outcome_words()
        body = end_of(value)
        assert classify(body).status in surface.terminal | surface.pending
        assert body["error"] is None or body["error"]["message"]


def test_a_word_of_two_fields_is_the_reason() -> None:
    """`content_filter` is a reason and a code; alone it means the reason."""
    assert end_of("content_filter")["incomplete_details"] == {"reason": "content_filter"}
    assert end_of("failed:content_filter")["error"]["code"] == "content_filter"


@pytest.mark.parametrize("word", ["stuck", "queued", "status:queued", "in_progress"])
def test_a_run_can_be_stuck_in_either_pending_status(word: str) -> None:
    """`stuck` stays queued, `in_progress` stays in progress."""
    assert end_of(word)["status"] == ("in_progress" if word == "in_progress" else "queued")


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({}, "completed"),
        ({"code": "server_error"}, "failed"),
        ({"message": "At capacity."}, "failed"),
        ({"raw_error": "text"}, "failed"),
        ({"reason": "steered"}, "incomplete"),
        ({"code": "server_error", "status": "cancelled"}, "cancelled"),
        ({"body_fields": {"status": "paused"}}, "paused"),
        ({"raw_body": '{"status": "failed", "error": null}'}, "failed"),
    ],
)
def test_the_status_of_an_outcome_goes_without_saying(keys: dict[str, Any], status: str) -> None:
    """An outcome with an error fails, one with a reason is incomplete, one with a body has its status."""
    assert load_scenario({"outcomes": [{"name": "a", **keys}]}).outcome("a").status == status


def test_a_body_can_be_given(connect: Connect, clock: ManualClock) -> None:
    """`raw_body` replaces the body of the ended run, and `body_fields` lie over it; the pending one is as ever."""
    raw = '{"id": "resp_x", "object": "response", "status": "failed", "error": null}'
    outcomes = [{"name": "raw", "raw_body": raw}, {"name": "over", "body_fields": {"usage": 7, "extra": [1]}}]
    with Emulator({"outcomes": outcomes}, clock=clock) as emulator:
        client = connect(emulator)
        ids = [submit(client, emulate=word) for word in ("raw", "over")]
        assert [asked(client, run_id) for run_id in ids] == ["queued", "queued"]
        clock.advance(5)
        bodies = [json.loads(client.responses.with_raw_response.retrieve(run_id).text) for run_id in ids]
    assert bodies[0] == json.loads(raw)
    assert (bodies[1]["id"], bodies[1]["status"], bodies[1]["usage"], bodies[1]["extra"]) == (
        *(ids[1], "completed", 7, [1]),
    )


def test_an_id_can_come_and_go(connect: Connect) -> None:
    """An id is unknown at first for `hidden_seconds`, then from `missing_from_seconds` to `missing_until_seconds`."""
    clock = ManualClock()
    outcome = {"name": "shy", "hidden_seconds": 10, "missing_from_seconds": 30, "missing_until_seconds": 50}
    with Emulator({"outcomes": [outcome]}, clock=clock, speed=10) as emulator:
        client = connect(emulator)
        run_id = submit(client)
        seen: list[str] = []
        for seconds in (0, 0.9, 0.1, 1.9, 0.1, 1.9, 0.1):
            clock.advance(seconds)
            seen.append(asked(client, run_id))
    assert seen == ["404", "404", "completed", "completed", "404", "404", "completed"]


def test_an_id_can_go_for_good(connect: Connect) -> None:
    """Without `missing_until_seconds` the id does not come back."""
    clock = ManualClock()
    with Emulator({"outcomes": [{"name": "gone", "missing_from_seconds": 1}]}, clock=clock) as emulator:
        client = connect(emulator)
        run_id = submit(client)
        assert asked(client, run_id) == "queued"
        clock.advance(1_000_000)
        assert asked(client, run_id) == "404"


def test_a_cancelled_run_can_complete(connect: Connect) -> None:
    """After `completes_despite_cancel_seconds` a cancelled run is completed, with its output."""
    clock = ManualClock()
    outcome = {"name": "stubborn", "code": "server_error", "completes_despite_cancel_seconds": 2}
    with Emulator({"outcomes": [outcome]}, clock=clock) as emulator:
        client = connect(emulator)
        run_id = submit(client)
        clock.advance(0.2)
        assert client.responses.cancel(run_id).status == "cancelled"
        clock.advance(1.9)
        assert asked(client, run_id) == "cancelled"
        clock.advance(0.1)
        run = client.responses.retrieve(run_id)
        assert (run.status, run.error) == ("completed", None)
        assert run.output_text
        body = json.loads(client.responses.with_raw_response.retrieve(run_id).text)
        assert body["completed_at"] == int(emulator.runs[0].created_at + 2.2)


@pytest.mark.parametrize("status", [200, 400, 409])
def test_the_cancel_of_an_ended_run_is_answered_as_it_is_told(
    connect: Connect, clock: ManualClock, status: int
) -> None:
    """`cancel_status` of an outcome decides what servers disagree about."""
    with Emulator({"outcomes": [{"name": "a", "cancel_status": status}]}, clock=clock) as emulator:
        client = connect(emulator)
        run_id = submit(client)
        clock.advance(5)
        with suppress(openai.APIStatusError):
            assert client.responses.cancel(run_id).status == "completed"
        assert emulator.requests[-1].status == status


@given(seed=st.integers(), nth=st.integers(1, 10_000))
def test_a_duration_is_drawn_from_its_span(seed: int, nth: int) -> None:
    """Each run draws its durations by seed and number, within the span; other durations do not matter to it."""
    outcome = {"name": "a", "queued_seconds": [0.2, 1], "running_seconds": [5, 5], "hidden_seconds": 4}
    script = load_scenario({"outcomes": [outcome]}).outcome("a")
    drawn = script.paced(seed=seed, nth=nth, speed=2)
    assert 0.1 <= drawn.queued_seconds <= 0.5
    assert (drawn.running_seconds, drawn.hidden_seconds, drawn.spans) == (2.5, 2, {})
    alone = load_scenario({"outcomes": [{"name": "a", "queued_seconds": [0.2, 1]}]}).outcome("a")
    assert alone.paced(seed=seed, nth=nth, speed=2).queued_seconds == drawn.queued_seconds


def test_runs_draw_different_durations(connect: Connect) -> None:
    """The spans of the scenario are for every outcome without durations of its own, words included."""
    scenario = {"running_seconds": [1, 2], "outcomes": [{"name": "a"}, {"name": "b", "running_seconds": 7}]}
    with Emulator(scenario, clock=ManualClock()) as emulator:
        client = connect(emulator)
        for word in ("a", "a", "b", "failed"):
            submit(client, emulate=word)
        durations = [run.outcome.running_seconds for run in emulator.runs]
    assert durations[2] == 7
    assert len(set(durations)) == 4
    assert all(1 <= durations[place] <= 2 for place in (0, 1, 3))


def script_of(connect: Connect, name: str, seed: int | None = None) -> list[tuple[str, float, float]]:
    """The outcome and the durations of 30 runs."""
    with Emulator(name, seed=seed, clock=ManualClock()) as emulator:
        client = connect(emulator)
        for number in range(30):
            client.responses.create(
                model="gpt-5", input=str(number), background=True, metadata={"emulate_create": "ok"}
            )
        return [(run.word, run.outcome.queued_seconds, run.outcome.running_seconds) for run in emulator.runs]


@pytest.mark.parametrize("name", ["expiry", "stuck", "webhooks"])
def test_the_same_seed_gives_the_same_script(connect: Connect, name: str) -> None:
    """Outcomes and durations repeat with their seed, and differ with another."""
    first = script_of(connect, name)
    assert first == script_of(connect, name)
    assert first != script_of(connect, name, seed=99)


@pytest.mark.parametrize("name", ["expiry", "stuck", "webhooks", "mixed", "outage"])
def test_a_shipped_scenario_meets_all_its_outcomes_soon(connect: Connect, name: str) -> None:
    """The first 24 runs have every outcome of a shipped scenario."""
    with Emulator(name, clock=ManualClock()) as emulator:
        client = connect(emulator)
        for number in range(24):
            client.responses.create(model="gpt-5", input=str(number), background=True)
        assert {run.word for run in emulator.runs} == {outcome.name for outcome in emulator.scenario.outcomes}


def test_a_flaky_proxy_spoils_one_poll_in_six() -> None:
    """In `flaky-proxy` polls meet faults of many kinds, about as often as it says."""
    scenario = load_scenario("flaky-proxy")
    plan = FaultPlan(scenario.faults, seed=scenario.seed)
    met = [plan.next("poll", 0) for _ in range(600)]
    assert 70 <= sum(fault is not None for fault in met) <= 140
    assert len({fault.word for fault in met if fault}) == 9


def test_a_flaky_proxy_cuts_streams_of_creates() -> None:
    """In `flaky-proxy` a create that streams is cut about as often as a stream that is opened later; others are not."""
    scenario = load_scenario("flaky-proxy")
    for streams, least, most in ((True, 180, 280), (False, 0, 0)):
        plan = FaultPlan(scenario.faults, seed=scenario.seed)
        met = [plan.next("create", 0, streams=streams) for _ in range(600)]
        assert least <= sum(fault is not None and fault.is_of_a_stream for fault in met) <= most
