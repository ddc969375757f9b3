"""One table: every row of the catalog, as a run that is really polled, gives what its body gives by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bodies import ROWS, body_of
from colours import COLOURS, Colour, World
from runoutcome import Entry, Outcome, RunError, RunUnknownError, classify, error_for
from runoutcome.testing import OutcomeScript, Scenario

BOOKKEEPING = ("response_id", "model", "usage", "has_output")
"""What depends on the run, not on how it ended."""
PENDING = ("queued", "in_progress")
ENDS = [row for row in ROWS if not (row.field == "status" and row.value in PENDING)]


def script_of(number: int, row: Entry) -> OutcomeScript:
    """The outcome of the emulator that gives the body of a row."""
    body = body_of(row)
    details = body["incomplete_details"] or {}
    return OutcomeScript(
        f"row{number}",
        status=body["status"],
        raw_error=body["error"],
        reason=details.get("reason"),
        queued_seconds=0,
        running_seconds=0,
    )


@pytest.fixture(scope="module", params=COLOURS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """One emulator for the whole table."""
    colour: Colour = request.param
    pending = (OutcomeScript(status, status=status, queued_seconds=0, running_seconds=0) for status in PENDING)
    ends = (script_of(number, row) for number, row in enumerate(ENDS))
    world = World(colour, Scenario(outcomes=(*ends, *pending)))
    yield world
    world.close()


def comparable(outcome: Outcome) -> dict[str, Any]:
    """An outcome less what depends on the run."""
    return {name: value for name, value in outcome.to_dict().items() if name not in BOOKKEEPING}


@pytest.mark.parametrize("number", range(len(ENDS)), ids=lambda number: ENDS[number].id)
def test_a_polled_run_is_what_its_body_says(world: World, number: int) -> None:
    """A row's body gives the same outcome and exception class through a poll as it gives as a dict."""
    body = body_of(ENDS[number])
    alone = error_for(body)
    told: list[Outcome] = []
    options: dict[str, Any] = {"max_wait_seconds": 0, "on_update": told.append}
    run_id = world.submitted(f"row{number}")
    if alone is None:
        response = world.call("poll", run_id, **options)
        assert response.status == "completed"
    else:
        with pytest.raises(RunError) as caught:
            world.call("poll", run_id, **options)
        error = caught.value
        assert type(error) is type(alone)
        assert error.outcome == told[-1]
        assert (error.code, error.reason, error.type) == (alone.code, alone.reason, alone.type)
        assert getattr(error, "status_code", None) == getattr(alone, "status_code", None)
        assert error.outcome.describe() == alone.outcome.describe()
    assert comparable(told[-1]) == comparable(classify(body))


def test_the_table_is_the_catalog() -> None:
    """Every row for bodies of responses is in the table, but the two that are not an end."""
    assert len(ENDS) == len(ROWS) - 2
    assert {row.match for row in ENDS} == {"literal", "null", "unknown", "http_status"}


@pytest.mark.parametrize("status", PENDING)
def test_a_pending_row_is_no_end(world: World, status: str) -> None:
    """A run whose body says that it is going on is not raised for: the deadline is."""
    told: list[Outcome] = []
    response = world.call(
        "poll", world.submitted(status), max_wait_seconds=0, accept=["pending"], on_update=told.append
    )
    assert response.status == status
    assert comparable(told[0]) == comparable(classify({"object": "response", "status": status}))
    assert not isinstance(error_for(response), RunUnknownError)
