"""`cancel`: ask the server to stop a run, and say what it really became."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.responses import Response

from colours import COLOURS, OpenWorld, Script, World, body_of, open_worlds, refusal, reply
from runoutcome import RunGoneError, RunUnknownError, classify
from runoutcome._waiting.resume_token import ResumeToken, loads
from runoutcome.testing import FaultRule, OutcomeScript, Scenario, parse_fault

worlds = pytest.fixture(params=COLOURS)(open_worlds)


def with_cancel_fault(fault: Any, status: str = "completed") -> Scenario:
    """Every cancel meets this fault."""
    return Scenario(outcomes=(OutcomeScript("s", status=status),), faults=(FaultRule("cancel", parse_fault(fault)),))


def cancel_error(world: World, kind: type[BaseException], run: Any) -> Any:
    """What `cancel` raises, checked for the token."""
    with pytest.raises(kind) as caught:
        world.call("cancel", run)
    error: Any = caught.value
    assert loads(error.run_token).response_id
    return error


@pytest.mark.parametrize("seconds", [0, 0.2], ids=["queued", "in_progress"])
def test_a_pending_run_is_cancelled(worlds: OpenWorld, seconds: float) -> None:
    """A run that is queued or going is stopped, and given as the SDK's model."""
    world = worlds()
    run_id = world.submitted()
    world.clock.advance(seconds)
    response = world.call("cancel", run_id)
    assert type(response) is Response
    assert (response.id, response.status) == (run_id, "cancelled")
    assert (len(world.cancels), len(world.polls), world.sleeps) == (1, 1, [])
    assert world.status_of(run_id) == "cancelled"


def test_cancelling_again_is_the_same(worlds: OpenWorld) -> None:
    """A run that is cancelled already is given as it is."""
    world = worlds()
    run_id = world.submitted()
    assert [world.call("cancel", run_id).status for _ in range(2)] == ["cancelled", "cancelled"]


@pytest.mark.parametrize("form", ["id", "token", "response", "dict"])
def test_a_run_is_named_in_any_way(worlds: OpenWorld, form: str) -> None:
    """An id, a resume token and a response name the run to stop."""
    world = worlds()
    response = world.create()
    run = {
        "id": response.id,
        "token": ResumeToken(response.id).dumps(),
        "response": response,
        "dict": response.to_dict(),
    }[form]
    assert world.call("cancel", run).status == "cancelled"


@pytest.mark.parametrize("word", ["completed", "server_error", "max_output_tokens"])
def test_a_run_that_had_ended_is_given_as_it_ended(worlds: OpenWorld, word: str) -> None:
    """The server refuses (400): the run is read, and given in its true state; nothing is raised for a failed one."""
    world = worlds()
    run_id = world.submitted(word)
    world.clock.advance(10)
    response = world.call("cancel", run_id)
    assert type(response) is Response
    assert response.status == world.status_of(run_id) != "cancelled"
    assert [request.status for request in world.cancels] == [400]


@pytest.mark.parametrize("fault", ["409", "400", "404"])
def test_a_refused_cancel_is_no_last_word(worlds: OpenWorld, fault: str) -> None:
    """By server and mode a finished run answers 400 or 409: what counts is what the run says."""
    world = worlds(with_cancel_fault(fault), max_retries=0)
    run_id = world.submitted("stuck")
    assert world.call("cancel", run_id).status == "queued"


def test_a_cancel_that_takes_its_time_is_looked_at_again(worlds: OpenWorld) -> None:
    """A cancel that was taken but has not taken effect is answered with the state read after it."""
    script = Script([reply(body_of("in_progress")), "in_progress", refusal(503), reply({}), "cancelled"])
    world = worlds(answer=script)
    assert world.call("cancel", "resp_1").status == "cancelled"
    assert script.methods == ["POST", "GET", "GET", "GET", "GET"]
    assert world.elapsed < 5


def test_a_cancel_that_takes_too_long_is_given_as_it_is(worlds: OpenWorld) -> None:
    """A run that is still going 5 seconds after its cancel is given as it was read last."""
    script = Script([reply(body_of("queued")), "in_progress"])
    world = worlds(answer=script)
    response = world.call("cancel", "resp_1")
    assert (type(response), response.status) == (Response, "in_progress")
    assert 4 <= world.elapsed <= 5
    assert len(script.requests) <= 7


def test_a_cancel_is_not_believed_but_read(worlds: OpenWorld) -> None:
    """A server that says "cancelled" while the run completes is asked once more, and what it then says is given."""
    flip = OutcomeScript("flip", queued_seconds=0, running_seconds=9, completes_despite_cancel_seconds=0)
    world = worlds(Scenario(outcomes=(flip,)))
    run_id = world.submitted("flip")
    assert world.call("cancel", run_id).status == "completed"
    assert len(world.cancels) == 1


def test_a_state_that_cannot_be_read_again_is_the_one_that_was_told(worlds: OpenWorld) -> None:
    """Where no read is answered the cancel's own answer is the last that is known."""
    script = Script([reply(body_of("cancelled")), refusal(503)])
    world = worlds(answer=script)
    assert world.call("cancel", "resp_1").status == "cancelled"
    assert world.elapsed <= 5


def test_a_read_that_is_refused_is_raised(worlds: OpenWorld) -> None:
    """401 for the read is the SDK's own error at once, as for any poll."""
    script = Script([reply(body_of("cancelled")), refusal(401)])
    cancel_error(worlds(answer=script), openai.AuthenticationError, "resp_1")
    assert len(script.requests) == 2


@pytest.mark.parametrize("form", ["token", "response", "answer"])
def test_a_known_run_that_is_missing_is_gone(worlds: OpenWorld, form: str) -> None:
    """404 for a run that was there, by its token, its response or the answer to the cancel, is `RunGoneError`."""
    run: Any = {"token": ResumeToken("resp_1", seen=True).dumps(), "response": body_of("queued"), "answer": "resp_1"}
    world = worlds(answer=Script([reply(body_of("cancelled")) if form == "answer" else refusal(404), refusal(404)]))
    error = cancel_error(world, RunGoneError, run[form])
    assert error.response_id == "resp_1"
    assert world.elapsed <= 5


def test_a_run_that_is_not_readable_yet_is_waited_for(worlds: OpenWorld) -> None:
    """A run that was made a moment ago may be unknown to the server that is asked: that is not gone."""
    hidden = OutcomeScript("hidden", status="stuck", hidden_seconds=2)
    world = worlds(Scenario(outcomes=(hidden,)))
    assert world.call("cancel", world.create(metadata={"emulate": "hidden"})).status in ("cancelled", "queued")


def test_an_unknown_run_cannot_be_cancelled(worlds: OpenWorld) -> None:
    """The SDK's own NotFoundError for an id that neither request knows."""
    world = worlds()
    error = cancel_error(world, openai.NotFoundError, "resp_nowhere")
    assert type(error) is openai.NotFoundError
    assert len(world.emulator.requests) == 2


@pytest.mark.parametrize(
    ("fault", "kind"), [("401", openai.AuthenticationError), ("403", openai.PermissionDeniedError)]
)
def test_a_forbidden_cancel_is_raised(worlds: OpenWorld, fault: str, kind: type[Exception]) -> None:
    """401 and 403 are the SDK's own error."""
    world = worlds(with_cancel_fault(fault))
    cancel_error(world, kind, world.submitted("stuck"))
    assert len(world.emulator.requests) == 2


@pytest.mark.parametrize("max_retries", [0, 2])
def test_a_server_error_is_tried_as_often_as_the_client_says(worlds: OpenWorld, max_retries: int) -> None:
    """A cancel may be sent twice without harm, so the client's own retries apply; then the SDK's own error."""
    world = worlds(with_cancel_fault({"status": 503, "retry_after": 0.001}), max_retries=max_retries)
    run_id = world.submitted("stuck")
    error = cancel_error(world, openai.InternalServerError, run_id)
    assert loads(error.run_token).response_id == run_id
    assert len(world.cancels) == max_retries + 1


def test_a_server_error_that_passes_is_survived(worlds: OpenWorld) -> None:
    """One 503 and the run is cancelled."""
    fault = parse_fault({"status": 503, "retry_after": 0.001})
    world = worlds(Scenario(faults=(FaultRule("cancel", fault, 1, 1),)))
    assert world.call("cancel", world.submitted("stuck")).status == "cancelled"


@pytest.mark.parametrize(
    "fault",
    ["{}", "html", "cut", "empty", "lost"],
)
def test_a_cancel_whose_answer_is_lost_reads_the_run(worlds: OpenWorld, fault: str) -> None:
    """The cancel took effect but its answer cannot be read: the run is read, which says so."""
    world = worlds(with_cancel_fault(fault), max_retries=0)
    assert world.call("cancel", world.submitted("stuck")).status == "cancelled"


def test_what_cannot_be_read_is_unknown(worlds: OpenWorld) -> None:
    """If the read gives no run body either, `RunUnknownError` says that nothing is known."""
    script = Script([refusal(409), reply({})])
    error = cancel_error(worlds(answer=script, max_retries=0), RunUnknownError, "resp_1")
    assert error.retryable is False


def test_the_read_after_a_refused_cancel_may_fail(worlds: OpenWorld) -> None:
    """If the read fails as well, its own error is raised, with the token."""
    script = Script([refusal(409), refusal(503)])
    cancel_error(worlds(answer=script, max_retries=0), openai.InternalServerError, "resp_1")


def test_an_interrupted_cancel_carries_the_token(worlds: OpenWorld) -> None:
    """Ctrl-C in the middle of a cancel says which run it was."""
    cancel_error(worlds(answer=Script([KeyboardInterrupt()])), KeyboardInterrupt, "resp_1")


@pytest.mark.parametrize("form", ["response", "dict"])
@pytest.mark.parametrize("word", ["completed", "server_error", "cancelled"])
def test_a_response_that_has_ended_is_not_cancelled(worlds: OpenWorld, word: str, form: str) -> None:
    """A response known as ended is given back without a request: a server could write over what was paid for."""
    world = worlds()
    ended = world.call("poll", world.submitted(), accept=("cancelled",)) if word == "completed" else None
    run: Any = ended or Response.construct(**body_of(word if word == "cancelled" else "failed"))
    before = len(world.emulator.requests)
    response = world.call("cancel", run if form == "response" else run.to_dict())
    assert (type(response), response.status) == (Response, run.status)
    assert len(world.emulator.requests) == before


@pytest.mark.parametrize("wait_seconds", [0, 2, 300])
def test_the_reading_after_a_cancel_is_bounded(worlds: OpenWorld, wait_seconds: float) -> None:
    """`wait_seconds` bounds the time for which a run that is still going is read after its cancel."""
    world = worlds(answer=(script := Script([reply(body_of("in_progress")), "in_progress"])))
    assert world.call("cancel", "resp_1", wait_seconds=wait_seconds).status == "in_progress"
    assert wait_seconds * 0.5 <= world.elapsed <= wait_seconds
    assert script.methods[:2] == ["POST", "GET"]


@pytest.mark.parametrize("wait_seconds", [-1, float("nan"), float("inf"), "5", True])
def test_a_wait_that_is_no_time_is_refused(worlds: OpenWorld, wait_seconds: Any) -> None:
    """`wait_seconds` is a finite number of seconds, told before anything is sent."""
    world = worlds(answer=(script := Script(["cancelled"])))
    with pytest.raises((ValueError, TypeError), match="wait_seconds"):
        world.call("cancel", "resp_1", wait_seconds=wait_seconds)
    assert script.requests == []


def test_the_usage_of_a_cancelled_run_is_not_known() -> None:
    """Zeros in the body of a run that was just cancelled are no count; other numbers are."""
    zeros = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert classify(body_of("cancelled", usage=zeros)).usage is None
    assert classify(body_of("completed", usage=zeros)).usage == zeros
    assert classify(body_of("cancelled", usage={**zeros, "total_tokens": 7})).usage == {**zeros, "total_tokens": 7}
