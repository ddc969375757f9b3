"""Rate limits of creates: a bucket of requests and one of tokens, each filled evenly within a minute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .._errors import ApiError
from .request import requested_tokens

Kind = Literal["requests", "tokens"]

_SPACIOUS: Mapping[Kind, int] = {"requests": 1_000_000, "tokens": 1_000_000_000}
"""Limits in the headers of an emulator without limits. They refuse nothing."""
_ROUNDING = 1e-6
_UNITS: Mapping[Kind, str] = {"requests": "requests per min (RPM)", "tokens": "tokens per min (TPM)"}
_ADVICE = "Visit https://platform.openai.com/account/rate-limits to learn more."


@dataclass
class _Bucket:
    """One limit. `level` is what is left of it at the time `at`, in seconds."""

    kind: Kind
    limit: int
    is_enforced: bool
    per_second: float
    at: float
    level: float

    def fill(self, now: float) -> None:
        self.level = min(self.limit, self.level + max(0.0, now - self.at) * self.per_second)
        self.at = now

    def seconds_until(self, level: float) -> float:
        return max(0.0, level - self.level) / self.per_second

    def has(self, amount: int) -> bool:
        return amount <= self.level + _ROUNDING

    def take(self, amount: int) -> None:
        self.level = max(0.0, self.level - amount)

    def headers(self) -> dict[str, str]:
        return {
            f"x-ratelimit-limit-{self.kind}": str(self.limit),
            f"x-ratelimit-remaining-{self.kind}": str(math.floor(self.level + _ROUNDING)),
            f"x-ratelimit-reset-{self.kind}": duration(self.seconds_until(self.limit)),
        }


class RateLimits:
    """The limits of one account, by the clock of its emulator. For one thread."""

    def __init__(
        self, requests_per_minute: int | None, tokens_per_minute: int | None, *, now: float, speed: float = 1.0
    ) -> None:
        wanted: dict[Kind, int | None] = {"requests": requests_per_minute, "tokens": tokens_per_minute}
        self._buckets = [
            _Bucket(kind, size, limit is not None, size * speed / 60, now, size)
            for kind, limit in wanted.items()
            for size in [limit or _SPACIOUS[kind]]
        ]

    def take(self, now: float, request: Mapping[str, Any]) -> tuple[dict[str, str], ApiError | None]:
        """Count a create at `now`, in seconds; return the headers of its answer, and the refusal if it has no room.

        A refused create counts as a request, as with the API, but takes no tokens.
        """
        needs: dict[Kind, int] = {"requests": 1, "tokens": requested_tokens(request)}
        for bucket in self._buckets:
            bucket.fill(now)
        short = [one for one in self._buckets if one.is_enforced and not one.has(needs[one.kind])]
        error = _refusal(short[0], needs[short[0].kind], request) if short else None
        for bucket in self._buckets:
            if error is None or bucket.kind == "requests":
                bucket.take(needs[bucket.kind])
        headers = {name: text for bucket in self._buckets for name, text in bucket.headers().items()}
        fits = [one for one in short if needs[one.kind] <= one.limit]
        if short and len(fits) == len(short):  # no wait makes room for a request above the limit
            headers |= _retry_after(max(one.seconds_until(needs[one.kind]) for one in fits))
        return headers, error


def _refusal(bucket: _Bucket, need: int, request: Mapping[str, Any]) -> ApiError:
    where = f"for {request['model']} in organization emulated on {_UNITS[bucket.kind]}: Limit {bucket.limit}"
    if need > bucket.limit:
        message = (
            f"Request too large {where}, Requested {need}. "
            f"The input or output tokens must be reduced in order to run successfully. {_ADVICE}"
        )
    else:
        used = bucket.limit - math.floor(bucket.level)
        wait = duration(bucket.seconds_until(need))
        message = f"Rate limit reached {where}, Used {used}, Requested {need}. Please try again in {wait}. {_ADVICE}"
    return ApiError(429, message, type=bucket.kind, code="rate_limit_exceeded")


def _retry_after(seconds: float) -> dict[str, str]:
    return {"retry-after": str(max(1, math.ceil(seconds))), "retry-after-ms": str(max(1, math.ceil(seconds * 1000)))}


def duration(seconds: float) -> str:
    """A time as the API writes it, rounded up to milliseconds: `6ms`, `8.64s`, `6m0s`."""
    ms = math.ceil(round(seconds * 1000, 3))
    if ms < 1000:
        return f"{ms}ms"
    minutes, rest = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest / 1000:g}s"
