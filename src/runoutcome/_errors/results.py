"""What became of one run of many, and the exception group for those that did not complete."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from .. import _sdk
from .._catalog.catalog import Catalog
from .._catalog.rows import Action
from .._outcome.classify import classify
from .._outcome.judge import no_body
from .._outcome.outcome import Outcome
from .._sdk.faults import read_fault
from .bases import RunError, WaitError
from .exceptions import OutputParseError, RunGoneError
from .sdk_pickling import Traveller, pack

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

ResponseT = TypeVar("ResponseT", bound=_sdk.Response, covariant=True)


@dataclass(frozen=True, repr=False)
class RunResult(Generic[ResponseT]):
    """What became of one run of many: a response or an exception, and the outcome in either case."""

    __module__ = "runoutcome"

    run: Any
    """The run as it was given to `poll_many` or `gather`."""
    index: int
    """Its place among those that were given, from 0."""
    outcome: Outcome
    response: ResponseT | None = None
    """The response of a run that is completed, or ended in a way that `accept` names; None for any other."""
    error: Exception | None = None
    """What `poll` would have raised; None where there is a response."""

    @property
    def ok(self) -> bool:
        """There is a response."""
        return self.error is None

    @property
    def response_id(self) -> str | None:
        """The id of the run."""
        return self.outcome.response_id

    @property
    def retryable(self) -> bool:
        """An identical new run may succeed; never where the run may still be going."""
        return self.outcome.phase == "terminal" and self.outcome.retryable

    @property
    def action(self) -> Action:
        """What may be done about it."""
        return self.outcome.action

    @property
    def token(self) -> str | None:
        """The resume token of a run that has no response, by which to go on waiting where it may still be going."""
        return getattr(self.error, "run_token", None)

    def result(self) -> ResponseT:
        """The response. Raises `error` where there is none."""
        if self.error is not None:
            raise self.error
        assert self.response is not None
        return self.response

    def __repr__(self) -> str:
        """Which run, and how it ended; no prompt, no output."""
        return f"<RunResult {self.index}: {self.response_id} {self.error.__class__.__name__ if self.error else 'ok'}>"


def result_of(
    run: Any, index: int, response_id: str | None, ended: _sdk.Response | Exception, catalog: Catalog
) -> RunResult[Any]:
    """The result of a run whose wait gave, or raised, this."""
    if not isinstance(ended, Exception):
        return RunResult(run, index, classify(ended, catalog=catalog), ended)
    told = getattr(ended, "outcome", None)
    outcome = told if isinstance(told, Outcome) else no_body(catalog)
    if outcome.response_id is None:
        outcome = replace(outcome, response_id=response_id)
    return RunResult(run, index, outcome, error=ended)


class RunExceptionGroup(ExceptionGroup[Exception]):
    """Some runs did not complete. Its members are groups, by what is to be done about them:

    "retry these" (a new run may succeed), "fix these" (it would end the same way; also an id that the server never
    heard of, or will not look up), "gone" (they were there, and may have completed), and "still going" (poll their
    tokens; also where a key was refused, with 401 or 403, which says nothing about the run). Each is there only if it
    has members, and as a tuple of exceptions in `retry`, `fix`, `gone` and `going`. `results` holds all runs in their
    order, those that completed too; it stays in this process and is never pickled. What the SDK or anybody else
    raised travels as what it said, without its request and its body.
    """

    __module__ = "runoutcome"

    retry: tuple[Exception, ...]
    fix: tuple[Exception, ...]
    gone: tuple[Exception, ...]
    going: tuple[Exception, ...]
    results: tuple[RunResult[Any], ...] = ()

    def __init__(self, message: str, exceptions: Sequence[Exception], /) -> None:
        parts: dict[str, list[Exception]] = {name: [] for name in _PARTS}
        for error in _leaves(exceptions):
            parts[_part_of(error)].append(error)
        self.retry, self.fix, self.gone, self.going = (tuple(parts[name]) for name in _PARTS)

    @classmethod
    def of(cls, results: Sequence[RunResult[Any]]) -> "RunExceptionGroup":
        """The group for results of which at least one has no response; internal."""
        errors = [result.error for result in results if result.error is not None]
        parts = {name: [error for error in errors if _part_of(error) == name] for name in _PARTS}
        counts = ", ".join(f"{_PARTS[name]}: {len(members)}" for name, members in parts.items() if members)
        group = cls(
            f"{len(errors)} of {len(results)} runs did not complete ({counts})",
            [ExceptionGroup(_PARTS[name], members) for name, members in parts.items() if members],
        )
        group.results = tuple(results)
        return group

    def derive(self, excs: Sequence[Exception]) -> "RunExceptionGroup":  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """A group of the same kind, for `except*` and `split`."""
        group = RunExceptionGroup(self.message, excs)
        group.results = self.results
        return group

    def __reduce__(self) -> tuple[Any, ...]:
        return RunExceptionGroup._rebuilt, (self.message, [_packed(member) for member in self.exceptions])

    @classmethod
    def _rebuilt(cls, message: str, members: list[Any]) -> "RunExceptionGroup":
        return cls(message, [_unpacked(member) for member in members])

    def __copy__(self) -> "RunExceptionGroup":
        return RunExceptionGroup(self.message, self.exceptions)


def _packed(member: Exception) -> Exception | Traveller | tuple[str, list[Any]]:
    """A member as it is pickled; a group within the group is its message and its members."""
    if isinstance(member, ExceptionGroup):
        return member.message, [_packed(inner) for inner in member.exceptions]
    return pack(member)


def _unpacked(member: Exception | Traveller | tuple[str, list[Any]]) -> Exception:
    if isinstance(member, tuple):
        message, members = member
        return ExceptionGroup(message, [_unpacked(inner) for inner in members])
    return member.exception() if isinstance(member, Traveller) else member


_ABOUT_THE_KEY = (401, 403)
_PARTS = {"retry": "retry these", "fix": "fix these", "gone": "gone", "going": "still going"}


def _leaves(exceptions: Iterable[Exception]) -> Iterable[Exception]:
    for error in exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error.exceptions)
        else:
            yield error


def _part_of(error: Exception) -> str:
    if isinstance(error, RunGoneError):
        return "gone"
    outcome = error.outcome if isinstance(error, (RunError, WaitError)) else None
    if outcome is not None and outcome.phase == "terminal":  # of a wait that timed out, too: it has cancelled its run
        return "retry" if outcome.retryable else "fix"
    if isinstance(error, OutputParseError) or _is_refused_id(error):
        return "fix"
    return "going"  # a wait that ended before the run did, for whatever reason


def _is_refused_id(error: Exception) -> bool:
    """The server has nothing under this id, or will not look: its token would be answered the same way."""
    if isinstance(error, RunError):
        return False
    fault = read_fault(error)
    return fault.kind == "answered" and fault.status_code not in _ABOUT_THE_KEY and not fault.is_poll_fault
