"""What every client here is asked, and how it says what came back: one JSON line for each job. Stdlib only.

The first argument is how many jobs there are, the second how many of them may be under way at once (all by default).
"""
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


def at_once() -> int:
    """How many jobs may be under way at once."""
    return int(sys.argv[2] if len(sys.argv) > 2 else sys.argv[1])


def tell(prompt: str, status: str, text: str, error: Exception | None = None) -> None:
    """Says what came of a job, and which of its facts can be read off the exception."""
    print(json.dumps({"prompt": prompt, "status": status, "text": text, **_facts(error)}), flush=True)


def in_threads(job: Callable[[str], Answer]) -> None:
    """All jobs, each in a thread while it is under way."""

    def one(prompt: str) -> None:
        try:
            status, text = job(prompt)
        except Exception as error:  # noqa: BLE001 - whatever the package raises is its answer
            tell(prompt, *_refusal(error), error)
        else:
            tell(prompt, status, text)

    with ThreadPoolExecutor(at_once()) as pool:
        list(pool.map(one, prompts()))


async def in_tasks(job: Callable[[str], Awaitable[Answer]]) -> None:
    """All jobs, each in a task."""
    places = asyncio.Semaphore(at_once())

    async def one(prompt: str) -> None:
        async with places:
            try:
                status, text = await job(prompt)
            except Exception as error:  # noqa: BLE001 - whatever the package raises is its answer
                tell(prompt, *_refusal(error), error)
            else:
                tell(prompt, status, text)

    await asyncio.gather(*map(one, prompts()))


def _refusal(error: Exception) -> Answer:
    return f"raised {type(error).__name__}", str(error)


def _facts(error: Exception | None) -> dict[str, bool]:
    """Whether the exception or its cause has a code, a reason or a status of the run, and whether it names the run."""
    links = [link for link in (error, error and error.__cause__) if link is not None]
    names = ("code", "provider_error_code", "reason", "status")
    words = [getattr(link, name, None) for link in links for name in names]
    texts = [str(text) for link in links for text in (link, *vars(link).values(), getattr(link, "run_token", None))]
    return {"is_typed": any(isinstance(word, str) for word in words), "has_run": any("resp_" in text for text in texts)}
