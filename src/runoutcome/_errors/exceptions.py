"""The exceptions. All static, all data, all importable from the package root.

openai.OpenAIError
├─ RunError                        a run not known to be completed
│  ├─ RunFailedError               also openai.APIError (bare: no status claimed)
│  │  └─ RunStatusError            also openai.APIStatusError, and the eight, each also the SDK's class:
│  │     RunBadRequestError, RunAuthenticationError, RunPermissionDeniedError, RunNotFoundError,
│  │     RunConflictError, RunUnprocessableEntityError, RunRateLimitError, RunInternalServerError
│  ├─ RunIncompleteError
│  │  └─ RunContentFilterError     also openai.ContentFilterFinishReasonError
│  ├─ RunCancelledError
│  ├─ RunExpiredError
│  ├─ RunPendingError              not terminal yet
│  └─ RunUnknownError              also openai.APIError: no run body, or a status nobody knows
├─ RunGoneError                    also openai.NotFoundError; not a RunError
├─ WaitTimeoutError                also TimeoutError
├─ PollingLostError
├─ SubmissionUnknownError
└─ OutputParseError                also ValueError: the run is completed, and its output is not what was asked for

Which of them a body amounts to is decided in `_dispatch`; how they travel is in `_portable`.
"""

import math
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from .. import _sdk
from .._outcome.body import look, word
from .._outcome.outcome import Outcome
from .._waiting.attempts import Attempt, unpack
from . import snapshot as _snapshot
from .bases import STATE, TEXT, Origin, RunError, WaitError, id_in, token_in, travelled_in
from .portable import Portable


class RunFailedError(RunError, _sdk.APIError):
    """The run failed, and no HTTP status is claimed for it: no error was given, or its code is not known."""

    __module__ = "runoutcome"


class RunStatusError(RunFailedError, _sdk.APIStatusError):
    """The run failed for a reason that has an HTTP status; also raised itself, for a 4xx without a class of its own.

    `status_code` and `response` are those the same cause would have given synchronously, so they are marked
    `synthetic`; the HTTP status that was really seen is `poll_status_code`.
    """

    __module__ = "runoutcome"

    synthetic = True

    def _fill(self, outcome: Outcome, origin: Origin, upstream_type: str | None) -> None:
        super()._fill(outcome, origin, upstream_type)
        if outcome.status_code is not None:
            # Not as an attribute: the SDK's classes declare it as this or that literal.
            self.__dict__["status_code"] = outcome.status_code

    if not TYPE_CHECKING:  # see RunError.body

        @cached_property
        def response(self):
            headers = {"x-should-retry": "true" if self.retryable else "false"}
            if self.retry_after is not None:  # LiteLLM reads only the coarse one, the others the fine one first
                headers["retry-after-ms"] = str(round(self.retry_after * 1000))
                headers["retry-after"] = str(math.ceil(self.retry_after))
            if self.request_id is not None:
                headers["x-request-id"] = self.request_id
            response = _sdk.synthetic_response(
                self._http_library, self._url, self.status_code, headers, {"error": self.body}
            )
            response.extensions[TEXT], response.extensions[STATE] = self.args
            return response


class RunBadRequestError(RunStatusError, _sdk.BadRequestError):
    """The request itself cannot succeed (400): an image, a prompt, a policy, a length."""

    __module__ = "runoutcome"


class RunAuthenticationError(RunStatusError, _sdk.AuthenticationError):
    """The run was refused for want of valid credentials (401)."""

    __module__ = "runoutcome"


class RunPermissionDeniedError(RunStatusError, _sdk.PermissionDeniedError):
    """The run is not allowed for this account or project (403)."""

    __module__ = "runoutcome"


class RunNotFoundError(RunStatusError, _sdk.NotFoundError):
    """The run failed because something it names does not exist (404); the run itself was found."""

    __module__ = "runoutcome"


class RunConflictError(RunStatusError, _sdk.ConflictError):
    """The run failed on a conflict (409)."""

    __module__ = "runoutcome"


class RunUnprocessableEntityError(RunStatusError, _sdk.UnprocessableEntityError):
    """The run's request was understood and cannot be processed (422)."""

    __module__ = "runoutcome"


class RunRateLimitError(RunStatusError, _sdk.RateLimitError):
    """A rate limit, or a quota or spend limit (429): `retryable` tells them apart, the class does not."""

    __module__ = "runoutcome"


class RunInternalServerError(RunStatusError, _sdk.InternalServerError):
    """The provider's side failed (500, 503)."""

    __module__ = "runoutcome"


class RunIncompleteError(RunError):
    """The run stopped before its end; what it had written so far is on `run`."""

    __module__ = "runoutcome"


class RunContentFilterError(RunIncompleteError, _sdk.ContentFilterFinishReasonError):
    """The run's output was cut off by the content filter."""

    __module__ = "runoutcome"

    completion: Any = None  # the SDK's class holds a ChatCompletion here, which a run is not


class RunCancelledError(RunError):
    """The run was cancelled on the server, by somebody's request."""

    __module__ = "runoutcome"


class RunExpiredError(RunError):
    """The run's body says that it expired."""

    __module__ = "runoutcome"


class RunPendingError(RunError):
    """The run is not terminal yet."""

    __module__ = "runoutcome"


class RunUnknownError(RunError, _sdk.APIError):
    """No run body, or a status nobody knows; the run may still be going, or may have completed."""

    __module__ = "runoutcome"


class RunGoneError(Portable, _sdk.NotFoundError):
    """A run that was there answers 404 now. It may have completed; it is never resubmitted for that."""

    __module__ = "runoutcome"

    synthetic = False
    retryable = False
    unsafe_to_replay = True
    message: str
    run_token: str | None
    response_id: str | None
    """The id of the run, by which it may still be found where results are kept."""
    request_id: str | None
    body: object | None
    status_code: Literal[404]
    poll_status_code: int
    code: str | None
    param: str | None
    type: str | None

    def __init__(
        self,
        message: str = "",
        state: Any = None,
        *,
        response: Any = None,
        body: Any = None,
        request: Any = None,
    ) -> None:
        text, state = (message, state) if isinstance(state, str) else travelled_in(response)
        extra = _snapshot.load(text, state)[1] if state is not None else {}
        request_id = response.headers.get("x-request-id") if response is not None else extra.get("request_id")
        token = extra.get("token")
        self.attempts: tuple[Attempt, ...] = unpack(extra.get("tries"), told.key if (told := token_in(token)) else None)
        self._fill(message, extra.get("id") or id_in(token), token, request_id, body or extra.get("body"))
        given = {"response": response, "request": request}
        self.__dict__.update({name: value for name, value in given.items() if value is not None})

    @classmethod
    def of(cls, cause: _sdk.NotFoundError, response_id: str, token: str | None) -> "RunGoneError":
        """The error for a real 404 on a poll of a known run; internal."""
        error = cls.__new__(cls)
        message = (
            f"The run {response_id} was known and is gone (404). It may have completed; its stored body is past its "
            "retention, or was deleted. It is not submitted again: look where you keep results first."
        )
        body = cause.body if isinstance(cause.body, dict) else None
        error._fill(message, response_id, token, cause.request_id, body)
        error._library = _sdk.http_library_of(cause.response)
        return error

    def _fill(
        self, message: str, response_id: str | None, token: str | None, request_id: str | None, body: Any
    ) -> None:
        self.message, self.response_id, self.run_token, self.request_id = message, response_id, token, request_id
        self.body, self.status_code, self.poll_status_code = body, 404, 404
        self.code, self.param = word(look(body, "code")), word(look(body, "param"))
        self.type = word(look(body, "type"))
        self._library: ModuleType | None = None

    def _state(self) -> tuple[Outcome | None, dict[str, Any]]:
        facts = {name: _snapshot.cut(value, 100) for name in ("code", "type") if (value := getattr(self, name))}
        return None, {"id": self.response_id, "request_id": self.request_id, "body": facts or None}

    if not TYPE_CHECKING:  # see RunError.body

        @cached_property
        def request(self):
            return _sdk.synthetic_request(self._library or _sdk.native_http_library(), _sdk.run_url(self.response_id))

        @cached_property
        def response(self):
            library, url = self._library or _sdk.native_http_library(), _sdk.run_url(self.response_id)
            headers = {"x-should-retry": "false"} | ({"x-request-id": self.request_id} if self.request_id else {})
            response = _sdk.synthetic_response(library, url, 404, headers, {"error": self.body})
            response.extensions[TEXT], response.extensions[STATE] = self.args
            return response


class WaitTimeoutError(WaitError, TimeoutError):
    """The run was still pending when `max_wait_seconds` had passed. It goes on: poll `token` to go on waiting."""

    __module__ = "runoutcome"


class PollingLostError(WaitError):
    """Poll faults outlasted the budget; `__cause__` is the last one. The run was left alone: poll `token` later."""

    __module__ = "runoutcome"


class SubmissionUnknownError(WaitError):
    """The create may or may not have gone through, so it was not sent again; `key` names it in the provider's logs."""

    __module__ = "runoutcome"


class OutputParseError(WaitError, ValueError):
    """The run is completed, and its output does not fit the `text_format` that was asked for; `run` is the response.

    `__cause__` is what the SDK, pydantic or the model's own validator raised; it may quote the output, and stays in
    this process as `run` does. The output was paid for, and an identical run may well be just as wrong: it is not
    made again.
    """

    __module__ = "runoutcome"

    run: Any = None
    """The completed response, not parsed; None where the exception has travelled."""

    @classmethod
    def of(
        cls, run: _sdk.Response, outcome: Outcome, token: str | None, name: str, complaints: list[str]
    ) -> "OutputParseError":
        """The error for the output of a completed run that is no `name`; internal."""
        told = ", ".join(_snapshot.cut(complaint, 40) for complaint in complaints[:5])
        error = cls(
            f"The run {outcome.response_id} is completed, but its output is no {_snapshot.cut(name, 60)} ({told}). "
            "The response is on `run`; nothing was submitted again.",
            response_id=outcome.response_id,
            token=token,
            outcome=outcome,
        )
        error.run = run
        return error
