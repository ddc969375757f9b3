"""What the README and the docs show is run here, so that it stays true."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import re
import subprocess
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from runoutcome.testing import Emulator

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCKS = {
    f"{page.relative_to(ROOT)}-{number}": block
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL), 1)
}
# The pages of packages that the tests do not install; `compat/tests` runs them.
ELSEWHERE = ("docs/openai-agents.md", "docs/pydantic-ai.md")
# What everybody reads runs on every SDK line; each page about one thing has tests of that thing beside it.
RUN = [
    pytest.param(name, marks=() if name.startswith("README") else pytest.mark.once)
    for name in BLOCKS
    if not name.startswith(ELSEWHERE)
]
PRELUDE = """
import openai
from runoutcome import Runs

client = openai.OpenAI()
runs = Runs(client)
make_run_and_wait = lambda prompt: runs.create_and_poll(model="gpt-5.5", input=prompt)
keep = later = stop = store = save_intent = drop_intent = save_token = print
load_token = lambda: None
"""
# Forked from one process that has imported the packages already.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["openai", "runoutcome", "runoutcome.testing"])
# Waits, so it is made only where it is used.
A_RUN = 'response_id = runs.create_and_poll(model="gpt-5.5", input="Hello", poll_interval_ms=10).id\n'


@pytest.mark.parametrize("name", BLOCKS)
def test_python_blocks_compile(name: str) -> None:
    """Every Python block of the README and the docs is syntax that this Python knows."""
    compile(BLOCKS[name], name, "exec")


@pytest.mark.parametrize("name", RUN)
def test_python_blocks_run(name: str) -> None:
    """Every Python block of the README and the docs runs against the emulator."""
    block = BLOCKS[name]
    if "tenacity" in block and importlib.util.find_spec("tenacity") is None:
        pytest.skip("tenacity is not installed here")
    source = PRELUDE + (A_RUN if "response_id" in block else "") + block
    with Emulator({"queued_seconds": 0, "running_seconds": 0.1}) as emulator:
        receiver, sender = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=run_block, args=(source, emulator.base_url, sender))
        process.start()
        sender.close()
        failure = receiver.recv() if receiver.poll(timeout=None) else None
        process.join()
    assert (process.exitcode, failure) == (0, None)


def run_block(source: str, base_url: str, sender: Connection) -> None:
    """Run a block in a process of its own, and send its traceback, or None."""
    os.environ.update(OPENAI_BASE_URL=base_url, OPENAI_API_KEY="any")
    try:
        exec(compile(source, "block", "exec"), {"__name__": "__main__"})
    except BaseException:  # noqa: BLE001 - whatever a block raises is a failure of the page
        sender.send(traceback.format_exc())
    else:
        sender.send(None)


def test_there_are_blocks_to_run() -> None:
    """The pattern that finds the blocks finds those of the README."""
    assert len(BLOCKS) >= 6


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of the project."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_is_short_and_says_it_is_unofficial() -> None:
    """The README has at most 100 lines, and the first says that this is an unofficial companion."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 100
    assert "unofficial companion" in lines[0]


def test_the_table_page_is_fresh() -> None:
    """`docs/catalog-table.md` is what `runoutcome catalog --format markdown` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "runoutcome", "catalog", "--format", "markdown"],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert (ROOT / "docs" / "catalog-table.md").read_text("utf-8") == done.stdout
