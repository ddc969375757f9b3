"""The demonstration: background runs through the real client, against the emulator, with every usual end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from pathlib import Path

from ...batch import BatchOptions, JobReport, Store, read_jobs
from .._client import async_client
from .._output.console import stdout
from .._servers.emulate import started_emulator
from .job_file import run_jobs
from .run_output import label_of, print_summary, print_totals


def demonstrate() -> None:
    """Run the demo's jobs on the emulator, and print a summary with the highlights."""
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
    for line in _highlights(reports):
        console.print(f"* {line}", soft_wrap=True, markup=False, highlight=False)
    print_totals(console, reports, 0, None)
    console.print(f"{paid} runs were paid for: one per job, and one per resubmission.", soft_wrap=True)


def _highlights(reports: Sequence[JobReport]) -> Iterator[str]:
    """Yield one line for each kind of end that the demo shows."""
    for report in reports:
        name = report.job.custom_id
        if report.exception is None and report.attempts > 1:
            yield f"{name} ended in {', '.join(report.earlier)}, was submitted again by policy, and completed."
        elif report.faults:
            yield f"{name} met {', '.join(report.faults)} on its polls; it was left alone, and completed."
        elif report.outcome and report.outcome.action == "fix_account":
            label = label_of(report)
            yield f"{name} stopped on {label}: an openai.RateLimitError too, but not retryable, so paid once."
        elif report.partial_output:
            yield f"{name} kept the output so far: {report.partial_output[:80]!r} ..."
