"""The steps of one job: submit a run, wait for it, and make it again where the policy allows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import _sdk, _wait
from ._effects import Pause, Steps, Tell
from ._exception_bases import RunError
from ._poll import Wait, carrying, jitter, poll, seen_by_caller, state_of
from ._resubmit import ResubmitBudget, resubmit_delay
from ._submit import attempt_key, base_key, prepare, split_key, submit
from ._token import ResumeToken


@dataclass(frozen=True)
class Job:
    """What one job was asked for."""

    params: Mapping[str, Any] = field(repr=False)
    wait: Wait
    resubmit: int
    """Further runs that may be made after the first."""
    budget: ResubmitBudget
    max_retries: int
    window: str | None = None
    key: str | None = None
    on_submitting: Callable[[str], Any] | None = None
    on_refused: Callable[[str], Any] | None = None
    on_submitted: Callable[[str], Any] | None = None


def run_job(job: Job, token: ResumeToken | None = None) -> Steps[_sdk.Response]:
    """Steps of one job; gives the SDK's response. With a `token` they begin by waiting for that run.

    One deadline covers the wait, the resubmissions and the pauses before them. A POST in flight is never cut by it:
    that would make a paid run nobody can find.
    """
    clock, policy = job.wait.clock, job.wait.policy
    started = clock.monotonic()
    base, attempt = _continue_from(token, job)
    response: Any = None
    while True:
        if token is None:
            token, response = yield from _submit_attempt(job, attempt_key(base, attempt))
        state = state_of(clock, token, known=True, started=started)
        first = seen_by_caller(response, job.wait.catalog) if response is not None else None
        try:
            return (yield from poll(job.wait, token, state, first, just_created=first is not None))
        except RunError as error:
            left = _wait.remaining(policy, state, clock.monotonic())
            delay = _delay_before_next(job, error, attempt, left)
            if delay is None:
                raise
        with carrying(token.dumps()):
            yield Pause(delay)
        token, attempt = None, attempt + 1


def _submit_attempt(job: Job, key: str) -> Steps[tuple[ResumeToken, Any]]:
    params = prepare(job.params, key)
    response = yield from submit(params, key, job.max_retries, job.on_submitting, job.on_refused)
    token = ResumeToken(response.id, job.wait.clock.time(), key, job.window)
    if job.on_submitted is not None:
        with carrying(token.dumps()):
            yield Tell(job.on_submitted, token.dumps())
    return token, response


def _delay_before_next(job: Job, error: RunError, attempt: int, left: float | None) -> float | None:
    """Seconds until the run is made again; None where the policy, the time or the budget says no."""
    if attempt > job.resubmit:
        return None
    delay = resubmit_delay(error.outcome, attempt=attempt, jitter=jitter())
    if delay is None or (left is not None and delay >= left):
        return None
    return delay if job.budget.take(job.wait.clock.monotonic()) else None


def _continue_from(token: ResumeToken | None, job: Job) -> tuple[str, int]:
    """The base of the job's keys, and the number of the attempt that is going or comes next."""
    return (split_key(token.key) if token else None) or (base_key(job.params, job.key), 1)
