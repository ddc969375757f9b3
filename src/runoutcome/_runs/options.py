"""What `Runs` and `AsyncRuns` share: arguments in, steps out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, TypedDict

from .. import _sdk
from .._catalog.catalog import Catalog
from .._catalog.rows import HOME
from .._checks import check_functions, check_number, check_type, check_whole_number, refuse_type
from .._drivers.many import Begin
from .._errors.raising import Accept, parse_accept
from .._operations import poll as _poll
from .._operations.cancel import cancel
from .._operations.effects import Clock, Notices, Steps
from .._operations.interrupts import OnInterrupt
from .._operations.job import Job, created, run_job
from .._operations.observation import Seen, Wanted, seen_by_caller
from .._operations.poll import OnTimeout
from .._operations.submit import KEY, WINDOW, attempt_key, base_key, prepare, window_of
from .._outcome.body import look, word
from .._outcome.outcome import Outcome
from .._sdk.structured_output import TextFormat
from .._waiting import polling as _wait
from .._waiting.attempts import Attempt
from .._waiting.resubmit import ResubmitBudget, ResubmitPolicy
from .._waiting.resume_token import ResumeToken, check_id, loads


class Auto(Enum):
    """The type of `AUTO`."""

    __module__ = "runoutcome"

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
    on_interrupt: OnInterrupt = "leave"
    text_format: Any = None


class WaitOptions(TypedDict, total=False):
    """What `poll` can be told, for the types of those who hand it on."""

    max_wait_seconds: MaxWait
    poll_interval_ms: float | None
    on_timeout: OnTimeout
    accept: Accept | Iterable[Accept]
    on_update: Callable[[Outcome], Any] | None
    on_fault: Callable[[BaseException], Any] | None
    completion_window: str | None
    on_interrupt: OnInterrupt


class RunsBase:
    """What both colours share; internal."""

    _iterable_by: tuple[str, ...] = ("__iter__", "__getitem__")
    """What many runs come in has one of these."""

    def __init__(
        self,
        client: Any,
        clock: Clock,
        catalog: Catalog | None,
        resubmit_budget: ResubmitBudget | None,
        notices: Notices | None,
    ) -> None:
        _check_client(client)
        if catalog is not None:
            check_type(catalog, Catalog, "catalog is a Catalog, such as Catalog.load() gives, or None")
        if resubmit_budget is not None:
            check_type(resubmit_budget, ResubmitBudget, "resubmit_budget is a ResubmitBudget, or None")
        if notices is not None and (isinstance(notices, type) or not callable(getattr(notices, "listen", None))):
            refuse_type(notices, "notices is a webhooks.Inbox, or what has its `listen`, or None")
        self._client = client
        self._clock = clock
        self._catalog = catalog or Catalog.load()
        self._budget = resubmit_budget or ResubmitBudget()
        self._notices = notices

    @property
    def catalog(self) -> Catalog:
        """The catalog that decides outcomes."""
        return self._catalog

    def _create_steps(self, params: Mapping[str, Any], text_format: Any = None) -> Steps[_sdk.Response]:
        wanted, params = _formatted(text_format, params)
        key = attempt_key(base_key(params), 1)
        return created(prepare(params, key), key, self._client.max_retries, wanted)

    def _poll_steps(self, run: Run, asked: Asked) -> Steps[_sdk.Response]:
        return self._begin(run, lambda window: self._wait(asked, window))[1]

    def _beginning(self, runs: object, asked: Asked, max_in_flight: int | None) -> Begin:
        """How the wait for each of many runs begins; what they share is made once, and checked now."""
        _check_many(runs, self._iterable_by)
        if max_in_flight is not None:
            expected = "max_in_flight is the number of runs waited for at once, 1 or more, or None for no limit"
            check_whole_number(max_in_flight, expected, least=1)

        of_one = replace(asked, on_interrupt="leave")  # what interrupts is seen by whoever waits for all

        @cache
        def wait_for(window: str | None) -> _poll.Wait:
            return self._wait(of_one, window)

        self._wait(asked, None)
        return lambda run: self._begin(run, wait_for)

    def _begin(
        self, run: Run, wait_for: Callable[[str | None], _poll.Wait]
    ) -> tuple[ResumeToken, Steps[_sdk.Response]]:
        token, response = token_of(run)
        wait = wait_for(token.completion_window)
        state = _poll.state_of(self._clock, token, known=_is_known(token, response))
        return token, _poll.poll(wait, token, state, self._given(response))

    def _given(self, response: Any) -> Seen | None:
        """What the response shows that the caller named a run by; one that has ended is a model, as if it was polled.

        So what is returned is what the annotations say, also where the response was stored as JSON.
        """
        seen = seen_by_caller(response, self._catalog) if response is not None else None
        if seen is None or seen.outcome.phase != "terminal" or seen.outcome.surface != HOME:
            return seen
        run = seen.origin.run
        if not isinstance(run, Mapping):
            return seen
        return replace(seen, origin=replace(seen.origin, run=_sdk.build_run(dict(run), None)))

    def _job_steps(
        self,
        params: Mapping[str, Any],
        asked: Asked,
        resubmit: int | ResubmitPolicy,
        key: str | None,
        resume: Run | None,
        on_submitting: Callable[[str], Any] | None,
        on_refused: Callable[[str], Any] | None,
        on_submitted: Callable[[str], Any] | None,
        on_resubmitting: Callable[[Attempt], Any] | None = None,
    ) -> Steps[_sdk.Response]:
        check_functions(
            on_submitting=on_submitting,
            on_refused=on_refused,
            on_submitted=on_submitted,
            on_resubmitting=on_resubmitting,
        )
        policy = resubmit if isinstance(resubmit, ResubmitPolicy) else ResubmitPolicy(resubmit)
        wanted, params = _formatted(asked.text_format, params)
        token = token_of(resume)[0] if resume is not None else None
        window = asked.completion_window or window_of(params) or (token.completion_window if token else None)
        wait = self._wait(asked, window, wanted)
        prepare(params, "")  # parameters that cannot make a run are refused before anything is called
        job = Job(
            params=params,
            wait=wait,
            resubmit=policy,
            budget=self._budget,
            max_retries=self._client.max_retries,
            window=window,
            key=key,
            on_submitting=on_submitting,
            on_refused=on_refused,
            on_submitted=on_submitted,
            on_resubmitting=on_resubmitting,
        )
        return run_job(job, token)

    def _cancel_steps(self, run: Run) -> Steps[_sdk.Response]:
        token, response = token_of(run)
        return cancel(self._clock, self._catalog, token, known=_is_known(token, response))

    def _wait(self, asked: Asked, window: str | None, text_format: TextFormat | None = None) -> _poll.Wait:
        """`text_format` with the tools of the request, where there is one."""
        for name, asks in (("on_timeout", asked.on_timeout), ("on_interrupt", asked.on_interrupt)):
            if asks not in ("leave", "cancel"):
                raise ValueError(f"{name} is 'leave' or 'cancel'; got {asks!r}")
        check_functions(on_update=asked.on_update, on_fault=asked.on_fault)
        if not isinstance(asked.max_wait_seconds, Auto) and asked.max_wait_seconds is not None:
            check_number(asked.max_wait_seconds, "max_wait_seconds is a number of seconds, or None for no limit")
        if asked.poll_interval_ms is not None:
            check_number(asked.poll_interval_ms, "poll_interval_ms is a number of milliseconds, or None")
        _check_window(asked.completion_window)
        if text_format is None and asked.text_format is not None:
            text_format = TextFormat(asked.text_format)
        policy = _wait.policy_for(
            "auto" if isinstance(asked.max_wait_seconds, Auto) else asked.max_wait_seconds,
            asked.poll_interval_ms,
            asked.completion_window or window,
            is_noticed=self._notices is not None,
        )
        return _poll.Wait(
            policy,
            self._clock,
            self._catalog,
            Wanted(parse_accept(asked.accept), text_format),
            asked.on_timeout,
            asked.on_interrupt,
            asked.on_update,
            asked.on_fault,
        )


def _formatted(text_format: Any, params: Mapping[str, Any]) -> tuple[TextFormat | None, Mapping[str, Any]]:
    """The format of the output, where one is asked for, and the parameters that ask the API for it."""
    return TextFormat.of_request(text_format, params) if text_format is not None else (None, params)


def _check_client(client: Any) -> None:
    expected = "client is an OpenAI or AsyncOpenAI client, or one of Azure's"
    if isinstance(client, type):
        raise TypeError(f"{expected}; got the class {client.__name__} itself: make one of it")
    if isinstance(client, (_sdk.OpenAI, _sdk.AsyncOpenAI)):
        return
    # A wrapper or a double of a test is as good: it is asked for no more than this.
    if not all(hasattr(client, name) for name in ("responses", "max_retries", "with_options")):
        refuse_type(client, expected)


def _check_many(runs: object, iterable_by: tuple[str, ...]) -> None:
    """Raises TypeError for what is no iterable of runs: one that is a run itself would be taken apart."""
    is_single = isinstance(runs, (str, bytes, bytearray, memoryview, Mapping)) or isinstance(look(runs, "id"), str)
    if is_single or not any(hasattr(runs, name) for name in iterable_by):
        refuse_type(runs, "runs is an iterable of runs; wrap a single one in a list")


def _check_window(completion_window: object) -> None:
    """Raises TypeError or ValueError for an argument that is no window; what a body or token says is as it is."""
    if completion_window is None or completion_window == "soonest":
        return
    expected = 'completion_window is "soonest", or a time such as "30m", "2h" or "8h"'
    if not isinstance(completion_window, str):
        refuse_type(completion_window, expected)
    if not _wait.window_seconds(completion_window):
        raise ValueError(f"{expected}; got {completion_window!r}")


def _is_known(token: ResumeToken, response: object) -> bool:
    """An id may be mistyped; a response or a token of ours belongs to a run that was there."""
    return response is not None or token.seen or token.submitted_at is not None


def token_of(run: Run) -> tuple[ResumeToken, Any]:
    """The token of a run named in any way, and the response where one was given.

    Raises TypeError or ValueError, saying what is expected, for what names no run.
    """
    if isinstance(run, str):
        token = loads(run)
        check_id(token.response_id)
        return token, None
    response_id = look(run, "id")
    if not isinstance(response_id, str) or not response_id:
        refuse_type(run, "a run is a response id, a resume token or a response")
    check_id(response_id)
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
