"""One job: submit a run, wait for it, and submit again where the policy allows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .. import _sdk
from .._catalog.catalog import Catalog
from .._errors.bases import RunError
from .._outcome.body import look, word
from .._sdk.structured_output import TextFormat
from .._waiting import polling as _wait
from .._waiting.attempts import Attempt
from .._waiting.resubmit import Again, NotAgain, ResubmitBudget, ResubmitPolicy, Used, decide
from .._waiting.resume_token import ResumeToken
from .effects import Pause, Steps, Tell
from .events import Events, Submission
from .interrupts import carrying, recounting, stopping
from .observation import finish, in_form, observe
from .own_body import key_in
from .poll import Wait, jitter, poll_to_end, state_of, time_left_of
from .submit import attempt_key, include_of, split_key, submit, with_key


@dataclass(frozen=True)
class Job:
    """Settings of one job."""

    params: Mapping[str, Any] = field(repr=False)
    """Parameters of each create, without the key."""
    key: str
    """Common beginning of the keys of its runs."""
    wait: Wait
    resubmit: ResubmitPolicy
    budget: ResubmitBudget
    max_retries: int
    window: str | None = None
    on_submitting: Callable[[str], Any] | None = None
    on_refused: Callable[[str], Any] | None = None
    on_submitted: Callable[[str], Any] | None = None
    on_resubmitting: Callable[[Attempt], Any] | None = None

    def name_of(self, progress: _Progress) -> str | None:
        """The name of the job for the observer; None if it submits no run again."""
        return progress.base if self.resubmit.max_resubmissions else None


@dataclass(frozen=True)
class _Progress:
    """Progress of a job."""

    base: str
    """Common beginning of the keys of its runs."""
    number: int
    """The attempt that is going, or comes next."""
    began: float
    """Time of the first submission, by the monotonic clock."""
    began_at: float
    """The same in seconds since the epoch, for a job that goes on elsewhere."""
    tokens: int = 0
    """Tokens used by the runs that ended, as far as that is known."""
    ended: tuple[Attempt, ...] = ()
    """Runs that have ended; of a resumed job, those that ended since."""

    @property
    def key(self) -> str:
        return attempt_key(self.base, self.number)

    def after(self, attempt: Attempt) -> _Progress:
        tokens = self.tokens + (attempt.total_tokens or 0)
        return replace(self, number=self.number + 1, tokens=tokens, ended=(*self.ended, attempt))


def run_job(job: Job, token: ResumeToken | None = None) -> Steps[_sdk.Response]:
    """Steps of one job; gives the SDK's response. With a `token` they begin by waiting for that run.

    One deadline covers the wait, the resubmissions and the pauses before them. A POST in flight is never cut by it:
    that would make a paid run that cannot be found.
    """
    events, started = job.wait.events, job.wait.clock.monotonic()
    progress = _begin(job, token)
    response: Any = None
    while True:
        with recounting(progress.ended):
            if token is None:
                token, response = yield from _submit_attempt(job, progress, started)
            else:
                events.tell("waiting", token, job=job.name_of(progress))
            state = state_of(job.wait.clock, token, known=True, started=started)
            first = observe(response, job.wait.catalog) if response is not None else None
            with events.leaving(token, job.name_of(progress)):
                end = yield from poll_to_end(job.wait, token, state, first, just_created=first is not None)
            is_final = True
            try:
                with carrying(token.dumps()):
                    return finish(job.wait.expected, end, token.dumps())
            except RunError as error:
                progress, delay = _after(job, progress, token, state, error)
                if delay is None:
                    raise
                is_final = False
            finally:
                events.tell_end(token, end, job.name_of(progress), is_final=is_final)
        next_run = _submission(job, progress)
        with carrying(token.dumps()), recounting(progress.ended), next_run:
            next_run.tell_resubmitting(progress.ended[-1].response_id)
            if job.on_resubmitting is not None:
                yield Tell(job.on_resubmitting, progress.ended[-1])
            yield Pause(delay)
        token = None


def created(
    job_params: Mapping[str, Any],
    key: str,
    max_retries: int,
    text_format: TextFormat | None,
    catalog: Catalog,
    events: Events,
) -> Steps[_sdk.Response]:
    """Steps of submitting one run without a wait; gives the SDK's response."""
    submission = Submission(key, events)
    response = yield from submit(job_params, key, max_retries, submission=submission)
    token = ResumeToken(response.id, None, key, trace=submission.trace, include=include_of(job_params))
    with carrying(token.dumps()):
        seen = observe(response, catalog)
        status = seen.outcome.status
        events.tell("submitted", token, status=status)
        if seen.outcome.phase == "terminal":
            events.tell_end(token, seen)
        else:
            events.tell("left", token, status=status, reason="created")
    return in_form(text_format, response, seen.outcome, token.dumps())


def _submission(job: Job, progress: _Progress, *, is_open: bool = False) -> Submission:
    return Submission(progress.key, job.wait.events, job.name_of(progress), is_open)


def _submit_attempt(job: Job, progress: _Progress, started: float) -> Steps[tuple[ResumeToken, Any]]:
    previous = progress.ended[-1].response_id if progress.ended else None
    params = with_key(job.params, progress.key, previous)
    time_left = time_left_of(job.wait, started)
    submission = _submission(job, progress, is_open=progress.number > 1)
    response = yield from submit(
        params,
        progress.key,
        job.max_retries,
        job.on_submitting,
        job.on_refused,
        time_left=time_left,
        submission=submission,
    )
    now = job.wait.clock.time()
    include = include_of(params)
    token = ResumeToken(response.id, now, progress.key, job.window, trace=submission.trace, include=include)
    if progress.number > 1:
        token = replace(token, first_submitted_at=progress.began_at, spent_tokens=progress.tokens)
    job.wait.known.add(token)
    with carrying(token.dumps()), job.wait.events.leaving(token, job.name_of(progress)):
        status = word(look(response, "status"))
        job.wait.events.tell("submitted", token, previous_response_id=previous, status=status)
        if job.on_submitted is not None:
            telling = _call(job.on_submitted, token.dumps())
            yield from stopping(job.wait.on_interrupt, token, telling, job.wait.events)
    return token, response


def _call(function: Callable[[str], Any], token: str) -> Steps[None]:
    yield Tell(function, token)


def _begin(job: Job, token: ResumeToken | None) -> _Progress:
    """The progress at the start of the job, or when the run of `token` was submitted."""
    base, number = (split_key(token.key) if token else None) or (job.key, 1)
    clock = job.wait.clock
    now, now_at = clock.monotonic(), clock.time()
    submitted_at = (token.first_submitted_at or token.submitted_at) if token else None
    began_at = now_at if submitted_at is None else min(submitted_at, now_at)
    return _Progress(base, number, now - (now_at - began_at), began_at, token.spent_tokens if token else 0)


def _after(
    job: Job, progress: _Progress, token: ResumeToken, state: _wait.WaitState, error: RunError
) -> tuple[_Progress, float | None]:
    """The progress after a run that ended so, and the seconds until the next run; None if there is none."""
    if error.outcome.phase != "terminal":
        return progress, None
    body_id = error.outcome.body_id
    is_own = body_id is None or (token.key is not None and key_in(error.run) == token.key)
    progress = progress.after(Attempt.of(progress.number, token.key, error.outcome))
    error.attempts = progress.ended
    job.budget.spend(progress.ended[-1].total_tokens or 0)
    now = job.wait.clock.monotonic()
    left = _wait.remaining(job.wait.policy, state, now)
    used = Used(progress.ended[-1].number, now - progress.began, progress.tokens, left)
    if job.resubmit.max_resubmissions and error.retryable and not is_own:
        error.not_resubmitted = "identity"
        return progress, None
    match decide(job.resubmit, job.budget, error.outcome, used, now, jitter=jitter()):
        case Again(delay):
            return progress, delay
        case NotAgain(why):
            error.not_resubmitted = why
            return progress, None
