"""The other jobs of a batch after a refused create: whether they would be refused too."""

import re
from typing import Literal

from .. import _sdk
from .._errors.retryable import MAX_RETRY_AFTER_SECONDS, is_retryable
from .._errors.snapshot import cut
from .._outcome.body import look
from .._outcome.outcome import Outcome
from .._sdk.faults import read_fault

Stop = Literal["refused", "limited", "unreachable", "broken", "failing", "spent"]
"""Reason why a batch submits nothing more. `refused`: by the API (key, account, route). `limited`: the server asks to
wait long. `unreachable`: no connection. `broken`: a hook of the client raises. `failing`: too many
runs in a row ended by the same failure. `spent`: the budget has no room for another run."""

QUOTA_FAILURES_IN_A_ROW = 3
"""Number of runs that end one after the other for want of quota before the account counts as empty."""

_OTHER_CLASSES = ("AuthenticationError", "PermissionDeniedError")
# Servers say in many ways that a route is missing; a 404 about a model or a file names it, or has a code.
_MISSING_ROUTE = re.compile(
    r"(invalid|unknown|unrecognized) (request )?url|no route|cannot post"
    r"|^\W*(404 )?(resource |file |page |route |path |endpoint )?not found\W*$",
    re.IGNORECASE,
)
_NO_CODES = (None, "404", "405", 404, 405)


def stop_of(error: _sdk.APIStatusError | _sdk.APIConnectionError, outcome: Outcome) -> Stop | None:
    """Return why the next create would be refused too; None if the refusal is about this job or this moment."""
    fault = read_fault(error)
    if fault.status_code is None:
        return "unreachable"
    if fault.status_code in (401, 403) or outcome.action == "fix_account" or is_missing_route(error):
        return "refused"
    is_long = is_refused_for_now(error, outcome) and (fault.retry_after or 0.0) > MAX_RETRY_AFTER_SECONDS
    return "limited" if is_long else None


def is_refused_for_now(error: _sdk.APIError, outcome: Outcome) -> bool:
    """Return whether the same create may be accepted later, also where the server asks for a long wait."""
    return outcome.retryable or is_retryable(error)


def is_limited(error: _sdk.APIError) -> bool:
    """Return whether a create was refused by a rate limit that a short wait can help."""
    return isinstance(error, _sdk.RateLimitError) and is_retryable(error)


def is_empty_account(outcome: Outcome) -> bool:
    """Return whether a run ended for want of quota or credit."""
    return outcome.action == "fix_account" and outcome.error_class not in _OTHER_CLASSES


def is_missing_route(error: _sdk.APIError) -> bool:
    """Return whether the server has no such route, so that the base URL is wrong."""
    fault = read_fault(error)
    if fault.status_code == 405 or (fault.status_code == 404 and not fault.from_api):
        return True
    message = look(fault.words, "message")
    if fault.status_code != 404 or look(fault.words, "code") not in _NO_CODES or not isinstance(message, str):
        return False
    return error.request.url.path in message or _MISSING_ROUTE.search(message) is not None


def describe(error: _sdk.APIError) -> str:
    """Return the message of a refusal, for one line; a missing route names the URL and what may be missing in it."""
    if not is_missing_route(error):
        text = " ".join(error.body.split()) if isinstance(error.body, str) else ""
        if text and text not in " ".join(str(error).split()):  # openai 3.x leaves the words of `{"error": "text"}` out
            return f"{error}: {cut(text, 200)}"
        cause = f" ({error.__cause__})" if isinstance(error, _sdk.APIConnectionError) else ""
        return f"{error}{cause}"
    url = error.request.url
    hint = " Check the base URL (OPENAI_BASE_URL)." if "/v1/" in url.path else " Does the base URL lack /v1?"
    return f"{url} answers HTTP {read_fault(error).status_code}: the server has no such route.{hint}"
