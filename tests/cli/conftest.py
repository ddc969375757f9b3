"""An emulator for commands, and the environment of a user of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runoutcome.testing import Emulator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator whose runs take less than half a second."""
    with Emulator({"queued_seconds": 0.1, "running_seconds": 0.3}) as emulator:
        yield emulator


@pytest.fixture
def settings(emulator: Emulator) -> dict[str, str]:
    """The environment variables of a user who has set key and address."""
    return {"OPENAI_BASE_URL": emulator.base_url, "OPENAI_API_KEY": "sk-secret-of-the-test"}
