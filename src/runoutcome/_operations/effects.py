"""Effects: the requests, pauses and calls that the steps of an operation ask for. Values only.

The steps (`poll`, `submit`, `job`) are generators without I/O: they yield an effect and get its result back, or have
its exception thrown into them. A driver carries the effects out, so there is one logic for both colours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")
_E = TypeVar("_E")


@dataclass(frozen=True)
class Poll:
    """One poll request, without the SDK's own retries; gives an `Answer`."""

    response_id: str
    timeout_seconds: float | None
    on_new_connection: bool = False
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class Admit:
    """A slot among the submissions in flight; gives a context manager that frees the slot."""


@dataclass(frozen=True)
class Post:
    """Base of the two creates."""

    params: dict[str, Any] = field(repr=False)
    key: str
    """The `runoutcome_key` of the run."""
    answers: deque[Any] = field(default_factory=deque[Any], repr=False, compare=False)
    """Holds what names the run from the moment it is there: an interrupt may come before the steps get it."""


@dataclass(frozen=True)
class Submit(Post):
    """One POST, without the SDK's own retries; gives what the SDK made of the answer."""


@dataclass(frozen=True)
class Cancel:
    """One cancel request; it is idempotent, so the client's own retries apply unless told otherwise."""

    response_id: str
    max_retries: int | None = None
    shielded_seconds: float | None = None
    """It may take so long, and the cancellation of the task does not end it; None for as any other request."""


@dataclass(frozen=True)
class SubmitStream(Post):
    """One POST that opens a stream, without the SDK's own retries; gives the open stream."""


@dataclass(frozen=True)
class OpenStream:
    """One GET of a run's events after the one numbered `starting_after`; gives the open stream."""

    response_id: str
    starting_after: int | None
    read_seconds: float
    """Time that the server may be silent, in the opening too."""
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class NextEvent:
    """Wait for the next event of an open stream; gives None at the end of the stream."""

    stream: Any = field(repr=False)
    seconds: float


@dataclass(frozen=True)
class CloseStream:
    """Close an open stream, and its connection with it."""

    stream: Any = field(repr=False)


@dataclass(frozen=True)
class Pause:
    """Sleep for so many seconds; gives True if a notice of the run came before they were over, which ends the sleep."""

    seconds: float
    response_id: str | None = None
    """The run whose notices end the sleep; None for none."""


@dataclass(frozen=True)
class Tell:
    """Call a caller's function."""

    function: Callable[[Any], Any]
    argument: Any


StreamEffect = SubmitStream | OpenStream | NextEvent | CloseStream
Immediate = Poll | Admit | Submit | Cancel | Tell | StreamEffect
"""Effects that are carried out at once; a `Pause` is for the driver or scheduler to sleep."""
Effect = Immediate | Pause
Steps = Generator[Effect, Any, _T]


def resume(steps: Generator[_E, Any, Any], result: Any, error: BaseException | None = None) -> _E:
    """The next effect of `steps`, given the last one's result or exception. Raises StopIteration at their end."""
    return steps.send(result) if error is None else steps.throw(error)


class Clock(Protocol):
    """The time a `Runs` lives in; tests bring their own."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> Any:
        """Sleep; a coroutine function for `AsyncRuns`."""
        ...


class Notices(Protocol):
    """Source of notices of runs, such as `webhooks.Inbox`."""

    def listen(self, response_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from any thread, for each new notice of the run, one that came before included.

        Gives a function that ends this.
        """
        ...
