"""What must be the same about an error after any journey, as plain JSON values.

Also run as a program, by the interpreters of the SDK's other lines: `write DIRECTORY` pickles every error with every
protocol, `read DIRECTORY` loads what was written to the directories in it, and both print the facts as JSON.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import openai

from errors import EVERY, UNUSABLE, error
from runoutcome import RunError, is_retryable, retry_after

PROTOCOLS = range(2, 6)
FIELDS = (
    *("response_id", "run_token", "request_id", "code", "param", "type", "status_code", "poll_status_code"),
    *("status", "phase", "reason", "error_type", "error_class", "action", "known", "model", "has_output", "key"),
)
DRAWN = ("response_id", "run_token", "request_id", "key", "outcome", "str", "headers")
"""The fields of waiting errors that hold an id, which each process draws for itself."""
HEADERS = ("x-should-retry", "retry-after-ms", "x-request-id")
# The classes of all lines of the SDK.
CLASSES: Mapping[str, type] = MappingProxyType(
    {
        "TimeoutError": TimeoutError,
        "RunError": RunError,
        **{
            f"openai.{cls.__name__}": cls
            for cls in (
                openai.OpenAIError,
                openai.APIError,
                openai.APIStatusError,
                openai.APIConnectionError,
                openai.APITimeoutError,
                openai.APIResponseValidationError,
                openai.BadRequestError,
                openai.AuthenticationError,
                openai.PermissionDeniedError,
                openai.NotFoundError,
                openai.ConflictError,
                openai.UnprocessableEntityError,
                openai.RateLimitError,
                openai.InternalServerError,
                openai.ContentFilterFinishReasonError,
                openai.LengthFinishReasonError,
            )
        },
    }
)


def facts_of(exc: Any) -> dict[str, Any]:
    """The class, what of `openai` and Python it is an instance of, what it says, and its fields."""
    return {
        "class": f"{type(exc).__module__}.{type(exc).__qualname__}",
        "isinstance": sorted(name for name, cls in CLASSES.items() if isinstance(exc, cls)),
        "str": str(exc),
        "retryable": is_retryable(exc),
        "retry_after": retry_after(exc) if isinstance(exc, RunError) else None,
        "outcome": outcome_of(exc),
        **{name: getattr(exc, name) for name in FIELDS if hasattr(exc, name)},
        "headers": [exc.response.headers.get(name) for name in HEADERS] if hasattr(exc, "response") else None,
    }


def outcome_of(exc: Any) -> dict[str, Any] | None:
    """The outcome as plain JSON, less the model's own words, which stay in the process."""
    outcome = getattr(exc, "outcome", None)
    return {**json.loads(json.dumps(outcome.to_dict())), "refusal": None} if outcome else None


def common_facts_of(exc: BaseException) -> dict[str, Any]:
    """The facts that are the same for an error of the same name, made in another process."""
    facts = facts_of(exc)
    return facts if isinstance(exc, RunError) else {**facts, **dict.fromkeys(DRAWN)}


def samples() -> dict[str, Exception]:
    """Every error by its name, and the base class itself, which nothing raises."""
    return {**{name: error(name) for name in (*EVERY, *UNUSABLE)}, "base": RunError("A run error.")}


def write(directory: Path) -> dict[str, Any]:
    """Pickles all samples with all protocols, and gives their facts."""
    found = samples()
    for name, exc in found.items():
        for protocol in PROTOCOLS:
            (directory / f"{name}.{protocol}.pickle").write_bytes(pickle.dumps(exc, protocol))
    return {name: facts_of(exc) for name, exc in found.items()}


def read(directory: Path) -> dict[str, Any]:
    """The facts of all that was pickled below it, by directory, name and protocol."""
    found: dict[str, Any] = {}
    for path in sorted(directory.glob("*/*.pickle")):
        found.setdefault(path.parent.name, {})[path.stem] = facts_of(pickle.loads(path.read_bytes()))
    return found


if __name__ == "__main__":
    json.dump({"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2])), sys.stdout)
