"""A real client on a real socket for every test; time is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from openai import OpenAI

from runoutcome.testing import Emulator, ManualClock


@pytest.fixture
def connect() -> Iterator[Callable[[Emulator], OpenAI]]:
    """Clients of an emulator that do not retry by themselves; closed after the test."""
    with ExitStack() as clients:

        def connect(emulator: Emulator) -> OpenAI:
            return clients.enter_context(OpenAI(base_url=emulator.base_url, api_key="any", max_retries=0))

        yield connect


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    """The clock of `emulator`."""
    return ManualClock()


@pytest.fixture(scope="module")
def emulator(clock: ManualClock) -> Iterator[Emulator]:
    """One emulator per module: tests tell their runs apart by id, and choose outcomes by marker."""
    with Emulator("happy", clock=clock) as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator, connect: Callable[[Emulator], OpenAI]) -> OpenAI:
    """A client of `emulator`."""
    return connect(emulator)
