"""What it costs to wait for 10,000 runs in one process: `poll_many`, against a task per run with `retrieve()`.

Each subject runs in a process of its own, against a server in another. Runs are taken up evenly over one interval, as
they would be submitted; then it is measured for two more. Lateness is how much later than planned a run was asked for
again, by the server's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

from tables import table

HERE = Path(__file__).parent
BODY_KILOBYTES = 3
SUBJECTS = {
    "tasks": "a task per run: `await client.responses.retrieve(id)`, `await asyncio.sleep(20)`",
    "async": "`AsyncRuns(client).poll_many(ids)`",
    "async-fast": '`AsyncRuns(client, transport="fast").poll_many(ids)`',
    "sync": "`Runs(client).poll_many(ids)`",
    "sync-fast": '`Runs(client, transport="fast").poll_many(ids)`',
}


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The address of a server of pending runs."""
    command = [sys.executable, str(HERE / "canned_server.py"), str(BODY_KILOBYTES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()


def measure(subject: str, runs: int, interval: float) -> dict[str, float]:
    """What one subject cost, and how late it was."""
    with server() as address:
        command = [sys.executable, __file__, "client", subject, address, str(runs), str(interval)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdin
            process.stdout.readline()  # all runs are taken up
            ask(address, "/reset")
            before, began = cpu_seconds(process.pid), time.monotonic()
            time.sleep(2 * interval)
            spent, took = cpu_seconds(process.pid) - before, time.monotonic() - began
            memory = megabytes(process.pid)
            stats = ask(address, "/stats")
            process.stdin.close()
            told = json.loads(process.stdout.readline())
            process.kill()
    late = sorted(gap - interval for gap in stats["gaps"])
    cuts = quantiles(late, n=100)
    return {
        "share": spent / took,
        "polls": stats["polls"] / took,
        "us": spent / stats["polls"] * 1e6,
        "p50": cuts[49],
        "p99": cuts[98],
        "max": late[-1],
        "memory": memory - told["baseline"],
        "errors": told["errors"],
    }


def ask(address: str, path: str) -> Any:
    """What the server says."""
    with urllib.request.urlopen(address + path) as answer:
        return json.load(answer)


def cpu_seconds(pid: int) -> float:
    """The CPU time a process has used, all threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """The memory a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


# The client's process


def client(subject: str, address: str, runs: int, interval: float) -> None:
    """Waits for runs that never end, until stdin is closed; tells when all are taken up, and what went wrong."""
    import openai  # here, as the other process does without

    from runoutcome import AsyncRuns, Runs

    load = Load(runs, interval)
    transport: Any = "fast" if subject.endswith("-fast") else "client"
    wait: Any = {"poll_interval_ms": interval * 1000, "max_wait_seconds": None, "on_fault": load.errors.append}
    user: Any = {"base_url": f"{address}/v1", "api_key": "any"}

    async def go() -> None:
        async with openai.AsyncOpenAI(**user) as made:
            load.begin()
            if subject == "tasks":
                await load.one_task_each(made.responses.retrieve)
            async for _ in AsyncRuns(made, transport=transport).poll_many(load.ids_async(), **wait):
                raise AssertionError("no run ends")

    if not subject.startswith("sync"):
        asyncio.run(go())
    with openai.OpenAI(**user) as made:
        load.begin()
        for _ in Runs(made, transport=transport).poll_many(load.ids(), **wait):
            raise AssertionError("no run ends")


class Load:
    """The runs of one client, evenly over one interval, and what it tells of them."""

    def __init__(self, runs: int, interval: float) -> None:
        self.errors: list[BaseException] = []
        self._runs, self._interval = runs, interval

    def begin(self) -> None:
        """From now on runs are taken up; when all are, the other process is told."""
        self._began, self._baseline = time.monotonic(), megabytes(os.getpid())
        timer = threading.Timer(self._interval + 0.5, self._tell)
        timer.daemon = True
        timer.start()

    def _tell(self) -> None:
        print("all are taken up", flush=True)
        sys.stdin.read()
        print(json.dumps({"errors": len(self.errors), "baseline": self._baseline}), flush=True)
        os._exit(0)

    def _paced(self) -> Iterator[tuple[str, float]]:
        for number in range(self._runs):
            due = self._began + self._interval * number / self._runs
            yield f"resp_{number:06}", max(0.0, due - time.monotonic())

    def ids(self) -> Iterator[str]:
        """Each id at its time."""
        for run, seconds in self._paced():
            time.sleep(seconds)
            yield run

    async def ids_async(self) -> AsyncIterator[str]:
        """The same for the other colour."""
        for run, seconds in self._paced():
            await asyncio.sleep(seconds)
            yield run

    async def one_task_each(self, retrieve: Callable[[str], Awaitable[object]]) -> None:
        """What one writes without a library."""

        async def poll(run: str) -> None:
            while True:
                try:
                    await retrieve(run)
                except Exception as error:  # noqa: BLE001 - counted
                    self.errors.append(error)
                await asyncio.sleep(self._interval)

        await asyncio.gather(*[asyncio.ensure_future(poll(run)) async for run in self.ids_async()])


def section(quick: bool = False) -> str:
    """The measurement as Markdown."""
    runs, interval = (400, 1.0) if quick else (10_000, 20.0)
    found = {name: measure(name, runs, interval) for name in SUBJECTS}
    base = found["tasks"]
    rows = [
        (
            SUBJECTS[name],
            f"{one['share']:.0%}",
            f"{one['share'] / base['share'] * base['polls'] / one['polls']:.2f}",
            f"{one['polls']:.0f}",
            f"{one['p50'] * 1000:,.0f} / {one['p99'] * 1000:,.0f} / {one['max'] * 1000:,.0f}",
            f"{one['memory']:.0f}",
            f"{one['errors']:.0f}",
        )
        for name, one in found.items()
    ]
    head = ("way", "of a core", "per poll", "polls/s", "late p50 / p99 / max, ms", "MB", "errors")
    return (
        f"## {runs:,} runs in flight, each polled every {interval:g} s\n\n"
        "Each way has its own process, and the server has another. The CPU time is that of the client's process, over "
        'two intervals after all runs were started. "per poll" is the CPU time for a poll, as a ratio to the first '
        'row. "late" is the delay of a poll after its planned time. "MB" is the memory that the wait adds to the '
        "process.\n\n" + table(head, rows) + "\n"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
    else:
        print(section("--quick" in sys.argv))
