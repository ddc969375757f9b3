"""The verdict on a client, from nothing but the requests it made and the runs that came of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import Any

from .._state.recorded_request import RecordedRequest
from .._state.runs import EmulatedRun, ended_at, status_at
from .finding import Finding
from .history import RunHistory, histories, is_fault, job_of, jobs
from .jobs import job_findings
from .kinds import KINDS, FindingKind
from .pace import pace_findings, peak_per_second
from .runs import run_findings

_RUNS_NAMED = 3


@dataclass(frozen=True)
class RunAccount:
    """What one run came to, in the client's hands."""

    id: str
    job: str | None
    submission: int | None
    status: str | None
    """As it stood at the time of the verdict; None for an id that the emulator does not know."""
    told: str | None
    """The last status that the client could read."""
    polls: int
    streams: int
    faults: int
    """Polls and streams that were answered with nothing about the run."""
    cancels: int
    peak_polls_per_second: int
    lag_seconds: float | None
    """From the end of the run to the answer that told it; None if none did."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(vars(self))


@dataclass(frozen=True)
class Verdict:
    """What a client did well and badly. Made by `Emulator.verdict()`."""

    requests: int
    jobs: int
    creates: int
    """POSTs of a create, whatever became of them."""
    runs: tuple[RunAccount, ...]
    findings: tuple[Finding, ...]
    is_whole: bool = True
    """False if there were so many requests that the oldest are not in it."""

    @property
    def ok(self) -> bool:
        """There is no finding."""
        return not self.findings

    @property
    def paid_runs(self) -> int:
        """The runs that would have been paid for."""
        return sum(run.status is not None for run in self.runs)

    @property
    def polls(self) -> int:
        """All polls."""
        return sum(run.polls for run in self.runs)

    @property
    def peak_polls_per_second(self) -> int:
        """The most polls of one run within any one second."""
        return max((run.peak_polls_per_second for run in self.runs), default=0)

    @property
    def median_lag_seconds(self) -> float | None:
        """From the end of a run to the answer that told it; None if none did."""
        lags = [run.lag_seconds for run in self.runs if run.lag_seconds is not None]
        return median(lags) if lags else None

    def of_kind(self, kind: FindingKind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def counts(self) -> dict[FindingKind, int]:
        """How many findings there are of each kind that there is; the worst first."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in KINDS if kind in found}

    def totals(self) -> dict[str, int | float | None]:
        """The numbers, by what they count."""
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
        """One paragraph for each kind of finding; no more than three runs of each are named."""
        totals, number = self.totals(), len(self.findings)
        told = ", ".join(f"{totals[name]} {name.replace('_', ' ')}" for name in ("jobs", "paid_runs", "polls"))
        head = f"{number} {'finding' if number == 1 else 'findings'} about the client ({told})"
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

    `final`: the client has finished, so a run it has not read to its end is left behind. Otherwise it may still come
    back to it, and only what is done and cannot be mended is a finding.
    """
    by_run, by_job, known = histories(requests, runs), jobs(requests), {run.id: run for run in runs}
    found = chain(
        chain.from_iterable(job_findings(job, asked, known) for job, asked in by_job.items()),
        chain.from_iterable(run_findings(history, now, final=final) for history in by_run),
        chain.from_iterable(pace_findings(history) for history in by_run),
    )
    order = list(KINDS)
    return Verdict(
        requests=len(requests),
        jobs=len(by_job),
        creates=sum(request.route == "create" for request in requests),
        runs=tuple(_account(history, now) for history in by_run),
        findings=tuple(sorted(found, key=lambda one: order.index(one.kind))),
        is_whole=is_whole,
    )


def assert_client_ok(verdict: Verdict, allow: Collection[str] = ()) -> None:
    """Raises AssertionError that names what the client did wrong; kinds of findings in `allow` are passed over.

    Raises ValueError for a kind that there is not.
    """
    for kind in allow:
        if kind not in KINDS:
            raise ValueError(f"no finding is called '{kind}'; there are {', '.join(KINDS)}")
    left = [finding for finding in verdict.findings if finding.kind not in allow]
    if left:
        kinds = ", ".join(repr(kind) for kind in verdict.counts() if kind not in allow)
        head = f"the client did {len(left)} {'thing' if len(left) == 1 else 'things'} wrong:"
        tail = f"If that is meant, allow it: allow=[{kinds}]"
        raise AssertionError("\n".join([head, *_paragraphs(left), tail]))


def _paragraphs(findings: Sequence[Finding]) -> Iterator[str]:
    for kind in dict.fromkeys(finding.kind for finding in findings):
        found = [finding for finding in findings if finding.kind == kind]
        yield f"  {kind} ({found[0].severity}, {len(found)}x): {found[0].title}"
        for finding in found[:_RUNS_NAMED]:
            yield f"    {finding.run or f'job {finding.job}'}: {finding.text}"
        if len(found) > _RUNS_NAMED:
            yield f"    and {len(found) - _RUNS_NAMED} more"
        yield f"    -> {found[0].remedy}"


def _account(history: RunHistory, now: float) -> RunAccount:
    polls = [request for request in history.asks if request.route == "poll"]
    told = [request.told for request in history.requests if request.told is not None]
    return RunAccount(
        id=history.id,
        job=next((job_of(request) for request in history.requests if request.job), None),
        submission=history.run.submission if history.run else None,
        status=status_at(history.run, now) if history.run else None,
        told=told[-1] if told else None,
        polls=len(polls),
        streams=len(history.asks) - len(polls),
        faults=sum(is_fault(request) for request in history.asks),
        cancels=sum(request.route == "cancel" for request in history.requests),
        peak_polls_per_second=peak_per_second(polls),
        lag_seconds=_lag(history),
    )


def _lag(history: RunHistory) -> float | None:
    ended = ended_at(history.run) if history.run else None
    return None if ended is None or history.end is None else round(max(0.0, history.end.at - ended), 3)
