"""Public names live at public addresses: in `__module__`, in pickles, for readers of types and source."""

from __future__ import annotations

import inspect
import pickle
import pickletools
import subprocess
import sys
import typing
from typing import Any

import pytest

import runoutcome
from golden.make import values

CLASSES = [name for name in runoutcome.__all__ if isinstance(getattr(runoutcome, name), type)]
FUNCTIONS = [name for name in runoutcome.__all__ if inspect.isfunction(getattr(runoutcome, name))]


def addresses_in(pickled: bytes) -> set[str]:
    """The modules that a pickle names."""
    strings: list[str] = []
    modules: set[str] = set()
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL":
            modules.add(str(argument).split(" ")[0])
        elif opcode.name == "STACK_GLOBAL":
            modules.update(text for text in strings if text.startswith("runoutcome"))
        elif isinstance(argument, str):
            strings.append(argument)
    return modules


@pytest.mark.parametrize("name", [*CLASSES, *FUNCTIONS])
def test_a_public_name_says_that_it_is_public(name: str) -> None:
    """Its `__module__` is the package."""
    assert getattr(runoutcome, name).__module__ == "runoutcome"


@pytest.mark.parametrize("name", CLASSES)
def test_own_type_hints_resolve(name: str) -> None:
    """No annotation of a public class is a text that only its own module could read."""
    own = inspect.get_annotations(getattr(runoutcome, name))
    assert [field for field, hint in own.items() if isinstance(hint, str)] == []


@pytest.mark.parametrize(
    "name", [name for name in CLASSES if not name.startswith("Run") or name in ("Runs", "RunResult")]
)
def test_type_hints_of_a_class_resolve(name: str) -> None:
    """`typing.get_type_hints` reads it; of a class with a base in the SDK it cannot: the SDK's own are not readable."""
    typing.get_type_hints(getattr(runoutcome, name))


@pytest.mark.parametrize("name", list(values()))
@pytest.mark.parametrize("protocol", [3, pickle.HIGHEST_PROTOCOL])
def test_a_pickle_names_public_addresses(name: str, protocol: int) -> None:
    """What is inside may move between releases, and old pickles load."""
    addresses = addresses_in(pickle.dumps(values()[name], protocol))
    assert {address for address in addresses if address.startswith("runoutcome._")} == set()


def test_a_process_that_knows_private_rooms_only_pickles_the_same() -> None:
    """The address of a class does not depend on who asked for it first."""
    private = "from runoutcome._outcome.outcome import Outcome"
    public = "from runoutcome import Outcome"
    dumped: list[Any] = [
        subprocess.run(
            [sys.executable, "-c", f"{line}; import pickle; print(pickle.dumps(Outcome('unknown'), 4))"],
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for line in (private, public)
    ]
    assert dumped[0] == dumped[1] != b""
