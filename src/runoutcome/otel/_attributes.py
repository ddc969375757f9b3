"""Names and values of attributes. They follow the conventions in open-telemetry/semantic-conventions-genai."""

from __future__ import annotations

from .._operations.run_event import RunEvent
from .._outcome.outcome import Outcome

Attributes = dict[str, str | int | float | bool]
OPERATION, PROVIDER = "gen_ai.operation.name", "gen_ai.provider.name"
REQUEST_MODEL, RESPONSE_MODEL = "gen_ai.request.model", "gen_ai.response.model"
RESPONSE_ID, STATUS = "gen_ai.response.id", "gen_ai.response.status"
ERROR_TYPE, REASON = "error.type", "runoutcome.reason"
RUN, CREATE, FETCH = "chat", "create_response", "fetch_response"
"""Operations: a run to its end, a create that nobody waits for to the end, a wait or a poll."""
MAX_CODE_CHARS = 100
_OPENAI = ("openai", "azure.ai.openai")


def of_request(provider: str, model: str | None) -> Attributes:
    """Attributes that are known before the run has ended, of low cardinality."""
    return {PROVIDER: provider, **({REQUEST_MODEL: model} if model else {})}


def of_api(provider: str) -> Attributes:
    """The API that makes runs, where the conventions have a word for it."""
    return {"openai.api.type": "responses"} if provider in _OPENAI else {}


def of_body(event: RunEvent) -> Attributes:
    """Attributes of the body, without output."""
    outcome = event.outcome
    values = {
        RESPONSE_ID: event.response_id,
        RESPONSE_MODEL: outcome.model if outcome else None,
        STATUS: event.status,
    }
    return {name: value for name, value in values.items() if value}


def failure_of(outcome: Outcome) -> str:
    """`error.type` of a run that is not completed: its code, or what stands in its place."""
    return (outcome.code or outcome.reason or outcome.error_type or outcome.status or "_OTHER")[:MAX_CODE_CHARS]


def known_failure_of(outcome: Outcome) -> str:
    """The same for metrics: a code that no catalog knows is replaced, as servers can make up any number of them."""
    return failure_of(outcome) if outcome.known else outcome.error_type or "_OTHER"


def fault_of(error: BaseException | None) -> str:
    """`error.type` of a request that failed: its HTTP status, or the name of the exception."""
    status = getattr(error, "status_code", None)
    return str(status) if isinstance(status, int) else type(error).__name__


def span_name(operation: str, model: str | None) -> str:
    """The name of a span."""
    return f"{operation} {model}" if model else operation
