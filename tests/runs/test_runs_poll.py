"""Waiting for a run: what a poll may meet, how long it takes, and what leaves it."""

from __future__ import annotations

import asyncio
import json
import pickle
import random
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import openai
import pytest
from openai.resources.responses import Responses
from openai.types.responses import Response

import runoutcome
from colours import (
    API_KEY,
    COLOURS,
    PARAMS,
    WAYS,
    Colour,
    OpenWorld,
    RawServer,
    Script,
    World,
    body_of,
    closed_port,
    open_worlds,
    refusal,
    reply,
)
from runoutcome import (
    AsyncRuns,
    Outcome,
    PollingLostError,
    RunError,
    RunGoneError,
    RunUnknownError,
    WaitTimeoutError,
    is_retryable,
)
from runoutcome._sdk.fast_transport import Transport
from runoutcome._sdk.responses import native_http_library
from runoutcome._waiting.polling import MIN_INTERVAL_SECONDS, Sleep, WaitState, pending, policy_for
from runoutcome._waiting.resume_token import ResumeToken, loads
from runoutcome.testing import FaultRule, OutcomeScript, Scenario, parse_fault

worlds = pytest.fixture(params=WAYS)(open_worlds)
client_worlds = pytest.fixture(params=COLOURS)(open_worlds)
"""For what a test can see or do inside the client's HTTP library only."""
HOUR = 3600.0
SELDOM = {"poll_interval_ms": 1_000_000}
"""For long waits where the number of polls does not matter."""


def scenario(*faults: Any, **outcome: Any) -> Scenario:
    """Every run goes as `outcome` says, and its polls meet these faults first."""
    return Scenario(
        outcomes=(OutcomeScript("faulty", poll_faults=tuple(parse_fault(fault) for fault in faults), **outcome),)
    )


def somewhere(world: World) -> str:
    """A run of the world's scenario, submitted elsewhere."""
    return world.plain.responses.create(**PARAMS, background=True).id


def poll_error(world: World, kind: type[BaseException], *args: Any, **kwargs: Any) -> Any:
    """What `poll` raises, checked for the token that everything carries."""
    with pytest.raises(kind) as caught:
        world.call("poll", *args, **kwargs)
    error: Any = caught.value
    assert loads(error.run_token).response_id
    return error


# What is returned, and what is raised


def test_a_completed_run_is_the_sdks_own_model(worlds: OpenWorld) -> None:
    """What `poll` returns is what `client.responses.retrieve` would have given, request id and all."""
    world = worlds()
    run_id = world.submitted()
    response = world.call("poll", run_id)
    assert type(response) is Response
    assert response == world.plain.responses.retrieve(run_id)
    assert response.to_dict() == world.plain.responses.retrieve(run_id).to_dict()
    assert response.output_text == world.plain.responses.retrieve(run_id).output_text
    assert response._request_id.startswith("req_")


ENDS = [
    ("rate_limit_exceeded", "RunRateLimitError", "RateLimitError", 429),
    ("insufficient_quota", "RunRateLimitError", "RateLimitError", 429),
    ("server_error", "RunInternalServerError", "InternalServerError", 500),
    ("invalid_prompt", "RunBadRequestError", "BadRequestError", 400),
    ("data_residency_mismatch", "RunPermissionDeniedError", "PermissionDeniedError", 403),
    ("failed:401", "RunAuthenticationError", "AuthenticationError", 401),
    ("failed:404", "RunNotFoundError", "NotFoundError", 404),
    ("failed:409", "RunConflictError", "ConflictError", 409),
    ("failed:422", "RunUnprocessableEntityError", "UnprocessableEntityError", 422),
    ("failed:418", "RunStatusError", "APIStatusError", 418),
    ("failed:never_heard_of", "RunFailedError", "APIError", None),
    ("failed", "RunFailedError", "APIError", None),
    ("content_filter", "RunContentFilterError", "ContentFilterFinishReasonError", None),
    ("max_output_tokens", "RunIncompleteError", "OpenAIError", None),
    ("cancelled", "RunCancelledError", "OpenAIError", None),
    ("expired", "RunExpiredError", "OpenAIError", None),
]


@pytest.mark.parametrize(("word", "name", "sdk_name", "status"), ENDS, ids=[end[0] for end in ENDS])
def test_every_other_end_raises_its_class(
    worlds: OpenWorld, word: str, name: str, sdk_name: str, status: int | None
) -> None:
    """A run that ended in any other way raises the static class for it, which is also the SDK's."""
    world = worlds()
    run_id = world.submitted(word)
    error = poll_error(world, getattr(openai, sdk_name), run_id)
    assert type(error) is getattr(runoutcome, name)
    assert (error.response_id, error.poll_status_code) == (run_id, 200)
    assert error.request_id.startswith("req_")
    assert getattr(error, "status_code", None) == status
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert world.cancels == []


def test_the_partial_output_is_on_the_error(worlds: OpenWorld) -> None:
    """What an incomplete run had written is on `.run`, as the SDK's model."""
    world = worlds()
    error = poll_error(world, runoutcome.RunIncompleteError, world.submitted("max_output_tokens"))
    assert type(error.run) is Response
    assert error.run.output_text.startswith("Emulated answer")
    assert error.run.output_text not in str(error)


def test_a_dead_run_polled_again_gives_the_same_error(worlds: OpenWorld) -> None:
    """Polling a run that failed costs one request, no sleep, and gives a fresh error with the same outcome."""
    world = worlds()
    run_id = world.submitted("rate_limit_exceeded")
    first = poll_error(world, runoutcome.RunRateLimitError, run_id)
    polls, sleeps = len(world.polls), len(world.sleeps)
    second = poll_error(world, runoutcome.RunRateLimitError, run_id)
    assert (len(world.polls) - polls, len(world.sleeps) - sleeps) == (1, 0)
    assert second is not first
    assert second.outcome == first.outcome


def test_our_own_errors_have_a_token_too(worlds: OpenWorld) -> None:
    """What is ours carries the resume token as `.token` beside `.run_token`."""
    world = worlds()
    error = poll_error(world, RunError, world.submitted("server_error"))
    assert error.token == error.run_token


@pytest.mark.parametrize(
    ("word", "accept", "status"),
    [
        ("max_output_tokens", ["incomplete"], "incomplete"),
        ("content_filter", "incomplete", "incomplete"),
        ("cancelled", ("cancelled",), "cancelled"),
        ("cancelled", {"incomplete", "cancelled", "pending"}, "cancelled"),
    ],
)
def test_an_accepted_end_is_returned(worlds: OpenWorld, word: str, accept: Any, status: str) -> None:
    """An end that `accept` names is returned as the SDK's model."""
    world = worlds()
    response = world.call("poll", world.submitted(word), accept=accept)
    assert type(response) is Response
    assert response.status == status


@pytest.mark.parametrize("accept", [["incomplete"], ["pending"]])
def test_accepting_one_end_accepts_no_other(worlds: OpenWorld, accept: list[str]) -> None:
    """Each word of `accept` stands for itself only."""
    world = worlds()
    poll_error(world, runoutcome.RunCancelledError, world.submitted("cancelled"), accept=accept)
    poll_error(world, runoutcome.RunInternalServerError, world.submitted("server_error"), accept=accept)


def test_a_pending_run_is_returned_at_the_deadline_if_accepted(worlds: OpenWorld) -> None:
    """`accept=["pending"]` waits to the deadline, then gives the run as it stands."""
    world = worlds()
    response = world.call("poll", world.submitted("stuck"), accept=["pending"], max_wait_seconds=60)
    assert type(response) is Response
    assert response.status == "queued"
    assert 59 <= world.elapsed <= 60


def test_a_run_we_cancelled_is_not_given_as_pending(worlds: OpenWorld) -> None:
    """With `on_timeout="cancel"` the true state counts: a run cancelled at the deadline is not pending any more."""
    world = worlds()
    run_id = world.submitted("stuck")
    error = poll_error(world, WaitTimeoutError, run_id, accept=["pending"], max_wait_seconds=5, on_timeout="cancel")
    assert error.outcome.status == "cancelled"


# A body the caller has already


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_terminal_response_is_judged_without_a_request(worlds: OpenWorld, as_dict: bool) -> None:
    """A response that has ended is returned as it is, or raised as what it is, without asking again.

    One that comes as a dict, from a store, is made the SDK's model first.
    """
    world = worlds()
    run_ids = [world.submitted(), world.submitted("content_filter")]
    world.clock.advance(10)
    good, bad = (world.plain.responses.retrieve(run_id) for run_id in run_ids)
    polls = len(world.polls)
    given: Any = good.to_dict() if as_dict else good
    returned = world.call("poll", given)
    assert (returned is given) is not as_dict
    assert (type(returned), returned.output_text) == (Response, good.output_text)
    error = poll_error(world, runoutcome.RunContentFilterError, bad.to_dict() if as_dict else bad)
    assert error.run.output_text
    assert error.poll_status_code == (None if as_dict else 200)
    assert len(world.polls) == polls


def test_a_pending_response_is_polled(worlds: OpenWorld) -> None:
    """A response that has not ended names the run to wait for."""
    world = worlds()
    response = world.create()
    assert world.call("poll", response).id == response.id
    assert len(world.posts) == 1


def test_an_update_is_told_about_a_given_body(worlds: OpenWorld) -> None:
    """`on_update` hears of the end also where no request was needed."""
    world = worlds()
    told: list[str | None] = []
    world.call("poll", body_of("completed"), on_update=lambda outcome: told.append(outcome.status))
    assert told == ["completed"]


# Poll faults


FAULTS = ["500", "502", "503", "408", "409", "429", "html", "{}", "cut", "empty", "reset", "404-html", "503-html"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_poll_fault_says_nothing_about_the_run(worlds: OpenWorld, fault: str) -> None:
    """Seven faults in a row are polled through; nothing is cancelled, nothing is made again."""
    world = worlds(scenario("ok", *[fault] * 7))
    run_id = somewhere(world)
    faults: list[BaseException] = []
    assert world.call("poll", run_id, on_fault=faults.append).id == run_id
    # The fast transport sends a GET again by itself where a kept connection broke.
    assert len(faults) == 7 or (world.transport == "fast" and fault == "reset" and 0 < len(faults) < 7)
    assert all(isinstance(error, Exception) for error in faults)
    assert (len(world.posts), world.cancels) == (1, [])


def test_a_poll_that_is_not_answered_is_a_poll_fault(worlds: OpenWorld) -> None:
    """A poll that stalls beyond the client's read timeout is made again."""
    world = worlds(scenario("stall"), timeout=0.2)
    assert world.call("poll", somewhere(world)).status == "completed"


ODD_ANSWERS = {
    "list": "[]",
    "null": "null",
    "text": '"queued"',
    "number": "7",
    "error": '{"error": {"message": "Bad gateway", "code": "server_error"}}',
    "page of a list": '{"object": "list", "data": []}',
    "no status": '{"id": "resp_1", "object": "response"}',
    "webhook": '{"object": "event", "type": "response.failed", "data": {"id": "resp_1"}}',
    "stream event": '{"type": "error", "code": "server_error", "message": "x"}',
    "not UTF-8": "\udcff",
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", ODD_ANSWERS.values(), ids=ODD_ANSWERS.keys())
def test_what_is_no_run_body_is_a_poll_fault(worlds: OpenWorld, text: str) -> None:
    """200 with anything but a run's body is polled through."""
    odd = native_http_library().Response(200, content=text.encode("utf-8", "surrogateescape"))
    script = Script([odd, odd, "completed"])
    faults: list[BaseException] = []
    assert worlds(answer=script).call("poll", "resp_1", on_fault=faults.append).status == "completed"
    assert len(faults) == 2


def test_a_refused_poll_is_no_reason_for_another_run(worlds: OpenWorld) -> None:
    """Whatever the server says about the poll, the run may be going: `is_retryable`, which is about runs, says no."""
    script = Script([refusal(403, x_should_retry="true")])
    with pytest.raises(openai.PermissionDeniedError) as caught:
        worlds(answer=script).call("poll", "resp_1")
    assert not is_retryable(caught.value)


def test_a_connection_of_a_loop_that_has_ended_is_a_poll_fault(worlds: OpenWorld) -> None:
    """What a second `asyncio.run` over one client meets says nothing about the run."""
    faults: list[BaseException] = []
    script = Script([RuntimeError("Event loop is closed"), "completed"])
    world = worlds(answer=script)
    assert world.call("poll", "resp_1", on_fault=faults.append).status == "completed"
    assert len(faults) == 1 or world.transport == "fast"  # which has connections of its own for each loop


@pytest.mark.parametrize(
    "body",
    [{"status": "failed", "message": "upstream timed out"}, {"status": "failed", "error": "upstream timed out"}],
)
def test_a_status_alone_is_no_run_body(worlds: OpenWorld, body: dict[str, Any]) -> None:
    """JSON with a status but neither the run's id nor its `object` is somebody else speaking: a poll fault."""
    script = Script([reply(body), "completed"])
    assert worlds(answer=script).call("poll", "resp_1").status == "completed"


BREAKS = ["ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError", "WriteError", "PoolTimeout", "ProxyError"]


@pytest.mark.parametrize("name", [*BREAKS, "RemoteProtocolError", "DecodingError", "TooManyRedirects"])
def test_a_broken_transport_is_a_poll_fault(worlds: OpenWorld, name: str) -> None:
    """Whatever the HTTP library raises is polled through."""
    script = Script([getattr(native_http_library(), name)("broken")] * 3 + ["completed"])
    assert worlds(answer=script).call("poll", "resp_1").status == "completed"
    assert len(script.requests) == 4


def test_an_answer_that_breaks_off_is_a_poll_fault(worlds: OpenWorld) -> None:
    """A connection that is closed in the middle of a body is polled through."""
    breaks = 3

    def break_off(connection: socket.socket, head: str) -> None:
        nonlocal breaks
        breaks -= 1
        body = headed(connection, COMPLETED)
        connection.sendall(body if breaks < 0 else body[:9])

    with RawServer(break_off) as server:
        assert worlds(base_url=server.base_url).call("poll", "resp_1").status == "completed"
    assert len(server.requests) == 4


def test_a_poll_makes_one_request(worlds: OpenWorld) -> None:
    """The SDK's own retries are off for polls: each fault is one request and one sleep of ours."""
    world = worlds(scenario("503", "503", "503", queued_seconds=0, running_seconds=0), max_retries=5)
    world.call("poll", somewhere(world))
    assert (len(world.polls), len(world.sleeps)) == (4, 3)


def test_faults_are_told_as_they_are(worlds: OpenWorld) -> None:
    """`on_fault` gets the SDK's own error, or one that says what was there instead of a run."""
    world = worlds(scenario("503", "html", "429", "reset"))
    faults: list[Any] = []
    world.call("poll", somewhere(world), on_fault=faults.append)
    kinds = (openai.InternalServerError, Exception, openai.RateLimitError, openai.APIConnectionError)
    assert all(isinstance(error, kind) for error, kind in zip(faults, kinds, strict=False))
    assert "HTML" in str(faults[1])
    # The fast transport sends a GET again by itself where a kept connection broke.
    assert len(faults) == 4 or (world.transport, len(faults)) == ("fast", 3)


def test_faults_are_polled_again_after_a_growing_delay(worlds: OpenWorld) -> None:
    """The delay after a fault doubles from 0.5 s to 5 s, jitter aside; a good poll starts it again."""
    world = worlds(scenario(*["503"] * 7, "ok", "503", "503", status="stuck"))
    poll_error(world, WaitTimeoutError, somewhere(world), max_wait_seconds=60)
    nominal = [0.5, 1, 2, 4, 5, 5, 5]
    delays = world.sleeps[:7]
    assert all(0.8 * wish <= delay <= 1.2 * wish for wish, delay in zip(nominal, delays, strict=True))
    again = world.sleeps[8:10]
    assert all(0.8 * wish <= delay <= 1.2 * wish for wish, delay in zip([0.5, 1], again, strict=True))


@pytest.mark.parametrize("status", [429, 503, 408])
def test_retry_after_of_a_poll_wins_over_the_back_off(worlds: OpenWorld, status: int) -> None:
    """A longer `Retry-After` is slept in full, not retried in seconds; a shorter one does not shorten the delay."""
    world = worlds(scenario({"status": status, "retry_after": 90}, {"status": status, "retry_after": 0.001}))
    world.call("poll", somewhere(world))
    assert world.sleeps[0] == 90.0
    assert world.sleeps[1] >= 0.8


def test_retry_after_of_a_poll_is_believed_up_to_ten_minutes(worlds: OpenWorld) -> None:
    """An absurd `Retry-After` is cut: asking again after ten minutes does no harm."""
    world = worlds(scenario({"status": 503, "retry_after": 86_400}))
    world.call("poll", somewhere(world))
    assert world.sleeps == [600.0]


def test_a_quota_refusal_of_a_poll_is_a_poll_fault(worlds: OpenWorld) -> None:
    """A 429 on a poll says nothing about the run, whatever its code."""
    world = worlds(scenario({"status": 429, "code": "insufficient_quota"}))
    assert world.call("poll", somewhere(world)).status == "completed"


# The fault budget


def test_polling_is_lost_after_ten_minutes_of_faults(worlds: OpenWorld) -> None:
    """An outage is polled through for 10 minutes and 20 faults, then `PollingLostError`; the run is left alone."""
    world = worlds(scenario(*["503"] * 400))
    run_id = somewhere(world)
    error = poll_error(world, PollingLostError, run_id)
    assert 600 <= sum(world.sleeps) <= 606
    assert len(world.polls) >= 20
    assert isinstance(error.__cause__, openai.InternalServerError)
    assert (error.response_id, error.outcome, is_retryable(error)) == (run_id, None, False)
    assert (len(world.posts), world.cancels) == (1, [])


def test_polling_is_lost_after_twenty_faults_at_least(worlds: OpenWorld) -> None:
    """Ten minutes alone are not enough: with a long `Retry-After` it takes twenty faults."""
    busy = {"status": 503, "retry_after": 120}
    world = worlds(scenario(*[busy] * 19))
    assert world.call("poll", somewhere(world)).status == "completed"
    assert sum(world.sleeps) == 19 * 120
    world = worlds(scenario(*[busy] * 21))
    poll_error(world, PollingLostError, somewhere(world))
    assert len(world.polls) == 20


def test_one_good_poll_renews_the_fault_budget(worlds: OpenWorld) -> None:
    """The budget counts faults in a row: nineteen minutes of them in two halves are survived."""
    outage = ["503"] * 110
    world = worlds(scenario(*outage, "ok", *outage, "ok", running_seconds=2000))
    assert world.call("poll", somewhere(world)).status == "completed"
    assert sum(world.sleeps) > 1000


def test_a_real_outage_ends_with_a_token_that_goes_on(worlds: OpenWorld) -> None:
    """The server is down for ten minutes; once it is back, the token of the error finds the completed run."""
    world = worlds(base_url=closed_port())
    run_id = world.submitted()
    error = poll_error(world, PollingLostError, run_id)
    assert isinstance(error.__cause__, openai.APIConnectionError)
    world._options["base_url"] = world.emulator.base_url
    assert world.call("poll", error.token).id == run_id


def test_the_last_good_outcome_is_on_a_lost_wait(worlds: OpenWorld) -> None:
    """`PollingLostError.outcome` is what the last good poll said."""
    world = worlds(scenario("ok", *["503"] * 400))
    error = poll_error(world, PollingLostError, somewhere(world))
    assert error.outcome.status == "queued"
    assert loads(error.token).seen


# Refusals and missing runs


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", openai.BadRequestError),
        ("401", openai.AuthenticationError),
        ("403", openai.PermissionDeniedError),
        ("403-html", openai.PermissionDeniedError),
        ("422", openai.UnprocessableEntityError),
        ("418", openai.APIStatusError),
    ],
)
def test_a_refused_poll_stops_at_once(worlds: OpenWorld, fault: str, kind: type[Exception]) -> None:
    """401, 403 and other 4xx are the SDK's own error at once; the run is left alone and its token is there."""
    world = worlds(scenario("ok", fault))
    run_id = somewhere(world)
    error = poll_error(world, kind, run_id)
    assert not isinstance(error, RunError)
    assert loads(error.run_token).response_id == run_id
    assert (len(world.polls), world.cancels) == (2, [])


def test_an_unknown_id_is_not_found_at_once(worlds: OpenWorld) -> None:
    """404 for an id never seen is the SDK's own NotFoundError after one request."""
    world = worlds()
    error = poll_error(world, openai.NotFoundError, "resp_nowhere")
    assert type(error) is openai.NotFoundError
    assert (len(world.polls), world.sleeps) == (1, [])


def test_a_run_that_was_known_is_gone(worlds: OpenWorld) -> None:
    """404 after the run was seen is `RunGoneError`: it may have completed, and is never retryable."""
    world = worlds(scenario(expires_after_seconds=0))
    run_id = somewhere(world)
    error = poll_error(world, RunGoneError, run_id)
    assert isinstance(error, openai.NotFoundError)
    assert not isinstance(error, RunError)
    assert type(error.__cause__) is openai.NotFoundError
    assert (error.response_id, error.status_code, is_retryable(error)) == (run_id, 404, False)
    assert loads(error.token).seen
    assert (len(world.posts), world.cancels) == (1, [])


@pytest.mark.parametrize("form", ["response", "token", "resumed"])
def test_a_response_or_a_token_belongs_to_a_known_run(worlds: OpenWorld, form: str) -> None:
    """404 for what is ours already, a response or a token, is `RunGoneError` after 5 s: it cannot be a typo."""
    world = worlds(scenario(expires_after_seconds=0))
    response = world.create()
    run = {
        "response": response,
        "token": ResumeToken(response.id, world.clock.time()).dumps(),
        "resumed": ResumeToken(response.id, seen=True).dumps(),
    }[form]
    world.clock.advance(60)
    error = poll_error(world, RunGoneError, run)
    assert world.sleeps == [5.0]
    assert ("past its retention" in str(error)) == (form == "resumed")  # only its age is not known


@pytest.mark.parametrize(
    "missing", [refusal(404), reply({"detail": "Response with id resp_1 not found"}, 404)], ids=["envelope", "detail"]
)
def test_a_known_run_that_is_missing_is_asked_for_once_more(worlds: OpenWorld, missing: Any) -> None:
    """A JSON 404 of a known run, of whatever form, is read once more after 5 s: the second makes the run gone."""
    known = ResumeToken("resp_1", seen=True).dumps()
    world = worlds(answer=Script([missing, "in_progress", missing, "completed"]))
    assert world.call("poll", known).status == "completed"
    world = worlds(answer=(script := Script([missing])))
    assert poll_error(world, RunGoneError, known).response_id == "resp_1"
    assert (len(script.requests), world.sleeps) == (2, [5.0])


def missing_for(seconds: float, world: Callable[[], World]) -> Script:
    """A server that can read a run only some seconds after it was made."""
    started: list[float] = []

    def answer(request: Any) -> Any:
        now = world().clock.monotonic()
        if request.method == "POST":
            started.append(now)
            return reply(body_of("queued", created_at=int(world().clock.time())))
        return refusal(404) if now - started[0] < seconds else reply(body_of("completed"))

    return Script([answer])


def test_our_own_run_may_be_unreadable_for_five_seconds(worlds: OpenWorld) -> None:
    """A 404 within 5 s after our own create is polled again."""
    world = worlds(answer=missing_for(4.5, lambda: world))
    assert world.create_and_poll().status == "completed"
    assert sum(world.sleeps) >= 4.5


def test_after_five_seconds_our_own_run_is_gone(worlds: OpenWorld) -> None:
    """A 404 that goes on for longer is no delay of the server."""
    world = worlds(answer=missing_for(60, lambda: world))
    with pytest.raises(RunGoneError) as caught:
        world.create_and_poll()
    assert 5 <= sum(world.sleeps) <= 6
    assert loads(caught.value.run_token or "").response_id == "resp_1"


@pytest.mark.parametrize("form", ["response", "token"])
def test_a_run_created_just_now_has_the_same_grace(worlds: OpenWorld, form: str) -> None:
    """`create` and then `poll` is `create_and_poll`: the 5 s after our own create hold."""
    world = worlds(answer=missing_for(2, lambda: world))
    response = world.create()
    run = response if form == "response" else ResumeToken(response.id, world.clock.time()).dumps()
    assert world.call("poll", run).status == "completed"


# The deadline


def waited(world: World, run: Any, **options: Any) -> float:
    """How long a wait took that ended at its deadline."""
    error = poll_error(world, WaitTimeoutError, run, **options)
    assert isinstance(error, TimeoutError)
    assert not isinstance(error, openai.APITimeoutError)
    assert (error.retryable, is_retryable(error)) == (False, False)
    assert world.cancels == []
    return world.elapsed


@pytest.mark.parametrize("max_wait", [2.5, 5, 60, 600])
def test_a_wait_ends_at_its_deadline(worlds: OpenWorld, max_wait: float) -> None:
    """The wait never outlasts `max_wait_seconds`, and leaves at most 1 s or a tenth of it unused."""
    world = worlds()
    seconds = waited(world, world.submitted("stuck"), max_wait_seconds=max_wait)
    assert max_wait - min(1.0, 0.1 * max_wait) - 1e-6 <= seconds <= max_wait


def test_the_end_of_a_wait_never_spins() -> None:
    """Every sleep but the last is worth a request: none is shorter than the shortest interval."""
    for max_wait in (0.3, 0.7, 1.0, 5.1, 7.3, 60.0):
        for now in (1000.0, 5000.3, 123456.789, 1.7e9):
            policy, state = policy_for(max_wait, None, None), WaitState(started=now)
            state, step = pending(policy, state, now)
            while isinstance(step, Sleep):
                assert step.seconds >= MIN_INTERVAL_SECONDS, (max_wait, now, step)
                now += step.seconds
                state, step = pending(policy, state, now)


def test_the_default_deadline_is_one_hour(worlds: OpenWorld) -> None:
    """`max_wait_seconds` left out is one hour, and `AUTO` says the same."""
    world = worlds()
    assert HOUR - 1 <= waited(world, world.submitted("stuck"), **SELDOM) <= HOUR
    world = worlds()
    assert HOUR - 1 <= waited(world, world.submitted("stuck"), max_wait_seconds=runoutcome.AUTO, **SELDOM) <= HOUR


@pytest.mark.parametrize(("window", "hours"), [("2h", 2.5), ("8h", 10), ("soonest", 1), ("90m", 1.875)])
def test_a_completion_window_sets_the_default_deadline(worlds: OpenWorld, window: str, hours: float) -> None:
    """The default is 1.25 times the completion window, given as an argument or carried by a token or a response."""
    for run, options in [
        ("id", {"completion_window": window}),
        ("token", {}),
        ("response", {}),
    ]:
        world = worlds()
        run_id = world.submitted("stuck")
        given: Any = {
            "id": run_id,
            "token": ResumeToken(run_id, completion_window=window).dumps(),
            "response": body_of("queued", run_id, background_options={"completion_window": window}),
        }[run]
        assert hours * HOUR - 1 <= waited(world, given, **options, **SELDOM) <= hours * HOUR


TAKES_WINDOWS = "background_options" in (Responses.create.__kwdefaults__ or {})


@pytest.mark.skipif(not TAKES_WINDOWS, reason="this SDK knows no background_options")
@pytest.mark.parametrize(("window", "hours"), [("2h", 2.5), ("8h", 10)])
def test_the_window_of_our_own_create_sets_the_default_deadline(worlds: OpenWorld, window: str, hours: float) -> None:
    """`background_options` of the create count, and go on in the token."""
    world = worlds()
    with pytest.raises(WaitTimeoutError) as caught:
        world.create_and_poll("stuck", background_options={"completion_window": window}, **SELDOM)
    assert hours * HOUR - 1 <= world.elapsed <= hours * HOUR
    assert loads(caught.value.token or "").completion_window == window


def test_the_window_in_extra_body_counts(worlds: OpenWorld) -> None:
    """A window that is sent through `extra_body`, as older SDKs must, is known all the same."""
    world = worlds()
    with pytest.raises(WaitTimeoutError):
        world.create_and_poll("stuck", extra_body={"background_options": {"completion_window": "8h"}}, **SELDOM)
    assert sum(world.sleeps) > 9 * HOUR


def test_the_window_of_a_create_is_known_to_the_poll_after_it(worlds: OpenWorld) -> None:
    """`create` and then `poll` is `create_and_poll`: the window of our own create sets the default deadline."""
    world = worlds()
    response = world.create(
        metadata={"emulate": "stuck"}, extra_body={"background_options": {"completion_window": "8h"}}
    )
    poll_error(world, WaitTimeoutError, response, **SELDOM)
    assert world.elapsed > 9 * HOUR


def test_no_deadline_waits_for_as_long_as_it_takes(worlds: OpenWorld) -> None:
    """`max_wait_seconds=None` has no limit."""
    world = worlds(scenario(running_seconds=5 * HOUR))
    response = world.call("poll", somewhere(world), max_wait_seconds=None, **SELDOM)
    assert response.status == "completed"
    assert world.elapsed >= 5 * HOUR


def test_a_wait_of_nothing_asks_once(worlds: OpenWorld) -> None:
    """`max_wait_seconds=0` is one request and no sleep, whatever it finds."""
    world = worlds()
    assert waited(world, world.submitted("stuck"), max_wait_seconds=0) == 0
    assert len(world.polls) == 1
    run_id = world.submitted()
    world.clock.advance(10)
    assert world.call("poll", run_id, max_wait_seconds=0).status == "completed"
    assert len(world.polls) == 2


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("max_wait_seconds", -1),
        ("max_wait_seconds", -0.001),
        ("max_wait_seconds", float("nan")),
        ("max_wait_seconds", float("inf")),
        ("poll_interval_ms", -1),
        ("poll_interval_ms", 0),
        ("poll_interval_ms", float("nan")),
        ("on_timeout", "kill"),
        ("accept", ["completed"]),
        ("accept", "failed"),
    ],
)
@pytest.mark.parametrize("method", ["poll", "create_and_poll"])
def test_nonsense_is_refused_before_any_request(worlds: OpenWorld, method: str, argument: str, value: Any) -> None:
    """A negative or endless number and a word nobody knows are a ValueError that names the argument."""
    world = worlds()
    args, params = (["resp_1"], {}) if method == "poll" else ([], PARAMS)
    with pytest.raises(ValueError, match=argument):
        world.call(method, *args, **params, **{argument: value})
    assert world.emulator.requests == []


@pytest.mark.parametrize(("max_wait", "said"), [(8.25, "7.4 s"), (1200, "1,199 s"), (3600, "3,599 s")])
def test_the_deadline_is_said_in_plain_digits(worlds: OpenWorld, max_wait: float, said: str) -> None:
    """The message says how long it waited, in seconds, as a person writes them."""
    world = worlds()
    error = poll_error(world, WaitTimeoutError, world.submitted("stuck"), max_wait_seconds=max_wait)
    assert f"after {said} " in str(error)


def test_a_wait_of_nothing_asks_about_a_fresh_response_too(worlds: OpenWorld) -> None:
    """`max_wait_seconds=0` asks once, also where the response is from a moment ago."""
    world = worlds()
    waited(world, world.create(), max_wait_seconds=0)
    assert len(world.polls) == 1


def test_the_last_fault_is_the_cause_at_the_deadline(worlds: OpenWorld) -> None:
    """A deadline that passes during an outage says what went wrong last."""
    world = worlds(scenario(*["503"] * 100))
    error = poll_error(world, WaitTimeoutError, somewhere(world), max_wait_seconds=60)
    assert isinstance(error.__cause__, openai.InternalServerError)
    assert error.outcome is None
    assert "no poll was answered" in str(error)


def test_a_good_poll_clears_the_fault(worlds: OpenWorld) -> None:
    """A fault that was followed by a good poll is not the cause of anything."""
    world = worlds(scenario("503", status="stuck"))
    error = poll_error(world, WaitTimeoutError, somewhere(world), max_wait_seconds=60)
    assert error.__cause__ is None
    assert error.outcome.status == "queued"


# The request in flight


def headed(connection: socket.socket, body: bytes, status: str = "200 OK") -> bytes:
    """Send the head of an answer, and give its body."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode())
    return body


def drip(connection: socket.socket, data: bytes) -> None:
    """Send `data` in small pieces for 2.5 s. A client that has gone away makes this an OSError."""
    connection.settimeout(0)
    for number in range(50):
        with suppress(BlockingIOError):
            if connection.recv(1) == b"":
                raise ConnectionResetError
        time.sleep(0.05)
        connection.setblocking(True)
        connection.sendall(data[number : number + 1])
        connection.setblocking(False)
    connection.setblocking(True)
    connection.sendall(data[50:])


COMPLETED = json.dumps(body_of("completed")).encode()


def drip_body(connection: socket.socket, head: str) -> None:
    """The head of the answer at once, the body drop by drop."""
    drip(connection, headed(connection, COMPLETED))


def drip_head(connection: socket.socket, head: str) -> None:
    """The answer drop by drop from its first letter."""
    text = b"HTTP/1.1 200 OK\r\nx-slow: " + b"y" * 60 + f"\r\ncontent-length: {len(COMPLETED)}\r\n\r\n".encode()
    drip(connection, text + COMPLETED)


def drip_refusal(connection: socket.socket, head: str) -> None:
    """A 503 whose envelope comes drop by drop."""
    drip(connection, headed(connection, b'{"error": {"message": "' + b"x" * 80 + b'"}}', "503 Busy"))


@pytest.mark.parametrize("handle", [drip_body, drip_head, drip_refusal])
@pytest.mark.parametrize("transport", ["client", "fast"])
@pytest.mark.parametrize("colour", COLOURS)
def test_the_deadline_bounds_the_request_in_flight(
    colour: Colour, transport: Transport, handle: Callable[[socket.socket, str], None]
) -> None:
    """An answer that drips for longer than the wait, wherever it does, is cut off at the deadline."""
    server = RawServer(handle)
    # The server ends first: the poll that was left then ends too, and its client is closed after it.
    with closing(World(colour, transport=transport, base_url=server.base_url, real_time=True)) as world, server:
        poll_error(world, WaitTimeoutError, "resp_1", max_wait_seconds=1)
        finished = server.finished.is_set()
    assert (len(server.requests), finished) == (1, False)


# on_timeout="cancel"


def test_a_run_is_cancelled_at_the_deadline_if_asked(worlds: OpenWorld) -> None:
    """`on_timeout="cancel"` stops the run, and still says that the time was up."""
    world = worlds()
    run_id = world.submitted("stuck")
    error = poll_error(world, WaitTimeoutError, run_id, max_wait_seconds=60, on_timeout="cancel")
    assert (error.outcome.status, world.status_of(run_id)) == ("cancelled", "cancelled")
    assert len(world.cancels) == 1


def test_a_cancelled_run_is_returned_if_accepted(worlds: OpenWorld) -> None:
    """With `accept=["cancelled"]` the run that was stopped at the deadline is returned."""
    world = worlds()
    response = world.call(
        "poll", world.submitted("stuck"), max_wait_seconds=5, on_timeout="cancel", accept=["cancelled"]
    )
    assert response.status == "cancelled"


def test_a_run_that_completed_meanwhile_is_returned(worlds: OpenWorld) -> None:
    """The cancel comes too late (400): the run is read again, and returned as it ended."""
    world = worlds(scenario("503"))
    run_id = somewhere(world)
    world.clock.advance(10)
    assert world.call("poll", run_id, max_wait_seconds=0, on_timeout="cancel").status == "completed"
    assert [request.status for request in world.cancels] == [400]


def test_a_run_that_failed_meanwhile_raises_its_error(worlds: OpenWorld) -> None:
    """The cancel comes too late: what the run became by itself is what is raised."""
    world = worlds(scenario("503", status="failed", code="server_error"))
    run_id = somewhere(world)
    world.clock.advance(10)
    with pytest.raises(runoutcome.RunInternalServerError):
        world.call("poll", run_id, max_wait_seconds=0, on_timeout="cancel")


@pytest.mark.parametrize("fault", ["500", "401", "502-html", "429"])
def test_a_failing_cancel_does_not_hide_the_deadline(worlds: OpenWorld, fault: str) -> None:
    """Whatever the cancel is answered, what leaves says that the time was up."""
    rule = FaultRule("cancel", parse_fault(fault))
    world = worlds(Scenario(outcomes=(OutcomeScript("s", status="stuck"),), faults=(rule,)), max_retries=0)
    run_id = somewhere(world)
    error = poll_error(world, WaitTimeoutError, run_id, max_wait_seconds=5, on_timeout="cancel")
    assert "could not be cancelled" in str(error)
    assert loads(error.token).response_id == run_id


@pytest.mark.parametrize(("fault", "status"), [("reset", "queued"), ("lost", "cancelled"), ("cut", "cancelled")])
def test_a_cancel_whose_answer_is_lost_tells_the_true_state(worlds: OpenWorld, fault: str, status: str) -> None:
    """A cancel without a readable answer is looked into: the error says what the run really is."""
    rule = FaultRule("cancel", parse_fault(fault))
    world = worlds(Scenario(outcomes=(OutcomeScript("s", status="stuck"),), faults=(rule,)))
    error = poll_error(world, WaitTimeoutError, somewhere(world), max_wait_seconds=5, on_timeout="cancel")
    assert error.outcome.status == status
    assert len(world.cancels) == 1


def test_a_cancel_interrupted_goes_through(client_worlds: OpenWorld) -> None:
    """Ctrl-C during the cancel is Ctrl-C, with the token."""

    def answer(request: Any) -> Any:
        return reply(body_of("queued")) if request.method == "GET" else KeyboardInterrupt()

    error = poll_error(
        client_worlds(answer=answer), KeyboardInterrupt, "resp_1", max_wait_seconds=5, on_timeout="cancel"
    )
    assert loads(error.run_token).response_id == "resp_1"


def test_a_wait_is_not_cancelled_for_being_lost(worlds: OpenWorld) -> None:
    """`on_timeout` is about the deadline only: lost polls leave the run alone."""
    world = worlds(scenario(*["503"] * 400))
    poll_error(world, PollingLostError, somewhere(world), on_timeout="cancel")
    assert world.cancels == []


def test_the_cancel_at_the_deadline_is_short(client_worlds: OpenWorld) -> None:
    """A cancel is a small POST: at the deadline it may take no longer than a poll, and effect within 5 seconds more."""
    script = Script([lambda request: reply(body_of("queued" if request.method == "GET" else "cancelled"))])
    world = client_worlds(answer=script)
    poll_error(world, WaitTimeoutError, "resp_1", max_wait_seconds=5, on_timeout="cancel")
    (post,) = (request for request in script.requests if request.method == "POST")
    assert post.extensions["timeout"]["read"] <= 30
    assert world.elapsed <= 10


# Unknown statuses


def test_an_unknown_status_is_polled_to_the_deadline(worlds: OpenWorld) -> None:
    """A status nobody knows is neither success nor failure: polled on, then `RunUnknownError`."""
    world = worlds()
    run_id = world.submitted("status:paused")
    error = poll_error(world, RunUnknownError, run_id, max_wait_seconds=60)
    assert 59 <= world.elapsed <= 60
    assert len(world.polls) > 5
    assert (error.outcome.status, error.outcome.phase, error.retryable) == ("paused", "unknown", False)
    assert not is_retryable(error)
    assert world.cancels == []


def test_an_unknown_status_is_never_endless(worlds: OpenWorld) -> None:
    """Without a deadline an unknown status ends after the default hour."""
    world = worlds()
    poll_error(
        world, RunUnknownError, world.submitted("status:paused"), max_wait_seconds=None, poll_interval_ms=100_000
    )
    assert HOUR <= world.elapsed <= HOUR + 100


@pytest.mark.parametrize("accept", [["pending"], ["incomplete", "cancelled", "pending"]])
def test_an_unknown_status_is_never_accepted(worlds: OpenWorld, accept: list[str]) -> None:
    """No word of `accept` stands for a status nobody knows."""
    world = worlds()
    poll_error(world, RunUnknownError, world.submitted("status:paused"), max_wait_seconds=5, accept=accept)


def test_a_run_may_pass_through_an_unknown_status(worlds: OpenWorld) -> None:
    """An unknown status is polled on because the run may still complete."""
    script = Script(["queued", "paused", "paused", "in_progress", "paused", "completed"])
    told: list[str | None] = []
    response = worlds(answer=script).call("poll", "resp_1", on_update=lambda outcome: told.append(outcome.status))
    assert response.status == "completed"
    assert told == ["queued", "paused", "in_progress", "paused", "completed"]


def test_no_status_at_all_is_unknown(worlds: OpenWorld) -> None:
    """A run's body whose status is null is polled to the deadline, and is then unknown."""
    world = worlds(answer=Script([reply(body_of(None))]))
    error = poll_error(world, RunUnknownError, "resp_1", max_wait_seconds=5)
    assert error.outcome.status is None


def test_the_body_of_an_unknown_run_is_the_sdks_model(worlds: OpenWorld) -> None:
    """`.run` is what the caller would have had from the SDK, whatever the error."""
    world = worlds()
    error = poll_error(world, RunUnknownError, world.submitted("status:paused"), max_wait_seconds=5)
    assert isinstance(error.run, Response)


def test_an_endless_wait_for_an_unknown_status_can_end_in_a_cancel(worlds: OpenWorld) -> None:
    """The hour after which an unknown status ends is a deadline like any other, with `on_timeout` too."""
    world = worlds(answer=lambda request: reply(body_of("paused" if request.method == "GET" else "cancelled")))
    with pytest.raises((WaitTimeoutError, RunUnknownError)):
        world.call("poll", "resp_1", max_wait_seconds=None, on_timeout="cancel", **SELDOM)


# Delays


def hinted(status: str, hint: str) -> Any:
    """A poll's answer with the server's wish in milliseconds."""
    return reply(body_of(status), openai_poll_after_ms=hint)


def test_hints_are_read_again_each_time(worlds: OpenWorld) -> None:
    """The newest `openai-poll-after-ms` is the delay, without jitter; where there is none, our own."""
    hints = [hinted("queued", "400"), hinted("queued", "2500"), "queued", hinted("queued", "1500"), "completed"]
    world = worlds(answer=Script(hints))
    world.call("poll", "resp_1")
    assert world.sleeps[:2] == [0.4, 2.5]
    assert 0.4 <= world.sleeps[2] <= 0.6
    assert world.sleeps[3] == 1.5


@pytest.mark.parametrize(
    ("hint", "slept"), [("0", 0.1), ("1", 0.1), ("99", 0.1), ("101", 0.101), ("10001", 10.0), ("1e300", 10.0)]
)
def test_hints_are_clamped(worlds: OpenWorld, hint: str, slept: float) -> None:
    """A hint is kept between 0.1 s and the cap: 0 never spins, and a wish for weeks never hides the end."""
    world = worlds(answer=Script([hinted("queued", hint), "completed"]))
    world.call("poll", "resp_1")
    assert world.sleeps == [pytest.approx(slept)]


@pytest.mark.parametrize("hint", ["", "soon", "-5", "nan", "inf", "1,000", "0x10"])
def test_a_hint_that_is_no_number_is_ignored(worlds: OpenWorld, hint: str) -> None:
    """Nonsense in the header is as if it was not there."""
    http = native_http_library()
    headers = [(b"openai-poll-after-ms", hint.encode())]
    pending = json.dumps(body_of("queued")).encode()
    world = worlds(answer=Script([http.Response(200, headers=headers, content=pending), "completed"]))
    world.call("poll", "resp_1")
    assert 0.4 <= world.sleeps[0] <= 0.6


def test_a_longer_window_lets_a_hint_be_longer(worlds: OpenWorld) -> None:
    """The cap of a hint is that of the completion window."""
    for window, cap in (("2h", 60), ("8h", 300)):
        world = worlds(answer=Script([hinted("queued", "9999999"), "completed"]))
        world.call("poll", "resp_1", completion_window=window)
        assert world.sleeps == [cap]


@pytest.mark.parametrize(("window", "cap", "seconds"), [(None, 10.0, 300), ("2h", 60.0, 1800), ("8h", 300.0, 7200)])
def test_the_delay_grows_with_the_age_of_the_run(
    worlds: OpenWorld, window: str | None, cap: float, seconds: float
) -> None:
    """The delay starts at 0.5 s and follows the run's age up to a cap, jitter within 20 %."""
    world = worlds(scenario(running_seconds=seconds))
    world.call("poll", somewhere(world), completion_window=window, max_wait_seconds=None)
    sleeps = world.sleeps
    assert 0.4 <= sleeps[0] <= 0.6
    assert 0.8 * cap <= max(sleeps) <= 1.2 * cap
    assert sleeps[-5] > sleeps[5] > 0
    assert len({round(delay, 6) for delay in sleeps}) > len(sleeps) // 2


def test_the_lag_stays_small() -> None:
    """The end of a run is seen 5 % of its duration late on average, and never more than 10 % and one first delay."""
    dice = random.Random(734)
    lags: list[float] = []
    for _ in range(2000):
        seconds = dice.uniform(10, 120)
        now, policy, state = 0.0, policy_for(None, None, None), WaitState(started=0.0)
        while now < seconds:
            state, step = pending(policy, state, now, jitter=dice.uniform(0.8, 1.2))
            assert isinstance(step, Sleep)
            now += step.seconds
        lags.append((now - seconds) / seconds)
        assert now - seconds <= 0.1 * seconds + 0.6
    assert sum(lags) / len(lags) < 0.05


def test_a_resumed_wait_knows_the_age_of_its_run(worlds: OpenWorld) -> None:
    """A run that has been going for long is not polled every half second again."""
    world = worlds()
    run_id = world.submitted("stuck")
    token = ResumeToken(run_id, world.clock.time()).dumps()
    world.clock.advance(HOUR)
    poll_error(world, WaitTimeoutError, token, max_wait_seconds=60)
    assert min(world.sleeps[:4]) >= 8


@pytest.mark.parametrize(("interval", "seconds"), [(250, 0.25), (3000, 3.0), (0.5, 0.001)])
def test_a_given_interval_is_constant(worlds: OpenWorld, interval: float, seconds: float) -> None:
    """`poll_interval_ms` is the delay: no growth, no jitter, at least 1 ms, and it beats the server's hint."""
    script = Script([hinted("queued", "700"), "queued", hinted("in_progress", "900"), "in_progress", "completed"])
    world = worlds(answer=script)
    world.call("poll", "resp_1", poll_interval_ms=interval)
    assert world.sleeps == [seconds] * 4


@pytest.mark.parametrize(
    ("interval", "delays"), [(200, [0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]), (8000, [0.5, 1, 2, 4, 5, 5, 5])]
)
def test_faults_back_off_from_a_given_interval(worlds: OpenWorld, interval: float, delays: list[float]) -> None:
    """After a fault the delay starts at the interval, or at 0.5 s if that is longer."""
    world = worlds(scenario(*["503"] * 7))
    world.call("poll", somewhere(world), poll_interval_ms=interval)
    assert world.sleeps == delays


def test_a_sleep_is_cut_for_the_last_poll(worlds: OpenWorld) -> None:
    """A delay that would pass the deadline is cut so that one more poll fits; a run that ends late is not missed."""
    world = worlds(scenario(queued_seconds=0, running_seconds=58.5))
    assert world.call("poll", somewhere(world), max_wait_seconds=60, poll_interval_ms=50_000).status == "completed"
    assert world.sleeps == [50.0, 9.0]


# Tokens


def test_a_token_goes_round(worlds: OpenWorld) -> None:
    """The token of a deadline goes on with the same run, in another process or client too."""
    world = worlds(scenario(running_seconds=90))
    error = poll_error(world, WaitTimeoutError, somewhere(world), max_wait_seconds=60)
    assert error.token == error.run_token
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.token, again.response_id) == (WaitTimeoutError, error.token, error.response_id)
    assert again.outcome.status == error.outcome.status == "in_progress"
    assert world.call("poll", again.token).id == error.response_id


def test_a_bare_id_will_do(worlds: OpenWorld) -> None:
    """A response id is a token; space around it does not matter."""
    world = worlds()
    run_id = world.submitted()
    assert world.call("poll", f"  {run_id}\n").id == run_id


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("{", "not a resume token"),
        ("{}", "version None"),
        ('{"runoutcome":2,"id":"resp_1"}', "version 2; this release reads version 1"),
        ('{"runoutcome":1}', "no response id"),
        ('{"runoutcome":1,"id":7}', "no response id"),
        ('{"id":"resp_1"}', "version None"),
        ("{" * 100_000, "not a resume token"),
    ],
)
def test_a_token_that_cannot_be_read_says_why(worlds: OpenWorld, text: str, says: str) -> None:
    """ValueError, with what is wrong, before any request."""
    world = worlds()
    for method in ("poll", "cancel"):
        with pytest.raises(ValueError, match=says):
            world.call(method, text)
    assert world.emulator.requests == []


def test_an_absurd_time_in_a_token_does_no_harm(worlds: OpenWorld) -> None:
    """A time that is in the future, or no number, is as if the run was new."""
    world = worlds()
    for at in ("9e99", "-1e308", "NaN", "Infinity", '"x"', "true", "null"):
        run_id = world.submitted()
        assert world.call("poll", f'{{"runoutcome":1,"id":"{run_id}","at":{at}}}').id == run_id


def test_a_token_holds_no_secret(worlds: OpenWorld) -> None:
    """Neither the key nor the prompt is in a token; it is one line."""
    world = worlds()
    with pytest.raises(WaitTimeoutError) as caught:
        world.create_and_poll("stuck", max_wait_seconds=5)
    token = caught.value.token or ""
    assert API_KEY not in token
    assert "moon" not in token
    assert "\n" not in token
    assert set(json.loads(token)) <= {"runoutcome", "id", "at", "key", "window", "seen"}


@pytest.mark.parametrize("run", [None, 5, b"resp_1", [], ["resp_1"], object(), {}, {"id": 5}, {"id": ""}])
def test_what_names_no_run_is_a_type_error(worlds: OpenWorld, run: Any) -> None:
    """Anything but an id, a token or a response is a TypeError that says what is expected."""
    world = worlds()
    for method in ("poll", "cancel"):
        with pytest.raises(TypeError, match="response id, a resume token or a response"):
            world.call(method, run)
    assert world.emulator.requests == []


@pytest.mark.parametrize("method", ["poll", "cancel"])
@pytest.mark.parametrize("run_id", [".", "..", "a/../b", "resp_1?x=1", "resp_1#x", "resp 1", "%2e%2e"])
def test_an_id_that_would_change_the_path_is_refused(worlds: OpenWorld, method: str, run_id: str) -> None:
    """What would ask for something else than a run is a ValueError, and nothing is sent."""
    world = worlds()
    for run in (run_id, ResumeToken(run_id).dumps(), body_of("queued", run_id)):
        with pytest.raises(ValueError, match="is not a response id"):
            world.call(method, run)
    assert world.emulator.requests == []


def test_an_odd_id_is_quoted(worlds: OpenWorld) -> None:
    """Gateways make ids of their own: all that is not plain in them is quoted."""
    odd = "a:b=c+d@e;f~g-h._ü"
    script = Script([reply(body_of("completed", odd))])
    worlds(answer=script).call("poll", odd)
    (request,) = script.requests
    assert request.url.raw_path == b"/v1/responses/a%3Ab%3Dc%2Bd%40e%3Bf~g-h._%C3%BC"


# What leaves


class NotOursError(Exception):
    """An exception of the user's own."""


class Killed(BaseException):
    """What Ctrl-C is; a class of its own, so that a test cannot end the tests."""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Killed, SystemExit])
def test_an_interrupted_sleep_carries_the_token(worlds: OpenWorld, kind: type[BaseException]) -> None:
    """Ctrl-C while waiting leaves the run alone and says how to go on."""
    world = worlds()
    run_id = world.submitted("stuck")

    def interrupt(seconds: float) -> None:
        raise kind

    world.clock.on_sleep = interrupt
    error = poll_error(world, kind, run_id)
    assert loads(error.run_token).response_id == run_id
    assert world.cancels == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Killed])
def test_an_interrupted_poll_carries_the_token(client_worlds: OpenWorld, kind: type[BaseException]) -> None:
    """Ctrl-C during a poll request too."""
    error = poll_error(client_worlds(answer=Script(["queued", kind()])), kind, "resp_1")
    assert loads(error.run_token).response_id == "resp_1"


@pytest.mark.parametrize("callback", ["on_update", "on_fault"])
@pytest.mark.parametrize("kind", [NotOursError, Killed, TimeoutError, OSError, openai.APIConnectionError])
def test_an_error_of_a_callback_leaves_with_the_token(
    worlds: OpenWorld, callback: str, kind: type[BaseException]
) -> None:
    """What a callback raises is never taken for a poll fault: it leaves at once, with the token."""
    world = worlds(scenario("503", "503"))
    run_id = somewhere(world)
    raised: BaseException = (
        kind(request=native_http_library().Request("GET", "http://x"))  # type: ignore[call-arg]
        if kind is openai.APIConnectionError
        else kind()
    )

    def fail(told: object) -> None:
        raise raised

    error = poll_error(world, kind, run_id, **{callback: fail})
    assert error is raised
    assert len(world.polls) == (1 if callback == "on_fault" else 3)


def test_a_stop_iteration_of_a_callback_leaves_with_the_token(worlds: OpenWorld) -> None:
    """A callback that reads one item too many ends the wait as any other error does."""
    world = worlds()
    empty = iter(())
    with pytest.raises((StopIteration, RuntimeError)) as caught:
        world.call("poll", world.submitted(), on_update=lambda outcome: next(empty))
    assert hasattr(caught.value, "run_token")


def test_a_cancelled_task_carries_the_token() -> None:
    """Cancelling the task of an async wait leaves the run alone and says how to go on."""
    world = World("async")
    run_id = world.submitted("stuck")

    errors: list[BaseException] = []

    async def main() -> None:
        async with world.client() as client:
            polled = asyncio.Event()
            waiting = asyncio.ensure_future(wait(AsyncRuns(client), polled))
            await polled.wait()
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()

    async def wait(runs: AsyncRuns, polled: asyncio.Event) -> None:
        try:
            await runs.poll(run_id, on_update=lambda outcome: polled.set())
        except asyncio.CancelledError as error:  # outside the task Python 3.10 makes a new one
            errors.append(error)
            raise

    asyncio.run(main())
    error: Any = errors[0]
    world.close()
    assert loads(error.run_token).response_id == run_id
    assert world.cancels == []


def test_a_refusal_has_a_token_and_stays_the_sdks_own(worlds: OpenWorld) -> None:
    """The SDK's errors leave as they are, with `run_token` beside."""
    world = worlds(scenario("401"))
    error = poll_error(world, openai.AuthenticationError, somewhere(world))
    assert type(error) is openai.AuthenticationError


# Callbacks


def test_updates_come_once_per_change(worlds: OpenWorld) -> None:
    """`on_update` is called with the outcome of each change of status, the end included, faults or not."""
    world = worlds(scenario("ok", "503", "ok", "html", queued_seconds=20, running_seconds=30))
    told: list[Outcome] = []
    world.call("poll", somewhere(world), on_update=told.append)
    assert [outcome.status for outcome in told] == ["queued", "in_progress", "completed"]
    assert [outcome.phase for outcome in told] == ["pending", "pending", "terminal"]


def test_a_failure_is_told_before_it_is_raised(worlds: OpenWorld) -> None:
    """`on_update` hears of a failed end too."""
    world = worlds()
    told: list[Outcome] = []
    error = poll_error(world, RunError, world.submitted("server_error"), on_update=told.append)
    assert told[-1] == error.outcome


@pytest.mark.parametrize("callback", ["on_update", "on_fault"])
def test_coroutine_callbacks_are_for_async_runs(worlds: OpenWorld, callback: str) -> None:
    """`AsyncRuns` awaits a coroutine function; `Runs` raises TypeError instead of dropping it in silence."""
    world = worlds(scenario("503"))
    told: list[object] = []

    async def tell(what: object) -> None:
        await asyncio.sleep(0)
        told.append(what)

    if world.colour == "async":
        world.call("poll", somewhere(world), **{callback: tell})
        assert told
    else:
        error = poll_error(world, TypeError, somewhere(world), **{callback: tell})
        assert "AsyncRuns" in str(error)
        assert told == []


def test_a_fault_is_told_before_the_sleep_it_causes(worlds: OpenWorld) -> None:
    """`on_fault` is called after the poll and before the next sleep."""
    world = worlds(scenario("503", queued_seconds=0, running_seconds=0))
    run_id = somewhere(world)
    world.call("poll", run_id, on_fault=world.noting("fault", lambda error: error.status_code), poll_interval_ms=100)
    world.note("end", None)
    assert world.log == [
        ("request", ("POST", 200)),
        ("request", ("GET", 503)),
        ("fault", 503),
        ("sleep", 0.1),
        ("request", ("GET", 200)),
        ("end", None),
    ]


def test_a_traceback_is_short(worlds: OpenWorld) -> None:
    """Between the caller and a run's error stand at most four frames of runoutcome."""
    world = worlds()
    with pytest.raises(RunError) as caught:
        world.call("poll", world.submitted("server_error"))
    ours = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if "/runoutcome/_" in frame.filename]
    assert len(ours) <= 4


def test_a_traceback_holds_no_prompt(worlds: OpenWorld) -> None:
    """No variable of a frame of runoutcome's holds the prompt of a run that failed."""
    world = worlds()
    with pytest.raises(RunError) as caught:
        world.call("create_and_poll", model="m", input="the secret prompt", metadata={"emulate": "server_error"})
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [frame for frame in frames if "/runoutcome/_" in frame.f_code.co_filename]
    assert ours
    assert "secret" not in " ".join(repr(frame.f_locals) for frame in ours)
