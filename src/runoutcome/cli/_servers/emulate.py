"""`runoutcome emulate`: the emulator on a port of this machine, until it is stopped; then what its client did wrong."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from .._errors import Exit, UserError, exit_codes
from .._output.console import print_command, print_json, print_line, print_pairs, stderr, stdout
from .verdict import print_verdict

if TYPE_CHECKING:
    from ...testing import Emulator

EXIT_CODES = exit_codes(
    Exit.DONE, Exit.USAGE, done="stopped by Ctrl-C or SIGTERM; with --verdict: 0 no finding, 1 findings"
)
_EXTRA = ("starlette", "uvicorn")
_KEY = "emulated"


def emulate(
    scenario: Annotated[
        str, typer.Option(help="What happens to the runs: a name of --list, or a TOML file.")
    ] = "happy",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Draw the outcomes by this number, not by the scenario's.")] = None,
    speed: Annotated[float, typer.Option(help="Divides every duration: 10 is ten times as fast.")] = 1.0,
    state: Annotated[str | None, typer.Option(help="File that keeps the runs over a restart.")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Where to send webhooks: an http URL on 127.0.0.1.")] = None,
    webhook_secret: Annotated[str | None, typer.Option(help="What signs the webhooks: whsec_...")] = None,
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
    found: list[Emulator] = []

    def tell(base_url: str) -> None:
        if as_json:
            told = {"base_url": base_url, "port": int(base_url.split(":")[2].split("/")[0]), "scenario": scenario}
            told |= {"api_key": _KEY, "status_url": _page_of(base_url)}
            print_json({**told, "webhook_secret": signed_by} if webhook_url else told)
        else:
            _print_address(base_url, scenario, signed_by if webhook_url else None)

    with _extra_needed():
        from ...testing import DEFAULT_WEBHOOK_SECRET, serve
    signed_by = webhook_secret or DEFAULT_WEBHOOK_SECRET
    serve(
        scenario,
        port=port,
        seed=seed,
        speed=speed,
        state_path=state,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        on_ready=tell,
        on_stop=found.append,
    )
    if verdict:
        judged = found[0].verdict()
        if as_json:
            print_json(judged.to_dict())
        else:
            print_verdict(stdout(), judged)
        if not judged.ok:
            raise typer.Exit(Exit.ENDED_BADLY)


@contextmanager
def started_emulator(scenario: str, state_path: str | os.PathLike[str] | None = None) -> Generator[Emulator]:
    """An emulator for the length of a command. Raises what `Emulator` raises, and UserError without its extra."""
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

    described = {name: load_scenario(name).description for name in scenario_names()}
    if as_json:
        print_json(described)
    else:
        print_pairs(stdout(), described.items())


def _page_of(base_url: str) -> str:
    return base_url.removesuffix("v1")


def _print_address(base_url: str, scenario: str, webhook_secret: str | None) -> None:
    console = stdout()
    print_line(console, f"Emulator on {base_url}, scenario {scenario}")
    print_command(console, f"export OPENAI_BASE_URL={base_url}")
    print_command(console, f"export OPENAI_API_KEY={_KEY}")
    if webhook_secret is not None:
        print_command(console, f"export OPENAI_WEBHOOK_SECRET={webhook_secret}")
    print_line(stderr(), f"Runs and requests, live: {_page_of(base_url)}")
    print_line(stderr(), "Ctrl-C stops it.")
