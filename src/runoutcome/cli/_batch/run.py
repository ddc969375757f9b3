"""`runoutcome run`, a file of jobs as background runs, resumable; and `runoutcome demo`, which shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .._catalog.overlays import catalog_in_use
from .._errors import UserError

_POLICIES: dict[str, Literal["hold", "resubmit"]] = {"hold": "hold", "resubmit": "resubmit"}


def run(
    jobs: Annotated[Path, typer.Argument(help="Jobs, one JSON object a line, in the OpenAI Batch input format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, in the Batch output format; appended to.")],
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Runs in flight at once.")] = 16,
    resubmit: Annotated[int, typer.Option(min=0, help="Further runs for a job that fails retryably.")] = 2,
    max_wait: Annotated[
        float | None,
        typer.Option(min=0, max=1e9, help="Seconds for one job. Default: 1 hour, or by completion window."),
    ] = None,
    ambiguous: Annotated[
        str, typer.Option(help="A job whose POST may have gone through unanswered: hold, or resubmit it.")
    ] = "hold",
    forget_journal: Annotated[
        bool,
        typer.Option(
            "--forget-journal", help="Accept results whose journal is lost: jobs without a result become new runs."
        ),
    ] = False,
    emulate: Annotated[bool, typer.Option("--emulate", help="Use the emulator: no key, no cost.")] = False,
    scenario: Annotated[str, typer.Option(help="With --emulate: a scenario's name or TOML file.")] = "mixed",
    base_url: Annotated[str | None, typer.Option(help="API address; default OPENAI_BASE_URL, else OpenAI's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON summary; progress goes to stderr.")] = False,
) -> None:
    """Run every job of a file as a background run, and write what became of each.

    Ctrl-C leaves the runs alone; the same command again goes on where it stopped, also after a crash or a kill. No
    run is paid for twice in silence: a job whose POST was in flight is held, and named to be looked up.
    """
    policy = _POLICIES.get(ambiguous)
    if policy is None:
        raise UserError(f"--ambiguous is hold or resubmit; got {ambiguous!r}")
    catalog = catalog_in_use()
    from ..._runs.options import AUTO  # not above: it loads the SDK, which most commands do without
    from ...batch import BatchOptions
    from .job_file import run_file

    options = BatchOptions(concurrency, resubmit, AUTO if max_wait is None else max_wait, policy)
    emulated = scenario if emulate else None
    run_file(
        jobs,
        output,
        options,
        catalog,
        scenario=emulated,
        base_url=base_url,
        forget_journal=forget_journal,
        as_json=as_json,
    )


def demo() -> None:
    """Watch background runs end badly, come back as the right exceptions, and be handled. No key, no cost."""
    from .demo import demonstrate  # not above: it loads the SDK, which most commands do without

    demonstrate()
