"""`runoutcome emulate`: the emulator on a port of this machine, until it is stopped."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ._errors import UserError
from ._render import print_command, print_json, print_line, stderr, stdout

if TYPE_CHECKING:
    from ..testing import Emulator

_EXTRA = ("starlette", "uvicorn")


def emulate(
    scenario: Annotated[
        str, typer.Option(help="What happens to the runs: happy, mixed, outage, quota, or a TOML file.")
    ] = "happy",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Draw the outcomes by this number, not by the scenario's.")] = None,
    speed: Annotated[float, typer.Option(help="Divides every duration: 10 is ten times as fast.")] = 1.0,
    state: Annotated[str | None, typer.Option(help="File that keeps the runs over a restart.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON once it listens.")] = False,
) -> None:
    """Serve an emulated API on 127.0.0.1, until Ctrl-C. No key, no cost."""

    def tell(base_url: str) -> None:
        if as_json:
            print_json({"base_url": base_url, "port": int(base_url.split(":")[2].split("/")[0]), "scenario": scenario})
        else:
            _print_address(base_url, scenario)

    with _extra_needed():
        from ..testing import serve
    serve(scenario, port=port, seed=seed, speed=speed, state_path=state, on_ready=tell)


@contextmanager
def started_emulator(scenario: str, state_path: str | os.PathLike[str] | None = None) -> Generator[Emulator]:
    """An emulator for the length of a command. Raises what `Emulator` raises, and UserError without its extra."""
    with _extra_needed():
        from ..testing import Emulator
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


def _print_address(base_url: str, scenario: str) -> None:
    console = stdout()
    print_line(console, f"Emulator on {base_url}, scenario {scenario}")
    print_command(console, f"export OPENAI_BASE_URL={base_url}")
    print_command(console, "export OPENAI_API_KEY=emulated")
    print_line(stderr(), "Ctrl-C stops it.")
