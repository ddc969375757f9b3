"""Measures frameworks as they are and with our model on the emulator, and writes `docs/frameworks.md`.

`python compat/frameworks.py` makes the environments of `clients/frameworks.toml` and drives each client as
`compat/drive.py` does; then it kills each in the middle, and starts it again. Stdlib only (and `tomli` on Python 3.10).
"""
# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from drive import CLIENTS, Client, drive, emulator, run_client, versions
from run import ROOT, Environment, load, make, tomllib
from verdicts import Conditions, Drive

from report import table

REPORT = ROOT / "docs" / "frameworks.md"
TABLE = CLIENTS / "frameworks.toml"
SCENARIOS = {
    "mixed": "A day in production: most runs complete, the others end in every usual way.",
    "quota": "Every run is accepted, and fails: the account has no credit left.",
    "outage": "Every run completes, but its polls meet a server in trouble first.",
    "flaky-proxy": "Every run completes, behind a proxy that spoils one answer in six.",
}
WRONG_CREATES = ("duplicate_run", "blind_resend", "resubmitted_final")
KILL_SPEED, KILL_SECONDS = 0.02, 15
"""Runs take 25 seconds at this speed; after this long the client is killed."""
HEAD = """\
# Frameworks, before and after

What agents of two frameworks do with background runs when things go wrong: as the framework is, and with the model of
[openai-agents](openai-agents.md) and [pydantic-ai](pydantic-ai.md) that comes with runoutcome. `make frameworks`
measures it and writes this page. Each client is given {jobs} different jobs at once, in an environment of its own, on
`runoutcome emulate --scenario NAME --speed {speed:g} --verdict`, and {seconds} seconds. The [verdict](verdict.md)
counts what was paid for. The scripts are in `compat/clients/`.

To be fair: openai-agents has no background mode; by default its turns hold a connection open, and there is nothing to
poll. Asked for a background run, it returns while the run is going, so none of its runs may have completed. pydantic-ai
can end a run at a pending response (`PendingModelResponse`) and resume it from the stored history, so a program that is
written for that pays once after a kill. Neither is set to submit failed runs again here. Outcomes and faults are drawn
by seed in the order of the requests, so some numbers differ by a few from one measurement to the next.

"""
ROWS: dict[str, Callable[[Drive], object]] = {
    "paid runs": lambda drive: drive.paid_runs,
    "whole answers, of completed jobs": lambda drive: f"{drive.whole_answers} of {drive.completed_jobs}",
    "nothing or half a text, taken for an answer": lambda drive: drive.mistaken,
    "told that they did not complete": lambda drive: drive.told,
    "of these, with a code, reason or status": lambda drive: _told_with(drive, "is_typed"),
    "of these, with the id of the run": lambda drive: _told_with(drive, "has_run"),
    "wrong creates: blind, double, or after a final failure": lambda drive: _found(drive, WRONG_CREATES),
    "healthy runs cancelled because polls failed": lambda drive: _found(drive, ("cancelled_after_fault",)),
    "errors in the verdict": lambda drive: sum(one["severity"] == "error" for one in drive.verdict["findings"]),
}


def main(arguments: list[str] | None = None) -> int:
    """The command. Findings are what it looks for: they are no failure."""
    clients = [Client(name, **fields) for name, fields in tomllib.loads(TABLE.read_text())["clients"].items()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40, help="how many jobs each client is given (40)")
    parser.add_argument("--speed", type=float, default=0.25, help="of the emulator (0.25: four times as slow)")
    parser.add_argument("--seconds", type=int, default=240, help="after this long a client is ended (240)")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the tables go")
    options = parser.parse_args(arguments)
    conditions = Conditions(options.runs, options.speed, options.seconds)
    environments = load(TABLE)
    for client in clients:
        make(environments[client.environment or ""])
    drives: dict[tuple[str, str], Drive] = {}
    for client, scenario in product(clients, SCENARIOS):
        drives[client.name, scenario] = driven = drive(
            client, scenario, environments[client.environment or ""], conditions
        )
        print(f"{client.name} on {scenario}: {driven.sentence()} {driven.findings()}", flush=True)
    paid = [paid_after_a_kill(client, environments[client.environment or ""], conditions) for client in clients]
    options.report.write_text(page(clients, environments, conditions, drives, paid))
    return 0


def paid_after_a_kill(client: Client, environment: Environment, conditions: Conditions) -> int:
    """How many runs are paid for if the client is killed while all its runs are going, and started again."""
    command = [environment.interpreter, CLIENTS / client.script, str(conditions.jobs)]
    with tempfile.TemporaryDirectory() as directory:
        variables = {"TOKENS": str(Path(directory, "tokens.jsonl"))}
        with emulator("happy", KILL_SPEED) as (base_url, verdict):
            for seconds in (KILL_SECONDS, conditions.seconds):
                run_client(command, base_url, seconds, variables)
    paid = sum(run["status"] is not None for run in verdict["runs"])
    print(f"{client.name}, killed and started again: {paid} paid runs", flush=True)
    return paid


def page(
    clients: Sequence[Client],
    environments: dict[str, Environment],
    conditions: Conditions,
    drives: dict[tuple[str, str], Drive],
    paid: Sequence[int],
) -> str:
    """The page: the clients and their versions, and a table for each scenario."""
    ours = versions(Path(sys.executable), "runoutcome").partition(",")[0]
    about = [
        [client.name, client.way, versions(environments[client.environment or ""].interpreter, client.package)]
        for client in clients
    ]
    sections = [HEAD.format(**vars(conditions)), table(["client", "how", f"versions ({ours})"], about)]
    names = [client.name for client in clients]
    for scenario, text in SCENARIOS.items():
        rows = [[what, *(str(count(drives[name, scenario])) for name in names)] for what, count in ROWS.items()]
        sections.append(f"\n## {scenario}\n\n{text}\n\n" + table([f"{conditions.jobs} jobs", *names], rows))
    sections.append(
        "\n## Killed, and started again\n\n"
        f"Every run completes after 25 seconds; the process is killed after {KILL_SECONDS}, and the same command is "
        "started again.\n\n" + table([f"{conditions.jobs} jobs", *names], [["paid runs", *map(str, paid)]])
    )
    return "".join(sections)


def _told_with(drive: Drive, fact: str) -> str:
    told = [answer for answer in drive.answers if answer["status"] != "completed"]
    return f"{sum(bool(answer.get(fact)) for answer in told)} of {len(told)}"


def _found(drive: Drive, kinds: Sequence[str]) -> int:
    return sum(found["kind"] in kinds for found in drive.verdict["findings"])


if __name__ == "__main__":
    sys.exit(main())
