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
from .._errors.bases import Origin
from .._outcome.body import look
from .._outcome.outcome import Outcome
from .._sdk.event_stream import NoStreamError, StreamBrokenError, note_request, terminal_event
from .._sdk.faults import NoRunBodyError, read_fault
from .._waiting import polling as _wait
from .._waiting.resume_token import ResumeToken
from .._waiting.stream_cursor import TERMINAL_EVENTS, Cursor
from .effects import CloseStream, NextEvent, OpenStream, Pause, Steps, resume
from .interrupts import carrying, tell
from .observation import Observation, finish, observe, observe_body
from .own_body import under_the_id_of, whose_is
from .poll import Wait, after_failure, ask, jitter, poll_to_end, tell_fault, tell_update
from .stream_events import Emit, Ended, EventSteps, fault_in

IDLE_TIMEOUT_SECONDS = 60.0
MAX_FRUITLESS = 5
"""Streams in a row that bring nothing new, before polling takes their place."""
THINKING_SECONDS = 300.0
"""Silence of this length is no fault while the run says that it is going; the API opens no stream of an older run."""
MAX_FRUITLESS_AFTER_END, MAX_FRUITLESS_AFTER_POLLING = 4, 2
"""The same limits once the run has ended, while the missing events are fetched and the end waits."""
IDLE_AFTER_END_SECONDS = 10.0
"""Silence limit once the run has ended: all its events exist already."""
_CHANGES = ("response.created", "response.queued", "response.in_progress")
"""Events with a status, besides the terminal ones; the others hold no run."""


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
    created: Observation | None = None
    """The response that answered a create in place of a stream; then there is no stream."""
    ended: Observation | None = None
    """The end of the run, where the run itself told it."""
    has_news: bool = False
    """The present stream has brought something new."""
    is_replay: bool = False
    """The present stream may begin with events that have no number and were passed on before."""
    fruitless: int = 0
    """Streams in a row that brought nothing new."""
    news_at: float = field(init=False)
    """Time of the last new event, or of the start of the wait."""
    is_told: bool = False
    """The observer knows how the wait ended."""

    def __post_init__(self) -> None:
        self.wait = replace(self.wait, events=replace(self.wait.events, only_changes=True))
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

    def follow(self) -> EventSteps[Observation]:
        """Steps of following a run to its end; gives its last observation.

        Raises what `poll` raises for a wait that ends before the run does. The stream is closed then, and what leaves
        carries the resume token.
        """
        try:
            end = yield from self._follow()
        except GeneratorExit:
            raise
        except BaseException as error:
            self.tell_left(error)
            yield from self.leave(error)
            raise
        if not self.is_told:
            self.is_told = True
            self.wait.events.tell_end(self.token, end)
        return end

    def result(self, observation: Observation) -> _sdk.Response:
        """The response of a run that was followed to its end. Raises what any other end amounts to."""
        token = self.token.dumps()
        with carrying(token):
            return finish(self.wait.expected, observation, token)

    def _follow(self) -> EventSteps[Observation]:
        while True:
            result = yield from self._read_stream()
            if isinstance(result, Observation):
                return result
            self.fruitless = 0 if self.has_news else self.fruitless + 1
            is_pointless = self._is_pointless(result)
            is_over = result is None or self._read_seconds() <= 0
            if result is not None and not is_over and not is_pointless:
                is_over = not (yield from self._back_off(result))
            if self.ended is not None:
                if is_over or is_pointless:
                    return (yield from self._end_with(self.ended))
            elif is_over or is_pointless:
                end = yield from self._poll_to_end()
                if is_over or end.outcome.phase != "terminal":
                    return (yield from self._end_with(end))
                self._know_end(end, MAX_FRUITLESS_AFTER_POLLING)
            elif (
                self.fruitless
                and (observation := (yield from self._ask_run()))
                and observation.outcome.phase == "terminal"
            ):
                self._know_end(observation, MAX_FRUITLESS_AFTER_END)

    def _know_end(self, observation: Observation, tries: int) -> None:
        self.ended, self.fruitless = observation, MAX_FRUITLESS_AFTER_END - tries
        self.state = replace(self.state, faults=0, first_fault=None)

    def _is_pointless(self, result: Exception | None) -> bool:
        """True if so many streams in a row brought nothing new that another is pointless."""
        if self.ended is not None:
            return self.fruitless >= MAX_FRUITLESS_AFTER_END
        is_quiet = isinstance(result, TimeoutError) and self.wait.clock.monotonic() - self.news_at < THINKING_SECONDS
        return self.fruitless >= MAX_FRUITLESS and not is_quiet

    def _read_stream(self) -> EventSteps[Observation | Exception | None]:
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
            handle = yield OpenStream(self.named.response_id, self.cursor.last, seconds, self.named.include)
        except Exception as error:  # noqa: BLE001 - raised again there unless it is known what it means
            return self._not_opened(error)
        self.is_replay = self.cursor.has_unnumbered
        return handle

    def _not_opened(self, error: Exception) -> Exception | None:
        if isinstance(error, NoStreamError):
            try:
                observe_body(error.answer, self.wait.catalog)
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

    def _take(self, event: Any) -> EventSteps[Observation | Exception | None]:
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

    def _pass_on(self, event: Any) -> EventSteps[Observation | Exception | None]:
        """Give an event to the caller; gives the end of the run if the event has it."""
        kind = look(event, "type")
        is_last = kind in TERMINAL_EVENTS
        observation = self._judged(event) if is_last or kind in _CHANGES else None
        whose = "own" if observation is None else whose_is(observation, self.wait.known, self.named)
        if observation is not None and whose != "own":
            observation = under_the_id_of(self.named, observation, whose) if whose == "unknown" else None
        if is_last:
            yield from self.close()
            if look(look(event, "response"), "id") != self.named.response_id:  # the run itself confirms its end
                observation = yield from self._ask_run()
            if observation is None or observation.outcome.phase != "terminal":
                return StreamBrokenError(f"the stream ended with {kind}, which tells no end")
        self._note(event)
        if observation is not None:
            yield from self._tell_update(observation)
        yield Emit(event)
        return observation if is_last else None

    def _note(self, event: Any) -> None:
        before, self.cursor = self.cursor.last, self.cursor.after(event)
        self.has_news, self.news_at = True, self.wait.clock.monotonic()
        if self.cursor.last != before:
            self.is_replay = False
        if self.state.faults or not self.state.known:
            self.state = replace(self.state, known=True, faults=0, first_fault=None)

    def _judged(self, event: Any) -> Observation:
        """The run that an event holds, judged as the same body would be from a poll."""
        observation = observe(event, self.wait.catalog)
        status_code, request_id, url, library = self.handle.facts
        own_url = url if self.named.response_id in (url or "") else None
        note_request(observation.origin.run, request_id)
        return replace(
            observation,
            origin=Origin(observation.origin.run, observation.origin.error, status_code, request_id, own_url, library),
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
        yield from tell_fault(self.wait, self.named, error)
        yield Pause(step.seconds, self.named.response_id)

    def _ask_run(self) -> Steps[Observation | None]:
        """Ask the run itself until it answers; None if it does not. Raises what a poll raises at once, such as 401."""
        while True:
            result = yield from ask(self.wait, self.token, self.state)
            if isinstance(result, Observation):
                # The server is there, so that a new row of faults begins; the delays go on growing.
                self.state = replace(
                    self.state, known=True, polls=self.state.polls + 1, first_fault=None, is_renamed=result.is_renamed
                )
                yield from self._tell_update(result)
                return result
            self.state, step = after_failure(self.wait, self.state, result, read_fault(result))
            if isinstance(step, _wait.Stop):
                return None
            yield from self._wait_after(result, step)

    def _poll_to_end(self) -> Steps[Observation]:
        """The end of the run as polling finds it, or the pending run that the caller accepts at the deadline."""
        # What interrupts is dealt with where it leaves.
        wait = replace(self.wait, on_interrupt="leave")
        return (
            yield from poll_to_end(wait, self.token, self.state, self.created, just_created=self.created is not None)
        )

    def _end_with(self, observation: Observation) -> EventSteps[Observation]:
        """The end of a run of which no stream told."""
        if observation.outcome.phase == "terminal":
            yield from self._tell_update(observation)
            number = 0 if self.cursor.last is None else self.cursor.last + 1
            yield Emit(terminal_event(observation.origin.run, observation.outcome.status, number))
        return observation

    def close(self) -> Steps[None]:
        """Close the stream if one is open; the run is left alone."""
        handle, self.handle = self.handle, None
        self.held.clear()
        if handle is not None:
            yield CloseStream(handle)

    def leave(self, error: BaseException) -> Steps[None]:
        """Close the stream for an exception that leaves, which takes the resume token along."""
        self.carry(error)
        yield from self.close()

    def _tell_update(self, observation: Observation) -> Steps[None]:
        yield from tell_update(self.wait, self.named, observation)

    def tell_left(self, error: BaseException | None = None) -> None:
        """Tell that the run is let go before its end, unless the end, or this, was told."""
        if not self.is_told:
            self.is_told = True
            self.wait.events.tell_left(error, self.token)

    def carry(self, error: BaseException) -> None:
        """Give an exception the resume token, unless it has one."""
        if getattr(error, "run_token", None) is None:
            tell(error, "run_token", self.token.dumps())


def next_event(steps: EventSteps[Observation]) -> Steps[Emit | Ended]:
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
