"""Steps of `Runs` and `AsyncRuns`: from a method's arguments to the generator that a driver runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from .. import _sdk
from .._catalog.catalog import Catalog
from .._catalog.rows import HOME
from .._checks import check_finite_number, check_type, refuse_type
from .._drivers.many import Begin
from .._errors.raising import parse_accept
from .._operations.cancel import cancel
from .._operations.effects import Clock, Notices, Steps
from .._operations.events import Events
from .._operations.job import Job, created, run_job
from .._operations.observation import Expected, Observation, observe
from .._operations.poll import Wait, poll, state_of
from .._operations.run_event import Observer
from .._operations.stream import Follower
from .._operations.stream_start import follow_new_run, follow_run, streaming
from .._operations.submit import KEY, WINDOW, attempt_key, base_key, include_of, prepare, window_of, with_key
from .._outcome.body import look, word
from .._sdk.responses import build_run
from .._sdk.structured_output import TextFormat
from .._waiting.identity import KnownRuns
from .._waiting.polling import policy_for
from .._waiting.resubmit import ResubmitBudget
from .._waiting.resume_token import ResumeToken, check_id, epoch_seconds, loads
from .options import Auto, JobOptions, ManyOptions, NewStreamOptions, Run, StreamOptions, WaitOptions

MAX_POLLS_IN_FLIGHT = 48
MAX_SUBMITS_IN_FLIGHT = 8


class RunsBase:
    """Arguments in, steps out, for both colours."""

    _iterable_by: tuple[str, ...] = ("__iter__", "__getitem__")
    """An iterable of runs has one of these."""

    def __init__(
        self,
        client: Any,
        clock: Clock,
        catalog: Catalog | None,
        resubmit_budget: ResubmitBudget | None,
        notices: Notices | None,
        observer: Observer | None,
    ) -> None:
        _check_client(client)
        if catalog is not None:
            check_type(catalog, Catalog, "catalog is a Catalog, such as Catalog.load() gives, or None")
        if resubmit_budget is not None:
            check_type(resubmit_budget, ResubmitBudget, "resubmit_budget is a ResubmitBudget, or None")
        if notices is not None and (isinstance(notices, type) or not callable(getattr(notices, "listen", None))):
            refuse_type(notices, "notices is a webhooks.Inbox, or what has its `listen`, or None")
        if observer is not None and (isinstance(observer, type) or not callable(observer)):
            refuse_type(observer, "observer is a function of a RunEvent, or None")
        if inspect.iscoroutinefunction(observer):
            raise TypeError("observer is a plain function, also for AsyncRuns; got a coroutine function")
        self._client = client
        self._clock = clock
        self._catalog = catalog or Catalog.load()
        self._budget = resubmit_budget or ResubmitBudget()
        self._notices = notices
        self._known = KnownRuns()
        self._events = Events(clock, observer)

    @property
    def catalog(self) -> Catalog:
        """The catalog that decides outcomes."""
        return self._catalog

    def _create_steps(self, params: Mapping[str, Any], text_format: Any = None) -> Steps[_sdk.Response]:
        output, params = _formatted(text_format, params)
        key = attempt_key(base_key(params), 1)
        params = with_key(prepare(params), key)
        return created(params, key, self._client.max_retries, output, self._catalog, self._events)

    def _poll_steps(self, run: Run, options: WaitOptions) -> Steps[_sdk.Response]:
        return self._begin(run, lambda window: self._wait(options, window))[1]

    def _many_steps(self, runs: object, options: ManyOptions) -> Begin:
        """A function that makes the steps of waiting for one of many runs. Their common part is made once, now."""
        _check_many(runs, self._iterable_by)
        of_one = replace(options, on_interrupt="leave")  # an interrupt is handled once, for all of them

        @cache
        def wait_for(window: str | None) -> Wait:
            return self._wait(of_one, window)

        wait_for(None)  # a wrong option is an error of this call, not of the first run
        return lambda run: self._begin(run, wait_for)

    def _begin(self, run: Run, wait_for: Callable[[str | None], Wait]) -> tuple[ResumeToken, Steps[_sdk.Response]]:
        token, response = self._named(run)
        state = state_of(self._clock, token, known=_is_known(token, response))
        return token, poll(wait_for(token.completion_window), token, state, self._given(response))

    def _job_steps(self, params: Mapping[str, Any], options: JobOptions) -> Steps[_sdk.Response]:
        output, params = _formatted(options.text_format, params)
        token = self._named(options.resume)[0] if options.resume is not None else None
        if token is not None and not token.include:  # a bare id says no more than where the run is
            token = replace(token, include=include_of(params))
        window = options.completion_window or window_of(params) or (token.completion_window if token else None)
        job = Job(
            params=prepare(params),
            wait=self._wait(options, window, output),
            resubmit=options.policy,
            budget=self._budget,
            max_retries=self._client.max_retries,
            key=base_key(params, options.key),
            window=window,
            on_submitting=options.on_submitting,
            on_refused=options.on_refused,
            on_submitted=options.on_submitted,
            on_resubmitting=options.on_resubmitting,
        )
        return run_job(job, token)

    def _stream_steps(self, run: Run, options: StreamOptions) -> Steps[Follower]:
        token, response = self._named(run)
        wait, known = self._wait(options, token.completion_window), _is_known(token, response)
        first = self._given(response)
        return follow_run(wait, token, options.starting_after, options.idle_timeout_seconds, first, known=known)

    def _new_stream_steps(self, params: Mapping[str, Any], options: NewStreamOptions) -> Steps[Follower]:
        output, params = _formatted(options.text_format, params)
        key = attempt_key(base_key(params, options.key), 1)
        return follow_new_run(
            self._wait(options, None, output),
            streaming(params, options.completion_window, key),
            key,
            self._client.max_retries,
            options.idle_timeout_seconds,
            options.on_submitting,
            options.on_refused,
            options.on_submitted,
        )

    def _cancel_steps(self, run: Run, wait_seconds: float) -> Steps[_sdk.Response]:
        check_finite_number(wait_seconds, "wait_seconds is a number of seconds, 0 or more")
        token, response = self._named(run)
        return cancel(
            self._clock,
            self._catalog,
            self._known,
            self._events,
            token,
            known=_is_known(token, response),
            first=self._given(response),
            wait_seconds=wait_seconds,
        )

    def _named(self, run: Run) -> tuple[ResumeToken, Any]:
        """`token_of`, and the run is known from now on."""
        token, response = token_of(run)
        self._known.add(token)
        return token, response

    def _given(self, response: Any) -> Observation | None:
        """The observation of a response that names a run; one that has ended becomes a model, as if it was polled.

        So the returned object is of the annotated type, also where the response was stored as JSON.
        """
        observation = observe(response, self._catalog) if response is not None else None
        if observation is None or observation.outcome.phase != "terminal" or observation.outcome.surface != HOME:
            return observation
        run = observation.origin.run
        if not isinstance(run, Mapping):
            return observation
        return replace(observation, origin=replace(observation.origin, run=build_run(dict(run), None)))

    def _wait(self, options: WaitOptions, window: str | None, output: TextFormat | None = None) -> Wait:
        """The wait for one run; `output` is the format with the tools of the request, where there is a request."""
        if output is None and options.text_format is not None:
            output = TextFormat(options.text_format)
        policy = policy_for(
            "auto" if isinstance(options.max_wait_seconds, Auto) else options.max_wait_seconds,
            options.poll_interval_ms,
            options.completion_window or window,
            is_noticed=self._notices is not None,
        )
        return Wait(
            policy,
            self._clock,
            self._catalog,
            Expected(parse_accept(options.accept), output, options.require),
            self._known,
            options.on_timeout,
            options.on_interrupt,
            options.on_update,
            options.on_fault,
            self._events,
        )


def token_of(run: Run) -> tuple[ResumeToken, Any]:
    """The token of a run named in any way, and the response that named it, if one did.

    Raises TypeError or ValueError, saying what is expected, for an object that names no run.
    """
    if isinstance(run, str):
        token = loads(run)
        check_id(token.response_id)
        return token, None
    response_id, name = look(run, "id"), look(run, "object")
    if isinstance(name, str) and name != "response":
        raise TypeError(f"a run is a response id, a resume token or a response; got a {name[:60]}")
    if not isinstance(response_id, str) or not response_id:
        refuse_type(run, "a run is a response id, a resume token or a response")
    check_id(response_id)
    metadata = look(run, "metadata")
    return (
        ResumeToken(
            response_id,
            epoch_seconds(look(run, "created_at")),
            word(look(metadata, KEY)),
            word(look(metadata, WINDOW)) or window_of(run),
        ),
        run,
    )


def _formatted(text_format: Any, params: Mapping[str, Any]) -> tuple[TextFormat | None, Mapping[str, Any]]:
    """The format of the output, if one is asked for, and the parameters that ask the API for it."""
    return TextFormat.of_request(text_format, params) if text_format is not None else (None, params)


def _check_client(client: Any) -> None:
    expected = "client is an OpenAI or AsyncOpenAI client, or one of Azure's"
    if isinstance(client, type):
        raise TypeError(f"{expected}; got the class {client.__name__} itself: make one of it")
    if isinstance(client, (_sdk.OpenAI, _sdk.AsyncOpenAI)):
        return
    # A wrapper, or a double in a test, needs no more than these.
    if not all(hasattr(client, name) for name in ("responses", "max_retries", "with_options")):
        refuse_type(client, expected)


def _check_many(runs: object, iterable_by: tuple[str, ...]) -> None:
    """Raise TypeError for an object that is no iterable of runs, or is a run itself: that would be taken apart."""
    is_single = isinstance(runs, (str, bytes, bytearray, memoryview, Mapping)) or isinstance(look(runs, "id"), str)
    if is_single or not any(hasattr(runs, name) for name in iterable_by):
        refuse_type(runs, "runs is an iterable of runs; wrap a single one in a list")


def _is_known(token: ResumeToken, response: object) -> bool:
    """An id may be mistyped; a response or a token of ours belongs to a run that existed."""
    return response is not None or token.seen or token.submitted_at is not None
