"""Typed exceptions, retry advice and careful waiting for OpenAI background runs. Unofficial.

Importing this package imports neither `openai` nor an HTTP library; a name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._attempts import Attempt as Attempt
    from ._catalog import CATALOG_VERSION as CATALOG_VERSION, Catalog as Catalog
    from ._classify import classify as classify
    from ._dispatch import (
        error_for as error_for,
        is_retryable as is_retryable,
        raise_for_status as raise_for_status,
        retry_after as retry_after,
    )
    from ._exception_bases import RunError as RunError
    from ._exceptions import (
        OutputParseError as OutputParseError,
        PollingLostError as PollingLostError,
        RunAuthenticationError as RunAuthenticationError,
        RunBadRequestError as RunBadRequestError,
        RunCancelledError as RunCancelledError,
        RunConflictError as RunConflictError,
        RunContentFilterError as RunContentFilterError,
        RunExpiredError as RunExpiredError,
        RunFailedError as RunFailedError,
        RunGoneError as RunGoneError,
        RunIncompleteError as RunIncompleteError,
        RunInternalServerError as RunInternalServerError,
        RunNotFoundError as RunNotFoundError,
        RunPendingError as RunPendingError,
        RunPermissionDeniedError as RunPermissionDeniedError,
        RunRateLimitError as RunRateLimitError,
        RunStatusError as RunStatusError,
        RunUnknownError as RunUnknownError,
        RunUnprocessableEntityError as RunUnprocessableEntityError,
        SubmissionUnknownError as SubmissionUnknownError,
        WaitTimeoutError as WaitTimeoutError,
    )
    from ._model import Entry as Entry, Outcome as Outcome
    from ._overlay import CatalogError as CatalogError
    from ._resubmit import ResubmitBudget as ResubmitBudget, ResubmitPolicy as ResubmitPolicy
    from ._run_result import RunExceptionGroup as RunExceptionGroup, RunResult as RunResult
    from ._run_stream import AsyncRunStream as AsyncRunStream, RunStream as RunStream
    from ._runs import AsyncRuns as AsyncRuns, Runs as Runs
    from ._runs_base import AUTO as AUTO

__version__ = "0.1.0"

_HOMES = {
    "AUTO": "_runs_base",
    "AsyncRunStream": "_run_stream",
    "AsyncRuns": "_runs",
    "Attempt": "_attempts",
    "CATALOG_VERSION": "_catalog",
    "Catalog": "_catalog",
    "CatalogError": "_overlay",
    "Entry": "_model",
    "Outcome": "_model",
    "OutputParseError": "_exceptions",
    "PollingLostError": "_exceptions",
    "ResubmitBudget": "_resubmit",
    "ResubmitPolicy": "_resubmit",
    "RunAuthenticationError": "_exceptions",
    "RunBadRequestError": "_exceptions",
    "RunCancelledError": "_exceptions",
    "RunConflictError": "_exceptions",
    "RunContentFilterError": "_exceptions",
    "RunError": "_exceptions",
    "RunExceptionGroup": "_run_result",
    "RunExpiredError": "_exceptions",
    "RunFailedError": "_exceptions",
    "RunGoneError": "_exceptions",
    "RunIncompleteError": "_exceptions",
    "RunInternalServerError": "_exceptions",
    "RunNotFoundError": "_exceptions",
    "RunPendingError": "_exceptions",
    "RunPermissionDeniedError": "_exceptions",
    "RunRateLimitError": "_exceptions",
    "RunResult": "_run_result",
    "RunStatusError": "_exceptions",
    "RunStream": "_run_stream",
    "RunUnknownError": "_exceptions",
    "RunUnprocessableEntityError": "_exceptions",
    "Runs": "_runs",
    "SubmissionUnknownError": "_exceptions",
    "WaitTimeoutError": "_exceptions",
    "classify": "_classify",
    "error_for": "_dispatch",
    "is_retryable": "_dispatch",
    "raise_for_status": "_dispatch",
    "retry_after": "_dispatch",
}

# What the pickles of those names hold, and nobody imports.
_HELD = {
    "Alternative": "_model",
    "Auto": "_runs_base",
    "Deprecation": "_model",
    "Rule": "_model",
    "Surface": "_surface",
    "Traveller": "_foreign",
    "TypeRow": "_surface",
}

__all__ = [
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
    "RunError",
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
    "RunResult",
    "RunStatusError",
    "RunStream",
    "RunUnknownError",
    "RunUnprocessableEntityError",
    "Runs",
    "SubmissionUnknownError",
    "WaitTimeoutError",
    "classify",
    "error_for",
    "is_retryable",
    "raise_for_status",
    "retry_after",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name) or _HELD.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
