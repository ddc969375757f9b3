"""The body of a run as the API sends it, every field the SDK's `Response` needs included. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ._request import JsonObject, metadata_of, prompt_text
from ._runs import PENDING, EmulatedRun, ended_at, status_at
from ._script import OutcomeScript
from ._words import default_message

_QUOTED = 60
_CHARACTERS_PER_TOKEN = 4
_REASONING_TOKENS = 64

# What the API answers for a parameter that was left out.
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "safety_identifier": None,
        "store": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }
)


def response_body(run: EmulatedRun, now: float) -> JsonObject:
    """What a poll of the run gives at `now` (Unix seconds)."""
    request, script = run.request, run.outcome
    status = status_at(run, now)
    ended = status not in PENDING
    as_scripted = ended and run.cancelled_at is None
    text = _text(run, status)
    return {
        "id": run.id,
        "object": "response",
        "created_at": int(run.created_at),
        "completed_at": int(ended_at(run) or now) if status == "completed" else None,
        "status": status,
        "background": bool(request.get("background")),
        "error": _error(script) if as_scripted else None,
        "incomplete_details": {"reason": script.reason} if as_scripted and script.reason else None,
        "metadata": metadata_of(request),
        "model": request["model"],
        "output": _output(run.id, status, text) if text is not None else [],
        "reasoning": {"effort": None, "summary": None, **(request.get("reasoning") or {})},
        "service_tier": "default" if ended else "auto",
        "text": {"format": {"type": "text"}, "verbosity": "medium", **(request.get("text") or {})},
        "tools": [_tool(tool) for tool in request.get("tools") or ()],
        "usage": _usage(prompt_text(request), text) if text is not None else None,
        **{key: default if request.get(key) is None else request[key] for key, default in _DEFAULTS.items()},
    }


def _error(script: OutcomeScript) -> Any:
    if script.raw_error is not None:
        return script.raw_error
    if script.code is None and script.message is None:
        return None
    error: JsonObject = {
        "code": script.code,
        "message": script.message or default_message(script.code or "null"),
        "param": script.param,
        "type": script.type,
    }
    return {**error, "headers": dict(script.error_headers)} if script.error_headers else error


def _text(run: EmulatedRun, status: str) -> str | None:
    """The answer's text; None for a status that comes without output."""
    if status not in ("completed", "incomplete"):
        return None
    quote = " ".join(prompt_text(run.request).split())[:_QUOTED]
    text = run.outcome.output_text
    if text is None:
        text = f'Emulated answer, no model was called. The prompt began: "{quote}"'
    return text if status == "completed" else text[: (len(text) + 1) // 2]


def _output(run_id: str, status: str, text: str) -> list[JsonObject]:
    suffix = run_id.removeprefix("resp_")
    content: JsonObject = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return [
        {"id": f"rs_{suffix}", "type": "reasoning", "summary": []},
        {"id": f"msg_{suffix}", "type": "message", "role": "assistant", "status": status, "content": [content]},
    ]


def _usage(prompt: str, text: str) -> JsonObject:
    asked = 1 + len(prompt) // _CHARACTERS_PER_TOKEN
    answered = 1 + len(text) // _CHARACTERS_PER_TOKEN + _REASONING_TOKENS
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": _REASONING_TOKENS},
        "total_tokens": asked + answered,
    }


def _tool(tool: JsonObject) -> JsonObject:
    # A request may leave out what a response must name.
    if tool.get("type") == "function":
        return {"description": None, "parameters": None, "strict": True, **tool}
    return tool
