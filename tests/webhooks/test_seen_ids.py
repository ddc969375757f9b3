"""Which webhooks have come before: bounded by number and by age, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, strategies as st

from runoutcome.webhooks import MemorySeenIds, SeenIds

DAY = 86_400.0


def test_an_id_is_new_once() -> None:
    """The first `add` of an id gives True, every later one False."""
    seen: SeenIds = MemorySeenIds()
    assert [seen.add("a", 0), seen.add("a", 0), seen.add("b", 1), seen.add("a", 2)] == [True, False, True, False]


def test_an_id_that_is_discarded_is_new_again() -> None:
    """A forgotten id counts as new; forgetting one that is not known does nothing."""
    seen = MemorySeenIds()
    seen.add("a", 0)
    for _ in range(2):
        seen.discard("a")
    assert seen.add("a", 0)
    assert len(seen) == 1


def test_ids_are_remembered_for_as_long_as_they_are_sent_again() -> None:
    """By itself it remembers for 72 hours from the first time, however often an id comes."""
    seen = MemorySeenIds()
    assert [seen.add("a", now * DAY) for now in (0, 1, 2, 2.99, 3, 3.5)] == [True, False, False, False, True, False]


def test_the_oldest_goes_first() -> None:
    """Where there is room for no more, the id that came first is forgotten."""
    seen = MemorySeenIds(max_ids=2)
    assert [seen.add(webhook_id, 0) for webhook_id in "abcba"] == [True, True, True, False, True]
    assert len(seen) == 2


def test_by_itself_it_holds_ten_thousand() -> None:
    """However many ids come at once, ten thousand are remembered."""
    seen = MemorySeenIds()
    assert all(seen.add(str(number), 0) for number in range(10_050))
    assert len(seen) == 10_000
    assert not seen.add("50", 0)
    assert seen.add("49", 0)


@pytest.mark.parametrize("bounds", [{"max_ids": 0}, {"max_ids": -1}, {"max_age_seconds": 0}, {"max_age_seconds": -1.0}])
def test_bounds_that_remember_nothing(bounds: dict[str, int]) -> None:
    """A store without room would tell every copy as new: an error."""
    with pytest.raises(ValueError, match="more than 0"):
        MemorySeenIds(**bounds)


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.floats(-10, 10), st.booleans()), max_size=50),
    st.integers(1, 4),
)
def test_bounds_hold_whatever_the_clock_says(calls: list[tuple[str, float, bool]], room: int) -> None:
    """No more ids than there is room for are remembered, and no id is new twice within its age, also where the clock
    goes back."""
    seen, now = MemorySeenIds(max_ids=room, max_age_seconds=20), 0.0
    for webhook_id, step, is_discarded in calls:
        now += step
        seen.add(webhook_id, now)
        assert not seen.add(webhook_id, now)
        assert 1 <= len(seen) <= room
        if is_discarded:
            seen.discard(webhook_id)


def test_one_thread_of_many_is_first() -> None:
    """Of many threads that add the same id, one gets True."""
    seen = MemorySeenIds()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: (number % 100, seen.add(str(number % 100), 0)), range(800)))
    assert sorted(number for number, is_new in answers if is_new) == list(range(100))
