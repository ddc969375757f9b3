"""How long a server asks to wait: by headers, or by its own words."""

from __future__ import annotations

import math
from collections import UserDict
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from runoutcome._outcome.retry_after import delay_from_headers, delay_from_message, parse_seconds

LONG_S = "\u017f"  # matches "s" in a pattern that ignores case


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached for gpt-5.5. Please try again in 2.512s.", 2.512),
        ("Please try again in 424ms. Visit https://example.test to learn more.", 0.424),
        ("please TRY AGAIN IN 20S", 20.0),
        ("Try again in 6m0s.", 360.0),
        ("Please try again in 1h12m0s.", 4320.0),
        ("Please try again in 1m30.5s", 90.5),
        ("Please try again in 7 seconds.", 7.0),
        ("Please retry after 20 seconds.", 20.0),
        ("retry in 1 minute 5 secs", 65.0),
        ("try again in 250 milliseconds", 0.25),
        ("try again in 0s", 0.0),
    ],
)
def test_wording(message: str, seconds: float) -> None:
    """The known wordings of OpenAI and Azure are understood, with the source named."""
    delay = delay_from_message(message)
    assert delay is not None
    assert delay[0] == pytest.approx(seconds)
    assert delay[1] == "error.message"


@pytest.mark.parametrize(
    "message",
    [
        None,
        "",
        "Please try again later.",
        "Please try again in a few minutes.",
        "Limit 30000, Used 29000, Requested 2500.",
        "The run took 12s.",
        "try again in 5",
        "try again in 5 days",
        "try again in 5 sheep",
        "try again in -5s",
        "entry in 5s",
        "x" * 2000 + "Please try again in 5s",
    ],
    ids=lambda message: (message or str(message))[:30],
)
def test_no_wording(message: str | None) -> None:
    """A message without such a wording in its first 2000 characters, or with one that is no length of time, is none."""
    assert delay_from_message(message) is None


def test_a_long_wish_is_cut() -> None:
    """A number found in prose never parks a job for more than an hour."""
    assert delay_from_message("try again in 999999999h") == (3_599_999_996_400.0, "error.message")
    assert delay_from_headers({"retry-after": "86400"}) == (86_400.0, "error.headers.retry-after")


@given(st.text(max_size=200))
def test_any_message_gives_a_sane_delay_or_none(message: str) -> None:
    """Whatever the text is, the delay is None or from 0 to an hour."""
    delay = delay_from_message(message)
    assert delay is None or 0 <= delay[0] < math.inf


numbers = st.integers(0, 10**12).map(str)
units = st.sampled_from(["ms", "s", "m", "h", "sec", "secs", "minutes", " ", ".", "S", "H"])
wishes = st.lists(st.one_of(numbers, units), max_size=40).map("".join)


@given(st.sampled_from(["try again in ", "retry after ", "TRY AGAIN IN "]), wishes)
def test_any_wish_gives_a_sane_delay_or_none(start: str, wish: str) -> None:
    """Whatever follows "try again in", the delay is None or from 0 to an hour."""
    delay = delay_from_message(start + wish)
    assert delay is None or 0 <= delay[0] < math.inf


@pytest.mark.parametrize("unit", [LONG_S, f"{LONG_S}econds", "\u017fec"])
def test_letters_that_only_fold_to_a_unit(unit: str) -> None:
    """A letter that equals a unit only by Unicode case folding is no unit, and does not raise."""
    assert delay_from_message(f"Please try again in 5{unit}") is None


@pytest.mark.parametrize(
    "piece",
    ["try again in ", "retry after 1", "1h", "9", " ", "try again in 1h1h1h1h", "1.", "try\tagain "],
)
def test_a_message_of_a_megabyte_is_looked_at_only_at_its_beginning(piece: str) -> None:
    """Only the first 2000 characters count, so the work does not grow with the message."""
    message = piece * (1_000_000 // len(piece))
    assert delay_from_message(message) == delay_from_message(message[:2000])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, (7.0, "error.headers.retry-after")),
        ({"Retry-After": 7}, (7.0, "error.headers.retry-after")),
        ({"retry-after": " 7.5 "}, (7.5, "error.headers.retry-after")),
        ({"RETRY-AFTER-MS": "1500"}, (1.5, "error.headers.retry-after-ms")),
        ({"retry-after": "9", "retry-after-ms": "1500"}, (1.5, "error.headers.retry-after-ms")),
        ({"retry-after": "9", "retry-after-ms": "soon"}, (9.0, "error.headers.retry-after")),
        ({"retry-after": "0"}, (0.0, "error.headers.retry-after")),
        ({5: "x", None: 1, "retry-after": "3"}, (3.0, "error.headers.retry-after")),
        (UserDict({"retry-after": "3"}), (3.0, "error.headers.retry-after")),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": True}, None),
        ({"retry-after": None}, None),
        ({"retry-after": ["7"]}, None),
        ({}, None),
        (None, None),
        ([("retry-after", "7")], None),
        ("retry-after: 7", None),
    ],
    ids=str,
)
def test_headers(headers: object, expected: tuple[float, str] | None) -> None:
    """Milliseconds beat seconds, names are read in any case, and what is no sane number is no wish."""
    assert delay_from_headers(headers) == expected


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.just(10**400))


@given(
    st.dictionaries(st.one_of(st.text(), st.sampled_from(["Retry-After", "retry-after-ms"]), st.integers()), scalars)
)
def test_any_headers_give_a_sane_delay_or_none(headers: Any) -> None:
    """Whatever the headers hold, the delay is None or from 0 to an hour."""
    delay = delay_from_headers(headers)
    assert delay is None or 0 <= delay[0] < math.inf


@given(scalars, st.sampled_from([1.0, 0.001]))
@example("1_000", 1.0)
@example("٧", 1.0)
@example(b"7", 1.0)
def test_seconds_are_finite_and_not_negative(value: object, scale: float) -> None:
    """Whatever a value is, its seconds are None or finite and not negative."""
    seconds = parse_seconds(value, scale)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
