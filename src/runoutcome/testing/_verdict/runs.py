"""What became of each run in the client's hands: read to its end, given up, cancelled, forgotten. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .._state.runs import ended_at, is_forgotten, status_at
from .finding import Finding, finding
from .history import RunHistory, is_fault, is_unknown

_LATENESS_SECONDS, _LATENESS_SHARE = 1.0, 0.2
"""How long after the end of a run, also as a share of its duration, a client may ask and not be late."""


def run_findings(history: RunHistory, now: float, *, final: bool) -> Iterator[Finding]:
    """What went wrong with one run; what is not `final` may still be asked for, and is no finding."""
    yield from _cancelled_after_fault(history)
    if not final or history.end or history.is_discarded or not history.is_known:
        return
    left = _left(history)
    if left:
        yield left
    if _result_is_lost(history, now, left):
        text = "completed, and was never read"
        yield finding("lost_result", history, text, status="completed", asked=len(history.asks))


def _left(history: RunHistory) -> Finding | None:
    """Why a run that was not read to its end was left; None if its client is not to blame."""
    if not history.asks:
        return finding("never_polled", history, "created, and never polled", polls=0)
    last = history.asks[-1]
    polls = len(history.asks)
    if is_fault(last):
        text = f"the last of {polls} polls met {last.fault or last.status}, and none came after it"
        return finding("gave_up_after_fault", history, text, polls=polls, fault=last.fault, status=last.status)
    if last.told is None:
        return None  # refused (401, 403, 404): nothing is gained by asking again
    if is_unknown(last.told):
        asked_again = sum(is_unknown(ask.told) for ask in history.asks) > 1
        text = f"not polled again after the status '{last.told}'"
        return None if asked_again else finding("took_unknown_for_end", history, text, status=last.told)
    text = f"was {last.told} at the last of {polls} polls, and not cancelled"
    return finding("orphaned_run", history, text, polls=polls, told=last.told)


def _result_is_lost(history: RunHistory, now: float, left: Finding | None) -> bool:
    if history.run is None or status_at(history.run, now) != "completed":
        return False
    return left is not None or (bool(history.asks) and _asked_too_late(history))


def _asked_too_late(history: RunHistory) -> bool:
    """It was answered 404, as its retention was over, because the client let too much time pass."""
    ended = ended_at(history.run) if history.run else None
    if history.run is None or ended is None or history.asks[-1].status != 404 or history.asks[-1].fault:
        return False
    if is_forgotten(history.run, ended):
        return False  # nobody could have read it when it ended
    allowed = max(_LATENESS_SECONDS, _LATENESS_SHARE * (ended - history.run.created_at))
    first = next((ask for ask in history.asks if ask.at >= ended), None)
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
