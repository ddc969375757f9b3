"""What every client here is asked, and how it says what came back: one JSON line for each job. Stdlib only."""
# ruff: noqa: T201 - the lines go to whoever started the client

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

MODEL = "gpt-5.2"
Answer = tuple[str, str]
"""The status as the package tells it (`completed` where it only returns), and the text."""


def prompts() -> list[str]:
    """One for each job; how many is the first argument."""
    return [f"Write report {number} about otters in space." for number in range(1, int(sys.argv[1]) + 1)]


def tell(prompt: str, status: str, text: str) -> None:
    """Says what came of a job."""
    print(json.dumps({"prompt": prompt, "status": status, "text": text}), flush=True)


def in_threads(job: Callable[[str], Answer]) -> None:
    """All jobs at once, each in a thread."""

    def one(prompt: str) -> None:
        try:
            status, text = job(prompt)
        except Exception as error:  # noqa: BLE001 - whatever the package raises is its answer
            status, text = _refusal(error)
        tell(prompt, status, text)

    asked = prompts()
    with ThreadPoolExecutor(len(asked)) as pool:
        list(pool.map(one, asked))


async def in_tasks(job: Callable[[str], Awaitable[Answer]]) -> None:
    """All jobs at once, each in a task."""

    async def one(prompt: str) -> None:
        try:
            status, text = await job(prompt)
        except Exception as error:  # noqa: BLE001 - whatever the package raises is its answer
            status, text = _refusal(error)
        tell(prompt, status, text)

    await asyncio.gather(*map(one, prompts()))


def _refusal(error: Exception) -> Answer:
    return f"raised {type(error).__name__}", str(error)
