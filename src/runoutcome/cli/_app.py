"""The commands, under one name."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from .. import __version__
from .._catalog.catalog import CATALOG_VERSION
from ._batch.export import EXIT_CODES as _EXPORT_CODES, export
from ._batch.report import EXIT_CODES as _REPORT_CODES, report
from ._batch.run import demo, run
from ._batch.status import EXIT_CODES as _STATUS_CODES, status
from ._catalog.catalog import catalog_app
from ._catalog.check import EXIT_CODES as _CHECK_CODES, check
from ._catalog.explain import explain
from ._completion import NAME, completion
from ._doctor import EXIT_CODES as _DOCTOR_CODES, doctor
from ._errors import Exit, exit_codes, guarded
from ._runs.wait import cancel, wait
from ._servers.emulate import EXIT_CODES as _EMULATE_CODES, emulate
from ._servers.gateway import EXIT_CODES as _GATEWAY_CODES, gateway

# rich's help panels fold words in a narrow terminal; plain help never does.
app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]})

_INPUT_ONLY = exit_codes(Exit.DONE, Exit.USAGE)
_ONE_RUN = exit_codes(done="the run completed, or ended as accepted")
_CANCEL = exit_codes(
    Exit.DONE, Exit.USAGE, Exit.UNFINISHED, Exit.REFUSED, Exit.INTERRUPTED, done="the run is not going any more"
)
_MANY_RUNS = exit_codes(done="every run completed")
_DEMO = exit_codes(Exit.DONE, Exit.USAGE, Exit.INTERRUPTED)

app.command(epilog=_INPUT_ONLY)(explain)
app.add_typer(catalog_app, name="catalog")
app.command(epilog=_ONE_RUN)(wait)
app.command(epilog=_CANCEL)(cancel)
app.command(epilog=_MANY_RUNS, short_help="Run a file of jobs as background runs, resumable.")(run)
app.command(epilog=_STATUS_CODES, short_help="Print how far a batch is, and what it needs.")(status)
app.command(epilog=_REPORT_CODES, short_help="Write a report of a batch as an HTML page.")(report)
app.command(epilog=_EXPORT_CODES, short_help="Write the results of a batch anew, or a table.")(export)
app.command(epilog=_DEMO, short_help="Watch failures being told apart. No key, no cost.")(demo)
app.command(epilog=_EMULATE_CODES)(emulate)
app.command(epilog=_GATEWAY_CODES)(gateway)
app.command(epilog=_DOCTOR_CODES)(doctor)
app.command(epilog=_CHECK_CODES)(check)
app.command(epilog=_INPUT_ONLY, short_help="Print a completion script for a shell.")(completion)


@app.callback(invoke_without_command=True, epilog=exit_codes())
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the versions of the package and its catalog.")
    ] = False,
) -> None:
    """Say what became of OpenAI background runs, and wait for them. Unofficial."""
    if version:
        print(f"{NAME} {__version__} (catalog {CATALOG_VERSION})")
    elif context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(Exit.USAGE)


def run_app() -> int:
    """Run the command that `sys.argv` names, and return its exit code."""
    logging.getLogger(NAME).addHandler(logging.NullHandler())  # a command tells of its runs itself
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the parent process closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a run's text may hold what this machine cannot encode
    return guarded(_invoke)


def _invoke() -> None:
    # Not `app()`: that catches a closed pipe and Ctrl-C itself, and prints usage errors in its own way.
    command = typer.main.get_command(app)
    with command.make_context(NAME, sys.argv[1:]) as context:
        command.invoke(context)
