"""`runoutcome run`, a file of jobs as background runs, resumable; and `runoutcome demo`, which shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .._catalog.overlays import catalog_in_use
from .._errors import UserError
from .._options import Quiet, Require, Verbose, check_word, required, verbosity

_DEFAULT_SCENARIO = "mixed"
_POLICIES: dict[str, Literal["hold", "resubmit"]] = {"hold": "hold", "resubmit": "resubmit"}


def run(
    jobs: Annotated[
        str,
        typer.Argument(
            help="Jobs, one JSON object a line, in the OpenAI Batch input format; or - to read them from stdin."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, in the Batch output format; appended to.")],
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Runs in flight at once.")] = 16,
    rpm: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=1e9, help="Creates within a minute. Default: by the x-ratelimit headers of the API."
        ),
    ] = None,
    tpm: Annotated[
        float | None,
        typer.Option(min=1, max=1e12, help="Tokens within a minute, input and max_output_tokens. Default: as --rpm."),
    ] = None,
    max_submits: Annotated[int, typer.Option(min=1, max=1000, help="Creates without an answer at once.")] = 8,
    max_tokens_spent: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens that all runs of RESULTS may use, with a reserve for those in flight."),
    ] = None,
    stop_after_failures: Annotated[
        int | None, typer.Option(min=1, help="Stop submitting after so many runs in a row with the same failure.")
    ] = None,
    resubmit: Annotated[int, typer.Option(min=0, help="Further runs for a job that fails retryably.")] = 2,
    max_wait: Annotated[
        float | None,
        typer.Option(min=0, max=1e9, help="Seconds for one job. Default: 1 hour, or by completion window."),
    ] = None,
    ambiguous: Annotated[
        str,
        typer.Option(
            metavar="|".join(_POLICIES), help="A job whose POST may have gone through unanswered: hold, or resubmit it."
        ),
    ] = "hold",
    require: Require = None,
    database: Annotated[
        Path | None,
        typer.Option("--db", metavar="FILE", help="Journal, an SQLite file. Default: OUTPUT with .db appended."),
    ] = None,
    no_bodies: Annotated[
        bool, typer.Option("--no-bodies", help="Keep no prompts and no results in the journal.")
    ] = False,
    forget_journal: Annotated[
        bool,
        typer.Option(
            "--forget-journal", help="Accept results whose journal is lost: jobs without a result become new runs."
        ),
    ] = False,
    emulate: Annotated[bool, typer.Option("--emulate", help="Use the emulator: no key, no cost.")] = False,
    scenario: Annotated[
        str | None,
        typer.Option(help=f"With --emulate: a scenario's name or TOML file. Default: {_DEFAULT_SCENARIO}."),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="API address; default OPENAI_BASE_URL, else OpenAI's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON summary; progress goes to stderr.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run every job of a file as a background run, and write what became of each.

    Ctrl-C leaves the runs alone; the same command again goes on where it stopped, also after a crash or a kill. No
    run is paid for twice in silence: a job whose POST was in flight is held, and named to be looked up.
    """
    check_word("--ambiguous", ambiguous, _POLICIES)
    needed = required(require)
    if scenario is not None and not emulate:
        raise UserError("--scenario is for the emulator: add --emulate; without it the API is used, which costs money")
    if base_url is not None and emulate:
        raise UserError("--base-url and --emulate exclude each other: the emulator has its own address")
    amount = verbosity(quiet=quiet, verbose=verbose)
    catalog = catalog_in_use()
    from ..._runs.options import AUTO  # not above: it loads the SDK, which most commands do without
    from ...batch import BatchOptions
    from .job_file import RunFile, run_file

    options = BatchOptions(
        concurrency,
        resubmit,
        AUTO if max_wait is None else max_wait,
        _POLICIES[ambiguous],
        needed,
        requests_per_minute=rpm,
        tokens_per_minute=tpm,
        max_submits=max_submits,
        max_tokens_spent=max_tokens_spent,
        stop_after_failures=stop_after_failures,
    )
    settings = RunFile(
        jobs,
        output,
        scenario=(scenario or _DEFAULT_SCENARIO) if emulate else None,
        base_url=base_url,
        database=database,
        keep_bodies=not no_bodies,
        forget_journal=forget_journal,
        as_json=as_json,
        verbosity=amount,
    )
    run_file(settings, options, catalog)


def demo() -> None:
    """Watch background runs end badly, come back as the right exceptions, and be handled. No key, no cost."""
    from .demo import demonstrate  # not above: it loads the SDK, which most commands do without

    demonstrate()
