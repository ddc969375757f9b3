"""A batch on the emulator: what becomes of each job, how many go at once, and when nothing more is paid for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batches import Batch, KilledError, Open, always, posts_after
from openai.types.responses import Response

from colours import PARAMS, closed_port
from runoutcome._waiting.resume_token import loads
from runoutcome.batch import BatchOptions, JobLine, JobReport, Store, read_jobs, run_batch
from runoutcome.batch._rows import output_text
from runoutcome.testing import FaultRule, OutcomeScript, Scenario, parse_fault


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Open]:
    """Opens each batch in the same folder; their worlds are closed after the test."""
    opened: list[Batch] = []

    def open_batch(*args: Any, **kwargs: Any) -> Batch:
        opened.append(Batch(tmp_path, *args, **kwargs))
        return opened[-1]

    yield open_batch
    for one in opened:
        one.world.close()


def ends(reports: list[JobReport]) -> dict[str, str]:
    """How each job ended."""
    return {report.job.custom_id: report.end for report in reports}


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (None, None),
        (Response.construct(id="resp_1", status="failed", output=None), None),
        (Response.construct(id="resp_1", status="failed", output=[]), None),
    ],
)
def test_a_run_without_readable_output_has_no_text(run: Any, text: str | None) -> None:
    """A body whose output is null, or none at all, has no text, and stops no batch."""
    assert output_text(run) == text


# What becomes of a job

MIXED = [
    "completed",
    "rate_limit_exceeded,completed",
    "insufficient_quota",
    "content_filter",
    "failed",
    "server_error",
    "cancelled",
    "max_output_tokens",
]


def test_every_job_gets_one_result_line(batch: Open) -> None:
    """Mixed outcomes: one line per job, with what the run became and how many runs it took."""
    work = batch(MIXED)
    reports = work.run(resubmit=1)
    assert ends(reports) == {job.custom_id: "finished" for job in work.jobs}
    assert sorted(row["custom_id"] for row in work.rows) == [job.custom_id for job in work.jobs]
    found = [work.row_of[job.custom_id]["outcome"] for job in work.jobs]
    assert [(row["status"], row["exception"], row["attempts"]) for row in found] == [
        ("completed", None, 1),
        ("completed", None, 2),
        ("failed", "RunRateLimitError", 1),
        ("incomplete", "RunContentFilterError", 1),
        ("failed", "RunFailedError", 1),
        ("failed", "RunInternalServerError", 2),
        ("cancelled", "RunCancelledError", 1),
        ("incomplete", "RunIncompleteError", 1),
    ]
    assert work.paid == len(MIXED) + 2


def test_a_result_line_is_that_of_the_batch_api(batch: Open) -> None:
    """The keys of the Batch output format, the body as the API gives it, and the `outcome` object beside."""
    work = batch(["completed", "content_filter"])
    work.run()
    for row in work.rows:
        assert set(row) == {"id", "custom_id", "response", "error", "outcome"}
        assert row["id"].startswith("batch_req_")
        assert set(row["response"]) == {"status_code", "request_id", "body"}
        assert row["response"]["status_code"] == 200
        assert row["response"]["request_id"].startswith("req_")
        assert row["error"] is None
        run_id = row["response"]["body"]["id"]
        on_wire = json.loads(work.world.plain.responses.with_raw_response.retrieve(run_id).text)
        assert row["response"]["body"] == on_wire
        assert {"ok", "status", "retryable", "action", "error_class", "exception", "attempts"} <= set(row["outcome"])
    assert len({row["id"] for row in work.rows}) == 2


def test_a_report_says_what_a_person_wants_to_know(batch: Open) -> None:
    """A report has the outcome, the exception and its words, the run's id, survived faults and partial output."""
    outcome = OutcomeScript("cut", status="incomplete", reason="content_filter", poll_faults=(parse_fault("503"),))
    work = batch(["cut"], Scenario(outcomes=(outcome,)))
    (report,) = work.run()
    assert (report.exception, report.faults, report.attempts) == ("RunContentFilterError", ("HTTP 503",), 1)
    assert report.response_id == work.world.emulator.runs[0].id
    assert report.partial_output.startswith("Emulated answer")
    assert report.outcome is not None
    assert report.outcome.reason == "content_filter"
    assert "content filter" in report.detail


def test_bodies_are_sent_as_they_stand_in_the_file(batch: Open) -> None:
    """A field the installed SDK does not know arrives; the key is added and the job itself is not changed."""
    body = {**PARAMS, "some_new_field": {"a": [1, None]}, "temperature": 0.5, "metadata": {"team": "a"}}
    work = batch(bodies=[body])
    digest = work.jobs[0].digest
    work.run()
    sent = dict(work.world.emulator.runs[0].request)
    key = sent["metadata"].pop("runoutcome_key")
    assert {name: sent[name] for name in body} == body
    assert (sent["background"], sent["store"]) == (True, True)
    assert key.endswith("/job-0-1")
    assert work.jobs[0].body == body
    assert work.jobs[0].digest == digest
    assert work.world.posts[0].idempotency_key == key


def test_a_job_with_metadata_can_be_resumed(batch: Open) -> None:
    """Adding the key to a job's metadata does not make it another body for the next run."""
    work = batch(["stuck"])
    work.run(max_wait_seconds=5)
    assert ends(work.run(max_wait_seconds=5)) == {"job-0": "unfinished"}
    assert work.paid == 1


def test_a_job_with_all_its_metadata_used_is_sent_without_a_key(batch: Open) -> None:
    """16 pairs are the API's limit: the job is run, and its key is in the header only."""
    work = batch(bodies=[{**PARAMS, "metadata": {f"k{number}": "v" for number in range(16)}}])
    work.run()
    assert work.row_of["job-0"]["outcome"]["status"] == "completed"


def test_a_key_of_the_users_is_kept(batch: Open) -> None:
    """A `runoutcome_key` in the file is the base of the job's keys."""
    work = batch(bodies=[{**PARAMS, "metadata": {"runoutcome_key": "mine"}}])
    work.run()
    assert work.world.emulator.runs[0].runoutcome_key == "mine-1"


def test_keys_of_long_ids_differ(tmp_path: Path, batch: Open) -> None:
    """Every job has a key of its own, however long its custom_id is."""
    work = batch(["completed", "completed"])
    path = tmp_path / "long.jsonl"
    lines = [json.loads(text) for text in (tmp_path / "jobs.jsonl").read_text().splitlines()]
    for number, row in enumerate(lines):
        row["custom_id"] = "x" * 400 + str(number)
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    work.jobs = read_jobs(path)
    work.run()
    assert len({post.idempotency_key for post in work.world.posts}) == 2


def test_progress_is_told_as_it_goes(batch: Open) -> None:
    """Each step of a job is told in order, the report at its end."""
    work = batch(["server_error,completed"])
    reports = work.run(resubmit=1)
    steps = [progress.step for progress in work.progress]
    assert [step for step in steps if step != "in_progress"] == [
        "submitting",
        "queued",
        "resubmitting",
        "queued",
        "ended",
    ]
    assert [progress.report for progress in work.progress if progress.report] == reports


# How many at once


def test_a_batch_of_no_workers_is_refused() -> None:
    """A concurrency of 0 would run nothing, in silence."""
    with pytest.raises(ValueError, match="1 or more"):
        BatchOptions(concurrency=0)


@pytest.mark.parametrize(("concurrency", "jobs"), [(1, 5), (3, 12), (8, 12), (50, 6)])
def test_concurrency_really_bounds_the_runs_in_flight(batch: Open, concurrency: int, jobs: int) -> None:
    """At the server never more runs are in flight than allowed, and as many as allowed are."""
    outcomes = ["rate_limit_exceeded,completed", "completed", "server_error,server_error,completed"]
    work = batch((outcomes * jobs)[:jobs])
    made, all_made = 0, asyncio.Event()

    def count(moment: str, event: str, job: str) -> None:
        nonlocal made
        made += (moment, event) == ("after", "submitted")
        if made == min(concurrency, jobs):
            all_made.set()

    # Time is virtual, so without this the first run could have ended before the last one is made.
    work.hook = count
    work.world.hooks.append(lambda request: all_made.wait() if request.method == "GET" else None)
    work.run(concurrency=concurrency, resubmit=2)
    assert work.most_at_once() == min(concurrency, jobs)
    assert len(work.rows) == jobs


def test_no_jobs_are_no_work(batch: Open) -> None:
    """A batch whose jobs are all finished asks nothing, writes nothing and reports nothing."""
    work = batch()
    work.run()
    requests, rows = len(work.world.emulator.requests), work.results_path.read_bytes()
    assert work.run() == []
    assert len(work.world.emulator.requests) == requests
    assert work.results_path.read_bytes() == rows


# Going on


def test_a_job_that_timed_out_goes_on_later(batch: Open) -> None:
    """A deadline gives no result line and leaves the run; the same command goes on with it, and pays nothing."""
    work = batch(["slow", "completed"], Scenario(outcomes=(OutcomeScript("slow", running_seconds=60),)))
    reports = work.run(max_wait_seconds=10)
    assert ends(reports) == {"job-0": "unfinished", "job-1": "finished"}
    assert [row["custom_id"] for row in work.rows] == ["job-1"]
    assert ends(work.run()) == {"job-0": "finished"}
    assert (work.paid, len(work.rows), work.world.cancels) == (2, 2, [])


def test_lost_polls_go_on_later(batch: Open) -> None:
    """Polls that failed for too long leave the job unfinished, without a result line."""
    faulty = OutcomeScript("faulty", poll_faults=(parse_fault("503"),) * 130)
    work = batch(["faulty"], Scenario(outcomes=(faulty,)))
    (report,) = work.run()
    assert (report.end, report.exception) == ("unfinished", "PollingLostError")
    assert work.rows == []
    assert ends(work.run()) == {"job-0": "finished"}
    assert work.paid == 1


def test_an_unknown_status_stays_unfinished(batch: Open) -> None:
    """A status nobody knows is no result: the job is looked at again next time."""
    work = batch(["status:paused"])
    (report,) = work.run(max_wait_seconds=10)
    assert (report.end, report.exception) == ("unfinished", "RunUnknownError")
    assert work.rows == []


def test_a_run_that_is_gone_is_held(batch: Open) -> None:
    """A run that answers 404 gets no result: with another key or on another server it may be there."""
    gone = OutcomeScript("gone", expires_after_seconds=0, running_seconds=60)
    work = batch(["gone"], Scenario(outcomes=(gone,)))
    (report,) = work.run()
    assert (report.end, report.exception, work.rows) == ("held", "RunGoneError", [])
    assert ends(work.run()) == {"job-0": "held"}
    assert work.paid == 1
    work.run(on_ambiguous="resubmit")
    assert work.paid == 2


def test_jobs_that_are_going_come_first(batch: Open) -> None:
    """Runs that were paid for are waited for before new ones are made."""
    work = batch(["completed"] * 4)
    work.jobs, later = work.jobs[2:], work.jobs[:2]
    work.die_at("after", "submitted", 2)
    with pytest.raises(KilledError):
        work.run()
    work.restart()
    work.jobs = [*later, *work.jobs]
    asked = len(work.world.emulator.requests)
    work.run(concurrency=1)
    assert work.world.emulator.requests[asked].method == "GET"
    assert [row["custom_id"] for row in work.rows] == ["job-2", "job-3", "job-0", "job-1"]
    assert work.paid == 4


def test_the_resubmissions_before_a_crash_count(batch: Open) -> None:
    """A job that used its resubmissions gets no more of them for having been interrupted."""
    work = batch(["server_error"])
    work.die_at("after", "submitted", 2)
    with pytest.raises(KilledError):
        work.run(resubmit=2)
    work.restart()
    work.run(resubmit=2)
    assert work.paid == 3
    assert work.row_of["job-0"]["outcome"]["attempts"] == 3


def test_a_resumed_job_reports_the_attempts_before(batch: Open) -> None:
    """The second run of a job is its second attempt, also for the process that only waited for it."""
    work = batch(["server_error,completed"])
    work.die_at("after", "submitted", 2)
    with pytest.raises(KilledError):
        work.run(resubmit=2)
    work.restart()
    (report,) = work.run(resubmit=2)
    assert report.attempts == work.row_of["job-0"]["outcome"]["attempts"] == 2


# Ambiguous submissions


@pytest.mark.parametrize("fault", ["lost", "502-html", "cut", "no-id"])
def test_an_ambiguous_post_is_held(batch: Open, fault: str) -> None:
    """A POST that may have gone through is reported as held, gets no line, and is not sent again by the next run."""
    bodies = [{**PARAMS, "metadata": {"emulate_create": f"{fault},ok"}}, dict(PARAMS)]
    work = batch(bodies=bodies)
    for _ in range(2):
        reports = {report.job.custom_id: report for report in work.run()}
        assert (reports["job-0"].end, reports["job-0"].exception) == ("held", "SubmissionUnknownError")
        assert reports["job-0"].detail
    assert [row["custom_id"] for row in work.rows] == ["job-1"]
    assert work.paid == 2


def test_an_ambiguous_post_is_made_again_if_the_user_says_so(batch: Open) -> None:
    """`on_ambiguous="resubmit"` submits the held jobs again, once, with a new key."""
    work = batch(bodies=[{**PARAMS, "metadata": {"emulate_create": "lost,ok"}}, dict(PARAMS)])
    work.run()
    assert ends(work.run(on_ambiguous="resubmit")) == {"job-0": "finished"}
    assert sorted(row["custom_id"] for row in work.rows) == ["job-0", "job-1"]
    keys = [post.idempotency_key for post in work.world.posts]
    assert len(set(keys)) == len(keys) == 3
    assert work.run(on_ambiguous="resubmit") == []


def test_an_ambiguous_resubmission_is_held_too(batch: Open) -> None:
    """When the second run's POST may have gone through, the job is held: the first run's failure is not its end."""
    scenario = Scenario(faults=(FaultRule("create", parse_fault("lost"), 2, 2),))
    work = batch(["server_error,completed"], scenario)
    assert ends(work.run()) == {"job-0": "held"}
    assert ends(work.run()) == {"job-0": "held"}
    assert (work.rows, work.paid) == ([], 2)


# Refused creates


def test_a_bad_request_is_a_result(batch: Open) -> None:
    """A 400 concerns one job: it gets a line with the HTTP error, and the others go on."""
    work = batch(bodies=[{**PARAMS, "metadata": {"emulate_create": "400"}}, dict(PARAMS)])
    reports = {report.job.custom_id: report for report in work.run()}
    assert (reports["job-0"].end, reports["job-0"].exception) == ("finished", "BadRequestError")
    row = work.row_of["job-0"]
    assert row["response"]["status_code"] == 400
    assert "Emulated fault" in row["response"]["body"]["error"]["message"]
    assert row["outcome"]["exception"] == "BadRequestError"
    assert work.row_of["job-1"]["outcome"]["ok"]
    assert work.run() == []
    assert work.paid == 1


ACCOUNT = {
    "401": "401",
    "403": "403",
    "quota": {"status": 429, "code": "insufficient_quota"},
    "credit": {"status": 429, "code": "credit_balance_exhausted"},
}


@pytest.mark.parametrize("fault", ACCOUNT.values(), ids=ACCOUNT.keys())
def test_what_concerns_every_job_stops_the_submissions(batch: Open, fault: Any) -> None:
    """A bad key or an empty account: nothing more is sent, nobody gets a result line, and all can be run later."""
    work = batch(["completed"] * 6, always(fault))
    reports = work.run(concurrency=2)
    assert set(ends(reports).values()) == {"not_submitted"}
    assert len(reports) == 6
    assert len(work.world.posts) <= 2
    assert work.rows == []
    assert {event for _, event in work.journal} == {"submitting", "refused"}


def test_no_connection_stops_the_submissions(batch: Open) -> None:
    """A server that is not there concerns every job; nothing is ambiguous about it."""
    work = batch(["completed"] * 4, base_url=closed_port())
    reports = work.run(concurrency=2)
    assert set(ends(reports).values()) == {"not_submitted"}
    assert [report.exception for report in reports][:1] == ["APIConnectionError"]
    work.world._options["base_url"] = work.world.emulator.base_url
    assert set(ends(work.run()).values()) == {"finished"}
    assert work.paid == 4


def test_a_busy_server_leaves_a_job_for_later(batch: Open) -> None:
    """A create that was refused for too long is no result: the job is submitted next time, the others go on now."""
    work = batch(bodies=[{**PARAMS, "metadata": {"emulate_create": "503,503,503,ok"}}, dict(PARAMS)])
    assert ends(work.run()) == {"job-0": "not_submitted", "job-1": "finished"}
    assert ends(work.run()) == {"job-0": "finished"}
    assert work.paid == 2


def run_dry(work: Batch) -> list[JobReport]:
    """Two jobs submit together; one is refused for want of quota before the other is first polled, and then fails."""
    both_submit, one_is_refused = asyncio.Event(), asyncio.Event()
    submitting = 0

    async def in_step(request: Any) -> None:
        nonlocal submitting
        if request.method == "POST":
            submitting += 1
            if submitting == 2:
                both_submit.set()
            await both_submit.wait()
        else:
            await one_is_refused.wait()

    work.world.hooks.append(in_step)
    work.hook = lambda moment, event, job: one_is_refused.set() if (moment, event) == ("after", "refused") else None
    return work.run(concurrency=2)


DRY = Scenario(faults=(FaultRule("create", parse_fault({"status": 429, "code": "insufficient_quota"}), 2, 2),))


def test_nothing_is_resubmitted_after_the_account_ran_dry(batch: Open) -> None:
    """Once a create was refused for what concerns every job, runs in flight are waited for, but not made again."""
    work = batch(["server_error,completed"] * 2, DRY)
    run_dry(work)
    assert posts_after(work.world.emulator.requests, 429) == 0
    assert len(work.world.polls) >= 1


def test_a_job_that_may_not_be_made_again_is_unfinished(batch: Open) -> None:
    """A job whose run failed and could not be made again was submitted: it goes on next time."""
    work = batch(["server_error,completed"] * 2, DRY)
    assert sorted(ends(run_dry(work)).values()) == ["not_submitted", "unfinished"]


def test_a_poll_that_is_refused_leaves_the_runs(batch: Open) -> None:
    """A 401 on a poll: the run goes on, the job is unfinished, and nothing more is submitted."""
    work = batch(["completed"] * 3, Scenario(faults=(FaultRule("poll", parse_fault("401"), 1, 1),)))
    reports = work.run(concurrency=1)
    assert ends(reports) == {"job-0": "unfinished", "job-1": "not_submitted", "job-2": "not_submitted"}
    assert (len(work.world.posts), work.rows) == (1, [])
    assert set(ends(work.run()).values()) == {"finished"}
    assert work.paid == 3


# Stopping


def test_a_batch_that_is_stopped_before_it_begins_submits_nothing(batch: Open) -> None:
    """With `stop` set at once every job is left for later."""
    work = batch()

    async def main() -> list[JobReport]:
        work.stop.set()
        runs = work.world.runs
        async with work.world.client() as client:
            with Store(work.results_path) as store:
                return await run_batch(work.jobs, runs(client), store, BatchOptions(), work.progress.append, work.stop)

    assert set(ends(asyncio.run(main())).values()) == {"not_submitted"}
    assert work.world.emulator.requests == []


def test_posts_in_flight_are_waited_for(batch: Open) -> None:
    """`stop` while two POSTs are under way: both get their answer and their id is noted; no other is sent."""
    work = batch(["completed"] * 5)
    under_way = 0
    gate: list[asyncio.Event] = []

    async def hold(request: Any) -> None:
        nonlocal under_way
        if request.method != "POST":
            return
        if not gate:
            gate.append(asyncio.Event())
        under_way += 1
        if under_way == 2:
            work.stop.set()
            asyncio.get_running_loop().call_later(0.15, gate[0].set)
        await gate[0].wait()

    work.world.hooks.append(hold)
    reports = work.run(concurrency=2)
    # Time is virtual here, so the two may even have ended before the batch did.
    assert sorted(ends(reports).values()).count("not_submitted") == 3
    assert sorted(event for _, event in work.journal) == ["submitted"] * 2 + ["submitting"] * 2
    assert (work.paid, work.world.cancels) == (2, [])
    work.world.hooks.clear()
    assert set(ends(work.run()).values()) == {"finished"}
    assert (work.paid, len(work.rows)) == (5, 5)


def test_runs_in_flight_are_left_alone(batch: Open) -> None:
    """`stop` while runs are going ends the waiting; they are neither cancelled nor paid for again."""
    work = batch(["completed"] * 3)

    async def hang(request: Any) -> None:
        if request.method == "GET":
            if len(work.world.posts) == 3:
                work.stop.set()
            await asyncio.Event().wait()

    work.world.hooks.append(hang)
    reports = work.run(concurrency=3)
    assert set(ends(reports).values()) == {"unfinished"}
    assert (work.world.cancels, work.world.polls, work.rows) == ([], [], [])
    work.world.hooks.clear()
    work.run()
    assert (work.paid, len(work.rows)) == (3, 3)


def test_a_stop_prevents_resubmissions(batch: Open) -> None:
    """A run that fails after `stop` was set is not made again; the next call goes on with it."""
    work = batch(["server_error,completed"])
    work.world.clock.on_sleep = lambda seconds: work.stop.set() if len(work.world.polls) else None
    reports = work.run(resubmit=2)
    assert ends(reports) == {"job-0": "unfinished"}
    work.world.clock.on_sleep = None
    posts = len(work.world.posts)
    assert posts == 1
    assert ends(work.run(resubmit=2)) == {"job-0": "finished"}
    assert work.paid == 2


def test_a_refused_post_that_is_interrupted_is_not_held(batch: Open) -> None:
    """What was proven not to be accepted may be sent again by the next run without asking anybody."""
    work = batch(bodies=[{**PARAMS, "metadata": {"emulate_create": "429,ok"}}])

    def interrupt(seconds: float) -> None:
        raise asyncio.CancelledError

    work.world.clock.on_sleep = interrupt
    work.run()
    work.world.clock.on_sleep = None
    assert work.paid == 0
    assert ends(work.run()) == {"job-0": "finished"}


# Full disks, broken machines


def full_at(work: Batch, event: str, nth: int) -> None:
    """From the nth line of this kind on, the disk is full."""
    seen = 0

    def hook(moment: str, what: str, job: str) -> None:
        nonlocal seen
        seen += (moment, what) == ("before", event)
        if seen >= nth and moment == "before":
            raise OSError(28, "No space left on device")

    work.hook = hook


@pytest.mark.parametrize("event", ["submitting", "submitted", "result"])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_full_disk_stops_the_paying(batch: Open, event: str, concurrency: int) -> None:
    """When a line cannot be written the batch raises, and nothing is sent whose intent is not on disk."""
    work = batch(["completed"] * 8)
    full_at(work, event, 3)
    with pytest.raises(OSError, match="No space left"):
        work.run(concurrency=concurrency)
    intents = [job for job, what in work.journal if what == "submitting"]
    assert len(work.world.posts) <= len(intents) <= 2 + concurrency
    assert work.paid < 8
    work.restart()
    held = {report.job.custom_id for report in work.run() if report.end == "held"}
    # A POST that was under way when the disk was full has no id on disk.
    assert len(held) <= (concurrency if event == "submitted" else concurrency - 1)
    assert len(work.rows) == 8 - len(held)
    # An intent that could not be taken back is held, too, although its POST was not sent.
    assert 8 - len(held) <= work.paid <= 8


def test_an_id_that_cannot_be_written_is_told(batch: Open) -> None:
    """If the disk is full right after a POST, the error carries the token of the run that was just paid for."""
    work = batch(["completed"])
    full_at(work, "submitted", 1)
    with pytest.raises(OSError, match="No space left") as caught:
        work.run()
    token: Any = caught.value
    assert loads(token.run_token).response_id == work.world.emulator.runs[0].id


def test_a_broken_view_stops_the_paying(batch: Open) -> None:
    """If telling the progress fails, nothing more is submitted."""
    work = batch(["completed"] * 5)

    class Broken(list):  # type: ignore[type-arg]
        def append(self, progress: Any) -> None:
            if progress.step == "ended":
                raise RuntimeError("the terminal is gone")

    work.progress = Broken()
    with pytest.raises(RuntimeError, match="terminal"):
        work.run(concurrency=1)
    assert (work.paid, len(work.rows)) == (1, 1)


def test_one_bad_job_does_not_stop_the_others(batch: Open) -> None:
    """A job that cannot be sent, which `read_jobs` would have refused, is its own failure; the others are run."""
    work = batch(["completed"] * 4)
    work.jobs[0] = JobLine(1, "job-0", {**PARAMS, "input": "\ud83d"})
    reports = {report.job.custom_id: report for report in work.run(concurrency=1)}
    assert (reports["job-0"].end, reports["job-0"].exception) == ("not_submitted", "UnicodeEncodeError")
    assert [row["custom_id"] for row in work.rows] == ["job-1", "job-2", "job-3"]
    assert ends(work.run()) == {"job-0": "not_submitted"}


def test_a_body_of_which_no_line_can_be_made_leaves_its_job_alone_unfinished(batch: Open) -> None:
    """A run whose body cannot be written as JSON is unfinished, with the reason; the others get their lines."""
    work = batch(["completed"] * 4)
    own: list[str] = []

    def corrupt(response: Any) -> None:
        response.read() if hasattr(response, "read") and not hasattr(response, "aread") else None
        request = response.request
        if request.method == "GET" and (not own or request.url.path.endswith(own[0])):
            own[:] = [request.url.path.rpartition("/")[2]]
            response._content = (
                json.dumps({"id": own[0], "object": "response", "status": "completed", "output": [], "odd": "LONG"})
                .replace('"LONG"', "9" * 5000)
                .encode()
            )

    work.world.response_hooks.append(corrupt)
    reports = [report for report in work.run() if report.end != "finished"]
    assert [(report.end, report.exception, report.response_id) for report in reports] == [
        ("unfinished", "ValueError", own[0])
    ]
    assert len(work.rows) == 3
    work.world.response_hooks.clear()
    assert [report.end for report in work.run()] == ["finished"]


def test_an_error_after_the_post_is_no_refusal(batch: Open) -> None:
    """What breaks on our side after the server took the POST leaves the job held: only what was not sent is free."""
    work = batch(["completed"])

    def break_on(response: Any) -> None:
        raise ValueError("a metrics hook that does not work")

    work.world.response_hooks.append(break_on)
    with contextlib.suppress(ValueError):
        work.run()
    assert work.paid == 1
    work.world.response_hooks.clear()
    assert ends(work.run()) == {"job-0": "held"}
    assert work.paid == 1
