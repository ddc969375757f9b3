"""Outcomes and fault rules in Python, with the keys of a TOML file: `failed("server_error", poll_faults=["503"])`.

Every builder takes the keys of `[[outcomes]]` that it does not set itself, and returns a frozen value. Markers and
errors use its name: by default the code, the reason or the status.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from .fault import FaultLike
from .loader import read_fault_rule, read_outcome
from .readers import checked
from .script import STUCK, FaultRule, OutcomeScript, Route, Seconds

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Course(TypedDict, total=False):
    """Keys of every outcome, besides its end; see `OutcomeScript`. Durations are seconds, or `(least, most)`."""

    name: str
    weight: float
    queued_seconds: Seconds
    running_seconds: Seconds
    expires_after_seconds: Seconds
    hidden_seconds: Seconds
    missing_from_seconds: Seconds
    missing_until_seconds: Seconds
    completes_despite_cancel_seconds: Seconds
    poll_after_ms: int
    cancel_status: Literal[200, 400, 409]
    create_faults: Sequence[FaultLike]
    poll_faults: Sequence[FaultLike]
    poll_faults_from: int
    stream_faults: Sequence[FaultLike]
    cancel_faults: Sequence[FaultLike]
    raw_body: Mapping[str, Any]
    body_fields: Mapping[str, Any]


def completed(
    output_text: str | None = None, *, function_call: str | None = None, **course: "Unpack[Course]"
) -> OutcomeScript:
    """A run that completes, with this text as its output. Raises ScenarioError for a wrong value."""
    return _outcome("completed", course, status="completed", output_text=output_text, function_call=function_call)


def failed(
    code: str | int | None = None,
    message: str | None = None,
    *,
    type: str | None = None,
    param: str | None = None,
    error_headers: Mapping[str, str] | None = None,
    raw_error: Any = None,
    **course: "Unpack[Course]",
) -> OutcomeScript:
    """A run that fails with this error; `failed()` has a null error, and `raw_error` replaces it by any JSON."""
    return _outcome(
        "failed" if code is None else str(code),
        course,
        status="failed",
        code=code,
        message=message,
        type=type,
        param=param,
        error_headers=error_headers,
        raw_error=raw_error,
    )


def incomplete(
    reason: str | None = "max_output_tokens", *, output_text: str | None = None, **course: "Unpack[Course]"
) -> OutcomeScript:
    """A run that ends incomplete, with half of its output; without a reason, `incomplete_details` is null."""
    return _outcome(reason or "incomplete", course, status="incomplete", reason=reason, output_text=output_text)


def ended(status: str, **course: "Unpack[Course]") -> OutcomeScript:
    """A run that ends with this status: `cancelled`, `expired`, or an unknown word."""
    return _outcome(status, course, status=status)


def stuck(status: Literal["queued", "in_progress"] = "queued", **course: "Unpack[Course]") -> OutcomeScript:
    """A run that never ends."""
    return _outcome(STUCK if status == "queued" else status, course, status=STUCK if status == "queued" else status)


def fault_on(
    route: Route,
    fault: FaultLike,
    *,
    first: int = 1,
    last: int | None = None,
    share: float = 1.0,
    after_seconds: float = 0.0,
    until_seconds: float | None = None,
    times: int | None = None,
    outcome: str | None = None,
) -> FaultRule:
    """A rule that puts a fault on the calls of a route; see `FaultRule`. Raises ScenarioError for a wrong value."""
    rule = {
        "route": route,
        "fault": fault,
        "from": first,
        "to": last,
        "share": share,
        "after_seconds": after_seconds,
        "until_seconds": until_seconds,
        "times": times,
        "outcome": outcome,
    }
    return checked(read_fault_rule, _without_none(rule), "fault_on")


for _builder in (completed, failed, incomplete, ended, stuck, fault_on):
    _builder.__module__ = "runoutcome.testing"
Course.__module__ = "runoutcome.testing"


def _outcome(word: str, course: Course, **end: object) -> OutcomeScript:
    name = re.sub(r"[^\w.-]", "_", word)
    return checked(read_outcome, _without_none({"name": name, **end, **course}), name)


def _without_none(values: Mapping[str, object]) -> dict[str, object]:
    # The values are checked as those of a file, which has lists and no null.
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value is not None
    }
