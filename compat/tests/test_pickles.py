"""Pickled with one line of the SDK, loaded with another: nine ways, every class, protocols 2 to 5."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openai
import pytest
from facts import CLASSES, PROTOCOLS

import runoutcome
from errors import leaked

PACKAGE = "Python standard library"
HERE = Path(__file__).parent
LINES = ("openai1", "openai2", "openai3")
MAX_PICKLE_BYTES = 2048
# The classes whose names do not say which class of the SDK they are.
ALSO = {
    "RunError": "OpenAIError",
    "RunFailedError": "APIError",
    "RunUnknownError": "APIError",
    "RunStatusError": "APIStatusError",
    "RunContentFilterError": "ContentFilterFinishReasonError",
    "RunGoneError": "NotFoundError",
}
Facts = Mapping[str, Mapping[str, Any]]


def run_in(line: str, verb: str, directory: Path) -> Any:
    """What `facts.py` prints in the environment of this line."""
    python = Path(sys.prefix).with_name(line) / "bin" / "python"
    command = [python, HERE / "facts.py", verb, directory]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=120, check=True).stdout)


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all lines keep their pickles."""
    return tmp_path_factory.mktemp("pickles")


@pytest.fixture(scope="session")
def written(directory: Path) -> Mapping[str, Facts]:
    """The facts of what each line pickled."""
    facts = {}
    for line in LINES:
        (directory / line).mkdir()
        facts[line] = run_in(line, "write", directory / line)
    return facts


@pytest.fixture(scope="session")
def loaded(directory: Path, written: Mapping[str, Facts]) -> Mapping[str, Mapping[str, Facts]]:
    """The facts of what each line loaded, from each line."""
    return {reader: run_in(reader, "read", directory) for reader in written}


@pytest.mark.parametrize("reader", LINES)
@pytest.mark.parametrize("writer", LINES)
def test_every_error_survives(
    written: Mapping[str, Facts], loaded: Mapping[str, Mapping[str, Facts]], writer: str, reader: str
) -> None:
    """Every class, pickled with one SDK line (1.109, 2.x, 3.x) by protocols 2 to 5 and loaded with another, is the
    same class, an instance of the same classes of that line's `openai`, with the same text, fields and headers.
    """
    expected = {f"{name}.{protocol}": facts for name, facts in written[writer].items() for protocol in PROTOCOLS}
    assert loaded[reader][writer] == expected


@pytest.mark.parametrize("line", LINES)
def test_every_class_of_the_tree_is_among_them(written: Mapping[str, Facts], line: str) -> None:
    """The errors that travel are all the exception classes of the package, each an instance of its SDK class."""
    facts = {each["class"]: set(each["isinstance"]) for each in written[line].values()}
    public = {name: getattr(runoutcome, name) for name in runoutcome.__all__}
    tree = {name for name, cls in public.items() if isinstance(cls, type) and issubclass(cls, openai.OpenAIError)}
    assert set(facts) == {f"runoutcome.{name}" for name in tree}
    for path, instances in facts.items():
        name = path.removeprefix("runoutcome.")
        sdk_name = f"openai.{ALSO.get(name) or name.removeprefix('Run')}"
        assert (sdk_name if sdk_name in CLASSES else "openai.OpenAIError") in instances
    assert "TimeoutError" in facts["runoutcome.WaitTimeoutError"]


def test_pickles_are_small_and_hold_no_secret(directory: Path, written: Mapping[str, Facts]) -> None:
    """A pickle weighs at most 2 KB, and holds no key, prompt or output."""
    pickles = [path.read_bytes() for path in directory.glob("*/*.pickle")]
    assert len(pickles) == sum(len(facts) for facts in written.values()) * len(PROTOCOLS)
    assert max(map(len, pickles)) <= MAX_PICKLE_BYTES
    assert [secret for data in pickles for secret in leaked(data)] == []
