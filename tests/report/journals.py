"""Journals of real runs on the emulator, in virtual time; and rows of them, read as another program would."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from colours import PARAMS, World
from runoutcome.batch import BatchOptions, JobLine, JobReport, Store, run_batch

MIXED = {
    "completed": 7,
    "server_error,completed": 3,
    "server_error": 2,
    "insufficient_quota": 1,
    "content_filter": 2,
    "max_output_tokens": 1,
    "cancelled": 1,
    "expired": 1,
}
"""Number of jobs by the ends of their runs."""


class Made(NamedTuple):
    """A batch that ran to its end."""

    folder: Path
    world: World
    reports: list[JobReport]

    @property
    def results(self) -> Path:
        """Its results."""
        return self.folder / "results.jsonl"


def mixed_jobs(outcomes: Mapping[str, int] = MIXED) -> list[JobLine]:
    """Jobs with these ends, with two models."""
    words = [word for word, count in outcomes.items() for _ in range(count)]
    return [
        JobLine(
            nr,
            f"job-{nr}",
            {**PARAMS, "model": f"m-{nr % 2}", "input": "secret prompt", "metadata": {"emulate": word, "nr": str(nr)}},
        )
        for nr, word in enumerate(words, 1)
    ]


def make(folder: Path, jobs: Sequence[JobLine] = (), **store: Any) -> tuple[World, list[JobReport]]:
    """Run a batch to its end; its results are `results.jsonl` in the folder."""
    world = World("async")
    jobs = jobs or mixed_jobs()

    async def run(opened: Store) -> list[JobReport]:
        async with world.client() as client:
            options = BatchOptions(concurrency=4)
            return await run_batch(jobs, world.runs(client), opened, options, lambda progress: None, asyncio.Event())

    opened = Store(folder / "results.jsonl", "one.example", **store)
    opened.check(jobs)
    with opened:
        reports = asyncio.run(run(opened))
    return world, reports


def query(folder: Path, sql: str) -> list[Any]:
    """The rows of a query of the journal in a folder."""
    with closing(sqlite3.connect(f"file:{folder}/results.jsonl.db?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()
