"""What the package exports, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import runoutcome

EXPORTED = [
    "AUTO",
    "CATALOG_VERSION",
    "AsyncRunStream",
    "AsyncRuns",
    "Attempt",
    "Catalog",
    "CatalogError",
    "Entry",
    "Outcome",
    "OutputParseError",
    "PollingLostError",
    "ResubmitBudget",
    "ResubmitPolicy",
    "RunAuthenticationError",
    "RunBadRequestError",
    "RunCancelledError",
    "RunConflictError",
    "RunContentFilterError",
    "RunEmptyError",
    "RunError",
    "RunEvent",
    "RunExceptionGroup",
    "RunExpiredError",
    "RunFailedError",
    "RunGoneError",
    "RunIncompleteError",
    "RunInternalServerError",
    "RunNotFoundError",
    "RunPendingError",
    "RunPermissionDeniedError",
    "RunRateLimitError",
    "RunRefusedError",
    "RunResult",
    "RunStatusError",
    "RunStream",
    "RunUnknownError",
    "RunUnprocessableEntityError",
    "Runs",
    "SubmissionUnknownError",
    "WaitTimeoutError",
    "action_for",
    "classify",
    "error_for",
    "is_retryable",
    "raise_for_status",
    "retry_after",
    "strict_client",
]
HEAVY = {"openai", "httpx", "httpx2", "pydantic", "anyio", "asyncio"}


def loaded_after(code: str) -> set[str]:
    """The names of the modules that a fresh interpreter has imported after running `code`."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    # "import time:   self [us] | cumulative | imported package"
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_exported_names_are_pinned() -> None:
    """The public names are these, in the order of ruff's sorting: constants, classes, functions."""
    assert runoutcome.__all__ == EXPORTED
    kinds = [(not name.isupper(), not name[0].isupper(), name) for name in EXPORTED]
    assert kinds == sorted(kinds)


def test_every_name_has_a_home() -> None:
    """The lazy table holds exactly the exported names, sorted."""
    assert list(runoutcome._HOMES) == sorted(runoutcome.__all__)


@pytest.mark.parametrize("name", EXPORTED)
def test_every_name_can_be_imported(name: str) -> None:
    """Every exported name is there, and is the same object each time."""
    value = getattr(runoutcome, name)
    assert value is not None
    assert value is getattr(runoutcome, name)
    assert name in dir(runoutcome)


def test_import_star() -> None:
    """`from runoutcome import *` gives the exported names and no other."""
    names: dict[str, object] = {}
    exec("from runoutcome import *", names)
    assert set(names) - {"__builtins__"} == set(EXPORTED)


@pytest.mark.parametrize("name", ["no_such_name", "_HOMES2", "Run", "__wrapped__"])
def test_an_unknown_name(name: str) -> None:
    """Any other name is an AttributeError that says which."""
    with pytest.raises(AttributeError, match=f"module 'runoutcome' has no attribute '{name}'"):
        getattr(runoutcome, name)


def test_version_is_that_of_the_distribution() -> None:
    """`__version__` is the version of the installed distribution."""
    from importlib.metadata import version

    assert runoutcome.__version__ == version("runoutcome")


def test_importing_loads_nothing_heavy() -> None:
    """Importing the package imports no SDK, no HTTP library, and nothing else of its own."""
    loaded = loaded_after("import runoutcome")
    assert "runoutcome" in loaded
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    assert {name for name in loaded if name.startswith("runoutcome.")} == set()


@pytest.mark.parametrize(
    "code",
    [
        "runoutcome.classify({'status': 'failed', 'error': {'code': 'server_error'}})",
        "runoutcome.Catalog.load().find('server_error')",
        "runoutcome.Outcome('unknown').to_dict()",
        "runoutcome.ResubmitBudget().take(0.0)",
    ],
    ids=["classify", "catalog", "outcome", "budget"],
)
def test_classifying_loads_no_sdk(code: str) -> None:
    """The pure part of the package works without importing the SDK."""
    loaded = loaded_after(f"import runoutcome; {code}")
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers may use the package's own annotations."""
    assert Path(runoutcome.__file__).with_name("py.typed").exists()
