"""`runoutcome gateway`: a reverse proxy in front of the API, for clients in any language, until it is stopped."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from ..._host_check import is_loopback
from .._catalog.overlays import catalog_in_use
from .._errors import Exit, UserError, exit_codes
from .._output.console import print_command, print_json, print_line, stderr, stdout

EXIT_CODES = exit_codes(Exit.DONE, Exit.USAGE, done="stopped by Ctrl-C or SIGTERM")
_ANY_ADDRESS = ("0.0.0.0", "::")


def gateway(
    upstream: Annotated[str, typer.Option(help="Base URL of the API, such as https://api.openai.com/v1.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Answer to this name in Host too, such as a container's; may be repeated.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds without a byte from the API, after which a request fails.")
    ] = 900.0,
    strict: Annotated[
        bool, typer.Option(help="Answer polls of failed and incomplete runs with an HTTP error.")
    ] = False,
    record: Annotated[
        str | None, typer.Option(help="New file for what passes, without keys: for emulate --replay.")
    ] = None,
    record_content: Annotated[bool, typer.Option(help="Record prompts and outputs too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON once it listens.")] = False,
) -> None:
    """Serve a proxy of the API that says what failures mean."""
    if record_content and record is None:
        raise UserError("--record-content needs --record FILE")
    with _user_errors():
        from ...gateway import Gateway, serve

        names = [*(allow_host or ()), *(() if host in _ANY_ADDRESS or is_loopback(host) else (host,))]
        app = Gateway(
            upstream,
            strict=strict,
            catalog=catalog_in_use(),
            record=record,
            record_content=record_content,
            silence_seconds=timeout,
            allowed_hosts=names,
            report=_report,
        )
        logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())  # the gateway reports by itself

        def on_ready(base_url: str) -> None:
            if as_json:
                print_json({"base_url": base_url, "port": _port_of(base_url), "upstream": app.upstream})
            else:
                _print_address(base_url, app.upstream)
            if not is_loopback(host):
                _warn_of_reach(names)

        serve(app, host=host, port=port, on_ready=on_ready)


@contextmanager
def _user_errors() -> Generator[None]:
    try:
        yield
    except ImportError as error:
        if getattr(error.__cause__, "name", None) != "uvicorn":
            raise
        raise UserError('the gateway needs its extra: pip install "runoutcome[gateway]"') from None
    except Exception as error:
        from ...gateway import GatewayError

        if isinstance(error, GatewayError):
            raise UserError(str(error)) from None
        raise


def _port_of(base_url: str) -> int:
    return int(base_url.partition("://")[2].partition("/")[0].rpartition(":")[2])


def _print_address(base_url: str, upstream: str) -> None:
    console = stdout()
    print_line(console, f"Gateway on {base_url}, upstream {upstream}")
    print_command(console, f"export OPENAI_BASE_URL={base_url}")
    print_line(stderr(), "Ctrl-C stops it.")


def _warn_of_reach(names: list[str]) -> None:
    text = "Other machines can reach the gateway and send requests to the upstream, with keys of their own."
    answered = f"if they call it {' or '.join(names)}" if names else "once --allow-host says how they call it"
    print_line(stderr(), f"{text} They are answered {answered}.", "yellow")


def _report(line: str) -> None:
    print_line(stderr(), line)
