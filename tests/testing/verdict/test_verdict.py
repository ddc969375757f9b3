"""The verdict on a client: real clients that behave, and real clients that do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import openai
import pytest
from openai import OpenAI

from colours import COLOURS, OpenWorld, open_worlds
from runoutcome import PollingLostError, RunError, RunGoneError, SubmissionUnknownError, WaitTimeoutError
from runoutcome.testing import (
    Emulator,
    ManualClock,
    RecordedRequest,
    Verdict,
    assert_client_ok,
    judge_client,
    scenario_names,
)
from runoutcome.testing._verdict.finding import KINDS
from runoutcome.testing._verdict.pace import peak_per_second, polls_needed

worlds = pytest.fixture(params=COLOURS)(open_worlds)
PENDING = ("queued", "in_progress")


class Bench:
    """An emulator whose clock moves when its client sleeps, and a plain client of it."""

    def __init__(self, client: OpenAI, emulator: Emulator, clock: ManualClock) -> None:
        self.client, self.emulator, self.clock = client, emulator, clock

    def create(self, emulate: str = "completed", **metadata: str) -> str:
        """The id of a new run that goes as told."""
        marker = {"emulate": emulate, **metadata}
        return self.client.responses.create(model="gpt-5", input="hi", background=True, metadata=marker).id

    def status(self, run_id: str) -> str | None:
        """One poll."""
        return getattr(self.client.responses.retrieve(run_id), "status", None)  # HTML comes out of it as a str

    def poll(self, run_id: str, delay: float = 0.5) -> str | None:
        """The raw loop of the documentation: poll while it is pending, with a pause; a failed poll is no answer."""
        while True:
            with suppress(openai.APIError, json.JSONDecodeError):
                status = self.status(run_id)
                if status not in (None, *PENDING):
                    return status
            self.clock.advance(delay)

    def verdict(self, *, final: bool = True) -> Verdict:
        """The verdict by the emulator's clock alone, so that it does not depend on how fast this machine is."""
        requests = [replace(request, monotonic=0.0) for request in self.emulator.requests]
        return judge_client(requests, self.emulator.runs, self.clock.now(), final=final)

    def kinds(self) -> dict[Any, int]:
        """How many findings there are of each kind."""
        return self.verdict().counts()


@pytest.fixture
def bench(connect: Callable[[Emulator], OpenAI]) -> Iterator[Callable[..., Bench]]:
    """Opens a bench for a scenario; closed after the test."""
    emulators: list[Emulator] = []

    def bench(scenario: Any = "happy") -> Bench:
        clock = ManualClock()
        emulators.append(Emulator(scenario, clock=clock).start())
        return Bench(connect(emulators[-1]), emulators[-1], clock)

    yield bench
    for emulator in emulators:
        emulator.stop()


def outcome(**fields: Any) -> dict[str, Any]:
    """A scenario in which every run goes as the fields say."""
    return {"outcomes": [{"name": "the_one", **fields}]}


# Clients that behave


def test_a_raw_loop_done_right_is_ok(bench: Callable[..., Bench]) -> None:
    """Polling each run to its end, with a pause, whatever the polls meet, gives no finding."""
    world = bench(outcome(poll_faults=["503", "html", "cut", "reset", "{}"]))
    for number in range(3):
        run_id = world.client.responses.create(model="gpt-5", input=f"job {number}", background=True).id
        assert world.poll(run_id) == "completed"
    verdict = world.verdict()
    assert verdict.ok
    assert_client_ok(verdict)
    assert verdict.totals() == {
        "requests": 21,
        "jobs": 3,
        "creates": 3,
        "paid_runs": 3,
        "polls": 18,
        "poll_faults": 15,
        "cancels": 0,
        "peak_polls_per_second": 2,
        "median_lag_seconds": 2.0,
    }


@pytest.mark.parametrize("name", scenario_names())
def test_our_own_poller_is_ok_in_every_scenario(worlds: OpenWorld, name: str) -> None:
    """`Runs` and `AsyncRuns`, resubmitting where that is allowed, give no finding in any shipped scenario."""
    world = worlds(name)
    left = (RunError, WaitTimeoutError, PollingLostError, SubmissionUnknownError, RunGoneError, openai.APIError)
    for number in range(24):
        with suppress(*left):
            world.call(
                "create_and_poll",
                model="gpt-5",
                input=f"job {number}",
                resubmit=2,
                max_wait_seconds=600,
                on_timeout="cancel",
            )
    assert_client_ok(world.emulator.verdict())


def test_a_foreground_create_needs_no_poll(bench: Callable[..., Bench]) -> None:
    """A run that is answered at once is read by its create."""
    world = bench()
    world.client.responses.create(model="gpt-5", input="hi")
    assert world.verdict().ok


def test_a_resubmission_that_the_catalog_allows_is_ok(bench: Callable[..., Bench]) -> None:
    """Making a run again after a retryable failure that was read is no finding."""
    world = bench()
    assert world.poll(world.create("rate_limit_exceeded,completed")) == "failed"
    assert world.poll(world.create("rate_limit_exceeded,completed")) == "completed"
    verdict = world.verdict()
    assert (verdict.ok, verdict.jobs, verdict.paid_runs) == (True, 1, 2)


def test_a_cancelled_run_may_be_made_again(bench: Callable[..., Bench]) -> None:
    """Who cancels a run, for reasons of his own, owes it no poll and may create another."""
    world = bench()
    world.client.responses.cancel(world.create())
    assert world.poll(world.create()) == "completed"
    assert world.verdict().ok


def test_a_run_whose_id_was_never_told_is_nobodys_orphan(bench: Callable[..., Bench]) -> None:
    """Nobody can poll what a lost answer left behind."""
    world = bench()
    with pytest.raises(openai.APIConnectionError):
        world.create(emulate_create="lost")
    verdict = world.verdict()
    assert (verdict.ok, verdict.paid_runs) == (True, 1)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_who_stops_where_the_server_refuses_is_ok(bench: Callable[..., Bench], status: int) -> None:
    """A 401, 403 or 404 is an answer: nothing is gained by asking again."""
    world = bench(outcome(poll_faults=["ok", status]))
    run_id = world.create("the_one")
    world.status(run_id)
    with pytest.raises(openai.APIStatusError):
        world.status(run_id)
    assert world.verdict().ok


def read_stream(world: Bench, text: str = "hi") -> list[str]:
    """The types of the events of a new run that streams."""
    with world.client.responses.create(model="gpt-5", input=text, background=True, stream=True) as events:
        return [event.type for event in events]


def test_a_stream_that_is_read_to_its_end_is_ok(bench: Callable[..., Bench]) -> None:
    """A create that streams tells the end as a poll does."""
    world = bench(outcome(queued_seconds=0, running_seconds=0))
    for number in range(2):
        assert read_stream(world, f"job {number}")[-1] == "response.completed"
    verdict = world.verdict()
    assert (verdict.ok, verdict.polls, [run.streams for run in verdict.runs]) == (True, 0, [1, 1])


def test_a_stream_that_was_left_early_is_found(bench: Callable[..., Bench]) -> None:
    """A client that closes its stream, and does not come back, leaves the run behind."""
    world = bench()
    with world.client.responses.create(model="gpt-5", input="hi", background=True, stream=True) as events:
        assert next(iter(events)).type == "response.created"
    assert world.kinds() == {"orphaned_run": 1}


def test_a_stream_that_was_cut_and_not_taken_up_is_found(bench: Callable[..., Bench]) -> None:
    """A stream that breaks off is a fault like another: the next request is a poll, or a stream from there."""
    world = bench(outcome(create_faults=["lost"], stream_faults=["stream-eof"]))
    with pytest.raises(openai.APIConnectionError):
        world.client.responses.create(model="gpt-5", input="hi", background=True, stream=True)
    world.clock.advance(60)
    run_id = world.emulator.runs[0].id
    for last_is_end, kinds in ((False, {"gave_up_after_fault": 1, "lost_result": 1}), (True, {})):
        with world.client.responses.retrieve(run_id, stream=True, starting_after=0) as events:
            assert ([event.type for event in events][-1] == "response.completed") is last_is_end
        assert world.kinds() == kinds
    assert (world.verdict().runs[0].streams, world.verdict().runs[0].faults) == (3, 2)


def read_part(world: Bench) -> Any:
    """The first event of a new run that streams; the rest is left unread."""
    with world.client.responses.create(model="gpt-5", input="hi", background=True, stream=True) as events:
        return next(iter(events))


def read_again(world: Bench, run_id: str, **position: int) -> str:
    """The type of the last event of another stream of the run, which ends meanwhile."""
    with world.client.responses.retrieve(run_id, stream=True, **position) as events:
        world.clock.advance(60)
        return [event.type for event in events][-1]


@pytest.mark.parametrize("position", [{}, {"starting_after": 0}], ids=["twice", "resumed"])
def test_a_stream_that_is_opened_twice_is_ok(bench: Callable[..., Bench], position: dict[str, int]) -> None:
    """A client may read one background stream twice, or leave it and resume; then the failure says what is next."""
    failing = {"name": "failing", "code": "server_error", "weight": 0}
    world = bench({"outcomes": [failing], "jobs": [{"match": {"nth": 1}, "outcome": "failing"}]})
    for last in ("response.failed", "response.completed"):
        first = read_part(world)
        assert read_again(world, first.response.id, **position) == last
        assert read_again(world, first.response.id, **position) == last
    assert world.kinds() == {}


def test_the_failure_of_a_stream_is_judged_when_it_was_told(bench: Callable[..., Bench]) -> None:
    """A run that a stream told to be retryable may be made again, and a final one may not, though both were pending."""
    for code, kinds in (("server_error", {}), ("invalid_prompt", {"resubmitted_final": 1})):
        world = bench(outcome(status="failed", code=code, queued_seconds=0.2, running_seconds=0))
        for _ in range(2):
            with world.client.responses.create(model="gpt-5", input="hi", background=True, stream=True) as events:
                pending = next(iter(events))
                world.clock.advance(1)
                assert [pending.type, *(event.type for event in events)][-1] == "response.failed"
        assert world.kinds() == kinds


def test_a_second_run_beside_an_open_stream_is_found(bench: Callable[..., Bench]) -> None:
    """A stream that tells the end later than the next create does not make that create right."""
    world = bench()
    with world.client.responses.create(model="gpt-5", input="hi", background=True, stream=True) as events:
        next(iter(events))
        read_part(world)
        world.clock.advance(60)
        assert [event.type for event in events][-1] == "response.completed"
    world.poll(world.emulator.runs[1].id)
    found = world.verdict().findings
    assert [finding.kind for finding in found] == ["duplicate_run"]
    assert "while the run before was queued" in found[0].text


# Clients that pay twice


def test_a_client_that_creates_again_on_any_failure_is_found(bench: Callable[..., Bench]) -> None:
    """A new run after a failure that is final is a finding for each, with the code."""
    world = bench()
    for _ in range(3):
        assert world.poll(world.create("insufficient_quota")) == "failed"
    verdict = world.verdict()
    assert verdict.counts() == {"resubmitted_final": 2}
    found = verdict.findings[0]
    assert (found.severity, found.evidence["code"]) == ("error", "insufficient_quota")
    assert found.evidence["runs"] == [run.id for run in world.emulator.runs[:2]]


def test_a_message_may_make_a_retryable_code_final(bench: Callable[..., Bench]) -> None:
    """Resubmitting is judged by the catalog as `classify` is, message rules included."""
    message = "Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 52000. It must be reduced."
    world = bench(outcome(status="failed", code="rate_limit_exceeded", message=message))
    for _ in range(2):
        world.poll(world.create("the_one"))
    assert world.kinds() == {"resubmitted_final": 1}


def test_a_second_run_beside_a_pending_one_is_found(bench: Callable[..., Bench]) -> None:
    """A create while the run before is pending pays twice."""
    world = bench()
    first, second = world.create(), world.create()
    world.poll(first)
    world.poll(second)
    assert world.kinds() == {"duplicate_run": 1}


def test_a_second_run_after_a_failed_poll_is_found(bench: Callable[..., Bench]) -> None:
    """A create because polls fail pays twice, and leaves the first run behind."""
    world = bench(outcome(poll_faults=["503"]))
    with pytest.raises(openai.InternalServerError):
        world.status(world.create("the_one"))
    world.clock.advance(10)
    world.poll(world.create("the_one"))
    verdict = world.verdict()
    assert verdict.counts() == {"duplicate_run": 1, "gave_up_after_fault": 1, "lost_result": 1}
    assert verdict.of_kind("gave_up_after_fault")[0].run == world.emulator.runs[0].id


@pytest.mark.parametrize("fault", ["lost", "502-html", "no-id"])
def test_a_blind_second_post_is_found(bench: Callable[..., Bench], fault: str) -> None:
    """A create sent again after an answer that tells no id, though the run was made."""
    world = bench()
    with suppress(openai.APIError):
        world.create(emulate_create=f"{fault},ok")
    world.poll(world.create(emulate_create=f"{fault},ok"))
    verdict = world.verdict()
    assert verdict.counts() == {"blind_resend": 1}
    assert (verdict.paid_runs, verdict.creates) == (2, 2)


def test_a_post_sent_again_after_a_refusal_is_ok(bench: Callable[..., Bench]) -> None:
    """No run was made by a create that the API refused, so sending it again is right."""
    world = bench()
    with pytest.raises(openai.InternalServerError):
        world.create(emulate_create="503,ok")
    world.poll(world.create(emulate_create="503,ok"))
    verdict = world.verdict()
    assert (verdict.ok, verdict.paid_runs, verdict.creates) == (True, 1, 2)


def test_the_sdks_own_retries_of_a_create_are_found(bench: Callable[..., Bench]) -> None:
    """The SDK sends a create again after a gateway's 502, and the verdict names both runs."""
    world = bench(outcome(create_faults=["502-html"]))
    client = world.client.with_options(max_retries=1)
    run_id = client.responses.create(model="gpt-5", input="hi", background=True).id
    world.poll(run_id)
    assert world.kinds() == {"blind_resend": 1}


# Clients that lose runs


def test_a_client_that_cancels_at_the_first_503_is_found(bench: Callable[..., Bench]) -> None:
    """A failed poll says nothing about the run, so cancelling for it is wrong; once is enough to say so."""
    world = bench(outcome(poll_faults=["503", "503"]))
    run_id = world.create("the_one")
    with pytest.raises(openai.InternalServerError):
        world.status(run_id)
    world.client.responses.cancel(run_id)
    verdict = world.verdict()
    assert verdict.counts() == {"cancelled_after_fault": 1}
    assert verdict.findings[0].evidence == {"faults": 1, "status": "cancelled"}


def test_a_cancel_after_a_good_poll_is_no_finding(bench: Callable[..., Bench]) -> None:
    """What failed before a poll that went well is forgotten."""
    world = bench(outcome(poll_faults=["503"]))
    run_id = world.create("the_one")
    with pytest.raises(openai.InternalServerError):
        world.status(run_id)
    assert world.status(run_id) == "queued"
    world.client.responses.cancel(run_id)
    assert world.verdict().ok


@pytest.mark.parametrize("fault", ["503", "html", "cut", "reset", "429"])
def test_a_client_that_gives_up_at_a_failed_poll_is_found(bench: Callable[..., Bench], fault: str) -> None:
    """Not to ask again after a fault loses a run that completes."""
    world = bench(outcome(poll_faults=["ok", fault]))
    run_id = world.create("the_one")
    world.status(run_id)
    with suppress(openai.APIError, json.JSONDecodeError, AttributeError):
        world.status(run_id)
    assert world.kinds() == {"gave_up_after_fault": 1}
    world.clock.advance(60)
    assert world.kinds() == {"gave_up_after_fault": 1, "lost_result": 1}


def test_a_client_that_only_creates_is_found(bench: Callable[..., Bench]) -> None:
    """A run nobody asks for is a finding; its result is lost once it has completed."""
    world = bench()
    world.create()
    assert world.kinds() == {"never_polled": 1}
    world.clock.advance(60)
    assert world.kinds() == {"never_polled": 1, "lost_result": 1}


def test_a_run_left_pending_is_found_at_the_end_only(bench: Callable[..., Bench]) -> None:
    """Until its client has finished, a run that is pending may still be asked for."""
    world = bench()
    world.status(world.create())
    assert world.kinds() == {"orphaned_run": 1}
    assert world.verdict(final=False).ok


def test_a_client_that_takes_an_unknown_status_for_the_end_is_found(bench: Callable[..., Bench]) -> None:
    """To stop at a word nobody knows is a finding; to ask once more, and then give up, is none."""
    world = bench()
    run_id = world.create("status:paused")
    world.clock.advance(5)
    assert world.status(run_id) == "paused"
    assert world.kinds() == {"took_unknown_for_end": 1}
    world.clock.advance(5)
    world.status(run_id)
    assert world.verdict().ok


def test_a_client_that_comes_when_the_run_is_gone_has_lost_its_result(bench: Callable[..., Bench]) -> None:
    """Who asks after the retention is over gets a 404, and the result is lost."""
    world = bench(outcome(expires_after_seconds=600))
    run_id = world.create("the_one")
    world.status(run_id)
    world.clock.advance(3600)
    with pytest.raises(openai.NotFoundError):
        world.status(run_id)
    assert world.kinds() == {"lost_result": 1}


# Clients that ask too often


def test_a_loop_with_a_pause_of_10_ms_is_found(bench: Callable[..., Bench]) -> None:
    """The finding says how many polls there were within one second."""
    world = bench()
    world.poll(world.create(), delay=0.01)
    verdict = world.verdict()
    assert verdict.counts() == {"busy_polling": 1}
    found = verdict.findings[0]
    assert (found.severity, found.evidence["polls"]) == ("warning", found.evidence["peak"])
    assert verdict.peak_polls_per_second == found.evidence["peak"] == 51


def test_a_fixed_delay_is_too_short_for_a_long_run(bench: Callable[..., Bench]) -> None:
    """A poll every second for ten minutes is many times what is needed; every ten seconds is fine."""
    world = bench(outcome(running_seconds=600))
    world.poll(world.create("the_one"), delay=1)
    verdict = world.verdict()
    assert verdict.counts() == {"polled_too_often": 1}
    assert verdict.findings[0].evidence == {"polls": 601, "needed": 100}
    other = bench(outcome(running_seconds=600))
    other.poll(other.create("the_one"), delay=10)
    assert other.verdict().ok


def test_a_client_that_follows_the_servers_hint_is_ok(bench: Callable[..., Bench]) -> None:
    """Where the server asks for a poll each 100 ms, ten a second are right."""
    world = bench(outcome(running_seconds=30, poll_after_ms=100))
    world.poll(world.create("the_one"), delay=0.1)
    assert world.verdict().ok


def test_a_client_that_ignores_retry_after_is_found(bench: Callable[..., Bench]) -> None:
    """The next poll of the run came too early; one that waits is fine."""
    faults = [{"status": 429, "retry_after": 5}, {"status": 503, "retry_after": 5}]
    world = bench(outcome(poll_faults=faults))
    world.poll(world.create("the_one"), delay=1)
    verdict = world.verdict()
    assert verdict.counts() == {"retry_after_ignored": 1}
    assert verdict.findings[0].evidence == {"times": 2, "retry_after": 5}
    other = bench(outcome(poll_faults=faults))
    other.poll(other.create("the_one"), delay=5)
    assert other.verdict().ok


def test_a_create_sent_again_too_early_is_found(bench: Callable[..., Bench]) -> None:
    """Retry-After counts for creates too, job by job."""
    world = bench(outcome(create_faults=[{"status": 503, "retry_after": 9}]))
    for seconds in (1, 0):
        with suppress(openai.InternalServerError):
            world.poll(world.create("the_one"))
        world.clock.advance(seconds)
    verdict = world.verdict()
    assert verdict.counts() == {"retry_after_ignored": 1}
    assert (verdict.findings[0].run, bool(verdict.findings[0].job)) == (None, True)


def test_a_client_that_polls_after_the_end_is_found(bench: Callable[..., Bench]) -> None:
    """One more read is fine, as some clients fetch the whole body at the end; two are not."""
    world = bench()
    run_id = world.create()
    world.poll(run_id)
    world.clock.advance(1)
    world.status(run_id)
    assert world.verdict().ok
    world.clock.advance(1)
    world.status(run_id)
    verdict = world.verdict()
    assert verdict.counts() == {"polled_after_end": 1}
    assert verdict.findings[0].evidence == {"polls": 2, "told": "completed"}


# The value


def recorded(**fields: Any) -> RecordedRequest:
    """A poll, as it is noted."""
    given = {"method": "GET", "path": "/v1/responses/r", "status": 200, "response_id": "r", "at": 0.0, "route": "poll"}
    return RecordedRequest(**{**given, **fields})


def test_time_is_read_from_the_clock_that_moved() -> None:
    """A clock that a test moves, and the machine's own while that stands still, both count as waiting."""
    moved = [recorded(at=0.5 * number) for number in range(9)]
    waited = [recorded(monotonic=0.5 * number) for number in range(9)]
    assert (peak_per_second(moved), peak_per_second(waited)) == (2, 2)
    assert peak_per_second([recorded()] * 9) == 9
    assert peak_per_second([]) == 0


@pytest.mark.parametrize(("seconds", "polls"), [(0, 1), (0.5, 2), (6.25, 13.5), (125, 52.4), (725, 112.4)])
def test_what_is_needed_grows_like_the_delay(seconds: float, polls: float) -> None:
    """Half a second at first, then 8 % of the age, ten seconds at most."""
    assert polls_needed(seconds) == pytest.approx(polls, abs=0.05)


def test_the_message_of_the_assertion_says_what_to_do(bench: Callable[..., Bench]) -> None:
    """It counts, names at most three runs of a kind, gives the remedy, and says how to allow it."""
    world = bench()
    for number in range(5):
        world.create(number=str(number))
    with pytest.raises(AssertionError) as caught:
        assert_client_ok(world.verdict())
    ids = [run.id for run in world.emulator.runs]
    assert str(caught.value).splitlines() == [
        "the client did 5 things wrong:",
        "  never_polled (error, 5x): created, and never polled or read",
        *(f"    {run_id}: created, and never polled" for run_id in ids[:3]),
        "    and 2 more",
        "    -> Keep the id of every run you create, and poll it until it is terminal, or cancel it.",
        "If that is meant, allow it: allow=['never_polled']",
    ]


def test_what_is_allowed_is_passed_over(bench: Callable[..., Bench]) -> None:
    """Kinds that are meant can be allowed; a word that is no kind is an error."""
    world = bench()
    world.create()
    assert_client_ok(world.verdict(), allow=["never_polled"])
    with pytest.raises(ValueError, match="no finding is called 'never_poled'"):
        assert_client_ok(world.verdict(), allow=["never_poled"])


def test_a_verdict_is_json(bench: Callable[..., Bench]) -> None:
    """Findings, runs and totals survive `json`."""
    world = bench()
    world.status(world.create())
    told = json.loads(json.dumps(world.verdict().to_dict()))
    assert told["ok"] is False
    assert told["counts"] == {"orphaned_run": 1}
    assert told["findings"][0]["run"] == told["runs"][0]["id"] == world.emulator.runs[0].id
    assert told["runs"][0]["told"] == "queued"


def test_a_verdict_reads_as_text(bench: Callable[..., Bench]) -> None:
    """`str` counts what there is."""
    world = bench()
    world.status(world.create())
    assert str(world.verdict()).startswith("1 finding about the client (1 jobs, 1 paid runs, 1 polls)\n  orphaned_run")


def test_an_id_nobody_knows_is_no_run(bench: Callable[..., Bench]) -> None:
    """A poll of an id that the emulator does not know is counted, and is nobody's fault."""
    world = bench()
    with pytest.raises(openai.NotFoundError):
        world.status("resp_nothing")
    verdict = world.verdict()
    assert (verdict.ok, verdict.paid_runs, verdict.polls) == (True, 0, 1)


def test_runs_of_an_earlier_start_are_not_held_against_the_client(bench: Callable[..., Bench]) -> None:
    """Who was not asked about at all belongs to somebody else."""
    world = bench()
    world.create()
    assert judge_client([], world.emulator.runs, world.clock.now()).ok


def test_the_documentation_has_every_kind() -> None:
    """`docs/verdict.md` has a row for each kind, with its severity and title."""
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "verdict.md").read_text("utf-8")
    for kind, row in KINDS.items():
        assert f"| `{kind}` | {row.severity} | {row.title} |" in page
