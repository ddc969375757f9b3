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
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
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
from ...batch._jobs import parse_jobs
from .._catalog.subject import read_stdin
from .._client import async_client
from .._errors import Exit, UserError, forget_output
from .._options import Verbosity
from .._output.console import print_command, print_line, stderr, stdout
from .._output.text import counted
from .._servers.emulate import started_emulator
from .run_output import ProgressView, print_resumption, print_stop, print_summary, print_totals, summary_data


@dataclass(frozen=True)
class RunFile:
    """Files and settings of one call of `run`."""

    jobs: str
    """Path of the job file, or `-`."""
    output: Path
    scenario: str | None
    """Scenario of the emulator; None for the API."""
    base_url: str | None
    database: Path | None
    """Journal; None for the one beside the results."""
    keep_bodies: bool
    forget_journal: bool
    as_json: bool
    verbosity: Verbosity


def run_file(settings: RunFile, options: BatchOptions, catalog: Catalog) -> None:
    """Run a job file. Raises UserError, and typer.Exit at the end."""
    scenario, base_url, output = settings.scenario, settings.base_url, settings.output
    host = "the emulator" if scenario is not None else _host(base_url)
    store = Store(
        output,
        host,
        forget_journal=settings.forget_journal,
        database=settings.database,
        keep_bodies=settings.keep_bodies,
        command=shlex.join(["runoutcome", *sys.argv[1:]]),
    )
    todo = _checked(settings.jobs, output, store)
    console = stderr() if settings.as_json or settings.verbosity is Verbosity.QUIET else stdout()
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
        rows = store.results
        earlier = [_earlier_report(job, rows[job.custom_id], catalog) for job in todo if job.custom_id in rows]
        skipped = len(earlier)
        if settings.verbosity is not Verbosity.QUIET:
            print_resumption(console, store, has_work=skipped < len(todo), on_ambiguous=options.on_ambiguous)
        with _told_what_was_paid_for(todo, store):
            reports, interrupted = run_jobs(
                client, todo, store, options, console, skipped, catalog, verbosity=settings.verbosity
            )
    reports = [*earlier, *reports]
    if settings.verbosity is not Verbosity.QUIET:
        print_summary(console, reports)
        print_totals(console, reports, skipped, output)
    if settings.as_json:
        sys.stdout.write(json.dumps(summary_data(reports, skipped, store.resumed), ensure_ascii=False) + "\n")
    _finish(console, reports, interrupted)


def run_jobs(
    client: _sdk.AsyncOpenAI,
    jobs: Sequence[JobLine],
    store: Store,
    options: BatchOptions,
    console: Console,
    skipped: int,
    catalog: Catalog | None = None,
    *,
    verbosity: Verbosity = Verbosity.NORMAL,
) -> tuple[list[JobReport], bool]:
    """Run a batch under a progress view; return the reports, and whether a signal ended it."""

    async def main() -> tuple[list[JobReport], bool]:
        stop = asyncio.Event()
        with _stopping(stop, console):
            async with client:
                with ProgressView(console, len(jobs) - skipped, skipped=skipped, verbosity=verbosity) as view:
                    runs = AsyncRuns(client, catalog=catalog, max_submits_in_flight=options.max_submits)
                    reports = await run_batch(jobs, runs, store, options, view, stop)
        return reports, stop.is_set()

    return asyncio.run(main())


def _finish(console: Console, reports: Sequence[JobReport], interrupted: bool) -> None:
    """Print how to go on if jobs are left, and raise typer.Exit with the exit code."""
    left = [report for report in reports if report.end != "finished"]
    held = [report for report in left if report.end == "held"]
    if held:
        print_line(console, "Held jobs. Each may have been paid for, so none was submitted again:")
        _print_jobs(console, {report.job.custom_id: report.response_id or report.key or "" for report in held})
    command = _command_to_go_on(sys.argv[1:])
    to_go_on = "To go on, with the same jobs on standard input" if "-" in sys.argv else "To go on"
    stop = print_stop(console, reports) if left else None
    if stop == "refused":
        to_go_on += ", after you corrected it"
    if len(left) > len(held):
        is_going = any(report.end == "unfinished" for report in left)
        print_line(console, f"{'The runs that were going were left alone. ' if is_going else ''}{to_go_on}:")
        print_command(console, command)
    if held:
        print_line(console, "Look for these in the provider's logs. If the runs are not there, submit the jobs again:")
        print_command(console, f"{command} --ambiguous resubmit")
    if interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    if left:
        raise typer.Exit(Exit.REFUSED if stop == "refused" else Exit.UNFINISHED)
    if any(report.exception is not None for report in reports):
        raise typer.Exit(Exit.ENDED_BADLY)


@contextlib.contextmanager
def _told_what_was_paid_for(jobs: Sequence[JobLine], store: Store) -> Generator[None]:
    """On a second Ctrl-C and on a full disk, print which runs were paid for and are not in the journal."""
    console = stderr()
    try:
        yield
    except KeyboardInterrupt:
        past = {job.custom_id: store.past.get(job.custom_id) for job in jobs}
        keys = {custom_id: one.key or "" for custom_id, one in past.items() if one and one.event == "submitting"}
        if keys:
            print_line(
                console, "No answer came to the POSTs of these jobs, so each may have been paid for. Their keys:"
            )
            _print_jobs(console, keys)
        raise
    except OSError as error:
        tokens: Mapping[str, str] = getattr(error, "run_tokens", {})
        if tokens:
            print_line(console, "These runs were made, and their ids could not be noted. To wait for one:")
            print_command(console, "runoutcome wait TOKEN")
            _print_jobs(console, tokens)
        if isinstance(error, (ConnectionError, TimeoutError)):  # a closed pipe is one, too
            raise
        text = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        going = sum(one.token is not None and name not in store.finished for name, one in store.past.items())
        raise UserError(
            f"{text}. Nothing more was submitted; the journal has {counted(going, 'run')} that may be going. Once this "
            "is mended, run the same command again: it polls them and does not pay for them again.",
            Exit.UNFINISHED,
        ) from None


def _print_jobs(console: Console, jobs: Mapping[str, str]) -> None:
    for custom_id, word in jobs.items():
        print_command(console, f"{custom_id}  {word}".rstrip())


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
    outcome = row.get("outcome") or {}
    return JobReport(
        job,
        "finished",
        classify(row, catalog=catalog),
        exception=outcome.get("exception"),
        attempts=outcome.get("attempts") or 1,
        response_id=outcome.get("response_id"),
    )


def _checked(jobs: str, output: Path, store: Store) -> list[JobLine]:
    """Return the jobs, checked with their store without creating a file. Raises UserError for the first fault."""
    if not output.name or output.is_dir():
        raise UserError(f"-o {str(output)!r} is not a file; name the file that gets the results")
    if jobs != "-" and (output.resolve() == Path(jobs).resolve() or _is_same_file(output, jobs)):
        raise UserError(f"-o {output} is the job file itself; results are appended, so choose another file")
    if store.journal_path in (store.results_path, Path(os.path.realpath(jobs))):
        raise UserError(f"--db {store.journal_path} is the journal; choose another file than the jobs and the results")
    try:
        todo = parse_jobs(read_stdin(), "standard input") if jobs == "-" else read_jobs(Path(jobs))
        store.check(todo)
    except (JobFileError, StoreError) as error:
        raise UserError(str(error)) from None
    return todo


def _is_same_file(output: Path, jobs: str) -> bool:
    try:
        return output.samefile(jobs)
    except OSError:
        return False


@contextlib.contextmanager
def _stopping(stop: asyncio.Event, console: Console) -> Generator[None]:
    """Set `stop` at the first Ctrl-C, SIGTERM or SIGHUP; the next one ends the process as usual."""
    loop = asyncio.get_running_loop()
    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What the parent has the process ignore stays ignored: nohup does so with SIGHUP, a shell's `&` with SIGINT.
    signals = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]

    def on_signal() -> None:
        stop.set()
        restore()
        try:
            console.print("Stopping: nothing more is submitted, and the runs are left alone.", soft_wrap=True)
        except OSError:  # the terminal is gone: the rest of the output must not end the command
            forget_output(sys.stdout, sys.stderr)

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
