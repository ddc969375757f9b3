"""Runs the contract tests against real packages, each in its environment, and writes `docs/compat.md`.

`python compat/run.py` makes what `environments.toml` lists below `.venv-compat/` (what is up to date is left alone),
runs `compat/tests/` there, and exits nonzero if anything failed. Stdlib only (and `tomli` on Python 3.10).
"""
# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, STDOUT

from report import Check, read_checks, write_report

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
ROOT = HERE.parent
HOME = ROOT / ".venv-compat"
REPORT = ROOT / "docs" / "compat.md"
ALWAYS = ("pytest>=9",)
"""What the tests themselves need."""
MINUTES = 10
"""After this long the tests of one environment are ended."""


@dataclass(frozen=True)
class Environment:
    """One environment of `environments.toml`."""

    name: str
    packages: tuple[str, ...]
    tests: tuple[str, ...]
    python: str | None = None
    needs: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    ours: bool = True
    """runoutcome and pytest are installed in it too."""

    @property
    def interpreter(self) -> Path:
        """The Python of this environment."""
        return HOME / self.name / "bin" / "python"


def main(arguments: list[str] | None = None) -> int:
    """The command; the number of environments with a failure is its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", metavar="ENV", help="run this environment alone; writes no report")
    parser.add_argument("--jobs", type=int, default=2, help="how many environments are tested at a time")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the table goes")
    options = parser.parse_args(arguments)
    environments = load(HERE / "environments.toml")
    chosen = options.only or list(environments)
    unknown = sorted(set(chosen) - set(environments))
    if unknown:
        parser.error(f"no such environment: {', '.join(unknown)}; there are {', '.join(environments)}")
    for name in chosen:
        for needed in (*environments[name].needs, name):
            make(environments[needed])
    with ThreadPoolExecutor(options.jobs) as pool:
        results = dict(zip(chosen, pool.map(lambda name: run_tests(environments[name]), chosen), strict=True))
    failed = [name for name, (passed, _) in results.items() if not passed]
    if not options.only:
        write_report(options.report, [check for _, checks in results.values() for check in checks])
    print(f"compat: {len(chosen) - len(failed)} of {len(chosen)} environments passed", *failed)
    return len(failed)


def load(path: Path) -> dict[str, Environment]:
    """The environments of the file, by name."""
    file = tomllib.loads(path.read_text())
    environments = {}
    for name, fields in file["environments"].items():
        shared = file.get("groups", {}).get(fields.pop("group", None), {})
        lists = {key: (*shared.get(key, ()), *fields.pop(key, ())) for key in ("packages", "tests")}
        environments[name] = Environment(name, **lists, **fields)
    return environments


def make(environment: Environment) -> None:
    """Makes the environment anew, unless it was made with the same Python from the same requirements."""
    python = find_python(environment.python)
    requirements = [*ALWAYS, *environment.packages] if environment.ours else [*environment.packages]
    own = own_requirements() if environment.ours else []
    directory, stamp = HOME / environment.name, HOME / environment.name / ".made-from"
    wanted = "\n".join([python, *own, *requirements])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"compat: making {environment.name}", flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run([python, "-m", "venv", "--without-pip", directory], check=True)
    pip = [sys.executable, "-m", "pip", "--python", environment.interpreter, "--disable-pip-version-check", "-qq"]
    editable = ["-e", f"{ROOT}[testing]"] if environment.ours else []
    subprocess.run([*pip, "install", *editable, *requirements], check=True)
    stamp.write_text(wanted)


def own_requirements() -> list[str]:
    """What runoutcome itself brings into an environment; the rest of `pyproject.toml` makes no difference there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [project["requires-python"], *project["dependencies"], *project["optional-dependencies"]["testing"]]


def find_python(version: str | None) -> str:
    """An interpreter of this version, by its usual names; the running one where there is none, or no version."""
    if version is None:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (f"python{version}", *sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)):
        if shutil.which(candidate) and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return str(candidate)
    return sys.executable


def run_tests(environment: Environment) -> tuple[bool, list[Check]]:
    """Whether the tests of this environment passed, and what each of them found."""
    with tempfile.TemporaryDirectory() as directory:
        results = Path(directory) / "results.xml"
        command = [environment.interpreter, "-m", "pytest", "-c", HERE / "pytest.toml", f"--junitxml={results}"]
        command += [HERE / "tests" / name for name in environment.tests]
        variables = {**os.environ, **environment.variables}
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=variables,
                stdout=PIPE,
                stderr=STDOUT,
                text=True,
                timeout=60 * MINUTES,
                check=False,
            )
            passed, output = done.returncode == 0, done.stdout
        except subprocess.TimeoutExpired as error:
            passed, output = False, f"{error}\n"
        print(f"compat: tested in {environment.name}\n{output}", end="", flush=True)
        return passed, read_checks(results, environment.name) if results.exists() else []


if __name__ == "__main__":
    sys.exit(main())
