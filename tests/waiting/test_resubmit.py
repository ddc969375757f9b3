"""Whether and when the same run is made again."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bodies import ROWS, body_of
from runoutcome import Entry, Outcome, ResubmitBudget, ResubmitPolicy, classify
from runoutcome._waiting.resubmit import MAX_DELAY_SECONDS, Again, NotAgain, Used, decide, resubmit_delay


def failed(code: object, message: str | None = None) -> Outcome:
    """The outcome of a failed run."""
    return classify({"status": "failed", "error": {"code": code, "message": message}})


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.id)
def test_only_a_retryable_ending_is_resubmitted(entry: Entry) -> None:
    """There is a delay exactly where the run has ended and its outcome is retryable."""
    outcome = classify(body_of(entry))
    delay = resubmit_delay(outcome, attempt=1)
    assert (delay is not None) == (outcome.phase == "terminal" and outcome.retryable)


@pytest.mark.parametrize("phase", ["pending", "unknown"])
def test_what_has_not_ended_is_never_resubmitted(phase: Any) -> None:
    """A run that may still be going is not made again, also if its code is retryable, as in an error event."""
    assert resubmit_delay(Outcome(phase, retryable=True, action="resubmit", retry_after=1.0), attempt=1) is None
    assert resubmit_delay(classify({"type": "error", "code": "server_error"}), attempt=1) is None


@pytest.mark.parametrize(
    ("code", "delays"),
    [("server_error", [1, 2, 4, 8, 16, 32, 64, 120, 120]), ("slow_down", [5, 10, 20, 40, 80, 120, 120])],
)
def test_delay_doubles_to_a_cap(code: str, delays: list[float]) -> None:
    """The delay starts at 1 s, or at 5 s where the action is to submit later, and doubles up to 2 minutes."""
    assert [resubmit_delay(failed(code), attempt=attempt) for attempt in range(1, len(delays) + 1)] == delays


def test_the_servers_wish_is_the_least() -> None:
    """The server's `retry_after` is waited at least, also if it is longer than the cap, and grows with the attempts."""
    wish = failed("rate_limit_exceeded", "Please try again in 30s")
    assert [resubmit_delay(wish, attempt=attempt) for attempt in (1, 2, 3, 9)] == [30, 60, 120, 120]
    assert resubmit_delay(failed("rate_limit_exceeded", "try again in 10m"), attempt=1) == 600
    assert resubmit_delay(wish, attempt=1, jitter=0.8) == 30
    assert resubmit_delay(wish, attempt=1, jitter=1.2) == 36


def test_jitter() -> None:
    """Without a wish the jitter is a plain factor."""
    assert resubmit_delay(failed("server_error"), attempt=2, jitter=0.8) == 1.6


@given(
    st.sampled_from(["server_error", "slow_down", 429, "503"]),
    st.one_of(st.none(), st.floats(0, 3600)),
    st.integers(1, 10**6),
    st.floats(0.8, 1.2),
)
def test_any_delay_is_sane(code: object, wish: float | None, attempt: int, jitter: float) -> None:
    """Whatever attempt it is, the delay is not negative, not below the wish, and bounded."""
    outcome = failed(code)
    object.__setattr__(outcome, "retry_after", wish)
    delay = resubmit_delay(outcome, attempt=attempt, jitter=jitter)
    assert delay is not None
    assert (wish or 0) <= delay <= max(wish or 0, MAX_DELAY_SECONDS) * 1.2


BUSY = failed("rate_limit_exceeded", "try again in 30s")


@pytest.mark.parametrize(
    ("policy", "used", "why"),
    [
        (ResubmitPolicy(0), Used(1), None),
        (ResubmitPolicy(2), Used(3), "attempts"),
        (ResubmitPolicy(2, max_tokens=100), Used(1, tokens=100), "tokens"),
        (ResubmitPolicy(2, max_tokens=0), Used(1), "tokens"),
        (ResubmitPolicy(2, max_seconds=60), Used(1, seconds=30), "time"),
        (ResubmitPolicy(2, max_seconds=0), Used(1), "time"),
        (ResubmitPolicy(2), Used(1, left_seconds=30), "time"),
        (ResubmitPolicy(2, max_seconds=1e9), Used(1, left_seconds=0), "time"),
        (ResubmitPolicy(2, max_seconds=0, max_tokens=0), Used(3), "attempts"),
        (ResubmitPolicy(2, max_seconds=0, max_tokens=0), Used(1), "tokens"),
    ],
)
def test_why_a_run_is_not_made_again(policy: ResubmitPolicy, used: Used, why: str | None) -> None:
    """Of attempts, tokens and time the first that is used up says why; a delay that does not fit is not begun."""
    budget = ResubmitBudget(1)
    assert decide(policy, budget, BUSY, used, 0.0) == NotAgain(why)  # type: ignore[arg-type]
    assert budget.take(0.0)


@pytest.mark.parametrize(
    ("policy", "used"),
    [
        (ResubmitPolicy(2), Used(2)),
        (ResubmitPolicy(2, max_tokens=100), Used(1, tokens=99)),
        (ResubmitPolicy(2, max_seconds=60), Used(1, seconds=29.9, left_seconds=30.1)),
    ],
)
def test_a_run_is_made_again_within_its_bounds(policy: ResubmitPolicy, used: Used) -> None:
    """Up to its bounds a retryable run is made again after its delay, and that is taken from the budget."""
    budget = ResubmitBudget(1)
    delay = resubmit_delay(BUSY, attempt=used.attempts)
    assert decide(policy, budget, BUSY, used, 0.0) == Again(delay or 0)
    assert not budget.take(0.0)


def test_an_empty_budget_says_why() -> None:
    """Where only the shared budget says no, that is why."""
    assert decide(ResubmitPolicy(2), ResubmitBudget(0), BUSY, Used(1), 0.0) == NotAgain("budget")
    spent = ResubmitBudget(5, max_tokens=10)
    spent.spend(10)
    assert decide(ResubmitPolicy(2), spent, BUSY, Used(1), 0.0) == NotAgain("budget")


def test_what_is_not_retryable_is_no_question() -> None:
    """There is nothing to explain about a run that must not be made again anyway."""
    assert decide(ResubmitPolicy(2), ResubmitBudget(), failed("invalid_prompt"), Used(9), 0.0) == NotAgain(None)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((-1,), "resubmit is .* got -1"),
        ((1, -1.0), "max_seconds is .* got -1.0"),
        ((1, float("nan")), "max_seconds is .* got nan"),
        ((1, float("inf")), "max_seconds is .* got inf"),
        ((1, None, -1), "max_tokens is .* got -1"),
    ],
)
def test_policy_of_nonsense(limits: tuple[Any, ...], message: str) -> None:
    """A number below 0, or none that is finite, is a ValueError that names it."""
    with pytest.raises(ValueError, match=message):
        ResubmitPolicy(*limits)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((True,), "resubmit is .* got bool"),
        ((2.0,), "resubmit is .* got float"),
        (("2",), "resubmit is .* got str"),
        ((None,), "resubmit is .* got NoneType"),
        ((1, "60"), "max_seconds is .* got str"),
        ((1, True), "max_seconds is .* got bool"),
        ((1, None, 1.5), "max_tokens is .* got float"),
        ((1, None, False), "max_tokens is .* got bool"),
    ],
)
def test_policy_of_no_numbers(limits: tuple[Any, ...], message: str) -> None:
    """What is no number, or no whole one, is a TypeError that names it."""
    with pytest.raises(TypeError, match=message):
        ResubmitPolicy(*limits)


def test_budget_of_tokens() -> None:
    """Once the runs that ended have used `max_tokens`, nothing more is given, however much time passes."""
    budget = ResubmitBudget(5, 1.0, max_tokens=100)
    budget.spend(60)
    assert budget.take(0.0)
    budget.spend(40)
    assert budget.spent_tokens == 100
    assert not budget.take(1e9)


def test_budget_of_no_tokens() -> None:
    """0 tokens allow no resubmission, and fewer are a ValueError."""
    assert not ResubmitBudget(max_tokens=0).take(0.0)
    with pytest.raises(ValueError, match="max_tokens"):
        ResubmitBudget(max_tokens=-1)


def test_budget_gives_its_capacity_at_once() -> None:
    """As many resubmissions may be made at once as the budget's capacity says."""
    budget = ResubmitBudget(3, 10.0)
    assert [budget.take(100.0) for _ in range(5)] == [True, True, True, False, False]


def test_budget_comes_back_with_time() -> None:
    """One resubmission comes back every so many seconds, never more than the capacity."""
    budget = ResubmitBudget(2, 10.0)
    assert [budget.take(0.0) for _ in range(3)] == [True, True, False]
    assert not budget.take(9.0)
    assert budget.take(10.0)
    assert not budget.take(19.0)
    assert budget.take(20.0)
    assert [budget.take(10_000.0) for _ in range(3)] == [True, True, False]


def test_budget_and_a_clock_that_goes_back() -> None:
    """A clock that goes back brings nothing and takes nothing."""
    budget = ResubmitBudget(1, 10.0)
    assert budget.take(100.0)
    assert not budget.take(50.0)
    assert not budget.take(55.0)
    assert budget.take(60.0)


def test_budget_of_nothing() -> None:
    """A capacity of 0 allows none, however long one waits."""
    budget = ResubmitBudget(0)
    assert not budget.take(0.0)
    assert not budget.take(1e9)


def test_budget_by_default() -> None:
    """By default 20 resubmissions may be made at once, and one more every 30 seconds."""
    budget = ResubmitBudget()
    assert (budget.capacity, budget.seconds_per_resubmission) == (20, 30.0)
    assert sum(budget.take(0.0) for _ in range(50)) == 20
    assert budget.take(30.0)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"capacity": -1}, ValueError, "capacity, .* got -1"),
        ({"capacity": 1.5}, TypeError, "capacity, .* got float"),
        ({"capacity": float("nan")}, TypeError, "capacity, .* got float"),
        ({"capacity": True}, TypeError, "capacity, .* got bool"),
        ({"seconds_per_resubmission": 0.0}, ValueError, "seconds_per_resubmission is .* got 0.0"),
        ({"seconds_per_resubmission": -1.0}, ValueError, "seconds_per_resubmission is .* got -1.0"),
        ({"seconds_per_resubmission": float("nan")}, ValueError, "seconds_per_resubmission is .* got nan"),
        ({"seconds_per_resubmission": float("inf")}, ValueError, "seconds_per_resubmission is .* got inf"),
        ({"seconds_per_resubmission": "30"}, TypeError, "seconds_per_resubmission is .* got str"),
        ({"max_tokens": -1}, ValueError, "max_tokens is .* got -1"),
        ({"max_tokens": 1e6}, TypeError, "max_tokens is .* got float"),
    ],
)
def test_budget_of_nonsense(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    """A number that is no bound, or nothing that is a number, is an error that names it."""
    with pytest.raises(kind, match=message):
        ResubmitBudget(**options)


@given(st.integers(0, 5), st.floats(0.1, 100), st.lists(st.floats(0, 50), max_size=30))
def test_budget_is_a_bound(capacity: int, seconds: float, passes: list[float]) -> None:
    """Over any stretch of time no more is given than the capacity and what came back in it."""
    budget, now, given_out = ResubmitBudget(capacity, seconds), 0.0, 0
    for passed in passes:
        now += passed
        given_out += budget.take(now)
        assert given_out <= capacity + now / seconds + 1e-6


def test_budget_is_shared_by_threads() -> None:
    """Threads that take at the same time never get more than there is."""
    budget, given_out, barrier = ResubmitBudget(100, 1e9), [], threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        given_out.extend(budget.take(0.0) for _ in range(50))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(given_out) == 100
