"""Verdict on a client, from its requests and the runs that came of them. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import Any

from .._state.recorded_request import RecordedRequest
from .._state.runs import EmulatedRun, ended_at, status_at
from .finding import KINDS, Finding, FindingKind
from .history import RunHistory, histories, is_fault, jobs, told_at
from .jobs import job_findings
from .pace import pace_findings, peak_per_second
from .runs import run_findings

_RUNS_NAMED = 3


@dataclass(frozen=True)
class RunAccount:
    """Summary of one run and the client's requests about it."""

    __module__ = "runoutcome.testing"

    id: str
    job: str | None
    submission: int | None
    status: str | None
    """The status at the time of the verdict; None for an id that the emulator does not know."""
    told: str | None
    """The last status that the client could read."""
    polls: int
    streams: int
    faults: int
    """Polls and streams whose response told nothing about the run."""
    cancels: int
    peak_polls_per_second: int
    lag_seconds: float | None
    """Seconds from the end of the run to the response that told it; None if none did."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(vars(self))


@dataclass(frozen=True)
class Verdict:
    """Verdict on a client. Made by `Emulator.verdict()`."""

    __module__ = "runoutcome.testing"

    requests: int
    jobs: int
    creates: int
    """POSTs of a create, successful or not."""
    runs: tuple[RunAccount, ...]
    findings: tuple[Finding, ...]
    is_whole: bool = True
    """False if there were so many requests that the oldest are left out."""

    @property
    def ok(self) -> bool:
        """True without any finding."""
        return not self.findings

    @property
    def paid_runs(self) -> int:
        """Number of runs that would have been paid for."""
        return sum(run.status is not None for run in self.runs)

    @property
    def polls(self) -> int:
        """Number of polls."""
        return sum(run.polls for run in self.runs)

    @property
    def peak_polls_per_second(self) -> int:
        """The most polls of one run within any one second."""
        return max((run.peak_polls_per_second for run in self.runs), default=0)

    @property
    def median_lag_seconds(self) -> float | None:
        """Seconds from the end of a run to the response that told it; None if none did."""
        lags = [run.lag_seconds for run in self.runs if run.lag_seconds is not None]
        return median(lags) if lags else None

    def of_kind(self, kind: FindingKind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def counts(self) -> dict[FindingKind, int]:
        """Number of findings of each kind that occurs; the worst first."""
        counts = Counter(finding.kind for finding in self.findings)
        return {kind: counts[kind] for kind in KINDS if kind in counts}

    def totals(self) -> dict[str, int | float | None]:
        """The numbers by name."""
        lag = self.median_lag_seconds
        return {
            "requests": self.requests,
            "jobs": self.jobs,
            "creates": self.creates,
            "paid_runs": self.paid_runs,
            "polls": self.polls,
            "poll_faults": sum(run.faults for run in self.runs),
            "cancels": sum(run.cancels for run in self.runs),
            "peak_polls_per_second": self.peak_polls_per_second,
            "median_lag_seconds": None if lag is None else round(lag, 3),
        }

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "ok": self.ok,
            "is_whole": self.is_whole,
            "totals": self.totals(),
            "counts": dict(self.counts()),
            "findings": [finding.to_dict() for finding in self.findings],
            "runs": [run.to_dict() for run in self.runs],
        }

    def __str__(self) -> str:
        """One paragraph for each kind of finding, with at most three runs."""
        totals, number = self.totals(), len(self.findings)
        counts = ", ".join(f"{totals[name]} {name.replace('_', ' ')}" for name in ("jobs", "paid_runs", "polls"))
        head = f"{number} {'finding' if number == 1 else 'findings'} about the client ({counts})"
        return "\n".join([head, *_paragraphs(self.findings)])


def judge_client(
    requests: Sequence[RecordedRequest],
    runs: Sequence[EmulatedRun],
    now: float,
    *,
    final: bool = True,
    is_whole: bool = True,
) -> Verdict:
    """The verdict at `now` (Unix seconds, by the emulator's clock); `requests` are oldest first.

    `final`: the client has finished, so a run that it has not read to its end is left behind. Otherwise it may still
    come back to it, and only what cannot be mended is a finding.
    """
    by_id = {run.id: run for run in runs}
    by_run, by_job = histories(requests, by_id), jobs(requests)
    findings = chain(
        chain.from_iterable(job_findings(job, own, by_id) for job, own in by_job.items()),
        chain.from_iterable(run_findings(history, now, final=final) for history in by_run),
        chain.from_iterable(pace_findings(history) for history in by_run),
    )
    order = list(KINDS)
    return Verdict(
        requests=len(requests),
        jobs=len(by_job),
        creates=sum(request.route == "create" for request in requests),
        runs=tuple(_account(history, now) for history in by_run),
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.kind))),
        is_whole=is_whole,
    )


def assert_client_ok(verdict: Verdict, allow: Collection[str] = ()) -> None:
    """Raises AssertionError with the findings, except those of the kinds in `allow`; ValueError for an unknown kind."""
    for kind in allow:
        if kind not in KINDS:
            raise ValueError(f"no finding is called '{kind}'; there are {', '.join(KINDS)}")
    left = [finding for finding in verdict.findings if finding.kind not in allow]
    if left:
        kinds = ", ".join(repr(kind) for kind in verdict.counts() if kind not in allow)
        head = f"the client did {len(left)} {'thing' if len(left) == 1 else 'things'} wrong:"
        tail = f"If that is meant, allow it: allow=[{kinds}]"
        raise AssertionError("\n".join([head, *_paragraphs(left), tail]))


judge_client.__module__ = assert_client_ok.__module__ = "runoutcome.testing"


def _paragraphs(findings: Sequence[Finding]) -> Iterator[str]:
    for kind in dict.fromkeys(finding.kind for finding in findings):
        own = [finding for finding in findings if finding.kind == kind]
        yield f"  {kind} ({own[0].severity}, {len(own)}x): {own[0].title}"
        for finding in own[:_RUNS_NAMED]:
            yield f"    {finding.run or f'job {finding.job}'}: {finding.text}"
        if len(own) > _RUNS_NAMED:
            yield f"    and {len(own) - _RUNS_NAMED} more"
        yield f"    -> {own[0].remedy}"


def _account(history: RunHistory, now: float) -> RunAccount:
    run, polls = history.run, history.of_route("poll")
    told = [request.told for request in history.requests if request.told is not None]
    ended = ended_at(run) if run else None
    return RunAccount(
        id=history.id,
        job=history.job,
        submission=run.submission if run else None,
        status=status_at(run, now) if run else None,
        told=told[-1] if told else None,
        polls=len(polls),
        streams=len(history.reads) - len(polls),
        faults=sum(map(is_fault, history.reads)),
        cancels=len(history.of_route("cancel")),
        peak_polls_per_second=peak_per_second(polls),
        lag_seconds=None if ended is None or not history.end else round(max(0.0, told_at(history.end) - ended), 3),
    )
