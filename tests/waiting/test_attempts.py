"""The runs of a job that ended: what is kept of them, and what of it travels."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from runoutcome import Attempt, Outcome, classify
from runoutcome._waiting.attempts import TRAVEL_BYTES, attempt_key, pack, split_key, total_tokens, unpack


def failed(number: int = 1, code: object = "server_error", **fields: Any) -> Outcome:
    """The outcome of a failed run."""
    body = {"object": "response", "id": f"resp_{number}", "status": "failed", "error": {"code": code, "message": "m"}}
    return classify({**body, **fields})


def attempts(count: int, base: str = "job") -> tuple[Attempt, ...]:
    """So many attempts that failed."""
    return tuple(Attempt.of(number, attempt_key(base, number), failed(number)) for number in range(1, count + 1))


def travel(told: tuple[Attempt, ...], key: str | None = "job-1", own: Outcome | None = None) -> tuple[Attempt, ...]:
    """What arrives of attempts, through JSON."""
    return unpack(json.loads(json.dumps(pack(told, own.response_id if own else None))), key, own)


def test_an_attempt_says_what_became_of_its_run() -> None:
    """An attempt has its number, key, id, status, code, verdict and tokens, and the outcome itself."""
    outcome = failed(usage={"total_tokens": 12, "input_tokens": 5})
    attempt = Attempt.of(2, "job-2", outcome)
    assert attempt == Attempt(2, "job-2", "resp_1", "failed", "server_error", True, 12)
    assert attempt.outcome is outcome
    assert "outcome" not in repr(attempt)


def test_an_incomplete_attempt_has_its_reason() -> None:
    """The code of an incomplete run is its reason."""
    outcome = classify({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}})
    assert (Attempt.of(1, None, outcome).code, Attempt.of(1, None, outcome).retryable) == ("max_output_tokens", False)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        ({}, None),
        ({"total_tokens": 7}, 7),
        ({"total_tokens": 0, "input_tokens": 5}, 0),
        ({"input_tokens": 5, "output_tokens": 2}, 7),
        ({"output_tokens": 2, "cached_tokens": 9}, 2),
        ({"cached_tokens": 9}, None),
    ],
    ids=str,
)
def test_total_tokens(usage: dict[str, int] | None, tokens: int | None) -> None:
    """The total as the body says it, else the sum of its parts, else nothing."""
    assert total_tokens(Outcome("terminal", usage=usage)) == tokens


@pytest.mark.parametrize("base", ["a", "a-1", "nonce/wörk-12", "-", "a\nb"])
@pytest.mark.parametrize("attempt", [1, 2, 999])
def test_a_key_tells_its_attempt(base: str, attempt: int) -> None:
    """A key can be taken apart into what it was made of."""
    assert split_key(attempt_key(base, attempt)) == (base, attempt)


@pytest.mark.parametrize("key", [None, "", "abc", "abc-", "-1", "abc-1234567", "abc-x"])
def test_other_keys_tell_nothing(key: str | None) -> None:
    """A key that is not of ours has no attempt."""
    assert split_key(key) is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_attempts_travel(count: int) -> None:
    """A few attempts arrive as they left, but for the outcome."""
    told = attempts(count)
    assert travel(told) == told
    assert all(attempt.outcome is None for attempt in travel(told))


def test_no_attempts_take_no_room() -> None:
    """Where there was no job nothing travels."""
    assert pack((), "resp_1") is None
    assert unpack(None, "job-1") == ()


def test_the_errors_own_attempt_is_told_by_its_outcome() -> None:
    """The attempt that the exception itself is about travels as its number, and has its outcome again."""
    told = attempts(2)
    assert told[-1].outcome is not None
    assert json.dumps(pack(told, "resp_2")).endswith("[2]]")
    arrived = travel(told, own=told[-1].outcome)
    assert arrived == told
    assert arrived[-1].outcome == told[-1].outcome


def test_of_many_attempts_the_newest_travel() -> None:
    """What has no room is left out from the front; the number of the first says how many are missing."""
    told = attempts(50)
    arrived = travel(told)
    assert arrived == told[-len(arrived) :]
    assert 2 <= len(arrived) < 10


def test_keys_are_made_again() -> None:
    """The keys of all attempts are made again from that of any; without one there is none."""
    told = attempts(2, base="a/b-c")
    assert [attempt.key for attempt in travel(told, key="a/b-c-7")] == ["a/b-c-1", "a/b-c-2"]
    assert [attempt.key for attempt in travel(told, key=None)] == [None, None]


words = st.text(alphabet=st.characters(exclude_categories=[]), max_size=600)


@given(st.lists(st.tuples(words, words, words, st.one_of(st.none(), st.integers(0, 10**15))), max_size=20))
def test_any_attempts_are_light(told: list[tuple[str, str, str, int | None]]) -> None:
    """Whatever their words are made of and however many they are, what travels is bounded and can be read."""
    given = tuple(Attempt(n, None, i, s, c, True, t) for n, (i, s, c, t) in enumerate(told, 1))
    rows = pack(given, None)
    assert len(json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")) <= TRAVEL_BYTES
    arrived = unpack(rows, None)
    assert [attempt.number for attempt in arrived] == [attempt.number for attempt in given[len(given) - len(arrived) :]]
