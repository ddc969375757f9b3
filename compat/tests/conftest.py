"""Puts on each result what the report says about it: the package, the versions, and the behaviour in one sentence."""

from __future__ import annotations

import platform
from importlib.metadata import version
from types import ModuleType

import pytest


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """The first paragraph of a test's docstring is the behaviour; its module names the package."""
    for item in items:
        facts = {
            "package": item.module.PACKAGE,
            "version": version_of(item.module),
            "openai": version("openai"),
            "python": platform.python_version(),
            "behaviour": " ".join((item.function.__doc__ or item.originalname).partition("\n\n")[0].split()),
        }
        item.user_properties += facts.items()


def version_of(module: ModuleType) -> str:
    """The version of the module's `PACKAGE`, with those of the packages `WITH` it."""
    if module.PACKAGE == "Python standard library":
        return platform.python_version()
    others = [f"{name} {version(name)}" for name in getattr(module, "WITH", ())]
    return version(module.PACKAGE) + (f" ({', '.join(others)})" if others else "")
