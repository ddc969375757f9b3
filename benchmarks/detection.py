"""How late the end of a run is noticed, against how many polls that takes, for runs of 10 s to 8 h.

Run with `python benchmarks/detection.py`: prints a section for `RESULTS.md`, and with matplotlib (extra `bench`) draws
`detection.png` and `detection.svg`. No clock and no network: the steps of `_wait` are taken in virtual time, with a
seeded jitter, so every machine gives the same numbers. Exits with 1 if ours is not on the better side.

A *path* is the times of all polls of one wait. Without jitter a strategy has one path, ours has many for each window.
A run that ends at `duration` is noticed by the first poll at or after that, so a path answers for every duration.

What "the better side" means. Of a duration known beforehand nobody can do better than one poll at its end, and a fixed
interval of a tenth of it costs 10 polls for 5 %. So nothing is better at *every* duration than *every* interval; what
counts is what one rule does for durations that are not known:

1. at its worst duration: fewer polls, and less lag, than each rival at its own worst;
2. on the average over the durations: at the same number of polls less lag, and at the same lag fewer polls, than any
   fixed interval and any delay that doubles, whatever its cap.
"""

from __future__ import annotations

import math
import random
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate, chain, repeat
from typing import Literal

from runoutcome._waiting.polling import (
    DEFAULT_MAX_WAIT_SECONDS,
    JITTER,
    Sleep,
    WaitState,
    pending,
    policy_for,
    window_seconds,
)
from tables import table

SHORTEST, LONGEST = 10.0, 8 * 3600.0
SPREAD = 0.1
"""A duration stands for those within 10 % of it: what it does exactly, between two polls, is luck."""
DURATIONS = {
    "10 s": 10.0,
    "20 s": 20.0,
    "30 s": 30.0,
    "1 min": 60.0,
    "2 min": 120.0,
    "5 min": 300.0,
    "10 min": 600.0,
    "30 min": 1800.0,
    "1 h": 3600.0,
    "2 h": 7200.0,
    "4 h": 14400.0,
    "8 h": 28800.0,
}
WINDOWS = (None, "2h", "8h")

Times = Sequence[float]
"""When one wait polls, in seconds since the run was created."""
Strategy = Callable[[float], Sequence[Times]]
"""The paths that a strategy may take for a run of this duration."""


# Strategies


def window_for(duration: float) -> str | None:
    """The completion window a run of this duration was meant for: the shortest that holds it."""
    if duration <= DEFAULT_MAX_WAIT_SECONDS:
        return None
    return next((window for window in WINDOWS if (window_seconds(window) or 0.0) >= duration), WINDOWS[-1])


def our_path(window: str | None, rng: random.Random) -> Times:
    """When `Runs.create_and_poll` asks for a run with this window that does not end."""
    policy = policy_for(None, None, window)
    state, now, times = WaitState(0.0, known=True, created=0.0), 0.0, list[float]()
    while now < LONGEST * (1 + SPREAD):
        state, step = pending(policy, state, now, jitter=rng.uniform(1 - JITTER, 1 + JITTER))
        assert isinstance(step, Sleep)
        now += step.seconds
        times.append(now)
    return times


def our_paths(count: int) -> dict[str | None, Sequence[Times]]:
    """Paths of the adaptive delay of `_wait`, as it is, for each window."""
    rng = random.Random(5)
    return {window: [our_path(window, rng) for _ in range(count)] for window in WINDOWS}


def path_of(delays: Iterable[float]) -> Times:
    """The times of polls with these delays between them."""
    times = list[float]()
    for time in accumulate(delays):
        times.append(time)
        if time >= LONGEST * (1 + SPREAD):
            break
    return times


def fixed(seconds: float) -> Strategy:
    """A constant delay."""
    path = [path_of(repeat(seconds))]
    return lambda duration: path


def doubling(cap: float, first: float = 0.5) -> Strategy:
    """A delay that doubles up to a cap."""
    path = [path_of(chain((first * 2.0**n for n in range(int(math.log2(cap / first)) + 1)), repeat(cap)))]
    return lambda duration: path


# What they cost


@dataclass(frozen=True)
class Cost:
    """What one strategy does for some runs: averages."""

    polls: float
    lag: float
    """As a share of the run's duration."""
    lag_seconds: float

    def __str__(self) -> str:
        return f"{number(self.polls)} / {percent(self.lag)}"


def cost(strategy: Strategy, durations: Sequence[float]) -> Cost:
    """The averages over these runs and all paths."""
    polls, lags, shares = list[int](), list[float](), list[float]()
    for place, duration in enumerate(durations):
        paths = strategy(duration)
        times = paths[place % len(paths)]  # the durations are many, so each path has its share of all kinds
        poll = bisect_left(times, duration)
        polls.append(poll + 1)
        lags.append(times[poll] - duration)
        shares.append(lags[-1] / duration)
    count = len(durations)
    return Cost(sum(polls) / count, math.fsum(shares) / count, math.fsum(lags) / count)


def mixture(count: int) -> list[float]:
    """Runs of 10 s to 8 h, as many between 10 s and 20 s as between 4 h and 8 h; in an order that favours no path."""
    durations = [SHORTEST * (LONGEST / SHORTEST) ** ((place + 0.5) / count) for place in range(count)]
    random.Random(8).shuffle(durations)
    return durations


def around(duration: float, count: int) -> list[float]:
    """Runs that take about as long."""
    durations = [duration * (1 - SPREAD + 2 * SPREAD * (place + 0.5) / count) for place in range(count)]
    random.Random(8).shuffle(durations)
    return durations


def least(polls: float) -> float:
    """The least average lag that any schedule of so many polls on the average can have over the mixture.

    For a schedule that knows the mixture, and not the run. The costs are convex and the best polls have
    `next/this = 1 + (n - i) * q`, from the first order condition for runs whose logarithm is uniform: each poll moves
    until what it saves in lag is what it costs.
    """
    whole, few, many = math.log(LONGEST / SHORTEST), 1, 2
    while _least_for(many, whole)[0] < polls:
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if _least_for(middle, whole)[0] < polls else (few, middle)
    return _least_for(many, whole)[1]


def _least_for(count: int, whole: float) -> tuple[float, float]:
    low, high = 0.0, LONGEST
    for _ in range(60):
        q = (low + high) / 2
        reached = math.fsum(math.log1p((count - i) * q) for i in range(count))
        low, high = (q, high) if reached < whole else (low, q)
    polls, lag, passed = 0.0, 0.0, 0.0
    for i in range(count):
        step = (count - i) * q
        polls += (whole - passed) / whole
        lag += (step - math.log1p(step)) / whole
        passed += math.log1p(step)
    return polls, lag


# The comparison

OURS = "ours"
RIVALS = {"every 2 s": fixed(2), "every 5 s": fixed(5), "doubling to 60 s": doubling(60)}
"""What pydantic-ai 2.68 does, what inspect_ai does, and the usual back-off, which begins at 0.5 s."""
MOST_LAG = 0.05
"""What is promised for runs of 10 s and more: the expected lag stays below."""
FROM_LEAST = 1.5
"""How far our average lag may be from the least that is possible with as many polls."""


@dataclass(frozen=True)
class Comparison:
    """Everything that was found. Ours is the first strategy."""

    by_duration: dict[str, dict[float, Cost]]
    average: dict[str, Cost]
    variants: dict[str, Cost]
    """The averages of what is shown for comparison only."""
    families: dict[str, list[Cost]]
    """The averages for all intervals, or all caps."""

    def most(self, name: str) -> Cost:
        """The most polls, and the most lag, of one strategy at any duration."""
        found = self.by_duration[name].values()
        return Cost(*(max(getattr(one, what) for one in found) for what in ("polls", "lag", "lag_seconds")))

    def beats(self, name: str, duration: float) -> bool:
        """Whether a rival takes fewer polls than ours for runs of this duration, and has less lag."""
        one, our = self.by_duration[name][duration], self.by_duration[OURS][duration]
        return one.polls <= our.polls and one.lag <= our.lag


def compare(quick: bool = False) -> Comparison:
    """All strategies for all durations. `quick` takes a second, and is right within a few percent."""
    paths, runs, samples, grid = (20, 400, 40, 16) if quick else (200, 4000, 400, 64)
    own, mixed = our_paths(paths), mixture(runs)
    strategies: dict[str, Strategy] = {OURS: lambda duration: own[window_for(duration)], **RIVALS}
    capped = {window: doubling(policy_for(None, None, window).cap_seconds) for window in WINDOWS}
    durations = {*DURATIONS.values(), *(SHORTEST * (LONGEST / SHORTEST) ** (place / grid) for place in range(grid))}
    return Comparison(
        by_duration={
            name: {duration: cost(strategy, around(duration, samples)) for duration in sorted(durations)}
            for name, strategy in strategies.items()
        },
        average={name: cost(strategy, mixed) for name, strategy in strategies.items()},
        variants={
            "ours, no window named": cost(lambda _: own[None], mixed),
            "ours, window 8h for all": cost(lambda _: own["8h"], mixed),
            "doubling to our caps": cost(lambda duration: capped[window_for(duration)](duration), mixed),
        },
        families={
            "any fixed interval": [cost(fixed(1.15**place), mixed) for place in range(-4, 45)],
            "doubling to any cap": [cost(doubling(0.5 * 1.2**place), mixed) for place in range(4, 56)],
        },
    )


def at(family: Sequence[Cost], what: Literal["polls", "lag"], value: float) -> Cost:
    """The member of a family whose polls, or lag, are this, between its neighbours on logarithmic scales."""
    ordered = sorted(family, key=lambda one: getattr(one, what))
    place = min(max(bisect_left([getattr(one, what) for one in ordered], value), 1), len(ordered) - 1)
    low, high = ordered[place - 1], ordered[place]
    share = math.log(value / getattr(low, what)) / math.log(getattr(high, what) / getattr(low, what))

    def between(one: float, other: float) -> float:
        return float(one ** (1 - share) * other**share)

    return Cost(between(low.polls, high.polls), between(low.lag, high.lag), between(low.lag_seconds, high.lag_seconds))


def claims(found: Comparison) -> list[tuple[str, bool]]:
    """What is said of ours, and whether it is so."""
    our, most = found.average[OURS], found.most(OURS)
    said = [
        (
            f"For any duration, ours takes at most {number(most.polls)} polls, and its expected lag is at most "
            f"{percent(most.lag)} (promised: below {percent(MOST_LAG)}).",
            most.lag < MOST_LAG,
        )
    ]
    for name in RIVALS:
        other = found.most(name)
        said.append(
            (
                f"`{name}` has more of both: {number(other.polls)} polls, {percent(other.lag)} lag.",
                other.polls > most.polls and other.lag > most.lag,
            )
        )
    for name, family in found.families.items():
        late, many = at(family, "polls", our.polls).lag / our.lag, at(family, "lag", our.lag).polls / our.polls
        said.append(
            (
                f"On average, {name} has {late:.1f} times the lag of ours with as many polls, or takes {many:.1f} "
                "times the polls for the same lag.",
                late > 1 and many > 1,
            )
        )
    bound = least(our.polls)
    said.append(
        (
            f"With {number(our.polls)} polls on average, the smallest possible mean lag without knowledge of duration "
            f"and window is {percent(bound)}; ours is {percent(our.lag)}.",
            our.lag < FROM_LEAST * bound,
        )
    )
    return said


# The report


def number(value: float) -> str:
    """A number of polls."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """A share, to a tenth of a percent."""
    if share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.{1 if share < 0.0995 else 0}f} %"


def report(found: Comparison) -> str:
    """Everything, as a section of `RESULTS.md`. Raises RuntimeError if ours is not on the better side."""
    said = claims(found)
    if broken := [text for text, holds in said if not holds]:
        raise RuntimeError("ours is not on the better side any more: " + " ".join(broken))
    means = []
    for name, one in {**found.average, **found.variants}.items():
        most = found.most(name) if name in found.by_duration else None
        row = [name, number(one.polls), percent(one.lag), f"{one.lag_seconds:.1f}"]
        means.append([*row, *((number(most.polls), percent(most.lag)) if most else ("", ""))])
    rows = []
    for label, duration in DURATIONS.items():
        row = [label]
        for name in (OURS, *RIVALS):
            text = str(found.by_duration[name][duration])
            row.append(f"**{text}**" if name != OURS and found.beats(name, duration) else text)
        rows.append(row)
    points = "\n".join(f"- {text}" for text, _ in said)
    return f"""## How late the end of a run is noticed

![Detection lag against polls](detection.png)

Runs of 10 s to 8 h, in virtual time, through the real steps of `_waiting/polling.py`, with jitter. `ours` is the delay
of runoutcome. A run of up to an hour has no completion window; a longer run has the shortest window that it fits into.
pydantic-ai 2.68 polls `every 2 s`, inspect_ai `every 5 s`. `doubling` begins at 0.5 s. `doubling to our caps` shows the
effect of our longest delays alone. For the means, there are as many runs between 10 s and 20 s as between 4 h and 8 h.
Lag is the share of the run's duration that passes between its end and the poll that finds it, or, where marked, in
seconds.

{table(("", "mean polls", "mean lag", "mean lag, s", "most polls", "most lag"), means)}

{points}

Polls / lag by duration. Bold: the rival has fewer polls *and* less lag.

{table(("a run of", OURS, *RIVALS), rows)}

The bold cells have one cause: nobody knows the duration before. For a known duration, a fixed interval is better than a
rule for all durations, but no interval is good for all durations. In seconds the lag can be large: with the longest
delay of 300 s (window `8h`) it is minutes. Without a window, every end is noticed within 12 s.
"""


def section(quick: bool = False) -> str:
    """The section of `RESULTS.md`; draws the plot, too, unless it must be quick or there is no matplotlib."""
    found = compare(quick)
    if not quick and find_spec("matplotlib"):
        import detection_plot

        detection_plot.draw(found)
    return report(found)


if __name__ == "__main__":
    print(section("--quick" in sys.argv))
