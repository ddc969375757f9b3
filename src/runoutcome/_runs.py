"""`Runs` and `AsyncRuns`: make background runs and wait for them, through the user's own client.

The two are the same methods over the same steps; what differs is the word `await`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from . import _sdk
from ._catalog import Catalog
from ._clock import AsyncSystemClock, SystemClock
from ._dispatch import Accept
from ._drive import AsyncDriver, Driver
from ._effects import Clock, Notices
from ._gate import AsyncGate, Gate, Pace
from ._model import Outcome
from ._poll import OnTimeout
from ._resubmit import ResubmitBudget
from ._runs_base import AUTO, MAX_POLLS_IN_FLIGHT, MAX_SUBMITS_IN_FLIGHT, Asked, MaxWait, Run, RunsBase


class Runs(RunsBase):
    """Background runs through an `OpenAI` client (Azure clients too).

    `catalog` decides outcomes (the shipped one by default). `resubmit_budget` bounds resubmissions over all runs of
    this object; share one between several. `notices` is a `webhooks.Inbox`: with one, a wait ends when the webhook
    comes, and polls only once a minute or less, in case it is lost. At most `max_polls_in_flight` polls and
    `max_submits_in_flight` creates are made at the same time, whoever asks for them, and at most
    `max_polls_per_second` polls a second; the others wait for their turn. `clock` is for tests. Raises ValueError for
    limits that let nothing through.
    """

    def __init__(
        self,
        client: _sdk.OpenAI,
        *,
        catalog: Catalog | None = None,
        resubmit_budget: ResubmitBudget | None = None,
        notices: Notices | None = None,
        max_polls_in_flight: int = MAX_POLLS_IN_FLIGHT,
        max_polls_per_second: float | None = None,
        max_submits_in_flight: int = MAX_SUBMITS_IN_FLIGHT,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(client, _sdk.AsyncOpenAI):
            raise TypeError("Runs takes a sync client; use AsyncRuns for an AsyncOpenAI")
        super().__init__(client, clock or SystemClock(), catalog, resubmit_budget, notices)
        self._driver = Driver(
            client,
            self._clock,
            fetch=partial(_sdk.fetch, client),
            polls=Gate(Pace(max_polls_in_flight, max_polls_per_second), self._clock),
            submits=Gate(Pace(max_submits_in_flight), self._clock),
            notices=notices,
        )

    def create(self, **params: Any) -> _sdk.Response:
        """Submit one background run; takes what `client.responses.create` takes, and gives its response at once.

        The create is guarded. It sets `background=True` and `store=True` unless given, and notes a fresh key in
        `metadata["runoutcome_key"]`. It is sent again only where it is proven that the API did not accept it. Raises
        the SDK's own errors where the API refused, `SubmissionUnknownError` where the run may be going, and
        ValueError for parameters that make no background run.
        """
        return self._driver.run(self._create_steps(params))

    def poll(
        self,
        run: Run,
        *,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
    ) -> _sdk.Response:
        """Wait until a run ends, and give its response if it is completed, or ended in a way that `accept` names.

        `run` is a response id, a resume token or a response. `max_wait_seconds` bounds everything, the poll in
        flight too; 0 asks once, None has no limit, and left out it is 1 hour or 1.25 times the completion window.
        `poll_interval_ms` is a constant delay in milliseconds; left out, the delay grows with the run's age. At the
        deadline the run is left alone, or cancelled with `on_timeout="cancel"`. `on_update` is called with the
        `Outcome` of each change of status, `on_fault` with what went wrong in a poll that is simply made again.

        Raises the `RunError` for a run that ended in any other way; `WaitTimeoutError` at the deadline
        (`RunUnknownError` for a status nobody knows); `PollingLostError` when polls fail for more than 10 minutes;
        `RunGoneError` when a known run is gone; and the SDK's own error for 401, 403 and other refusals. Whatever
        leaves carries `.run_token`.
        """
        return self._driver.run(
            self._poll_steps(
                run,
                Asked(max_wait_seconds, poll_interval_ms, on_timeout, accept, on_update, on_fault, completion_window),
            )
        )

    def create_and_poll(
        self,
        *,
        resubmit: int = 0,
        key: str | None = None,
        resume: str | None = None,
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
        **params: Any,
    ) -> _sdk.Response:
        """Submit a run and wait until it ends; `create` and `poll` in one, and again where `resubmit` allows it.

        `params` are those of `client.responses.create`, the rest those of `poll`. `resubmit` is the number of
        further runs that may be made when a run ends in a way that is `retryable`. `on_submitting` is called with the
        run's key before each POST, `on_submitted` with its resume token right after it and before the first poll, and
        `on_refused` with the key of a POST that is proven not to be accepted: store them, and no crash loses a paid
        run. `resume` is such a token: the job then begins by waiting for that run. `key` is what the keys of its runs
        begin with; a random one by default. Raises what `create` and `poll` raise.
        """
        return self._driver.run(
            self._job_steps(
                params,
                Asked(max_wait_seconds, poll_interval_ms, on_timeout, accept, on_update, on_fault, completion_window),
                resubmit,
                key,
                resume,
                on_submitting,
                on_refused,
                on_submitted,
            )
        )

    def cancel(self, run: Run) -> _sdk.Response:
        """Ask the server to stop a run, and give the run in its true state after that.

        `run` is a response id, a resume token or a response. A run that had ended is given as it ended, whatever
        the server answers to the cancel. Raises the SDK's own error for a run that does not exist.
        """
        return self._driver.run(self._cancel_steps(run))


class AsyncRuns(RunsBase):
    """Background runs through an `AsyncOpenAI` client (Azure clients too); see `Runs`.

    The callbacks of the async methods may be plain functions or coroutine functions.
    """

    def __init__(
        self,
        client: _sdk.AsyncOpenAI,
        *,
        catalog: Catalog | None = None,
        resubmit_budget: ResubmitBudget | None = None,
        notices: Notices | None = None,
        max_polls_in_flight: int = MAX_POLLS_IN_FLIGHT,
        max_polls_per_second: float | None = None,
        max_submits_in_flight: int = MAX_SUBMITS_IN_FLIGHT,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(client, _sdk.OpenAI):
            raise TypeError("AsyncRuns takes an AsyncOpenAI; use Runs for a sync client")
        super().__init__(client, clock or AsyncSystemClock(), catalog, resubmit_budget, notices)
        self._driver = AsyncDriver(
            client,
            self._clock,
            fetch=partial(_sdk.fetch_async, client),
            polls=AsyncGate(Pace(max_polls_in_flight, max_polls_per_second), self._clock),
            submits=AsyncGate(Pace(max_submits_in_flight), self._clock),
            notices=notices,
        )

    async def create(self, **params: Any) -> _sdk.Response:
        """The async twin of `Runs.create`."""
        return await self._driver.run(self._create_steps(params))

    async def poll(
        self,
        run: Run,
        *,
        max_wait_seconds: MaxWait = AUTO,
        poll_interval_ms: float | None = None,
        on_timeout: OnTimeout = "leave",
        accept: Accept | Iterable[Accept] = (),
        on_update: Callable[[Outcome], Any] | None = None,
        on_fault: Callable[[BaseException], Any] | None = None,
        completion_window: str | None = None,
    ) -> _sdk.Response:
        """The async twin of `Runs.poll`."""
        return await self._driver.run(
            self._poll_steps(
                run,
                Asked(max_wait_seconds, poll_interval_ms, on_timeout, accept, on_update, on_fault, completion_window),
            )
        )

    async def create_and_poll(
        self,
        *,
        resubmit: int = 0,
        key: str | None = None,
        resume: str | None = None,
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
        **params: Any,
    ) -> _sdk.Response:
        """The async twin of `Runs.create_and_poll`."""
        return await self._driver.run(
            self._job_steps(
                params,
                Asked(max_wait_seconds, poll_interval_ms, on_timeout, accept, on_update, on_fault, completion_window),
                resubmit,
                key,
                resume,
                on_submitting,
                on_refused,
                on_submitted,
            )
        )

    async def cancel(self, run: Run) -> _sdk.Response:
        """The async twin of `Runs.cancel`."""
        return await self._driver.run(self._cancel_steps(run))
