"""What the tests of a batch share: a file of jobs, its results on disk, and a machine that can die at any moment."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from colours import PARAMS, World
from runoutcome.batch import BatchOptions, JobLine, JobReport, Progress, Store, read_jobs, run_batch
from runoutcome.testing import RecordedRequest, Scenario
from runoutcome.testing._state.runs import PENDING, status_at

Moment = Literal["before", "after"]
Event = Literal["submitting", "submitted", "refused", "result"]
Hook = Callable[[Moment, Event, str], None]


class KilledError(BaseException):
    """The process dies. Not an Exception, because nothing may catch it."""


class HookedStore(Store):
    """A store that calls a hook before each of its writes, and after it, once it is on disk."""

    def __init__(self, results: Path, hook: Hook) -> None:
        super().__init__(results)
        self._hook = hook

    def note(self, job: JobLine, event: Any, **values: Any) -> Any:
        """Write an event to the journal."""
        self._hook("before", event, job.custom_id)
        return Hooked(super().note(job, event, **values), lambda: self._hook("after", event, job.custom_id))

    def add_result(self, row: dict[str, Any]) -> Any:
        """Write a result."""
        self._hook("before", "result", row["custom_id"])
        return Hooked(super().add_result(row), lambda: self._hook("after", "result", row["custom_id"]))


@dataclass(frozen=True)
class Hooked:
    """A commit with a hook after it."""

    commit: Any
    after: Callable[[], None]

    def __await__(self) -> Generator[Any, None, None]:
        yield from self.commit.__await__()
        self.after()


class Batch:
    """A job file, its results, and the world its runs live in."""

    def __init__(
        self,
        folder: Path,
        outcomes: Iterable[str] | Mapping[str, str] = ("completed",) * 3,
        scenario: Any = "happy",
        *,
        bodies: Sequence[Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> None:
        self.world = World("async", scenario, **options)
        self.results_path = folder / "results.jsonl"
        self.journal_path = folder / "results.jsonl.db"
        named = outcomes if isinstance(outcomes, Mapping) else dict(enumerate(outcomes))
        if bodies is None:
            bodies = [{**PARAMS, "metadata": {"emulate": word, "nr": str(nr)}} for nr, word in named.items()]
        path = folder / "jobs.jsonl"
        path.write_text("".join(json.dumps(line(f"job-{nr}", body)) + "\n" for nr, body in enumerate(bodies)))
        self.jobs = read_jobs(path)
        self.progress: list[Progress] = []
        self.hook: Hook = lambda moment, event, job: None
        self.stop = asyncio.Event()

    def run(self, **options: Any) -> list[JobReport]:
        """One call of `run_batch`, as a process of its own would make it."""
        self.stop = asyncio.Event()
        store = HookedStore(self.results_path, lambda moment, event, job: self.hook(moment, event, job))
        store.check(self.jobs)
        with store:
            return asyncio.run(self._run(store, BatchOptions(**{"concurrency": 4, **options})))

    async def _run(self, store: Store, options: BatchOptions) -> list[JobReport]:
        async with self.world.client() as client:
            runs = self.world.runs(client)
            return await run_batch(self.jobs, runs, store, options, self.progress.append, self.stop)

    def die_at(self, moment: Moment, event: Event, nth: int) -> None:
        """Die at the nth such moment; after that nothing is written, sent or slept."""
        seen = 0
        dead = False

        def die(*_: object) -> None:
            if dead:
                raise KilledError

        def hook(at: Moment, what: Event, job: str) -> None:
            nonlocal seen, dead
            seen += (at, what) == (moment, event)
            dead = dead or seen >= nth
            die()

        self.hook = hook
        self.world.hooks.append(die)
        self.world.clock.on_sleep = die

    def restart(self) -> None:
        """The machine is there again."""
        self.hook = lambda moment, event, job: None
        self.world.hooks.clear()
        self.world.clock.on_sleep = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The lines of the results."""
        return read_rows(self.results_path)

    @property
    def journal(self) -> list[tuple[str, str]]:
        """Job and event of each POST in the journal."""
        events = "('submitting', 'in_flight', 'refused')"
        query = f"SELECT key, event FROM events JOIN jobs ON jobs.id = job WHERE event IN {events} ORDER BY events.id"
        return [(key, "submitted" if event == "in_flight" else event) for key, event in self.query(query)]

    def query(self, sql: str) -> list[Any]:
        """The rows of a query of the journal."""
        return query(self.journal_path, sql)

    @property
    def row_of(self) -> dict[str, dict[str, Any]]:
        """The result line of each job."""
        return {row["custom_id"]: row for row in self.rows}

    @property
    def paid(self) -> int:
        """How many runs were made."""
        return len(self.world.emulator.runs)

    def most_at_once(self) -> int:
        """The most runs that were in flight at any time: made, and their end not yet told to the client."""
        runs = {run.id: run for run in self.world.emulator.runs}
        going: set[str] = set()
        most = 0
        for request in self.world.emulator.requests:
            if request.response_id in runs and request.status == 200:
                ended = status_at(runs[request.response_id], request.at) not in PENDING
                (going.discard if ended else going.add)(request.response_id)
            most = max(most, len(going))
        return most


Open = Callable[..., Batch]
"""The fixture `batch`: it takes the arguments of `Batch`, but for the folder."""


def query(path: Path, sql: str) -> list[Any]:
    """The rows of a query of a journal, read as another program would."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def line(custom_id: str, /, body: Any = PARAMS, **changes: Any) -> dict[str, Any]:
    """A line of a job file."""
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": body} | changes


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file; none if it is not there."""
    return [json.loads(text) for text in path.read_bytes().splitlines()] if path.exists() else []


def posts_after(requests: Sequence[RecordedRequest], status: int) -> int:
    """How many POSTs came after the first that was answered with this status."""
    posts = [request.status for request in requests if request.method == "POST"]
    return len(posts) - posts.index(status) - 1


def always(status: Any, route: Any = "create", **outcome: Any) -> Scenario:
    """Every call of a route meets this fault."""
    from runoutcome.testing import FaultRule, parse_fault

    return Scenario(faults=(FaultRule(route, parse_fault(status)),), **outcome)
