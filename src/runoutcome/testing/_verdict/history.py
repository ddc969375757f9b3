"""What a client asked about one run, in order, and what it could know from the answers. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..._catalog.catalog import Catalog
from .._state.recorded_request import RecordedRequest
from .._state.runs import EmulatedRun

_TRANSIENT = (408, 409, 429)


@dataclass(frozen=True)
class RunHistory:
    """The requests about one run, oldest first, its create among them; and the run as it stands (None: not known)."""

    id: str
    requests: tuple[RecordedRequest, ...]
    run: EmulatedRun | None = None

    @cached_property
    def create(self) -> RecordedRequest | None:
        """The create that made it; None if that was not recorded."""
        return next((request for request in self.requests if request.created), None)

    @cached_property
    def asks(self) -> tuple[RecordedRequest, ...]:
        """The polls and streams; a create that streams is one of them."""
        streams = self.run is not None and bool(self.run.request.get("stream"))
        routes = ("poll", "stream", "create") if streams else ("poll", "stream")
        return tuple(request for request in self.requests if request.route in routes)

    @cached_property
    def end(self) -> RecordedRequest | None:
        """The first answer that told a terminal status."""
        return next((request for request in self.requests if is_terminal(request.told)), None)

    @property
    def is_discarded(self) -> bool:
        """The client has cancelled or deleted it, and so wants no more of it."""
        cancelled = self.run is not None and self.run.cancelled_at is not None
        return cancelled or any(request.route == "delete" and request.status == 200 for request in self.requests)

    @property
    def is_known(self) -> bool:
        """The client has its id."""
        return self.create is None or self.create.told is not None or len(self.requests) > 1


def histories(requests: Iterable[RecordedRequest], runs: Sequence[EmulatedRun]) -> list[RunHistory]:
    """One history for each run that was asked about, or is known, in the order of the first request.

    A run nobody asked about at all belongs to an earlier start on the same state file, and has none.
    """
    by_id: dict[str, list[RecordedRequest]] = defaultdict(list)
    for request in requests:
        if request.response_id is not None:
            by_id[request.response_id].append(request)
    known = {run.id: run for run in runs}
    return [RunHistory(run_id, tuple(found), known.get(run_id)) for run_id, found in by_id.items()]


def jobs(requests: Iterable[RecordedRequest]) -> Mapping[str, list[RecordedRequest]]:
    """All requests about each job, oldest first. Submissions by `Runs` whose keys differ are different jobs."""
    by_job: dict[str, list[RecordedRequest]] = defaultdict(list)
    for request in requests:
        if request.job is not None:
            by_job[job_of(request)].append(request)
    return by_job


def job_of(request: RecordedRequest) -> str:
    """What the job of this request is called."""
    nonce = (request.runoutcome_key or "").rpartition("-")[0]
    name = (request.job or "")[:12]
    return f"{name}/{nonce[:8]}" if nonce else name


def waited(before: RecordedRequest, after: RecordedRequest) -> float:
    """Seconds between two requests: by the emulator's clock or by the machine's, whichever moved more."""
    return max(after.at - before.at, after.monotonic - before.monotonic)


def is_terminal(status: str | None) -> bool:
    """The status is the end of a run."""
    return status in Catalog.load().surfaces["response"].terminal


def is_unknown(status: str | None) -> bool:
    """It is a status, and nobody knows which."""
    place = Catalog.load().surfaces["response"]
    return status is not None and status not in place.pending and status not in place.terminal


def is_fault(request: RecordedRequest) -> bool:
    """The answer said nothing about the run: none, no run body, 408, 409, 429, or 5xx; or a stream broke off."""
    if request.status is None or request.status >= 500 or request.status in _TRANSIENT:
        return True
    if request.fault and request.fault.startswith("stream-"):
        return not is_terminal(request.told)
    return request.told is None and request.status < 400
