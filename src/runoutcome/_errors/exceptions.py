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
│  ├─ RunRefusedError, RunEmptyError   completed, without the output that `require` asks for
│  ├─ RunPendingError              not terminal yet
│  └─ RunUnknownError              also openai.APIError: no run body, or an unknown status
├─ RunGoneError                    also openai.NotFoundError; not a RunError
├─ WaitTimeoutError                also TimeoutError
├─ PollingLostError
├─ SubmissionUnknownError
└─ OutputParseError                also ValueError: the output of a completed run does not fit `text_format`

`raising` chooses the class for a body; `portable` and `snapshot` say how an exception is pickled.
"""

import math
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from .. import _sdk
from .._outcome.body import look, word
from .._outcome.outcome import Outcome, may_resubmit
from .._sdk.responses import http_library_of, native_http_library, run_url, synthetic_request, synthetic_response
from .._waiting.attempts import Attempt
from .bases import Origin, RunError, WaitError
from .portable import ARGS, Portable, snapshot_in
from .snapshot import Snapshot, cut


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
            headers = {"x-should-retry": "true" if may_resubmit(self.outcome) else "false"}
            if self.retry_after is not None:  # LiteLLM reads only the coarse one, the others the fine one first
                headers["retry-after-ms"] = str(round(self.retry_after * 1000))
                headers["retry-after"] = str(math.ceil(self.retry_after))
            if self.request_id is not None:
                headers["x-request-id"] = self.request_id
            response = synthetic_response(
                self._http_library, self._url, self.status_code, headers, {"error": self.body}
            )
            response.extensions[ARGS] = self.args
            return response


class RunBadRequestError(RunStatusError, _sdk.BadRequestError):
    """The request itself cannot succeed (400): an image, a prompt, a policy, a length."""

    __module__ = "runoutcome"


class RunAuthenticationError(RunStatusError, _sdk.AuthenticationError):
    """The run was refused because its credentials are not valid (401)."""

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
    """A rate limit, a quota or a spend limit (429): only `retryable` tells them apart."""

    __module__ = "runoutcome"


class RunInternalServerError(RunStatusError, _sdk.InternalServerError):
    """The provider's side failed (500, 503)."""

    __module__ = "runoutcome"


class RunIncompleteError(RunError):
    """The run stopped before its end; what it had written so far is on `run`."""

    __module__ = "runoutcome"


class RunContentFilterError(RunIncompleteError, _sdk.ContentFilterFinishReasonError):
    """The content filter cut off the run's output."""

    __module__ = "runoutcome"

    completion: Any = None  # the SDK's class holds a ChatCompletion here, which a run is not


class RunCancelledError(RunError):
    """The run was cancelled on the server, by a request."""

    __module__ = "runoutcome"


class RunExpiredError(RunError):
    """The run expired, as its body says."""

    __module__ = "runoutcome"


class RunRefusedError(RunError):
    """The run is completed, and its output holds only a refusal; raised where `require="output"` asks for more."""

    __module__ = "runoutcome"


class RunEmptyError(RunError):
    """The run is completed without output; raised where `require="output"` asks for it."""

    __module__ = "runoutcome"


class RunPendingError(RunError):
    """The run is not terminal yet."""

    __module__ = "runoutcome"


class RunUnknownError(RunError, _sdk.APIError):
    """No run body, or an unknown status; the run may still be going, or may have completed."""

    __module__ = "runoutcome"


SHORTEST_RETENTION_SECONDS = 600.0
"""The API keeps a body for 10 minutes at least, where it is stored for polling only."""


class RunGoneError(Portable, _sdk.NotFoundError):
    """A run that was there answers 404 now. It may have completed, so it is never resubmitted."""

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
        snapshot = snapshot_in(message, state if isinstance(state, str) else None, response)
        request_id = response.headers.get("x-request-id") if response is not None else snapshot.request_id
        self.attempts: tuple[Attempt, ...] = snapshot.attempts
        self._fill(message, snapshot.response_id, snapshot.run_token, request_id, body or snapshot.body)
        parts = {"response": response, "request": request}
        self.__dict__.update({name: value for name, value in parts.items() if value is not None})

    @classmethod
    def of(
        cls, cause: _sdk.NotFoundError, response_id: str, token: str | None, age_seconds: float | None = None
    ) -> "RunGoneError":
        """The error for a real 404 on a poll of a known run of this age, None if that is not known; internal."""
        error = cls.__new__(cls)
        why = "its stored body is past its retention, or was deleted"
        if age_seconds is not None and age_seconds < SHORTEST_RETENTION_SECONDS:
            why = (
                f"at an age of {age_seconds:.0f} s its retention has not ended, so it was deleted, or this server, key "
                "or project is not the one that it was made with"
            )
        message = (
            f"The run {response_id} was known and is gone (404). It may have completed; {why}. "
            "It is not submitted again: look where you keep results first."
        )
        body = cause.body if isinstance(cause.body, dict) else None
        error._fill(message, response_id, token, cause.request_id, body)
        error._library = http_library_of(cause.response)
        return error

    def _fill(
        self, message: str, response_id: str | None, token: str | None, request_id: str | None, body: Any
    ) -> None:
        self.message, self.response_id, self.run_token, self.request_id = message, response_id, token, request_id
        self.body, self.status_code, self.poll_status_code = body, 404, 404
        self.code, self.param = word(look(body, "code")), word(look(body, "param"))
        self.type = word(look(body, "type"))
        self._library: ModuleType | None = None

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            run_token=self.run_token,
            response_id=self.response_id,
            attempts=self.attempts,
            request_id=self.request_id,
            body={name: value for name in ("code", "type") if (value := getattr(self, name))} or None,
        )

    if not TYPE_CHECKING:  # see RunError.body

        @cached_property
        def request(self):
            return synthetic_request(self._library or native_http_library(), run_url(self.response_id))

        @cached_property
        def response(self):
            library, url = self._library or native_http_library(), run_url(self.response_id)
            headers = {"x-should-retry": "false"} | ({"x-request-id": self.request_id} if self.request_id else {})
            response = synthetic_response(library, url, 404, headers, {"error": self.body})
            response.extensions[ARGS] = self.args
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
    """The run is completed, but its output does not fit `text_format`; `run` is the response.

    `__cause__` is the error of the SDK, of pydantic or of the model's own validator; it may quote the output, and stays
    in this process as `run` does. The output was paid for, and an identical run may fail the same way, so it is not
    submitted again.
    """

    __module__ = "runoutcome"

    run: Any = None
    """The completed response, not parsed; None in an exception from a pickle."""

    @classmethod
    def of(
        cls, run: _sdk.Response, outcome: Outcome, token: str | None, name: str, complaints: list[str]
    ) -> "OutputParseError":
        """The error for output that does not fit the model `name`; internal."""
        reasons = ", ".join(cut(complaint, 40) for complaint in complaints[:5])
        error = cls(
            f"The run {outcome.response_id} is completed, but the output does not match the model `{cut(name, 60)}`: "
            f"{reasons}. The response is on `run`; nothing was submitted again.",
            response_id=outcome.response_id,
            token=token,
            outcome=outcome,
        )
        error.run = run
        return error
