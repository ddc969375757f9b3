"""Runs the benchmarks, one after the other, and writes what they found to `RESULTS.md`.

    python benchmarks/results.py                    all of them, and RESULTS.md
    python benchmarks/results.py polling chaos      some of them; shown, not written
    python benchmarks/results.py --quick            a smoke test; shown, not written

Each benchmark is a module beside this one with `section(quick)`, which gives Markdown. It runs in a process of its own,
so that none inherits another's memory, caches or CPU affinity. One that cannot run here says so in its section; one
that raises fails the whole: what does not hold is not published.
"""

from __future__ import annotations

import datetime
import importlib
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
SECTIONS = ("polling", "many", "detection", "simulation", "chaos", "dispatch", "middleware")
"""The modules, in the order of their sections."""
PACKAGES = ("runoutcome", "openai", "httpx", "httpx2", "anyio", "pydantic", "uvloop", "aiohttp", "uvicorn")
"""Whose versions matter to the numbers, where they are installed."""

Run = Callable[[str, bool], str]


def compose(names: Sequence[str], quick: bool, run: Run, tell: Callable[[str], object] = print) -> str:
    """The document with the sections of these benchmarks. Raises what one of them raises."""
    sections = list[str]()
    for name in names:
        started = time.monotonic()
        sections.append(run(name, quick).strip())
        tell(f"{sections[-1]}\n\n({name}: {time.monotonic() - started:.0f} s)\n")
    return "\n\n".join(["# Measurements", described(datetime.date.today()), *sections]) + "\n"


def run_apart(name: str, quick: bool) -> str:
    """The section of one benchmark, made in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(run_here, name, quick).result()


def run_here(name: str, quick: bool) -> str:
    """The section of one benchmark."""
    text: str = importlib.import_module(name).section(quick)
    return text


def described(date: datetime.date) -> str:
    """What the numbers were measured with: machine, interpreter, packages. It names neither host nor user."""
    cores = f"{os.cpu_count()} CPUs ({cpu_model()})"
    system = f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"Measured on {date.isoformat()} in one run of `make bench`, on {cores}, {system}, with {python}, "
        f"{', '.join(f'{name} {found}' for name, found in versions(PACKAGES))}. Subjects that are compared were "
        "measured side by side. On another machine, expect the same ratios and other times. Written by "
        "`benchmarks/results.py`."
    )


def cpu_model() -> str:
    """The name the processor has for itself."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "of a kind that is not told"


def versions(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    """The packages that are installed, with their versions."""
    for name in packages:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; gives the exit code."""
    quick = "--quick" in arguments
    names = [argument for argument in arguments if not argument.startswith("-")]
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown or set(arguments) - {*names, "--quick"}:
        print(f"usage: results.py [--quick] [{' | '.join(SECTIONS)}]...", file=sys.stderr)
        return 2
    document = compose([name for name in SECTIONS if not names or name in names], quick, run_apart)
    if not names and not quick:
        RESULTS.write_text(document, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
