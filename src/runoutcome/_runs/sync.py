"""`Runs`: make background runs and wait for them, through the user's own client. Its async twin is in `aio`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .. import _sdk
from .._catalog.catalog import Catalog
from .._drivers import many as _many
from .._drivers.clock import SystemClock
from .._drivers.driver import Driver
from .._drivers.limiter import Limiter
from .._drivers.scheduler import Scheduler
from .._errors.raising import Accept, Require
from .._errors.results import RunResult
from .._operations.cancel import WAIT_SECONDS
from .._operations.effects import Clock, Notices
from .._operations.interrupts import OnInterrupt
from .._operations.poll import OnTimeout
from .._operations.run_event import Observer
from .._operations.stream import IDLE_TIMEOUT_SECONDS
from .._outcome.outcome import Outcome
from .._sdk import fast_transport as _transport
from .._sdk.fast_transport import Transport
from .._sdk.forks import ProcessClient
from .._waiting.attempts import Attempt
from .._waiting.pace import Pace
from .._waiting.resubmit import ResubmitBudget, ResubmitPolicy
from .base import MAX_POLLS_IN_FLIGHT, MAX_SUBMITS_IN_FLIGHT, RunsBase
from .options import (
    AUTO,
    JobOptions,
    ManyKeywords,
    ManyOptions,
    MaxWait,
    NewStreamOptions,
    Run,
    StreamKeywords,
    StreamOptions,
    WaitKeywords,
    WaitOptions,
    named,
    only,
    split,
)
from .stream import RunStream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._sdk.structured_output import ParsedResponse

_T = TypeVar("_T")


class Runs(RunsBase):
    """Background runs through an `OpenAI` client (Azure clients too).

    `catalog` decides outcomes (the shipped one by default). `resubmit_budget` bounds resubmissions over all runs of
    this object; share one between several. `notices` is a `webhooks.Inbox`: with one, a wait ends when the webhook
    comes, and polls only once a minute or less, in case it is lost. `observer` is called with each `RunEvent`; what it
    raises is logged, and harms no run. At most `max_polls_in_flight` polls and
    `max_submits_in_flight` creates are made at the same time, over all calls, and at most
    `max_polls_per_second` polls a second; the others wait for their turn. `transport="fast"` makes polls beside the
    client at a fraction of the cost, where nothing of the client is lost by that (docs/transports.md). `clock` is for
    tests. Raises ValueError for limits that let nothing through or a client that "fast" cannot serve, and
    TypeError for what is no such client, catalog, budget, inbox or function.
    """

    __module__ = "runoutcome"

    def __init__(
        self,
        client: _sdk.OpenAI,
        *,
        catalog: Catalog | None = None,
        resubmit_budget: ResubmitBudget | None = None,
        notices: Notices | None = None,
        observer: Observer | None = None,
        max_polls_in_flight: int = MAX_POLLS_IN_FLIGHT,
        max_polls_per_second: float | None = None,
        max_submits_in_flight: int = MAX_SUBMITS_IN_FLIGHT,
        transport: Transport = "client",
        clock: Clock | None = None,
    ) -> None:
        if isinstance(client, _sdk.AsyncOpenAI):
            raise TypeError("Runs takes a sync client; use AsyncRuns for an AsyncOpenAI")
        super().__init__(client, clock or SystemClock(), catalog, resubmit_budget, notices, observer)
        polls = Pace(max_polls_in_flight, max_polls_per_second)
        self._driver = Driver(
            ProcessClient(client).get,
            self._clock,
            fetch=_transport.connect(client, transport, max_polls_in_flight),
            polls=Limiter(polls, self._clock),
            submits=Limiter(Pace(max_submits_in_flight), self._clock),
            notices=notices,
            events=self._events,
        )
        self._scheduler = Scheduler(self._driver)

    @overload
    def create(self, *, text_format: None = None, **params: Any) -> _sdk.Response: ...

    @overload
    def create(self, *, text_format: type[_T], **params: Any) -> ParsedResponse[_T]: ...

    def create(self, *, text_format: Any = None, **params: Any) -> _sdk.Response:
        """Submit one background run; takes what `client.responses.create` takes, and gives its response at once.

        The create is guarded. It sets `background=True` and `store=True` unless given, and notes a fresh key in
        `metadata["runoutcome_key"]`. It is sent again only where it is proven that the API did not accept it. Raises
        the SDK's own errors where the API refused, `SubmissionUnknownError` where the run may be going, and
        ValueError for `stream=True`. With `background=False` the create itself takes as long as its run. With
        `text_format`, a pydantic model or dataclass, the output is asked for in that form, as `responses.parse` does,
        and the response is a parsed one; its `output_parsed` is None while the run is pending.
        """
        steps = self._create_steps(params, text_format)
        del params  # error trackers send the variables of every frame, and these hold the prompt
        return self._driver.run(steps)

    @overload
    def poll(self, run: Run, *, text_format: None = None, **options: Unpack[WaitKeywords]) -> _sdk.Response: ...

    @overload
    def poll(self, run: Run, *, text_format: type[_T], **options: Unpack[WaitKeywords]) -> ParsedResponse[_T]: ...

    @named(WaitOptions)
    def poll(self, run: Run, **options: Any) -> _sdk.Response:
        """Wait until a run ends, and give its response if it is completed, or ended in a way that `accept` names.

        `run` is a response id, a resume token or a response. `max_wait_seconds` bounds everything, the poll in
        flight too; 0 asks once, None has no limit, and left out it is 1 hour or 1.25 times the completion window.
        `poll_interval_ms` is a constant delay in milliseconds; left out, the delay grows with the run's age. At the
        deadline the run is left alone, or cancelled with `on_timeout="cancel"`. `on_update` is called with the
        `Outcome` of each change of status, `on_fault` with what went wrong in a poll that is simply made again.

        `on_interrupt` says what becomes of the run when Ctrl-C, `SystemExit` or the cancellation of the task ends the
        wait: it is left alone, or with "cancel" the server is asked once to stop it (10 seconds at most), and what
        interrupted goes on with a note of what came of that, and `.run_cancelled`. With `text_format`, a pydantic
        model or dataclass, the response is the SDK's parsed one: `output_parsed` is an instance of it where the run is
        completed, and None where another end was accepted, or the model refused.

        With `require="output"` a completed run that holds only a refusal raises `RunRefusedError`, and one without
        output `RunEmptyError`.

        Raises the `RunError` for a run that ended in any other way; `WaitTimeoutError` at the deadline
        (`RunUnknownError` for an unknown status); `PollingLostError` when polls fail for more than 10 minutes;
        `RunGoneError` when a known run is gone; `OutputParseError` when the run is completed and its output is not what
        `text_format` asks for; and the SDK's own error for 401, 403 and other refusals. Whatever
        leaves carries `.run_token`.
        """
        return self._driver.run(self._poll_steps(run, only(WaitOptions, options)))

    @overload
    def create_and_poll(
        self,
        *,
        resubmit: int | ResubmitPolicy = 0,
        resume: Run | None = None,
        on_resubmitting: Callable[[Attempt], Any] | None = None,
        key: str | None = None,
        on_submitting: Callable[[str], Any] | None = None,
        on_refused: Callable[[str], Any] | None = None,
        on_submitted: Callable[[str], Any] | None = None,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        require: Require | None = None,
        text_format: None = None,
        **params: Any,
    ) -> _sdk.Response: ...

    @overload
    def create_and_poll(
        self,
        *,
        resubmit: int | ResubmitPolicy = 0,
        resume: Run | None = None,
        on_resubmitting: Callable[[Attempt], Any] | None = None,
        key: str | None = None,
        on_submitting: Callable[[str], Any] | None = None,
        on_refused: Callable[[str], Any] | None = None,
        on_submitted: Callable[[str], Any] | None = None,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        require: Require | None = None,
        text_format: type[_T],
        **params: Any,
    ) -> ParsedResponse[_T]: ...

    @named(JobOptions)
    def create_and_poll(self, **params: Any) -> _sdk.Response:
        """Submit a run and wait until it ends; `create` and `poll` in one, and again where `resubmit` allows it.

        `params` are those of `client.responses.create`, the rest those of `poll`. `resubmit` is the number of
        further runs that may be made when a run ends in a way that is `retryable`, or a `ResubmitPolicy`, which also
        bounds time and tokens; each names the run before it in `metadata["runoutcome_previous"]`, and what is raised in
        the end has all of them as `.attempts`. `on_resubmitting` is called with the `Attempt` that ended before the
        next is made. With `text_format` the request asks for that form, too. `on_submitting` is called with the
        run's key before each POST, `on_submitted` with its resume token right after it and before the first poll, and
        `on_refused` with the key of a POST that is proven not to be accepted: store them, and after a crash no paid
        run is lost, but one whose POST was in flight is to be looked up by its key. `resume` is such a token, or any
        other name of a run that `poll` takes: the job then begins by waiting for that run. `key` is what the keys of
        its runs begin with; a random one by default. Raises what `create` and `poll` raise.
        """
        options, params = split(JobOptions, params)
        steps = self._job_steps(params, options)
        del params  # error trackers send the variables of every frame, and these hold the prompt
        return self._driver.run(steps)

    @overload
    def poll_many(
        self, runs: Iterable[Run], *, text_format: None = None, **options: Unpack[ManyKeywords]
    ) -> Iterator[RunResult[_sdk.Response]]: ...

    @overload
    def poll_many(
        self, runs: Iterable[Run], *, text_format: type[_T], **options: Unpack[ManyKeywords]
    ) -> Iterator[RunResult[ParsedResponse[_T]]]: ...

    @named(ManyOptions)
    def poll_many(self, runs: Iterable[Run], **options: Any) -> Iterator[RunResult[Any]]:
        """Wait for many runs, and give a `RunResult` of each as it ends: an iterator, which raises for no single run.

        `runs` are response ids, resume tokens or responses, in any iterable. With `max_in_flight` at most so many are
        waited for at once, and the next is drawn from `runs` when one has ended and its result was taken: a generator
        that submits them is held back so. Each run has `max_wait_seconds` from when it was drawn. The other arguments
        are those of `poll`; functions are called in the thread that iterates. To stop iterating leaves the runs
        alone; what is raised meanwhile (Ctrl-C, an error of `runs` itself) carries `.run_tokens` of those not ended;
        of a list also of those not drawn yet.
        With `on_interrupt="cancel"` Ctrl-C, `SystemExit` and the cancellation of the task first have the server asked
        to stop each of them (10 seconds at most for all), and carry the ids of those that did as `.runs_cancelled`.
        Raises ValueError for arguments that make no sense, and TypeError for what names no run, or is a single one.
        """
        wanted = only(ManyOptions, options)
        begin = self._many_steps(runs, wanted)
        return _many.poll_many(self._scheduler, runs, begin, self._catalog, wanted.max_in_flight, wanted.on_interrupt)

    @overload
    def gather(
        self, runs: Iterable[Run], *, text_format: None = None, **options: Unpack[ManyKeywords]
    ) -> list[_sdk.Response]: ...

    @overload
    def gather(
        self, runs: Iterable[Run], *, text_format: type[_T], **options: Unpack[ManyKeywords]
    ) -> list[ParsedResponse[_T]]: ...

    @named(ManyOptions)
    def gather(self, runs: Iterable[Run], **options: Any) -> list[Any]:
        """Wait for many runs, and give their responses in the order of `runs`.

        Takes what `poll_many` takes. Raises a `RunExceptionGroup` when all have ended and not each has a response: it
        has the others by what is to be done about them, and every result, also of those that completed.
        """
        return _many.responses_of(list(self.poll_many(runs, **options)))

    @overload
    def stream(
        self, run: Run, *, text_format: None = None, **options: Unpack[StreamKeywords]
    ) -> RunStream[_sdk.Response]: ...

    @overload
    def stream(
        self, run: Run, *, text_format: type[_T], **options: Unpack[StreamKeywords]
    ) -> RunStream[ParsedResponse[_T]]: ...

    @named(StreamOptions)
    def stream(self, run: Run, **options: Any) -> RunStream[Any]:
        """The events of a run as they come: a context manager that is iterated for the SDK's own event objects.

        `run` is a response id, a resume token or a response. Each event comes once and in order, after the one
        numbered `starting_after` (left out, the cursor in the token; without one, from the first). A stream that
        breaks, ends too soon, or brings no event for `idle_timeout_seconds` is opened again after the last event.
        Where there is no stream to be had (a run that was created without one, or more than 5 minutes ago), the run is
        polled, and the event of its end is made here: its `.synthetic` is True. The other arguments are those of
        `poll`; `on_interrupt` is about an interrupt of the with statement.

        `get_final_response()` reads what is left, and then gives or raises what `poll` does. Iterating raises nothing
        for a run that failed: its last event says so. It raises what `poll` raises for a wait that ended before the
        run did. An exception carries `.run_token`, which holds the cursor. Leaving early closes the connection and
        leaves the run alone. Raises ValueError and TypeError at once for arguments that make no sense.
        """
        wanted = only(StreamOptions, options)
        return RunStream(self._driver, self._stream_steps(run, wanted), wanted.on_interrupt)

    @overload
    def create_and_stream(
        self,
        *,
        key: str | None = None,
        on_submitting: Callable[[str], Any] | None = None,
        on_refused: Callable[[str], Any] | None = None,
        on_submitted: Callable[[str], Any] | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        require: Require | None = None,
        text_format: None = None,
        **params: Any,
    ) -> RunStream[_sdk.Response]: ...

    @overload
    def create_and_stream(
        self,
        *,
        key: str | None = None,
        on_submitting: Callable[[str], Any] | None = None,
        on_refused: Callable[[str], Any] | None = None,
        on_submitted: Callable[[str], Any] | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        require: Require | None = None,
        text_format: type[_T],
        **params: Any,
    ) -> RunStream[ParsedResponse[_T]]: ...

    @named(NewStreamOptions)
    def create_and_stream(self, **params: Any) -> RunStream[Any]:
        """Submit a run and follow the stream of its events: `create` and `stream` in one.

        `params` are those of `client.responses.create`; `background`, `stream` and `store` are set to True. The POST
        is made on entering the with statement, as guarded as that of `create_and_poll`, and has gone through when the
        first event with the run's id has come: `on_submitted` is called then. `key` is what the run's key begins with.
        Raises ValueError for a completion window, which the API does not stream, and what `create` and `stream` raise.
        """
        options, params = split(NewStreamOptions, params)
        return RunStream(self._driver, self._new_stream_steps(params, options), options.on_interrupt)

    def cancel(self, run: Run, *, wait_seconds: float = WAIT_SECONDS) -> _sdk.Response:
        """Ask the server to stop a run, and give the run in its true state after that.

        `run` is a response id, a resume token or a response. A response that has ended is given back without a
        request, for there are servers on which a cancel overwrites the result. A run that had ended is given as it
        ended, whatever the server answers to the cancel; while it is still pending it is read again for up to
        `wait_seconds`, and then given as it is: a cancel can take minutes. The usage of a cancelled run is not known
        where the server says 0. Raises the SDK's own error for a run that does not exist or a refusal (401, 403, 5xx),
        `RunGoneError` for a run that was known and is gone, and ValueError for a `wait_seconds` that is no time.
        """
        return self._driver.run(self._cancel_steps(run, wait_seconds))
