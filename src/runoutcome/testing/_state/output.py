"""Output of an ended run, reasoning and a text or a function call, and its usage in tokens. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from .request import JsonObject, prompt_text, token_count
from .runs import EmulatedRun
from .schema_example import example_of

_QUOTED = 60
_REASONING_TOKENS = 64
_WITH_OUTPUT = ("completed", "incomplete")
# Models of these families do not reason: their output begins with the message or the call.
_PLAIN_MODEL = re.compile(r"(ft:)?(gpt-3|gpt-4|chatgpt-4)")


def output_of(run: EmulatedRun, status: str) -> list[JsonObject]:
    """The output items of a run that has ended with `status`; empty for a status that comes without output."""
    if status not in _WITH_OUTPUT:
        return []
    tool = called_tool(run)
    item = _message(run, status) if tool is None else _call(run, status, tool)
    return [_reasoning(run), item] if _reasons(run) else [item]


def usage_of(run: EmulatedRun, status: str) -> JsonObject | None:
    """The tokens of a run that has ended with `status`; zero after a slow cancel, else None without output."""
    if status == "cancelled" and run.outcome.cancelling_seconds:
        return usage(0, 0)
    if status not in _WITH_OUTPUT:
        return None
    limit = run.request.get("max_output_tokens")
    reasoning = _REASONING_TOKENS if _reasons(run) else 0
    input_tokens, output_tokens = token_count(prompt_text(run.request)), token_count(_written(run, status)) + reasoning
    if limit is not None:
        ran_out = status == "incomplete" and run.outcome.reason == "max_output_tokens"
        output_tokens = limit if ran_out else min(output_tokens, limit)
    return usage(input_tokens, output_tokens, min(reasoning, output_tokens))


def usage(input_tokens: int, output_tokens: int, reasoning_tokens: int = 0) -> JsonObject:
    """A usage of so many tokens."""
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens + output_tokens,
    }


def called_tool(run: EmulatedRun) -> JsonObject | None:
    """The function tool that the run calls instead of writing a text: the scripted one, or one that is required."""
    tools = [tool for tool in run.request.get("tools") or () if tool.get("type") == "function"]
    name = run.outcome.function_call or _required_tool(run.request.get("tool_choice"), tools)
    if name is None:
        return None
    return next((tool for tool in tools if tool.get("name") == name), {"name": name})


def _required_tool(choice: object, tools: list[JsonObject]) -> str | None:
    if not isinstance(choice, Mapping):
        return tools[0].get("name") if choice == "required" and tools else None
    form = cast("Mapping[str, Any]", choice)
    if form.get("type") == "function":
        return form.get("name")
    if form.get("type") == "allowed_tools" and form.get("mode") == "required":
        return next((tool.get("name") for tool in form.get("tools") or () if tool.get("type") == "function"), None)
    return None


def _reasons(run: EmulatedRun) -> bool:
    return not _PLAIN_MODEL.match(run.request["model"])


def _reasoning(run: EmulatedRun) -> JsonObject:
    settings = run.request.get("reasoning") or {}
    summarized = settings.get("summary") or settings.get("generate_summary")
    summary = {"type": "summary_text", "text": "**Emulating**\n\nNo model was called."}
    item: JsonObject = {
        "id": f"rs_{_suffix(run)}",
        "type": "reasoning",
        "summary": [summary] if summarized else [],
    }
    if "reasoning.encrypted_content" in (run.request.get("include") or ()):
        item["encrypted_content"] = f"emulated-{_digest(run, 'reasoning')}"
    return item


def _message(run: EmulatedRun, status: str) -> JsonObject:
    content = {"type": "output_text", "text": _written(run, status), "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{_suffix(run)}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [content],
    }


def _call(run: EmulatedRun, status: str, tool: JsonObject) -> JsonObject:
    return {
        "id": f"fc_{_suffix(run)}",
        "type": "function_call",
        "status": status,
        "arguments": _written(run, status),
        "call_id": f"call_{_digest(run, 'call')}",
        "name": tool["name"],
    }


def _written(run: EmulatedRun, status: str) -> str:
    """The text or the arguments; of an incomplete run the first half."""
    whole = _whole(run)
    return whole if status == "completed" else whole[: (len(whole) + 1) // 2]


def _whole(run: EmulatedRun) -> str:
    if (tool := called_tool(run)) is not None:
        return json.dumps(example_of(tool.get("parameters") or {"type": "object"}))
    if run.outcome.output_text is not None:
        return run.outcome.output_text
    form = (run.request.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(example_of(form.get("schema") or {}))
    if form.get("type") == "json_object":
        return json.dumps({"answer": "emulated"})
    quote = " ".join(prompt_text(run.request).split())[:_QUOTED]
    return f'Emulated answer, no model was called. The prompt began: "{quote}"'


def _suffix(run: EmulatedRun) -> str:
    return run.id.removeprefix("resp_")


def _digest(run: EmulatedRun, kind: str) -> str:
    return hashlib.sha256(f"{kind}/{run.id}".encode()).hexdigest()[:24]
