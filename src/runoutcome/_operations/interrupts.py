"""Data on exceptions that leave: the resume token, the attempts so far, the end of a run that was asked to stop.

Each stays the exception it was; so do Ctrl-C and the cancellation of a task.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Literal, TypeVar

from .._errors.portable import Portable
from .._outcome.classify import classify
from .._waiting.attempts import Attempt
from .._waiting.resume_token import ResumeToken
from .effects import Cancel, Steps
from .events import Events

_T = TypeVar("_T")
OnInterrupt = Literal["leave", "cancel"]
CANCEL_SECONDS = 10.0
"""Time that an interrupted wait may take to ask the server to stop its run; no other interrupt gets in."""


@contextmanager
def carrying(token: str) -> Generator[None]:
    """A block whose exceptions, Ctrl-C and cancellation included, carry the resume token as `.run_token`.

    The traceback of an interrupt shows the token, too.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, (Exception, GeneratorExit)) and not hasattr(error, "run_token"):
            note(error, f"resume the wait with the token {token}")
        if not (isinstance(error, Portable) and error.run_token):
            tell(error, "run_token", token)
        raise


@contextmanager
def recounting(attempts: tuple[Attempt, ...]) -> Generator[None]:
    """A block whose exceptions carry the ended runs of the job as `.attempts`."""
    try:
        yield
    except BaseException as error:
        if attempts and not getattr(error, "attempts", ()):
            tell(error, "attempts", attempts)
        raise


def tell(error: BaseException, name: str, value: Any) -> None:
    """Set an attribute on a foreign exception; one that takes none leaves as it is."""
    with suppress(AttributeError):
        setattr(error, name, value)


def note(error: BaseException, text: str) -> None:
    """Add a line to the traceback of a foreign exception, from Python 3.11 on."""
    if add_note := getattr(error, "add_note", None):
        add_note(f"runoutcome: {text}")


def is_asked_for(on_interrupt: OnInterrupt, interrupt: BaseException) -> bool:
    """True if the server is to be asked to stop: "cancel" means Ctrl-C and the like, not errors."""
    return on_interrupt == "cancel" and not isinstance(interrupt, (Exception, GeneratorExit))


def stopping(on_interrupt: OnInterrupt, token: ResumeToken, steps: Steps[_T], events: Events) -> Steps[_T]:
    """`steps`; with "cancel", what interrupts them (no `Exception`) first has the server asked to stop the run."""
    try:
        return (yield from steps)
    except BaseException as error:
        yield from stop_for(on_interrupt, error, token, events)
        raise


def stop_for(on_interrupt: OnInterrupt, interrupt: BaseException, token: ResumeToken, events: Events) -> Steps[None]:
    """With "cancel", have the server asked to stop the run for what leaves, unless that is an `Exception`."""
    if is_asked_for(on_interrupt, interrupt):
        yield from _stop_for(interrupt, token, events)


def _stop_for(interrupt: BaseException, token: ResumeToken, events: Events) -> Steps[None]:
    status, became = None, "the answer does not say what became of it: poll its token"
    try:
        response = yield Cancel(token.response_id, max_retries=0, shielded_seconds=CANCEL_SECONDS)
        if status := classify(response).status:
            became = f"it is {status} now"
        events.tell("cancelled", token, status=status)
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001 - a second Ctrl-C, too: what interrupted first is what leaves
        became = f"that failed ({type(error).__name__}), and it may be going still: poll its token"
    tell(interrupt, "run_cancelled", status == "cancelled")
    note(interrupt, f"the run {token.response_id} was asked to stop; {became}.")
