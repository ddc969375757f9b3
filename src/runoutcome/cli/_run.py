"""`runoutcome run`: a file of jobs as background runs, resumable."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from .. import _sdk
from .._runs import AUTO, AsyncRuns
from ..batch import BatchOptions, JobFileError, JobLine, JobReport, Store, StoreError, read_jobs, run_batch
from ._client import async_client
from ._emulate import started_emulator
from ._errors import Exit, UserError
from ._progress import ProgressView
from ._render import stderr, stdout
from ._summary import print_summary, print_totals, summary_data


def run(
    jobs: Annotated[Path, typer.Argument(help="Jobs, one JSON object a line, in the OpenAI Batch input format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, in the Batch output format; appended to.")],
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Runs in flight at once.")] = 16,
    resubmit: Annotated[int, typer.Option(min=0, help="Further runs for a job that fails retryably.")] = 2,
    max_wait: Annotated[
        float | None, typer.Option(min=0, help="Seconds one job may take. Default: 1 hour, or by completion window.")
    ] = None,
    ambiguous: Annotated[
        str, typer.Option(help="A job whose POST may have gone through unanswered: hold, or resubmit it.")
    ] = "hold",
    emulate: Annotated[bool, typer.Option("--emulate", help="Use the emulator: no key, no cost.")] = False,
    scenario: Annotated[str, typer.Option(help="With --emulate: a scenario's name or TOML file.")] = "mixed",
    base_url: Annotated[str | None, typer.Option(help="API address; default OPENAI_BASE_URL, else OpenAI's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON summary; progress goes to stderr.")] = False,
) -> None:
    """Run every job of a file as a background run, and write what became of each.

    Ctrl-C leaves the runs alone; the same command again goes on where it stopped.
    """
    policy = _ambiguous(ambiguous)
    todo, store = _checked(jobs, output)
    options = BatchOptions(concurrency, resubmit, AUTO if max_wait is None else max_wait, policy)
    console = stderr() if as_json else stdout()
    skipped = sum(job.custom_id in store.finished for job in todo)
    with contextlib.ExitStack() as stack:
        api_key = None
        if emulate:
            # The emulator's runs outlive a kill, as those of the API do.
            state = output.with_name(output.name + ".emulator")
            emulator = stack.enter_context(started_emulator(scenario, state_path=state))
            base_url, api_key = emulator.base_url, "emulated"
        client = async_client(base_url, api_key)
        try:
            stack.enter_context(store)
        except StoreError as error:
            raise UserError(str(error)) from None
        reports, interrupted = run_jobs(client, todo, store, options, console, skipped)
    print_summary(console, reports)
    print_totals(console, reports, skipped, output)
    if as_json:
        sys.stdout.write(json.dumps(summary_data(reports, skipped), ensure_ascii=False) + "\n")
    finish(console, reports, interrupted)


def run_jobs(
    client: _sdk.AsyncOpenAI,
    jobs: Sequence[JobLine],
    store: Store,
    options: BatchOptions,
    console: Console,
    skipped: int,
) -> tuple[list[JobReport], bool]:
    """Run a batch under a progress view; gives the reports, and whether Ctrl-C or SIGTERM ended it."""

    async def main() -> tuple[list[JobReport], bool]:
        stop = asyncio.Event()
        with _stopping(stop, console):
            async with client:
                with ProgressView(console, len(jobs) - skipped, skipped=skipped) as view:
                    reports = await run_batch(jobs, AsyncRuns(client), store, options, view, stop)
        return reports, stop.is_set()

    return asyncio.run(main())


def finish(console: Console, reports: Sequence[JobReport], interrupted: bool) -> None:
    """Print how to go on where there is something left, and leave with the exit code that says so."""
    left = [report for report in reports if report.end != "finished"]
    if left:
        command = shlex.join(["runoutcome", *sys.argv[1:]])
        if all(report.end == "held" for report in left):
            command += " --ambiguous resubmit"
        was_going = any(report.end in ("unfinished", "held") for report in left)
        told = "The runs that were going were left alone; nothing paid is lost. " if was_going else ""
        console.print(f"{told}To go on:", soft_wrap=True)
        console.print(f"  {command}", soft_wrap=True, markup=False, highlight=False)
    if interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    if left:
        raise typer.Exit(Exit.UNFINISHED)
    if any(report.exception is not None for report in reports):
        raise typer.Exit(Exit.ENDED_BADLY)


def _checked(jobs: Path, output: Path) -> tuple[list[JobLine], Store]:
    """The jobs and their store, everything looked at and no file created; UserError for the first fault."""
    if output.resolve() == jobs.resolve():
        raise UserError(f"-o {output} is the job file itself; results are appended, so choose another file")
    store = Store(output)
    try:
        todo = read_jobs(jobs)
        store.check(todo)
    except (JobFileError, StoreError) as error:
        raise UserError(str(error)) from None
    return todo, store


def _ambiguous(word: str) -> Literal["hold", "resubmit"]:
    policies: dict[str, Literal["hold", "resubmit"]] = {"hold": "hold", "resubmit": "resubmit"}
    if word not in policies:
        raise UserError(f"--ambiguous is hold or resubmit; got {word!r}")
    return policies[word]


@contextlib.contextmanager
def _stopping(stop: asyncio.Event, console: Console) -> Generator[None]:
    """The first Ctrl-C or SIGTERM sets `stop`; the next one ends the process as ever."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def on_signal() -> None:
        stop.set()
        console.print("Stopping: nothing more is submitted, and the runs are left alone.", soft_wrap=True)
        restore()

    def restore() -> None:
        for number in signals:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)

    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
        for number in signals:
            loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        restore()
