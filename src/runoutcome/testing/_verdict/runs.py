"""Findings about runs: given up, cancelled after a fault, left behind, lost. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .._state.runs import ended_at, is_forgotten, status_at
from .finding import Finding, finding
from .history import RunHistory, is_fault, is_unknown

_LATENESS_SECONDS, _LATENESS_SHARE = 1.0, 0.2
"""Time after the end of a run, also as a share of its duration, in which a read is not late."""


def run_findings(history: RunHistory, now: float, *, final: bool) -> Iterator[Finding]:
    """Findings about one run; unless `final`, its client may still come back to it."""
    yield from _cancelled_after_fault(history)
    if not final or history.end or history.is_discarded or not history.is_known:
        return
    left = _left(history)
    if left:
        yield left
    completed = history.run is not None and status_at(history.run, now) == "completed"
    if completed and (left or _read_too_late(history)):
        text = "completed, and was never read"
        yield finding("lost_result", history, text, status="completed", asked=len(history.reads))


def _left(history: RunHistory) -> Finding | None:
    """A finding about a run that was not read to its end; None if its client is not to blame."""
    if not history.reads:
        return finding("never_polled", history, "created, and never polled", polls=0)
    last, polls = history.reads[-1], len(history.reads)
    if is_fault(last):
        text = f"the last of {polls} polls met {last.fault or last.status}, and none came after it"
        return finding("gave_up_after_fault", history, text, polls=polls, fault=last.fault, status=last.status)
    if last.told is None:
        return None  # refused (401, 403, 404): another request would not help
    if is_unknown(last.told):
        read_again = sum(is_unknown(request.told) for request in history.reads) > 1
        text = f"not polled again after the status '{last.told}'"
        return None if read_again else finding("took_unknown_for_end", history, text, status=last.told)
    text = f"was {last.told} at the last of {polls} polls, and not cancelled"
    return finding("orphaned_run", history, text, polls=polls, told=last.told)


def _read_too_late(history: RunHistory) -> bool:
    """The last read got 404, as the retention was over, because the client let too much time pass."""
    run, last = history.run, history.reads[-1] if history.reads else None
    ended = ended_at(run) if run else None
    if run is None or last is None or ended is None or last.status != 404 or last.fault:
        return False
    if is_forgotten(run, ended):
        return False  # no client could have read it when it ended
    allowed = max(_LATENESS_SECONDS, _LATENESS_SHARE * (ended - run.created_at))
    first = next((request for request in history.reads if request.at >= ended), None)
    return first is not None and first.at - ended > allowed


def _cancelled_after_fault(history: RunHistory) -> Iterator[Finding]:
    faults = 0
    for request in history.requests:
        if request.route in ("poll", "stream"):
            faults = faults + 1 if is_fault(request) else 0
        elif request.route == "cancel" and faults:
            text = f"cancelled after {faults} failed {'poll' if faults == 1 else 'polls'}; the run was fine"
            yield finding("cancelled_after_fault", history, text, faults=faults, status=request.run_status)
            return
