"""Waits for a run: generator steps without I/O."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .. import _sdk
from .._catalog.catalog import Catalog
from .._errors.exceptions import PollingLostError, RunGoneError, RunUnknownError, WaitTimeoutError
from .._errors.raising import is_accepted
from .._outcome.body import summary_of
from .._outcome.outcome import Outcome
from .._sdk.faults import Fault, NoRunBodyError, read_fault
from .._waiting import polling as _wait
from .._waiting.identity import KnownRuns
from .._waiting.resume_token import ResumeToken
from .cancel import cancel
from .effects import Clock, Pause, Steps, Tell
from .events import Events
from .interrupts import OnInterrupt, carrying, stopping
from .observation import (
    Expected,
    Observation,
    finish,
    model_of,
    observe,
    whole,
)
from .own_body import read_run

OnTimeout = Literal["leave", "cancel"]


@dataclass(frozen=True)
class Wait:
    """Settings of one wait: policy, clock, catalog, expected result and callbacks."""

    policy: _wait.WaitPolicy
    clock: Clock
    catalog: Catalog
    expected: Expected = field(default_factory=Expected)
    known: KnownRuns = field(default_factory=KnownRuns)
    on_timeout: OnTimeout = "leave"
    on_interrupt: OnInterrupt = "leave"
    on_update: Callable[[Outcome], Any] | None = None
    on_fault: Callable[[BaseException], Any] | None = None
    events: Events = field(default_factory=Events)


def poll(
    wait: Wait,
    token: ResumeToken,
    state: _wait.WaitState,
    first: Observation | None = None,
    *,
    just_created: bool = False,
) -> Steps[_sdk.Response]:
    """Steps of waiting for one run; gives the SDK's response if it is completed, or accepted.

    `first` is a body the caller already has: a terminal one is judged without a request, and one that our own create
    has just brought (`just_created`) needs no poll at once. Raises what `Runs.poll` says.
    """
    wait.events.tell("waiting", token)
    with wait.events.leaving(token):
        end = yield from poll_to_end(wait, token, state, first, just_created=just_created)
    wait.events.tell_end(token, end)
    with carrying(token.dumps()):
        return finish(wait.expected, end, token.dumps())


def poll_to_end(
    wait: Wait,
    token: ResumeToken,
    state: _wait.WaitState,
    first: Observation | None = None,
    *,
    just_created: bool = False,
) -> Steps[Observation]:
    """Steps of waiting for one run; gives its end, or the pending run that the caller accepts at the deadline.

    Raises what `poll` raises for a wait that ends before the run does.
    """
    with carrying(token.dumps()):
        if first is not None and first.outcome.phase == "terminal":
            yield from _tell_change(wait, token, None, first)
            return first
        going = _poll_on(wait, token, state, first if just_created else None)
        return (yield from stopping(wait.on_interrupt, token, going, wait.events))


def _poll_on(wait: Wait, token: ResumeToken, state: _wait.WaitState, last: Observation | None) -> Steps[Observation]:
    yield from _tell_change(wait, token, None, last)
    last_fault: BaseException | None = None
    step: _wait.Next = _wait.Sleep(0.0)
    listens_to: str | None = token.response_id
    if last is not None:
        state, step = _after(wait, state, last)
    while True:
        if isinstance(step, _wait.Stop):
            outcome = last.outcome if last else None
            status = outcome.status if outcome else None
            wait.events.tell("gave_up", token, reason=step.reason, status=status, outcome=outcome)
            return (yield from _stop(wait, token, state, step, last, last_fault))
        if step.seconds > 0 and (yield Pause(step.seconds, listens_to)):
            state = _wait.noticed(state, wait.clock.monotonic())
        result = yield from ask(wait, token, state)
        if isinstance(result, BaseException):
            fault = read_fault(result)
            state, step = after_failure(wait, state, result, fault)
            last_fault = result
            # A notice says that the run has ended, and not that the server may be asked sooner than it wishes.
            listens_to = None if fault.retry_after else token.response_id
            if isinstance(step, _wait.Sleep):
                yield from tell_fault(wait, token, result)
            continue
        yield from _tell_change(wait, token, last, result)
        last, last_fault, listens_to = result, None, token.response_id
        if result.outcome.phase == "terminal":
            return result
        state, step = _after(wait, state, result)


def state_of(clock: Clock, token: ResumeToken, *, known: bool, started: float | None = None) -> _wait.WaitState:
    """The state at the start of a wait, whose deadline counts from `started` (from now, if left out)."""
    now = clock.monotonic()
    started = now if started is None else started
    age = token.age_at(clock.time()) or 0.0
    created = now - age if token.submitted_at is not None else None
    return _wait.WaitState(started, age_seconds=age - (now - started), known=known, created=created)


def time_left_of(wait: Wait, started: float) -> Callable[[], float]:
    """A function that gives the seconds until the deadline of a wait that began then; infinity without one."""
    longest = wait.policy.max_wait_seconds
    return lambda: math.inf if longest is None else started + longest - wait.clock.monotonic()


def ask(wait: Wait, token: ResumeToken, state: _wait.WaitState) -> Steps[Observation | BaseException]:
    """One poll: its observation, or its exception."""
    timeout = _wait.poll_seconds(wait.policy, state, wait.clock.monotonic())
    try:
        return (yield from read_run(wait.catalog, wait.known, wait.events, token, timeout, is_renamed=state.is_renamed))
    except BaseException as error:  # noqa: BLE001 - the caller raises it again unless it is a poll fault
        return error


def _after(wait: Wait, state: _wait.WaitState, last: Observation) -> tuple[_wait.WaitState, _wait.Next]:
    after = _wait.unknown if last.outcome.phase == "unknown" else _wait.pending
    state, now = replace(state, is_renamed=state.is_renamed or last.is_renamed), wait.clock.monotonic()
    return after(wait.policy, state, now, hint_seconds=last.hint_seconds, jitter=jitter())


def after_failure(
    wait: Wait, state: _wait.WaitState, error: BaseException, fault: Fault
) -> tuple[_wait.WaitState, _wait.Next]:
    """The next step after a poll that gave no body; raises `error` if it is neither a poll fault nor a 404."""
    now = wait.clock.monotonic()
    if fault.status_code == 404:
        # A page of something in between that says 404 for a run we know is no word of the API.
        if not state.known or fault.is_json:
            state, step = _wait.missing(wait.policy, state, now)
            if step == _wait.Stop("missing"):
                raise error
            return state, step
    elif not fault.is_poll_fault:
        raise error
    return _wait.fault(wait.policy, state, now, retry_after=fault.retry_after, jitter=jitter())


def tell_fault(wait: Wait, token: ResumeToken, error: BaseException) -> Steps[None]:
    """Tell of a poll fault that the wait goes on after."""
    wait.events.tell("fault", token, error=error)
    if wait.on_fault is not None:
        yield Tell(wait.on_fault, error)


def _stop(
    wait: Wait,
    token: ResumeToken,
    state: _wait.WaitState,
    stop: _wait.Stop,
    last: Observation | None,
    cause: BaseException | None,
) -> Steps[Observation]:
    token = replace(token, seen=token.seen or last is not None)
    response_id, text = token.response_id, token.dumps()
    outcome = last.outcome if last else None
    status = _status(outcome)
    waited = wait.clock.monotonic() - state.started
    if stop.reason == "gone" and isinstance(cause, _sdk.NotFoundError):
        raise RunGoneError.of(cause, response_id, text, token.age_at(wait.clock.time())) from cause
    if stop.reason == "lost":
        raise PollingLostError(
            f"Polls of the run {response_id} failed for longer than the budget, the last one with "
            f"{described(cause)}. The run was left alone and may have completed: poll its token to go on.",
            response_id=response_id,
            token=text,
            key=token.key,
            outcome=outcome,
        ) from cause
    ending = "It was left alone and may still complete: poll its token to go on."
    trouble = f" The last poll failed with {described(cause)}." if cause else ""
    if wait.on_timeout == "cancel":
        try:
            final = yield from cancel(
                wait.clock, wait.catalog, wait.known, wait.events, token, known=state.known, max_retries=0
            )
        except Exception as error:  # noqa: BLE001 - a cancel that fails must not hide why it was sent
            ending = f"It could not be cancelled ({type(error).__name__}) and may still be going: poll its token."
        else:
            before, last = last, observe(final, wait.catalog)
            yield from _tell_change(wait, token, before, last)
            outcome, ending = last.outcome, f"It was asked to stop, and is {last.outcome.status} now."
            if outcome.phase != "terminal":
                ending += " It may still complete: poll its token to go on."
            if outcome.phase == "terminal" and outcome.status != "cancelled":
                return last  # it had ended by itself, and that is what counts
    if last is not None and is_accepted(last.outcome, wait.expected.accept):
        with suppress(NoRunBodyError):  # what follows the status may be broken
            return whole(last, wait.catalog)
    if last is not None and last.outcome.phase == "unknown":
        raise RunUnknownError.of(last.outcome, replace(last.origin, run=model_of(last.origin))) from cause
    raise WaitTimeoutError(
        f"The run {response_id} had not ended after {_seconds(waited)} s (status: {status}).{trouble} {ending}",
        response_id=response_id,
        token=text,
        key=token.key,
        outcome=outcome,
    ) from cause


def _tell_change(wait: Wait, token: ResumeToken, before: Observation | None, now: Observation | None) -> Steps[None]:
    if now is not None and (before is None or before.outcome.status != now.outcome.status):
        yield from tell_update(wait, token, now)


def tell_update(wait: Wait, token: ResumeToken, now: Observation) -> Steps[None]:
    """Tell of a status."""
    wait.events.tell("changed", token, status=now.outcome.status, outcome=now.outcome)
    if wait.on_update is not None:
        yield Tell(wait.on_update, now.outcome)


def described(fault: BaseException | None) -> str:
    """The class of a fault, and the words of the server that came with it."""
    words = summary_of(read_fault(fault).words) if fault is not None else None
    return f"{type(fault).__name__} ({words})" if words else type(fault).__name__


def _status(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not known: no poll was answered"
    return f"{outcome.status}, with the error {outcome.code}" if outcome.code else f"{outcome.status}"


def _seconds(waited: float) -> str:
    return f"{waited:,.0f}" if waited >= 10 else f"{waited:.1f}"


def jitter() -> float:
    """A factor for a delay, drawn anew each time."""
    return random.uniform(1 - _wait.JITTER, 1 + _wait.JITTER)
