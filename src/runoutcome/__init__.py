"""Typed exceptions, retry advice and careful waiting for OpenAI background runs. Unofficial.

Importing this package imports neither `openai` nor an HTTP library; a name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._catalog.catalog import CATALOG_VERSION as CATALOG_VERSION, Catalog as Catalog
    from ._catalog.overlay import CatalogError as CatalogError
    from ._catalog.rows import Entry as Entry
    from ._errors.bases import RunError as RunError
    from ._errors.exceptions import (
        OutputParseError as OutputParseError,
        PollingLostError as PollingLostError,
        RunAuthenticationError as RunAuthenticationError,
        RunBadRequestError as RunBadRequestError,
        RunCancelledError as RunCancelledError,
        RunConflictError as RunConflictError,
        RunContentFilterError as RunContentFilterError,
        RunEmptyError as RunEmptyError,
        RunExpiredError as RunExpiredError,
        RunFailedError as RunFailedError,
        RunGoneError as RunGoneError,
        RunIncompleteError as RunIncompleteError,
        RunInternalServerError as RunInternalServerError,
        RunNotFoundError as RunNotFoundError,
        RunPendingError as RunPendingError,
        RunPermissionDeniedError as RunPermissionDeniedError,
        RunRateLimitError as RunRateLimitError,
        RunRefusedError as RunRefusedError,
        RunStatusError as RunStatusError,
        RunUnknownError as RunUnknownError,
        RunUnprocessableEntityError as RunUnprocessableEntityError,
        SubmissionUnknownError as SubmissionUnknownError,
        WaitTimeoutError as WaitTimeoutError,
    )
    from ._errors.raising import error_for as error_for, raise_for_status as raise_for_status
    from ._errors.results import RunExceptionGroup as RunExceptionGroup, RunResult as RunResult
    from ._errors.retryable import (
        action_for as action_for,
        is_retryable as is_retryable,
        retry_after as retry_after,
    )
    from ._errors.strict_client import strict_client as strict_client
    from ._operations.run_event import RunEvent as RunEvent
    from ._outcome.classify import classify as classify
    from ._outcome.outcome import Outcome as Outcome
    from ._runs.aio import AsyncRuns as AsyncRuns
    from ._runs.options import AUTO as AUTO
    from ._runs.stream import AsyncRunStream as AsyncRunStream, RunStream as RunStream
    from ._runs.sync import Runs as Runs
    from ._waiting.attempts import Attempt as Attempt
    from ._waiting.resubmit import ResubmitBudget as ResubmitBudget, ResubmitPolicy as ResubmitPolicy

__version__ = "0.1.0"

_HOMES = {
    "AUTO": "_runs.options",
    "AsyncRunStream": "_runs.stream",
    "AsyncRuns": "_runs.aio",
    "Attempt": "_waiting.attempts",
    "CATALOG_VERSION": "_catalog.catalog",
    "Catalog": "_catalog.catalog",
    "CatalogError": "_catalog.overlay",
    "Entry": "_catalog.rows",
    "Outcome": "_outcome.outcome",
    "OutputParseError": "_errors.exceptions",
    "PollingLostError": "_errors.exceptions",
    "ResubmitBudget": "_waiting.resubmit",
    "ResubmitPolicy": "_waiting.resubmit",
    "RunAuthenticationError": "_errors.exceptions",
    "RunBadRequestError": "_errors.exceptions",
    "RunCancelledError": "_errors.exceptions",
    "RunConflictError": "_errors.exceptions",
    "RunContentFilterError": "_errors.exceptions",
    "RunEmptyError": "_errors.exceptions",
    "RunError": "_errors.bases",
    "RunEvent": "_operations.run_event",
    "RunExceptionGroup": "_errors.results",
    "RunExpiredError": "_errors.exceptions",
    "RunFailedError": "_errors.exceptions",
    "RunGoneError": "_errors.exceptions",
    "RunIncompleteError": "_errors.exceptions",
    "RunInternalServerError": "_errors.exceptions",
    "RunNotFoundError": "_errors.exceptions",
    "RunPendingError": "_errors.exceptions",
    "RunPermissionDeniedError": "_errors.exceptions",
    "RunRateLimitError": "_errors.exceptions",
    "RunRefusedError": "_errors.exceptions",
    "RunResult": "_errors.results",
    "RunStatusError": "_errors.exceptions",
    "RunStream": "_runs.stream",
    "RunUnknownError": "_errors.exceptions",
    "RunUnprocessableEntityError": "_errors.exceptions",
    "Runs": "_runs.sync",
    "SubmissionUnknownError": "_errors.exceptions",
    "WaitTimeoutError": "_errors.exceptions",
    "action_for": "_errors.retryable",
    "classify": "_outcome.classify",
    "error_for": "_errors.raising",
    "is_retryable": "_errors.retryable",
    "raise_for_status": "_errors.raising",
    "retry_after": "_errors.retryable",
    "strict_client": "_errors.strict_client",
}

# Names that only pickles hold.
_HELD = {
    "Alternative": "_catalog.rows",
    "Auto": "_runs.options",
    "Deprecation": "_catalog.rows",
    "FailedItem": "_outcome.output",
    "Rule": "_catalog.rows",
    "Surface": "_catalog.rows",
    "TypeRow": "_catalog.rows",
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


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name) or _HELD.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
