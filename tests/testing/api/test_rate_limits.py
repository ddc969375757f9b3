"""Rate limits of creates: what they refuse, and what the headers say."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from in_process import Api

from runoutcome import classify
from runoutcome.testing import Emulator, EmulatorError, ManualClock, ScenarioError, load_scenario
from runoutcome.testing._state.rate_limits import duration

TEXT = "x" * 36  # 10 tokens


def left(reply: Any, kind: str) -> tuple[str, str, str]:
    """Limit, rest and reset of one kind."""
    limit, rest, reset = (reply.headers[f"x-ratelimit-{name}-{kind}"] for name in ("limit", "remaining", "reset"))
    return limit, rest, reset


def test_a_create_above_the_requests_per_minute_is_refused_as_by_the_api() -> None:
    """The third of two requests a minute gets the API's 429, makes no run, and is told when to come back."""
    api = Api({"requests_per_minute": 2})
    assert [api.create().status for _ in range(2)] == [200, 200]
    refused = api.create()
    assert refused.status == 429
    assert refused.json["error"] == {
        "message": "Rate limit reached for gpt-5 in organization emulated on requests per min (RPM): Limit 2, Used 2, "
        "Requested 1. Please try again in 30s. Visit https://platform.openai.com/account/rate-limits to learn more.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert (refused.headers["retry-after"], refused.headers["retry-after-ms"]) == ("30", "30000")
    assert left(refused, "requests") == ("2", "0", "1m0s")
    assert len(api.ledger.runs) == 2
    record = api.requests[-1]
    assert (record.status, record.created, record.retry_after) == (429, False, 30.0)
    assert record.job == api.requests[0].job


def test_after_the_wait_a_create_is_accepted() -> None:
    """A create that waits as told is accepted; one that comes earlier is refused, and counts as a request."""
    api = Api({"requests_per_minute": 2})
    for _ in range(3):
        api.create()
    api.clock.advance(29)
    assert api.create().status == 429
    api.clock.advance(29)
    assert api.create().status == 429
    api.clock.advance(30)
    assert api.create().status == 200


def test_tokens_are_those_of_the_text_and_of_the_longest_output() -> None:
    """Input, instructions and `max_output_tokens` count; a refused create takes no tokens."""
    api = Api({"tokens_per_minute": 600})
    assert left(api.create(input=TEXT, max_output_tokens=490), "tokens") == ("600", "100", "50s")
    refused = api.create(input=TEXT, instructions=TEXT, max_output_tokens=101)
    message = refused.json["error"]["message"]
    assert (refused.status, refused.json["error"]["type"]) == (429, "tokens")
    assert "on tokens per min (TPM): Limit 600, Used 500, Requested 120. Please try again in 2s." in message
    assert left(refused, "tokens") == ("600", "100", "50s")
    api.clock.advance(2)
    assert api.create(input=TEXT, instructions=TEXT, max_output_tokens=101).status == 200


def test_a_create_above_the_whole_limit_is_too_large() -> None:
    """No wait helps it: there is no `retry-after`, and our catalog says that the request has to change."""
    refused = Api({"tokens_per_minute": 600}).create(max_output_tokens=601)
    assert refused.status == 429
    assert not {"retry-after", "retry-after-ms"} & refused.headers.keys()
    row = {"custom_id": "a", "response": {"status_code": 429, "body": refused.json}, "error": None}
    outcome = classify(row, surface="batch.output_row")
    assert (outcome.retryable, outcome.action) == (False, "change_request")


def test_without_limits_nothing_is_refused_and_the_headers_count() -> None:
    """The headers show what creates use up of a very large limit."""
    api = Api()
    replies = [api.create() for _ in range(30)]
    assert {reply.status for reply in replies} == {200}
    assert int(left(replies[0], "requests")[1]) - int(left(replies[-1], "requests")[1]) == 29


def test_every_answer_to_a_create_has_the_headers() -> None:
    """Refusals for other reasons and emulated faults have them too."""
    api = Api({"requests_per_minute": 10})
    assert left(api.create(metadata={"emulate_create": "503"}), "requests")[1] == "9"
    assert left(api.create(previous_response_id="resp_none"), "requests")[1] == "8"
    assert left(api.create(stream=True, background=True), "requests")[1] == "7"


def test_speed_divides_the_minute() -> None:
    """At sixty times the speed a minute's limit is whole again after a second."""
    with Emulator(requests_per_minute=1, speed=60, clock=ManualClock()) as emulator:
        client = openai.OpenAI(base_url=emulator.base_url, api_key="any", max_retries=0)
        client.responses.create(model="gpt-5", input="hi")
        with client, pytest.raises(openai.RateLimitError) as caught:
            client.responses.create(model="gpt-5", input="hi")
        assert caught.value.response.headers["retry-after-ms"] == "1000"
        assert len(emulator.runs) == 1


def test_limits_of_the_call_replace_those_of_the_scenario() -> None:
    """Each limit is replaced by itself; a limit below 1 is refused."""
    scenario = load_scenario({"requests_per_minute": 5, "tokens_per_minute": 7})
    changed = Emulator(scenario, requests_per_minute=9).scenario
    assert (changed.requests_per_minute, changed.tokens_per_minute) == (9, 7)
    with pytest.raises(EmulatorError, match="requests_per_minute: expected 1 or more"):
        Emulator(requests_per_minute=0)
    with pytest.raises(ScenarioError, match="tokens_per_minute: expected 1 or more"):
        load_scenario({"tokens_per_minute": 0})


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0ms"), (0.006, "6ms"), (1, "1s"), (8.64, "8.64s"), (360, "6m0s"), (3723.5, "1h2m3.5s")]
)
def test_times_are_written_as_by_the_api(seconds: float, text: str) -> None:
    """Times have the largest unit first, as in Go."""
    assert duration(seconds) == text
