"""Runs a batch under a progress view, and ends the command. Loads the SDK."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

from ... import _sdk
from ..._catalog.catalog import Catalog
from ..._outcome.classify import classify
from ..._runs.aio import AsyncRuns
from ..._sdk.responses import DEFAULT_URL
from ...batch import BatchOptions, JobFileError, JobLine, JobReport, Store, StoreError, read_jobs, run_batch
from .._client import async_client
from .._errors import Exit, UserError
from .._output.console import print_command, print_line, stderr, stdout
from .._servers.emulate import started_emulator
from .run_output import ProgressView, print_summary, print_totals, summary_data


def run_file(
    jobs: Path,
    output: Path,
    options: BatchOptions,
    catalog: Catalog,
    *,
    scenario: str | None,
    base_url: str | None,
    forget_journal: bool,
    as_json: bool,
) -> None:
    """Run a job file; with a `scenario`, against the emulator. Raises UserError, and typer.Exit at the end."""
    store = Store(output, "the emulator" if scenario is not None else _host(base_url), forget_journal=forget_journal)
    todo = _checked(jobs, output, store)
    console = stderr() if as_json else stdout()
    rows = store.results
    earlier = [_earlier_report(job, rows[job.custom_id], catalog) for job in todo if job.custom_id in rows]
    skipped = len(earlier)
    with contextlib.ExitStack() as stack:
        api_key = None
        if scenario is not None:
            # The emulator's runs outlive a kill, as those of the API do.
            state = store.results_path.with_name(store.results_path.name + ".emulator")
            emulator = stack.enter_context(started_emulator(scenario, state_path=state))
            base_url, api_key = emulator.base_url, "emulated"
        client = async_client(base_url, api_key)
        try:
            stack.enter_context(store)
        except StoreError as error:
            raise UserError(str(error)) from None
        reports, interrupted = run_jobs(client, todo, store, options, console, skipped, catalog)
    reports = [*earlier, *reports]
    print_summary(console, reports)
    print_totals(console, reports, skipped, output)
    if as_json:
        sys.stdout.write(json.dumps(summary_data(reports, skipped), ensure_ascii=False) + "\n")
    _finish(console, reports, interrupted)


def run_jobs(
    client: _sdk.AsyncOpenAI,
    jobs: Sequence[JobLine],
    store: Store,
    options: BatchOptions,
    console: Console,
    skipped: int,
    catalog: Catalog | None = None,
) -> tuple[list[JobReport], bool]:
    """Run a batch under a progress view; return the reports, and whether Ctrl-C or SIGTERM ended it."""

    async def main() -> tuple[list[JobReport], bool]:
        stop = asyncio.Event()
        with _stopping(stop, console):
            async with client:
                with ProgressView(console, len(jobs) - skipped, skipped=skipped) as view:
                    reports = await run_batch(jobs, AsyncRuns(client, catalog=catalog), store, options, view, stop)
        return reports, stop.is_set()

    return asyncio.run(main())


def _finish(console: Console, reports: Sequence[JobReport], interrupted: bool) -> None:
    """Print how to go on if jobs are left, and raise typer.Exit with the exit code."""
    left = [report for report in reports if report.end != "finished"]
    held = [report for report in left if report.end == "held"]
    if held:
        print_line(console, "Held, and not submitted again, because each may have been paid for:")
        for report in held:
            print_command(console, f"{report.job.custom_id}  {report.response_id or report.key or ''}".rstrip())
    command = _command_to_go_on(sys.argv[1:])
    if len(left) > len(held):
        is_going = any(report.end == "unfinished" for report in left)
        print_line(console, f"{'The runs that were going were left alone. ' if is_going else ''}To go on:")
        print_command(console, command)
    if held:
        print_line(console, "Only after you have looked for these in the provider's logs, to submit them again:")
        print_command(console, f"{command} --ambiguous resubmit")
    if interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    if left:
        raise typer.Exit(Exit.UNFINISHED)
    if any(report.exception is not None for report in reports):
        raise typer.Exit(Exit.ENDED_BADLY)


def _command_to_go_on(words: Sequence[str]) -> str:
    """Return the command without the words that allowed a second payment: they were about this call."""
    text = shlex.join(["runoutcome", *words])
    return re.sub(r" --forget-journal(?= |$)| --ambiguous[ =]\w+", "", text)


def _host(base_url: str | None) -> str:
    """Return the host of the API; two ports of one host count as one server."""
    address = base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
    return urlsplit(address).hostname or address


def _earlier_report(job: JobLine, row: dict[str, Any], catalog: Catalog) -> JobReport:
    """Return the report in a result line of an earlier call, for the summary and the exit code."""
    outcome, response = row.get("outcome") or {}, row.get("response") or {}
    return JobReport(
        job,
        "finished",
        classify(response.get("body"), catalog=catalog),
        exception=outcome.get("exception"),
        attempts=outcome.get("attempts") or 1,
        response_id=outcome.get("response_id"),
    )


def _checked(jobs: Path, output: Path, store: Store) -> list[JobLine]:
    """Return the jobs, checked with their store without creating a file. Raises UserError for the first fault."""
    if not output.name or output.is_dir():
        raise UserError(f"-o {str(output)!r} is not a file; name the file that gets the results")
    if output.resolve() == jobs.resolve():
        raise UserError(f"-o {output} is the job file itself; results are appended, so choose another file")
    try:
        todo = read_jobs(jobs)
        store.check(todo)
    except (JobFileError, StoreError) as error:
        raise UserError(str(error)) from None
    return todo


@contextlib.contextmanager
def _stopping(stop: asyncio.Event, console: Console) -> Generator[None]:
    """Set `stop` at the first Ctrl-C or SIGTERM; the next one ends the process as usual."""
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
