"""`Telemetry`: an observer that makes spans and metrics of events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from opentelemetry import context as contexts
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_current_span,
    get_tracer,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .. import __version__
from .._operations.run_event import RunEvent
from . import _attributes as names
from ._metrics import Metrics

MAX_ENDED = 10_000
_QUIET = ("created", "abandoned", "interrupted")
"""Reasons to let a run go that are no errors."""
_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass
class _RunSpan:
    """The span of one run, while this process has to do with it."""

    span: Span
    began: float
    model: str | None
    attributes: names.Attributes
    """Those of its metrics that are known from the beginning."""
    is_ours: bool
    """This process submitted it."""
    waits: int = 1
    """Calls that have to do with it."""
    is_counted: bool = False
    """It is counted as in flight."""
    is_refused: bool = False


@dataclass
class _JobSpan:
    """The span of a job that may submit again."""

    span: Span
    runs: int = 0
    links: list[Link] = field(default_factory=list[Link])
    """To the run before, from the next."""
    error_type: str | None = None


class Telemetry:
    """An observer for `Runs(client, observer=Telemetry())` that makes spans and metrics; docs/telemetry.md.

    `tracer_provider` and `meter_provider` are the global ones by default. `provider_name` is the
    `gen_ai.provider.name`. `poll_spans` makes a span of each poll, too. Thread-safe; share one between several `Runs`.
    """

    __module__ = "runoutcome.otel"

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        provider_name: str = "openai",
        poll_spans: bool = False,
    ) -> None:
        self._tracer = get_tracer("runoutcome", __version__, tracer_provider)
        self._metrics = Metrics(meter_provider, __version__)
        self._provider_name, self._has_poll_spans = provider_name, poll_spans
        self._lock = Lock()
        self._submissions: dict[str, list[_RunSpan]] = {}
        """Creates without an answer, by their key, oldest first."""
        self._runs: dict[str, _RunSpan] = {}
        self._jobs: dict[str, _JobSpan] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        """Ids of runs whose end is recorded, so that another wait for one does not record it twice."""

    def __call__(self, event: RunEvent) -> str | None:
        """Record one event. Returns the `traceparent` of the run's span for `submitting`."""
        match event.kind:
            case "submitting":
                return self._submitting(event)
            case "submitted":
                self._submitted(event)
            case "waiting":
                self._waiting(event)
            case "polled":
                self._polled(event)
            case "ended" | "left":
                self._close(event)
            case _:
                self._note(event)
        return None

    def _submitting(self, event: RunEvent) -> str | None:
        with self._lock:
            run = next((run for run in self._submissions.get(event.key or "", ()) if run.is_refused), None)
        if run is None:
            run = self._begin(event, event.at, [], is_ours=True)
            with self._lock:
                self._submissions.setdefault(event.key or "", []).append(run)
        run.is_refused = False
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(run.span))
        return carrier.get("traceparent")

    def _submitted(self, event: RunEvent) -> None:
        run = self._pop_submission(event)
        if run is None or event.response_id is None:
            return
        with self._lock:
            self._runs[event.response_id] = run
        run.span.set_attribute(names.RESPONSE_ID, event.response_id)
        run.span.add_event("runoutcome.submitted", timestamp=_ns(event.at))
        self._count(run)
        job = self._job_of(event)
        if (event.attempt or 1) > 1:
            self._metrics.resubmit(run.attributes, job.error_type if job else None)

    def _waiting(self, event: RunEvent) -> None:
        with self._lock:
            run = self._runs.get(event.response_id or "")
            if run is not None:
                run.waits += 1
                return
        begun = self._begin(event, event.submitted_at or event.at, _links_to(event.trace), is_ours=False)
        with self._lock:
            run = self._runs.setdefault(event.response_id or "", begun)
            if run is not begun:  # another thread was quicker
                run.waits += 1
                return
        self._count(run)

    def _begin(self, event: RunEvent, began: float, links: Sequence[Link], *, is_ours: bool) -> _RunSpan:
        context = contexts.get_current()
        if event.job is not None:
            job = self._begin_job(event.job, began, event.model)
            context, links = set_span_in_context(job.span, context), [*links, *job.links]
            job.runs += 1
        attributes = names.of_request(self._provider_name, event.model)
        span = self._tracer.start_span(
            names.span_name(names.RUN, event.model),
            context,
            SpanKind.CLIENT,
            {
                names.OPERATION: names.RUN,
                **attributes,
                **names.of_api(self._provider_name),
                **({names.RESPONSE_ID: event.response_id} if event.response_id else {}),
                **({"runoutcome.attempt": event.attempt} if event.attempt else {}),
            },
            links,
            _ns(began),
        )
        return _RunSpan(span, began, event.model, attributes, is_ours)

    def _begin_job(self, name: str, began: float, model: str | None) -> _JobSpan:
        with self._lock:
            job = self._jobs.get(name)
        if job is None:
            job = _JobSpan(self._tracer.start_span(names.span_name("job", model), start_time=_ns(began)))
            with self._lock:
                self._jobs[name] = job
        return job

    def _count(self, run: _RunSpan) -> None:
        run.is_counted = True
        self._metrics.begin(run.attributes)

    def _polled(self, event: RunEvent) -> None:
        if not self._has_poll_spans or event.started_at is None:
            return
        run = self._run_of(event)
        context = set_span_in_context(run.span) if run else None
        attributes: names.Attributes = {
            names.OPERATION: names.FETCH,
            names.PROVIDER: self._provider_name,
            **names.of_body(event),
        }
        span = self._tracer.start_span(
            names.FETCH, context, SpanKind.CLIENT, attributes, start_time=_ns(event.started_at)
        )
        if event.error is not None:
            _fail(span, names.fault_of(event.error))
        span.end(_ns(event.at))

    def _note(self, event: RunEvent) -> None:
        run = self._run_of(event)
        if event.kind == "refused" and run is not None:
            run.is_refused = True
        if event.kind == "fault":
            self._metrics.fault(run.attributes if run else names.of_request(self._provider_name, None), event)
        job = self._jobs.get(event.job or "")
        span = job.span if event.kind == "resubmitting" and job else run.span if run else None
        if span is not None:
            error = {names.ERROR_TYPE: names.fault_of(event.error)} if event.error is not None else {}
            status = {names.STATUS: event.status} if event.status else {}
            reason = {names.REASON: event.reason} if event.reason else {}
            span.add_event(f"runoutcome.{event.kind}", {**error, **status, **reason}, _ns(event.at))

    def _close(self, event: RunEvent) -> None:
        run = self._pop_run(event) if event.response_id else self._pop_submission(event)
        if run is not None:
            if event.kind == "ended" and self._is_first_end(event):
                self._end(run, event)
            else:
                self._leave(run, event)
            if run.is_counted:
                self._metrics.stop(run.attributes)
            run.span.end(_ns(event.at))
        self._close_job(run, event)

    def _end(self, run: _RunSpan, event: RunEvent) -> None:
        outcome = event.outcome
        assert outcome is not None
        run.span.set_attributes(names.of_body(event))
        for kind in ("input", "output"):
            count = (outcome.usage or {}).get(f"{kind}_tokens")
            if count is not None:
                run.span.set_attribute(f"gen_ai.usage.{kind}_tokens", count)
        if not outcome.ok:
            _fail(run.span, names.failure_of(outcome), outcome.title)
        self._metrics.ended(run.attributes, event, event.submitted_at or run.began)

    def _leave(self, run: _RunSpan, event: RunEvent) -> None:
        """A run that this process does not see to its end, or whose end was recorded before."""
        operation = names.CREATE if run.is_ours else names.FETCH
        run.span.update_name(names.span_name(operation, run.model))
        run.span.set_attribute(names.OPERATION, operation)
        run.span.set_attributes(names.of_body(event))
        if event.kind == "left":
            run.span.set_attribute(names.REASON, event.reason or "")
            if event.reason not in _QUIET:
                _fail(run.span, type(event.error).__name__ if event.error else event.reason or "_OTHER")
            self._metrics.left(run.attributes, event)

    def _close_job(self, run: _RunSpan | None, event: RunEvent) -> None:
        with self._lock:
            job = self._jobs.get(event.job or "")
            is_over = event.kind == "left" or event.is_final
            if job is not None and is_over:
                del self._jobs[event.job or ""]
        if job is None:
            return
        outcome = event.outcome
        job.error_type = names.known_failure_of(outcome) if outcome is not None and not outcome.ok else None
        job.links = [Link(run.span.get_span_context())] if run else []
        if is_over:
            job.span.set_attribute("runoutcome.attempts", job.runs)
            if job.error_type is not None and outcome is not None:
                _fail(job.span, names.failure_of(outcome), outcome.title)
            job.span.end(_ns(event.at))

    def _run_of(self, event: RunEvent) -> _RunSpan | None:
        with self._lock:
            if event.response_id is not None:
                return self._runs.get(event.response_id)
            return next(iter(self._submissions.get(event.key or "", ())), None)

    def _pop_run(self, event: RunEvent) -> _RunSpan | None:
        """Take the run out, unless another call waits for it still and its end is not known."""
        with self._lock:
            run = self._runs.get(event.response_id or "")
            if run is None:
                return None
            run.waits -= 1
            if run.waits and event.kind == "left":
                return None
            return self._runs.pop(event.response_id or "")

    def _pop_submission(self, event: RunEvent) -> _RunSpan | None:
        with self._lock:
            waiting = self._submissions.get(event.key or "", [])
            run = waiting.pop(0) if waiting else None
            if not waiting:
                self._submissions.pop(event.key or "", None)
            return run

    def _job_of(self, event: RunEvent) -> _JobSpan | None:
        with self._lock:
            return self._jobs.get((event.key or "").rpartition("-")[0])

    def _is_first_end(self, event: RunEvent) -> bool:
        with self._lock:
            if event.response_id in self._ended:
                return False
            self._ended[event.response_id or ""] = None
            if len(self._ended) > MAX_ENDED:
                self._ended.popitem(last=False)
            return True


def _links_to(trace: str | None) -> list[Link]:
    if trace is None:
        return []
    return [Link(get_current_span(_PROPAGATOR.extract({"traceparent": trace}, contexts.Context())).get_span_context())]


def _fail(span: Span, error_type: str, description: str | None = None) -> None:
    span.set_attribute(names.ERROR_TYPE, error_type)
    span.set_status(Status(StatusCode.ERROR, description))


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
