"""Cancels a run: one request, and then its true state. Generator steps without I/O."""

from __future__ import annotations

from .. import _sdk
from .._catalog.catalog import Catalog
from .._errors.bases import Origin
from .._errors.exceptions import RunGoneError, RunUnknownError
from .._outcome.body import look, word
from .._outcome.classify import examine
from .._sdk.faults import read_fault
from .._waiting.identity import KnownRuns
from .._waiting.resume_token import ResumeToken
from .effects import Cancel, Clock, Pause, Steps
from .events import Events
from .interrupts import carrying
from .observation import Observation, model_of, observe, whole
from .own_body import read_run, whose_is

WAIT_SECONDS = 5.0
"""Time that a cancel may take to have effect before the run is returned as it is."""
FIRST_DELAY_SECONDS, GROWTH = 0.5, 1.5


def cancel(
    clock: Clock,
    catalog: Catalog,
    runs: KnownRuns,
    events: Events,
    token: ResumeToken,
    *,
    known: bool,
    first: Observation | None = None,
    max_retries: int | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> Steps[_sdk.Response]:
    """Steps of cancelling a run; gives the SDK's response with the true state after the request.

    `first` is a body that the caller already has. One that has ended is given as it is, without a request: there are
    servers that write "cancelled" over a result that was paid for.

    What the server answers to the request is not the last word: it is 200, 400 or 409 for a run that had ended, by
    server and mode, a run that was said to be cancelled can complete, and an answer can be lost. So the run is read
    after it, again for `wait_seconds` while it is pending or cannot be read, and given as it then is. Raises the SDK's
    own error for a run that does not exist (RunGoneError if it was `known`) or a cancel that was refused, and
    RunUnknownError if nothing that was read is a run.
    """
    with carrying(token.dumps()):
        if first is not None and first.outcome.phase == "terminal":
            return model_of(first.origin)
        observation: Observation | None = None
        try:
            observation = observe((yield Cancel(token.response_id, max_retries)), catalog)
        except Exception as error:
            if not _may_be_taken(error):
                raise
        if observation is not None and observation.outcome.status is None:
            observation = None  # an answer that is no run says nothing
        known = known or observation is not None
        if observation is not None and whose_is(observation, runs, token) != "own":
            observation = None
        response = yield from _confirm(clock, catalog, runs, events, token, observation, wait_seconds, known=known)
        events.tell("cancelled", token, status=word(look(response, "status")))
        return response


def _confirm(
    clock: Clock,
    catalog: Catalog,
    runs: KnownRuns,
    events: Events,
    token: ResumeToken,
    observation: Observation | None,
    wait_seconds: float,
    *,
    known: bool,
) -> Steps[_sdk.Response]:
    until, delay = clock.monotonic() + wait_seconds, FIRST_DELAY_SECONDS
    while True:
        failure: Exception | None = None
        try:
            observation = yield from read_run(catalog, runs, events, token, _sdk.POLL_TIMEOUT_SECONDS)
            observation, known = whole(observation, catalog), True
            if observation.outcome.phase == "terminal":
                return model_of(observation.origin)
        except Exception as error:
            fault = read_fault(error)
            if not (fault.is_poll_fault or (fault.status_code == 404 and known)):
                raise
            failure = error
        if clock.monotonic() + delay > until:
            break
        yield Pause(delay)
        delay *= GROWTH
    if isinstance(failure, _sdk.NotFoundError) and read_fault(failure).is_json:
        raise RunGoneError.of(failure, token.response_id, token.dumps(), token.age_at(clock.time())) from failure
    if observation is not None:  # also where it could not be read again: this is the last that is known
        return model_of(observation.origin)
    if isinstance(failure, _sdk.APIError):
        raise failure
    raise RunUnknownError.of(examine(None, catalog=catalog)[0], Origin()) from failure


def _may_be_taken(error: Exception) -> bool:
    """True if a cancel that failed so may have worked, or was not needed; the run itself says which."""
    fault = read_fault(error)
    return fault.status_code in (400, 404, 409) if fault.kind == "answered" else fault.kind != "foreign"
