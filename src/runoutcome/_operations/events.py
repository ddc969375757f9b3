"""Tells the logger and the observer what happens to runs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Literal

from .._errors.exceptions import (
    PollingLostError,
    RunGoneError,
    RunUnknownError,
    SubmissionUnknownError,
    WaitTimeoutError,
)
from .._outcome.body import look
from .._waiting.resume_token import ResumeToken, epoch_seconds, is_trace
from . import log
from .effects import Clock
from .observation import Observation
from .run_event import EventKind, Observer, RunEvent

LeftReason = Literal["created", "deadline", "lost", "gone", "unknown", "error", "interrupted", "abandoned"]
_REASONS: tuple[tuple[type[BaseException], LeftReason], ...] = (
    (WaitTimeoutError, "deadline"),
    (PollingLostError, "lost"),
    (RunGoneError, "gone"),
    (RunUnknownError, "unknown"),
    (SubmissionUnknownError, "unknown"),
    (Exception, "error"),
    (GeneratorExit, "abandoned"),
    (BaseException, "interrupted"),
)


@dataclass(frozen=True)
class Events:
    """Tells the logger and the observer of a `Runs` what happens to its runs."""

    clock: Clock | None = None
    observer: Observer | None = None
    only_changes: bool = False
    """Tell a status once, for a stream, where both events and polls bring it."""
    _statuses: list[str | None] = field(init=False, default_factory=list[str | None], compare=False, repr=False)

    def tell(self, kind: EventKind, token: ResumeToken | None, **fields: Any) -> object:
        """Tell of one event; `token` names the run, once it has an id. Gives what the observer returned."""
        if self.observer is None and kind not in log.KINDS:
            return None
        if self.only_changes and kind == "changed":
            if self._statuses == [fields["status"]]:
                return None
            self._statuses[:] = [fields["status"]]
        if token is not None:
            fields = {
                "response_id": token.response_id,
                "key": token.key,
                "submitted_at": token.submitted_at,
                "trace": token.trace,
                **fields,
            }
        event = RunEvent(kind, self.now(), **fields)
        log.write(event)
        return self._tell_observer(event) if self.observer is not None else None

    def polling(self, token: ResumeToken) -> Polling:
        """A block that makes one poll, and notes the status that it brought."""
        return Polling(self, token)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.clock.time() if self.clock is not None else 0.0

    def _tell_observer(self, event: RunEvent) -> object:
        assert self.observer is not None
        try:
            result = self.observer(event)
            if inspect.iscoroutine(result):
                result.close()
                raise TypeError("an observer is a plain function")
        except Exception:  # noqa: BLE001 - it observes, and has no say
            log.observer_failed(event)
            return None
        return result

    def tell_end(self, token: ResumeToken, last: Observation, job: str | None = None, *, is_final: bool = True) -> None:
        """Tell of the end of a run, or of a pending one that is let go at the deadline."""
        outcome, run = last.outcome, last.origin.run
        if outcome.phase != "terminal":
            self.tell("left", token, status=outcome.status, outcome=outcome, reason="deadline", job=job)
            return
        self.tell(
            "ended",
            token,
            status=outcome.status,
            outcome=outcome,
            job=job,
            is_final=is_final,
            completed_at=epoch_seconds(look(run, "completed_at")),
            submitted_at=token.submitted_at or epoch_seconds(look(run, "created_at")),
        )

    def leaving(self, token: ResumeToken, job: str | None = None) -> Leaving:
        """A block whose exceptions let the run go."""
        return Leaving(self, token, job)

    def tell_left(self, error: BaseException | None, token: ResumeToken | None, **fields: Any) -> None:
        """Tell that a run is let go, for an exception that leaves, or because the caller has had enough of it."""
        outcome = getattr(error, "outcome", None)
        self.tell("left", token, error=error, reason=reason_of(error), status=look(outcome, "status"), **fields)


@dataclass
class Submission:
    """One create, up to its answer; a block whose exceptions end it."""

    key: str
    events: Events = Events()
    job: str | None = None
    is_open: bool = False
    """The observer has heard of it."""
    trace: str | None = None
    """The `traceparent` of an observer that traces."""

    def tell_submitting(self, model: object) -> None:
        """Tell that the create is about to be sent."""
        self.is_open, name = True, model if isinstance(model, str) else None
        trace = self.events.tell("submitting", None, key=self.key, model=name, job=self.job)
        self.trace = trace if isinstance(trace, str) and is_trace(trace) else None

    def tell_resubmitting(self, previous_response_id: str | None) -> None:
        """Tell that the create replaces a run that ended."""
        self.is_open = True
        self.events.tell("resubmitting", None, key=self.key, job=self.job, previous_response_id=previous_response_id)

    def tell_refused(self, error: BaseException) -> None:
        """Tell that the create was not accepted."""
        self.events.tell("refused", None, key=self.key, error=error)

    def __enter__(self) -> Submission:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and self.is_open:
            self.events.tell_left(error, None, key=self.key, job=self.job)


# Classes, not generators: `contextlib` sets an attribute on what passes, and some exceptions take none.


@dataclass
class Leaving:
    """A block whose exceptions let a run go."""

    events: Events
    token: ResumeToken
    job: str | None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self.events.tell_left(error, self.token, job=self.job)


@dataclass
class Polling:
    """One poll, up to its answer."""

    events: Events
    token: ResumeToken
    status: str | None = None
    started_at: float = 0.0

    def __enter__(self) -> Polling:
        if self.events.observer is not None:
            self.started_at = self.events.now()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, GeneratorExit):
            self.events.tell("polled", self.token, started_at=self.started_at, status=self.status, error=error)


def reason_of(error: BaseException | None) -> LeftReason:
    """The word for an exception with which a wait ends before its run does; "abandoned" without one."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return "abandoned"
