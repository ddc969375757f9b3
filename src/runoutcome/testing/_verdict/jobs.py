"""Findings about jobs: a run made twice, or made again although that was pointless. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from ..._outcome.classify import classify
from .._state.body import response_body
from .._state.recorded_request import RecordedRequest
from .._state.runs import EmulatedRun, status_at
from .finding import Finding, finding
from .history import is_terminal, seconds_between, told_at
from .pace import early_requests


def job_findings(job: str, requests: Sequence[RecordedRequest], runs: Mapping[str, EmulatedRun]) -> Iterator[Finding]:
    """Findings about the creates of one job; `requests` are all about it, oldest first."""
    yield from early_requests(job, [request for request in requests if request.route == "create"], "created")
    creates = [number for number, request in enumerate(requests) if request.created]
    for before, again in pairwise(creates):
        run_id = requests[before].response_id
        about = [request for request in requests[before:again] if request.response_id == run_id]
        yield from _second_create(job, about, requests[again], runs.get(run_id or ""))


def _second_create(
    job: str, about: Sequence[RecordedRequest], again: RecordedRequest, run: EmulatedRun | None
) -> Iterator[Finding]:
    """Findings about a create after the requests `about` the run before."""
    seconds = round(seconds_between(about[0], again), 3)
    both = {"runs": [about[0].response_id, again.response_id], "seconds": seconds}
    ends = (request for request in about if is_terminal(request.told) and told_at(request) <= again.at)
    end, last = next(ends, None), about[-1]
    if end is None and not any(_discards(request) for request in about):
        if last.route == "create" and last.told is None:
            text = f"created again {seconds:g} s after an answer without an id ({last.fault or last.status})"
            yield finding("blind_resend", job, text, **both)
        else:
            told = status_at(run, again.at) if run and told_at(last) > again.at else last.told
            known = told or f"answered with {last.fault or last.status}"
            text = f"created again after {seconds:g} s, while the run before was {known}"
            yield finding("duplicate_run", job, text, **both)
    elif end is not None and run is not None and run.cancelled_at is None:
        outcome = classify(response_body(run, told_at(end)))
        if not outcome.ok and not outcome.retryable:
            text = f"created again after {outcome.label}: {outcome.action}"
            yield finding("resubmitted_final", job, text, **both, code=outcome.code or outcome.reason)


def _discards(request: RecordedRequest) -> bool:
    """The client has ended the run itself, even if the response that said so was lost."""
    cancels = request.route == "cancel" and is_terminal(request.run_status)
    return cancels or (request.route == "delete" and request.status == 200)
