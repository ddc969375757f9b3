"""Webhook events of runs and the attempts to deliver them: when each is due, what is sent, and when again. Pure.

An event is a function of a run and the seed, and every moment follows from these and from the receiver's answers: two
emulators with one seed deliver alike, whenever they look at the clock.
"""

import hashlib
import json
import random
from dataclasses import dataclass, replace

from .._scenario.webhooks import SHARES, WEBHOOK_MARKER, Webhooks
from .._state.request import metadata_of
from .._state.runs import EmulatedRun, ended_at, status_at
from .signing import signed_headers, wrong_secret

_STATUSES = ("completed", "failed", "incomplete", "cancelled")
_SENT_FAULTS = ("wrong_secret", "old_timestamp", "bad_body")
_JITTER = 0.2


@dataclass(frozen=True)
class Delivery:
    """One webhook that was sent, and the receiver's answer."""

    __module__ = "runoutcome.testing"

    webhook_id: str
    """The same for every attempt and every copy of one event."""
    event_id: str
    type: str
    """`response.` and the status."""
    run_id: str
    attempt: int
    """1, 2, ...; each copy counts its own."""
    copy: int
    """2 for the duplicate of an event."""
    due_at: float
    """Seconds (Unix), by the emulator's clock."""
    at: float
    """Time of sending, later than `due_at` if the clock was moved past it. Seconds (Unix), emulator's clock."""
    timestamp: int
    """The header `webhook-timestamp`, by the wall clock of this machine, with which receivers compare it."""
    signed_with: str
    """`secret`, `old_secret`, `both` or `wrong_secret`."""
    faults: tuple[str, ...]
    """Its faults, of `wrong_secret`, `old_timestamp` and `bad_body`."""
    status: int | None
    """The HTTP status of the receiver's answer; None if there was none."""
    error: str | None = None
    """The reason why there was no answer."""


@dataclass(frozen=True)
class WebhookEvent:
    """The event of one run, and what was drawn for it."""

    run_id: str
    type: str
    ended_at: float
    due_at: float
    """Time of the first sending, unless the event is held back."""
    webhooks: Webhooks
    drawn: frozenset[str]
    """Names of `SHARES`."""
    seed: str
    speed: float
    held: bool = False

    @property
    def id(self) -> str:
        """The id in the body."""
        return f"evt_{_digest('event', self.run_id)}"

    @property
    def webhook_id(self) -> str:
        """The header by which a receiver recognizes duplicates."""
        return f"wh_{_digest('webhook', self.run_id)}"

    @property
    def held_until(self) -> float:
        """Time at which it is sent even if no later event was delivered."""
        share = random.Random(f"{self.seed}/held").uniform(0.5, 1)
        return self.due_at + share * self.webhooks.reorder_seconds / self.speed


@dataclass(frozen=True)
class Attempt:
    """One sending of an event."""

    event: WebhookEvent
    copy: int
    number: int
    first_due_at: float
    due_at: float

    @property
    def faults(self) -> tuple[str, ...]:
        """Its faults, of `wrong_secret`, `old_timestamp` and `bad_body`."""
        if self.number > self.event.webhooks.fault_attempts:
            return ()
        return tuple(name for name in _SENT_FAULTS if name in self.event.drawn)

    @property
    def signed_with(self) -> str:
        """`secret`, `old_secret`, `both` or `wrong_secret`."""
        return "wrong_secret" if "wrong_secret" in self.faults else self.event.webhooks.signed_with

    def timestamp(self, now: float) -> int:
        """The time of signing in its header, if it is sent at `now` by the wall clock (both Unix seconds)."""
        return int(now - (self.event.webhooks.old_timestamp_seconds if "old_timestamp" in self.faults else 0.0))

    def headers(self, timestamp: int) -> dict[str, str]:
        """The signed headers."""
        webhooks = self.event.webhooks
        secrets = (wrong_secret(webhooks.secret),) if "wrong_secret" in self.faults else webhooks.signers
        return signed_headers(self.event.webhook_id, timestamp, self.body, secrets)

    def delivery(self, *, at: float, timestamp: int, status: int | None, error: str | None) -> Delivery:
        """The record of the attempt."""
        event = self.event
        return Delivery(
            webhook_id=event.webhook_id,
            event_id=event.id,
            type=event.type,
            run_id=event.run_id,
            attempt=self.number,
            copy=self.copy,
            due_at=self.due_at,
            at=at,
            timestamp=timestamp,
            signed_with=self.signed_with,
            faults=self.faults,
            status=status,
            error=error,
        )

    @property
    def body(self) -> bytes:
        """The JSON that is signed and sent."""
        event, created_at = self.event, int(self.event.ended_at)
        head = {"object": "event", "id": event.id, "type": event.type, "created_at": created_at}
        encoded = json.dumps({**head, "data": {"id": event.run_id}}).encode()
        return encoded[:-20] if "bad_body" in self.faults else encoded


@dataclass(frozen=True)
class DeliverySettings:
    """Settings by which events are made."""

    webhooks: Webhooks
    seed: int
    speed: float


def event_of(run: EmulatedRun, nth: int, settings: DeliverySettings) -> WebhookEvent | None:
    """The event of the nth run; None for a run that never ends, is in the foreground, or ends in another status."""
    end = ended_at(run)
    status = None if end is None else status_at(run, end)
    if end is None or status not in _STATUSES or not run.request.get("background"):
        return None
    webhooks = _settings_for(run, settings.webhooks)
    seed = f"{settings.seed}/webhook/{nth}"
    draw = random.Random(seed)
    # One draw for each share: another value of one changes no other.
    drawn = frozenset(share for share in SHARES if draw.random() < getattr(webhooks, share))
    late = webhooks.delay_seconds / settings.speed if "delay" in drawn else 0.0
    return WebhookEvent(
        run.id, f"response.{status}", end, end + late, webhooks, drawn, seed, settings.speed, held="reorder" in drawn
    )


def first_attempts(event: WebhookEvent) -> tuple[Attempt, ...]:
    """The first attempt of each copy: none for a dropped event, two for a duplicated one."""
    due = event.held_until if event.held else event.due_at
    copies = 0 if "drop" in event.drawn else 2 if "duplicates" in event.drawn else 1
    moments = (due, due + event.webhooks.duplicate_seconds / event.speed)[:copies]
    return tuple(Attempt(event, copy, 1, moment, moment) for copy, moment in enumerate(moments, 1))


def next_attempt(failed: Attempt) -> Attempt | None:
    """The attempt after one that was not answered with 2xx; None when the time for retries is over."""
    event, webhooks = failed.event, failed.event.webhooks
    jitter = random.Random(f"{event.seed}/{failed.copy}/{failed.number}").uniform(1 - _JITTER, 1 + _JITTER)
    due = failed.due_at + webhooks.retry_seconds * 2 ** (failed.number - 1) * jitter / event.speed
    if due > failed.first_due_at + webhooks.retry_for_seconds / event.speed:
        return None
    return replace(failed, number=failed.number + 1, due_at=due)


def _settings_for(run: EmulatedRun, webhooks: Webhooks) -> Webhooks:
    marker = metadata_of(run.request).get(WEBHOOK_MARKER)
    try:
        return webhooks if marker is None else webhooks.marked(marker)
    except ValueError:
        # A create with such a marker is refused; a run from a state file of other settings can still have one.
        return webhooks


def _digest(kind: str, run_id: str) -> str:
    return hashlib.sha256(f"{kind}/{run_id}".encode()).hexdigest()[:32]
