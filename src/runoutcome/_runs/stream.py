"""`RunStream` and `AsyncRunStream`: iterators over the events of a run, made by `stream` and `create_and_stream`."""

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .._drivers.driver import AsyncDriver, Driver
from .._operations.effects import Steps
from .._operations.interrupts import OnInterrupt, stop_for
from .._operations.observation import Observation
from .._operations.stream import Follower, next_event
from .._operations.stream_events import Ended, EventSteps

if TYPE_CHECKING:
    from .._sdk.event_stream import ResponseStreamEvent

_T = TypeVar("_T")


class _StreamBase(Generic[_T]):
    """Common part of both colours; `_T` is the type of the final response."""

    _usage = "with runs.stream(...) as stream:"

    def __init__(self, driver: Any, begin: Steps[Follower], on_interrupt: OnInterrupt = "leave") -> None:
        self._driver = driver
        self._begin = begin
        self._on_interrupt: OnInterrupt = on_interrupt
        self._is_entered = False
        self._entered: Follower | None = None
        self._steps: EventSteps[Observation] | None = None
        self._end: Ended | None = None
        self._error: Exception | None = None

    @property
    def response_id(self) -> str:
        """The id of the run."""
        return self._follower.named.response_id

    @property
    def token(self) -> str:
        """A resume token that holds the cursor: `Runs.stream` goes on with it after the last event that was given."""
        return self._follower.token.dumps()

    @property
    def last_sequence_number(self) -> int | None:
        """The cursor: the server's number of the last event that was given; None before the first that has one."""
        return self._follower.cursor.last

    @property
    def _follower(self) -> Follower:
        if self._entered is None:
            raise RuntimeError(f"a stream begins with its with statement: write `{self._usage}`")
        return self._entered

    def _entering(self) -> Steps[None]:
        """Steps that make the run, or find it, and begin to follow it."""
        if self._is_entered:
            raise RuntimeError("a stream is followed once; make another with Runs.stream(stream.token)")
        self._is_entered = True
        follower = yield from self._begin
        self._entered, self._steps = follower, follower.follow()

    def _label(self, error: BaseException) -> None:
        """Give what leaves the with statement the resume token, once the run is known."""
        if self._entered is not None:
            self._entered.carry(error)

    def _next(self) -> Steps[Any]:
        """Steps that give the next event, or None at the end."""
        follower = self._follower
        if self._error is not None:
            raise self._error
        if self._end is not None:
            return None
        if self._steps is None:
            raise RuntimeError(
                f"the stream was closed before the run {follower.named.response_id} ended: poll its token"
            )
        try:
            found = yield from next_event(self._steps)
        except BaseException as error:
            self._steps = None
            self._error = error if isinstance(error, Exception) else None
            raise
        if not isinstance(found, Ended):
            return found.event
        self._end = found
        return None

    def _result(self) -> _T:
        assert self._end is not None
        response: Any = self._follower.result(self._end.seen)
        return cast(_T, response)

    def _closing(self) -> Steps[None]:
        """Steps that close what is open, at any time."""
        if self._entered is not None:
            self._entered.tell_left()
            yield from self._entered.close()
        if self._steps is not None:
            self._steps.close()
            self._steps = None

    def _leaving(self, error: BaseException | None) -> Steps[None]:
        """Steps of leaving the with statement: also what the caller's own code raises takes the token along."""
        follower = self._entered
        if error is not None and follower is not None:
            follower.carry(error)
            follower.tell_left(error)
        yield from self._closing()
        if error is not None and follower is not None and self._end is None:
            yield from stop_for(self._on_interrupt, error, follower.token, follower.wait.events)


class RunStream(_StreamBase[_T]):
    """The events of a run, each once and in order, over broken connections too. A context manager.

    Iterating gives the SDK's own event objects, the terminal one last. It does not raise for a run that failed:
    `get_final_response` does. It raises what `Runs.poll` raises for a wait that ended before the run did. Leaving the
    with statement early closes the connection at once and leaves the run alone. Not for several threads at a time.
    """

    __module__ = "runoutcome"

    _driver: Driver

    def __enter__(self) -> "RunStream[_T]":
        try:
            self._driver.run(self._entering())
            return self
        except BaseException as error:
            self._label(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._driver.run(self._leaving(error))
        except BaseException as interrupt:
            self._label(interrupt)
            raise

    def __iter__(self) -> Iterator["ResponseStreamEvent"]:
        return self

    def __next__(self) -> "ResponseStreamEvent":
        event: ResponseStreamEvent | None = self._driver.run(self._next())
        if event is None:
            raise StopIteration
        return event

    def get_final_response(self) -> _T:
        """Read what is left of the events, and give the response as `Runs.poll` gives it, or raise what it raises."""
        for _ in self:
            pass
        return self._result()

    def close(self) -> None:
        """Close the connection; the run is left alone. Leaving the with statement does it, too."""
        self._driver.run(self._closing())


class AsyncRunStream(_StreamBase[_T]):
    """The async twin of `RunStream`: `async with`, `async for`, `await stream.get_final_response()`."""

    __module__ = "runoutcome"

    _driver: AsyncDriver
    _usage = "async with runs.stream(...) as stream:"

    async def __aenter__(self) -> "AsyncRunStream[_T]":
        try:
            await self._driver.run(self._entering())
            return self
        except BaseException as error:
            self._label(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._driver.run(self._leaving(error))
        except BaseException as interrupt:
            self._label(interrupt)
            raise

    def __aiter__(self) -> AsyncIterator["ResponseStreamEvent"]:
        return self

    async def __anext__(self) -> "ResponseStreamEvent":
        event: ResponseStreamEvent | None = await self._driver.run(self._next())
        if event is None:
            raise StopAsyncIteration
        return event

    async def get_final_response(self) -> _T:
        """The async twin of `RunStream.get_final_response`."""
        async for _ in self:
            pass
        return self._result()

    async def close(self) -> None:
        """The async twin of `RunStream.close`."""
        await self._driver.run(self._closing())
