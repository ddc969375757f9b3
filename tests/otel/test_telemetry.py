"""Spans and metrics of runs, read from the real SDK's exporters, in both colours."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from colours import COLOURS, PARAMS, OpenWorld, Script, World, body_of, open_worlds, refusal, reply
from runoutcome import RunError, RunEvent, SubmissionUnknownError, WaitTimeoutError
from runoutcome._waiting.resume_token import loads
from runoutcome.otel import Telemetry
from runoutcome.testing import OutcomeScript, Scenario, parse_fault

worlds = pytest.fixture(params=COLOURS)(open_worlds)
SHORT = {"queued_seconds": 0.0, "running_seconds": 0.05}
MODEL = PARAMS["model"]


class Backend:
    """One process: its tracer, its meter, and what they exported."""

    def __init__(self, world: World, **options: Any) -> None:
        self.spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        meters = MeterProvider([self._reader])
        self.telemetry = Telemetry(tracer_provider=self.tracers, meter_provider=meters, **options)
        self.tracer = self.tracers.get_tracer("user")
        make = type(world).runs
        world.runs = lambda client, **extra: make(world, client, observer=self.telemetry, **extra)  # type: ignore[method-assign]

    def named(self, name: str) -> list[ReadableSpan]:
        """The finished spans with this name."""
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    def points(self, name: str) -> list[Any]:
        """The data points of an instrument."""
        data = self._reader.get_metrics_data()
        metrics = [
            metric
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]

    def total(self, name: str) -> float:
        """The sum over all attributes of a counter."""
        return sum(point.value for point in self.points(name))


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span."""
    return dict(span.attributes or {})


def event_names(span: ReadableSpan) -> list[str]:
    """The names of the events of a span."""
    return [event.name for event in span.events]


def test_one_span_for_a_run(worlds: OpenWorld) -> None:
    """A completed run is one span, from its create to its end, with the attributes of the conventions."""
    world = worlds()
    backend = Backend(world)
    response = world.create_and_poll(max_wait_seconds=None)
    (span,) = backend.spans.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == (f"chat {MODEL}", SpanKind.CLIENT, StatusCode.UNSET)
    values = attributes(span)
    assert values["gen_ai.operation.name"] == "chat"
    assert values["gen_ai.provider.name"] == "openai"
    assert values["openai.api.type"] == "responses"
    assert values["gen_ai.request.model"] == MODEL
    assert values["gen_ai.response.model"] == response.model
    assert values["gen_ai.response.id"] == response.id
    assert values["gen_ai.response.status"] == "completed"
    assert values["gen_ai.usage.input_tokens"] == response.usage.input_tokens
    assert values["gen_ai.usage.output_tokens"] == response.usage.output_tokens
    assert "error.type" not in values
    assert event_names(span)[:2] == ["runoutcome.submitted", "runoutcome.changed"]
    assert span.start_time is not None
    assert span.end_time is not None
    assert (span.end_time - span.start_time) / 1e9 == pytest.approx(world.elapsed, abs=0.001)


def test_the_metrics_of_a_run(worlds: OpenWorld) -> None:
    """Duration, tokens, spend and lag have a value each; nothing is in flight at the end."""
    world = worlds()
    backend = Backend(world)
    response = world.create_and_poll(max_wait_seconds=None)
    (duration,) = backend.points("gen_ai.client.operation.duration")
    assert duration.sum == pytest.approx(world.elapsed, abs=0.001)
    assert duration.attributes == {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": response.model,
        "gen_ai.operation.name": "chat",
    }
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in backend.points("gen_ai.client.token.usage")}
    assert tokens == {"input": response.usage.input_tokens, "output": response.usage.output_tokens}
    assert backend.total("runoutcome.spend") == response.usage.total_tokens
    assert backend.points("runoutcome.spend")[0].attributes["gen_ai.response.model"] == response.model
    assert backend.points("runoutcome.lag")[0].count == 1
    assert [point.value for point in backend.points("runoutcome.runs.in_flight")] == [0]


def test_a_failed_run(worlds: OpenWorld) -> None:
    """`error.type` is the code, on the span and on the duration."""
    world = worlds()
    backend = Backend(world)
    with suppress(RunError):
        world.create_and_poll("rate_limit_exceeded", max_wait_seconds=None)
    (span,) = backend.named(f"chat {MODEL}")
    assert attributes(span)["error.type"] == "rate_limit_exceeded"
    assert span.status.status_code == StatusCode.ERROR
    (duration,) = backend.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "rate_limit_exceeded"


def test_a_code_that_nobody_knows(worlds: OpenWorld) -> None:
    """A made-up code is on the span, and not among the attributes of metrics."""
    failed = body_of("failed", error={"code": "oops_4711", "message": "Secret words."})
    world = worlds(answer=Script([reply(failed)]))
    backend = Backend(world)
    with suppress(RunError):
        world.call("poll", "resp_1")
    (span,) = backend.named("chat")
    assert attributes(span)["error.type"] == "oops_4711"
    (duration,) = backend.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "unknown_error"


def test_nothing_holds_a_prompt_or_the_servers_words(worlds: OpenWorld) -> None:
    """No span has the input, the output, or a message."""
    failed = body_of("failed", error={"code": "server_error", "message": "Secret words."})
    world = worlds(answer=Script([reply(body_of("queued")), refusal(500), reply(failed)]))
    backend = Backend(world, poll_spans=True)
    with suppress(RunError):
        world.call("create_and_poll", **PARAMS, max_wait_seconds=None)
    text = " ".join(span.to_json() for span in backend.spans.get_finished_spans())
    assert "server_error" in text
    assert not any(word in text for word in (PARAMS["input"], "Secret", "It is 500"))


def test_a_resubmitted_job(worlds: OpenWorld) -> None:
    """The runs of a job are children of its span; the second links to the first, and is counted as paid again."""
    faulty = OutcomeScript("faulty", status="failed", code="server_error", poll_faults=(parse_fault("503"),))
    world = worlds(Scenario(outcomes=(faulty,)))
    backend = Backend(world)
    world.create_and_poll("faulty,completed", resubmit=1, max_wait_seconds=None)
    (job,) = backend.named(f"job {MODEL}")
    first, second = backend.named(f"chat {MODEL}")
    assert job.context is not None
    assert first.context is not None
    assert {span.parent.span_id for span in (first, second) if span.parent} == {job.context.span_id}
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    assert (attributes(job)["runoutcome.attempts"], job.status.status_code) == (2, StatusCode.UNSET)
    assert "runoutcome.resubmitting" in event_names(job)
    assert "runoutcome.fault" in event_names(first)
    (again,) = backend.points("runoutcome.runs.resubmitted")
    assert (again.value, again.attributes["error.type"]) == (1, "server_error")
    (fault,) = backend.points("runoutcome.poll.faults")
    assert (fault.value, fault.attributes["error.type"]) == (1, "503")


def test_a_job_that_fails_for_good(worlds: OpenWorld) -> None:
    """The span of a job ends with the failure of its last run."""
    world = worlds()
    backend = Backend(world)
    with suppress(RunError):
        world.create_and_poll("server_error,invalid_prompt", resubmit=3, max_wait_seconds=None)
    (job,) = backend.named(f"job {MODEL}")
    assert attributes(job) == {"runoutcome.attempts": 2, "error.type": "invalid_prompt"}


def test_a_job_that_is_interrupted_between_its_runs(worlds: OpenWorld) -> None:
    """An interrupt of the pause before the next run ends the span of the job, too."""
    world = worlds()
    backend = Backend(world)

    def interrupt(attempt: object) -> None:
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        world.create_and_poll("server_error", resubmit=3, on_resubmitting=interrupt, max_wait_seconds=None)
    assert len(backend.named(f"job {MODEL}")) == 1
    assert backend.total("runoutcome.runs.in_flight") == 0


def test_a_worker_goes_on_by_the_token(worlds: OpenWorld) -> None:
    """The span of the process that sees the end begins at the create, and links to the one that made the run."""
    world, tokens = worlds(), list[str]()
    web = Backend(world)
    with suppress(WaitTimeoutError):
        world.create_and_poll(on_submitted=tokens.append, max_wait_seconds=0.2)
    (create,) = web.spans.get_finished_spans()
    assert create.name == f"create_response {MODEL}"
    assert attributes(create)["runoutcome.reason"] == "deadline"
    assert create.context is not None
    trace = loads(tokens[0]).trace or ""
    assert trace.startswith(f"00-{create.context.trace_id:032x}-{create.context.span_id:016x}-")
    worker = Backend(world)
    world.call("poll", tokens[0], max_wait_seconds=None)
    (run,) = worker.spans.get_finished_spans()
    assert run.name == "chat"
    assert [link.context.span_id for link in run.links] == [create.context.span_id]
    assert run.context is not None
    assert run.context.trace_id != create.context.trace_id
    assert run.start_time is not None
    assert run.end_time is not None
    assert (run.end_time - run.start_time) / 1e9 == pytest.approx(world.elapsed, abs=0.01)
    assert not web.points("gen_ai.client.operation.duration")
    assert worker.points("gen_ai.client.operation.duration")[0].sum == pytest.approx(world.elapsed, abs=0.01)


def test_a_token_without_telemetry_has_no_trace(worlds: OpenWorld) -> None:
    """Without an observer a token is as small as before."""
    tokens: list[str] = []
    worlds().create_and_poll(on_submitted=tokens.append)
    assert "trace" not in tokens[0]


def test_a_run_is_recorded_once(worlds: OpenWorld) -> None:
    """A second wait for a run that has ended adds no tokens and no second run."""
    world = worlds()
    backend = Backend(world)
    run = world.create_and_poll(max_wait_seconds=None)
    world.call("poll", run.id)
    assert len(backend.named(f"chat {MODEL}")) == 1
    assert "gen_ai.usage.input_tokens" not in attributes(backend.named("fetch_response")[0])
    assert backend.total("runoutcome.spend") == run.usage.total_tokens
    assert backend.total("runoutcome.runs.in_flight") == 0


def test_two_threads_that_begin_to_wait_for_one_run_at_once() -> None:
    """A wait that begins while the span of another one is being made counts with it: nothing stays in flight."""
    spans, reader, tracers = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
    telemetry = Telemetry(tracer_provider=tracers, meter_provider=MeterProvider([reader]))

    class Meanwhile(SpanProcessor):
        """The other thread."""

        begins = iter([RunEvent("waiting", 1.0, response_id="resp_1")])

        def on_start(self, span: Any, parent_context: Any = None) -> None:
            """The span of the first wait is being made."""
            for event in self.begins:
                telemetry(event)

    tracers.add_span_processor(Meanwhile())
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    for kind in ("waiting", "left", "left"):
        telemetry(RunEvent(kind, 1.0, response_id="resp_1", reason="abandoned"))
    assert [span.name for span in spans.get_finished_spans()] == ["fetch_response"]
    data: Any = reader.get_metrics_data()
    (in_flight,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert [point.value for point in in_flight.data.data_points] == [0]


def test_a_create_that_may_have_gone_through(worlds: OpenWorld) -> None:
    """It is counted as unknown, and its span is an error."""
    world = worlds(answer=Script([reply(text="oops", status=500)]))
    backend = Backend(world)
    with suppress(SubmissionUnknownError):
        world.create()
    (span,) = backend.named(f"create_response {MODEL}")
    assert attributes(span)["error.type"] == "SubmissionUnknownError"
    (unknown,) = backend.points("runoutcome.runs.unknown")
    assert (unknown.value, unknown.attributes["runoutcome.reason"]) == (1, "unknown")


def test_a_refused_create_that_is_sent_again(worlds: OpenWorld) -> None:
    """Both POSTs are of one span."""
    world = worlds(answer=Script([refusal(429, "slow_down"), reply(body_of("completed"))]))
    backend = Backend(world)
    world.call("create_and_poll", **PARAMS)
    (span,) = backend.spans.get_finished_spans()
    assert "runoutcome.refused" in event_names(span)


@pytest.mark.parametrize("asked", [False, True])
def test_spans_of_polls_only_when_asked(worlds: OpenWorld, *, asked: bool) -> None:
    """A span of a poll is a child of its run's, is no error for a failed run, and has no usage."""
    world = worlds()
    backend = Backend(world, poll_spans=asked)
    with suppress(RunError):
        world.create_and_poll("server_error", max_wait_seconds=None)
    (run,) = backend.named(f"chat {MODEL}")
    polls = backend.named("fetch_response")
    assert len(polls) == (len(world.polls) if asked else 0)
    for poll in polls:
        assert poll.parent == run.context
        assert poll.status.status_code == StatusCode.UNSET
        assert "gen_ai.usage.input_tokens" not in attributes(poll)
    if asked:
        assert attributes(polls[-1])["gen_ai.response.status"] == "failed"


@pytest.mark.parametrize("method", ["create_and_poll", "gather"])
def test_spans_are_children_of_the_users_span(worlds: OpenWorld, method: str) -> None:
    """The span that is current where the user calls is the parent, also of runs that other threads poll."""
    world = worlds(SHORT, real_time=True)
    backend = Backend(world)
    ids = [world.submitted() for _ in range(3)]
    with backend.tracer.start_as_current_span("request") as request:
        if method == "gather":
            world.call("gather", ids, poll_interval_ms=20)
        else:
            world.create_and_poll(poll_interval_ms=20)
    runs = [span for span in backend.spans.get_finished_spans() if span.name.startswith("chat")]
    assert len(runs) == (3 if method == "gather" else 1)
    assert {span.parent.span_id for span in runs if span.parent} == {request.get_span_context().span_id}


def test_a_stream_is_a_run(worlds: OpenWorld) -> None:
    """A run that is streamed has the same span."""
    world = worlds(SHORT, real_time=True)
    backend = Backend(world)

    async def follow_async() -> None:
        async with world.client() as client, world.runs(client).create_and_stream(**PARAMS) as stream:
            await stream.get_final_response()

    if world.colour == "async":
        asyncio.run(follow_async())
    else:
        with world.runs(world.client()).create_and_stream(**PARAMS) as stream:
            stream.get_final_response()
    (span,) = backend.spans.get_finished_spans()
    assert span.name == f"chat {MODEL}"
    assert "gen_ai.usage.output_tokens" in attributes(span)


def test_without_the_sdk_nothing_is_made(worlds: OpenWorld) -> None:
    """With the API alone, spans are no-ops, and tokens hold no trace."""
    world, tokens = worlds(), list[str]()
    make = type(world).runs
    world.runs = lambda client, **extra: make(world, client, observer=Telemetry(), **extra)  # type: ignore[method-assign]
    assert world.create_and_poll(on_submitted=tokens.append).status == "completed"
    assert "trace" not in tokens[0]


@pytest.mark.once
def test_a_missing_package_names_the_extra() -> None:
    """Without opentelemetry-api the import says how to get it; the package itself does not need it."""
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import runoutcome; runoutcome.Runs\n"
        "try:\n    import runoutcome.otel\nexcept ImportError as error:\n    print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'runoutcome[otel]'" in result.stdout
