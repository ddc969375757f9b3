"""How outcomes are chosen, and how scenarios are read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from runoutcome.testing import (
    Emulator,
    JobRule,
    ManualClock,
    OutcomeScript,
    Scenario,
    ScenarioError,
    load_scenario,
    scenario_names,
)

Connect = Callable[[Emulator], OpenAI]


def submit(client: OpenAI, prompt: str = "hi", model: str = "gpt-5", **metadata: str) -> Response:
    """A background run."""
    return client.responses.create(model=model, input=prompt, background=True, metadata=metadata)


def words(emulator: Emulator) -> list[str]:
    """The outcomes chosen so far."""
    return [run.word for run in emulator.runs]


def test_a_list_has_one_outcome_per_submission(client: OpenAI, emulator: Emulator) -> None:
    """A resubmission gets the next outcome of the list, the last one repeating, whatever its runoutcome_key is."""
    before = len(emulator.runs)
    for attempt in range(3):
        submit(client, emulate="rate_limit_exceeded, completed", runoutcome_key=f"key-{attempt}")
    assert words(emulator)[before:] == ["rate_limit_exceeded", "completed", "completed"]
    assert [run.submission for run in emulator.runs[before:]] == [1, 2, 3]


def test_another_request_starts_its_own_list(client: OpenAI, emulator: Emulator) -> None:
    """Requests that differ in anything else are counted apart."""
    before = len(emulator.runs)
    submit(client, "one", emulate="failed,completed")
    submit(client, "two", emulate="failed,completed")
    submit(client, "two", emulate="failed,completed", other="x")
    assert words(emulator)[before:] == ["failed", "failed", "failed"]


@pytest.mark.parametrize("model", ["emulate-content_filter", "emulate:content_filter,completed"])
def test_a_model_name_can_be_a_marker(client: OpenAI, clock: ManualClock, model: str) -> None:
    """`emulate-WORD` and `emulate:WORD,WORD` choose outcomes for clients that set no metadata."""
    run = client.responses.create(model=model, input="hi", background=True)
    clock.advance(10)
    assert (run.model, client.responses.retrieve(run.id).status) == (model, "incomplete")


def test_metadata_comes_before_the_model(client: OpenAI, emulator: Emulator) -> None:
    """Of two markers the one in the metadata decides."""
    submit(client, model="emulate-failed", emulate="expired")
    assert words(emulator)[-1] == "expired"


def test_rules_choose_for_the_jobs_they_match(connect: Connect) -> None:
    """The first rule whose every condition holds decides, before any draw."""
    scenario = Scenario(
        outcomes=(OutcomeScript("ordinary"),),
        jobs=(
            JobRule(("expired",), nth=2),
            JobRule(("failed", "completed"), metadata={"team": "a"}, input_contains="report"),
        ),
    )
    with Emulator(scenario) as emulator:
        client = connect(emulator)
        submit(client, "the report", team="a")
        submit(client, "the report", team="a")
        submit(client, "the report", team="a", more="x")
        submit(client, "the report", team="b")
        submit(client, "a letter", team="a")
        submit(client, "the report", team="a", emulate="stuck")
        assert words(emulator) == ["failed", "expired", "failed", "ordinary", "ordinary", "stuck"]


def drawn(connect: Connect, scenario: str, **settings: Any) -> list[str]:
    """The outcomes of 40 runs."""
    with Emulator(scenario, **settings) as emulator:
        client = connect(emulator)
        for number in range(40):
            submit(client, f"job {number}")
        return words(emulator)


def test_the_draw_repeats_with_its_seed(connect: Connect) -> None:
    """The same seed and order of creation give the same outcomes at any time and speed; another seed does not."""
    first = drawn(connect, "mixed")
    assert first == drawn(connect, "mixed", speed=50, clock=ManualClock())
    assert first != drawn(connect, "mixed", seed=8)
    assert first.count("completed") > 10
    assert set(first[:24]) == {outcome.name for outcome in load_scenario("mixed").outcomes}


def test_an_outcome_of_weight_0_is_not_drawn(connect: Connect) -> None:
    """Weight 0 keeps an outcome for markers; with nothing to draw, runs complete."""
    with Emulator({"outcomes": [{"name": "rare", "status": "failed", "weight": 0}]}) as emulator:
        client = connect(emulator)
        submit(client)
        submit(client, emulate="rare")
        assert words(emulator) == ["completed", "rare"]


def test_an_outcome_can_script_every_part(connect: Connect, clock: ManualClock) -> None:
    """Durations, error fields, headers, poll hints and the life of the id are the scenario's."""
    outcome = {
        "name": "full",
        "status": "failed",
        "code": 529,
        "message": "Overloaded.",
        "type": "overloaded",
        "param": "input",
        "error_headers": {"Retry-After": "3"},
        "queued_seconds": 1,
        "running_seconds": 2,
        "poll_after_ms": 700,
        "expires_after_seconds": 60,
    }
    with Emulator({"outcomes": [outcome]}, clock=clock) as emulator:
        client = connect(emulator)
        run = submit(client)
        assert "openai-poll-after-ms" not in client.responses.with_raw_response.create(model="x", input="hi").headers
        assert client.responses.with_raw_response.retrieve(run.id).headers["openai-poll-after-ms"] == "700"
        clock.advance(2.9)
        assert client.responses.retrieve(run.id).status == "in_progress"
        clock.advance(0.1)
        polled = client.responses.with_raw_response.retrieve(run.id)
        assert "openai-poll-after-ms" not in polled.headers
        assert json.loads(polled.text)["error"] == {
            "code": 529,
            "message": "Overloaded.",
            "type": "overloaded",
            "param": "input",
            "headers": {"Retry-After": "3"},
        }
        clock.advance(60)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(run.id)


@pytest.mark.parametrize(
    ("outcome", "field", "value"),
    [
        ({"raw_error": "just text"}, "error", "just text"),
        ({"raw_error": {"message": "no code"}}, "error", {"message": "no code"}),
        ({"message": "At capacity."}, "error", {"code": None, "message": "At capacity.", "type": None, "param": None}),
    ],
)
def test_an_error_can_be_any_json(connect: Connect, outcome: dict[str, Any], field: str, value: object) -> None:
    """`raw_error` stands for the whole error; a message without a code has a null code."""
    with Emulator({"outcomes": [{"name": "odd", "status": "failed", **outcome}]}) as emulator:
        answer = connect(emulator).responses.with_raw_response.create(model="gpt-5", input="hi")
        assert json.loads(answer.text)[field] == value


def test_the_output_can_be_given(connect: Connect) -> None:
    """`output_text` replaces the text of a completed run."""
    with Emulator({"outcomes": [{"name": "json", "output_text": '{"a": 1}'}]}) as emulator:
        assert connect(emulator).responses.create(model="gpt-5", input="hi").output_text == '{"a": 1}'


@pytest.mark.parametrize("name", scenario_names())
def test_a_shipped_scenario_ends_within_three_seconds(name: str) -> None:
    """Each shipped scenario loads, says what it is, and is short."""
    scenario = load_scenario(name)
    assert (scenario.name, scenario.description[-1]) == (name, ".")
    for script in (scenario.outcome("expired"), *scenario.outcomes):
        assert script.queued_seconds + script.running_seconds < 3


def test_the_shipped_scenarios_are_these() -> None:
    """The names are part of the public surface."""
    assert scenario_names() == (
        *("chaos", "demo", "expiry", "flaky-proxy", "happy", "mixed", "outage", "quota", "stuck", "webhooks"),
    )


def test_runs_of_an_outage_complete(connect: Connect, clock: ManualClock) -> None:
    """In `outage` polls fail in every way, and every run completes."""
    with Emulator("outage", clock=clock) as emulator:
        client = connect(emulator)
        ids = [submit(client, f"job {number}").id for number in range(12)]
        clock.advance(5)
        for run_id in ids:
            for _ in range(6):
                try:
                    run = client.responses.retrieve(run_id)
                except (openai.APIError, ValueError):
                    continue
            assert run.status == "completed"  # pyright: ignore[reportPossiblyUnboundVariable]
        assert {request.status for request in emulator.requests} == {None, 200, 429, 500, 502, 503}


def test_runs_of_quota_fail(connect: Connect, clock: ManualClock) -> None:
    """In `quota` every run fails for want of money."""
    with Emulator("quota", clock=clock) as emulator:
        client = connect(emulator)
        run = submit(client)
        clock.advance(5)
        error = client.responses.retrieve(run.id).error
        assert error is not None
        assert (error.code, error.message[:33]) == ("insufficient_quota", "You exceeded your current quota, ")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("= 1", "not TOML: "),
        ("seeds = 1", "unknown key 'seeds'; did you mean 'seed'? Allowed: description, seed,"),
        ("seed = 1.5", "seed: expected a whole number, got 1.5"),
        ("seed = true", "seed: expected a whole number, got True"),
        ("queued_seconds = -1", "queued_seconds: expected a number, 0 or more, got -1"),
        ("queued_seconds = inf", "queued_seconds: expected a number, 0 or more, got inf"),
        ("description = 1", "description: expected a string that is not empty, got 1"),
        ("outcomes = 1", "outcomes: expected a list, got 1"),
        ("outcomes = [1]", "[[outcomes]] no. 1: expected a table, got 1"),
        ("[[outcomes]]\nstatus = 'failed'", "[[outcomes]] no. 1: name: is missing"),
        ("[[outcomes]]\nname = 'a b'", "[[outcomes]] no. 1: name: 'a b': a name may contain only letters"),
        (
            "[[outcomes]]\nname = 'a'\n[[outcomes]]\nname = 'b'\nqueued_secnds = 1",
            "[[outcomes]] no. 2: unknown key 'queued_secnds'; did you mean 'queued_seconds'?",
        ),
        (
            "[[outcomes]]\nname = 'a'\n[[outcomes]]\nname = 'a'",
            "[[outcomes]] no. 2: name: another outcome has this name",
        ),
        ("queued_seconds = [1, 0.5]", "queued_seconds: expected a span [least, most], got [1, 0.5]"),
        ("queued_seconds = [1]", "queued_seconds: expected a number, or the least and the most of a span, got [1]"),
        ("[[outcomes]]\nname = 'a'\nhidden_seconds = 'x'", "hidden_seconds: expected a number, 0 or more, got 'x'"),
        ("[[outcomes]]\nname = 'a'\nraw_body = '[]'", "raw_body: expected a table, or the text of a JSON object"),
        ("[[outcomes]]\nname = 'a'\nraw_body = '{'", "raw_body: is not JSON: "),
        ("[[outcomes]]\nname = 'a'\ncancel_status = 404", "cancel_status: expected one of (200, 400, 409), got 404"),
        ("[[outcomes]]\nname = 'a'\nmissing_until_seconds = 1", "missing_until_seconds: needs missing_from_seconds"),
        ("[[outcomes]]\nname = 'a'\npoll_faults = ['stream-cut']", "poll_faults: 'stream-cut' is for streams only"),
        ("[[outcomes]]\nname = 'a'\nerror_headers = {a = 1}", "error_headers: expected a table of strings"),
        ("[[outcomes]]\nname = 'a'\ncode = 1.5", "code: expected a whole number, got 1.5"),
        ("[[outcomes]]\nname = 'a'\npoll_after_ms = 0", "poll_after_ms: expected 1 or more, got 0"),
        ("[[outcomes]]\nname = 'a'\npoll_faults = ['htlm']", "poll_faults: unknown fault 'htlm'; did you mean 'html'?"),
        ("[[jobs]]\noutcome = 'failed'", "[[jobs]] no. 1: match: is missing"),
        (
            "[[jobs]]\nmatch = {nht = 1}\noutcome = 'failed'",
            "[[jobs]] no. 1: match: unknown key 'nht'; did you mean 'nth'?",
        ),
        (
            "[[jobs]]\nmatch = {nth = 1}\noutcome = 'fialed'",
            "[[jobs]] no. 1: outcome: unknown outcome 'fialed'; did you",
        ),
        ("[[jobs]]\nmatch = {}\noutcome = 'failed,'", "[[jobs]] no. 1: outcome: 'failed,' has an empty item"),
        (
            "[[faults]]\nroute = 'get'\nfault = '503'",
            "[[faults]] no. 1: route: unknown word 'get'. Allowed: create, poll",
        ),
        ("[[faults]]\nroute = 'poll'\nfault = 200", "[[faults]] no. 1: fault: unknown fault '200'"),
        ("[[faults]]\nroute = 'poll'\nfrom = 3\nto = 2\nfault = 503", "to: expected 3 or more, as `from` is 3, got 2"),
        ("[[faults]]\nroute = 'poll'\nshare = 1.5\nfault = 503", "share: expected a number from 0 to 1, got 1.5"),
        ("[[faults]]\nroute = 'poll'\ntimes = 0\nfault = 503", "times: expected 1 or more, got 0"),
        (
            "[[faults]]\nroute = 'poll'\nafter_seconds = 5\nuntil_seconds = 5\nfault = 503",
            "until_seconds: expected more than 5, as the window opens then, got 5",
        ),
        ("[[faults]]\nroute = 'cancel'\nfault = 'stream-eof'", "fault: 'stream-eof' is for streams only"),
        ("[[faults]]\nroute = 'poll'\nfault = 503\noutcome = 'x'", "[[faults]] no. 1: outcome: unknown outcome 'x'"),
        (
            "[[jobs]]\nmatch = {}\noutcome = 'rate_limit_exceded'",
            "[[jobs]] no. 1: outcome: unknown outcome 'rate_limit_exceded'; did you mean 'rate_limit_exceeded'?",
        ),
        ("[[jobs]]\nmatch = {}\noutcome = 'quota'", "unknown outcome 'quota'; did you mean 'insufficient_quota'?"),
        (
            "[[outcomes]]\nname = 'rate_limt_exceeded'",
            "line 2: [[outcomes]] no. 1: name: 'rate_limt_exceeded' is not an outcome by itself; did you mean",
        ),
        ("seed = " + "[" * 101 + "]" * 101, "line 1: nested more than 100 deep"),
        ("seed = 1\nx = " + "{a = " * 100_000, "line 2: nested more than 100 deep"),
        (".".join("a" * 900) + " = 1", "unknown key 'a'"),
        (".".join("a" * 5_000) + " = 1", ""),
        ("seed = '" + "x" * 1_000 + "'", "seed: expected a whole number, got 'xxxxx"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_where(tmp_path: Path, toml: str, said: str) -> None:
    """The error names the file, the table, the key and what is allowed."""
    path = tmp_path / "mine.toml"
    path.write_text(toml)
    with pytest.raises(ScenarioError) as caught:
        Emulator(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 700


def test_what_is_no_usual_file_is_refused(tmp_path: Path) -> None:
    """A pipe or a device may never end, and nobody writes a scenario of a megabyte: none of them is read."""
    pipe, large = tmp_path / "pipe.toml", tmp_path / "large.toml"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(2**40)
    for path, reason in ((pipe, "not a regular file"), ("/dev/zero", "not a regular file"), (large, "larger than")):
        with pytest.raises(ScenarioError, match=reason):
            load_scenario(path)


def test_a_mapping_that_nests_too_deeply_is_refused() -> None:
    """A value that cannot be sent as JSON is a wrong scenario, not an error of the interpreter."""
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ScenarioError, match="nested too deeply"):
        load_scenario({"outcomes": [{"name": "deep", "raw_error": value}]})


def test_a_name_that_is_an_outcome_says_how_it_ends() -> None:
    """A table that gives a known word a weight or durations keeps its meaning."""
    outcomes = [{"name": "rate_limit_exceeded", "running_seconds": 2}, {"name": "stuck"}, {"name": "mine"}]
    quota, stuck, mine = load_scenario({"outcomes": outcomes}).outcomes
    assert (quota.status, quota.code, quota.running_seconds) == ("failed", "rate_limit_exceeded", 2)
    assert (stuck.status, mine.status) == ("stuck", "completed")


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    """A path, as text or not, loads a file; its outcomes take the file's durations unless they have their own."""
    path = tmp_path / "mine.toml"
    path.write_text("running_seconds = 9\n[[outcomes]]\nname = 'a'\n[[outcomes]]\nname = 'b'\nrunning_seconds = 1")
    for source in (path, str(path)):
        assert [outcome.running_seconds for outcome in load_scenario(source).outcomes] == [9, 1]
    assert load_scenario(path).outcome("failed:x").running_seconds == 9


@pytest.mark.parametrize(
    ("source", "said"), [("hapy", "unknown scenario 'hapy'; did you mean 'happy'?"), ("no.toml", "No such file")]
)
def test_a_scenario_that_is_not_there_is_an_error(source: str, said: str) -> None:
    """A wrong name lists the shipped ones; a wrong path says what the system says."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(source)
    assert said in str(caught.value)
