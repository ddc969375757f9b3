"""`runoutcome emulate`: the emulator on a port of this machine until it is stopped, then a verdict on its client."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from .._errors import Exit, UserError, exit_codes
from .._output.console import print_command, print_json, print_line, print_pairs, print_table, stderr, stdout

if TYPE_CHECKING:
    from ...testing import Emulator, Verdict

EXIT_CODES = exit_codes(
    Exit.DONE, Exit.USAGE, done="stopped by Ctrl-C or SIGTERM; with --verdict: 0 no finding, 1 findings"
)
_EXTRA = ("starlette", "uvicorn")
_KEY = "emulated"
_STYLES = {"error": "red", "warning": "yellow"}
_COLUMNS = ("finding", "times", "the client", "for example")


def emulate(
    scenario: Annotated[
        str, typer.Option(help="What happens to the runs: a name of --list, or a TOML file.")
    ] = "happy",
    replay: Annotated[
        str | None, typer.Option(help="Answer from this file of gateway --record, in place of a scenario.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Draw the outcomes by this number, not by the scenario's.")] = None,
    speed: Annotated[float, typer.Option(help="Divides every duration: 10 is ten times as fast.")] = 1.0,
    state: Annotated[str | None, typer.Option(help="File that keeps the runs over a restart.")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Where to send webhooks: an http URL on 127.0.0.1.")] = None,
    webhook_secret: Annotated[str | None, typer.Option(help="What signs the webhooks: whsec_...")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Answer to this name in Host too, such as a container's; may be repeated.")
    ] = None,
    rpm: Annotated[
        int | None, typer.Option(min=1, help="Requests per minute: refuse further creates with 429, as the API does.")
    ] = None,
    tpm: Annotated[
        int | None, typer.Option(min=1, help="Tokens per minute: input and max_output_tokens of the creates.")
    ] = None,
    verdict: Annotated[bool, typer.Option(help="When stopped, say what the client did wrong.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON once it listens, and one for the verdict.")
    ] = False,
    list_scenarios: Annotated[bool, typer.Option("--list", help="Name the scenarios that come with it.")] = False,
) -> None:
    """Serve an emulated API on 127.0.0.1, until Ctrl-C. No key, no cost."""
    if list_scenarios:
        _print_scenarios(as_json)
        return
    if replay is not None:
        for_runs = {"--seed": seed, "--state": state, "--webhook-url": webhook_url, "--rpm": rpm, "--tpm": tpm}
        for_runs |= {"--verdict": verdict or None}
        if unused := [name for name, value in for_runs.items() if value is not None]:
            raise UserError(f"--replay answers as it was recorded, without {', '.join(unused)}")
        _replay(replay, port, speed, allow_host or (), as_json=as_json)
        return
    stopped: list[Emulator] = []
    with _extra_needed():
        from ...testing import DEFAULT_WEBHOOK_SECRET, serve
    signing_secret = (webhook_secret or DEFAULT_WEBHOOK_SECRET) if webhook_url else None

    def on_ready(base_url: str) -> None:
        if as_json:
            data = {"base_url": base_url, "port": int(base_url.split(":")[2].split("/")[0]), "scenario": scenario}
            data |= {"api_key": _KEY, "status_url": _status_url(base_url)}
            print_json({**data, "webhook_secret": signing_secret} if signing_secret else data)
        else:
            _print_address(base_url, scenario, signing_secret)

    serve(
        scenario,
        port=port,
        seed=seed,
        speed=speed,
        state_path=state,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        allowed_hosts=allow_host or (),
        requests_per_minute=rpm,
        tokens_per_minute=tpm,
        on_ready=on_ready,
        on_stop=stopped.append,
    )
    if verdict:
        result = stopped[0].verdict()
        if as_json:
            print_json(result.to_dict())
        else:
            _print_verdict(stdout(), result)
        if not result.ok:
            raise typer.Exit(Exit.ENDED_BADLY)


def _replay(path: str, port: int, speed: float, allowed_hosts: Sequence[str], *, as_json: bool) -> None:
    with _extra_needed():
        from ...testing import serve_replay

    def on_ready(base_url: str) -> None:
        if as_json:
            print_json({"base_url": base_url, "replay": path, "api_key": _KEY})
        else:
            print_line(stdout(), f"Replay on {base_url}, recording {path}")
            _print_settings(stdout(), base_url)
            print_line(stderr(), "Ctrl-C stops it.")

    serve_replay(path, port=port, speed=speed, allowed_hosts=allowed_hosts, on_ready=on_ready)


@contextmanager
def started_emulator(scenario: str, state_path: str | os.PathLike[str] | None = None) -> Generator[Emulator]:
    """Run an emulator for the length of a command. Raises the errors of `Emulator`, and UserError without its extra."""
    with _extra_needed():
        from ...testing import Emulator
    with Emulator(scenario, state_path=state_path) as emulator:
        yield emulator


@contextmanager
def _extra_needed() -> Generator[None]:
    try:
        yield
    except ImportError as error:
        missing = error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error
        if missing.name is None or missing.name.partition(".")[0] not in _EXTRA:
            raise
        raise UserError('the emulator needs its extra: pip install "runoutcome[testing]"') from None


def _print_scenarios(as_json: bool) -> None:
    from ...testing import load_scenario, scenario_names

    descriptions = {name: load_scenario(name).description for name in scenario_names()}
    if as_json:
        print_json(descriptions)
    else:
        print_pairs(stdout(), descriptions.items())


def _status_url(base_url: str) -> str:
    return base_url.removesuffix("v1")


def _print_address(base_url: str, scenario: str, webhook_secret: str | None) -> None:
    console = stdout()
    print_line(console, f"Emulator on {base_url}, scenario {scenario}")
    _print_settings(console, base_url)
    if webhook_secret is not None:
        print_command(console, f"export OPENAI_WEBHOOK_SECRET={webhook_secret}")
    print_line(stderr(), f"Runs and requests, live: {_status_url(base_url)}")
    print_line(stderr(), "Ctrl-C stops it.")


def _print_settings(console: Console, base_url: str) -> None:
    print_command(console, f"export OPENAI_BASE_URL={base_url}")
    print_command(console, f"export OPENAI_API_KEY={_KEY}")


def _print_verdict(console: Console, verdict: Verdict) -> None:
    """Print the totals, a table with one row for each kind of finding, and a remedy for each."""
    totals = verdict.totals()
    print_pairs(console, [(name.replace("_", " "), _number(value)) for name, value in totals.items()])
    console.print()
    counts = verdict.counts()
    if not counts:
        print_line(console, "No finding: the client paid once for each job, and read every run to its end.", "green")
    else:
        firsts = [(verdict.of_kind(kind)[0], count) for kind, count in counts.items()]
        rows = [(Text(one.kind, _STYLES[one.severity]), str(count), one.title, one.text) for one, count in firsts]
        print_table(console, _COLUMNS, rows, keep={0, 1})
        console.print()
        print_pairs(console, [(one.kind, one.remedy) for one, _ in firsts])
    if not verdict.is_whole:
        print_line(console, "There were too many requests to keep: the oldest are not part of this.", "yellow")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"
