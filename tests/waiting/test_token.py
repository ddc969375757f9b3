"""Resume tokens: plain text there and back."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from runoutcome._waiting.resume_token import ResumeToken, check_id, loads

FULL = ResumeToken("resp_1", 1_760_000_000.125, "nonce-1", "2h")


def test_a_full_token_is_one_line_of_json() -> None:
    """A token is one short line of JSON that says what it is."""
    assert FULL.dumps() == '{"runoutcome":1,"id":"resp_1","at":1760000000.125,"key":"nonce-1","window":"2h"}'


def test_what_is_not_known_is_not_written() -> None:
    """A token of a bare id holds nothing but the id."""
    assert ResumeToken("resp_1").dumps() == '{"runoutcome":1,"id":"resp_1"}'


@pytest.mark.parametrize(
    "token",
    [
        FULL,
        ResumeToken("resp_1"),
        replace(FULL, key=None),
        replace(FULL, submitted_at=0.0),
        replace(FULL, seen=True),
        replace(FULL, first_submitted_at=1_750_000_000.5, spent_tokens=1200),
        replace(FULL, cursor=0),
        ResumeToken("resp_1", cursor=4711),
        ResumeToken("resp_1", include=("a", "b")),
    ],
    ids=["full", "id", "no_key", "epoch", "seen", "later_attempt", "first_event", "later_event", "include"],
)
def test_round_trip(token: ResumeToken) -> None:
    """What was written is read again."""
    assert loads(token.dumps()) == token
    assert loads(f"  {token.dumps()}\n") == token


@given(
    st.builds(
        ResumeToken,
        st.text(alphabet=st.characters(exclude_categories=[]), min_size=1),
        st.one_of(st.none(), st.integers(0, 4 * 10**12).map(lambda thousandths: thousandths / 1000)),
        st.one_of(st.none(), st.text()),
        st.one_of(st.none(), st.text()),
        st.booleans(),
    )
)
def test_any_token_makes_the_round_trip(token: ResumeToken) -> None:
    """Whatever the id and the key are made of, a token is one line and is read as it was."""
    text = token.dumps()
    assert "\n" not in text
    assert loads(text) == token


@pytest.mark.parametrize("text", ["resp_1", " resp_1\n", "resp_a/b?c", "[1]", '"x"'], ids=repr)
def test_a_bare_id_is_a_token(text: str) -> None:
    """Text that is no JSON object is a response id, without the space around it."""
    assert loads(text) == ResumeToken(text.strip())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty text"),
        (" \n", "empty text"),
        ("{", "not a resume token"),
        ("{]", "not a resume token"),
        ("{" * 100_000, "not a resume token"),
        ('{"a":' * 100_000, "not a resume token"),
        ("{}", "has version None"),
        ('{"runoutcome":2,"id":"resp_1"}', "has version 2; this release reads version 1"),
        ('{"runoutcome":"1","id":"resp_1"}', "has version '1'"),
        ('{"runoutcome":1}', "no response id"),
        ('{"runoutcome":1,"id":""}', "no response id"),
        ('{"runoutcome":1,"id":5}', "no response id"),
        ('{"runoutcome":1,"id":null}', "no response id"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_no_token(text: str, message: str) -> None:
    """Text that names no run is a ValueError that says what is wrong."""
    with pytest.raises(ValueError, match=message):
        loads(text)


@pytest.mark.parametrize(
    ("values", "token"),
    [
        ({"at": 5}, ResumeToken("r", 5.0)),
        ({"at": "5"}, ResumeToken("r")),
        ({"at": True}, ResumeToken("r")),
        ({"at": None}, ResumeToken("r")),
        ({"key": 5, "window": ["2h"]}, ResumeToken("r")),
        ({"seen": 1}, ResumeToken("r")),
        ({"first": "5", "spent": "7"}, ResumeToken("r")),
        ({"first": 5, "spent": -7}, ResumeToken("r", first_submitted_at=5.0)),
        ({"spent": True}, ResumeToken("r")),
        ({"cursor": -1}, ResumeToken("r")),
        ({"cursor": True}, ResumeToken("r")),
        ({"cursor": "3"}, ResumeToken("r")),
        ({"from": "a later release"}, ResumeToken("r")),
    ],
    ids=str,
)
def test_odd_values_are_left_out(values: dict[str, Any], token: ResumeToken) -> None:
    """A value of another type is as if it were not there, and so is one that this release does not know."""
    assert loads(json.dumps({"runoutcome": 1, "id": "r", **values})) == token


@given(st.one_of(st.text(), st.text().map(lambda text: "{" + text)))
@example('{"runoutcome":1,"id":"r","at":NaN}')
@example('{"runoutcome":1,"id":"r","at":1e999}')
def test_any_text_is_a_token_or_a_value_error(text: str) -> None:
    """Any text is a token or a ValueError."""
    with suppress(ValueError):
        assert loads(text).response_id


def test_a_time_that_no_float_can_hold() -> None:
    """A time of submission that no float can hold does not raise anything but ValueError."""
    with suppress(ValueError):
        loads(f'{{"runoutcome":1,"id":"r","at":1{"0" * 400}}}')


def test_no_secret_inside() -> None:
    """A token holds nothing but its own fields."""
    assert set(json.loads(FULL.dumps())) == {"runoutcome", "id", "at", "key", "window"}


@pytest.mark.parametrize("text", ["resp_1", "a:b=c+d-e_f.g", "resp_bGl0ZWxsbQ==", "100%", "...", "x..", "ü"])
def test_an_id_of_any_gateway_is_an_id(text: str) -> None:
    """Nothing is asked of an id but that it stays in its place in the path."""
    check_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "a b",
        "a\tb",
        "a\nb",
        "a\u2028b",
        "a\0",
        "a\x7f",
        "%2E%2e",
        "a%2Fb",
        "%20",
        "resp_\u200b1",
        "\ud800",
    ],
    ids=repr,
)
def test_an_id_that_leaves_its_place_is_none(text: str) -> None:
    """What changes the path of a request, as it stands or once it is decoded, is a ValueError."""
    with pytest.raises(ValueError, match="is not a response id"):
        check_id(text)


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_token_keeps_its_trace() -> None:
    """A traceparent goes through a token; without one, nothing of it is written."""
    token = ResumeToken("resp_1", trace=TRACE)
    assert loads(token.dumps()) == token
    assert len(token.dumps()) < 120
    assert "trace" not in ResumeToken("resp_1").dumps()


@pytest.mark.parametrize("trace", [1, None, "", "00-1-2-3", TRACE.upper(), TRACE + "-x", {"a": 1}])
def test_what_is_no_trace_is_passed_over(trace: object) -> None:
    """A token with anything else in its place is read without it."""
    assert loads(json.dumps({"runoutcome": 1, "id": "resp_1", "trace": trace})) == ResumeToken("resp_1")
