"""Background runs of a framework's model on the emulator: scenarios, and what was paid for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from openai import AsyncOpenAI

from runoutcome import AsyncRuns
from runoutcome.testing import Emulator

_T = TypeVar("_T")

OUTAGE = {"outcomes": [{"name": "outage", "status": "completed", "running_seconds": 8, "poll_faults": ["503"] * 4}]}
"""Three seconds of 503 at this speed, and then the run goes on."""
TOOL = "weather"
CONVERSATION = {
    "seed": 1,
    "outcomes": [
        {"name": "call", "status": "completed", "function_call": TOOL},
        {"name": "answer", "status": "completed"},
    ],
}
"""Of this seed three runs call the tool, and the fourth answers."""
TURNS = 4
DOCS = Path(__file__).parents[2] / "docs"


class CrashError(Exception):
    """The end of a process between the answer to a create and the first poll."""


def crash_after(turns: int, tokens: list[str]) -> Callable[[str], None]:
    """An `on_submitted` that keeps the tokens, and crashes in this turn."""

    def keep(token: str) -> None:
        tokens.append(token)
        if len(tokens) == turns:
            raise CrashError

    return keep


def on_emulator(
    work: Callable[[AsyncRuns, Emulator], Awaitable[_T]], scenario: Any = "happy", speed: float = 1000, retries: int = 0
) -> _T:
    """The result of `work`, done on an emulator with this scenario."""

    async def inside(emulator: Emulator) -> _T:
        async with AsyncOpenAI(base_url=emulator.base_url, api_key="any", max_retries=retries) as client:
            return await work(AsyncRuns(client), emulator)

    with Emulator(scenario, speed=speed) as emulator:
        return asyncio.run(inside(emulator))


def blocks_of(page: str) -> list[str]:
    """The Python blocks of a page of the docs."""
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def run_block(block: str, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Run a block as a user would, in a directory of its own, on an emulator."""
    with Emulator(speed=1000) as emulator:
        monkeypatch.setenv("OPENAI_BASE_URL", emulator.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        monkeypatch.chdir(directory)
        exec(compile(block, "block", "exec"), {"__name__": "__main__"})
