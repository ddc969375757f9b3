"""Refused creates: which are final for a job, which stop the batch, and which wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from batches import Batch, Open, always

from colours import reply
from runoutcome._waiting.resume_token import loads
from runoutcome.batch import JobReport
from runoutcome.batch._refusals import QUOTA_FAILURES_IN_A_ROW
from runoutcome.testing import FaultRule, OutcomeScript, Scenario, parse_fault


def answered(batch: Open, status: int, body: Any, **headers: str) -> tuple[Batch, list[JobReport]]:
    """Three jobs whose creates are all answered so, and their reports."""
    work = batch(answer=lambda request: reply(body, status, None if body is not None else "<html>", **headers))
    return work, work.run(concurrency=1)


def one(reports: list[JobReport], custom_id: str) -> JobReport:
    """The report of one job."""
    return next(report for report in reports if report.job.custom_id == custom_id)


LONG = {"status": 429, "code": "rate_limit_exceeded", "retry_after": 3600}


def test_a_create_refused_with_a_long_retry_after_stays_to_be_done(batch: Open) -> None:
    """The run was not made, so there is no final line; nothing more is submitted, and the report says when."""
    work = batch(["completed"] * 6, Scenario(faults=(FaultRule("create", parse_fault(LONG), 1, 1),)))
    reports = work.run(concurrency=1)
    first = one(reports, "job-0")
    assert (first.end, first.exception, first.stop) == ("not_submitted", "RateLimitError", "limited")
    assert first.retry_after == 3600
    assert (work.rows, len(work.world.posts)) == ([], 1)
    assert {report.end for report in work.run()} == {"finished"}
    assert (work.paid, len(work.rows)) == (6, 6)


def test_a_request_too_large_for_the_limit_is_final(batch: Open) -> None:
    """A 429 that no wait can help is the job's end: submitted again, it would be refused again."""
    message = "Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 40000. It must be reduced."
    body = {"error": {"message": message, "type": "tokens", "param": None, "code": "rate_limit_exceeded"}}
    work, reports = answered(batch, 429, body, retry_after="3600")
    assert {report.end for report in reports} == {"finished"}
    assert work.row_of["job-0"]["outcome"]["action"] == "change_request"


def test_a_final_refusal_is_judged_as_a_row_of_a_batch(batch: Open) -> None:
    """The line of a refused create has a status, and no advice to fetch a run that was never made."""
    work, _ = answered(
        batch, 400, {"error": {"message": "Bad effort.", "code": None, "param": "reasoning", "type": "x"}}
    )
    outcome = work.row_of["job-0"]["outcome"]
    assert (outcome["surface"], outcome["phase"], outcome["status_code"]) == ("batch.output_row", "terminal", 400)
    assert (outcome["retryable"], outcome["action"]) == (False, "change_request")


MISSING: dict[str, tuple[int, Any]] = {
    "OpenAI": (404, {"error": {"message": "Invalid URL (POST /responses)", "type": "x", "param": None, "code": None}}),
    "Azure": (404, {"error": {"code": "404", "message": "Resource not found"}}),
    "vLLM": (404, {"error": {"message": "Not Found", "type": "NotFoundError", "param": None, "code": 404}}),
    "FastAPI": (404, {"detail": "Not Found"}),
    "a page": (404, None),
    "another method": (405, {"error": {"message": "Not allowed to POST.", "type": "x", "param": None, "code": None}}),
}


@pytest.mark.parametrize("server", MISSING)
def test_a_missing_route_stops_the_batch(batch: Open, server: str) -> None:
    """A base URL without the route makes no final line, whatever the server's words for it; the hint names /v1."""
    work, reports = answered(batch, *MISSING[server])
    assert [(report.end, report.stop) for report in reports] == [
        ("not_submitted", "refused"),
        ("not_submitted", None),
        ("not_submitted", None),
    ]
    assert work.rows == []
    assert reports[0].detail.startswith("https://api.example.test/v1/responses answers HTTP 40")
    assert reports[0].detail.endswith("the server has no such route. Check the base URL (OPENAI_BASE_URL).")


def test_a_refusal_of_text_alone_keeps_its_words(batch: Open) -> None:
    """A gateway that answers `{"error": "text"}` is quoted, on every line of the SDK, and once."""
    _, reports = answered(batch, 403, {"error": "blocked by the gateway"})
    assert reports[0].stop == "refused"
    assert reports[0].detail.count("blocked by the gateway") == 1


@pytest.mark.parametrize(
    "error",
    [
        {"message": "The model `x` does not exist or you do not have access to it.", "code": "model_not_found"},
        {"message": "Vector store with id [vs_1] not found.", "code": None},
        {"message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404},
    ],
)
def test_what_a_job_names_and_is_not_there_is_its_own_end(batch: Open, error: dict[str, Any]) -> None:
    """A 404 about a model or a file is final for the job, and stops nothing."""
    _, reports = answered(batch, 404, {"error": {"type": "invalid_request_error", "param": None, **error}})
    assert {(report.end, report.stop) for report in reports} == {("finished", None)}


def test_a_base_url_without_v1_is_told(batch: Open) -> None:
    """Against a server whose routes begin with /v1, the report asks whether that is missing."""
    work = batch()
    work.world._options["base_url"] = work.world.emulator.base_url.removesuffix("/v1")
    first = one(work.run(concurrency=1), "job-0")
    assert (first.end, first.stop, work.rows) == ("not_submitted", "refused", [])
    assert first.detail.endswith("Does the base URL lack /v1?")


def test_runs_that_fail_for_want_of_quota_stop_the_submissions(batch: Open) -> None:
    """An account that ran empty shows in the runs: after a few in a row nothing more is made, the rest stays."""
    work = batch(["insufficient_quota"] * 9)
    reports = work.run(concurrency=1)
    ends = [report.end for report in reports]
    assert ends.count("finished") == len(work.rows) == work.paid == QUOTA_FAILURES_IN_A_ROW
    assert ends.count("not_submitted") == 9 - QUOTA_FAILURES_IN_A_ROW
    assert [report.stop for report in reports if report.stop] == ["refused"]


def test_a_single_failure_for_want_of_quota_stops_nothing(batch: Open) -> None:
    """Where other runs complete in between, the account is not empty."""
    work = batch(["insufficient_quota", "completed"] * 4)
    assert {report.end for report in work.run(concurrency=1)} == {"finished"}
    assert work.paid == 8


def test_a_payment_that_is_required_stops_the_submissions(batch: Open) -> None:
    """A 402, as gateways answer for an empty account, concerns every job."""
    work = batch(["completed"] * 6, always({"status": 402, "code": "x"}))
    reports = work.run(concurrency=1)
    assert {report.end for report in reports} == {"not_submitted"}
    assert (len(work.world.posts), reports[0].stop) == (1, "refused")


def test_a_post_in_flight_at_the_end_is_named_by_its_key(batch: Open) -> None:
    """A POST that is cut off is held, and its report has the key that the server has."""
    work = batch(["completed"] * 2)

    def stop(request: Any) -> None:
        raise asyncio.CancelledError

    work.world.hooks.append(stop)
    reports = work.run(concurrency=1)
    keys = dict(work.query("SELECT job, runoutcome_key FROM runs"))
    assert (one(reports, "job-0").end, one(reports, "job-0").key) == ("held", keys["job-0"])
    assert one(reports, "job-0").detail


def test_every_id_that_cannot_be_noted_is_told(batch: Open) -> None:
    """On a full disk the error names each run that was made and is not in the journal, by its job."""
    work = batch(["completed"] * 3)
    going: set[str] = set()
    all_going = asyncio.Event()

    async def together(request: Any) -> None:
        going.add(request.headers["idempotency-key"])
        if len(going) == 3:
            all_going.set()
        await all_going.wait()

    def full(moment: str, event: str, job: str) -> None:
        if (moment, event) == ("before", "submitted"):
            raise OSError(28, "No space left on device")

    work.world.hooks.append(together)
    work.hook = full
    with pytest.raises(OSError, match="No space left") as caught:
        work.run(concurrency=3)
    tokens: Any = caught.value
    ids = {loads(token).response_id for token in tokens.run_tokens.values()}
    assert ids == {run.id for run in work.world.emulator.runs}
    assert set(tokens.run_tokens) == {"job-0", "job-1", "job-2"}


HOLLOW = {
    "refusal": [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot help with that."}]}],
    "empty": [],
}


@pytest.mark.parametrize(("name", "exception"), [("refusal", "RunRefusedError"), ("empty", "RunEmptyError")])
def test_required_output_makes_a_hollow_success_a_failure(batch: Open, name: str, exception: str) -> None:
    """With `require="output"` the line of a refusal or of nothing names the exception; without it, none."""
    script = OutcomeScript("hollow", body_fields={"output": HOLLOW[name]})
    for require, expected in ((None, None), ("output", exception)):
        work = batch(["hollow"], Scenario(outcomes=(script,)))
        (report,) = work.run(require=require)
        assert (report.end, report.exception, work.paid) == ("finished", expected, 1)
        outcome = work.row_of["job-0"]["outcome"]
        assert (outcome["exception"], outcome["has_output"]) == (expected, False)
        assert "I cannot help" not in report.detail
