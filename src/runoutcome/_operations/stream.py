"""The steps of following the stream of a run to the run's end. No I/O: see `_drive` for what carries them out.

    an event, in its order ------------> Emit, once each
    a gap -----------------------------> the stream is opened again for it, once
    broken, silent, ended too soon ----> after a delay opened again, after the last event; if nothing new had come,
                                         the run itself is asked first
    no stream to be had, or five in a
    row that brought nothing new ------> polling to the end, as `poll` does it; then what the server still has of the
                                         stream, or an event of the end that is made of the body

A fault of a stream is a poll fault: it says nothing about the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .. import _sdk
from .._errors.bases import Origin, RunError
from .._outcome.body import look
from .._sdk.event_stream import NoStreamError, StreamBrokenError, note_request, terminal_event
from .._sdk.faults import NoRunBodyError, read_fault
from .._waiting import polling as _wait
from .._waiting.stream_cursor import TERMINAL_EVENTS
from .effects import NextEvent, OpenStream, Pause, Steps, Tell
from .interrupts import carrying
from .observation import Seen, finish, judge_whole, seen_by_caller
from .poll import after_failure, ask, jitter, poll
from .stream_state import Emit, EventSteps, Following, close, fault_in, leave, tell_update

MAX_FRUITLESS = 5
"""Streams in a row that bring nothing new, before polling takes their place."""
THINKING_SECONDS = 300.0
"""For so long silence is no fault of a stream whose run says that it is going; a run that old gets no other."""
MAX_FRUITLESS_AFTER_END, MAX_FRUITLESS_AFTER_POLLING = 4, 2
"""The same when the run has ended: to fetch what is missing, and the end itself is kept waiting meanwhile."""
IDLE_AFTER_END_SECONDS = 10.0
"""Of a run that has ended all events are there already."""
_CHANGES = ("response.created", "response.queued", "response.in_progress")
"""The events that tell a status, besides those of the end; the others hold no run."""


@dataclass(frozen=True)
class Ended:
    """There are no more events, and this is what the run has become."""

    seen: Seen


def follow(at: Following) -> EventSteps[Seen]:
    """Steps of following a run to its end; gives what it has become, whatever that is.

    Raises what `poll` raises for a wait that ends before the run does. The stream is closed then, and what leaves
    carries the resume token.
    """
    try:
        return (yield from _follow(at))
    except GeneratorExit:
        raise
    except BaseException as error:
        yield from leave(at, error)
        raise


def next_event(steps: EventSteps[Seen]) -> Steps[Emit | Ended]:
    """What `steps` ask for up to their next event, for a driver that knows nothing of events."""
    try:
        effect = next(steps)
        while not isinstance(effect, Emit):
            try:
                result = yield effect
            except BaseException as error:  # noqa: BLE001 - the steps decide about all, Ctrl-C too
                effect = steps.throw(error)
            else:
                effect = steps.send(result)
    except StopIteration as end:
        return Ended(end.value)
    return effect


def result_of(at: Following, seen: Seen) -> _sdk.Response:
    """The response of a run that was followed to its end. Raises what any other end amounts to."""
    token = at.token.dumps()
    with carrying(token):
        return finish(at.wait.wanted, seen, token)


def _follow(at: Following) -> EventSteps[Seen]:
    while True:
        found = yield from _read_stream(at)
        if isinstance(found, Seen):
            return found
        at.fruitless = 0 if at.has_news else at.fruitless + 1
        is_pointless = _is_pointless(at, found)
        is_over = found is None or _read_seconds(at) <= 0
        if found is not None and not is_over and not is_pointless:
            is_over = not (yield from _back_off(at, found))
        if at.ended is not None:
            if is_over or is_pointless:
                return (yield from _end_with(at, at.ended))
        elif is_over or is_pointless:
            end = yield from _poll_to_end(at)
            if is_over or end.outcome.phase != "terminal":
                return (yield from _end_with(at, end))
            _know_end(at, end, MAX_FRUITLESS_AFTER_POLLING)
        elif at.fruitless and (seen := (yield from _ask_run(at))) and seen.outcome.phase == "terminal":
            _know_end(at, seen, MAX_FRUITLESS_AFTER_END)


def _know_end(at: Following, seen: Seen, tries: int) -> None:
    at.ended, at.fruitless = seen, MAX_FRUITLESS_AFTER_END - tries
    at.state = replace(at.state, faults=0, first_fault=None)


def _is_pointless(at: Following, found: Exception | None) -> bool:
    """Whether so many streams have brought nothing new that another would not, either."""
    if at.ended is not None:
        return at.fruitless >= MAX_FRUITLESS_AFTER_END
    is_quiet = isinstance(found, TimeoutError) and at.wait.clock.monotonic() - at.news_at < THINKING_SECONDS
    return at.fruitless >= MAX_FRUITLESS and not is_quiet


def _read_stream(at: Following) -> EventSteps[Seen | Exception | None]:
    """One stream to its end: the end of the run, or why there is no more of it; None if none is to be had."""
    at.has_news = False
    if at.handle is None:
        opened = yield from _open(at)
        if opened is None or isinstance(opened, Exception):
            return opened
        at.handle = opened
    while True:
        event = yield from _next(at)
        if isinstance(event, Exception):
            yield from close(at)
            return event
        end = yield from _take(at, event)
        if end is not None:
            return end


def _open(at: Following) -> Steps[Any]:
    """A stream of what comes after the cursor, what went wrong with the opening, or None if there is none to be had."""
    if at.created is not None or not at.cursor.can_resume:
        return None
    seconds = _read_seconds(at)
    if seconds <= 0:
        return TimeoutError("no time is left for a stream")
    try:
        handle = yield OpenStream(at.named.response_id, at.cursor.last, seconds)
    except Exception as error:  # noqa: BLE001 - raised again there unless it is known what it means
        return _not_opened(at, error)
    at.is_replay = at.cursor.has_unnumbered
    return handle


def _not_opened(at: Following, error: Exception) -> Exception | None:
    if isinstance(error, NoStreamError):
        try:
            judge_whole(error.answer, at.wait.catalog)
        except NoRunBodyError as garbage:
            return garbage
        return None  # the server gives the run itself: it has not heard of streams
    fault = read_fault(error)
    if fault.is_poll_fault:
        return error
    if fault.status_code in (None, 401, 403):
        raise error
    # A run that was just created may not be there for everybody yet.
    is_early = fault.status_code == 404 and _wait.is_fresh(at.state, at.wait.clock.monotonic())
    return error if is_early and at.state.known else None


def _next(at: Following) -> Steps[Any]:
    """The next event, or what went wrong with the stream."""
    if at.held:
        return at.held.popleft()
    seconds = _read_seconds(at)
    if seconds <= 0:
        return TimeoutError("no time is left for the stream")
    try:
        event = yield NextEvent(at.handle, seconds)
    except Exception as error:
        if not read_fault(error).is_poll_fault:
            raise
        return error
    return fault_in(event) or event


def _read_seconds(at: Following) -> float:
    idle = at.idle_seconds if at.ended is None else min(at.idle_seconds, IDLE_AFTER_END_SECONDS)
    room = at.room()
    return idle if room is None else min(idle, room)


def _take(at: Following, event: Any) -> EventSteps[Seen | Exception | None]:
    """Deal with an event: gives the end of the run if it tells that, or why there is no more of this stream.

    Where one is missing before it, another stream is opened for that; if none is to be had, this one goes on.
    """
    match at.cursor.place(event, is_replay=at.is_replay):
        case "new":
            return (yield from _pass_on(at, event))
        case "seen":
            return None
        case "gap":
            at.cursor = replace(at.cursor, is_gap_known=True)
    opened = yield from _open(at)
    if opened is None:
        return (yield from _pass_on(at, event))
    yield from close(at)
    if isinstance(opened, Exception):
        return opened
    at.handle = opened
    return None


def _pass_on(at: Following, event: Any) -> EventSteps[Seen | Exception | None]:
    """Give an event to whoever iterates; gives the end of the run if the event tells that."""
    kind = look(event, "type")
    is_last = kind in TERMINAL_EVENTS
    seen = _judged(at, event) if is_last or kind in _CHANGES else None
    if is_last:
        yield from close(at)
        if seen is None or seen.outcome.phase != "terminal":
            return StreamBrokenError(f"the stream ended with {kind}, which tells no end")
    _note(at, event)
    if seen is not None:
        yield from tell_update(at, seen)
    yield Emit(event)
    return seen if is_last else None


def _note(at: Following, event: Any) -> None:
    before, at.cursor = at.cursor.last, at.cursor.after(event)
    at.has_news, at.news_at = True, at.wait.clock.monotonic()
    if at.cursor.last != before:
        at.is_replay = False
    if at.state.faults or not at.state.known:
        at.state = replace(at.state, known=True, faults=0, first_fault=None)


def _judged(at: Following, event: Any) -> Seen:
    """The run that an event holds, judged as the same body would be from a poll."""
    seen = seen_by_caller(event, at.wait.catalog)
    status_code, request_id, url, library = at.handle.facts
    own_url = url if at.named.response_id in (url or "") else None
    note_request(seen.origin.run, request_id)
    return replace(seen, origin=Origin(seen.origin.run, seen.origin.error, status_code, request_id, own_url, library))


def _back_off(at: Following, error: Exception) -> Steps[bool]:
    """Wait as after a poll fault; False if there is no time left for that, or no patience."""
    now = at.wait.clock.monotonic()
    at.state, step = _wait.fault(
        at.wait.policy, at.state, now, retry_after=read_fault(error).retry_after, jitter=jitter()
    )
    if isinstance(step, _wait.Stop):
        return False
    yield from _wait_after(at, error, step)
    return True


def _wait_after(at: Following, error: BaseException, step: _wait.Sleep) -> Steps[None]:
    if at.wait.on_fault is not None:
        yield Tell(at.wait.on_fault, error)
    yield Pause(step.seconds, at.named.response_id)


def _ask_run(at: Following) -> Steps[Seen | None]:
    """Ask the run itself until it answers; None if it does not. Raises what a poll raises at once, such as 401."""
    while True:
        found = yield from ask(at.wait, at.token, at.state)
        if isinstance(found, Seen):
            # The server is there, so that a new row of faults begins; the delays go on growing.
            at.state = replace(at.state, known=True, polls=at.state.polls + 1, first_fault=None)
            yield from tell_update(at, found)
            return found
        at.state, step = after_failure(at.wait, at.state, found, read_fault(found))
        if isinstance(step, _wait.Stop):
            return None
        yield from _wait_after(at, found, step)


def _poll_to_end(at: Following) -> Steps[Seen]:
    """The end of the run as polling finds it, or the pending run that the caller accepts at the deadline."""
    # What is to be parsed is parsed once, and what interrupts is dealt with where it leaves.
    wait = replace(at.wait, wanted=replace(at.wait.wanted, text_format=None), on_interrupt="leave")
    try:
        response = yield from poll(wait, at.token, at.state, at.created, just_created=at.created is not None)
    except RunError as error:
        if error.outcome.phase != "terminal":
            raise
        return Seen(error.outcome, error.origin)
    return seen_by_caller(response, at.wait.catalog)


def _end_with(at: Following, seen: Seen) -> EventSteps[Seen]:
    """The end of a run of which no stream told."""
    if seen.outcome.phase == "terminal":
        yield from tell_update(at, seen)
        number = 0 if at.cursor.last is None else at.cursor.last + 1
        yield Emit(terminal_event(seen.origin.run, seen.outcome.status, number))
    return seen
