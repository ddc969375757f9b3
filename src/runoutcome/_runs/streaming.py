"""The two methods of `Runs` and `AsyncRuns` that give a stream. The steps are in `_stream_begin` and `_stream`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .. import _sdk
from .._checks import check_functions, check_number
from .._drivers.driver import AsyncDriver, Driver
from .._errors.raising import Accept
from .._operations.effects import Steps
from .._operations.interrupts import OnInterrupt
from .._operations.poll import OnTimeout
from .._operations.stream_start import check_idle, follow_new_run, follow_run, streaming
from .._operations.stream_state import IDLE_TIMEOUT_SECONDS, Following
from .._operations.submit import attempt_key, base_key
from .._outcome.outcome import Outcome
from .options import AUTO, Asked, MaxWait, Run, RunsBase, WaitOptions, _formatted, _is_known, token_of
from .stream import AsyncRunStream, RunStream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._sdk.structured_output import ParsedResponse

_T = TypeVar("_T")


class _StepsOfStreams(RunsBase):
    """What both colours share: arguments in, steps out."""

    def _stream_steps(
        self, run: Run, asked: Asked, starting_after: int | None, idle_timeout_seconds: float
    ) -> Steps[Following]:
        token, response = token_of(run)
        wait = self._wait(asked, token.completion_window)
        idle, known = _checked_idle(idle_timeout_seconds), _is_known(token, response)
        return follow_run(wait, token, starting_after, idle, self._given(response), known=known)

    def _create_and_stream_steps(
        self,
        params: Mapping[str, Any],
        asked: Asked,
        idle_timeout_seconds: float,
        key: str | None,
        on_submitting: Callable[[str], Any] | None,
        on_refused: Callable[[str], Any] | None,
        on_submitted: Callable[[str], Any] | None,
    ) -> Steps[Following]:
        check_functions(on_submitting=on_submitting, on_refused=on_refused, on_submitted=on_submitted)
        wanted, params = _formatted(asked.text_format, params)
        key = attempt_key(base_key(params, key), 1)
        return follow_new_run(
            self._wait(asked, None, wanted),
            streaming(params, asked.completion_window, key),
            key,
            self._client.max_retries,
            _checked_idle(idle_timeout_seconds),
            on_submitting,
            on_refused,
            on_submitted,
        )


def _checked_idle(idle_timeout_seconds: float) -> float:
    check_number(idle_timeout_seconds, "idle_timeout_seconds is a number of seconds")
    return check_idle(idle_timeout_seconds)


class StreamingRuns(_StepsOfStreams):
    """The part of `Runs` that gives streams."""

    _driver: Driver

    @overload
    def stream(
        self,
        run: Run,
        *,
        starting_after: int | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        text_format: None = None,
        **wait: Unpack[WaitOptions],
    ) -> RunStream[_sdk.Response]: ...

    @overload
    def stream(
        self,
        run: Run,
        *,
        starting_after: int | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        text_format: type[_T],
        **wait: Unpack[WaitOptions],
    ) -> RunStream[ParsedResponse[_T]]: ...

    def stream(
        self,
        run: Run,
        *,
        starting_after: int | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        text_format: Any = None,
    ) -> RunStream[Any]:
        """The events of a run as they come: a context manager that is iterated for the SDK's own event objects.

        `run` is a response id, a resume token or a response. Each event comes once and in order, after the one
        numbered `starting_after` (left out, the cursor in the token; without one, from the first). A stream that
        breaks, ends too soon, or brings no event for `idle_timeout_seconds` is opened again after the last event.
        Where there is no stream to be had (a run that was created without one, or more than 5 minutes ago), the run is
        polled, and the event of its end is made here: its `.synthetic` is True. The other arguments are those of
        `poll`; `on_interrupt` is about whatever leaves the with statement.

        `get_final_response()` reads what is left, and then gives or raises what `poll` does. Iterating raises nothing
        for a run that failed: its last event says so. It raises what `poll` raises for a wait that ended before the
        run did. Whatever leaves carries `.run_token`, which holds the cursor. Leaving early closes the connection and
        leaves the run alone. Raises ValueError and TypeError at once for arguments that make no sense.
        """
        steps = self._stream_steps(
            run,
            Asked(
                max_wait_seconds,
                poll_interval_ms,
                on_timeout,
                accept,
                on_update,
                on_fault,
                completion_window,
                on_interrupt,
                text_format,
            ),
            starting_after,
            idle_timeout_seconds,
        )
        return RunStream(self._driver, steps, on_interrupt)

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
        text_format: type[_T],
        **params: Any,
    ) -> RunStream[ParsedResponse[_T]]: ...

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
        text_format: Any = None,
        **params: Any,
    ) -> RunStream[Any]:
        """Submit a run and follow the stream of its events: `create` and `stream` in one.

        `params` are those of `client.responses.create`; `background`, `stream` and `store` are set to True. The POST
        is made on entering the with statement, as guarded as that of `create_and_poll`, and has gone through when the
        first event with the run's id has come: `on_submitted` is called then. `key` is what the run's key begins with.
        Raises ValueError for a completion window, which the API does not stream, and what `create` and `stream` raise.
        """
        steps = self._create_and_stream_steps(
            params,
            Asked(
                max_wait_seconds,
                poll_interval_ms,
                on_timeout,
                accept,
                on_update,
                on_fault,
                completion_window,
                on_interrupt,
                text_format,
            ),
            idle_timeout_seconds,
            key,
            on_submitting,
            on_refused,
            on_submitted,
        )
        return RunStream(self._driver, steps, on_interrupt)


class AsyncStreamingRuns(_StepsOfStreams):
    """The part of `AsyncRuns` that gives streams."""

    _driver: AsyncDriver

    @overload
    def stream(
        self,
        run: Run,
        *,
        starting_after: int | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        text_format: None = None,
        **wait: Unpack[WaitOptions],
    ) -> AsyncRunStream[_sdk.Response]: ...

    @overload
    def stream(
        self,
        run: Run,
        *,
        starting_after: int | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        text_format: type[_T],
        **wait: Unpack[WaitOptions],
    ) -> AsyncRunStream[ParsedResponse[_T]]: ...

    def stream(
        self,
        run: Run,
        *,
        starting_after: int | None = None,
        idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
        on_interrupt: OnInterrupt = "leave",
        text_format: Any = None,
    ) -> AsyncRunStream[Any]:
        """The async twin of `Runs.stream`: `async with`, `async for`. Not itself awaited."""
        steps = self._stream_steps(
            run,
            Asked(
                max_wait_seconds,
                poll_interval_ms,
                on_timeout,
                accept,
                on_update,
                on_fault,
                completion_window,
                on_interrupt,
                text_format,
            ),
            starting_after,
            idle_timeout_seconds,
        )
        return AsyncRunStream(self._driver, steps, on_interrupt)

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
        text_format: None = None,
        **params: Any,
    ) -> AsyncRunStream[_sdk.Response]: ...

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
        text_format: type[_T],
        **params: Any,
    ) -> AsyncRunStream[ParsedResponse[_T]]: ...

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
        text_format: Any = None,
        **params: Any,
    ) -> AsyncRunStream[Any]:
        """The async twin of `Runs.create_and_stream`: `async with`, `async for`. Not itself awaited."""
        steps = self._create_and_stream_steps(
            params,
            Asked(
                max_wait_seconds,
                poll_interval_ms,
                on_timeout,
                accept,
                on_update,
                on_fault,
                completion_window,
                on_interrupt,
                text_format,
            ),
            idle_timeout_seconds,
            key,
            on_submitting,
            on_refused,
            on_submitted,
        )
        return AsyncRunStream(self._driver, steps, on_interrupt)
