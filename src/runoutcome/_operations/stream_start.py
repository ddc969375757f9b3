"""Begins to follow a stream: of a run that exists, or of one that the stream's create makes. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .._outcome.body import look
from .._sdk import is_given
from .._sdk.event_stream import NoStreamError
from .._waiting.polling import window_seconds
from .._waiting.resume_token import ResumeToken
from .._waiting.stream_cursor import Cursor
from .effects import CloseStream, NextEvent, Steps, SubmitStream, Tell
from .events import Submission
from .interrupts import stopping
from .observation import Observation, observe
from .poll import Wait, state_of, time_left_of
from .stream import Follower
from .stream_events import fault_in
from .submit import include_of, prepare, submit, window_of, with_key


def follow_run(
    wait: Wait,
    token: ResumeToken,
    starting_after: int | None,
    idle_seconds: float,
    first: Observation | None,
    *,
    known: bool,
) -> Steps[Follower]:
    """Steps that begin to follow a run that exists. They send nothing, but the wait begins when they are taken.

    `first` is a body the caller already has.
    """
    yield from ()
    wait.events.tell("waiting", token)
    state = state_of(wait.clock, token, known=known)
    cursor = Cursor(token.cursor if starting_after is None else starting_after)
    ended = first if first is not None and first.outcome.phase == "terminal" else None
    return Follower(wait, token, state, idle_seconds, cursor, ended=ended)


def streaming(params: Mapping[str, Any], completion_window: str | None, key: str) -> dict[str, Any]:
    """The parameters of a create that opens a stream.

    Raises ValueError for parameters of which no stream, or no resumable stream, can be made.
    """
    window = completion_window or window_of(params)
    if window_seconds(window) is not None:
        raise ValueError(f"a run with the completion window {window!r} cannot be streamed: use create_and_poll")
    options = {name: value for name, value in params.items() if is_given(value)}
    for name in ("background", "stream"):
        if options.pop(name, None) not in (None, True):
            raise ValueError(f"create_and_stream sets {name}=True: without it a stream cannot be gone on with")
    return {**with_key(prepare(options), key), "stream": True}


def follow_new_run(
    wait: Wait,
    params: Mapping[str, Any],
    key: str,
    max_retries: int,
    idle_seconds: float,
    on_submitting: Callable[[str], Any] | None = None,
    on_refused: Callable[[str], Any] | None = None,
    on_submitted: Callable[[str], Any] | None = None,
) -> Steps[Follower]:
    """Steps that make a run and begin to follow it; they end when its id is known. Raises what `submit` raises."""
    started = wait.clock.monotonic()
    posting, time_left = _posting(idle_seconds), time_left_of(wait, started)
    submission = Submission(key, wait.events)
    opened = yield from submit(params, key, max_retries, on_submitting, on_refused, posting, time_left, submission)
    token = ResumeToken(opened.id, wait.clock.time(), key, trace=submission.trace, include=include_of(params))
    wait.known.add(token)
    state = state_of(wait.clock, token, known=True, started=started)
    follower = Follower(wait, token, state, idle_seconds)
    if isinstance(opened, _Opened):
        follower.handle, follower.held = opened.handle, deque(opened.events)
    else:
        follower.created = observe(opened, wait.catalog)
    try:
        wait.events.tell("submitted", token)
        yield from stopping(wait.on_interrupt, token, _tell_submitted(on_submitted, token), wait.events)
    except GeneratorExit:
        raise
    except BaseException as error:
        follower.tell_left(error)
        yield from follower.leave(error)
        raise
    return follower


def _tell_submitted(on_submitted: Callable[[str], Any] | None, token: ResumeToken) -> Steps[None]:
    if on_submitted is not None:
        yield Tell(on_submitted, token.dumps())


@dataclass(frozen=True)
class _Opened:
    """A run whose create opened a stream, as far as the stream was read: to the id."""

    id: str
    handle: Any
    events: list[Any]


def _posting(idle_seconds: float) -> Callable[[SubmitStream], Steps[Any]]:
    """The POST of a create that opens a stream; it has gone through once the id of the run has come."""

    def post(effect: SubmitStream) -> Steps[Any]:
        try:
            handle = yield effect
        except NoStreamError as error:
            return error.answer.content.decode("utf-8", "replace")  # `submit` finds the run in it
        events: list[Any] = []
        try:
            while True:
                event = yield NextEvent(handle, idle_seconds)
                response_id, fault = look(look(event, "response"), "id"), fault_in(event)
                is_named = isinstance(response_id, str) and bool(response_id)
                if fault is None:
                    events.append(event)
                elif not is_named:
                    raise fault
                if is_named:
                    effect.answers.append(_Opened(response_id, handle, events))
                    return effect.answers[0]
        except GeneratorExit:
            raise
        except BaseException:
            yield CloseStream(handle)
            raise

    return post
