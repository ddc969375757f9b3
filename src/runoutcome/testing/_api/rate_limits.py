"""Rate-limit headers of creates: a window of a minute, of which every create uses up a part. Nothing is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._state.request import prompt_text, token_count

_WINDOW_SECONDS = 60.0
_LIMITS = {"requests": 10_000, "tokens": 2_000_000}


class RateLimits:
    """The rest of the present window. For one thread."""

    def __init__(self) -> None:
        self._window = -1
        self._used = dict.fromkeys(_LIMITS, 0)

    def headers(self, now: float, request: Mapping[str, Any]) -> dict[str, str]:
        """Count one create at `now` (Unix seconds), and report the rest."""
        window = int(now // _WINDOW_SECONDS)
        if window != self._window:
            self._window, self._used = window, dict.fromkeys(_LIMITS, 0)
        self._used["requests"] += 1
        self._used["tokens"] += token_count(prompt_text(request))
        headers: dict[str, str] = {}
        for name, limit in _LIMITS.items():
            headers[f"x-ratelimit-limit-{name}"] = str(limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(max(0, limit - self._used[name]))
            headers[f"x-ratelimit-reset-{name}"] = f"{math.ceil((window + 1) * _WINDOW_SECONDS - now)}s"
        return headers
