"""Pickles of every public value that can be pickled, with the facts that a reader must find in them.

The files beside this one were written by the release that their folder names, and are never written again: run this
with an older checkout to make those of another release. `python tests/golden/make.py FOLDER`.
"""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai

import runoutcome
from runoutcome import (
    Attempt,
    Catalog,
    CatalogError,
    OutputParseError,
    PollingLostError,
    ResubmitPolicy,
    RunExceptionGroup,
    RunResult,
    SubmissionUnknownError,
    WaitTimeoutError,
    classify,
    error_for,
)
from runoutcome.batch import BatchOptions, JobFileError, JobLine, StoreError
from runoutcome.webhooks import Notice, WebhookError, WebhookSignatureError

PROTOCOLS = (3, 5)  # 2 makes an OSError of a TimeoutError
BASE = {"id": "resp_1", "object": "response", "model": "gpt-5.5", "created_at": 1_790_000_000}
USAGE = {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}
TOKEN = '{"runoutcome":1,"id":"resp_1","at":1790000000.0,"key":"key-1","window":"2h"}'


def body(status: str, **fields: Any) -> dict[str, Any]:
    """A body of a run."""
    return {**BASE, "status": status, "usage": USAGE, "output": [], **fields}


def failed(code: object, message: str = "It went wrong.", **fields: Any) -> dict[str, Any]:
    """A body of a failed run."""
    return body("failed", error={"code": code, "message": message, **fields})


BODIES = {
    "RunFailedError": failed("a_code_nobody_knows"),
    "RunStatusError": failed("418"),
    "RunBadRequestError": failed("invalid_prompt", param="input"),
    "RunAuthenticationError": failed("401"),
    "RunPermissionDeniedError": failed("data_residency_mismatch"),
    "RunNotFoundError": failed("404"),
    "RunConflictError": failed("409"),
    "RunUnprocessableEntityError": failed("422"),
    "RunRateLimitError": failed("rate_limit_exceeded", "Please try again in 2.5s."),
    "RunInternalServerError": failed("server_error", type="a_type_of_the_server"),
    "RunIncompleteError": body("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    "RunContentFilterError": body("incomplete", incomplete_details={"reason": "content_filter"}),
    "RunCancelledError": body("cancelled"),
    "RunExpiredError": body("expired"),
    "RunUnknownError": body("a_status_nobody_knows"),
}


def run_errors() -> dict[str, Any]:
    """An error of each class that a body amounts to."""
    errors: dict[str, Any] = {}
    for name, example in BODIES.items():
        error = error_for(example)
        if type(error).__name__ != name:  # `expired` is of batches in some releases
            error = error_for({**example, "object": "batch"})
        assert type(error).__name__ == name, (name, type(error))
        errors[name] = error
    try:
        runoutcome.raise_for_status(body("queued"))
    except runoutcome.RunPendingError as pending:
        errors["RunPendingError"] = pending
    overlaid = Catalog.load().extend(
        {"entries": [{"value": "mine", "error_type": "rate_limit_error", "retryable": True}]}
    )
    errors["RunRateLimitError-overlaid"] = error_for(failed("mine"), catalog=overlaid)
    long = error_for(failed("server_error", "words " * 2000))
    long.run_token = "x" * 300
    long.attempts = (attempt(1), attempt(2))
    long.not_resubmitted = "attempts"
    errors["RunInternalServerError-long"] = long
    return errors


def attempt(number: int) -> Attempt:
    """An attempt as a job counts it."""
    return Attempt(number, f"key-{number}", "resp_1", "failed", "server_error", True, 30)


def sdk_errors() -> list[Exception]:
    """Errors of the SDK, as a client raises them."""
    from runoutcome._sdk.responses import native_http_library

    http = native_http_library()
    request = http.Request(
        "GET", "https://api.example.test/v1/responses/resp_1", headers={"authorization": "Bearer sk-secret-key"}
    )
    answer = http.Response(429, headers={"x-request-id": "req_1", "retry-after": "3"}, request=request)
    made = openai.RateLimitError(
        "Slow down.", response=answer, body={"code": "rate_limit_exceeded", "message": "Slow down."}
    )
    return [
        made,
        openai.APIConnectionError(request=request),
        openai.APITimeoutError(request=request),
        KeyError("a key"),
        TimeoutError("late"),
    ]


def results() -> list[RunResult[Any]]:
    """The results of a group: each kind of member."""
    members = [
        error_for(BODIES["RunInternalServerError"]),
        error_for(BODIES["RunBadRequestError"]),
        *waits().values(),
        *sdk_errors(),
    ]
    outcome = classify(body("completed"))
    return [
        *(RunResult("resp_1", index, classify(error), error=error) for index, error in enumerate(members)),
        RunResult("resp_2", len(members), outcome, response={"id": "resp_2"}),
    ]


def waits() -> dict[str, Any]:
    """The errors of a wait."""
    outcome = classify(body("in_progress"))
    about: dict[str, Any] = {"response_id": "resp_1", "token": TOKEN, "key": "key-1"}
    gone = runoutcome.RunGoneError.of(sdk_not_found(), "resp_1", TOKEN)
    return {
        "WaitTimeoutError": WaitTimeoutError("It had not ended.", **about, outcome=outcome),
        "PollingLostError": PollingLostError("Polls failed.", **about, outcome=outcome),
        "SubmissionUnknownError": SubmissionUnknownError("It may have gone through.", key="key-1"),
        "OutputParseError": OutputParseError("It is no Moon.", **about, outcome=classify(body("completed"))),
        "RunGoneError": gone,
    }


def sdk_not_found() -> openai.NotFoundError:
    """A 404 of the API."""
    from runoutcome._sdk.responses import native_http_library

    http = native_http_library()
    request = http.Request("GET", "https://api.example.test/v1/responses/resp_1")
    answer = http.Response(404, headers={"x-request-id": "req_1"}, request=request)
    return openai.NotFoundError(
        "No such response.", response=answer, body={"code": "not_found", "message": "No such response."}
    )


def values() -> dict[str, Any]:
    """What is pickled, by name."""
    catalog = Catalog.load()
    group = RunExceptionGroup.of(results())
    group.results = ()
    return {
        **run_errors(),
        **waits(),
        "AUTO": runoutcome.AUTO,
        "Attempt": attempt(1),
        "BatchOptions": BatchOptions(),
        "Catalog": replace(catalog, entries=catalog.entries[:3], rules=catalog.rules[:1]),
        "CatalogError": CatalogError("a file: is not TOML"),
        "Entry": catalog.find("server_error")[0],
        "JobFileError": JobFileError("line 3: is no JSON"),
        "JobLine": JobLine(
            **{
                name: {"custom_id": "a", "params": {"model": "gpt-5.5"}}.get(name)
                for name in JobLine.__dataclass_fields__
            }
        ),
        "Notice": Notice(
            **{
                name: {"id": "wh_1", "type": "response.completed", "response_id": "resp_1"}.get(name)
                for name in Notice.__dataclass_fields__
            }
        ),
        "Outcome": classify(BODIES["RunRateLimitError"]),
        "Outcome-completed": classify(body("completed")),
        "Outcome-overlaid": run_errors()["RunRateLimitError-overlaid"].outcome,
        "ResubmitPolicy": ResubmitPolicy(2, max_seconds=60.0, max_tokens=1000),
        "RunExceptionGroup": group,
        "RunResult": RunResult(
            "resp_1", 3, classify(BODIES["RunInternalServerError"]), error=error_for(BODIES["RunInternalServerError"])
        ),
        "StoreError": StoreError("the output cannot be written"),
        "WebhookError": WebhookError("no signature"),
        "WebhookSignatureError": WebhookSignatureError("the signature is wrong"),
    }


def facts_of(value: Any) -> Any:
    """What must be found again, as JSON."""
    if isinstance(value, RunExceptionGroup) or hasattr(value, "exceptions"):
        return {
            "class": type(value).__name__,
            "text": value.message,
            "members": [facts_of(member) for member in value.exceptions],
        }
    outcome = value if isinstance(value, runoutcome.Outcome) else getattr(value, "outcome", None)
    names = (
        "code",
        "retryable",
        "status_code",
        "response_id",
        "run_token",
        "key",
        "not_resubmitted",
        "request_id",
        "type",
        "number",
        "version",
        "value",
    )
    found = {name: getattr(value, name, None) for name in names}
    return {
        "class": type(value).__name__,
        "text": str(value) if isinstance(value, BaseException) else None,
        "outcome": outcome.to_dict() if outcome is not None else None,
        "attempts": len(getattr(value, "attempts", ())),
        **{name: told for name, told in found.items() if isinstance(told, (str, int, float, bool))},
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    for name, value in values().items():
        for protocol in PROTOCOLS:
            (folder / f"{name}.{protocol}.pickle").write_bytes(pickle.dumps(value, protocol))
    facts = {name: facts_of(pickle.loads(pickle.dumps(value))) for name, value in values().items()}
    (folder / "facts.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
