"""Bodies that are easily judged wrongly, in shapes that servers send, each with the right answer.

A row: name, object, keyword arguments, fields that the outcome must have, name of the exception's class. A class of
None means any or none, "" means no exception. A field whose expected value is a function is passed to it. `text` is in
`str(error)`, or in the remedy if there is no error; `text_not` is not. `is_retryable` is what that function returns.
"""

from __future__ import annotations

from typing import Any

BR, PD, RL, IS, API, NF = (
    "BadRequestError",
    "PermissionDeniedError",
    "RateLimitError",
    "InternalServerError",
    "APIError",
    "NotFoundError",
)


def run(status: Any = "failed", error: Any = None, **more: Any) -> dict[str, Any]:
    """A body of a response."""
    return {
        "id": "resp_case",
        "object": "response",
        "created_at": 1,
        "status": status,
        "background": True,
        "error": error,
        "incomplete_details": None,
        "model": "m",
        "output": [],
        "usage": None,
        **more,
    }


def failed(code: Any = None, message: Any = "Words of the server.", **more: Any) -> dict[str, Any]:
    """A body of a failed response."""
    return run(error={"code": code, "message": message, **more})


def message(*content: dict[str, Any]) -> dict[str, Any]:
    """A message in the output."""
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list(content)}


TEXT = {"type": "output_text", "text": "An answer.", "annotations": []}
REFUSAL = {"type": "refusal", "refusal": "I cannot help with that."}
TOO_LARGE = (
    "Request too large for this model on tokens per min (TPM): Limit 30000, Requested 50000. "
    "The input or output tokens must be reduced in order to run successfully."
)
CYBER = "Your request was flagged for possible cybersecurity risk and was not completed."

ROWS: list[tuple[str, Any, dict[str, Any], dict[str, Any], str | None]] = [
    # numbers in place of codes, and rules that hold under any code
    ("429, too large", failed("429", TOO_LARGE), {}, {"retryable": False, "action": "change_request"}, RL),
    ("int 429, too large", failed(429, TOO_LARGE), {}, {"retryable": False, "action": "change_request"}, RL),
    ("null code, too large", failed(None, TOO_LARGE), {}, {"retryable": False, "action": "change_request"}, API),
    ("500, flagged", failed("500", CYBER), {}, {"retryable": False, "action": "change_request"}, IS),
    ("server_error, flagged", failed("server_error", CYBER), {}, {"retryable": False, "action": "change_request"}, IS),
    (
        "litellm, too large",
        failed("background_streaming_error", "litellm.RateLimitError: RateLimitError: " + TOO_LARGE),
        {"overlay": "litellm"},
        {"retryable": False, "action": "change_request"},
        None,
    ),
    (
        "503 says nothing itself",
        failed("503", "upstream gone"),
        {},
        {"retryable": True, "text_not": "server itself says", "text": "503"},
        IS,
    ),
    # a catalogued word in error.type, no code
    (
        "type usage_limit_reached",
        failed(None, "Your plan is used up", type="usage_limit_reached", resets_in_seconds=13872),
        {},
        {"retryable": False, "action": "fix_account", "retry_after_requested": 13872},
        RL,
    ),
    (
        "type billing_not_active",
        failed(None, "Please see the billing page.", type="billing_not_active"),
        {},
        {"retryable": False, "action": "fix_account"},
        RL,
    ),
    (
        "type insufficient_quota, other language",
        failed(None, "Ihr Kontingent ist verbraucht.", type="insufficient_quota"),
        {},
        {"retryable": False, "action": "fix_account"},
        RL,
    ),
    # a type may take `retryable` away, never give it
    (
        "type server_error, no code",
        failed(None, "boom", type="server_error"),
        {},
        {"retryable": False, "known": False},
        None,
    ),
    (
        "type rate_limit_error, no code",
        failed(None, "slow", type="rate_limit_error"),
        {},
        {"retryable": False, "known": False},
        RL,
    ),
    (
        "type overloaded_error, no code",
        failed(None, "busy", type="overloaded_error"),
        {},
        {"retryable": False, "known": False},
        None,
    ),
    ("code that is a type word", failed("rate_limit_error", "Slow down."), {}, {"retryable": True}, RL),
    ("too_many_requests", failed("too_many_requests", "Slow down."), {}, {"retryable": True}, RL),
    ("permission_error", failed("permission_error", "no access"), {}, {"retryable": False}, PD),
    ("not_found_error", failed("not_found_error", "no such model"), {}, {"retryable": False}, NF),
    # the server's words, wherever they stand
    (
        "event, error beside response",
        {"type": "response.failed", "sequence_number": 5, "error": {"code": "server_error", "message": "beside"}},
        {},
        {"code": "server_error", "message": "beside", "phase": "terminal", "retryable": True},
        IS,
    ),
    (
        "event, status_details.error",
        {
            "type": "response.failed",
            "response": {"id": "resp_case", "status_details": {"error": {"code": "server_error", "message": "inside"}}},
        },
        {},
        {"code": "server_error", "message": "inside", "retryable": True},
        IS,
    ),
    (
        "error.error nested again",
        run(error={"error": {"code": "rate_limit_exceeded", "message": "try again in 3s"}}),
        {},
        {"code": "rate_limit_exceeded", "retryable": True, "retry_after": 3.0},
        RL,
    ),
    (
        "openrouter, the raw cause",
        failed(
            400,
            "Provider returned error",
            metadata={
                "raw": '{"error":{"message":"Other tools only.","type":"invalid_request_error","param":"tools"}}',
                "provider_name": "X",
            },
        ),
        {"overlay": "openrouter"},
        {"retryable": False, "text": "Other tools only"},
        BR,
    ),
    (
        "row, nested, no response",
        {
            "id": "b1",
            "custom_id": "q",
            "response": None,
            "error": {
                "error": {"message": "The model does not exist.", "type": "NotFoundError", "param": None, "code": 404}
            },
        },
        {},
        {"surface": "batch.output_row", "retryable": False, "text": "does not exist"},
        NF,
    ),
    (
        "row, status 500, empty body",
        {"id": "b2", "custom_id": "q", "response": {"status_code": 500, "request_id": "", "body": {}}, "error": None},
        {},
        {"retryable": True, "text": "500", "text_not": "in place of an error code"},
        IS,
    ),
    (
        "row, status 0: never answered",
        {"id": "b3", "custom_id": "q", "response": {"status_code": 0, "request_id": "", "body": {}}, "error": None},
        {},
        {"phase": "terminal", "ok": False, "known": True, "text_not": "Fetch the run"},
        None,
    ),
    (
        "envelope named a batch",
        {
            "error": {
                "message": "No batch found with id 'batch_x'.",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            }
        },
        {"surface": "batch"},
        {"phase": "unknown", "surface": "batch", "text": "No batch found", "text_not": "The run failed"},
        API,
    ),
    # unknown is never retryable; an event is not a run
    (
        "flat error event",
        {
            "type": "error",
            "code": "rate_limit_exceeded",
            "message": "try again in 3s",
            "param": None,
            "sequence_number": 3,
        },
        {},
        {
            "phase": "unknown",
            "retryable": False,
            "code": "rate_limit_exceeded",
            "retry_after": 3.0,
            "text_not": "The run failed",
        },
        API,
    ),
    (
        "realtime, harmless",
        {
            "type": "error",
            "event_id": "ev_2",
            "error": {
                "type": "invalid_request_error",
                "code": "response_cancel_not_active",
                "message": "No active response.",
                "param": None,
            },
        },
        {},
        {"phase": "unknown", "retryable": False, "text_not": "failed"},
        API,
    ),
    ("status is a list", run(status=["failed"]), {}, {"phase": "unknown", "retryable": False}, API),
    # words that agree with each other
    (
        "overload in words only",
        failed(None, "Our servers are overloaded at present. Please try again later.", type="invalid_request_error"),
        {},
        {"retryable": False, "text_not": "nothing says"},
        None,
    ),
    (
        "storage_error",
        failed("storage_error", "An internal error occurred while storing the response. Please retry the request."),
        {"overlay": "azure"},
        {"known": True, "retryable": False, "text_not": "nothing says"},
        None,
    ),
    (
        "tool_user_error",
        failed("tool_user_error", "Error: search_tool; authentication was refused: 403"),
        {"overlay": "azure"},
        {"known": True, "retryable": False},
        None,
    ),
    (
        "azure fine-tuning, camel case",
        {
            "id": "ftjob-1",
            "object": "fine_tuning.job",
            "status": "failed",
            "error": {"code": "contentFilter", "message": "Training data did not pass.", "param": None},
        },
        {"overlay": "azure"},
        {"known": True, "retryable": False},
        None,
    ),
    (
        "a delay that was cut says so",
        failed("rate_limit_exceeded", "Please retry after 86400 seconds."),
        {},
        {"retryable": True, "retry_after_requested": 86400},
        RL,
    ),
    (
        "max_tool_calls",
        run("incomplete", incomplete_details={"reason": "max_tool_calls"}),
        {},
        {"known": True, "ok": False, "retryable": False},
        None,
    ),
    # success that is none
    (
        "refusal only",
        run("completed", output=[message(REFUSAL)]),
        {},
        {"ok": True, "refusal": "I cannot help with that."},
        "",
    ),
    (
        "refusal only, output required",
        run("completed", output=[message(REFUSAL)]),
        {"require": "output"},
        {"ok": True},
        "RunRefusedError",
    ),
    (
        "empty, output required",
        run("completed"),
        {"require": "output"},
        {"ok": True, "has_output": False},
        "RunEmptyError",
    ),
    (
        "text, output required",
        run("completed", output=[message(TEXT)]),
        {"require": "output"},
        {"ok": True, "has_output": True, "refusal": None},
        "",
    ),
    (
        "failed item inside",
        run(
            "completed",
            output=[
                {
                    "type": "mcp_call",
                    "id": "mcp_1",
                    "status": "failed",
                    "name": "look_up",
                    "arguments": "{}",
                    "server_label": "s",
                    "error": "424 from the server",
                    "output": None,
                },
                message(TEXT),
            ],
        ),
        {},
        {"ok": True, "failed_items": lambda items: [i.type for i in items] == ["mcp_call"]},
        "",
    ),
    (
        "batch, none of nine answered",
        {
            "id": "batch_1",
            "object": "batch",
            "status": "completed",
            "endpoint": "/v1/responses",
            "error_file_id": "file-e",
            "output_file_id": None,
            "errors": None,
            "request_counts": {"completed": 0, "failed": 9, "total": 9},
        },
        {},
        {"ok": True, "text_not": "Read the output file"},
        "",
    ),
    # a run that acted
    (
        "failed after a tool acted",
        run(
            error={"code": "server_error", "message": "x"},
            output=[
                {
                    "type": "mcp_call",
                    "id": "mcp_1",
                    "status": "completed",
                    "name": "send_payment",
                    "arguments": "{}",
                    "server_label": "bank",
                    "error": None,
                    "output": "sent",
                }
            ],
        ),
        {},
        {"retryable": True, "is_retryable": False, "tools_ran": lambda names: "send_payment" in " ".join(names)},
        IS,
    ),
    (
        "failed while a tool acted",
        run(
            error={"code": "server_error", "message": "x"},
            output=[
                {
                    "type": "mcp_call",
                    "id": "mcp_1",
                    "status": "failed",
                    "name": "send_payment",
                    "arguments": "{}",
                    "server_label": "bank",
                    "error": "timeout",
                    "output": None,
                }
            ],
        ),
        {},
        {"is_retryable": False, "tools_ran": lambda names: len(names) == 1},
        IS,
    ),
    (
        "failed after a search",
        run(
            error={"code": "server_error", "message": "x"},
            output=[
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": "q"},
                }
            ],
        ),
        {},
        {"retryable": True, "is_retryable": True, "tools_ran": ()},
        IS,
    ),
    # what is no run body is named
    (
        "a chat completion",
        {"id": "chatcmpl-1", "object": "chat.completion", "choices": []},
        {},
        {"phase": "unknown", "text": "chat.completion"},
        API,
    ),
]
