"""History of a run: the client's requests about it, in order, and what their responses told. Pure."""

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
    """The requests about one run, oldest first, its create among them; and the run as it stands, if it is known."""

    id: str
    requests: tuple[RecordedRequest, ...]
    run: EmulatedRun | None = None

    @cached_property
    def create(self) -> RecordedRequest | None:
        """The create that made it; None if that was not recorded."""
        return next((request for request in self.requests if request.created), None)

    @cached_property
    def reads(self) -> tuple[RecordedRequest, ...]:
        """The polls and streams; a create that streams is one of them."""
        streams = self.run is not None and bool(self.run.request.get("stream"))
        return self.of_route("poll", "stream", *(["create"] if streams else ()))

    @cached_property
    def end(self) -> RecordedRequest | None:
        """The first request whose response told a terminal status."""
        return next((request for request in self.requests if is_terminal(request.told)), None)

    @cached_property
    def job(self) -> str | None:
        """The name of its job; None if no request tells it."""
        return next((job_of(request) for request in self.requests if request.job), None)

    def of_route(self, *routes: str) -> tuple[RecordedRequest, ...]:
        """The requests of these routes."""
        return tuple(request for request in self.requests if request.route in routes)

    @property
    def is_discarded(self) -> bool:
        """The client has cancelled or deleted it."""
        cancelled = self.run is not None and self.run.cancelled_at is not None
        return cancelled or any(request.status == 200 for request in self.of_route("delete"))

    @property
    def is_known(self) -> bool:
        """The client has its id."""
        return self.create is None or self.create.told is not None or len(self.requests) > 1


def histories(requests: Iterable[RecordedRequest], runs: Mapping[str, EmulatedRun]) -> list[RunHistory]:
    """One history for each run that a request is about, in the order of the first request.

    A run without any request belongs to an earlier start on the same state file, and has none.
    """
    by_id: dict[str, list[RecordedRequest]] = defaultdict(list)
    for request in requests:
        if request.response_id is not None:
            by_id[request.response_id].append(request)
    return [RunHistory(run_id, tuple(own), runs.get(run_id)) for run_id, own in by_id.items()]


def jobs(requests: Iterable[RecordedRequest]) -> Mapping[str, Sequence[RecordedRequest]]:
    """All requests about each job, oldest first. Submissions by `Runs` whose keys differ are different jobs."""
    by_job: dict[str, list[RecordedRequest]] = defaultdict(list)
    for request in requests:
        if request.job is not None:
            by_job[job_of(request)].append(request)
    return by_job


def job_of(request: RecordedRequest) -> str:
    """The name of the job of this request."""
    nonce = (request.runoutcome_key or "").rpartition("-")[0]
    name = (request.job or "")[:12]
    return f"{name}/{nonce[:8]}" if nonce else name


def seconds_between(before: RecordedRequest, after: RecordedRequest) -> float:
    """Seconds between two requests: by the emulator's clock or by the machine's, whichever moved more."""
    return max(after.at - before.at, after.monotonic - before.monotonic)


def told_at(request: RecordedRequest) -> float:
    """Seconds (Unix) at which the response told its status: a stream does so later than it was opened."""
    return request.at if request.told_at is None else request.told_at


def is_terminal(status: str | None) -> bool:
    """The status is the end of a run."""
    return status in Catalog.load().surfaces["response"].terminal


def is_unknown(status: str | None) -> bool:
    """The status is in no list of the catalog."""
    surface = Catalog.load().surfaces["response"]
    return status is not None and status not in surface.pending and status not in surface.terminal


def is_fault(request: RecordedRequest) -> bool:
    """The response told nothing about the run: none, no run body, 408, 409, 429, or 5xx; or a stream broke off."""
    if request.status is None or request.status >= 500 or request.status in _TRANSIENT:
        return True
    if request.fault and request.fault.startswith("stream-"):
        return not is_terminal(request.told)
    return request.told is None and request.status < 400
