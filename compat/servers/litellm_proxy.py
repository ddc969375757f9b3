"""The LiteLLM proxy over an emulator, behind the middleware: `python litellm_proxy.py PORT UPSTREAM [REDIS_PORT]`.

With Redis it answers background creates itself ("polling via cache"); without, it passes them on.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import uvicorn

KEY = "sk-any"


def config(upstream: str, redis_port: str | None) -> dict[str, object]:
    """Its settings: any model is OpenAI's, which is the emulator."""
    model = {"model": "openai/*", "api_base": upstream, "api_key": "any"}
    settings: dict[str, object] = {}
    if redis_port is not None:
        settings["cache"] = True
        settings["cache_params"] = {"type": "redis", "host": "127.0.0.1", "port": redis_port}
        settings["responses"] = {"background_mode": {"polling_via_cache": "all", "ttl": 3600}}
    return {
        "model_list": [{"model_name": "*", "litellm_params": model}],
        "general_settings": {"master_key": KEY},
        "litellm_settings": settings,
    }


def main(port: str, upstream: str, redis_port: str | None = None) -> None:
    """Serve until ended."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "config.yaml"
        file.write_text(json.dumps(config(upstream, redis_port)))  # JSON is YAML
        os.environ["CONFIG_FILE_PATH"] = str(file)
        from litellm.proxy.proxy_server import app

        from runoutcome.asgi import OutcomeMiddleware

        uvicorn.run(OutcomeMiddleware(app), port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
