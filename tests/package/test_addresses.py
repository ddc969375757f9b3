"""Public names live at public addresses: in `__module__`, in pickles, for readers of types and source."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pickletools
import subprocess
import sys
import typing
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

import runoutcome
from golden.make import values
from runoutcome import contract, doctor, testing, webhooks
from runoutcome.batch import JobLine, JobReport, Progress, read_jobs

DOORS = ("asgi", "batch", "contract", "doctor", "pytest_plugin", "testing", "webhooks")
"""Public packages that stand beside the root, each with public names of its own."""

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


def door_names() -> Iterator[tuple[str, str]]:
    """Each door with each of its public classes and functions."""
    for door in DOORS:
        module = importlib.import_module(f"runoutcome.{door}")
        for name in getattr(module, "__all__", ("BackgroundApi",)):
            if isinstance(getattr(module, name), (type, FunctionType)):
                yield door, name


@pytest.mark.parametrize(("door", "name"), [*door_names()])
def test_a_name_of_a_door_says_which(door: str, name: str) -> None:
    """Its `__module__` is the public package, and the annotations of a class are readable from there."""
    value = getattr(importlib.import_module(f"runoutcome.{door}"), name)
    assert value.__module__ == f"runoutcome.{door}"
    if isinstance(value, type):
        typing.get_type_hints(value)
        assert [field for field, hint in inspect.get_annotations(value).items() if isinstance(hint, str)] == []


def door_values() -> dict[str, Any]:
    """A value of each class of a door that can be pickled, and a function of each door."""
    job = JobLine(1, "a", {"model": "m", "input": "x"})
    report = JobReport(job, "finished", runoutcome.classify({"status": "completed"}))
    change = contract.Change(contract.Severity.MINOR, "entry", "response/error.code/new", "added")
    made: list[Any] = [
        report,
        Progress(job, "ended", report),
        contract.Diff("1.0.0", "1.1.0", (change,)),
        contract.Finding("response", "status", "new", "value", "message", "fix"),
        contract.ContractError("message"),
        doctor.Finding("a.py", 1, "rule", "message", "fix"),
        doctor.SourceError("a.py", "reason"),
        webhooks.Receipt(webhooks.Notice("wh_1", None, "response.completed", "resp_1", None), True),
        *emulator_values(),
        contract.diff,
        doctor.RULES[0],
        doctor.check_source,
        read_jobs,
        testing.judge_client,
        webhooks.verify,
    ]
    return {f"{named(value).__module__}.{named(value).__qualname__}": value for value in made}


def named(value: Any) -> Any:
    """A function, or the class of any other value."""
    return value if isinstance(value, FunctionType) else type(value)


def emulator_values() -> list[Any]:
    """A value of each class of the emulator that can be pickled, with others inside."""
    script = testing.failed(
        "server_error", running_seconds=(1, 2), poll_faults=[{"status": 503, "headers": {"a": "b"}}]
    )
    run = testing.EmulatedRun("resp_1", 1.0, {"model": "m", "input": "x"}, script.name, script, 1)
    request = testing.RecordedRequest("GET", "/v1/responses/resp_1", 200, "resp_1", 2.0, route="poll", told="queued")
    rules = {"jobs": (testing.JobRule(("completed",)),), "faults": (testing.fault_on("poll", 503),)}
    return [
        testing.Scenario(outcomes=(script,), **rules),
        testing.parse_fault("html"),
        run,
        run.outcome,
        request,
        testing.judge_client([request], [run], 2.0),
        testing.judge_client([request], [run], 2.0).findings[0],
        testing.judge_client([request], [run], 2.0).runs[0],
        testing.Delivery("wh_1", "evt_1", "response.failed", "resp_1", 1, 1, 3.0, 3.0, 3, "secret", (), 200),
        testing.ScenarioError("scenario: seed: expected a whole number, got 'x'"),
        testing.EmulatorError("the emulator is running already"),
    ]


VALUES = {**values(), **door_values()}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("protocol", [3, pickle.HIGHEST_PROTOCOL])
def test_a_pickle_names_public_addresses(name: str, protocol: int) -> None:
    """What is inside may move between releases, and old pickles load."""
    addresses = addresses_in(pickle.dumps(VALUES[name], protocol))
    assert {address for address in addresses if "._" in address} == set()


@pytest.mark.parametrize("name", [*door_values()])
def test_a_value_of_a_door_survives_pickling(name: str) -> None:
    """It is equal afterwards, or an error with the same words."""
    value = VALUES[name]
    copy = pickle.loads(pickle.dumps(value))
    assert (type(copy), str(copy)) == (type(value), str(value))
    assert copy == value or isinstance(value, Exception)


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
