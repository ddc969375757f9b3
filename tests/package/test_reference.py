"""`docs/reference.md` names every public name, every argument, and every field of an outcome."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import runoutcome
from runoutcome import Outcome, Runs

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text("utf-8")
WORDS = {word for code in re.findall(r"`([^`]+)`", PAGE) for word in re.findall(r"\w+", code)}
FUNCTIONS = [name for name in runoutcome.__all__ if inspect.isfunction(getattr(runoutcome, name))]
METHODS = [name for name, member in inspect.getmembers(Runs, inspect.isfunction) if not name.startswith("_")]
CALLABLES = [
    *(pytest.param(getattr(runoutcome, name), id=name) for name in [*FUNCTIONS, "Runs"]),
    *(pytest.param(getattr(Runs, name), id=f"Runs.{name}") for name in METHODS),
]


@pytest.mark.parametrize(
    "module",
    [
        "runoutcome",
        "runoutcome.webhooks",
        "runoutcome.asgi",
        "runoutcome.batch",
        "runoutcome.gateway",
        "runoutcome.otel",
        "runoutcome.integrations.tenacity",
    ],
)
def test_public_names(module: str) -> None:
    """Every name in `__all__` is on the page."""
    assert set(import_module(module).__all__) - WORDS == set()


@pytest.mark.parametrize("function", CALLABLES)
def test_arguments(function: object) -> None:
    """The function is on the page, with each of its named arguments."""
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    names = {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}
    assert {function.__name__, *names} - {"self"} - WORDS == set()


def test_outcome() -> None:
    """Every field of an `Outcome` is on the page."""
    assert set(Outcome.__dataclass_fields__) - WORDS == set()
