"""Submitting a run without ever paying twice in silence: the steps of one guarded create.

    not accepted: sent again    no connection was made, on the first hop; or the API's own JSON envelope with 409 or
                                429 (or another 4xx that says `x-should-retry: true`), or with 500 or 503 and the API's
                                own mark (`x-request-id`)
    not accepted: raised        any other 4xx, also without the envelope: it says that the request was bad; a request
                                that the HTTP library would not write
    ambiguous                   a timeout or reset after sending; any failure after a redirect; a 3xx that leads
                                nowhere; 408 and 499; 409 and 429 without the envelope; every other 5xx, with or
                                without it; an answer that cannot be read; a 2xx without an id

An ambiguous create raises `SubmissionUnknownError` and is not sent again: no endpoint lists responses, and
`Idempotency-Key` is not relied on.
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote

from .. import _sdk
from .._errors.exceptions import SubmissionUnknownError
from .._errors.retryable import is_retryable
from .._outcome.body import look, parse_json, summary_of
from .._sdk.faults import Fault, read_fault
from .._sdk.responses import build_run
from .._waiting.attempts import attempt_key as attempt_key, split_key as split_key
from .._waiting.resume_token import names_in
from .effects import Admit, Pause, Steps, Submit, SubmitStream, Tell
from .events import Submission
from .interrupts import tell

KEY = "runoutcome_key"
WINDOW = "runoutcome_window"
PREVIOUS = "runoutcome_previous"
ENCRYPTED_REASONING = "reasoning.encrypted_content"
MAX_METADATA_PAIRS, MAX_METADATA_CHARS = 16, 512
# The SDK's back-off (`_calculate_retry_timeout`, 1.109 to 3.54).
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.5, 8.0
_STATUSES_AFTER_THE_REQUEST = (408, 499)
"""A proxy that stopped waiting may have handed the request on before."""
_REFUSALS_OF_THE_API = (409, 429)
"""These are about the moment: a proxy may answer so after the API has read the request."""

Fate = Literal["refused", "resend", "ambiguous", "foreign"]


def submit(
    params: Mapping[str, Any],
    key: str,
    max_retries: int,
    on_submitting: Callable[[str], Any] | None = None,
    on_refused: Callable[[str], Any] | None = None,
    post: Callable[[SubmitStream], Steps[Any]] | None = None,
    time_left: Callable[[], float] = lambda: math.inf,
    submission: Submission | None = None,
) -> Steps[Any]:
    """Steps of one create; gives the SDK's response, whose id is known to be there, or what else `post` gives.

    `params` are complete (see `prepare`). `on_submitting` is told the key before each POST, `on_refused` after one that
    is proven not to be accepted. It is not sent again where the pause before that would take more than `time_left`,
    in seconds. Raises the SDK's own error where the API refused or could not be reached, and SubmissionUnknownError
    where the create may have gone through.
    """
    submission = submission or Submission(key=key)
    with submission:
        return (yield from _submit(params, max_retries, on_submitting, on_refused, post, time_left, submission))


def _submit(
    params: Mapping[str, Any],
    max_retries: int,
    on_submitting: Callable[[str], Any] | None,
    on_refused: Callable[[str], Any] | None,
    post: Callable[[SubmitStream], Steps[Any]] | None,
    time_left: Callable[[], float],
    submission: Submission,
) -> Steps[Any]:
    resent, key = 0, submission.key
    while True:
        with (yield Admit()):  # before anybody is told: what waits for its turn is not being submitted yet
            if on_submitting is not None:
                yield Tell(on_submitting, key)
            submission.tell_submitting(params.get("model"))
            try:
                if post is None:
                    response = yield Submit(dict(params), key)
                else:
                    response = yield from post(SubmitStream(dict(params), key))
            except BaseException as error:  # noqa: BLE001 - raised again below, unless the POST is sent again
                failure = error
            else:
                response = _recovered(response)
                if not _has_id(response):
                    raise submission_unknown(key, None, look(response, "error"))
                return response
        fate = fate_of(failure)
        if fate == "ambiguous":
            raise submission_unknown(key, failure) from failure
        if fate != "foreign":
            yield from _tell_refused(submission, failure, on_refused)
        delay = back_off_seconds(failure, resent)
        if fate != "resend" or resent >= max_retries or delay >= time_left():
            tell(failure, "run_key", key)  # this may be a KeyboardInterrupt in the middle of the POST
            raise failure
        yield Pause(delay)
        resent += 1


def _tell_refused(submission: Submission, error: BaseException, on_refused: Callable[[str], Any] | None) -> Steps[None]:
    submission.tell_refused(error)
    if on_refused is not None:
        yield Tell(on_refused, submission.key)


def prepare(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that all creates of one job share: in the background, and stored.

    Raises ValueError for parameters that cannot make a background run.
    """
    params = {name: value for name, value in params.items() if _sdk.is_given(value)}
    if params.get("stream"):
        raise ValueError("a run is polled, not streamed: leave out stream=True, or use create_and_stream")
    for name in ("background", "store"):
        if params.get(name) is None:
            params[name] = True
    return params


def with_key(params: Mapping[str, Any], key: str, previous: str | None = None) -> dict[str, Any]:
    """The parameters of one create, marked with its key; `previous` is the id of the run that it replaces."""
    metadata, headers = dict(params.get("metadata") or {}), dict(params.get("extra_headers") or {})
    if previous is not None and len(previous) > MAX_METADATA_CHARS:
        previous = None  # an id that is too long for a value would have the whole create refused
    # The window: a response does not name it, and a later poll needs it.
    for name, value in ((KEY, key), (WINDOW, window_of(params)), (PREVIOUS, previous)):
        if value and (name in metadata or len(metadata) < MAX_METADATA_PAIRS):
            metadata[name] = value
    if not any(name.lower() == "idempotency-key" for name in headers):
        headers["Idempotency-Key"] = quote(key, safe="/:@+ ")
    return {**params, "metadata": metadata, "extra_headers": headers}


def window_of(request: object) -> str | None:
    """The completion window that a request names; before 3.x the SDK takes it in `extra_body` only."""
    options = look(request, "background_options") or look(look(request, "extra_body"), "background_options")
    window = look(options, "completion_window")
    return window if isinstance(window, str) else None


def include_of(request: object) -> tuple[str, ...]:
    """The fields that a request asks for by `include`, and that its polls have to ask for again.

    Encrypted reasoning is for runs that are not stored: the API refuses a poll that asks for it.
    """
    return tuple(name for name in names_in(look(request, "include")) if name != ENCRYPTED_REASONING)


def base_key(params: Mapping[str, Any], key: str | None = None) -> str:
    """The common beginning of a job's keys: the caller's own `runoutcome_key`, `key`, or a random nonce."""
    own = look(params.get("metadata"), KEY)
    return own if isinstance(own, str) and own else (key or uuid.uuid4().hex)


def fate_of(error: BaseException) -> Fate:
    """The fate of a POST that raised `error`."""
    fault = read_fault(error)
    if fault.kind == "foreign":
        return "foreign"
    if fault.is_redirected:
        return "ambiguous"
    if fault.status_code is not None:
        return _fate_of_answer(fault, error)
    if fault.sent == "never":
        return "resend" if fault.kind == "unreachable" else "refused"
    return "ambiguous"


def _fate_of_answer(fault: Fault, error: BaseException) -> Fate:
    status = fault.status_code or 0
    if fault.from_api and (_is_refusal(status) or (status in (500, 503) and fault.is_marked)):
        return "resend" if is_retryable(error) else "refused"
    return "refused" if _is_refusal(status) and status not in _REFUSALS_OF_THE_API else "ambiguous"


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in _STATUSES_AFTER_THE_REQUEST


def back_off_seconds(error: BaseException, resent: int) -> float:
    """The SDK's delay before it sends a request again: the server's wish, else doubling with jitter."""
    if wish := read_fault(error).retry_after:
        return wish
    return min(FIRST_DELAY_SECONDS * 2.0 ** min(resent, 10), MAX_DELAY_SECONDS) * (1 - 0.25 * random.random())


def _recovered(response: object) -> object:
    """The SDK gives the bare text of an answer with the wrong content type; the run in it was paid for."""
    if not isinstance(response, str):
        return response
    try:
        body = parse_json(response)
    except (ValueError, RecursionError):
        return response
    return build_run(body, None) if isinstance(body, dict) else response


def _has_id(response: object) -> bool:
    response_id = look(response, "id")
    return isinstance(response_id, str) and bool(response_id) and response_id.isprintable()


def submission_unknown(key: str, error: BaseException | None, words: object = None) -> SubmissionUnknownError:
    """The error for a create that may have gone through; `words` is the error object of an answer without an id."""
    cause = f"{type(error).__name__}" if error is not None else "an answer without a response id"
    if summary := summary_of(words if error is None else read_fault(error).words):
        cause = f"{cause}: {summary}"
    return SubmissionUnknownError(
        f"The create may or may not have gone through ({cause}); it was not sent again, because the run may be going "
        f"and paid for. Look for metadata {KEY}={key!r} in the provider's logs before you submit it again.",
        key=key,
    )
