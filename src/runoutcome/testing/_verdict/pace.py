"""Findings about the pace of requests: too many polls, Retry-After ignored, polls after the end. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..._waiting.polling import CAP_SECONDS, FIRST_DELAY_SECONDS, GROWTH, MAX_RETRY_AFTER_SECONDS
from .._state.recorded_request import RecordedRequest
from .._state.runs import PENDING
from .finding import Finding, finding
from .history import RunHistory, seconds_between

MOST_POLLS_PER_SECOND = 5
_TIMES_THE_NEED, _SPARE_POLLS = 2, 5
_SHARE_OF_RETRY_AFTER = 0.9
"""Share of a Retry-After that has to be waited: clocks differ, and requests take time."""
_READS_AFTER_END = 1
"""One more is fine: for a client that fetches the whole body at the end, or for two that watch one run."""


def pace_findings(history: RunHistory) -> Iterator[Finding]:
    """Findings about the pace of the requests about one run."""
    polls = history.of_route("poll")
    peak, hint = peak_per_second(polls), _hint_seconds(history)
    if peak > max(MOST_POLLS_PER_SECOND, 1.25 / hint + 1 if hint else 0):
        yield finding("busy_polling", history, f"{peak} polls within one second", polls=len(polls), peak=peak)
    else:
        yield from _excess_polls(history, polls, hint)
    yield from early_requests(history, history.reads, "polled")
    yield from early_requests(history, history.of_route("cancel"), "cancelled")
    if history.end:
        after = history.requests[history.requests.index(history.end) + 1 :]
        # A poll that got "pending" came before the end, which a stream opened earlier has told since.
        late = [request for request in after if request.route == "poll" and request.told not in PENDING]
        is_broken = (history.end.fault or "").startswith("stream-")  # its last event may not have arrived
        if len(late) > _READS_AFTER_END + is_broken:
            text = f"{len(late)} polls after it was told to be {history.end.told}"
            yield finding("polled_after_end", history, text, polls=len(late), told=history.end.told)


def early_requests(subject: RunHistory | str, requests: Sequence[RecordedRequest], verb: str) -> Iterator[Finding]:
    """A finding about requests of one route that came before a Retry-After was over; `subject` may be a job."""
    early = [
        (before, seconds_between(before, after)) for before, after in pairwise(requests) if _is_early(before, after)
    ]
    if early:
        before, seconds = early[0]
        text = f"told to wait {before.retry_after:g} s, {verb} again after {seconds:.2f} s"
        yield finding("retry_after_ignored", subject, text, times=len(early), retry_after=before.retry_after)


def peak_per_second(requests: Sequence[RecordedRequest]) -> int:
    """The most requests within any one second."""
    moment, peak = 0.0, min(1, len(requests))
    window = deque([moment])
    for before, after in pairwise(requests):
        moment += seconds_between(before, after)
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


def _excess_polls(history: RunHistory, polls: Sequence[RecordedRequest], hint: float | None) -> Iterator[Finding]:
    pending = [poll for poll in polls if poll.told in PENDING]
    if not pending:
        return
    seconds = seconds_between(history.create or polls[0], pending[-1])
    needed = seconds / hint if hint else polls_needed(seconds)
    if len(pending) > _TIMES_THE_NEED * needed + _SPARE_POLLS:
        text = f"{len(pending)} polls in {seconds:.0f} s; {math.ceil(needed)} were enough"
        yield finding("polled_too_often", history, text, polls=len(pending), needed=math.ceil(needed))


def _hint_seconds(history: RunHistory) -> float | None:
    """Seconds that the server asked to wait between polls."""
    hint = history.run.outcome.poll_after_ms if history.run else None
    return hint / 1000 if hint else None


def _is_early(before: RecordedRequest, after: RecordedRequest) -> bool:
    retry_after = min(before.retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
    return seconds_between(before, after) < _SHARE_OF_RETRY_AFTER * retry_after
