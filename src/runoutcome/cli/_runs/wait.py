"""`runoutcome wait` and `runoutcome cancel`: one run that was submitted elsewhere or earlier."""

from __future__ import annotations

import math
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..._outcome.classify import classify
from ..._waiting.resume_token import check_id, loads
from .._catalog.overlays import catalog_in_use
from .._catalog.subject import read_stdin
from .._errors import Exit, UserError
from .._options import Quiet, Require, Verbose, Verbosity, required, verbosity
from .._output.console import print_command, print_json, print_line, stderr, stdout
from .._output.outcomes import without_texts

if TYPE_CHECKING:  # the commands import it when they run: the others do without the SDK
    from ..._errors.raising import Accept

Run = Annotated[str, typer.Argument(metavar="ID", help="A response id or a resume token; or - to read it from stdin.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
BaseUrl = Annotated[str | None, typer.Option(help="API address. Default: OPENAI_BASE_URL, else OpenAI's.")]


def wait(
    run: Run,
    max_wait: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds; 0 asks once, inf has no limit. Default: 1 hour, or by completion window."),
    ] = None,
    interval_ms: Annotated[
        float | None, typer.Option(min=1, help="Constant delay between polls. Default: grows with the run's age.")
    ] = None,
    accept: Annotated[
        str | None, typer.Option(help="Other states to take as good, by comma: incomplete, cancelled, pending.")
    ] = None,
    require: Require = None,
    as_json: AsJson = False,
    base_url: BaseUrl = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Wait until a run ends, and print its output text. Needs OPENAI_API_KEY. Ctrl-C leaves the run alone."""
    token = read_token(run)
    too_long = 1e9 < (max_wait or 0) < math.inf or (interval_ms or 0) > 1e9
    if too_long or math.isnan(max_wait or 0) or not math.isfinite(interval_ms or 0):
        raise UserError(f"--max-wait and --interval-ms are numbers up to 1e9; got {max_wait} and {interval_ms}")
    needed, amount = required(require), verbosity(quiet=quiet, verbose=verbose)
    catalog = catalog_in_use()
    options = {"max_wait": max_wait, "interval_ms": interval_ms, "accept": accept, "require": require}
    again = _command("wait", token, **options, json=as_json, base_url=base_url, quiet=quiet, verbose=verbose)
    with _interruptible("The run was left alone. To go on:", again):
        from ..._errors.bases import RunError, WaitError
        from ..._errors.exceptions import RunGoneError
        from ..._runs.options import AUTO
        from ..._runs.sync import Runs
        from .._client import sync_client
        from .wait_output import Ending, FaultPrinter, print_status

        accepted = _accepted(accept)
        try:
            response = Runs(sync_client(base_url), catalog=catalog).poll(
                token,
                max_wait_seconds=AUTO if max_wait is None else None if max_wait == math.inf else max_wait,
                poll_interval_ms=interval_ms,
                accept=accepted,
                require=needed,
                on_update=None if amount is Verbosity.QUIET else print_status,
                on_fault=None if amount is Verbosity.QUIET else FaultPrinter(is_verbose=amount is Verbosity.VERBOSE),
            )
        except (RunError, WaitError, RunGoneError) as error:
            ending = Ending.raised(token, error)
        else:
            ending = Ending.returned(token, response, catalog)
    if as_json:
        print_json(ending.to_dict())
    else:
        ending.show(again)
    raise typer.Exit(ending.exit_code)


def cancel(run: Run, as_json: AsJson = False, base_url: BaseUrl = None) -> None:
    """Ask for a run to be stopped, and print its state after that. Needs OPENAI_API_KEY."""
    token = read_token(run)
    catalog = catalog_in_use()
    again = _command("cancel", token, json=as_json, base_url=base_url)
    with _interruptible("The request may have gone out or not. To ask again:", again):
        from ..._runs.sync import Runs
        from .._client import sync_client

        outcome = classify(Runs(sync_client(base_url), catalog=catalog).cancel(token), catalog=catalog)
    if as_json:
        print_json(
            {"response_id": outcome.response_id, "outcome": without_texts(outcome), "run_token": loads(token).dumps()}
        )
    elif outcome.status == "cancelled":  # the catalog's advice is for those who did not ask for it
        print_line(stdout(), f"{outcome.response_id} is cancelled.")
        print_line(stderr(), "Nothing is left to do. To have an answer after all, submit the request as a new run.")
    else:
        print_line(stdout(), f"{outcome.response_id} is {outcome.status}. {outcome.cause}")
        print_line(stderr(), f"What to do: {outcome.remedy}")
    if outcome.phase != "terminal":
        raise typer.Exit(Exit.UNFINISHED)


def read_token(argument: str) -> str:
    """Return the response id or resume token in an argument, or on stdin for `-`. Raises UserError for other text."""
    token = (read_stdin().decode("utf-8", "replace") if argument == "-" else argument).strip()
    try:
        check_id(loads(token).response_id)
    except ValueError as error:
        raise UserError(str(error)) from None
    return token


def _accepted(accept: str | None) -> list[Accept]:
    from ..._errors.raising import parse_accept

    words = [word.strip() for word in (accept or "").split(",") if word.strip()]
    try:
        parse_accept(words)
    except ValueError as error:
        raise UserError(f"--{error}") from None
    return cast("list[Accept]", words)


def _command(verb: str, token: str, **options: object) -> str:
    """Return the command line that does the same again, for a shell."""
    words = ["runoutcome", verb, token]
    for name, value in options.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not None and value is not False:
            words += [f"--{name.replace('_', '-')}", f"{value:.15g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


@contextmanager
def _interruptible(message: str, again: str) -> Generator[None]:
    """On Ctrl-C print a message and the command that goes on, and exit with the code for it."""
    try:
        yield
    except KeyboardInterrupt:
        print_line(stderr(), message)
        print_command(stderr(), again)
        raise typer.Exit(Exit.INTERRUPTED) from None
