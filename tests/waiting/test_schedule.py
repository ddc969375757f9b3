"""The heap: who is due first is taken first, and only what counts is there."""

from __future__ import annotations

from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from runoutcome._waiting.schedule import SPARE_ENTRIES, Schedule


def test_nothing_is_taken_before_it_is_due() -> None:
    """An item comes out at its time, with the time it was due, and once."""
    schedule: Schedule[str] = Schedule()
    schedule.put("a", 5.0)
    assert schedule.take(4.9) is None
    assert schedule.take(7.0) == ("a", 5.0)
    assert (schedule.take(9.0), len(schedule), schedule.next_due()) == (None, 0, None)


@given(st.lists(st.floats(0, 100), max_size=50))
def test_whoever_was_due_first_comes_first(times: list[float]) -> None:
    """However late it is, the order is that of the due times, and of the calls where those are the same."""
    schedule: Schedule[int] = Schedule()
    for number, due in enumerate(times):
        schedule.put(number, due)
    taken = [taken for _ in times if (taken := schedule.take(1000.0))]
    assert [(due, number) for number, due in taken] == sorted((due, number) for number, due in enumerate(times))


def test_putting_again_changes_when_it_is_due() -> None:
    """A later word about an item replaces the earlier one, in both directions."""
    schedule: Schedule[str] = Schedule()
    schedule.put("a", 5.0)
    schedule.put("a", 1.0)
    assert schedule.take(2.0) == ("a", 1.0)
    schedule.put("a", 1.0)
    schedule.put("a", 5.0)
    assert (schedule.take(2.0), "a" in schedule, schedule.next_due()) == (None, True, 5.0)


def test_clearing_gives_what_was_there() -> None:
    """Everything is forgotten, and told."""
    schedule: Schedule[str] = Schedule()
    for name, due in (("a", 5.0), ("b", 1.0), ("a", 2.0)):
        schedule.put(name, due)
    assert sorted(schedule.clear()) == ["a", "b"]
    assert (schedule.clear(), schedule.take(9.0), len(schedule)) == ([], None, 0)


def test_what_is_out_of_date_does_not_pile_up() -> None:
    """An item that is moved a thousand times does not leave a thousand entries behind."""
    schedule: Schedule[str] = Schedule()
    for due in range(1000):
        schedule.put("a", float(due))
    assert len(schedule._heap) <= SPARE_ENTRIES + 3


class AgainstADict(RuleBasedStateMachine):
    """Whatever is done to it, it holds what a dict of due times holds."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule: Schedule[int] = Schedule()
        self.due: dict[int, float] = {}

    @rule(item=st.integers(0, 9), due=st.integers(0, 50))
    def put(self, item: int, due: int) -> None:
        """Put an item."""
        self.schedule.put(item, float(due))
        self.due[item] = float(due)

    @rule(item=st.integers(0, 9))
    def remove(self, item: int) -> None:
        """Remove an item, be it there or not."""
        self.schedule.remove(item)
        self.due.pop(item, None)

    @rule(now=st.integers(0, 60))
    def take(self, now: int) -> None:
        """Take what is due."""
        taken = self.schedule.take(float(now))
        if taken is None:
            assert all(due > now for due in self.due.values())
        else:
            item, due = taken
            assert self.due.pop(item) == due == min([due, *self.due.values()])

    @invariant()
    def they_agree(self) -> None:
        """Both hold the same."""
        assert len(self.schedule) == len(self.due)
        assert self.schedule.next_due() == min(self.due.values(), default=None)


TestAgainstADict = AgainstADict.TestCase
