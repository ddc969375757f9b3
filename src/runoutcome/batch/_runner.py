"""Runs the jobs of a batch: so many at once, resumable, with a report of each."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from .. import _sdk
from .._checks import check_finite_number, check_whole_number
from .._errors.bases import RunError, WaitError
from .._errors.exceptions import RunGoneError, SubmissionUnknownError
from .._errors.raising import Require, check_require, class_for
from .._errors.retryable import retry_after
from .._operations.interrupts import tell
from .._operations.submit import split_key
from .._outcome.classify import classify
from .._outcome.outcome import Outcome
from .._runs.aio import AsyncRuns, clock_of, with_answers
from .._runs.options import AUTO, MaxWait
from .._waiting.attempts import Attempt
from .._waiting.resume_token import loads
from ._budget import Budget
from ._jobs import JobLine, check_sendable
from ._refusals import (
    QUOTA_FAILURES_IN_A_ROW,
    Stop,
    describe,
    is_empty_account,
    is_limited,
    is_refused_for_now,
    stop_of,
)
from ._rows import output_text, refused_outcome, refused_row, run_row
from ._store import Past, Store
from ._submit_gate import SubmitGate
from ._submit_limits import Demand, opened, tokens_of

End = Literal["finished", "unfinished", "held", "not_submitted"]
"""`finished` has a result line. `unfinished` goes on. `held` may have been submitted. `not_submitted` was not."""
Step = Literal["submitting", "queued", "in_progress", "resubmitting", "ended"]

HELD = (
    "its last POST may have gone through without an answer; look for its runoutcome_key in the provider's logs, "
    "then run again with --ambiguous resubmit if there is no such run"
)


@dataclass(frozen=True)
class BatchOptions:
    """Options of a batch."""

    __module__ = "runoutcome.batch"

    concurrency: int = 16
    """Runs in flight at once."""
    resubmit: int = 2
    """Further runs a job may get when its run fails in a way that is retryable."""
    max_wait_seconds: MaxWait = AUTO
    """Seconds for one job, its resubmissions included."""
    on_ambiguous: Literal["hold", "resubmit"] = "hold"
    """Policy for a job whose last POST may have gone through, or whose run is gone: leave it alone, or run it again."""
    require: Require | None = None
    """With "output", a completed run that holds only a refusal, or nothing, has failed (see `raise_for_status`)."""

    requests_per_minute: float | None = None
    """Creates within a minute, spread evenly. None goes by the `x-ratelimit-*` headers of the API, if it sends them."""
    tokens_per_minute: float | None = None
    """The same for tokens: one for each 4 characters of the input, and `max_output_tokens`."""
    max_submits: int = 8
    """Creates without an answer at once. The `max_submits_in_flight` of the `AsyncRuns` applies as well."""

    max_tokens_spent: int | None = None
    """Tokens that all runs of the batch may use, over all calls. Near it a run is made only if there is room for the
    mean usage of each run in flight and of itself."""
    stop_after_failures: int | None = None
    """Runs that end one after the other by the same failure before nothing more is submitted."""

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ValueError(f"concurrency is the number of runs in flight at once, 1 or more; got {self.concurrency}")
        check_whole_number(self.max_submits, "max_submits is the number of creates at once, 1 or more", least=1)
        for name in ("max_tokens_spent", "stop_after_failures"):
            if (limit := getattr(self, name)) is not None:
                check_whole_number(limit, f"{name} is a whole number, 1 or more, or None", least=1)
        for name in ("requests_per_minute", "tokens_per_minute"):
            if (limit := getattr(self, name)) is not None:
                check_finite_number(limit, f"{name} is a number above 0, or None", is_above=True)
        check_require(self.require)


@dataclass(frozen=True)
class JobReport:
    """The end of one job."""

    __module__ = "runoutcome.batch"

    job: JobLine
    end: End
    outcome: Outcome | None = None
    exception: str | None = None
    """Name of the exception class for the run, or of the request's error; None for a completed run."""
    detail: str = ""
    """Message of the exception."""
    response_id: str | None = None
    attempts: int = 1
    faults: tuple[str, ...] = ()
    """Poll faults that the job survived, by class name or HTTP status."""
    partial_output: str = ""
    key: str | None = None
    """Key of a held job's POST, to find its run in the provider's logs."""
    retry_after: float | None = None
    """Seconds that the server asked to wait before the job is submitted."""
    stop: Stop | None = None
    """Reason why nothing more was submitted after this job."""
    earlier: tuple[str, ...] = ()
    """Ends of the runs before the last one: exception class and code."""


@dataclass(frozen=True)
class Progress:
    """One step of a job; `report` is set at its end only."""

    __module__ = "runoutcome.batch"

    job: JobLine
    step: Step
    report: JobReport | None = None


async def run_batch(
    jobs: Iterable[JobLine],
    runs: AsyncRuns,
    store: Store,
    options: BatchOptions,
    on_progress: Callable[[Progress], None],
    stop: asyncio.Event,
) -> list[JobReport]:
    """Run every job that has no result yet, and return a report of each, in the order they ended.

    When `stop` is set nothing more is submitted; a POST in flight is waited for, then the runs are left alone.
    Creates keep to the limits of `options`. A 429 holds all of them back, and its job is submitted again.
    After an error that concerns every job (401, 403, no such route, an empty account, a long `Retry-After`, no
    connection) nothing more is submitted either, nor after two minutes in which a 429 refused every create. An
    exception, of a full disk for instance, carries `run_tokens`: the resume tokens, by custom_id, of runs that were
    made and could not be noted.
    """
    batch = _Batch.open(runs, store, options, on_progress, stop)
    pending = sorted(
        (job for job in jobs if job.custom_id not in store.finished), key=lambda job: job.custom_id not in store.past
    )
    queue = iter(pending)
    workers = [asyncio.ensure_future(batch.work(queue)) for _ in range(min(options.concurrency, len(pending)))]
    stopper = asyncio.ensure_future(batch.stop_workers(workers))
    try:
        results = await asyncio.gather(*workers, return_exceptions=True)
    finally:
        stopper.cancel()
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            tell(result, "run_tokens", batch.unnoted)
            raise result
    ended = {report.job.custom_id for report in batch.reports}
    return [*batch.reports, *(batch.report_left(job) for job in pending if job.custom_id not in ended)]


@dataclass
class _Batch:
    """The state that the workers of one batch share. They run in one thread, so it needs no lock."""

    runs: AsyncRuns
    store: Store
    options: BatchOptions
    on_progress: Callable[[Progress], None]
    stop: asyncio.Event
    gate: SubmitGate = field(init=False)
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    halted: bool = False
    quota_failures: int = 0
    """Runs that ended for want of quota since the last that ended otherwise."""
    failures: tuple[str, int] = ("", 0)
    """The last failure, by class and code, and how many runs in a row ended by it."""
    posting: set[str] = field(default_factory=set)
    unnoted: dict[str, str] = field(default_factory=dict)
    """Tokens of runs whose line could not be written, by custom_id."""
    reports: list[JobReport] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        runs: AsyncRuns,
        store: Store,
        options: BatchOptions,
        on_progress: Callable[[Progress], None],
        stop: asyncio.Event,
    ) -> "_Batch":
        """Return a batch with the gate before its creates."""
        batch, clock = cls(runs, store, options, on_progress, stop), clock_of(runs)
        limits = (options.requests_per_minute, options.tokens_per_minute)
        state = opened(options.concurrency, options.max_submits, *limits, now=clock.monotonic())
        budget = Budget(options.max_tokens_spent, *store.spent)
        batch.gate = SubmitGate(state, budget, clock, lambda: batch.is_closed)
        batch.runs = with_answers(runs, batch.gate.answer)
        return batch

    async def work(self, queue: Iterable[JobLine]) -> None:
        for job in queue:
            past = self.store.past.get(job.custom_id)
            if past is not None and past.token is None and past.event == "submitting":
                if self.options.on_ambiguous == "hold":
                    self._end(self.report_left(job))
                    continue
                past = None
            if self.stop.is_set() or (self.halted and (past is None or past.token is None)):
                continue  # it stays as it is; a run that is going is still waited for after a refusal
            try:
                report = await self._run(job, past)
                if report.exception == RunGoneError.__name__ and self.options.on_ambiguous == "resubmit":
                    report = await self._run(job, None)
                self._end(report)
            except Exception:
                self._halt()  # a full disk, a broken client: nothing more is paid for
                raise

    async def stop_workers(self, workers: Sequence[asyncio.Future[None]]) -> None:
        await self.stop.wait()
        # A POST that is cut off leaves a paid run without an id: give those in flight time for their answer.
        for _ in range(150):
            if not self.posting:
                break
            await asyncio.sleep(0.1)
        for worker in workers:
            worker.cancel()

    @property
    def is_closed(self) -> bool:
        """True if nothing more is submitted."""
        return self.halted or self.stop.is_set()

    def _fails_too_often(self, report: JobReport) -> bool:
        most, outcome = self.options.stop_after_failures, report.outcome
        kind = f"{report.exception} {outcome.label}" if report.exception and outcome else ""
        self.failures = (kind, self.failures[1] + 1 if kind == self.failures[0] else 1)
        return bool(kind) and most is not None and self.failures[1] >= most

    def _spent(self) -> str:
        budget = self.gate.budget
        open_runs = f", and {budget.open} more may have been paid for" if budget.open else ""
        return f"{budget.spent} of {budget.limit} tokens are spent{open_runs}."

    def _halt(self) -> None:
        self.halted = True
        self.gate.look_again()

    def report_left(self, job: JobLine) -> JobReport:
        """Return the report of a job that nothing is done about now."""
        past, end = self.store.past.get(job.custom_id), self.state_of(job)
        if end != "held" or past is None:
            return JobReport(job, end)
        return JobReport(job, end, exception="SubmissionUnknownError", detail=HELD, key=past.key)

    def state_of(self, job: JobLine) -> End:
        past = self.store.past.get(job.custom_id)
        if past is not None and past.token is not None:
            return "unfinished"
        return "held" if past is not None and past.event == "submitting" else "not_submitted"

    async def _run(self, job: JobLine, past: Past | None) -> JobReport:
        while True:
            try:
                return await self._try(job, past)
            except _LimitedError:
                past = self.store.past.get(job.custom_id)

    async def _try(self, job: JobLine, past: Past | None) -> JobReport:
        going = split_key(loads(past.token).key) if past and past.token else None
        record = _JobRecord(self, job, attempts=going[1] if going else 1)
        try:
            response = await self._response(record, past)
        except (RunError, RunGoneError, WaitError) as error:
            return await self._not_completed(record, error)
        except Exception as error:  # noqa: BLE001 - raised again unless it belongs to this job alone
            return await self._not_submitted(record, error)
        finally:
            self.posting.discard(job.custom_id)
            record.settle()
        outcome = classify(response, catalog=self.runs.catalog)
        return await self._finished(record, response, outcome, None)

    async def _response(self, record: "_JobRecord", past: Past | None) -> _sdk.Response:
        job, body = record.job, dict(record.job.body)
        if past is not None and past.token is not None and past.event != "refused":  # else that run has ended
            self.gate.begin(job.custom_id, is_new=False)
        check_sendable(job.custom_id, body)
        metadata = body.pop("metadata", None) or {}
        window = (body.get("background_options") or {}).get("completion_window")
        return await self.runs.create_and_poll(
            key=None if "runoutcome_key" in metadata else f"{self.nonce}/{_short_name(job.custom_id)}",
            resume=past.token if past else None,
            resubmit=self.options.resubmit,
            require=self.options.require,
            max_wait_seconds=self.options.max_wait_seconds,
            completion_window=window if isinstance(window, str) else None,
            on_submitting=record.submitting,
            on_refused=record.refused,
            on_submitted=record.submitted,
            on_resubmitting=record.resubmitting,
            on_update=record.update,
            on_fault=record.fault,
            metadata=metadata,
            # As it stands in the file: the installed SDK may not know every key, nor should it change any.
            extra_body=body,
        )

    async def _not_completed(self, record: "_JobRecord", error: RunError | RunGoneError | WaitError) -> JobReport:
        """Report a run that did not complete: one that ended gets its line; one that may be going gets none."""
        if isinstance(error, (SubmissionUnknownError, RunGoneError)):
            with suppress(OSError):  # on a full disk, the next start notes it
                await self.store.note(record.job, "gone" if isinstance(error, RunGoneError) else "unknown")
            # A run that is gone gets no result line either: with another key or on another server it may exist.
            return record.report("held", error, None)
        if isinstance(error, WaitError) or error.phase != "terminal":
            return record.report("unfinished", error, error.outcome)
        return await self._finished(record, error.run, error.outcome, error)

    async def _finished(self, record: "_JobRecord", run: object, outcome: Outcome, error: RunError | None) -> JobReport:
        """Report a run that ended. A body of which no line can be made leaves its job unfinished, and it alone."""
        try:
            commit = self.store.add_result(run_row(record.job, run, outcome, error, record.attempts))
        except OSError:
            raise
        except Exception as unwritable:  # noqa: BLE001 - the body of one run may break the SDK's model or JSON
            return record.report("unfinished", unwritable, outcome)
        await commit
        return record.report("finished", error, outcome)

    async def _not_submitted(self, record: "_JobRecord", error: Exception) -> JobReport:
        """Report a job whose last POST made no run, or was not sent. Raises errors that concern the whole batch."""
        if isinstance(error, _NoMoreRunsError):
            end = self.state_of(record.job)
            if self.gate.is_spent and not self.is_closed:
                return replace(record.report(end, None, None, "spent"), detail=self._spent())
            return self.report_left(record.job) if end == "held" else record.report(end, None, None)
        if isinstance(error, UnicodeEncodeError):
            return record.report("not_submitted", error, None)
        if isinstance(error, (_sdk.APIStatusError, _sdk.APIConnectionError)):
            return await self._refused(record, error)
        if getattr(error, "run_token", None) is not None and not isinstance(error, OSError):
            return record.report("unfinished", error, None)  # something about this run, which goes on
        if getattr(error, "run_key", None) is None:
            raise error
        return record.report("held", error, None, "broken")  # by a hook of the client: it would break the next POST too

    async def _refused(self, record: "_JobRecord", error: _sdk.APIStatusError | _sdk.APIConnectionError) -> JobReport:
        if getattr(error, "run_token", None) is not None:  # a poll was refused: the run goes on
            return record.report("unfinished", error, None, "refused")
        outcome = refused_outcome(record.job, error, self.runs.catalog)
        stop = stop_of(error, outcome)
        if stop is None and is_limited(error) and not self.is_closed:
            if not self.gate.is_limited_for_long:
                raise _LimitedError
            stop = "limited"
        if stop or is_refused_for_now(error, outcome):
            return record.report("not_submitted", error, outcome, stop)
        await self.store.add_result(refused_row(record.job, error, outcome, record.attempts))
        return record.report("finished", error, outcome)

    def _end(self, report: JobReport) -> None:
        if report.end == "finished" and report.outcome is not None:
            self.quota_failures = self.quota_failures + 1 if is_empty_account(report.outcome) else 0
            if self.quota_failures >= QUOTA_FAILURES_IN_A_ROW:
                report = replace(report, stop="refused")
            elif self._fails_too_often(report):
                report = replace(report, stop="failing")
        if report.stop is not None:
            self._halt()
        self.reports.append(report)
        self.on_progress(Progress(report.job, "ended", report))


class _LimitedError(Exception):
    """The create of a job was refused for now, by a rate limit; no other reason would keep it from being made later."""


class _NoMoreRunsError(Exception):
    """Stops a POST after the batch has been closed."""


class _JobRecord:
    """Notes of one job while it runs; its methods are the callbacks of the wait."""

    def __init__(self, batch: _Batch, job: JobLine, attempts: int) -> None:
        self.job = job
        self.attempts = attempts
        self._batch = batch
        self._faults: list[str] = []
        self._endings: list[str] = []
        self._response_id: str | None = None
        self._key: str | None = None
        """Key of the last create that the gate let through."""
        self._demand = Demand(model if isinstance(model := job.body.get("model"), str) else "", tokens_of(job.body))

    async def submitting(self, key: str) -> None:
        if not await self._batch.gate.enter(key, self._demand):
            raise _NoMoreRunsError
        self._key = key
        self.attempts = (split_key(key) or (key, 1))[1]
        self._batch.posting.add(self.job.custom_id)
        try:
            await self._batch.store.note(self.job, "submitting", key=key)
        except asyncio.CancelledError:
            self._batch.store.note(self.job, "refused", key=key)  # nothing was sent
            self._batch.gate.withdraw(key)
            raise
        if self._batch.is_closed:  # in the meantime
            self._batch.gate.withdraw(key)
            await self._batch.store.note(self.job, "refused", key=key)
            raise _NoMoreRunsError
        self._batch.on_progress(Progress(self.job, "submitting" if self.attempts == 1 else "resubmitting"))

    async def refused(self, key: str) -> None:
        await self._batch.store.note(self.job, "refused", key=key)
        self._batch.posting.discard(self.job.custom_id)
        self._batch.gate.withdraw(key)

    async def submitted(self, token: str) -> None:
        self._batch.gate.begin(self.job.custom_id, is_new=True)
        self._batch.unnoted[self.job.custom_id] = token
        await self._batch.store.note(self.job, "submitted", token=token)
        del self._batch.unnoted[self.job.custom_id]
        self._batch.posting.discard(self.job.custom_id)

    async def resubmitting(self, attempt: Attempt) -> None:
        exception = class_for(attempt.outcome).__name__ if attempt.outcome is not None else None
        await self._batch.store.note_ended(self.job, attempt, exception)

    def update(self, outcome: Outcome) -> None:
        self._response_id = outcome.response_id
        if outcome.phase == "terminal":
            self._batch.gate.end(self.job.custom_id, outcome)
        if outcome.phase == "terminal" and not outcome.ok:
            self._endings.append(f"{class_for(outcome).__name__} {outcome.label}")
        if outcome.phase == "pending":
            self._batch.on_progress(Progress(self.job, "queued" if outcome.status == "queued" else "in_progress"))

    def fault(self, error: BaseException) -> None:
        status = getattr(error, "status_code", None)
        self._faults.append(f"HTTP {status}" if status is not None else str(error) or type(error).__name__)

    def settle(self) -> None:
        """Let others submit in the place of this job."""
        if self._key is not None:
            self._batch.gate.settle(self._key)
        self._batch.gate.end(self.job.custom_id)

    def report(
        self, end: End, error: BaseException | None, outcome: Outcome | None, stop: Stop | None = None
    ) -> JobReport:
        ended_badly = isinstance(error, RunError) and end == "finished"
        response_id = (outcome.response_id if outcome else None) or self._response_id
        return JobReport(
            self.job,
            end,
            outcome,
            exception=type(error).__name__ if error is not None else None,
            detail=_detail(error),
            response_id=response_id or getattr(error, "response_id", None),
            attempts=self.attempts,
            faults=tuple(self._faults),
            partial_output=output_text(getattr(error, "run", None)) or "",
            key=getattr(error, "key", None) or getattr(error, "run_key", None),
            retry_after=_wish(error, outcome) if end == "not_submitted" else None,
            stop=stop,
            earlier=tuple(self._endings[:-1] if ended_badly else self._endings),
        )


def _detail(error: BaseException | None) -> str:
    if error is None:
        return ""
    return describe(error) if isinstance(error, (_sdk.APIStatusError, _sdk.APIConnectionError)) else str(error)


def _wish(error: BaseException | None, outcome: Outcome | None) -> float | None:
    """Return the seconds that a refusal asks to wait, by its headers or its body."""
    wishes = [retry_after(error) if error else None, outcome.retry_after_requested if outcome else None]
    return max((wish for wish in wishes if wish is not None), default=None)


def _short_name(custom_id: str) -> str:
    """Return a name of the job for its key: a key is metadata and a header, so its length is limited."""
    text = custom_id.encode("utf-8", "surrogatepass")
    if len(text) <= 120:
        return custom_id
    return f"{text[:100].decode('utf-8', 'ignore')}~{hashlib.sha256(text).hexdigest()[:16]}"
