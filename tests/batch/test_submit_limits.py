"""The decisions before each create: limits, holds, and runs in flight. Numbers only, no I/O."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runoutcome.batch._submit_limits import (
    Demand,
    SubmitState,
    accepted,
    delay,
    ended,
    is_limited_for_long,
    limited,
    opened,
    seconds_in,
    settled,
    started,
    tokens_of,
)

ONE = Demand("gpt-5", 100)


def state(rpm: float | None = None, tpm: float | None = None, concurrency: int = 100, submits: int = 8) -> SubmitState:
    """The state of a batch that begins at 0."""
    return opened(concurrency, submits, rpm, tpm, now=0.0)


def headers(limit: int, rest: int, reset: str, kind: str = "requests") -> dict[str, str]:
    """The headers of an answer about one limit."""
    names = {"limit": str(limit), "remaining": str(rest), "reset": reset}
    return {f"x-ratelimit-{name}-{kind}": text for name, text in names.items()}


def made(before: SubmitState, now: float, told: Any = (), key: str = "a", demand: Demand = ONE) -> SubmitState:
    """The state after a create at `now` that was accepted with these headers."""
    return accepted(started(before, key, demand, now), key, dict(told), now)


def test_requests_per_minute_are_spread_evenly() -> None:
    """Of 30 a minute, the second may start two seconds after the first."""
    first = state(rpm=30)
    assert delay(first, ONE, 0, 0.0) == 0
    assert delay(made(first, 0.0), ONE, 0, 0.0) == 2.0
    assert delay(made(first, 0.0), ONE, 0, 2.0) == 0


@pytest.mark.parametrize("limit", [3, 60, 600])
def test_a_minute_has_no_more_creates_than_allowed(limit: int) -> None:
    """Creates that start as soon as they may stay below the limit, and a second's worth above it at most."""
    now, count, one = 0.0, 0, state(rpm=limit)
    while now < 60:
        wait = delay(one, ONE, 0, now)
        if wait == 0:
            one, count = made(one, now), count + 1
        now += wait
    assert limit <= count <= limit + max(1, limit / 60)


def test_a_create_above_a_second_of_tokens_is_paid_off_afterwards() -> None:
    """It may start when the bucket is full, and the next waits until its tokens are paid off."""
    large = Demand("gpt-5", 6000)
    after = started(state(tpm=6000), "a", large, 0.0)
    assert delay(state(tpm=6000), large, 0, 0.0) == 0
    assert delay(settled(after, "a"), ONE, 0, 0.0) == pytest.approx(60.0)


def test_headers_slow_a_batch_down_before_it_meets_a_429() -> None:
    """With nothing left of a limit, the next create waits until there is room."""
    none_left = made(state(), 0.0, headers(60, 0, "1m0s"))
    assert delay(none_left, ONE, 0, 0.0) == 1.0
    assert delay(none_left, ONE, 0, 1.0) == 0
    assert delay(made(state(), 0.0, headers(60, 5, "55s")), ONE, 0, 0.0) == 0


def test_tokens_left_are_read_too() -> None:
    """A create that needs more tokens than are left waits for the rest, at the rate that the reset tells."""
    few_left = made(state(), 0.0, headers(1000, 40, "1m36s", "tokens"))
    assert delay(few_left, ONE, 0, 0.0) == pytest.approx(6.0)
    assert delay(few_left, Demand("gpt-5", 40), 0, 0.0) == 0


def test_creates_on_their_way_count() -> None:
    """What an answer says is left does not know the creates that the server has not counted yet."""
    two = started(started(state(), "a", ONE, 0.0), "b", ONE, 0.0)
    after = accepted(two, "a", headers(60, 1, "59s"), 0.0)
    assert delay(after, ONE, 1, 0.0) == 1.0


def test_limits_of_the_headers_are_those_of_one_model() -> None:
    """Another model has limits of its own."""
    after = made(state(), 0.0, headers(60, 0, "1m0s"))
    assert delay(after, Demand("gpt-5-mini", 100), 0, 0.0) == 0


def test_the_users_own_limit_comes_before_the_headers() -> None:
    """A limit that was given is used in place of what the API says about it, and only there."""
    after = made(state(rpm=6000), 0.0, {**headers(60, 0, "1m0s"), **headers(6000, 0, "1m0s", "tokens")})
    assert delay(after, Demand("gpt-5", 0), 0, 0.0) == 0
    assert delay(after, ONE, 0, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "told", [headers(0, 0, "1s"), {}, {"x-ratelimit-limit-requests": "many"}, headers(60, 60, "x")]
)
def test_headers_without_sense_limit_nothing(told: dict[str, str]) -> None:
    """Gateways send zeros, words and nothing."""
    assert delay(made(state(), 0.0, told), ONE, 0, 0.0) == 0


def test_a_429_holds_all_and_then_lets_one_try() -> None:
    """Nobody submits before the Retry-After is over; then one create at a time, until one is accepted."""
    both = started(started(state(), "a", ONE, 0.0), "b", ONE, 0.0)
    held = limited(limited(both, "a", {}, 5.0, 1.0), "b", {}, 5.0, 1.5)
    assert (held.refusals, delay(held, ONE, 0, 1.5)) == (1, 5.0)
    assert delay(held, ONE, 0, 6.5) == 0
    late = accepted(started(started(held, "d", ONE, 0.5), "c", ONE, 0.5), "d", {}, 1.6)
    assert (late.refusals, late.held_until) == (1, 6.5)
    trying = started(held, "c", ONE, 6.5)
    assert delay(trying, ONE, 0, 6.5) == math.inf
    assert delay(accepted(trying, "c", {}, 7.0), ONE, 1, 7.0) == 0


def test_the_hold_grows_where_the_server_names_no_time() -> None:
    """Half a second, then twice as long after each further refusal, up to eight seconds."""
    one, now, holds = state(), 0.0, []
    for number in range(7):
        one = limited(started(one, str(number), ONE, now), str(number), {}, None, now)
        holds.append(one.held_until - now)
        now = one.held_until
    assert holds == [0.5, 1, 2, 4, 8, 8, 8]


def test_two_minutes_of_refusals_end_the_batch() -> None:
    """So does a Retry-After above two minutes, which holds nobody back; an accepted create starts the count anew."""
    refused = limited(started(state(), "a", ONE, 0.0), "a", {}, 100.0, 0.0)
    assert not is_limited_for_long(refused, 119.0)
    assert is_limited_for_long(refused, 120.0)
    assert not is_limited_for_long(made(refused, 119.0), 1000.0)
    assert limited(started(state(), "a", ONE, 0.0), "a", {}, 3600.0, 0.0).held_until < 0


def test_submits_and_runs_in_flight_have_limits_of_their_own() -> None:
    """Eight creates at once by default, whatever the number of runs in flight; together they keep to that number."""
    posting = started(started(state(submits=2), "a", ONE, 0.0), "b", ONE, 0.0)
    assert delay(posting, ONE, 0, 0.0) == math.inf
    assert delay(settled(posting, "a"), ONE, 0, 0.0) == 0
    few = state(concurrency=2)
    assert delay(few, ONE, 1, 0.0) == 0
    assert delay(started(few, "a", ONE, 0.0), ONE, 1, 0.0) == math.inf


def test_rate_limits_of_runs_halve_the_runs_in_flight_once() -> None:
    """Runs that were submitted before the cut do not cut again; one that was submitted after it does."""
    one = ended(state(concurrency=16), 0.0, by_rate_limit=True, now=10.0)
    assert one.in_flight_limit == 8
    assert ended(one, 5.0, by_rate_limit=True, now=11.0).in_flight_limit == 8
    assert ended(one, 10.5, by_rate_limit=True, now=12.0).in_flight_limit == 4
    for number in range(20):
        one = ended(one, 11.0 + number, by_rate_limit=True, now=11.0 + number)
    assert one.in_flight_limit == 1


def test_runs_that_end_otherwise_bring_them_back_slowly() -> None:
    """Each whole round of runs adds one, up to the number that was asked for."""
    one = ended(state(concurrency=8), 0.0, by_rate_limit=True, now=10.0)
    for _ in range(5):
        one = ended(one, 11.0, by_rate_limit=False, now=20.0)
    assert one.in_flight_limit == 5
    for _ in range(100):
        one = ended(one, 11.0, by_rate_limit=False, now=20.0)
    assert one.in_flight_limit == 8


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6ms", 0.006), ("8.64s", 8.64), ("6m0s", 360), ("1h2m3.5s", 3723.5), ("1d", 86_400), ("30", 30)],
)
def test_times_of_the_headers_are_read(text: str, seconds: float) -> None:
    """Times are as in Go, or plain seconds."""
    assert seconds_in(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [None, "", "soon", "-1s", "1s later", "2026-01-01T00:00:00Z"])
def test_other_times_are_not_believed(text: str | None) -> None:
    """A text that is no time gives none."""
    assert seconds_in(text) is None


def test_tokens_are_those_of_texts_and_of_the_longest_output() -> None:
    """Texts of the input, at any depth, and the instructions; images and tools are not counted."""
    text = "x" * 40
    message = {"role": "user", "content": [{"type": "input_text", "text": text}, {"type": "input_image"}]}
    assert tokens_of({"input": text}) == 11
    assert tokens_of({"input": [message], "instructions": text, "max_output_tokens": 500}) == 522
    assert tokens_of({"prompt": {"id": "p"}, "max_output_tokens": True}) == 0
