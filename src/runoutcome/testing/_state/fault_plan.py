"""Faults of the calls: the first rule that applies decides, else the run's own script. Pure decisions and counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from .._scenario.fault import Fault, parse_fault
from .._scenario.script import FaultRule, Route

# As many bytes of a digest as a float holds exactly.
_BYTES = 6
_GOOD = parse_fault("ok")


@dataclass
class _Tally:
    """A rule, its number from 1, and how many calls it was applied to and hit."""

    rule: FaultRule
    number: int
    calls: int = 0
    hits: int = 0

    def is_met(self, elapsed: float, seed: int) -> bool:
        """The last call that was counted meets the fault, `elapsed` seconds after the start."""
        rule = self.rule
        return (
            rule.first <= self.calls
            and (rule.last is None or self.calls <= rule.last)
            and (rule.times is None or self.hits < rule.times)
            and rule.after_seconds <= elapsed
            and (rule.until_seconds is None or elapsed < rule.until_seconds)
            and (rule.share >= 1 or _draw(f"{seed}/fault/{self.number}/{self.calls}") < rule.share)
        )


def _draw(seed: str) -> float:
    """A number from [0, 1), the same for the same seed."""
    return int.from_bytes(sha256(seed.encode()).digest()[:_BYTES], "big") / 2.0 ** (8 * _BYTES)


class FaultPlan:
    """The rules of a scenario, those added by a test, and how often each was applied."""

    def __init__(
        self, rules: Iterable[FaultRule] = (), *, seed: int = 0, speed: float = 1.0, started_at: float = 0.0
    ) -> None:
        self._seed = seed
        self._speed = speed
        self._started_at = started_at
        self._tallies = [_Tally(rule, number) for number, rule in enumerate(rules, 1)]
        self._calls: Counter[tuple[Route, str]] = Counter()

    def add(self, rule: FaultRule) -> None:
        """Add a rule after the others; it counts the calls from now on."""
        self._tallies.append(_Tally(rule, len(self._tallies) + 1))

    def next(
        self,
        route: Route,
        now: float,
        *,
        subject: str = "",
        outcome: str | None = None,
        streams: bool = True,
        own: tuple[Fault, ...] = (),
    ) -> Fault | None:
        """The fault of this call, its durations at the emulator's speed; None for a good response.

        `now` is in seconds (Unix); `subject` is the job of a create, else the id of a run; `own` are the faults of the
        first, second, ... call about this subject, unless a rule decides. A call that does not stream (`streams`) is
        none of those that a fault of a stream counts.
        """
        self._calls[route, subject] += 1
        nth = self._calls[route, subject]
        fault = self._ruled(route, (now - self._started_at) * self._speed, outcome, streams=streams)
        if fault is None and nth <= len(own):
            fault = own[nth - 1]
        return None if fault is None or fault == _GOOD else fault.at_speed(self._speed)

    def skip(self, route: Route, subject: str, calls: int) -> None:
        """Count calls about a subject that were made before a restart: they have used up its own faults."""
        self._calls[route, subject] += calls

    def _ruled(self, route: Route, elapsed: float, outcome: str | None, *, streams: bool) -> Fault | None:
        fault: Fault | None = None
        for tally in self._tallies:
            rule = tally.rule
            if (
                rule.route != route
                or rule.outcome not in (None, outcome)
                or (rule.fault.is_of_a_stream and not streams)
            ):
                continue
            tally.calls += 1
            if fault is None and tally.is_met(elapsed, self._seed):
                tally.hits += 1
                fault = tally.rule.fault
        return fault
