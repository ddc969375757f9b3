"""Where a stream stands: which event is the next, which was there before, and where one is missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from runoutcome._waiting.stream_cursor import TERMINAL_EVENTS, Cursor

DELTA = "response.output_text.delta"


def event(number: object = None, kind: str = DELTA, **fields: Any) -> dict[str, Any]:
    """An event, with a number if one is given."""
    return {"type": kind, **({} if number is None else {"sequence_number": number}), **fields}


def at(*numbers: int) -> Cursor:
    """The cursor after events with these numbers."""
    cursor = Cursor()
    for number in numbers:
        cursor = cursor.after(event(number))
    return cursor


@pytest.mark.parametrize(
    ("cursor", "number", "place"),
    [
        (Cursor(), 0, "new"),
        (Cursor(), 3, "gap"),
        (at(0, 1), 2, "new"),
        (at(0, 1), 1, "seen"),
        (at(0, 1), 0, "seen"),
        (at(0, 1), 3, "gap"),
        (at(0, 1), 2**63, "new"),
        (Cursor(7), 8, "new"),
        (Cursor(7), 7, "seen"),
        (Cursor(7), 9, "gap"),
    ],
)
def test_the_number_says_what_an_event_is(cursor: Cursor, number: int, place: str) -> None:
    """The next number is new, one up to the cursor was there before, a later one tells of a gap."""
    assert cursor.place(event(number)) == place


def test_a_known_gap_is_passed_over() -> None:
    """What was asked for and did not come is not asked for again; the next gap is another one."""
    cursor = Cursor(2, is_gap_known=True)
    assert cursor.place(event(5)) == "new"
    assert cursor.after(event(5)).place(event(7)) == "gap"


def test_a_server_may_count_from_one() -> None:
    """What calls itself the first event is no gap, whatever its number."""
    assert Cursor().place(event(1, "response.created")) == "new"


@pytest.mark.parametrize("kind", sorted(TERMINAL_EVENTS))
@pytest.mark.parametrize("number", [0, 4, None])
def test_the_end_is_never_taken_for_a_copy(kind: str, number: int | None) -> None:
    """A terminal event that was passed on would have ended the stream, so one that comes was not."""
    assert at(0, 1, 2, 3, 4).place(event(number, kind), is_replay=True) == "new"


def test_events_without_a_number_come_as_they_are() -> None:
    """They are passed on, unless they may be copies, and do not move the cursor."""
    cursor = at(0, 1)
    assert cursor.place(event()) == "new"
    after = cursor.after(event())
    assert (after.last, after.has_unnumbered, after.can_resume) == (1, True, True)
    assert after.place(event(), is_replay=True) == "seen"
    assert after.after(event(2)) == Cursor(2, event(2))


def test_a_stream_without_numbers_cannot_be_gone_on_with() -> None:
    """Nobody can say what comes after an event without a number; with none passed on the stream begins anew."""
    assert Cursor().can_resume
    assert not Cursor().after(event()).can_resume


@pytest.mark.parametrize("number", ["3", True, -1, 2.0, [], None])
def test_what_is_no_number_is_none(number: object) -> None:
    """A `sequence_number` of any other kind is taken for none."""
    assert at(0).place(event(number)) == "new"
    assert at(0).after(event(number)).last == 0


def test_a_server_that_gives_all_events_one_number_does_not_number_them() -> None:
    """Other events under the number of the last one are no copies of it; its equal is."""
    cursor = Cursor().after(event(0, delta="a"))
    assert cursor.place(event(0, delta="a")) == "seen"
    assert cursor.place(event(0, delta="b")) == "new"
    assert cursor.after(event(0, delta="b")).last == 0


@given(st.lists(st.one_of(st.none(), st.integers(-2, 12))), st.booleans())
def test_numbers_that_are_passed_on_only_grow(numbers: list[int | None], is_replay: bool) -> None:
    """Whatever comes, no number is passed on twice, and none after a later one."""
    cursor, passed = Cursor(), []
    for number in numbers:
        this = event(number)
        if cursor.place(this, is_replay=is_replay) == "new":
            cursor = cursor.after(this)
            if number is not None and number >= 0:
                passed.append(number)
    assert passed == sorted(set(passed))
