"""The rate-limit headers of creates: a window of a minute, of which every create uses up a part. Nothing is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._state.request import prompt_text

_WINDOW_SECONDS = 60.0
_REQUESTS = 10_000
_TOKENS = 2_000_000
_CHARACTERS_PER_TOKEN = 4


class RateLimits:
    """What is left of the present window. For one thread."""

    def __init__(self) -> None:
        self._window = -1
        self._requests = 0
        self._tokens = 0

    def headers(self, now: float, request: Mapping[str, Any]) -> dict[str, str]:
        """Count one create at `now` (Unix seconds), and say what is left after it."""
        window = int(now // _WINDOW_SECONDS)
        if window != self._window:
            self._window, self._requests, self._tokens = window, 0, 0
        self._requests += 1
        self._tokens += 1 + len(prompt_text(request)) // _CHARACTERS_PER_TOKEN
        reset = f"{math.ceil((window + 1) * _WINDOW_SECONDS - now)}s"
        return {
            "x-ratelimit-limit-requests": str(_REQUESTS),
            "x-ratelimit-remaining-requests": str(max(0, _REQUESTS - self._requests)),
            "x-ratelimit-reset-requests": reset,
            "x-ratelimit-limit-tokens": str(_TOKENS),
            "x-ratelimit-remaining-tokens": str(max(0, _TOKENS - self._tokens)),
            "x-ratelimit-reset-tokens": reset,
        }
