"""A module whose package is missing says which extra brings it."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

MODULES = {
    "openai_agents": ("agents", "openai-agents"),
    "pydantic_ai": ("pydantic_ai", "pydantic-ai"),
    "tenacity": ("tenacity", "tenacity"),
}


@pytest.mark.parametrize("module", MODULES)
def test_the_message_names_the_extra(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package, the import raises ImportError with the command that installs it."""
    package, extra = MODULES[module]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"runoutcome.integrations.{module}", raising=False)
    with pytest.raises(ImportError, match=rf'pip install "runoutcome\[{extra}\]"'):
        import_module(f"runoutcome.integrations.{module}")
