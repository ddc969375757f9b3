"""OGX over chat completions of our own, behind the middleware: `python ogx_server.py PORT CHAT_PORT`.

OGX makes background runs of chat completions. The model's name says how these end, as on the emulator.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MESSAGES = {
    "rate_limit_exceeded": "Rate limit reached for requests. Please try again in 2s.",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
}
ENDS = ("completed", "stuck", "max_output_tokens", *MESSAGES)


async def models(_: Request) -> Response:
    """The models, one for each end."""
    data = [{"id": f"emulate-{end}", "object": "model", "created": 0, "owned_by": "probe"} for end in ENDS]
    return JSONResponse({"object": "list", "data": data})


async def chat(request: Request) -> Response:
    """A chat completion that ends as its model's name says."""
    body = await request.json()
    end = str(body["model"]).removeprefix("emulate-")
    if end in MESSAGES:
        error = {"message": MESSAGES[end], "type": end, "code": end, "param": None}
        return JSONResponse({"error": error}, status_code=429, headers={"x-should-retry": "false"})
    if end == "stuck":
        await asyncio.sleep(60)
    common = {"id": "chatcmpl-1", "created": 0, "model": body["model"]}
    finish = "length" if end == "max_output_tokens" else "stop"
    message = {"role": "assistant", "content": "Hello, world!"}
    usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    if not body.get("stream"):
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return JSONResponse({**common, "object": "chat.completion", "choices": [choice], "usage": usage})

    async def chunks() -> AsyncIterator[str]:
        for delta, reason in ((message, None), ({}, finish)):
            choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
            chunk = {
                **common,
                "object": "chat.completion.chunk",
                "choices": choices,
                "usage": usage if reason else None,
            }
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(chunks(), media_type="text/event-stream")


def config(directory: Path, chat_port: int) -> dict[str, Any]:
    """The settings of OGX: responses over this one provider, all state in the directory."""

    def table(name: str, **more: int) -> dict[str, Any]:
        return {"table_name": name, "backend": "sql", **more}

    writers = {"max_write_queue_size": 1000, "num_writers": 2}
    upstream = {"api_key": "any", "base_url": f"http://127.0.0.1:{chat_port}/v1"}
    responses = {"persistence": {"responses": table("responses", **writers)}}
    files = {"storage_dir": str(directory / "files"), "metadata_store": table("files")}
    return {
        "version": 2,
        "distro_name": "probe",
        "apis": ["responses", "inference", "files", "tool_runtime", "vector_io"],
        "providers": {
            "inference": [{"provider_id": "openai", "provider_type": "remote::openai", "config": upstream}],
            "files": [{"provider_id": "files", "provider_type": "inline::localfs", "config": files}],
            "responses": [{"provider_id": "builtin", "provider_type": "inline::builtin", "config": responses}],
        },
        "storage": {
            "backends": {
                "kv": {"type": "kv_sqlite", "db_path": str(directory / "kv.db")},
                "sql": {"type": "sql_sqlite", "db_path": str(directory / "sql.db")},
            },
            "stores": {
                "metadata": {"namespace": "registry", "backend": "kv"},
                "inference": table("inference_store", **writers),
                "conversations": table("conversations"),
                "prompts": table("prompts"),
                "connectors": table("connectors"),
            },
        },
        "server": {"insecure": True},
    }


def main(port: str, chat_port: str) -> None:
    """Serve until ended."""
    upstream = Starlette(routes=[Route("/v1/models", models), Route("/v1/chat/completions", chat, methods=["POST"])])
    serve = uvicorn.Server(uvicorn.Config(upstream, port=int(chat_port), log_level="error", access_log=False)).run
    threading.Thread(target=serve, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "config.yaml"
        file.write_text(json.dumps(config(Path(directory), int(chat_port))))  # JSON is YAML
        os.environ["OGX_CONFIG"] = str(file)
        from ogx.core.server.server import create_app

        from runoutcome.asgi import OutcomeMiddleware

        uvicorn.run(OutcomeMiddleware(create_app()), port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
