"""The bases of the exceptions: a run error holds an outcome, a wait error holds a resume token."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .. import _sdk
from .._catalog.rows import Action, Entry, ErrorType, Rule
from .._outcome.body import look, word
from .._outcome.classify import classify
from .._outcome.outcome import Outcome, Phase
from .._outcome.output import FailedItem
from .._sdk.responses import native_http_library, run_url, synthetic_request
from .._waiting.attempts import Attempt
from .._waiting.resubmit import Refusal
from .portable import Portable, snapshot_in
from .snapshot import Snapshot, cut

ID_CHARS = 120
"""A longer id is cut in messages; `response_id` has it whole."""


@dataclass(frozen=True)
class Origin:
    """The source of an outcome. Stays in this process; its repr holds no prompt and no output."""

    run: Any = field(default=None, repr=False)
    error: Any = field(default=None, repr=False)
    """The error object of the body, as the server sent it."""
    poll_status_code: int | None = None
    request_id: str | None = None
    url: str | None = None
    http_library: ModuleType | None = None


class RunError(Portable, _sdk.OpenAIError):
    """A run that is not known to be completed.

    `outcome` says how it ended, and each of its fields can be read here too. `run` is the body the caller would have
    had, with its partial output; it stays in this process and is never pickled. The constructor takes an exception's
    own `args`, or the SDK's call `(message, response=..., body=...)`.
    """

    __module__ = "runoutcome"

    message: str
    run_token: str | None
    outcome: Outcome
    run: Any
    poll_status_code: int | None
    """The HTTP status of the poll that brought the body: 200. None where no poll was made."""
    request_id: str | None
    """`x-request-id` of that poll; the run's own id is `response_id`."""
    origin: Origin
    """Where the outcome came from; internal."""
    code: str | None
    param: str | None
    type: str | None
    """The server's own `error.type`, and the stable `error_type` where it sent none."""
    not_resubmitted: Refusal | None = None
    """Why `create_and_poll(resubmit=...)` did not submit a retryable run again; None in all other cases."""

    def __init__(
        self,
        message: str = "",
        state: Any = None,
        *,
        response: Any = None,
        body: Any = None,
        request: Any = None,
    ) -> None:
        if state is not None and not isinstance(state, str):
            request, state = state, None  # APIError's own call has the request in second place
        snapshot = snapshot_in(message, state, response)
        origin = Origin(error=body, poll_status_code=snapshot.poll_status_code, request_id=snapshot.request_id)
        outcome = snapshot.outcome
        if outcome is None:
            outcome = replace(classify({"status": "failed", "error": body}), response_id=snapshot.response_id)
            if response is not None:  # an HTTP error that is not ours: its own status holds
                outcome = replace(outcome, status_code=response.status_code)
                origin = replace(origin, request_id=response.headers.get("x-request-id"))
        self.run_token = snapshot.run_token
        self.attempts: tuple[Attempt, ...] = snapshot.attempts
        self.not_resubmitted = snapshot.not_resubmitted
        self._fill(outcome, origin, snapshot.upstream_type)
        self.message = message or self.message
        parts = {"response": response, "request": request, "body": body}
        self.__dict__.update({name: value for name, value in parts.items() if value is not None})

    @classmethod
    def of(cls, outcome: Outcome, origin: Origin) -> "RunError":
        """A fresh error for `outcome`; internal: `error_for` is the public way."""
        error = cls.__new__(cls)
        error._fill(outcome, origin, word(look(origin.error, "type")))
        return error

    def _fill(self, outcome: Outcome, origin: Origin, upstream_type: str | None) -> None:
        self.outcome, self.origin, self.run = outcome, origin, origin.run
        self.message, self.code, self.param = outcome.describe(), outcome.code, outcome.param
        if outcome.response_id is not None:
            self.message = f"run {cut(outcome.response_id, ID_CHARS)}: {self.message}"
        self.type = upstream_type or outcome.error_type
        self.poll_status_code, self.request_id = origin.poll_status_code, origin.request_id

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            outcome=self.outcome,
            run_token=self.run_token,
            response_id=self.response_id,
            attempts=self.attempts,
            not_resubmitted=self.not_resubmitted,
            poll_status_code=self.poll_status_code,
            request_id=self.request_id,
            upstream_type=self.type if self.type != self.outcome.error_type else None,
        )

    if not TYPE_CHECKING:  # the SDK declares these as plain attributes; ours are built on first access

        @cached_property
        def body(self):
            return _plain_body(self.origin.error, self)

        @cached_property
        def request(self):
            return synthetic_request(self._http_library, self._url)

    @property
    def _http_library(self) -> ModuleType:
        return self.origin.http_library or native_http_library()

    @property
    def _url(self) -> str:
        return run_url(self.response_id, self.origin.url)

    @property
    def unsafe_to_replay(self) -> bool:
        """The run may still be going, or a tool acted in it, so a new one may pay or act twice. For openai-agents."""
        return self.outcome.phase != "terminal" or bool(self.outcome.tools_ran)

    @property
    def status(self) -> str | None:
        return self.outcome.status

    @property
    def phase(self) -> Phase:
        return self.outcome.phase

    @property
    def ok(self) -> bool:
        return self.outcome.ok

    @property
    def surface(self) -> str | None:
        return self.outcome.surface

    @property
    def reason(self) -> str | None:
        return self.outcome.reason

    @property
    def error_class(self) -> str | None:
        return self.outcome.error_class

    @property
    def error_type(self) -> ErrorType | None:
        return self.outcome.error_type

    @property
    def retryable(self) -> bool:
        """An identical new run may succeed; never where the run may still be going."""
        return self.outcome.retryable

    @property
    def action(self) -> Action:
        return self.outcome.action

    @property
    def known(self) -> bool:
        return self.outcome.known

    @property
    def retry_after(self) -> float | None:
        return self.outcome.retry_after

    @property
    def retry_after_source(self) -> str | None:
        return self.outcome.retry_after_source

    @property
    def response_id(self) -> str | None:
        return self.outcome.response_id

    @property
    def model(self) -> str | None:
        return self.outcome.model

    @property
    def body_id(self) -> str | None:
        return self.outcome.body_id

    @property
    def usage(self) -> Mapping[str, int] | None:
        return self.outcome.usage

    @property
    def output_entry(self) -> Entry | None:
        return self.outcome.output_entry

    @property
    def has_output(self) -> bool:
        return self.outcome.has_output

    @property
    def refusal(self) -> str | None:
        return self.outcome.refusal

    @property
    def failed_items(self) -> tuple[FailedItem, ...]:
        return self.outcome.failed_items

    @property
    def tools_ran(self) -> tuple[str, ...]:
        return self.outcome.tools_ran

    @property
    def retry_after_requested(self) -> float | None:
        return self.outcome.retry_after_requested

    @property
    def entry(self) -> Entry | None:
        return self.outcome.entry

    @property
    def rule(self) -> Rule | None:
        return self.outcome.rule

    @property
    def counts(self) -> Mapping[str, int] | None:
        return self.outcome.counts

    @property
    def catalog_version(self) -> str | None:
        return self.outcome.catalog_version

    @property
    def overlay(self) -> str | None:
        return self.outcome.overlay


class WaitError(Portable, _sdk.OpenAIError):
    """Base of the errors of waiting and submitting: the run's id, and how to go on."""

    retryable = False
    unsafe_to_replay = True
    """openai-agents reads this: the cause of such an error may look retryable, and a new run would be paid again."""
    message: str
    run_token: str | None
    response_id: str | None
    key: str | None
    """The `runoutcome_key` of the submission, by which it can be found in the provider's logs."""
    outcome: Outcome | None
    """The outcome of the last good poll; None where there was none."""

    def __init__(
        self,
        message: str = "",
        state: str | None = None,
        *,
        response_id: str | None = None,
        token: str | None = None,
        key: str | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        snapshot = (
            Snapshot(outcome, token, response_id, key).with_token() if state is None else Snapshot.load(message, state)
        )
        self.message, self.outcome = message, snapshot.outcome
        self.run_token, self.response_id, self.key = snapshot.run_token, snapshot.response_id, snapshot.key
        self.attempts: tuple[Attempt, ...] = snapshot.attempts

    def _snapshot(self) -> Snapshot:
        return Snapshot(self.outcome, self.run_token, self.response_id, self.key, self.attempts)


def _plain_body(error: Any, run_error: RunError) -> Any:
    """The SDK's `body`: the error object itself, plain, rebuilt from the outcome where the error was pickled."""
    if isinstance(error, Mapping):
        return dict(error)
    if hasattr(error, "to_dict"):
        return error.to_dict()
    if error is not None:
        return error
    if run_error.code is None and run_error.outcome.message is None:
        return None
    return {
        "code": run_error.code,
        "message": run_error.outcome.message,
        "param": run_error.param,
        "type": run_error.type,
    }
