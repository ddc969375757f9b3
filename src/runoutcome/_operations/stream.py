"""Follows the stream of a run to the run's end: generator steps without I/O.

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

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .. import _sdk
from .._errors.bases import Origin, RunError
from .._outcome.body import look
from .._outcome.outcome import Outcome
from .._sdk.event_stream import NoStreamError, StreamBrokenError, note_request, terminal_event
from .._sdk.faults import NoRunBodyError, read_fault
from .._waiting import polling as _wait
from .._waiting.resume_token import ResumeToken
from .._waiting.stream_cursor import TERMINAL_EVENTS, Cursor
from .effects import CloseStream, NextEvent, OpenStream, Pause, Steps, Tell, resume
from .interrupts import carrying, tell
from .observation import Seen, finish, judge_whole, seen_by_caller
from .poll import Wait, after_failure, ask, jitter, poll
from .stream_events import Emit, Ended, EventSteps, fault_in

IDLE_TIMEOUT_SECONDS = 60.0
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


@dataclass
class Follower:
    """Follows the stream of one run to the run's end; its steps carry its state on."""

    wait: Wait
    named: ResumeToken
    """The run, as it was named or made."""
    state: _wait.WaitState
    idle_seconds: float = IDLE_TIMEOUT_SECONDS
    cursor: Cursor = Cursor()
    handle: Any = None
    """The open stream."""
    held: deque[Any] = field(default_factory=deque[Any])
    """Events of it that were read already."""
    created: Seen | None = None
    """What a create was answered with in place of a stream: there is none to be had."""
    ended: Seen | None = None
    """The end of the run, where the run itself told it."""
    has_news: bool = False
    """The present stream has brought something new."""
    is_replay: bool = False
    """The present stream may begin with events that have no number and were passed on before."""
    fruitless: int = 0
    """Streams in a row that brought nothing new."""
    news_at: float = field(init=False)
    """When something new came last, or when the wait began."""

    def __post_init__(self) -> None:
        if self.wait.on_update is not None:
            self.wait = replace(self.wait, on_update=_only_changes(self.wait.on_update))
        self.news_at = self.wait.clock.monotonic()

    @property
    def token(self) -> ResumeToken:
        """The resume token, which holds the cursor, too."""
        return replace(self.named, seen=self.named.seen or self.state.known, cursor=self.cursor.last)

    def room(self) -> float | None:
        """Seconds until the time that is kept for a last poll; None without a deadline."""
        return _wait.room(self.wait.policy, self.state, self.wait.clock.monotonic())

    def follow(self) -> EventSteps[Seen]:
        """Steps of following a run to its end; gives what it has become, whatever that is.

        Raises what `poll` raises for a wait that ends before the run does. The stream is closed then, and what leaves
        carries the resume token.
        """
        try:
            return (yield from self._follow())
        except GeneratorExit:
            raise
        except BaseException as error:
            yield from self.leave(error)
            raise

    def result(self, seen: Seen) -> _sdk.Response:
        """The response of a run that was followed to its end. Raises what any other end amounts to."""
        token = self.token.dumps()
        with carrying(token):
            return finish(self.wait.wanted, seen, token)

    def _follow(self) -> EventSteps[Seen]:
        while True:
            found = yield from self._read_stream()
            if isinstance(found, Seen):
                return found
            self.fruitless = 0 if self.has_news else self.fruitless + 1
            is_pointless = self._is_pointless(found)
            is_over = found is None or self._read_seconds() <= 0
            if found is not None and not is_over and not is_pointless:
                is_over = not (yield from self._back_off(found))
            if self.ended is not None:
                if is_over or is_pointless:
                    return (yield from self._end_with(self.ended))
            elif is_over or is_pointless:
                end = yield from self._poll_to_end()
                if is_over or end.outcome.phase != "terminal":
                    return (yield from self._end_with(end))
                self._know_end(end, MAX_FRUITLESS_AFTER_POLLING)
            elif self.fruitless and (seen := (yield from self._ask_run())) and seen.outcome.phase == "terminal":
                self._know_end(seen, MAX_FRUITLESS_AFTER_END)

    def _know_end(self, seen: Seen, tries: int) -> None:
        self.ended, self.fruitless = seen, MAX_FRUITLESS_AFTER_END - tries
        self.state = replace(self.state, faults=0, first_fault=None)

    def _is_pointless(self, found: Exception | None) -> bool:
        """Whether so many streams have brought nothing new that another would not, either."""
        if self.ended is not None:
            return self.fruitless >= MAX_FRUITLESS_AFTER_END
        is_quiet = isinstance(found, TimeoutError) and self.wait.clock.monotonic() - self.news_at < THINKING_SECONDS
        return self.fruitless >= MAX_FRUITLESS and not is_quiet

    def _read_stream(self) -> EventSteps[Seen | Exception | None]:
        """One stream to its end: the end of the run, or why there is no more of it; None if none is to be had."""
        self.has_news = False
        if self.handle is None:
            opened = yield from self._open()
            if opened is None or isinstance(opened, Exception):
                return opened
            self.handle = opened
        while True:
            event = yield from self._next()
            if isinstance(event, Exception):
                yield from self.close()
                return event
            end = yield from self._take(event)
            if end is not None:
                return end

    def _open(self) -> Steps[Any]:
        """A stream of the events after the cursor, the fault of its opening, or None where the server has no stream."""
        if self.created is not None or not self.cursor.can_resume:
            return None
        seconds = self._read_seconds()
        if seconds <= 0:
            return TimeoutError("no time is left for a stream")
        try:
            handle = yield OpenStream(self.named.response_id, self.cursor.last, seconds)
        except Exception as error:  # noqa: BLE001 - raised again there unless it is known what it means
            return self._not_opened(error)
        self.is_replay = self.cursor.has_unnumbered
        return handle

    def _not_opened(self, error: Exception) -> Exception | None:
        if isinstance(error, NoStreamError):
            try:
                judge_whole(error.answer, self.wait.catalog)
            except NoRunBodyError as garbage:
                return garbage
            return None  # the server gives the run itself: it has not heard of streams
        fault = read_fault(error)
        if fault.is_poll_fault:
            return error
        if fault.status_code in (None, 401, 403):
            raise error
        # A run that was just created may not be there for everybody yet.
        is_early = fault.status_code == 404 and _wait.is_fresh(self.state, self.wait.clock.monotonic())
        return error if is_early and self.state.known else None

    def _next(self) -> Steps[Any]:
        """The next event, or what went wrong with the stream."""
        if self.held:
            return self.held.popleft()
        seconds = self._read_seconds()
        if seconds <= 0:
            return TimeoutError("no time is left for the stream")
        try:
            event = yield NextEvent(self.handle, seconds)
        except Exception as error:
            if not read_fault(error).is_poll_fault:
                raise
            return error
        return fault_in(event) or event

    def _read_seconds(self) -> float:
        idle = self.idle_seconds if self.ended is None else min(self.idle_seconds, IDLE_AFTER_END_SECONDS)
        room = self.room()
        return idle if room is None else min(idle, room)

    def _take(self, event: Any) -> EventSteps[Seen | Exception | None]:
        """Deal with an event: gives the end of the run if it tells that, or why there is no more of this stream.

        Where one is missing before it, another stream is opened for that; if none is to be had, this one goes on.
        """
        match self.cursor.place(event, is_replay=self.is_replay):
            case "new":
                return (yield from self._pass_on(event))
            case "seen":
                return None
            case "gap":
                self.cursor = replace(self.cursor, is_gap_known=True)
        opened = yield from self._open()
        if opened is None:
            return (yield from self._pass_on(event))
        yield from self.close()
        if isinstance(opened, Exception):
            return opened
        self.handle = opened
        return None

    def _pass_on(self, event: Any) -> EventSteps[Seen | Exception | None]:
        """Give an event to whoever iterates; gives the end of the run if the event tells that."""
        kind = look(event, "type")
        is_last = kind in TERMINAL_EVENTS
        seen = self._judged(event) if is_last or kind in _CHANGES else None
        if is_last:
            yield from self.close()
            if seen is None or seen.outcome.phase != "terminal":
                return StreamBrokenError(f"the stream ended with {kind}, which tells no end")
        self._note(event)
        if seen is not None:
            yield from self._tell_update(seen)
        yield Emit(event)
        return seen if is_last else None

    def _note(self, event: Any) -> None:
        before, self.cursor = self.cursor.last, self.cursor.after(event)
        self.has_news, self.news_at = True, self.wait.clock.monotonic()
        if self.cursor.last != before:
            self.is_replay = False
        if self.state.faults or not self.state.known:
            self.state = replace(self.state, known=True, faults=0, first_fault=None)

    def _judged(self, event: Any) -> Seen:
        """The run that an event holds, judged as the same body would be from a poll."""
        seen = seen_by_caller(event, self.wait.catalog)
        status_code, request_id, url, library = self.handle.facts
        own_url = url if self.named.response_id in (url or "") else None
        note_request(seen.origin.run, request_id)
        return replace(
            seen, origin=Origin(seen.origin.run, seen.origin.error, status_code, request_id, own_url, library)
        )

    def _back_off(self, error: Exception) -> Steps[bool]:
        """Wait as after a poll fault; False if there is no time left for that, or no patience."""
        now = self.wait.clock.monotonic()
        self.state, step = _wait.fault(
            self.wait.policy, self.state, now, retry_after=read_fault(error).retry_after, jitter=jitter()
        )
        if isinstance(step, _wait.Stop):
            return False
        yield from self._wait_after(error, step)
        return True

    def _wait_after(self, error: BaseException, step: _wait.Sleep) -> Steps[None]:
        if self.wait.on_fault is not None:
            yield Tell(self.wait.on_fault, error)
        yield Pause(step.seconds, self.named.response_id)

    def _ask_run(self) -> Steps[Seen | None]:
        """Ask the run itself until it answers; None if it does not. Raises what a poll raises at once, such as 401."""
        while True:
            found = yield from ask(self.wait, self.token, self.state)
            if isinstance(found, Seen):
                # The server is there, so that a new row of faults begins; the delays go on growing.
                self.state = replace(self.state, known=True, polls=self.state.polls + 1, first_fault=None)
                yield from self._tell_update(found)
                return found
            self.state, step = after_failure(self.wait, self.state, found, read_fault(found))
            if isinstance(step, _wait.Stop):
                return None
            yield from self._wait_after(found, step)

    def _poll_to_end(self) -> Steps[Seen]:
        """The end of the run as polling finds it, or the pending run that the caller accepts at the deadline."""
        # What is to be parsed is parsed once, and what interrupts is dealt with where it leaves.
        wait = replace(self.wait, wanted=replace(self.wait.wanted, text_format=None), on_interrupt="leave")
        try:
            response = yield from poll(
                wait, self.token, self.state, self.created, just_created=self.created is not None
            )
        except RunError as error:
            if error.outcome.phase != "terminal":
                raise
            return Seen(error.outcome, error.origin)
        return seen_by_caller(response, self.wait.catalog)

    def _end_with(self, seen: Seen) -> EventSteps[Seen]:
        """The end of a run of which no stream told."""
        if seen.outcome.phase == "terminal":
            yield from self._tell_update(seen)
            number = 0 if self.cursor.last is None else self.cursor.last + 1
            yield Emit(terminal_event(seen.origin.run, seen.outcome.status, number))
        return seen

    def close(self) -> Steps[None]:
        """Close the stream if one is open; the run is left alone."""
        handle, self.handle = self.handle, None
        self.held.clear()
        if handle is not None:
            yield CloseStream(handle)

    def leave(self, error: BaseException) -> Steps[None]:
        """What is done when an exception leaves: it takes the resume token along, and the stream is closed."""
        self.carry(error)
        yield from self.close()

    def _tell_update(self, seen: Seen) -> Steps[None]:
        if self.wait.on_update is not None:
            yield Tell(self.wait.on_update, seen.outcome)

    def carry(self, error: BaseException) -> None:
        """Give an exception the resume token, unless it has one."""
        if getattr(error, "run_token", None) is None:
            tell(error, "run_token", self.token.dumps())


def next_event(steps: EventSteps[Seen]) -> Steps[Emit | Ended]:
    """Steps up to the next event of `steps`, for a driver that knows nothing of events."""
    result, error = None, None
    try:
        while not isinstance(effect := resume(steps, result, error), Emit):
            result, error = None, None
            try:
                result = yield effect
            except BaseException as failure:  # noqa: BLE001 - the steps decide about all, Ctrl-C too
                error = failure
    except StopIteration as end:
        return Ended(end.value)
    return effect


def _only_changes(on_update: Callable[[Outcome], Any]) -> Callable[[Outcome], Any]:
    """`on_update`, called only for a status other than the one before, whether an event or a poll brought it."""
    last: list[str | None] = []

    def update(outcome: Outcome) -> Any:
        if last == [outcome.status]:
            return None
        last[:] = [outcome.status]
        return on_update(outcome)

    return update
