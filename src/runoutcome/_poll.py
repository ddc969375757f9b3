"""The steps of waiting for a run, of running it again, and of cancelling it. No I/O: see `_effects` for the loops."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from . import _sdk, _wait
from ._body import Reading, read
from ._catalog import Catalog
from ._classify import examine
from ._delay import parse_seconds
from ._dispatch import is_accepted, make_error, origin_of, retry_after
from ._effects import Cancel, Clock, Pause, Poll, Steps, Tell
from ._exception_bases import Origin
from ._exceptions import PollingLostError, RunGoneError, RunUnknownError, WaitTimeoutError
from ._head import read_head
from ._judge import judge
from ._model import HOME, Outcome
from ._portable import Portable
from ._token import ResumeToken

OnTimeout = Literal["leave", "cancel"]
_HINT = "openai-poll-after-ms"
_KEEP_POLLING = (408, 409, 429)
_UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError, _sdk.APIResponseValidationError)


@dataclass(frozen=True)
class Wait:
    """What one wait was asked for, and what it is told with."""

    policy: _wait.WaitPolicy
    clock: Clock
    catalog: Catalog
    accept: frozenset[str] = frozenset()
    on_timeout: OnTimeout = "leave"
    on_update: Callable[[Outcome], Any] | None = None
    on_fault: Callable[[BaseException], Any] | None = None


@dataclass(frozen=True)
class Seen:
    """A body that a good poll brought, and its outcome."""

    outcome: Outcome
    origin: Origin
    hint_seconds: float | None = None
    """When the server wishes to be asked again."""
    unread: _sdk.Answer | None = None
    """The answer whose body was read up to its status only, as the run is pending."""


def poll(
    wait: Wait, token: ResumeToken, state: _wait.WaitState, first: Seen | None = None, *, just_created: bool = False
) -> Steps[_sdk.Response]:
    """Steps of waiting for one run; gives the SDK's response if it is completed, or accepted.

    `first` is a body the caller already has: a terminal one is judged without a request, and one that our own create
    has just brought (`just_created`) needs no poll at once. Raises what `Runs.poll` says.
    """
    with carrying(token.dumps()):
        if first is not None and first.outcome.phase == "terminal":
            yield from _tell_change(wait, None, first)
            return _finish(wait, first)
        seen = first if just_created else None
        yield from _tell_change(wait, None, seen)
        last_fault: BaseException | None = None
        step: _wait.Next = _wait.Sleep(0.0)
        if seen is not None:
            state, step = _after(wait, state, seen)
        while True:
            if isinstance(step, _wait.Stop):
                return (yield from _stop(wait, token, state, step, seen, last_fault))
            if step.seconds > 0 and (yield Pause(step.seconds, token.response_id)):
                state = _wait.noticed(state, wait.clock.monotonic())
            found = yield from _ask(wait, token, state)
            if isinstance(found, BaseException):
                state, step = _after_failure(wait, state, found)
                last_fault = found
                if wait.on_fault is not None and isinstance(step, _wait.Sleep):
                    yield Tell(wait.on_fault, found)
                continue
            yield from _tell_change(wait, seen, found)
            seen, last_fault = found, None
            if found.outcome.phase == "terminal":
                return _finish(wait, found)
            state, step = _after(wait, state, found)


def cancel(wait: Wait, token: ResumeToken, max_retries: int | None = None) -> Steps[_sdk.Response]:
    """Steps of cancelling a run; gives the SDK's response with the true state after the request.

    A run that had ended already answers 200, 400 or 409, by server and mode, and an answer can be lost: it is read
    again then, and whatever it became is given back. Raises the SDK's own error for a run that does not exist, or if
    neither request worked, and RunUnknownError if the read brought no run body.
    """
    with carrying(token.dumps()):
        try:
            response = yield Cancel(token.response_id, max_retries)
        except Exception as error:
            if not _may_be_taken(error):
                raise
        else:
            if examine(response, catalog=wait.catalog)[0].phase == "terminal":
                return _model_of(Origin(response))
        try:
            answer: _sdk.Answer = yield Poll(token.response_id, _sdk.POLL_TIMEOUT_SECONDS)
            return _model_of(_judged_whole(answer, wait.catalog).origin)
        except Exception as error:
            if not isinstance(error, (_NoRunBodyError, *_sdk.transport_errors())):
                raise
            raise RunUnknownError.of(examine(None, catalog=wait.catalog)[0], Origin()) from error


def _may_be_taken(error: Exception) -> bool:
    """Whether a cancel that was answered so may have done its work, or had none to do; the run itself says so."""
    if isinstance(error, _sdk.APIStatusError):
        return error.status_code in (400, 404, 409)
    return isinstance(error, (_sdk.APIConnectionError, *_UNREADABLE, *_sdk.transport_errors()))


def seen_by_caller(obj: object, catalog: Catalog) -> Seen:
    """The body of a response that the caller, or a create, already has."""
    outcome, reading = examine(obj, catalog=catalog)
    return Seen(outcome, origin_of(obj, reading))


def state_of(clock: Clock, token: ResumeToken, *, known: bool, started: float | None = None) -> _wait.WaitState:
    """The state at the start of a wait, whose deadline counts from `started` (from now, if left out)."""
    now = clock.monotonic()
    started = now if started is None else started
    age = max(0.0, clock.time() - token.submitted_at) if token.submitted_at is not None else 0.0
    created = now - age if token.submitted_at is not None else None
    return _wait.WaitState(started, age_seconds=age - (now - started), known=known, created=created)


@contextmanager
def carrying(token: str) -> Generator[None]:
    """Whatever leaves, also Ctrl-C and cancellation, carries the resume token as `.run_token`."""
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, Portable) and error.run_token):
            with suppress(AttributeError):  # an exception class with slots leaves as it is
                error.run_token = token  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        raise


class _NoRunBodyError(Exception):
    """A 2xx answer to a poll that is no run body: HTML, `{}`, cut or empty JSON."""


def _ask(wait: Wait, token: ResumeToken, state: _wait.WaitState) -> Steps[Seen | BaseException]:
    """One poll: what it brought, or what went wrong with it."""
    timeout = _wait.poll_seconds(wait.policy, state, wait.clock.monotonic())
    try:
        answer: _sdk.Answer = yield Poll(token.response_id, timeout)
        return judge_answer(answer, wait.catalog)
    except BaseException as error:  # noqa: BLE001 - whoever asked raises it again unless it is a poll fault
        return error


def judge_answer(answer: _sdk.Answer, catalog: Catalog) -> Seen:
    """What a 2xx answer to a poll shows: of a pending run only the status is read. Raises a poll fault for the rest."""
    return _pending(answer, catalog) or _judged_whole(answer, catalog)


def _pending(answer: _sdk.Answer, catalog: Catalog) -> Seen | None:
    """What is seen of a run that is pending, by the beginning of its body; None if that does not say so."""
    head, place = read_head(answer.content), catalog.surfaces[HOME]
    if head is None or head["status"] not in place.pending or not isinstance(head.get("id"), str):
        return None
    if head.get("object") != place.object:
        return None
    outcome = judge(Reading("run", head, place.object, head["status"], None, head["id"]), place, catalog)
    origin = Origin(None, None, answer.status_code, answer.request_id, answer.url, answer.http_library)
    return Seen(outcome, origin, _hint(answer), answer)


def _judged_whole(answer: _sdk.Answer, catalog: Catalog) -> Seen:
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        raise _NoRunBodyError(f"HTTP {answer.status_code} with {_kind_of_page(answer.content)}") from None
    reading = read(body) if isinstance(body, dict) else Reading("none")
    run = reading.run
    is_run = reading.kind == "run" and reading.object in (None, "response") and isinstance(run, dict)
    if not is_run or not isinstance(run.get("id"), str) or "status" not in run:
        raise _NoRunBodyError(f"HTTP {answer.status_code} with JSON that is no run")
    outcome = judge(reading, catalog.surfaces[HOME], catalog)
    # The model is built once, not per poll.
    ended = _sdk.build_run(run, answer.request_id) if outcome.phase == "terminal" else run
    return Seen(
        outcome,
        Origin(ended, reading.error, answer.status_code, answer.request_id, answer.url, answer.http_library),
        _hint(answer),
    )


def _hint(answer: _sdk.Answer) -> float | None:
    return parse_seconds(answer.headers.get(_HINT), 0.001)


def _kind_of_page(content: bytes) -> str:
    text = content.lstrip()
    return "an HTML page" if text.startswith(b"<") else "cut JSON" if text else "an empty body"


def _after(wait: Wait, state: _wait.WaitState, seen: Seen) -> tuple[_wait.WaitState, _wait.Next]:
    after = _wait.unknown if seen.outcome.phase == "unknown" else _wait.pending
    now = wait.clock.monotonic()
    return after(wait.policy, state, now, hint_seconds=seen.hint_seconds, jitter=jitter())


def _after_failure(wait: Wait, state: _wait.WaitState, error: BaseException) -> tuple[_wait.WaitState, _wait.Next]:
    """The next step after a poll that gave no body; raises `error` if it is neither a poll fault nor a 404."""
    now = wait.clock.monotonic()
    if isinstance(error, _sdk.APIStatusError):
        status = error.status_code
        if status == 404 and (not state.known or _sdk.is_api_envelope(error)):
            state, step = _wait.missing(wait.policy, state, now)
            if step == _wait.Stop("missing"):
                raise error
            return state, step
        # A page of something in between that says 404 for a run we know is no word of the API.
        if 400 <= status < 500 and status != 404 and status not in _KEEP_POLLING:
            raise error
    elif not isinstance(error, (_NoRunBodyError, _sdk.APIConnectionError, *_sdk.transport_errors())):
        raise error
    return _wait.fault(wait.policy, state, now, retry_after=retry_after(error), jitter=jitter())


def _stop(
    wait: Wait,
    token: ResumeToken,
    state: _wait.WaitState,
    stop: _wait.Stop,
    seen: Seen | None,
    cause: BaseException | None,
) -> Steps[_sdk.Response]:
    token = replace(token, seen=token.seen or seen is not None)
    response_id, text = token.response_id, token.dumps()
    outcome = seen.outcome if seen else None
    status = outcome.status if outcome else "not known: no poll was answered"
    waited = wait.clock.monotonic() - state.started
    if stop.reason == "gone" and isinstance(cause, _sdk.NotFoundError):
        raise RunGoneError.of(cause, response_id, text) from cause
    if stop.reason == "lost":
        raise PollingLostError(
            f"Polls of the run {response_id} failed for longer than the budget, the last one with "
            f"{type(cause).__name__}. The run was left alone and may have completed: poll its token to go on.",
            response_id=response_id,
            token=text,
            key=token.key,
            outcome=outcome,
        ) from cause
    ending = "It was left alone and may still complete: poll its token to go on."
    if wait.on_timeout == "cancel":
        try:
            final = yield from cancel(wait, token, max_retries=0)
        except Exception as error:  # noqa: BLE001 - a cancel that fails must not hide why it was sent
            ending = f"It could not be cancelled ({type(error).__name__}) and may still be going: poll its token."
        else:
            seen = seen_by_caller(final, wait.catalog)
            outcome, ending = seen.outcome, f"It was asked to stop, and is {seen.outcome.status} now."
            if outcome.phase != "terminal":
                ending += " It may still complete: poll its token to go on."
            if outcome.phase == "terminal" and outcome.status != "cancelled":
                return _finish(wait, seen)  # it had ended by itself, and that is what counts
    if seen is not None and is_accepted(seen.outcome, wait.accept):
        with suppress(_NoRunBodyError):  # what follows the status may be broken
            return _model_of((_judged_whole(seen.unread, wait.catalog) if seen.unread else seen).origin)
    if seen is not None and seen.outcome.phase == "unknown":
        raise RunUnknownError.of(seen.outcome, replace(seen.origin, run=_model_of(seen.origin))) from cause
    seconds = f"{waited:,.0f}" if waited >= 10 else f"{waited:.1f}"
    raise WaitTimeoutError(
        f"The run {response_id} had not ended after {seconds} s (status: {status}). {ending}",
        response_id=response_id,
        token=text,
        key=token.key,
        outcome=outcome,
    ) from cause


def _finish(wait: Wait, seen: Seen) -> _sdk.Response:
    if is_accepted(seen.outcome, wait.accept):
        return _model_of(seen.origin)
    raise make_error(seen.outcome, seen.origin) from None


def _model_of(origin: Origin) -> _sdk.Response:
    """The SDK's model of the body; what the caller gave himself is given back as it is."""
    run: Any = origin.run
    if origin.http_library is not None and isinstance(run, dict):
        return _sdk.build_run(run, origin.request_id)
    given: _sdk.Response = run
    return given


def _tell_change(wait: Wait, before: Seen | None, now: Seen | None) -> Steps[None]:
    changed = now is not None and (before is None or before.outcome.status != now.outcome.status)
    if wait.on_update is not None and changed and now is not None:
        yield Tell(wait.on_update, now.outcome)


def jitter() -> float:
    """A factor for a delay, drawn anew each time."""
    return random.uniform(1 - _wait.JITTER, 1 + _wait.JITTER)
