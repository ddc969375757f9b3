"""Lines of a result file: the OpenAI Batch output format, with an `outcome` object beside it."""

from __future__ import annotations

import hashlib
from typing import Any

from .. import _sdk
from .._catalog.catalog import Catalog
from .._outcome.classify import classify
from .._outcome.judge import ROW
from .._outcome.outcome import Outcome
from ._jobs import JobLine


def run_row(job: JobLine, run: Any, outcome: Outcome, error: BaseException | None, attempts: int) -> dict[str, Any]:
    """Return the line of a run that ended; its `status_code` is the 200 of the poll, also for a failed run."""
    request_id = getattr(run, "_request_id", None)
    body = run.to_dict(warnings=False) if isinstance(run, _sdk.Response) else run
    response = {"status_code": 200, "request_id": request_id, "body": body}
    return _row(job, response, outcome, error, attempts)


def refused_row(job: JobLine, error: Any, outcome: Outcome, attempts: int) -> dict[str, Any]:
    """Return the line of a job whose create the API refused for good: the HTTP error in the form of the Batch API."""
    return _row(job, _answer(error), outcome, error, attempts)


def refused_outcome(job: JobLine, error: Any, catalog: Catalog) -> Outcome:
    """Return the outcome of a refused create: that of a row of a batch, whose request was answered so."""
    answer = _answer(error) if isinstance(error, _sdk.APIStatusError) else None
    return classify({"custom_id": job.custom_id, "response": answer, "error": None}, surface=ROW, catalog=catalog)


def _answer(error: Any) -> dict[str, Any]:
    return {"status_code": error.status_code, "request_id": error.request_id, "body": {"error": error.body}}


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


def output_text(run: Any) -> str | None:
    """Return the text that the run's messages hold, complete or not; None if there is none."""
    try:
        text = run.output_text
    except (AttributeError, TypeError):  # not a model of the SDK, or a body whose output is not as documented
        return None
    return text if isinstance(text, str) and text else None
