"""Which call meets which fault: a pure decision, and the counters it is made from. The first rule to hold decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from .._scenario.fault import Fault, parse_fault
from .._scenario.script import FaultRule, Route

# As much of a digest as a float holds exactly.
_BYTES = 6
_RANGE = 2.0 ** (8 * _BYTES)
_GOOD = parse_fault("ok")


@dataclass
class _Tally:
    """A rule and its place among all; the calls it was asked about, and those it hit."""

    rule: FaultRule
    place: int
    calls: int = 0
    hits: int = 0


def holds(rule: FaultRule, *, nth: int, hits: int, elapsed: float, chance: float) -> bool:
    """The nth call the rule is asked about meets its fault.

    `hits` is how many calls have met it, `elapsed` the seconds since the start, `chance` a draw from [0, 1).
    """
    return (
        rule.first <= nth
        and (rule.last is None or nth <= rule.last)
        and (rule.times is None or hits < rule.times)
        and rule.after_seconds <= elapsed
        and (rule.until_seconds is None or elapsed < rule.until_seconds)
        and chance < rule.share
    )


def draw(seed: int, place: int, nth: int) -> float:
    """A number from [0, 1) for the nth call of one rule: the same again after a restart, whatever else was asked."""
    digest = sha256(f"{seed}/fault/{place}/{nth}".encode()).digest()
    return int.from_bytes(digest[:_BYTES], "big") / _RANGE


class FaultPlan:
    """The rules of a scenario, those added by a test, and how often each was asked."""

    def __init__(
        self, rules: Iterable[FaultRule] = (), *, seed: int = 0, speed: float = 1.0, started_at: float = 0.0
    ) -> None:
        self._seed = seed
        self._speed = speed
        self._started_at = started_at
        self._tallies = [_Tally(rule, place) for place, rule in enumerate(rules, 1)]
        self._asked: Counter[tuple[Route, str]] = Counter()

    def add(self, rule: FaultRule) -> None:
        """One more rule, after the others; it counts the calls from now on."""
        self._tallies.append(_Tally(rule, len(self._tallies) + 1))

    def next(
        self,
        route: Route,
        now: float,
        *,
        subject: str = "",
        outcome: str | None = None,
        own: tuple[Fault, ...] = (),
    ) -> Fault | None:
        """The fault of this call, its durations at the emulator's speed; None for a good answer.

        `now` is in seconds (Unix); `subject` is what the call is about: the job of a create, else the id of a run;
        `own` are the faults of the first, second, ... call about this subject, which any rule comes before.
        """
        self._asked[route, subject] += 1
        nth = self._asked[route, subject]
        fault = self._ruled(route, (now - self._started_at) * self._speed, outcome)
        if fault is None and nth <= len(own):
            fault = own[nth - 1]
        return None if fault is None or fault == _GOOD else fault.at_speed(self._speed)

    def skip(self, route: Route, subject: str, calls: int) -> None:
        """Count calls about a subject that were made before a restart: they have used up its own faults."""
        self._asked[route, subject] += calls

    @property
    def unmet(self) -> list[FaultRule]:
        """The rules that no call has met, and those with `times` that were met less often."""
        return [tally.rule for tally in self._tallies if tally.hits < (tally.rule.times or 1)]

    def _ruled(self, route: Route, elapsed: float, outcome: str | None) -> Fault | None:
        fault: Fault | None = None
        for tally in self._tallies:
            rule = tally.rule
            if rule.route != route or rule.outcome not in (None, outcome):
                continue
            tally.calls += 1
            chance = draw(self._seed, tally.place, tally.calls) if rule.share < 1 else 0.0
            if fault is None and holds(rule, nth=tally.calls, hits=tally.hits, elapsed=elapsed, chance=chance):
                tally.hits += 1
                fault = rule.fault
        return fault
