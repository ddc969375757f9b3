"""Body of a compacted input. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from .._state.input_items import listed_items, request_items
from .._state.output import usage
from .._state.request import JsonObject, prompt_text, request_key, token_count


def compaction(request: Mapping[str, Any], now: float) -> JsonObject:
    """The body for a checked request at `now` (Unix seconds): the same request gives the same items."""
    digest = hashlib.sha256(request_key(request).encode()).hexdigest()[:48]
    items = listed_items(request_items(request), digest)
    summary = {"id": f"cmp_{digest}", "type": "compaction", "encrypted_content": f"emulated-{digest[:24]}"}
    tokens = token_count(prompt_text(request))
    return {
        "id": f"resp_{digest}",
        "object": "response.compaction",
        "created_at": int(now),
        "output": [*(item for item in items if item.get("role") == "user"), summary],
        "usage": usage(tokens, 1 + tokens // 10),
    }
