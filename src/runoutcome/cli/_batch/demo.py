"""What `demo` does. Loads the SDK."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console

from ...batch import BatchOptions, JobReport, Store, read_jobs
from .._client import async_client
from .._output.console import stdout
from .._servers.emulate import started_emulator
from .job_file import run_jobs
from .progress import label_of
from .summary import print_summary, print_totals


def demonstrate() -> None:
    """Run the demo's jobs on the emulator, and print what they show."""
    console = stdout()
    with tempfile.TemporaryDirectory() as folder, as_file(files("runoutcome").joinpath("data/demo_jobs.jsonl")) as path:
        jobs = read_jobs(path)
        store = Store(Path(folder) / "results.jsonl")
        store.check(jobs)
        with started_emulator("demo") as emulator, store:
            console.print(
                f"{len(jobs)} background runs through the openai client, against an emulator on {emulator.base_url}.",
                soft_wrap=True,
                highlight=False,
            )
            console.print("Each poll is answered 200 OK, also when the run has failed.\n", soft_wrap=True)
            client = async_client(emulator.base_url, "emulated")
            reports, _ = run_jobs(client, jobs, store, BatchOptions(), console, 0)
            paid = len(emulator.runs)
    console.print()
    print_summary(console, reports)
    console.print()
    _print_highlights(console, reports)
    print_totals(console, reports, 0, None)
    console.print(f"{paid} runs were paid for: one per job, and one per resubmission.", soft_wrap=True)


def _print_highlights(console: Console, reports: Sequence[JobReport]) -> None:
    """One line for each thing the demo is there to show."""
    for report in reports:
        name = report.job.custom_id
        line = None
        if report.exception is None and report.attempts > 1:
            line = f"{name} ended in {', '.join(report.earlier)}, was submitted again by policy, and completed."
        elif report.faults:
            line = f"{name} met {', '.join(report.faults)} on its polls; it was left alone, and completed."
        elif report.outcome and report.outcome.action == "fix_account":
            line = (
                f"{name} stopped on {label_of(report)}: an openai.RateLimitError too, but not retryable, so paid once."
            )
        elif report.partial_output:
            line = f"{name} kept what it had written: {report.partial_output[:80]!r} ..."
        if line:
            console.print(f"* {line}", soft_wrap=True, markup=False, highlight=False)
