"""A manual clock, as that of an emulator and as that of the `Runs` that polls it."""

from __future__ import annotations

import asyncio
import warnings

import pytest

from colours import PARAMS
from runoutcome import AsyncRuns, Runs
from runoutcome.pytest_plugin._background_api import BackgroundApi
from runoutcome.testing import ManualClock
from runoutcome.testing._state.runs import MAX_READS


@pytest.mark.parametrize("socket", [True, False])
def test_a_wait_by_the_clock_of_the_emulator(socket: bool) -> None:
    """`Runs` and `AsyncRuns` take the clock of the fixture: their pauses move it, and time passes at once."""
    with BackgroundApi({"running_seconds": 900}, clock="manual", socket=socket) as api:
        response = Runs(api.client(), clock=api.clock).create_and_poll(**PARAMS, max_wait_seconds=None)
        assert (response.status, api.clock.now() >= 1_700_000_900) == ("completed", True)

        async def wait() -> str | None:
            runs = AsyncRuns(api.async_client(), clock=api.clock)
            return (await runs.create_and_poll(**PARAMS, max_wait_seconds=None)).status

        assert asyncio.run(wait()) == "completed"
        assert api.clock.now() >= 1_700_001_800


def test_a_clock_that_nobody_moves_warns_once() -> None:
    """A clock that is read again and again while it stands still says what to do; one that moves does not."""
    clock = ManualClock()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3 * MAX_READS):
            clock.now()
    assert [str(each.message).count("advance(seconds)") for each in caught] == [1]
    for _ in range(3 * MAX_READS):
        clock.sleep(0.001)
        clock.monotonic()
