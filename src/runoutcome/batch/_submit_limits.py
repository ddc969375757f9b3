"""Decides when a batch may submit its next run. Pure: frozen states, steps between them, and `now` as an argument.

    own limits       requests and tokens per minute that the user gave, spread evenly
    told limits      those in the `x-ratelimit-*` headers of creates, for each model, where the user gave none
    hold             after a 429 nobody submits for a while; then one create at a time, until one is accepted
    in flight        halved when a run ends by a rate limit; each run that ends otherwise adds a share of one

Times are in seconds of a monotonic clock.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from .._errors.retryable import MAX_RETRY_AFTER_SECONDS

Kind = Literal["requests", "tokens"]
KINDS: tuple[Kind, ...] = ("requests", "tokens")

BURST_SECONDS = 1.0
"""The user's limits allow this much at once; the rest is spread evenly."""
FIRST_HOLD_SECONDS, MAX_HOLD_SECONDS = 0.5, 8.0
"""Pause after a 429 without a Retry-After; it doubles with each further one."""
_CHARACTERS_PER_TOKEN = 4
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Demand:
    """A create: its model, and the tokens it counts as."""

    model: str
    tokens: int
    started_at: float = -math.inf

    def of(self, kind: Kind) -> int:
        """Return how much of a limit it takes."""
        return self.tokens if kind == "tokens" else 1


@dataclass(frozen=True)
class Bucket:
    """One limit: it fills evenly up to its size. Below 0 it is a debt, which is paid off first."""

    size: float
    per_second: float
    level: float
    at: float

    def filled(self, now: float) -> "Bucket":
        """Return the bucket at a later time."""
        level = min(self.size, self.level + max(0.0, now - self.at) * self.per_second)
        return replace(self, level=level, at=now)

    def seconds_until(self, amount: float, now: float) -> float:
        """Return the wait until the amount is there; for more than its size, until it is full."""
        lack = min(amount, self.size) - self.filled(now).level
        return lack / self.per_second if lack > _ROUNDING else 0.0

    def less(self, amount: float, now: float) -> "Bucket":
        """Return the bucket after an amount is taken out."""
        full = self.filled(now)
        return replace(full, level=full.level - amount)


@dataclass(frozen=True)
class SubmitState:
    """All that decides about the next create of a batch."""

    concurrency: int
    max_submits: int
    own: Mapping[Kind, Bucket] = field(default_factory=dict[Kind, Bucket])
    told: Mapping[tuple[str, Kind], Bucket] = field(default_factory=dict[tuple[str, Kind], Bucket])
    posting: Mapping[str, Demand] = field(default_factory=dict[str, Demand])
    """Creates without an answer, by key."""
    held_until: float = -math.inf
    held_at: float = -math.inf
    """Time of the last 429 that began a hold."""
    refusals: int = 0
    """Holds since the last accepted create."""
    refused_since: float = math.inf
    allowed: float = math.inf
    """Runs in flight at once for now, where that is less than `concurrency`."""
    cut_at: float = -math.inf

    @property
    def in_flight_limit(self) -> int:
        """Return how many runs may be in flight at once for now."""
        return math.floor(min(self.allowed, self.concurrency))


def opened(
    concurrency: int, max_submits: int, requests_per_minute: float | None, tokens_per_minute: float | None, now: float
) -> SubmitState:
    """Return the state of a batch that begins."""
    limits: dict[Kind, float | None] = {"requests": requests_per_minute, "tokens": tokens_per_minute}
    own: dict[Kind, Bucket] = {}
    for kind, limit in limits.items():
        if limit is not None:
            size = limit / 60 * BURST_SECONDS
            own[kind] = Bucket(size, limit / 60, size, now)
    return SubmitState(concurrency, max_submits, own)


def delay(state: SubmitState, demand: Demand, in_flight: int, now: float) -> float:
    """Return 0 if a create may start now, else the seconds to wait. Infinity: until an answer or the end of a run."""
    posting = len(state.posting)
    if posting >= (1 if state.refusals else state.max_submits) or posting + in_flight >= state.in_flight_limit:
        return math.inf
    buckets = _buckets(state, demand)
    waits = [bucket.seconds_until(demand.of(kind), now) for kind, bucket in buckets]
    return max(0.0, state.held_until - now, *waits)


def started(state: SubmitState, key: str, demand: Demand, now: float) -> SubmitState:
    """Return the state after a create has started."""
    own = {kind: bucket.less(demand.of(kind), now) for kind, bucket in state.own.items()}
    told = {
        (model, kind): bucket.less(demand.of(kind), now) if model == demand.model else bucket
        for (model, kind), bucket in state.told.items()
    }
    return replace(state, own=own, told=told, posting={**state.posting, key: replace(demand, started_at=now)})


def accepted(state: SubmitState, key: str, headers: Mapping[str, str], now: float) -> SubmitState:
    """Return the state after the answer to a create that made a run. One that started after a 429 ends the hold."""
    is_new = _is_after_hold(state, key)
    state = settled(_told(state, key, headers, now), key)
    return replace(state, refusals=0, refused_since=math.inf, held_until=-math.inf) if is_new else state


def limited(
    state: SubmitState, key: str, headers: Mapping[str, str], retry_after: float | None, now: float
) -> SubmitState:
    """Return the state after a 429 that a wait can help: all creates are held.

    Creates that were on their way when the hold began make it longer only if the server asks for it. A wait that ends
    the batch holds nothing.
    """
    is_new = _is_after_hold(state, key)
    state = settled(_told(state, key, headers, now), key)
    if retry_after is not None and retry_after > MAX_RETRY_AFTER_SECONDS:
        return state
    growth = 2.0 ** min(state.refusals if is_new else 0, 10)
    seconds = retry_after or min(FIRST_HOLD_SECONDS * growth, MAX_HOLD_SECONDS)
    return replace(
        state,
        held_until=max(state.held_until, now + seconds),
        held_at=now if is_new else state.held_at,
        refusals=state.refusals + is_new,
        refused_since=min(state.refused_since, now),
    )


def _is_after_hold(state: SubmitState, key: str) -> bool:
    demand = state.posting.get(key)
    return demand is None or demand.started_at >= state.held_at


def settled(state: SubmitState, key: str) -> SubmitState:
    """Return the state after a create has ended in any way."""
    return replace(state, posting={name: one for name, one in state.posting.items() if name != key})


def is_limited_for_long(state: SubmitState, now: float) -> bool:
    """Return whether every create was refused by a 429 for so long that the batch stops."""
    return now - state.refused_since >= MAX_RETRY_AFTER_SECONDS


def ended(state: SubmitState, submitted_at: float, *, by_rate_limit: bool, now: float) -> SubmitState:
    """Return the state after a run has ended.

    A rate limit halves the runs in flight. Runs submitted before that do not halve them again.
    """
    now_allowed = min(state.allowed, state.concurrency)
    if not by_rate_limit:
        return replace(state, allowed=min(state.concurrency, now_allowed + 1 / now_allowed))
    if submitted_at < state.cut_at:
        return state
    return replace(state, allowed=max(1.0, now_allowed / 2), cut_at=now)


def _buckets(state: SubmitState, demand: Demand) -> Iterator[tuple[Kind, Bucket]]:
    for kind in KINDS:
        bucket = state.own.get(kind) or state.told.get((demand.model, kind))
        if bucket is not None:
            yield kind, bucket


def _told(state: SubmitState, key: str, headers: Mapping[str, str], now: float) -> SubmitState:
    """Return the state with the limits that an answer tells. Creates on their way are not in it yet."""
    demand = state.posting.get(key)
    if demand is None:
        return state
    others = [one for name, one in state.posting.items() if name != key and one.model == demand.model]
    told = dict(state.told)
    for kind in KINDS:
        bucket = _bucket_in(headers, kind, now) if kind not in state.own else None
        if bucket is not None:
            told[demand.model, kind] = replace(bucket, level=bucket.level - sum(one.of(kind) for one in others))
    return replace(state, told=told)


def _bucket_in(headers: Mapping[str, str], kind: Kind, now: float) -> Bucket | None:
    """Return the limit in the headers of an answer; None if there is none, or one that makes no sense."""
    limit, rest = (_number(headers.get(f"x-ratelimit-{name}-{kind}")) for name in ("limit", "remaining"))
    if not limit or rest is None:
        return None
    reset, spent = seconds_in(headers.get(f"x-ratelimit-reset-{kind}")), limit - rest
    return Bucket(limit, spent / reset if reset and spent > 0 else limit / 60, rest, now)


def _number(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) <= 15 else None


def seconds_in(text: str | None) -> float | None:
    """Return the seconds of a time as the API writes it, `6m0s` or `20ms`, or a plain number; None for another text."""
    parts = _DURATION.findall(text or "")
    if text and parts and "".join(map("".join, parts)) == text:
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    return _number(text)


def tokens_of(body: Mapping[str, Any]) -> int:
    """Return the tokens that a create counts as for a rate limit, roughly.

    That is a token for each 4 characters of `instructions` and of the texts in `input`, and `max_output_tokens`.
    """
    texts = [*_texts(body.get("instructions")), *_texts(body.get("input"))]
    most = body.get("max_output_tokens")
    output = most if isinstance(most, int) and not isinstance(most, bool) and most > 0 else 0
    return sum(1 + len(text) // _CHARACTERS_PER_TOKEN for text in texts) + output


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
    elif isinstance(value, Mapping):
        parts = cast("Mapping[str, object]", value)
        for name in ("content", "text", "output", "arguments"):
            yield from _texts(parts.get(name))
