"""The lines of a result file: the OpenAI Batch output format, with an `outcome` object beside it."""

from __future__ import annotations

import hashlib
from typing import Any

from .. import _sdk
from .._outcome.outcome import Outcome
from ._jobs import JobLine


def run_row(job: JobLine, run: Any, outcome: Outcome, error: BaseException | None, attempts: int) -> dict[str, Any]:
    """The line of a run that ended; its `status_code` is the 200 that brought the body, whatever the body says."""
    request_id = getattr(run, "_request_id", None)
    body = run.to_dict() if isinstance(run, _sdk.Response) else run
    response = {"status_code": 200, "request_id": request_id, "body": body}
    return _row(job, response, outcome, error, attempts)


def refused_row(job: JobLine, error: Any, outcome: Outcome, attempts: int) -> dict[str, Any]:
    """The line of a job whose create the API refused for good: the HTTP error as the Batch API would write it."""
    response = {"status_code": error.status_code, "request_id": error.request_id, "body": {"error": error.body}}
    return _row(job, response, outcome, error, attempts)


def _row(job: JobLine, response: Any, outcome: Outcome, raised: BaseException | None, attempts: int) -> dict[str, Any]:
    return {
        "id": "batch_req_" + hashlib.sha256(job.custom_id.encode("utf-8", "surrogatepass")).hexdigest()[:24],
        "custom_id": job.custom_id,
        "response": response,
        "error": None,
        "outcome": {
            **outcome.to_dict(),
            "exception": type(raised).__name__ if raised is not None else None,
            "attempts": attempts,
        },
    }
