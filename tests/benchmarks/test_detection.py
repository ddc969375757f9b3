"""How late the end of a run is noticed: the numbers of `_wait` stay on the better side, and that means something."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

import detection
from detection import OURS, RIVALS, Cost, at, compare, cost, doubling, fixed, least, mixture, report, window_for
from runoutcome._waiting import polling as _wait

pytestmark = pytest.mark.once
BENCHMARKS = Path(detection.__file__).parent
WHOLE = math.log(detection.LONGEST / detection.SHORTEST)


def test_ours_is_on_the_better_side() -> None:
    """Less lag and fewer polls at the worst duration than each rival, and on the average than each of their kind."""
    found = compare(quick=True)
    assert [text for text, holds in detection.claims(found) if not holds] == []
    assert all(found.most(OURS).polls < found.most(name).polls for name in RIVALS)
    assert all(found.most(OURS).lag < found.most(name).lag for name in RIVALS)


@pytest.mark.parametrize(
    ("name", "spoiled"),
    [
        ("GROWTH", 0.12),
        ("GROWTH", 0.015),
        ("FIRST_DELAY_SECONDS", 3.0),
        ("FIRST_DELAY_SECONDS", 0.02),
        ("CAP_SECONDS", 2.0),
        ("CAPS_BY_WINDOW", ()),
    ],
)
def test_spoiled_numbers_are_found_out(name: str, spoiled: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the numbers that costs too much lag, or too many polls, is not published."""
    monkeypatch.setattr(_wait, name, spoiled)
    with pytest.raises(RuntimeError, match="not on the better side"):
        detection.section(quick=True)


def test_what_is_published_is_what_the_numbers_give() -> None:
    """The section in `RESULTS.md` was made with the numbers that `_wait` has now: `make bench` after a change."""
    assert report(compare()) in (BENCHMARKS / "RESULTS.md").read_text("utf-8")


def test_the_plot_is_there_and_tells_nothing_else() -> None:
    """The picture is published in both formats, small, and without a date or a path."""
    drawn = (BENCHMARKS / "detection.svg").read_text("utf-8")
    assert (BENCHMARKS / "detection.png").read_bytes().startswith(b"\x89PNG")
    assert len(drawn) < 100_000
    assert all(name in drawn for name in (OURS, *RIVALS))
    assert not any(word in drawn for word in ("dc:date", "/home", "/work", "/tmp"))


@pytest.mark.parametrize(
    ("duration", "window"), [(10, None), (3600, None), (3601, "2h"), (7200, "2h"), (7201, "8h"), (30_000, "8h")]
)
def test_windows_fit(duration: float, window: str | None) -> None:
    """A run of up to an hour names no window, a longer one the shortest that holds it."""
    assert window_for(duration) == window


def test_a_cost_counts_the_poll_that_sees_the_end() -> None:
    """A run is noticed by the first poll at or after its end."""
    assert cost(fixed(2), [10.0]) == Cost(5, 0.0, 0.0)
    assert cost(fixed(4), [10.0]) == Cost(3, 0.2, 2.0)
    assert cost(doubling(4, first=1.0), [10.0]) == Cost(4, pytest.approx(0.1), 1.0)  # 1, 3, 7, 11


def test_fixed_intervals_are_what_arithmetic_says() -> None:
    """Over the mixture an interval takes the mean duration over it in polls, and is half of it late."""
    mean = (detection.LONGEST - detection.SHORTEST) / WHOLE
    for seconds in (1.0, 2.0, 5.0):
        one = cost(fixed(seconds), mixture(4000))
        assert one.polls == pytest.approx(mean / seconds + 0.5, rel=0.01)
        assert one.lag_seconds == pytest.approx(seconds / 2, rel=0.03)


def test_between_two_members_of_a_family() -> None:
    """Between neighbours the scales are logarithmic, and a member itself is what it is."""
    family = [Cost(100, 0.01, 1), Cost(10, 0.1, 10), Cost(1000, 0.001, 0.1)]
    assert at(family, "polls", 100).lag == pytest.approx(0.01)
    assert at(family, "polls", 1000**0.5).lag == pytest.approx(0.1 / 10**0.5)
    assert at(family, "lag", 0.1).polls == pytest.approx(10)


def schedule_cost(times: list[float]) -> tuple[float, float]:
    """The mean polls and the mean lag of one schedule, by integration over the mixture."""
    times = [*times[: bisect_left(times, detection.LONGEST)], detection.LONGEST]
    before, polls, lag = detection.SHORTEST, 0.0, 0.0
    for time in times:
        polls += math.log(detection.LONGEST / before) / WHOLE
        lag += (time / before - 1 - math.log(time / before)) / WHOLE
        before = time
    return polls, lag


def grown(growth: Callable[[float], float]) -> list[float]:
    """A schedule whose next poll is this factor later, from the shortest duration on."""
    times = [detection.SHORTEST]
    while times[-1] < detection.LONGEST:
        times.append(times[-1] * (1 + growth(times[-1])))
    return times[1:]


@settings(max_examples=30)
@given(st.floats(0.02, 2.0), st.floats(-0.4, 0.1))
def test_no_schedule_is_better_than_the_least(share: float, power: float) -> None:
    """Whatever share of the age the delay is, and however that share changes with age, the bound holds."""
    polls, lag = schedule_cost(grown(lambda age: share * (age / detection.SHORTEST) ** power))
    assert lag >= least(polls) * 0.999


@settings(max_examples=30)
@given(st.lists(st.floats(detection.SHORTEST * 1.01, detection.LONGEST), min_size=8, max_size=60, unique=True))
def test_no_handful_of_polls_is_better_either(times: list[float]) -> None:
    """Polls at any times are later on the average than the bound for as many."""
    polls, lag = schedule_cost(sorted(times))
    assert lag >= least(polls) * 0.999


@pytest.mark.parametrize("polls", [20, 50, 108, 300])
def test_the_least_is_reached(polls: float) -> None:
    """The bound is one: a share of the age that falls slowly, as the bound's own does, comes within 3 % of it."""
    low, high = 0.001, 3.0
    for _ in range(60):
        share = (low + high) / 2
        schedule = grown(lambda age: share * math.log(detection.LONGEST / age) ** 0.5 + 1e-3)  # noqa: B023 - used at once
        found, lag = schedule_cost(schedule)
        low, high = (share, high) if found > polls else (low, share)
    assert lag <= least(found) * 1.03
