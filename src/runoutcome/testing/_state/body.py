"""Body of a run as the API sends it, with every field that the SDK's `Response` needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .._scenario.outcome_words import default_message
from .._scenario.script import OutcomeScript
from .output import output_of, usage_of
from .request import JsonObject, metadata_of
from .runs import PENDING, EmulatedRun, ended_at, status_at

# Values in the body for parameters that were left out.
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "frequency_penalty": 0.0,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
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
_OPTIONAL = ("background_options", "prompt_cache_options")


def response_body(run: EmulatedRun, now: float) -> JsonObject:
    """The body of the run at `now` (Unix seconds)."""
    return body_with(run, status_at(run, now))


def body_with(run: EmulatedRun, status: str) -> JsonObject:
    """The body of the run while it has this status, or once it has ended with it."""
    request, script = run.request, run.outcome
    ended = status not in PENDING
    as_scripted = ended and run.cancelled_at is None
    tier: str = request.get("service_tier") or "auto"
    if as_scripted and script.raw_body is not None:
        return dict(script.raw_body)
    return {
        "id": run.id,
        "object": "response",
        "created_at": int(run.created_at),
        "completed_at": int(ended_at(run) or run.created_at) if status == "completed" else None,
        "status": status,
        "background": bool(request.get("background")),
        "error": _error(script) if as_scripted else None,
        "incomplete_details": {"reason": script.reason} if as_scripted and script.reason else None,
        "metadata": metadata_of(request),
        "model": request["model"],
        "output": output_of(run, status),
        "reasoning": {"effort": None, "summary": None, **(request.get("reasoning") or {})},
        "service_tier": "default" if ended and tier == "auto" else tier,
        "text": _text_settings(request),
        "tools": [_tool(tool) for tool in request.get("tools") or ()],
        "usage": usage_of(run, status),
        **{key: default if request.get(key) is None else request[key] for key, default in _DEFAULTS.items()},
        **_optional_fields(request),
        **(script.body_fields if as_scripted else {}),
    }


def _optional_fields(request: Mapping[str, Any]) -> JsonObject:
    fields: JsonObject = {key: request[key] for key in _OPTIONAL if request.get(key) is not None}
    if (conversation := request.get("conversation")) is not None:
        fields["conversation"] = {"id": conversation} if isinstance(conversation, str) else conversation
    return fields


def _text_settings(request: Mapping[str, Any]) -> JsonObject:
    text = {key: value for key, value in (request.get("text") or {}).items() if value is not None}
    settings: JsonObject = {"format": {"type": "text"}, "verbosity": "medium", **text}
    if settings["format"].get("type") == "json_schema":
        settings["format"] = {"description": None, "strict": True, **settings["format"]}
    return settings


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


def _tool(tool: JsonObject) -> JsonObject:
    # A request may leave out what a response must name.
    if tool.get("type") == "function":
        return {"description": None, "parameters": None, "strict": True, **tool}
    return tool
