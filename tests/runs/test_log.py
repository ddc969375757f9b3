"""The logger `runoutcome`: one record for each event, in both colours."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import pytest

from colours import API_KEY, COLOURS, PARAMS, OpenWorld, Script, body_of, open_worlds, refusal, reply
from runoutcome import RunError, WaitTimeoutError
from runoutcome.testing import OutcomeScript, Scenario, parse_fault

worlds = pytest.fixture(params=COLOURS)(open_worlds)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All records of the logger."""
    caplog.set_level(logging.DEBUG, logger="runoutcome")
    return caplog


def events(log: pytest.LogCaptureFixture) -> list[str]:
    """The events so far."""
    records: list[Any] = [record for record in log.records if record.name == "runoutcome"]
    assert all(record.getMessage().startswith(f"{record.run_event}: run {record.response_id}") for record in records)
    return [record.run_event for record in records]


def record_of(log: pytest.LogCaptureFixture, event: str) -> Any:
    """The first record of this event."""
    return next(record for record in log.records if getattr(record, "run_event", None) == event)


def test_a_job_from_its_create_to_its_second_run(worlds: OpenWorld, log: pytest.LogCaptureFixture) -> None:
    """A create, a poll fault and a resubmission have a record each; a second paid run is a warning."""
    faulty = OutcomeScript("faulty", status="failed", code="server_error", poll_faults=(parse_fault("503"),))
    world = worlds(Scenario(outcomes=(faulty,)))
    assert world.create_and_poll("faulty,completed", resubmit=1, max_wait_seconds=None).status == "completed"
    assert events(log) == ["submitted", "fault", "resubmitted"]
    first, second = world.emulator.runs
    assert record_of(log, "submitted").response_id == first.id
    fault = record_of(log, "fault")
    assert (fault.error, fault.http_status, fault.levelno) == ("InternalServerError", 503, logging.INFO)
    again = record_of(log, "resubmitted")
    assert (again.response_id, again.previous_response_id, again.attempt) == (second.id, first.id, 2)
    assert again.levelno == logging.WARNING


def test_a_create_alone(worlds: OpenWorld, log: pytest.LogCaptureFixture) -> None:
    """A create that nobody waits for has a record."""
    assert worlds().create().id == record_of(log, "submitted").response_id


def test_a_wait_that_ends_before_the_run(worlds: OpenWorld, log: pytest.LogCaptureFixture) -> None:
    """The deadline and the cancel at it have a record each."""
    world = worlds()
    with pytest.raises(WaitTimeoutError):
        world.call("poll", world.submitted("stuck"), max_wait_seconds=5, on_timeout="cancel")
    assert events(log) == ["gave_up", "cancelled"]
    assert (record_of(log, "gave_up").reason, record_of(log, "gave_up").status) == ("deadline", "queued")
    assert record_of(log, "cancelled").status == "cancelled"


def test_a_server_that_renames_a_run(worlds: OpenWorld, log: pytest.LogCaptureFixture) -> None:
    """An id that the server made up is logged once."""
    world = worlds(answer=Script([*[reply(body_of("queued", f"gw_{number}")) for number in range(4)], "completed"]))
    world.call("poll", "resp_1")
    assert events(log) == ["renamed"]
    assert (record_of(log, "renamed").response_id, record_of(log, "renamed").body_id) == ("resp_1", "gw_1")


def test_no_record_holds_a_prompt_or_a_key(worlds: OpenWorld, log: pytest.LogCaptureFixture) -> None:
    """Whatever happens, neither the request nor the server's words are in a record."""
    failed = body_of("failed", error={"code": "server_error", "message": "Secret words."})
    script = Script([reply(body_of("queued")), refusal(500), refusal(429, "slow_down"), reply(failed)])
    with suppress(RunError):
        worlds(answer=script).call("create_and_poll", **PARAMS, max_wait_seconds=None)
    assert events(log) == ["submitted", "fault", "fault"]
    text = " ".join(str(record.__dict__) for record in log.records if record.name == "runoutcome")
    assert not any(secret in text for secret in (API_KEY, PARAMS["input"], "Secret", "It is 500"))
