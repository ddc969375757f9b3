"""The result of one run of many, and the exception group for the runs that did not complete."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from .. import _sdk
from .._catalog.catalog import Catalog
from .._catalog.rows import Action
from .._outcome.classify import classify
from .._outcome.judge import no_body
from .._outcome.outcome import Outcome, may_resubmit
from .._sdk.faults import read_fault
from .bases import RunError, WaitError
from .exceptions import OutputParseError, RunGoneError
from .sdk_pickling import Packed, pack, unpack

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

ResponseT = TypeVar("ResponseT", bound=_sdk.Response, covariant=True)


@dataclass(frozen=True, repr=False)
class RunResult(Generic[ResponseT]):
    """The result of one run of many: a response or an exception, and the outcome in either case."""

    __module__ = "runoutcome"

    run: Any
    """The run as it was given to `poll_many` or `gather`."""
    index: int
    """Its position among the runs that were given, from 0."""
    outcome: Outcome
    response: ResponseT | None = None
    """The response of a run that is completed, or ended in a way that `accept` names; None for any other."""
    error: Exception | None = None
    """The exception that `poll` would have raised; None where there is a response."""

    @property
    def has_response(self) -> bool:
        """True if there is a response: the run is completed, or ended in a way that `accept` names."""
        return self.error is None

    @property
    def response_id(self) -> str | None:
        """The id of the run."""
        return self.outcome.response_id

    @property
    def retryable(self) -> bool:
        """True if an identical new run may succeed; never while the run may still be going.

        It says nothing about tools that acted and would act again (`outcome.tools_ran`): `is_retryable(error)` does.
        """
        return self.outcome.retryable

    @property
    def action(self) -> Action:
        """The action by the outcome; `action_for(error)` is "none" instead where tools acted and would act again."""
        return self.outcome.action

    @property
    def token(self) -> str | None:
        """The resume token of a run without a response, to go on waiting if it may still be going."""
        return getattr(self.error, "run_token", None)

    def result(self) -> ResponseT:
        """The response. Raises `error` where there is none."""
        if self.error is not None:
            raise self.error
        assert self.response is not None
        return self.response

    def __repr__(self) -> str:
        """The run and its end; no prompt, no output."""
        return f"<RunResult {self.index}: {self.response_id} {self.error.__class__.__name__ if self.error else 'ok'}>"


def result_of(
    run: Any, index: int, response_id: str | None, end: _sdk.Response | Exception, catalog: Catalog
) -> RunResult[Any]:
    """The result of a run whose wait returned, or raised, `end`."""
    if not isinstance(end, Exception):
        return RunResult(run, index, classify(end, catalog=catalog), end)
    outcome = getattr(end, "outcome", None)
    if not isinstance(outcome, Outcome):
        outcome = no_body(catalog)
    if outcome.response_id is None:
        outcome = replace(outcome, response_id=response_id)
    return RunResult(run, index, outcome, error=end)


class RunExceptionGroup(ExceptionGroup[Exception]):
    """The error for runs that did not complete. Its members are groups, by what to do about them:

    "retry these" (a new run may succeed), "fix these" (a new run would end the same way, or repeat what tools did
    in this one; also an id that the server does not know, or refuses), "gone" (the runs were there, and may have
    completed), and "still going" (poll their tokens; also after a 401 or 403, which says nothing about the run). A
    group is there only if it has members; `retry`, `fix`, `gone` and `going` hold the exceptions as tuples.
    `results` holds all runs in their order, completed ones too; it stays in this process and is never pickled.
    Exceptions of the SDK and of others are pickled as class and text, without their request and answer.
    """

    __module__ = "runoutcome"

    retry: tuple[Exception, ...]
    fix: tuple[Exception, ...]
    gone: tuple[Exception, ...]
    going: tuple[Exception, ...]
    results: tuple[RunResult[Any], ...] = ()

    def __init__(self, message: str, exceptions: Sequence[Exception], /) -> None:
        self.retry, self.fix, self.gone, self.going = _parts(_leaves(exceptions)).values()

    @classmethod
    def of(cls, results: Sequence[RunResult[Any]]) -> "RunExceptionGroup":
        """The group for results of which at least one has no response; internal."""
        errors = [result.error for result in results if result.error is not None]
        parts = {_PARTS[name]: members for name, members in _parts(errors).items() if members}
        counts = ", ".join(f"{title}: {len(members)}" for title, members in parts.items())
        group = cls(
            f"{len(errors)} of {len(results)} runs did not complete ({counts})",
            [ExceptionGroup(title, members) for title, members in parts.items()],
        )
        group.results = tuple(results)
        return group

    def derive(self, excs: Sequence[Exception]) -> "RunExceptionGroup":  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """A group of the same kind, for `except*` and `split`."""
        group = RunExceptionGroup(self.message, excs)
        group.results = self.results
        return group

    def __reduce__(self) -> tuple[Any, ...]:
        return RunExceptionGroup._unpickled, (self.message, [pack(member) for member in self.exceptions])

    @classmethod
    def _unpickled(cls, message: str, members: list[Packed]) -> "RunExceptionGroup":
        return cls(message, [unpack(member) for member in members])

    def __copy__(self) -> "RunExceptionGroup":
        return RunExceptionGroup(self.message, self.exceptions)


_KEY_STATUSES = (401, 403)
_PARTS = {"retry": "retry these", "fix": "fix these", "gone": "gone", "going": "still going"}


def _parts(exceptions: Iterable[Exception]) -> dict[str, tuple[Exception, ...]]:
    """The exceptions by part."""
    parts: dict[str, list[Exception]] = {name: [] for name in _PARTS}
    for error in exceptions:
        parts[_part_of(error)].append(error)
    return {name: tuple(members) for name, members in parts.items()}


def _leaves(exceptions: Iterable[Exception]) -> Iterator[Exception]:
    for error in exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error.exceptions)
        else:
            yield error


def _part_of(error: Exception) -> str:
    if isinstance(error, RunGoneError):
        return "gone"
    outcome = error.outcome if isinstance(error, (RunError, WaitError)) else None
    if outcome is not None and outcome.phase == "terminal":  # of a wait that timed out, too: it may cancel its run
        return "retry" if may_resubmit(outcome) else "fix"
    if isinstance(error, OutputParseError) or _is_refused_id(error):
        return "fix"
    return "going"  # the wait ended before the run did, for any other reason


def _is_refused_id(error: Exception) -> bool:
    """True if the server does not know the id, or refuses it: another poll would be answered the same way."""
    if isinstance(error, RunError):
        return False
    fault = read_fault(error)
    return fault.kind == "answered" and fault.status_code not in _KEY_STATUSES and not fault.is_poll_fault
