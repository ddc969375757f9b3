"""What the exceptions are made of: the run error that holds an outcome, the wait error that holds a token."""

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
from .._waiting.attempts import Attempt, unpack
from .._waiting.resubmit import Refusal
from .._waiting.resume_token import ResumeToken, loads
from . import snapshot as _snapshot
from .portable import Portable

# Keys in `response.extensions`: an error that somebody builds again from our response keeps its outcome.
TEXT, STATE = "runoutcome.text", "runoutcome.state"


@dataclass(frozen=True)
class Origin:
    """Where an outcome came from. Stays in this process; what is shown of it holds no prompt and no output."""

    run: Any = field(default=None, repr=False)
    error: Any = field(default=None, repr=False)
    """The error object of the body, as the server sent it."""
    poll_status_code: int | None = None
    request_id: str | None = None
    url: str | None = None
    http_library: ModuleType | None = None


class RunError(Portable, _sdk.OpenAIError):
    """A run that is not known to be completed.

    `outcome` says what became of it, and each of its fields can be read here too. `run` is the body the caller
    would have had, with its partial output; it stays in this process and is never pickled. The constructor takes
    an exception's own `args`, or the SDK's call `(message, response=..., body=...)`.
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
    """Why `create_and_poll(resubmit=...)` did not make a retryable run again; None where that was no question."""

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
        text, state = (message, state) if state is not None else travelled_in(response)
        outcome, extra = _snapshot.load(text, state) if state is not None else (None, {})
        origin = Origin(error=body, poll_status_code=extra.get("poll"), request_id=extra.get("request_id"))
        if outcome is None:
            outcome = classify({"status": "failed", "error": body})
            if response is not None:  # somebody else's HTTP error: it is what it says it is
                outcome = replace(outcome, status_code=response.status_code)
                origin = replace(origin, request_id=response.headers.get("x-request-id"))
        self.run_token = extra.get("token")
        if outcome.response_id is None:
            outcome = replace(outcome, response_id=id_in(self.run_token))
        key = told.key if (told := token_in(self.run_token)) else None
        self.attempts: tuple[Attempt, ...] = unpack(extra.get("tries"), key, outcome)
        self.not_resubmitted = extra.get("not_again")
        self._fill(outcome, origin, extra.get("error_type"))
        self.message = message or self.message
        given = {"response": response, "request": request, "body": body}
        self.__dict__.update({name: value for name, value in given.items() if value is not None})

    @classmethod
    def of(cls, outcome: Outcome, origin: Origin) -> "RunError":
        """A fresh error for `outcome`; internal: `error_for` is the public way."""
        error = cls.__new__(cls)
        error._fill(outcome, origin, word(look(origin.error, "type")))
        return error

    def _fill(self, outcome: Outcome, origin: Origin, upstream_type: str | None) -> None:
        self.outcome, self.origin, self.run = outcome, origin, origin.run
        self.message, self.code, self.param = outcome.describe(), outcome.code, outcome.param
        self.type = upstream_type or outcome.error_type
        self.poll_status_code, self.request_id = origin.poll_status_code, origin.request_id

    def _state(self) -> tuple[Outcome | None, dict[str, Any]]:
        upstream_type = self.type if self.type != self.outcome.error_type else None
        return self.outcome, {
            "error_type": upstream_type and _snapshot.cut(upstream_type, 60),
            "poll": self.poll_status_code,
            "request_id": self.request_id and _snapshot.cut(self.request_id, 60),
            "not_again": self.not_resubmitted,
        }

    if not TYPE_CHECKING:  # the SDK declares these as plain attributes; ours are built on first access

        @cached_property
        def body(self):
            return _inner_error(self.origin.error, self)

        @cached_property
        def request(self):
            return _sdk.synthetic_request(self._http_library, self._url)

    @property
    def _http_library(self) -> ModuleType:
        return self.origin.http_library or _sdk.native_http_library()

    @property
    def _url(self) -> str:
        return _sdk.run_url(self.response_id, self.origin.url)

    @property
    def unsafe_to_replay(self) -> bool:
        """The run may still be going, so a new one may be paid for besides. For openai-agents, which asks for it."""
        return self.outcome.phase != "terminal"

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
        return self.outcome.phase == "terminal" and self.outcome.retryable

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
    def usage(self) -> Mapping[str, int] | None:
        return self.outcome.usage

    @property
    def has_output(self) -> bool:
        return self.outcome.has_output

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
    """What the errors of our own waiting and submitting share: the run's id, and how to go on."""

    retryable = False
    unsafe_to_replay = True
    """openai-agents reads this: the cause of such an error may look retryable, and a new run would be paid again."""
    message: str
    run_token: str | None
    response_id: str | None
    key: str | None
    """The `runoutcome_key` of the submission, by which it can be found in the provider's logs."""
    outcome: Outcome | None
    """What the last good poll said; None where there was none."""

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
        extra: dict[str, Any] = {"id": response_id, "token": token, "key": key}
        if state is not None:
            outcome, extra = _snapshot.load(message, state)
        self.message, self.outcome = message, outcome
        self.run_token = extra.get("token")
        told = token_in(self.run_token)
        self.key = extra.get("key") or (told.key if told else None)
        self.attempts: tuple[Attempt, ...] = unpack(extra.get("tries"), self.key)
        self.response_id = extra.get("id") or (outcome.response_id if outcome else None) or id_in(self.run_token)
        if outcome is not None and outcome.response_id is None:
            self.outcome = replace(outcome, response_id=self.response_id)

    def _state(self) -> tuple[Outcome | None, dict[str, Any]]:
        told = token_in(self.run_token)
        key = None if told and told.key == self.key else self.key  # it can be long, and the token holds it
        return self.outcome, {"id": self.response_id, "key": key}


def token_in(text: str | None) -> ResumeToken | None:
    """The resume token that an error carries; None if it carries none, or one that cannot be read."""
    try:
        return loads(text) if text else None
    except ValueError:
        return None


def id_in(text: str | None) -> str | None:
    """The response id that a resume token holds; in a snapshot it stands there alone."""
    token = token_in(text)
    return token.response_id if token else None


def travelled_in(response: Any) -> tuple[str, str | None]:
    extensions = getattr(response, "extensions", None)
    if isinstance(extensions, Mapping) and STATE in extensions:
        return extensions[TEXT], extensions[STATE]
    return "", None


def _inner_error(error: Any, told: RunError) -> Any:
    """What the SDK calls `body`: the error object itself, plain, rebuilt from the outcome where it did not travel."""
    if isinstance(error, Mapping):
        return dict(error)
    if hasattr(error, "to_dict"):
        return error.to_dict()
    if error is not None:
        return error
    if told.code is None and told.outcome.message is None:
        return None
    return {"code": told.code, "message": told.outcome.message, "param": told.param, "type": told.type}
