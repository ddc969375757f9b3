"""How often a client asked: polls per second, polls against what is needed, Retry-After, polls after the end. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..._waiting.polling import CAP_SECONDS, FIRST_DELAY_SECONDS, GROWTH, MAX_RETRY_AFTER_SECONDS
from .._state.recorded_request import RecordedRequest
from .._state.runs import PENDING
from .finding import Finding, finding
from .history import RunHistory, waited

MOST_POLLS_PER_SECOND = 5
_TIMES_WHAT_IS_NEEDED, _SPARE_POLLS = 2, 5
_SHARE_OF_RETRY_AFTER = 0.9
"""Of a Retry-After that has to be waited: clocks differ, and requests take time."""
_READS_AFTER_END = 1
"""One more is fine: a client that fetches the whole body at the end, or two that watch one run."""


def pace_findings(history: RunHistory) -> Iterator[Finding]:
    """What is wrong with the pace of the requests about one run."""
    polls = [request for request in history.asks if request.route == "poll"]
    peak, hint = peak_per_second(polls), _hint_seconds(history)
    if peak > max(MOST_POLLS_PER_SECOND, 1.25 / hint + 1 if hint else 0):
        yield finding("busy_polling", history, f"{peak} polls within one second", polls=len(polls), peak=peak)
    else:
        yield from _too_many(history, polls, hint)
    for route, asked in (("polled", history.asks), ("cancelled", _of(history, "cancel"))):
        yield from early_requests(history, asked, route)
    if history.end:
        asked = history.requests[history.requests.index(history.end) + 1 :]
        # A poll that was told "pending" came before the end, which a stream opened earlier has told since.
        late = [request for request in asked if request.route == "poll" and request.told not in PENDING]
        if len(late) > _READS_AFTER_END:
            text = f"{len(late)} polls after it was told to be {history.end.told}"
            yield finding("polled_after_end", history, text, polls=len(late), told=history.end.told)


def early_requests(history: RunHistory | str, requests: Sequence[RecordedRequest], verb: str) -> Iterator[Finding]:
    """The requests of one route that came before the Retry-After of the answer before; `history` may be a job."""
    early = [(before, waited(before, after)) for before, after in pairwise(requests) if _is_early(before, after)]
    if early:
        before, seconds = early[0]
        text = f"told to wait {before.retry_after:g} s, {verb} again after {seconds:.2f} s"
        yield finding("retry_after_ignored", history, text, times=len(early), retry_after=before.retry_after)


def peak_per_second(requests: Sequence[RecordedRequest]) -> int:
    """The most requests within any one second."""
    moment, peak = 0.0, min(1, len(requests))
    window = deque([moment])
    for before, after in pairwise(requests):
        moment += waited(before, after)
        window.append(moment)
        while window[0] <= moment - 1:
            window.popleft()
        peak = max(peak, len(window))
    return peak


def polls_needed(seconds: float, first_delay: float = FIRST_DELAY_SECONDS) -> float:
    """The polls of a run this long by a client whose delay grows with the age of the run, as that of `Runs` does."""
    grows_from, grows_to = first_delay / GROWTH, CAP_SECONDS / GROWTH
    steady = min(seconds, grows_from) / first_delay
    growing = math.log(min(max(seconds, grows_from), grows_to) / grows_from) / math.log1p(GROWTH)
    return 1 + steady + growing + max(0.0, seconds - grows_to) / CAP_SECONDS


def _too_many(history: RunHistory, polls: Sequence[RecordedRequest], hint: float | None) -> Iterator[Finding]:
    pending = [poll for poll in polls if poll.told in PENDING]
    if not pending:
        return
    seconds = waited(history.create or polls[0], pending[-1])
    needed = seconds / hint if hint else polls_needed(seconds)
    if len(pending) > _TIMES_WHAT_IS_NEEDED * needed + _SPARE_POLLS:
        text = f"{len(pending)} polls in {seconds:.0f} s; {math.ceil(needed)} were enough"
        yield finding("polled_too_often", history, text, polls=len(pending), needed=math.ceil(needed))


def _hint_seconds(history: RunHistory) -> float | None:
    """What the server asked to wait between polls."""
    hint = history.run.outcome.poll_after_ms if history.run else None
    return hint / 1000 if hint else None


def _is_early(before: RecordedRequest, after: RecordedRequest) -> bool:
    wish = min(before.retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
    return waited(before, after) < _SHARE_OF_RETRY_AFTER * wish


def _of(history: RunHistory, route: str) -> list[RecordedRequest]:
    return [request for request in history.requests if request.route == route]
