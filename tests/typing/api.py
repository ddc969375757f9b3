"""Static uses of the public API. Checked by mypy and pyright, both strict; never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal

import openai
import pydantic
from openai import AsyncOpenAI, OpenAI
from openai.types import Batch
from openai.types.fine_tuning import FineTuningJob
from openai.types.responses import ParsedResponse, Response, ResponseStreamEvent
from typing_extensions import assert_type

import runoutcome
from runoutcome import (
    AUTO,
    CATALOG_VERSION,
    AsyncRuns,
    AsyncRunStream,
    Attempt,
    Catalog,
    CatalogError,
    Entry,
    Outcome,
    OutputParseError,
    PollingLostError,
    ResubmitBudget,
    ResubmitPolicy,
    RunAuthenticationError,
    RunBadRequestError,
    RunCancelledError,
    RunConflictError,
    RunContentFilterError,
    RunError,
    RunEvent,
    RunExceptionGroup,
    RunExpiredError,
    RunFailedError,
    RunGoneError,
    RunIncompleteError,
    RunInternalServerError,
    RunNotFoundError,
    RunPendingError,
    RunPermissionDeniedError,
    RunRateLimitError,
    RunResult,
    Runs,
    RunStatusError,
    RunStream,
    RunUnknownError,
    RunUnprocessableEntityError,
    SubmissionUnknownError,
    WaitTimeoutError,
    classify,
    error_for,
    is_retryable,
    raise_for_status,
    retry_after,
    strict_client,
)
from runoutcome.otel import Telemetry

Phase = Literal["pending", "terminal", "unknown"]
Action = Literal[
    "resubmit", "resubmit_later", "change_request", "raise_limit", "fix_account", "continue", "wait", "none"
]
ErrorType = Literal[
    "bad_request_error",
    "authentication_error",
    "permission_denied_error",
    "not_found_error",
    "conflict_error",
    "unprocessable_entity_error",
    "rate_limit_error",
    "internal_server_error",
    "api_status_error",
    "content_filter_error",
    "incomplete_error",
    "cancelled_error",
    "expired_error",
    "unknown_error",
]


def functions(
    response: Response, batch: Batch, job: FineTuningJob, body: dict[str, Any], text: bytes, exc: Exception
) -> None:
    """`raise_for_status` gives back the type it was given; the others have one answer each."""
    assert_type(raise_for_status(response), Response)
    assert_type(raise_for_status(body, accept=["incomplete", "cancelled"]), dict[str, Any])
    assert_type(raise_for_status(text, accept=("pending",), surface="response", catalog=Catalog.load()), bytes)
    assert_type(raise_for_status(response).output_text, str)
    assert_type(raise_for_status(batch), Batch)
    assert_type(raise_for_status(job, accept="cancelled").fine_tuned_model, str | None)
    assert_type(classify(response), Outcome)
    assert_type(classify(None, surface="response", catalog=None), Outcome)
    assert_type(error_for(text), RunError | None)
    assert_type(is_retryable(exc), bool)
    assert_type(is_retryable(KeyboardInterrupt()), bool)
    assert_type(retry_after(exc), float | None)


def words_that_are_no_words(response: Response) -> None:
    """A word that cannot be accepted, or a wrong number of arguments, is a type error."""
    raise_for_status(response, accept=["failed"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    classify(response, "response")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def outcomes(outcome: Outcome) -> None:
    """The fields of an outcome."""
    assert_type(outcome.status, str | None)
    assert_type(outcome.phase, Phase)
    assert_type(outcome.ok, bool)
    assert_type(outcome.surface, str | None)
    assert_type(outcome.code, str | None)
    assert_type(outcome.reason, str | None)
    assert_type(outcome.message, str | None)
    assert_type(outcome.param, str | None)
    assert_type(outcome.error_class, str | None)
    assert_type(outcome.error_type, ErrorType | None)
    assert_type(outcome.status_code, int | None)
    assert_type(outcome.retryable, bool)
    assert_type(outcome.action, Action)
    assert_type(outcome.known, bool)
    assert_type(outcome.retry_after, float | None)
    assert_type(outcome.retry_after_source, str | None)
    assert_type(outcome.response_id, str | None)
    assert_type(outcome.model, str | None)
    assert_type(outcome.usage, Mapping[str, int] | None)
    assert_type(outcome.counts, Mapping[str, int] | None)
    assert_type(outcome.has_output, bool)
    assert_type(outcome.entry, Entry | None)
    assert_type(outcome.catalog_version, str | None)
    assert_type(outcome.overlay, str | None)
    assert_type(outcome.to_dict(), dict[str, Any])
    assert_type(outcome.problem(), dict[str, Any])
    if outcome.rule is not None:
        assert_type(outcome.rule.action, Action)
    outcome.status = "completed"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def every_action(outcome: Outcome) -> str:
    """The actions are a closed set: a match over them needs no default."""
    match outcome.action:
        case "resubmit" | "resubmit_later":
            return "again"
        case "change_request" | "raise_limit" | "continue":
            return "another request"
        case "fix_account":
            return "the account"
        case "wait" | "none":
            return "nothing"


def catalogs(catalog: Catalog) -> None:
    """The catalog and its rows."""
    version: str = CATALOG_VERSION
    del version
    assert_type(runoutcome.__version__, str)
    assert_type(Catalog.load(), Catalog)
    assert_type(catalog.version, str)
    assert_type(catalog.find("server_error"), tuple[Entry, ...])
    assert_type(catalog.extend("azure").extend(Path("mine.toml")).extend({"entries": []}), Catalog)
    assert_type(catalog.overlays, tuple[str, ...])
    entry = catalog.entry("response", "error.code", "literal", "server_error")
    assert_type(entry, Entry | None)
    if entry is not None:
        assert_type(entry.action, Action)
        assert_type(entry.error_type, ErrorType | None)
        assert_type(entry.description, str)


def broken_catalogs() -> None:
    """What is no overlay is a ValueError."""
    try:
        Catalog.load().extend("nothing.toml")
    except CatalogError as error:
        value_error: ValueError = error
        del value_error


def run_errors(exc: RunError) -> None:
    """What every run error has; `run` is whatever the caller would have had."""
    assert_type(exc.outcome, Outcome)
    assert_type(exc.outcome.action, Action)
    assert_type(exc.action, Action)
    assert_type(exc.error_type, ErrorType | None)
    assert_type(exc.code, str | None)
    assert_type(exc.param, str | None)
    assert_type(exc.type, str | None)
    assert_type(exc.retryable, bool)
    assert_type(exc.retry_after, float | None)
    assert_type(exc.response_id, str | None)
    assert_type(exc.request_id, str | None)
    assert_type(exc.poll_status_code, int | None)
    assert_type(exc.run_token, str | None)
    assert_type(exc.token, str | None)
    assert_type(exc.message, str)
    assert_type(exc.run, Any)
    exc.status_code  # type: ignore[attr-defined]  # pyright: ignore  # noqa: B018 - only status errors claim one
    sdk: openai.OpenAIError = exc
    del sdk


def status_errors(
    bad: RunBadRequestError,
    login: RunAuthenticationError,
    denied: RunPermissionDeniedError,
    missing: RunNotFoundError,
    conflict: RunConflictError,
    unprocessable: RunUnprocessableEntityError,
    rate: RunRateLimitError,
    server: RunInternalServerError,
) -> None:
    """A status error is the SDK's class of the same name, with an int status and a response."""
    theirs: tuple[
        openai.BadRequestError,
        openai.AuthenticationError,
        openai.PermissionDeniedError,
        openai.NotFoundError,
        openai.ConflictError,
        openai.UnprocessableEntityError,
        openai.RateLimitError,
        openai.InternalServerError,
    ] = (bad, login, denied, missing, conflict, unprocessable, rate, server)
    del theirs
    code: int = rate.status_code
    status: RunStatusError = server
    failed: RunFailedError = status
    del code, failed
    assert_type(status.status_code, int)
    assert_type(status.response.status_code, int)
    assert_type(status.response.headers.get("x-should-retry", ""), str)
    assert_type(status.synthetic, bool)


def except_clauses(client: OpenAI) -> str | None:
    """Except clauses narrow to ours by our name, and to the SDK's by its name."""
    try:
        raise_for_status(client.responses.retrieve("resp_1"))
    except RunContentFilterError as filtered:
        theirs: openai.ContentFilterFinishReasonError = filtered
        del theirs
        return filtered.reason
    except RunIncompleteError as incomplete:
        return incomplete.reason
    except (RunCancelledError, RunExpiredError, RunPendingError) as ended:
        return ended.status
    except RunUnknownError as unknown:
        bare: openai.APIError = unknown
        return bare.message
    except openai.RateLimitError as limit:
        if isinstance(limit, RunRateLimitError):
            assert_type(limit.outcome.action, Action)
        return limit.code
    except openai.APIStatusError as status:
        return status.request_id
    return None


def errors_of_waiting(
    late: WaitTimeoutError, lost: PollingLostError, unsure: SubmissionUnknownError, gone: RunGoneError
) -> None:
    """The errors of waiting and submitting hold a token or a key; a deadline is a TimeoutError."""
    builtin: TimeoutError = late
    theirs: openai.NotFoundError = gone
    del builtin, theirs
    for error in (late, lost, unsure):
        assert_type(error.token, str | None)
        assert_type(error.run_token, str | None)
        assert_type(error.key, str | None)
        assert_type(error.response_id, str | None)
        assert_type(error.outcome, Outcome | None)
        assert_type(error.retryable, bool)
    assert_type(gone.token, str | None)
    assert_type(gone.retryable, bool)


def sync_runs(client: OpenAI, run: Response) -> None:
    """`Runs` gives the SDK's own responses."""
    budget = ResubmitBudget(capacity=5, seconds_per_resubmission=10)
    assert_type(budget.take(0.0), bool)
    events: list[RunEvent] = []
    Runs(client, observer=Telemetry(poll_spans=True))
    runs = Runs(client, catalog=Catalog.load(), resubmit_budget=budget, observer=events.append)
    assert_type(events[0].response_id, str | None)
    tokens: list[str] = []
    seen: list[Outcome] = []
    faults: list[BaseException] = []
    assert_type(runs.create(model="gpt-5.5", input="hi"), Response)
    assert_type(runs.poll("resp_1"), Response)
    assert_type(runs.poll(run, max_wait_seconds=None, accept=["incomplete"], on_timeout="cancel"), Response)
    assert_type(runs.poll({"id": "resp_1"}, max_wait_seconds=AUTO, on_update=seen.append), Response)
    assert_type(runs.poll("resp_1", poll_interval_ms=500, completion_window="8h", on_fault=faults.append), Response)
    assert_type(
        runs.create_and_poll(
            model="gpt-5.5",
            input="hi",
            resubmit=2,
            resume=None,
            on_submitted=tokens.append,
            max_wait_seconds=60,
            accept=("cancelled", "pending"),
        ),
        Response,
    )
    assert_type(runs.cancel(run), Response)
    runs.poll("resp_1", on_timeout="stop")  # type: ignore[call-overload]  # pyright: ignore
    runs.poll(5)  # type: ignore[call-overload]  # pyright: ignore
    Runs(AsyncOpenAI())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Moon(pydantic.BaseModel):
    """What an output is to be."""

    name: str


def structured(runs: Runs, moon: type[Moon]) -> None:
    """With `text_format` the responses are the SDK's parsed ones, of that type."""
    assert_type(runs.create(model="gpt-5.5", input="hi", text_format=Moon), ParsedResponse[Moon])
    assert_type(runs.poll("resp_1", text_format=moon, accept="incomplete").output_parsed, Moon | None)
    response = runs.create_and_poll(model="gpt-5.5", input="hi", text_format=Moon, resubmit=1)
    assert_type(response, ParsedResponse[Moon])
    assert_type(response.output_parsed, Moon | None)
    plain: Response = response
    assert_type(runs.poll(plain, text_format=None), Response)


async def structured_async(runs: AsyncRuns) -> None:
    """The same for the async twins."""
    assert_type(await runs.create(model="gpt-5.5", input="hi", text_format=Moon), ParsedResponse[Moon])
    assert_type((await runs.poll("resp_1", text_format=Moon)).output_parsed, Moon | None)
    response = await runs.create_and_poll(model="gpt-5.5", input="hi", text_format=Moon)
    assert_type(response.output_parsed, Moon | None)


def resubmitted(client: OpenAI, error: RunError) -> None:
    """A policy and a budget bound resubmissions; the errors say what was tried."""
    runs = Runs(client, resubmit_budget=ResubmitBudget(5, max_tokens=100_000))
    ended: list[Attempt] = []
    policy = ResubmitPolicy(2, max_seconds=600, max_tokens=50_000)
    runs.create_and_poll(
        model="gpt-5.5", input="hi", resubmit=policy, on_resubmitting=ended.append, on_interrupt="cancel"
    )
    assert_type(error.attempts, tuple[Attempt, ...])
    assert_type(error.attempts[0].response_id, str | None)
    assert_type(error.attempts[0].total_tokens, int | None)
    assert_type(error.attempts[0].outcome, Outcome | None)
    assert_type(error.not_resubmitted, Literal["attempts", "tokens", "time", "budget", "tools", "identity"] | None)


def unparsable(error: OutputParseError) -> None:
    """An output that does not fit leaves with its response; it is a ValueError."""
    value_error: ValueError = error
    del value_error
    assert_type(error.run, Any)
    assert_type(error.run_token, str | None)
    assert_type(error.outcome, Outcome | None)


def streamed(runs: Runs) -> None:
    """A stream gives the SDK's events, told apart by their type, and in the end the response of its form."""
    with runs.create_and_stream(model="gpt-5.5", input="hi", idle_timeout_seconds=30) as stream:
        assert_type(stream, RunStream[Response])
        for event in stream:
            assert_type(event, ResponseStreamEvent)
            if event.type == "response.output_text.delta":
                assert_type(event.delta, str)
        assert_type(stream.get_final_response(), Response)
        assert_type(stream.last_sequence_number, int | None)
    with runs.stream(stream.token, starting_after=5, text_format=Moon, on_interrupt="cancel") as parsed:
        assert_type(parsed.get_final_response(), ParsedResponse[Moon])


async def streamed_async(runs: AsyncRuns) -> None:
    """The same for the async twins, which are not awaited themselves."""
    async with runs.create_and_stream(model="gpt-5.5", input="hi", text_format=Moon) as stream:
        assert_type(stream, AsyncRunStream[ParsedResponse[Moon]])
        async for event in stream:
            assert_type(event, ResponseStreamEvent)
        assert_type(await stream.get_final_response(), ParsedResponse[Moon])
    async with runs.stream(stream.response_id) as plain:
        assert_type(await plain.get_final_response(), Response)


async def async_runs(client: AsyncOpenAI, run: Response) -> None:
    """`AsyncRuns` has the same methods, to be awaited; its callbacks may be coroutine functions."""

    async def store(token: str) -> None:
        raise NotImplementedError

    async def watch(outcome: Outcome) -> None:
        raise NotImplementedError

    runs = AsyncRuns(client)
    assert_type(await runs.create(model="gpt-5.5", input="hi"), Response)
    assert_type(await runs.poll(run, on_update=watch), Response)
    assert_type(await runs.create_and_poll(model="gpt-5.5", input="hi", on_submitted=store, resubmit=1), Response)
    assert_type(await runs.cancel("resp_1"), Response)
    AsyncRuns(OpenAI())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def many(runs: Runs, ids: list[str]) -> None:
    """Results and responses are typed, with the model where one is asked for."""
    for result in runs.poll_many(ids, max_in_flight=10, accept="incomplete"):
        assert_type(result, RunResult[Response])
        assert_type(result.response, Response | None)
        assert_type(result.error, Exception | None)
    assert_type(runs.gather(ids, max_wait_seconds=60), list[Response])
    assert_type(runs.gather(ids, text_format=pydantic.BaseModel), list[ParsedResponse[pydantic.BaseModel]])
    try:
        runs.gather(ids)
    except RunExceptionGroup as group:
        assert_type(group.retry, tuple[Exception, ...])
        assert_type(group.results, tuple[RunResult[Any], ...])


async def many_async(runs: AsyncRuns, ids: AsyncIterator[str]) -> None:
    """The same for the other colour, where runs may come from an async iterator."""
    async for result in runs.poll_many(ids):
        assert_type(result.result(), Response)
    assert_type(await runs.gather(["resp_1"]), list[Response])


def strict_clients(client: OpenAI, azure: openai.AsyncAzureOpenAI) -> None:
    """A strict client has the type of the client it was made of."""
    assert_type(strict_client(client), OpenAI)
    assert_type(strict_client(azure, accept="incomplete", require="output"), openai.AsyncAzureOpenAI)
    assert_type(strict_client(client).responses.retrieve("resp_1"), Response)
    strict_client("client")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
