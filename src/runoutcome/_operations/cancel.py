"""The steps of cancelling a run: ask once, and then read what became of it."""

from __future__ import annotations

from .. import _sdk
from .._catalog.catalog import Catalog
from .._errors.bases import Origin
from .._errors.exceptions import RunGoneError, RunUnknownError
from .._outcome.classify import examine
from .._sdk.faults import read_fault
from .._waiting.resume_token import ResumeToken
from .effects import Cancel, Clock, Pause, Poll, Steps
from .interrupts import carrying
from .observation import Seen, judge_whole, model_of, seen_by_caller

CONFIRM_SECONDS = 5.0
"""For how long after its answer a cancel may take effect before the run is given as it is."""
FIRST_DELAY_SECONDS, GROWTH = 0.5, 1.5


def cancel(
    clock: Clock, catalog: Catalog, token: ResumeToken, *, known: bool, max_retries: int | None = None
) -> Steps[_sdk.Response]:
    """Steps of cancelling a run; gives the SDK's response with the true state after the request.

    What the server answers to the request is not the last word: it is 200, 400 or 409 for a run that had ended, by
    server and mode, a run that was said to be cancelled can complete, and an answer can be lost. So the run is read
    after it, again for up to 5 seconds while it is pending or cannot be read, and given as it then is. Raises the SDK's
    own error for a run that does not exist (RunGoneError if it was `known`) or a cancel that was refused, and
    RunUnknownError if nothing that was read is a run.
    """
    with carrying(token.dumps()):
        told: Seen | None = None
        try:
            told = seen_by_caller((yield Cancel(token.response_id, max_retries)), catalog)
        except Exception as error:
            if not _may_be_taken(error):
                raise
        if told is not None and told.outcome.status is None:
            told = None  # an answer that is no run says nothing
        return (yield from _confirm(clock, catalog, token, told, known=known or told is not None))


def _confirm(
    clock: Clock, catalog: Catalog, token: ResumeToken, told: Seen | None, *, known: bool
) -> Steps[_sdk.Response]:
    until, delay = clock.monotonic() + CONFIRM_SECONDS, FIRST_DELAY_SECONDS
    while True:
        failure: Exception | None = None
        try:
            answer: _sdk.Answer = yield Poll(token.response_id, _sdk.POLL_TIMEOUT_SECONDS)
            told, known = judge_whole(answer, catalog), True
            if told.outcome.phase == "terminal":
                return model_of(told.origin)
        except Exception as error:
            fault = read_fault(error)
            if not (fault.is_poll_fault or (fault.status_code == 404 and known)):
                raise
            failure = error
        if clock.monotonic() + delay > until:
            break
        yield Pause(delay)
        delay *= GROWTH
    if isinstance(failure, _sdk.NotFoundError) and read_fault(failure).from_api:
        raise RunGoneError.of(failure, token.response_id, token.dumps()) from failure
    if told is not None:  # also where it could not be read again: this is the last that is known
        return model_of(told.origin)
    if isinstance(failure, _sdk.APIError):
        raise failure
    raise RunUnknownError.of(examine(None, catalog=catalog)[0], Origin()) from failure


def _may_be_taken(error: Exception) -> bool:
    """Whether a cancel that was answered so may have done its work, or had none to do; the run itself says so."""
    fault = read_fault(error)
    return fault.status_code in (400, 404, 409) if fault.kind == "answered" else fault.kind != "foreign"
