"""What `Runs` and `AsyncRuns` share: arguments in, steps out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from . import _poll, _sdk, _wait
from ._body import look, word
from ._catalog import Catalog
from ._dispatch import Accept, parse_accept
from ._effects import Clock, Notices, Steps
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
MAX_POLLS_IN_FLIGHT = 48
MAX_SUBMITS_IN_FLIGHT = 8


@dataclass(frozen=True)
class Asked:
    """The arguments of a wait, as the caller gave them."""

    max_wait_seconds: MaxWait = AUTO
    poll_interval_ms: float | None = None
    on_timeout: OnTimeout = "leave"
    accept: Accept | Iterable[Accept] = ()
    on_update: Callable[[Outcome], Any] | None = None
    on_fault: Callable[[BaseException], Any] | None = None
    completion_window: str | None = None


class RunsBase:
    """What both colours share; internal."""

    def __init__(
        self,
        client: Any,
        clock: Clock,
        catalog: Catalog | None,
        resubmit_budget: ResubmitBudget | None,
        notices: Notices | None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._catalog = catalog or Catalog.load()
        self._budget = resubmit_budget or ResubmitBudget()
        self._notices = notices

    @property
    def catalog(self) -> Catalog:
        """The catalog that decides outcomes."""
        return self._catalog

    def _create_steps(self, params: Mapping[str, Any]) -> Steps[_sdk.Response]:
        key = attempt_key(base_key(params), 1)
        return submit(prepare(params, key), key, self._client.max_retries)

    def _poll_steps(self, run: Run, asked: Asked) -> Steps[_sdk.Response]:
        token, response = token_of(run)
        wait = self._wait(asked, token.completion_window)
        # An id may be mistyped; a response or a token of ours belongs to a run that was there.
        known = response is not None or token.seen or token.submitted_at is not None
        state = _poll.state_of(self._clock, token, known=known)
        first = _poll.seen_by_caller(response, self._catalog) if response is not None else None
        return _poll.poll(wait, token, state, first)

    def _job_steps(
        self,
        params: Mapping[str, Any],
        asked: Asked,
        resubmit: int,
        key: str | None,
        resume: str | None,
        on_submitting: Callable[[str], Any] | None,
        on_refused: Callable[[str], Any] | None,
        on_submitted: Callable[[str], Any] | None,
    ) -> Steps[_sdk.Response]:
        if resubmit < 0:
            raise ValueError(f"resubmit is the number of further runs that may be made, 0 or more; got {resubmit}")
        token = loads(resume) if resume is not None else None
        window = asked.completion_window or window_of(params) or (token.completion_window if token else None)
        wait = self._wait(asked, window)
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
        return _poll.cancel(self._wait(Asked(), None), token_of(run)[0])

    def _wait(self, asked: Asked, window: str | None) -> _poll.Wait:
        if asked.on_timeout not in ("leave", "cancel"):
            raise ValueError(f"on_timeout is 'leave' or 'cancel'; got {asked.on_timeout!r}")
        policy = _wait.policy_for(
            "auto" if isinstance(asked.max_wait_seconds, Auto) else asked.max_wait_seconds,
            asked.poll_interval_ms,
            asked.completion_window or window,
            is_noticed=self._notices is not None,
        )
        accept = parse_accept(asked.accept)
        return _poll.Wait(policy, self._clock, self._catalog, accept, asked.on_timeout, asked.on_update, asked.on_fault)


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
