"""Microsoft's `azure-ai-agentserver-responses`, behind the middleware: `python agent_server.py PORT`.

The model's name says how a run ends: `emulate-completed`, `emulate-stuck`, `emulate-CODE`, as on the emulator.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from azure.ai.agentserver.responses import ResponseEventStream, ResponsesAgentServerHost

from runoutcome.asgi import OutcomeMiddleware

app = ResponsesAgentServerHost(configure_observability=None)


@app.response_handler
async def respond(request: Any, context: Any, cancelled: asyncio.Event) -> AsyncIterator[Any]:
    """Do what the model's name says."""
    end = str(request.get("model")).removeprefix("emulate-")
    stream = ResponseEventStream(response_id=context.response_id, request=request)
    yield stream.emit_created()
    yield stream.emit_in_progress()
    if end == "stuck":
        await cancelled.wait()
        return
    await asyncio.sleep(1)
    if end == "crash":
        raise RuntimeError("the agent's own code raised")
    if end == "max_output_tokens":
        yield stream.emit_incomplete(reason=end)
    elif end != "completed":
        yield stream.emit_failed(code=end, message=f"The run ended with {end}.")
    else:
        for event in stream.output_item_message("Hello, world!"):
            yield event
        yield stream.emit_completed()


if __name__ == "__main__":
    uvicorn.run(OutcomeMiddleware(app), port=int(sys.argv[1]), log_level="error", access_log=False)
