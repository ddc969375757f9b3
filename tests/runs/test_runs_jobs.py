"""`create_and_poll`: one job, its submissions and resubmissions, and what is told between them."""

from __future__ import annotations

import asyncio
import json
import pickle
from itertools import pairwise
from typing import Any

import openai
import pytest

from colours import COLOURS, OpenWorld, Script, World, body_of, keys_of, open_worlds, refusal, reply
from runoutcome import (
    Attempt,
    PollingLostError,
    ResubmitBudget,
    ResubmitPolicy,
    RunCancelledError,
    RunError,
    RunGoneError,
    RunIncompleteError,
    RunInternalServerError,
    RunRateLimitError,
    RunUnknownError,
    SubmissionUnknownError,
    WaitTimeoutError,
)
from runoutcome._waiting.resume_token import ResumeToken, loads
from runoutcome.testing import FaultRule, OutcomeScript, Scenario, parse_fault

worlds = pytest.fixture(params=COLOURS)(open_worlds)


def job_error(world: World, kind: type[BaseException], outcome: str, **params: Any) -> Any:
    """What `create_and_poll` raises."""
    with pytest.raises(kind) as caught:
        world.create_and_poll(outcome, **params)
    return caught.value


def words(world: World) -> list[str]:
    """The outcomes of the paid runs, in order."""
    return [run.word for run in world.emulator.runs]


# Whether a run is made again


def test_a_job_is_one_create_and_its_polls(worlds: OpenWorld) -> None:
    """`create_and_poll` gives the completed response of one run."""
    world = worlds()
    response = world.create_and_poll()
    (run,) = world.emulator.runs
    assert (response.id, response.status) == (run.id, "completed")
    assert len(world.posts) == 1


def test_nothing_is_made_again_unless_asked(worlds: OpenWorld) -> None:
    """Without `resubmit` a failed run is one paid run, retryable or not."""
    world = worlds()
    error = job_error(world, RunInternalServerError, "server_error,completed")
    assert error.retryable
    assert words(world) == ["server_error"]


@pytest.mark.parametrize(("resubmit", "runs"), [(1, 2), (2, 3), (5, 4)])
def test_a_retryable_run_is_made_again_up_to_the_number_given(worlds: OpenWorld, resubmit: int, runs: int) -> None:
    """`resubmit` is the number of further runs; the first that completes is returned."""
    world = worlds()
    outcome = "server_error,server_error,server_error,completed"
    if runs == 4:
        assert world.create_and_poll(outcome, resubmit=resubmit).status == "completed"
    else:
        job_error(world, RunInternalServerError, outcome, resubmit=resubmit)
    assert len(world.posts) == len(words(world)) == runs


def test_the_error_is_the_last_attempts(worlds: OpenWorld) -> None:
    """What is raised in the end belongs to the last run: its class, its id, its token."""
    world = worlds()
    error = job_error(world, RunRateLimitError, "server_error,server_error,rate_limit_exceeded", resubmit=2)
    last = world.emulator.runs[-1]
    assert (error.code, error.response_id) == ("rate_limit_exceeded", last.id)
    token = loads(error.run_token)
    assert (token.response_id, token.key) == (last.id, last.runoutcome_key)
    assert error.__cause__ is None


NEVER = {
    "invalid_prompt": RunError,
    "insufficient_quota": RunRateLimitError,
    "failed": RunError,
    "failed:never_heard_of": RunError,
    "cancelled": RunCancelledError,
    "expired": RunError,
    "max_output_tokens": RunIncompleteError,
    "content_filter": RunIncompleteError,
    "incomplete:never_heard_of": RunIncompleteError,
}


@pytest.mark.parametrize(("word", "kind"), NEVER.items(), ids=NEVER.keys())
def test_only_a_retryable_end_is_made_again(worlds: OpenWorld, word: str, kind: type[Exception]) -> None:
    """What the catalog does not call retryable is paid for once, whatever `resubmit` allows."""
    world = worlds()
    job_error(world, kind, f"{word},completed", resubmit=5)
    assert words(world) == [word]


def test_an_unknown_status_is_never_made_again(worlds: OpenWorld) -> None:
    """A run in a status nobody knows may still be going."""
    world = worlds()
    job_error(world, RunUnknownError, "status:paused,completed", resubmit=5, max_wait_seconds=5)
    assert words(world) == ["status:paused"]


def test_a_run_that_goes_on_is_never_made_again(worlds: OpenWorld) -> None:
    """Neither a deadline nor lost polls are a reason to pay again."""
    world = worlds()
    job_error(world, WaitTimeoutError, "stuck,completed", resubmit=5, max_wait_seconds=5)
    assert words(world) == ["stuck"]
    faulty = OutcomeScript("faulty", poll_faults=(parse_fault("503"),) * 400)
    world = worlds(Scenario(outcomes=(faulty,)))
    job_error(world, PollingLostError, "faulty,completed", resubmit=5)
    assert words(world) == ["faulty"]


def test_a_run_that_is_gone_is_never_made_again(worlds: OpenWorld) -> None:
    """A run that answers 404 may have completed."""
    gone = OutcomeScript("gone", status="failed", code="server_error", expires_after_seconds=0, running_seconds=60)
    world = worlds(Scenario(outcomes=(gone,)))
    error = job_error(world, RunGoneError, "gone,completed", resubmit=5)
    assert loads(error.token).seen
    assert words(world) == ["gone"]


def test_an_ambiguous_create_is_never_made_again(worlds: OpenWorld) -> None:
    """`resubmit` is about runs that ended, not about POSTs without an answer."""
    world = worlds()
    job_error(world, SubmissionUnknownError, "completed", metadata={"emulate_create": "lost,ok"}, resubmit=5)
    assert (len(world.posts), len(world.emulator.runs)) == (1, 1)


def test_an_accepted_end_is_not_made_again(worlds: OpenWorld) -> None:
    """What `accept` names is returned, also where a new run would be allowed."""
    world = worlds()
    assert world.create_and_poll("cancelled,completed", resubmit=5, accept=["cancelled"]).status == "cancelled"
    assert words(world) == ["cancelled"]


def test_fewer_than_no_resubmissions_are_nonsense(worlds: OpenWorld) -> None:
    """A negative `resubmit` is a ValueError before any request."""
    world = worlds()
    job_error(world, ValueError, "completed", resubmit=-1)
    assert world.emulator.requests == []


# What is told of the runs before


def links_of(world: World) -> list[str | None]:
    """The run that each paid run names as the one before it."""
    return [run.request["metadata"].get("runoutcome_previous") for run in world.emulator.runs]


def test_each_run_names_the_one_before(worlds: OpenWorld) -> None:
    """The runs of a job are a chain: each later one has the id of the one it was made in place of in its metadata."""
    world = worlds()
    world.create_and_poll("server_error,server_error,completed", resubmit=2)
    first, second, _ = (run.id for run in world.emulator.runs)
    assert links_of(world) == [None, first, second]


def test_the_error_knows_all_attempts(worlds: OpenWorld) -> None:
    """The final error has every run of the job, in order, itself the last, with id, key, code and what it used."""
    used = OutcomeScript("used", status="failed", code="server_error", body_fields={"usage": {"total_tokens": 40}})
    world = worlds(Scenario(outcomes=(used,)))
    error = job_error(
        world,
        RunRateLimitError,
        "used,server_is_overloaded,rate_limit_exceeded",
        resubmit=2,
        metadata={"runoutcome_key": "job"},
    )
    runs = world.emulator.runs
    assert [attempt.response_id for attempt in error.attempts] == [run.id for run in runs]
    assert [(attempt.number, attempt.key) for attempt in error.attempts] == [(1, "job-1"), (2, "job-2"), (3, "job-3")]
    assert [attempt.code for attempt in error.attempts] == [
        "server_error",
        "server_is_overloaded",
        "rate_limit_exceeded",
    ]
    assert error.attempts[0].total_tokens == 40
    assert error.attempts[-1].outcome == error.outcome
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.attempts, twin.not_resubmitted) == (error.attempts, "attempts")


def test_one_run_is_one_attempt(worlds: OpenWorld) -> None:
    """A job whose first run is not made again has had one attempt; a wait without a job has none."""
    world = worlds()
    assert len(job_error(world, RunError, "invalid_prompt", resubmit=3).attempts) == 1
    with pytest.raises(RunError) as caught:
        world.call("poll", world.emulator.runs[0].id)
    assert caught.value.attempts == ()


def test_later_errors_know_the_attempts_before(worlds: OpenWorld) -> None:
    """A deadline in the second run says that there was a first."""
    world = worlds()
    error = job_error(world, WaitTimeoutError, "server_error,stuck", resubmit=1, max_wait_seconds=60)
    assert [attempt.response_id for attempt in error.attempts] == [world.emulator.runs[0].id]
    assert error.response_id == world.emulator.runs[1].id
    assert pickle.loads(pickle.dumps(error)).attempts == error.attempts


@pytest.mark.parametrize("when", ["pause", "second run"])
def test_an_interrupt_knows_the_attempts_before(worlds: OpenWorld, when: str) -> None:
    """Ctrl-C in a later run, or in the pause before it, has the runs that had ended."""
    world = worlds()

    def interrupt(seconds: float) -> None:
        if len(world.posts) == 2 or (when == "pause" and world.status_of(world.emulator.runs[0].id) == "failed"):
            raise KeyboardInterrupt

    world.clock.on_sleep = interrupt
    error = job_error(world, KeyboardInterrupt, "server_error,stuck", resubmit=1)
    assert [attempt.response_id for attempt in error.attempts] == [world.emulator.runs[0].id]


def test_what_is_made_again_is_told(worlds: OpenWorld) -> None:
    """`on_resubmitting` is told of each run that ended, before the pause and the next POST: so is who succeeds."""
    world = worlds()
    world.create_and_poll(
        "server_error,server_error,completed",
        resubmit=5,
        on_resubmitting=world.noting("again", lambda attempt: (attempt.number, attempt.code)),
        on_update=world.noting("update"),
    )
    told = [entry for entry in world.log if entry[0] == "again" or entry == ("request", ("POST", 200))]
    assert told == [
        ("request", ("POST", 200)),
        ("again", (1, "server_error")),
        ("request", ("POST", 200)),
        ("again", (2, "server_error")),
        ("request", ("POST", 200)),
    ]
    after = world.log[world.log.index(("again", (1, "server_error"))) + 1]
    assert after[0] == "sleep"


def test_an_error_of_that_callback_makes_no_run(worlds: OpenWorld) -> None:
    """What `on_resubmitting` raises leaves before anything is paid for, with the attempts."""
    world = worlds()

    def fail(attempt: Attempt) -> None:
        raise OSError("disk full")

    error = job_error(world, OSError, "server_error,completed", resubmit=1, on_resubmitting=fail)
    assert (len(world.posts), len(error.attempts)) == (1, 1)
    assert loads(error.run_token).response_id == world.emulator.runs[0].id


# Keys and delays


def test_each_attempt_has_a_key_of_its_own(worlds: OpenWorld) -> None:
    """The keys of a job share their base and count: an `Idempotency-Key` must not give back the run that failed."""
    world = worlds()
    world.create_and_poll("server_error,server_error,completed", resubmit=2, metadata={"runoutcome_key": "job/7"})
    assert keys_of(world.posts) == ["job/7-1", "job/7-2", "job/7-3"]
    assert [run.runoutcome_key for run in world.emulator.runs] == ["job/7-1", "job/7-2", "job/7-3"]


def test_a_post_that_is_sent_again_keeps_its_key(worlds: OpenWorld) -> None:
    """Sending one create again is not another attempt; making the run again is."""
    world = worlds(
        Scenario(faults=(FaultRule("create", parse_fault("503"), 1, 2), FaultRule("create", parse_fault("429"), 4, 4)))
    )
    world.create_and_poll("server_error,completed", resubmit=1, metadata={"runoutcome_key": "job"})
    assert keys_of(world.posts) == ["job-1", "job-1", "job-1", "job-2", "job-2"]


def pauses_before_posts(world: World) -> list[float]:
    """How long after the end of a run was seen the next one was made."""
    requests = [request for request in world.emulator.requests if request.status == 200]
    return [
        round(after.at - before.at, 3)
        for before, after in pairwise(requests)
        if after.method == "POST" and before.method == "GET"
    ]


def test_a_create_is_not_sent_again_after_the_deadline(worlds: OpenWorld) -> None:
    """Where the server asks for a longer pause than there is time, its refusal is raised, and no run is made."""
    fault = {"route": "create", "fault": {"status": 429, "retry_after": 12}}
    world = worlds({"faults": [{**fault, "from": 1, "to": 1}]})
    refused: list[str] = []
    with pytest.raises(openai.RateLimitError) as caught:
        world.call("create_and_poll", model="gpt-5", input="x", max_wait_seconds=10, on_refused=refused.append)
    assert (len(world.posts), world.sleeps, world.emulator.runs) == (1, [], [])
    assert refused == [caught.value.run_key]  # type: ignore[attr-defined]


def test_retry_after_of_the_failure_is_the_least_that_is_waited(worlds: OpenWorld) -> None:
    """The server's wish in `error.headers` is waited before a new run, and jitter only lengthens it."""
    busy = OutcomeScript(
        "busy", status="failed", code="rate_limit_exceeded", error_headers={"retry-after": "30"}, message="Slow down."
    )
    world = worlds(Scenario(outcomes=(busy,)))
    world.create_and_poll("busy,completed", resubmit=1)
    (pause,) = pauses_before_posts(world)
    assert 30 <= pause <= 36.001


@pytest.mark.parametrize(("word", "first"), [("server_error", 1.0), ("server_is_overloaded", 5.0)])
def test_resubmissions_back_off(worlds: OpenWorld, word: str, first: float) -> None:
    """Without a wish the pause starts at 1 s or 5 s by the catalog's action, and doubles, jitter within 20 %."""
    world = worlds()
    job_error(world, RunInternalServerError, word, resubmit=3)
    pauses = pauses_before_posts(world)
    assert len(pauses) == 3
    assert all(0.8 * first * 2**n - 0.001 <= pause <= 1.2 * first * 2**n + 0.001 for n, pause in enumerate(pauses)), (
        pauses
    )


# Bounds


def test_the_deadline_covers_the_resubmissions(worlds: OpenWorld) -> None:
    """One deadline covers all attempts: when the next pause does not fit, the last error is raised at once."""
    slow = OutcomeScript("slow", status="failed", code="server_error", queued_seconds=0, running_seconds=20)
    world = worlds(Scenario(outcomes=(slow,)))
    job_error(world, RunInternalServerError, "slow", resubmit=10, max_wait_seconds=42.3, poll_interval_ms=1000)
    assert len(world.posts) == 2
    assert world.elapsed <= 42.3


def test_a_pause_that_does_not_fit_is_not_begun(worlds: OpenWorld) -> None:
    """If the server's wish reaches beyond the deadline nothing is slept for it."""
    busy = OutcomeScript(
        "busy",
        status="failed",
        code="rate_limit_exceeded",
        error_headers={"retry-after": "300"},
        queued_seconds=0,
        running_seconds=0,
    )
    world = worlds(Scenario(outcomes=(busy,)))
    error = job_error(world, RunRateLimitError, "busy", resubmit=10, max_wait_seconds=60)
    assert (error.retry_after, error.not_resubmitted) == (300, "time")
    assert (len(world.posts), world.elapsed < 2) == (1, True)


def test_a_wait_that_a_resubmission_left_short_ends_in_time(worlds: OpenWorld) -> None:
    """The second run has what the first left of the deadline, not a deadline of its own."""
    slow = OutcomeScript("slow", status="failed", code="server_error", queued_seconds=0, running_seconds=40)
    world = worlds(Scenario(outcomes=(slow,)))
    error = job_error(world, WaitTimeoutError, "slow,stuck", resubmit=1, max_wait_seconds=60)
    assert 59 <= world.elapsed <= 60
    assert error.response_id == world.emulator.runs[-1].id


def test_resubmissions_are_bounded_by_a_budget(worlds: OpenWorld) -> None:
    """The token bucket of a `Runs` is shared by its jobs: an outage does not pay for every job three times."""
    world = worlds()
    world.budget = ResubmitBudget(capacity=3, seconds_per_resubmission=1e9)
    for number in range(4):
        job_error(world, RunInternalServerError, "server_error", resubmit=2, metadata={"job": str(number)})
    assert len(world.posts) == 4 + 3


def test_a_budget_fills_up_again(worlds: OpenWorld) -> None:
    """One more resubmission comes back with time."""
    world = worlds()
    world.budget = ResubmitBudget(capacity=1, seconds_per_resubmission=30)
    job_error(world, RunInternalServerError, "server_error", resubmit=5)
    assert len(world.posts) == 2
    world.clock.advance(60)
    job_error(world, RunInternalServerError, "server_error", resubmit=5, metadata={"job": "2"})
    assert len(world.posts) == 4


def test_a_first_submission_takes_nothing_from_the_budget(worlds: OpenWorld) -> None:
    """The bucket is for resubmissions: with an empty one jobs are still made."""
    world = worlds()
    world.budget = ResubmitBudget(capacity=0)
    assert world.create_and_poll(resubmit=5).status == "completed"
    job_error(world, RunInternalServerError, "server_error", resubmit=5)
    assert len(world.posts) == 2


# Policies


USED = OutcomeScript(
    "used",
    status="failed",
    code="server_error",
    queued_seconds=0,
    running_seconds=20,
    body_fields={"usage": {"input_tokens": 300, "output_tokens": 700, "total_tokens": 1000}},
)
BOUNDS: dict[str, Any] = {
    "attempts": (ResubmitPolicy(2), 3),
    "tokens": (ResubmitPolicy(9, max_tokens=1500), 2),
    "time": (ResubmitPolicy(9, max_seconds=50), 3),
}


@pytest.mark.parametrize("why", BOUNDS)
def test_a_policy_bounds_a_job(worlds: OpenWorld, why: str) -> None:
    """A policy bounds the runs, the time since the first and the tokens of those that ended; the error says which."""
    policy, runs = BOUNDS[why]
    world = worlds(Scenario(outcomes=(USED,)))
    error = job_error(world, RunInternalServerError, "used", resubmit=policy, poll_interval_ms=500)
    assert (len(world.posts), error.not_resubmitted, len(error.attempts)) == (runs, why, runs)
    assert world.elapsed < 80


def test_a_number_is_a_policy(worlds: OpenWorld) -> None:
    """`resubmit=2` is `ResubmitPolicy(2)`."""
    for resubmit in (2, ResubmitPolicy(2)):
        world = worlds()
        error = job_error(world, RunInternalServerError, "server_error", resubmit=resubmit)
        assert (len(world.posts), error.not_resubmitted) == (3, "attempts")


@pytest.mark.parametrize("word", ["server_error", "invalid_prompt"])
def test_what_was_not_asked_for_is_not_explained(worlds: OpenWorld, word: str) -> None:
    """Without `resubmit`, and for a run that is not retryable, there is no reason to give."""
    error = job_error(worlds(), RunError, word, resubmit=0 if word == "server_error" else 3)
    assert error.not_resubmitted is None


def test_usage_that_is_not_known_counts_as_nothing(worlds: OpenWorld) -> None:
    """A token budget bounds what is known to be spent: a body without usage does not stop a job."""
    world = worlds()
    policy = ResubmitPolicy(2, max_tokens=1)
    job_error(world, RunInternalServerError, "server_error", resubmit=policy)
    assert len(world.posts) == 3


def test_a_shared_budget_bounds_the_tokens_of_all_jobs(worlds: OpenWorld) -> None:
    """`ResubmitBudget(max_tokens=...)` counts what the ended runs of all its jobs used, retryable or not."""
    spent = OutcomeScript("spent", status="incomplete", reason="max_output_tokens", body_fields=USED.body_fields)
    world = worlds(Scenario(outcomes=(USED, spent)))
    world.budget = ResubmitBudget(max_tokens=2500)
    job_error(world, RunIncompleteError, "spent", resubmit=1)
    error = job_error(world, RunInternalServerError, "used", resubmit=5)
    assert (error.not_resubmitted, world.budget.spent_tokens) == ("budget", 3000)
    assert len(world.posts) == 3


# What is told, and when


def test_what_is_told_comes_in_order(worlds: OpenWorld) -> None:
    """The intent before each POST, the token right after it and before the first poll, then each change."""
    world = worlds()
    world.create_and_poll(
        "server_error,completed",
        resubmit=1,
        poll_interval_ms=1000,
        metadata={"runoutcome_key": "job"},
        on_submitting=world.noting("submitting"),
        on_submitted=world.noting("submitted", lambda token: loads(token).key),
        on_update=world.noting("update", lambda outcome: outcome.status),
    )
    told = [entry for entry in world.log if entry[0] != "sleep"]
    assert told == [
        ("submitting", "job-1"),
        ("request", ("POST", 200)),
        ("submitted", "job-1"),
        ("update", "queued"),
        ("request", ("GET", 200)),
        ("update", "failed"),
        ("submitting", "job-2"),
        ("request", ("POST", 200)),
        ("submitted", "job-2"),
        ("update", "queued"),
        ("request", ("GET", 200)),
        ("update", "completed"),
    ]


def test_a_refused_post_is_told_before_it_is_sent_again(worlds: OpenWorld) -> None:
    """Each POST has its intent, and each that is proven not to be accepted its refusal, with the same key."""
    world = worlds()
    world.create_and_poll(
        metadata={"emulate_create": "503,429,ok", "runoutcome_key": "job"},
        on_submitting=world.noting("submitting"),
        on_refused=world.noting("refused"),
        on_submitted=world.noting("submitted", lambda token: loads(token).key),
    )
    told = [entry for entry in world.log if entry[0] != "sleep"]
    assert told[:8] == [
        ("submitting", "job-1"),
        ("request", ("POST", 503)),
        ("refused", "job-1"),
        ("submitting", "job-1"),
        ("request", ("POST", 429)),
        ("refused", "job-1"),
        ("submitting", "job-1"),
        ("request", ("POST", 200)),
    ]
    assert told[8] == ("submitted", "job-1")


@pytest.mark.parametrize(
    ("fault", "kind", "refused"),
    [
        ("400", openai.BadRequestError, 1),
        ("401", openai.AuthenticationError, 1),
        ("503,503,503", openai.InternalServerError, 3),
        ("lost", SubmissionUnknownError, 0),
        ("502-html", SubmissionUnknownError, 0),
        ("no-id", SubmissionUnknownError, 0),
        ("cut", SubmissionUnknownError, 0),
    ],
)
def test_only_what_is_proven_is_told_as_refused(
    worlds: OpenWorld, fault: str, kind: type[Exception], refused: int
) -> None:
    """`on_refused` is never called for a POST that may have gone through."""
    world = worlds()
    told: list[str] = []
    job_error(world, kind, "completed", metadata={"emulate_create": fault}, on_refused=told.append)
    assert len(told) == refused


def test_an_interrupted_post_is_not_told_as_refused(worlds: OpenWorld) -> None:
    """Ctrl-C in the middle of a POST proves nothing."""
    told: list[str] = []
    world = worlds(answer=Script([KeyboardInterrupt()]))
    job_error(world, KeyboardInterrupt, "completed", on_refused=told.append)
    assert told == []


def test_the_token_names_the_run_just_made(worlds: OpenWorld) -> None:
    """The token of `on_submitted` has the run's id, its key and the time of its submission."""
    world = worlds()
    tokens: list[str] = []
    world.create_and_poll("server_error,completed", resubmit=1, on_submitted=tokens.append)
    assert [loads(token).response_id for token in tokens] == [run.id for run in world.emulator.runs]
    assert [loads(token).key for token in tokens] == [run.runoutcome_key for run in world.emulator.runs]
    assert [loads(token).submitted_at for token in tokens] == [
        pytest.approx(run.created_at, abs=0.001) for run in world.emulator.runs
    ]


def test_an_intent_that_cannot_be_noted_stops_the_post(worlds: OpenWorld) -> None:
    """If `on_submitting` raises, nothing is sent."""
    world = worlds()

    def fail(key: str) -> None:
        raise OSError("disk full")

    job_error(world, OSError, "completed", on_submitting=fail)
    assert world.emulator.requests == []


def test_a_token_that_cannot_be_noted_leaves_with_the_error(worlds: OpenWorld) -> None:
    """If `on_submitted` raises, the run is going: the error carries its token, and nothing is polled."""
    world = worlds()

    def fail(token: str) -> None:
        raise OSError("disk full")

    error = job_error(world, OSError, "completed", on_submitted=fail)
    (run,) = world.emulator.runs
    assert loads(error.run_token).response_id == run.id
    assert world.polls == []


@pytest.mark.parametrize("callback", ["on_submitting", "on_submitted"])
def test_coroutine_callbacks_of_a_job_are_awaited_or_refused(worlds: OpenWorld, callback: str) -> None:
    """`AsyncRuns` awaits them before it goes on; `Runs` raises TypeError, before the POST where that can be."""
    world = worlds()
    told: list[int] = []

    async def tell(what: str) -> None:
        await asyncio.sleep(0)
        told.append(len(world.emulator.requests))

    if world.colour == "async":
        world.create_and_poll(**{callback: tell})
        assert told == [0 if callback == "on_submitting" else 1]
    else:
        error = job_error(world, TypeError, "completed", **{callback: tell})
        assert len(world.posts) == (0 if callback == "on_submitting" else 1)
        assert (getattr(error, "run_token", None) is not None) is (callback == "on_submitted")


@pytest.mark.parametrize("when", ["first run", "pause", "second run"])
def test_ctrl_c_says_which_run_to_go_on_with(worlds: OpenWorld, when: str) -> None:
    """Wherever a job is interrupted after a POST, the token is that of its last run."""
    world = worlds()

    def interrupt(seconds: float) -> None:
        ended = [request for request in world.polls if request.at - world.emulator.runs[0].created_at > 0.499999]
        stage = ("pause" if ended else "first run") if len(world.posts) == 1 else "second run"
        if stage == when:
            raise KeyboardInterrupt

    world.clock.on_sleep = interrupt
    error = job_error(world, KeyboardInterrupt, "server_error,completed", resubmit=1)
    assert loads(error.run_token).response_id == world.emulator.runs[-1].id
    assert len(world.posts) == (2 if when == "second run" else 1)


@pytest.mark.parametrize("fault", ["401", "lost"])
def test_a_refused_resubmission_is_the_posts_own_error(worlds: OpenWorld, fault: str) -> None:
    """When the second POST fails, that is what is raised: the first run is over."""
    rule = FaultRule("create", parse_fault(fault), 2, 2)
    world = worlds(Scenario(faults=(rule,)))
    kind = {"401": openai.AuthenticationError, "lost": SubmissionUnknownError}[fault]
    error = job_error(world, kind, "server_error,completed", resubmit=1, metadata={"runoutcome_key": "job"})
    assert len(world.posts) == 2
    assert (error.key if fault == "lost" else error.run_key) == "job-2"


# Resuming


def interrupted(world: World, outcome: str, at_post: int = 1, **params: Any) -> str:
    """The token of a job that was killed right after one of its POSTs."""
    tokens: list[str] = []

    def kill(token: str) -> None:
        tokens.append(token)
        if len(tokens) == at_post:
            raise KeyboardInterrupt

    job_error(world, KeyboardInterrupt, outcome, on_submitted=kill, **params)
    return tokens[-1]


def test_a_resumed_job_begins_by_waiting(worlds: OpenWorld) -> None:
    """With `resume` the run that was going is waited for, and nothing is made."""
    world = worlds()
    token = interrupted(world, "completed")
    told: list[str] = []
    response = world.create_and_poll("completed", resume=token, on_submitting=told.append, on_submitted=told.append)
    assert response.id == loads(token).response_id
    assert (len(world.posts), told) == (1, [])


def test_a_resumed_job_goes_on_with_its_chain(worlds: OpenWorld) -> None:
    """The next run after a crash names the run of the token, and the attempts are numbered as before."""
    world = worlds()
    outcome = "server_error,server_error,server_error,completed"
    token = interrupted(world, outcome, at_post=2, resubmit=2)
    error = job_error(world, RunInternalServerError, outcome, resume=token, resubmit=2)
    first, second, third = world.emulator.runs
    assert links_of(world) == [None, first.id, second.id]
    assert [(attempt.number, attempt.response_id) for attempt in error.attempts] == [(2, second.id), (3, third.id)]
    assert error.attempts[0].key == second.runoutcome_key


@pytest.mark.parametrize(
    ("why", "policy"),
    [("time", ResubmitPolicy(9, max_seconds=100)), ("tokens", ResubmitPolicy(9, max_tokens=2000))],
    ids=["time", "tokens"],
)
def test_a_resumed_job_keeps_what_it_used(worlds: OpenWorld, why: str, policy: ResubmitPolicy) -> None:
    """Time and tokens count from the first run of the job, also over a crash: the token says what was used before."""
    world = worlds(Scenario(outcomes=(USED,)))
    token = interrupted(world, "used", at_post=2, resubmit=policy, poll_interval_ms=500)
    if why == "time":
        world.clock.advance(90)
    error = job_error(world, RunInternalServerError, "used", resume=token, resubmit=policy, poll_interval_ms=500)
    assert (len(world.posts), error.not_resubmitted) == (2, why)


def test_a_resumed_job_counts_the_attempts_before(worlds: OpenWorld) -> None:
    """`resubmit` bounds the whole job: what was used before the crash is not allowed again."""
    world = worlds()
    outcome = "server_error,server_error,server_error,completed"
    metadata = {"runoutcome_key": "job"}
    token = interrupted(world, outcome, at_post=2, resubmit=2, metadata=metadata)
    job_error(world, RunInternalServerError, outcome, resume=token, resubmit=2, metadata=metadata)
    assert keys_of(world.posts) == ["job-1", "job-2", "job-3"]


def test_a_resumed_job_goes_on_with_its_key(worlds: OpenWorld) -> None:
    """The key of the next attempt comes from the token, so that all attempts are found by one name."""
    world = worlds()
    token = interrupted(world, "server_error,completed", resubmit=1)
    assert world.create_and_poll("server_error,completed", resume=token, resubmit=1).status == "completed"
    first, second = (key or "" for key in keys_of(world.posts))
    assert (first[:-1], first[-1], second[-1]) == (second[:-1], "1", "2")


def test_a_bare_id_can_be_resumed(worlds: OpenWorld) -> None:
    """A job that only kept the id of its run goes on too, as its first attempt."""
    world = worlds()
    run_id = world.submitted("server_error")
    response = world.create_and_poll("completed", resume=run_id, resubmit=1)
    assert response.id != run_id
    assert len(world.posts) == 2


def test_a_resumed_run_that_is_gone_is_not_made_again(worlds: OpenWorld) -> None:
    """404 for the run of a token is `RunGoneError`: it was paid for, and may have completed."""
    world = worlds()
    token = ResumeToken("resp_vanished", world.clock.time(), "job-1").dumps()
    job_error(world, RunGoneError, "completed", resume=token, resubmit=5)
    assert world.posts == []


def test_the_window_goes_on_with_the_token(worlds: OpenWorld) -> None:
    """A resumed job has the deadline of its completion window, also if nobody says it again."""
    world = worlds()
    token = ResumeToken(world.submitted("stuck"), world.clock.time(), "job-1", "2h").dumps()
    job_error(world, WaitTimeoutError, "completed", resume=token, poll_interval_ms=100_000)
    assert 8999 <= world.elapsed <= 9000


@pytest.mark.parametrize("text", ["", "{", '{"runoutcome":9,"id":"x"}'])
def test_a_bad_token_makes_no_run(worlds: OpenWorld, text: str) -> None:
    """A `resume` that cannot be read is a ValueError, not a new run that is paid for."""
    world = worlds()
    job_error(world, ValueError, "completed", resume=text)
    assert world.emulator.requests == []


def test_the_parameters_of_the_user_are_not_changed(worlds: OpenWorld) -> None:
    """Metadata and headers are copied for each attempt."""
    world = worlds()
    metadata, headers = {"emulate": "server_error,completed"}, {"X-Mine": "1"}
    world.create_and_poll(metadata=metadata, extra_headers=headers, resubmit=1)
    assert (metadata, headers) == ({"emulate": "server_error,completed"}, {"X-Mine": "1"})


def test_a_resubmission_asks_the_same_again(worlds: OpenWorld) -> None:
    """Every attempt sends the same body but for the key."""
    world = worlds()
    world.create_and_poll("server_error,completed", resubmit=1, instructions="Be brief.", temperature=0.5)
    first, second = (dict(run.request) for run in world.emulator.runs)
    assert first.pop("metadata")["runoutcome_key"] != second.pop("metadata")["runoutcome_key"]
    assert first == second
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def test_the_first_poll_waits_for_its_delay(worlds: OpenWorld) -> None:
    """A run we made a moment ago is not asked about at once; its status is told from the create."""
    script = Script([reply(body_of("queued")), "completed"])
    world = worlds(answer=script)
    told: list[str | None] = []
    world.create_and_poll(on_update=lambda outcome: told.append(outcome.status))
    assert told == ["queued", "completed"]
    assert 0.4 <= world.sleeps[0] <= 0.6


def test_a_missing_run_after_the_grace_is_gone_with_a_token(worlds: OpenWorld) -> None:
    """A run whose id never becomes readable is gone, and its token is there."""

    def answer(request: Any) -> Any:
        return reply(body_of("queued")) if request.method == "POST" else refusal(404)

    error: Any = job_error(worlds(answer=answer), RunGoneError, "completed", resubmit=3)
    assert loads(error.run_token).response_id == "resp_1"


def test_on_timeout_cancel_does_not_resubmit(worlds: OpenWorld) -> None:
    """A job that was cancelled at its deadline is over."""
    world = worlds()
    job_error(world, WaitTimeoutError, "stuck,completed", resubmit=5, max_wait_seconds=5, on_timeout="cancel")
    assert words(world) == ["stuck"]
    assert world.status_of(world.emulator.runs[0].id) == "cancelled"
