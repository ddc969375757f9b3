"""A thousand background runs under chaos: what reaches the caller through runoutcome, and through its peers.

Run with `python benchmarks/chaos.py`. Every client, a process of its own, is given the same jobs on the same server:
the emulator with its shipped scenario `chaos`, in which one poll in five is spoilt. What each says of each job is
held against the truth, which the emulator tells at its end. The peers are made by compat's machinery, each in an
environment without runoutcome, and used by their own public calls with their defaults. Everything is on loopback and
bounded in time. Prints a table; exits 1 unless every outcome of ours is right, with no run more than there are jobs,
no cancel, and nothing lost.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
# What drives and makes foreign clients is compat's, and no package.
sys.path[:0] = [str(HERE), str(ROOT / "compat")]

from drive import CLIENTS, TABLE, run_client, versions  # noqa: E402
from run import Environment, load, make, tomllib  # noqa: E402

from chaos_outcomes import Answer, Sums, count, run_of  # noqa: E402
from runoutcome.testing import DEFAULT_WEBHOOK_SECRET  # noqa: E402
from tables import table  # noqa: E402

JOBS, AT_ONCE, SPEED = 1000, 500, 0.1
QUICK_JOBS, QUICK_SPEED = 150, 0.5
SECONDS = 300
STOP_SECONDS = 60
HEADING = "## Chaos"
NOT_MEASURED = " They were left out of this measurement."
TEXT = """\
*Right*: the caller got the true result: the whole text; or the failure, by code, message or status; or that the run is
incomplete or cancelled. *Lost*: the run completed, or would have completed if its client had not cancelled it, but its
text did not reach the caller. *Wrong*: the caller got a success for a run without one, or an error about something
else, such as a failed poll. *Half texts* are a part of these: an incomplete run as if it were whole. *No answer*:
nothing within {seconds} seconds. *Paid creates* are POSTs that created a run, *cancels* are cancels that were sent.

Each client is its own process, with its own server: the emulator with its shipped scenario `chaos` at speed {speed:g}.
It gets {jobs:,} jobs, {at_once} at the same time (with webhooks all of them). The nth job ends the same way for every
client. Most jobs complete. One in five fails, is incomplete, or is cancelled by the server. If its failure may pass (a
server error, a rate limit, a null error, a cancel), a second run completes.

{shares} of the polls had one of 22 faults, all equally likely: 5xx, 408, 409 and 429 (with and without `Retry-After`),
pages of gateways, pages with 200, JSON that is cut, empty, `{{}}` or of another type, a redirect, broken compression, a
reset at once, late or within the body. Faults come singly and at random. Three in a row are rare; that is one more than
the SDK's own retries survive. But the SDK does not retry a fault with 200. One create in fifty is refused without a
run. Every create that made a run is answered. {ways}

Which run gets which fault depends on the order of the requests, so numbers differ a little between measurements. The
seconds depend on the machine, and on each client's own delays. The peers are the newest versions of their registry,
without runoutcome, used by their own documented calls with defaults.{installed} In fairness: real servers have fewer
faults; pydantic-ai keeps the reason of a half text in `finish_reason`; and the error of autobatcher names its run, so
that a person can fetch the lost result. Written by `benchmarks/chaos.py`."""
WEBHOOKS = """\
A fifth of the webhooks is lost. The others come twice, late, out of order, forged, or with a cut body. A lost one costs
its job a minute: then a wait with an inbox polls for the first time."""
STREAMS = """\
One stream in five is cut, ends without a last event, falls silent, repeats an event or skips one, when it is opened and
again when it is resumed."""
HEAD = (
    "client",
    "right",
    "paid creates",
    "lost results",
    "wrong outcomes",
    "half texts among them",
    "no answer",
    "cancels",
    "polls",
    "of them spoilt",
    "seconds",
)


@dataclass(frozen=True)
class Client:
    """One client of `chaos.toml`."""

    name: str
    package: str
    script: str
    about: str
    way: str | None = None
    environment: str | None = None
    webhooks: bool = False
    at_once: int | None = None

    @property
    def is_ours(self) -> bool:
        """It must not fail."""
        return self.environment is None


@dataclass(frozen=True)
class Conditions:
    """What is the same for every client; `seconds` is the time that each has."""

    jobs: int = JOBS
    at_once: int = AT_ONCE
    speed: float = SPEED
    seconds: int = SECONDS

    @property
    def prompts(self) -> list[str]:
        """What the scripts in `compat/clients` ask for."""
        return [f"Write report {number} about otters in space." for number in range(1, self.jobs + 1)]


@dataclass(frozen=True)
class Result:
    """What one client made of it."""

    client: Client
    version: str
    sums: Sums
    totals: dict[str, Any]
    seconds: float
    returned: bool
    errors: str

    @property
    def is_perfect(self) -> bool:
        """Every outcome right, and nothing paid, cancelled or lost beside it."""
        sums = self.sums
        is_right = sums.right == sums.jobs and sums.codes_told == sums.codes
        return is_right and sums.extra == sums.lost == 0 and self.totals["cancels"] == 0

    @property
    def spoilt(self) -> float:
        """The share of its polls that met a fault."""
        return self.totals["spoilt"] / max(1, self.totals["polls"])

    @property
    def row(self) -> list[str]:
        """Its row of the table."""
        sums, totals = self.sums, self.totals
        spoilt = f"{self.spoilt:.0%}" if totals["polls"] else "-"
        paid = f"{sums.paid:,}" + (f" (+{sums.extra})" if sums.extra > 0 else "")
        numbers = [f"{sums.right:,}", paid, str(sums.lost), str(sums.wrong), str(sums.halves), str(sums.silent)]
        numbers += [str(totals["cancels"]), f"{totals['polls']:,}", spoilt]
        return [self.client.name, *numbers, f"{self.seconds:.0f}" if self.returned else "ended"]


def main(arguments: list[str] | None = None) -> int:
    """The command; 1 if one of ours is not perfect."""
    clients = read_clients()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_JOBS} jobs, on a faster server")
    parser.add_argument("--only", action="append", choices=list(clients), help="this client alone")
    parser.add_argument("--no-peers", action="store_true", help="ours alone; nothing is installed")
    parser.add_argument("--jobs", type=int, help=f"how many jobs each client is given ({JOBS})")
    parser.add_argument("--speed", type=float, help=f"of the emulator ({SPEED:g}: ten times as slow)")
    parser.add_argument("--at-once", type=int, help=f"how many jobs are under way at once ({AT_ONCE})")
    parser.add_argument("--keep", type=Path, help="where to write the answers and the truth, as JSON")
    options = parser.parse_args(arguments)
    usual = conditions_for(options.quick)
    conditions = Conditions(
        options.jobs or usual.jobs, options.at_once or usual.at_once, options.speed or usual.speed, usual.seconds
    )
    chosen = [clients[name] for name in options.only or clients]
    chosen = [client for client in chosen if client.is_ours or not options.no_peers]
    results = [measure(client, conditions, options.keep) for client in chosen]
    print(page(conditions, results, peers=not options.no_peers))
    return int(any(result.client.is_ours and not result.is_perfect for result in results))


def section(quick: bool) -> str:
    """The table and how it was measured, as Markdown; a quick one has no peers.

    Raises RuntimeError if one of ours is not perfect.
    """
    peers = not quick
    conditions = conditions_for(quick)
    chosen = [client for client in read_clients().values() if client.is_ours or peers]
    results = [measure(client, conditions) for client in chosen]
    text = page(conditions, results, peers=peers)
    if failed := [result.client.name for result in results if result.client.is_ours and not result.is_perfect]:
        raise RuntimeError(f"not every run of {', '.join(failed)} came out right:\n\n{text}")
    return text


def conditions_for(quick: bool) -> Conditions:
    """The usual ones, or fewer and shorter runs."""
    return Conditions(QUICK_JOBS, QUICK_JOBS, QUICK_SPEED) if quick else Conditions()


def read_clients() -> dict[str, Client]:
    """Those of `chaos.toml`, by name."""
    found = tomllib.loads((HERE / "chaos.toml").read_text())["clients"]
    return {name: Client(name, **fields) for name, fields in found.items()}


def measure(client: Client, conditions: Conditions, keep: Path | None = None) -> Result:
    """Lets one client loose on a server of its own."""
    python, variables = Path(sys.executable), {}
    if client.environment is not None:
        environment = environment_of(client.environment)
        python, variables = environment.interpreter, dict(environment.variables)
    version = versions(python, client.package)
    at_once = min(client.at_once or conditions.at_once, conditions.jobs)
    command = [python, CLIENTS / client.script, str(conditions.jobs), str(at_once)]
    command += [client.way] if client.way else []
    port = free_port() if client.webhooks else None
    if port is not None:
        variables |= {"WEBHOOK_PORT": str(port), "OPENAI_WEBHOOK_SECRET": DEFAULT_WEBHOOK_SECRET}
    with server(conditions, port) as (base_url, truth):
        started = os.times().elapsed
        code, output, errors = run_client(command, base_url, conditions.seconds, variables)
        seconds = os.times().elapsed - started
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"prompt"')]
    answers = {line["prompt"]: Answer(line["status"], line["text"]) for line in lines}
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        kept = {"answers": lines, "truth": truth, "errors": errors[-20_000:]}
        (keep / f"{client.name}.json").write_text(json.dumps(kept, indent=1))
    sums = count(conditions.prompts, answers, map(run_of, truth["runs"]))
    result = Result(client, version, sums, truth["totals"], seconds, code is not None, errors)
    print("| " + " | ".join(result.row) + " |", file=sys.stderr, flush=True)
    return result


def environment_of(name: str) -> Environment:
    """One of compat's environments for clients, ready for use."""
    environment = load(TABLE)[name]
    make(environment)
    return environment


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def server(conditions: Conditions, webhook_port: int | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The base URL of an emulator; when it has stopped, the truth is in the dictionary."""
    truth: dict[str, Any] = {}
    command = [sys.executable, HERE / "chaos_server.py", str(conditions.speed), str(conditions.jobs)]
    command += [f"http://127.0.0.1:{webhook_port}/"] if webhook_port is not None else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["base_url"], truth
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=STOP_SECONDS)
            truth.update(json.loads(output))
        finally:
            process.kill()


def page(conditions: Conditions, results: Sequence[Result], *, peers: bool) -> str:
    """What was measured, as Markdown."""
    whom = [wrapped(f"- *{one.client.name}*: {one.version}; {one.client.about}.", "  ") for one in results]
    ways = {result.client.way for result in results}
    said = [text for way, text in (("streams", STREAMS), ("webhooks", WEBHOOKS)) if way in ways]
    facts = {**vars(conditions), "shares": polls_spoilt(results), "ways": " ".join(said)}
    text = TEXT.format(**facts, installed="" if peers else NOT_MEASURED)
    rows = table(HEAD, [result.row for result in results])
    return "\n\n".join([HEADING, rows, *map(wrapped, text.split("\n\n")), "\n".join(whom)])


def wrapped(text: str, indent: str = "") -> str:
    """One paragraph, in lines."""
    return fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def polls_spoilt(results: Sequence[Result]) -> str:
    """The share of all polls that met a fault."""
    spoilt, polls = (sum(result.totals[key] for result in results) for key in ("spoilt", "polls"))
    return f"{spoilt / max(1, polls):.0%}"


if __name__ == "__main__":
    sys.exit(main())
