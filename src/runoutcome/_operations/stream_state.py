"""How far the following of one run's stream has come; what the steps that begin it and those that go on share."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .._outcome.body import look, word
from .._sdk.event_stream import StreamBrokenError
from .._waiting import polling as _wait
from .._waiting.resume_token import ResumeToken
from .._waiting.stream_cursor import Cursor
from .effects import CloseStream, Effect, Steps, Tell
from .interrupts import tell
from .observation import Seen
from .poll import Wait

_T = TypeVar("_T")
IDLE_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Emit:
    """An event for whoever iterates."""

    event: Any


EventSteps = Generator[Effect | Emit, Any, _T]


@dataclass
class Following:
    """The steps write it, and whoever drives them reads it."""

    wait: Wait
    named: ResumeToken
    """The run, as it was named or made."""
    state: _wait.WaitState
    idle_seconds: float = IDLE_TIMEOUT_SECONDS
    cursor: Cursor = Cursor()
    handle: Any = None
    """The open stream."""
    held: deque[Any] = field(default_factory=deque[Any])
    """Events of it that were read already."""
    created: Seen | None = None
    """What a create was answered with in place of a stream: there is none to be had."""
    ended: Seen | None = None
    """The end of the run, where the run itself told it."""
    has_news: bool = False
    """The present stream has brought something new."""
    is_replay: bool = False
    """The present stream may begin with events that have no number and were passed on before."""
    fruitless: int = 0
    """Streams in a row that brought nothing new."""
    news_at: float = field(init=False)
    """When something new came last, or when the wait began."""

    def __post_init__(self) -> None:
        self.news_at = self.wait.clock.monotonic()

    @property
    def token(self) -> ResumeToken:
        """The resume token, which holds the cursor, too."""
        return replace(self.named, seen=self.named.seen or self.state.known, cursor=self.cursor.last)

    def room(self) -> float | None:
        """Seconds until the time that is kept for a last poll; None without a deadline."""
        return _wait.room(self.wait.policy, self.state, self.wait.clock.monotonic())


def close(at: Following) -> Steps[None]:
    """Close the stream if one is open; the run is left alone."""
    handle, at.handle = at.handle, None
    at.held.clear()
    if handle is not None:
        yield CloseStream(handle)


def leave(at: Following, error: BaseException) -> Steps[None]:
    """What is done when an exception leaves: it takes the resume token along, and the stream is closed."""
    carry(error, at)
    yield from close(at)


def carry(error: BaseException, at: Following) -> None:
    """Give an exception the resume token, unless it has one."""
    if getattr(error, "run_token", None) is None:
        tell(error, "run_token", at.token.dumps())


def tell_update(at: Following, seen: Seen) -> Steps[None]:
    """Tell what was seen; `telling_changes` sees to it that the caller hears of it only if it is news."""
    if at.wait.on_update is not None:
        yield Tell(at.wait.on_update, seen.outcome)


def telling_changes(wait: Wait) -> Wait:
    """`wait` with an `on_update` that calls the caller's only if the status is not the one before, whoever tells it."""
    on_update = wait.on_update
    if on_update is None:
        return wait
    last: list[str | None] = []

    def tell_change(outcome: Any) -> Any:
        if last == [outcome.status]:
            return None
        last[:] = [outcome.status]
        return on_update(outcome)

    return replace(wait, on_update=tell_change)


def fault_in(event: object) -> StreamBrokenError | None:
    """What is wrong with what was read in place of an event.

    An `error` event is the connection speaking: if it is about the run, the run says so, too.
    """
    if event is None:
        return StreamBrokenError("the stream ended before the run did")
    kind = look(event, "type")
    if kind == "error":
        told = word(look(event, "code")) or word(look(look(event, "error"), "code")) or "no code"
        return StreamBrokenError(f"the stream broke off with an error event ({told})")
    return None if isinstance(kind, str) else StreamBrokenError("the stream brought something that is no event")
