"""`Runs` and `AsyncRuns`: make background runs and wait for them, through the user's own client.

The two are the same methods over the same steps; what differs is the word `await`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from . import _poll, _sdk, _wait
from ._body import look, word
from ._catalog import Catalog
from ._dispatch import Accept, parse_accept
from ._effects import AsyncSystemClock, Clock, Steps, SystemClock, drive, drive_async
from ._job import Job, run_job
from ._model import Outcome
from ._poll import OnTimeout
from ._resubmit import ResubmitBudget
from ._submit import KEY, WINDOW, attempt_key, base_key, prepare, submit, window_of
from ._token import ResumeToken, loads


class Auto(Enum):
    """The type of `AUTO`."""

    AUTO = "auto"


AUTO = Auto.AUTO
"""Wait for 1 hour, or 1.25 times the completion window where one is known."""

MaxWait = float | None | Auto
Run = str | _sdk.Response | Mapping[str, Any]
"""A response id, a resume token, or a response."""


class _RunsBase:
    """What both colours share: arguments in, steps out."""

    def __init__(
        self,
        client: Any,
        clock: Clock,
        catalog: Catalog | None,
        resubmit_budget: ResubmitBudget | None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._catalog = catalog or Catalog.load()
        self._budget = resubmit_budget or ResubmitBudget()

    @property
    def catalog(self) -> Catalog:
        """The catalog that decides outcomes."""
        return self._catalog

    def _create_steps(self, params: Mapping[str, Any]) -> Steps[_sdk.Response]:
        key = attempt_key(base_key(params), 1)
        return submit(prepare(params, key), key, self._client.max_retries)

    def _poll_steps(
        self,
        run: Run,
        max_wait: MaxWait,
        poll_interval_ms: float | None,
        completion_window: str | None,
        on_timeout: OnTimeout,
        accept: Accept | Iterable[Accept],
        on_update: Callable[[Outcome], Any] | None,
        on_fault: Callable[[BaseException], Any] | None,
    ) -> Steps[_sdk.Response]:
        token, response = token_of(run)
        window = completion_window or token.completion_window
        wait = self._wait(max_wait, poll_interval_ms, window, on_timeout, accept, on_update, on_fault)
        # An id may be mistyped; a response or a token of ours belongs to a run that was there.
        known = response is not None or token.seen or token.submitted_at is not None
        state = _poll.state_of(self._clock, token, known=known)
        first = _poll.seen_by_caller(response, self._catalog) if response is not None else None
        return _poll.poll(wait, token, state, first)

    def _job_steps(
        self,
        params: Mapping[str, Any],
        resubmit: int,
        key: str | None,
        resume: str | None,
        on_submitting: Callable[[str], Any] | None,
        on_refused: Callable[[str], Any] | None,
        on_submitted: Callable[[str], Any] | None,
        max_wait: MaxWait,
        poll_interval_ms: float | None,
        completion_window: str | None,
        on_timeout: OnTimeout,
        accept: Accept | Iterable[Accept],
        on_update: Callable[[Outcome], Any] | None,
        on_fault: Callable[[BaseException], Any] | None,
    ) -> Steps[_sdk.Response]:
        if resubmit < 0:
            raise ValueError(f"resubmit is the number of further runs that may be made, 0 or more; got {resubmit}")
        window = completion_window or window_of(params)
        token = loads(resume) if resume is not None else None
        if token is not None:
            window = window or token.completion_window
        wait = self._wait(max_wait, poll_interval_ms, window, on_timeout, accept, on_update, on_fault)
        prepare(params, "")  # parameters that cannot make a run are refused before anything is called
        job = Job(
            params=params,
            wait=wait,
            resubmit=resubmit,
            budget=self._budget,
            max_retries=self._client.max_retries,
            window=window,
            key=key,
            on_submitting=on_submitting,
            on_refused=on_refused,
            on_submitted=on_submitted,
        )
        return run_job(job, token)

    def _cancel_steps(self, run: Run) -> Steps[_sdk.Response]:
        return _poll.cancel(self._wait(AUTO, None, None, "leave", (), None, None), token_of(run)[0])

    def _wait(
        self,
        max_wait: MaxWait,
        poll_interval_ms: float | None,
        window: str | None,
        on_timeout: OnTimeout,
        accept: Accept | Iterable[Accept],
        on_update: Callable[[Outcome], Any] | None,
        on_fault: Callable[[BaseException], Any] | None,
    ) -> _poll.Wait:
        if on_timeout not in ("leave", "cancel"):
            raise ValueError(f"on_timeout is 'leave' or 'cancel'; got {on_timeout!r}")
        policy = _wait.policy_for("auto" if isinstance(max_wait, Auto) else max_wait, poll_interval_ms, window)
        return _poll.Wait(policy, self._clock, self._catalog, parse_accept(accept), on_timeout, on_update, on_fault)


class Runs(_RunsBase):
    """Background runs through an `OpenAI` client (Azure clients too).

    `catalog` decides outcomes (the shipped one by default). `resubmit_budget` bounds resubmissions over all runs of
    this object; share one between several. `clock` is for tests.
    """

    def __init__(
        self,
        client: _sdk.OpenAI,
        *,
        catalog: Catalog | None = None,
        resubmit_budget: ResubmitBudget | None = None,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(client, _sdk.AsyncOpenAI):
            raise TypeError("Runs takes a sync client; use AsyncRuns for an AsyncOpenAI")
        super().__init__(client, clock or SystemClock(), catalog, resubmit_budget)

    def _drive(self, steps: Steps[_sdk.Response]) -> _sdk.Response:
        return drive(steps, self._client, self._clock)

    def create(self, **params: Any) -> _sdk.Response:
        """Submit one background run; takes what `client.responses.create` takes, and gives its response at once.

        The create is guarded. It sets `background=True` and `store=True` unless given, and notes a fresh key in
        `metadata["runoutcome_key"]`. It is sent again only where it is proven that the API did not accept it. Raises
        the SDK's own errors where the API refused, `SubmissionUnknownError` where the run may be going, and
        ValueError for parameters that make no background run.
        """
        return self._drive(self._create_steps(params))

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
        return self._drive(
            self._poll_steps(
                run, max_wait_seconds, poll_interval_ms, completion_window, on_timeout, accept, on_update, on_fault
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
        return self._drive(
            self._job_steps(
                params,
                resubmit,
                key,
                resume,
                on_submitting,
                on_refused,
                on_submitted,
                max_wait_seconds,
                poll_interval_ms,
                completion_window,
                on_timeout,
                accept,
                on_update,
                on_fault,
            )
        )

    def cancel(self, run: Run) -> _sdk.Response:
        """Ask the server to stop a run, and give the run in its true state after that.

        `run` is a response id, a resume token or a response. A run that had ended is given as it ended, whatever
        the server answers to the cancel. Raises the SDK's own error for a run that does not exist.
        """
        return self._drive(self._cancel_steps(run))


class AsyncRuns(_RunsBase):
    """Background runs through an `AsyncOpenAI` client (Azure clients too); see `Runs`.

    The callbacks of the async methods may be plain functions or coroutine functions.
    """

    def __init__(
        self,
        client: _sdk.AsyncOpenAI,
        *,
        catalog: Catalog | None = None,
        resubmit_budget: ResubmitBudget | None = None,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(client, _sdk.OpenAI):
            raise TypeError("AsyncRuns takes an AsyncOpenAI; use Runs for a sync client")
        super().__init__(client, clock or AsyncSystemClock(), catalog, resubmit_budget)

    async def _drive(self, steps: Steps[_sdk.Response]) -> _sdk.Response:
        return await drive_async(steps, self._client, self._clock)

    async def create(self, **params: Any) -> _sdk.Response:
        """The async twin of `Runs.create`."""
        return await self._drive(self._create_steps(params))

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
        return await self._drive(
            self._poll_steps(
                run, max_wait_seconds, poll_interval_ms, completion_window, on_timeout, accept, on_update, on_fault
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
        return await self._drive(
            self._job_steps(
                params,
                resubmit,
                key,
                resume,
                on_submitting,
                on_refused,
                on_submitted,
                max_wait_seconds,
                poll_interval_ms,
                completion_window,
                on_timeout,
                accept,
                on_update,
                on_fault,
            )
        )

    async def cancel(self, run: Run) -> _sdk.Response:
        """The async twin of `Runs.cancel`."""
        return await self._drive(self._cancel_steps(run))


def token_of(run: Run) -> tuple[ResumeToken, Any]:
    """The token of a run named in any way, and the response where one was given.

    Raises TypeError or ValueError, saying what is expected, for what names no run.
    """
    if isinstance(run, str):
        return loads(run), None
    response_id = look(run, "id")
    if not isinstance(response_id, str) or not response_id:
        raise TypeError(f"a run is a response id, a resume token or a response; got {type(run).__name__}")
    created_at = look(run, "created_at")
    return (
        ResumeToken(
            response_id,
            float(created_at) if isinstance(created_at, (int, float)) else None,
            word(look(look(run, "metadata"), KEY)),
            word(look(look(run, "metadata"), WINDOW)) or window_of(run),
        ),
        run,
    )
