"""An outcome as two short texts, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bodies import ROWS, body_of
from runoutcome import Catalog, Entry, Outcome, classify
from runoutcome._errors.snapshot import CODE_CHARS, MESSAGE_CHARS, TOTAL_BYTES, cut, dump, load

DECIDED = ("phase", "status", "retryable", "action", "error_class", "error_type", "status_code")
WORDS = {"ascii": "a", "quotes": '"', "umlauts": "ü", "emoji": "\U0001f600", "nul": "\0", "surrogates": "\ud800"}


def travel(outcome: Outcome | None, text: str | None = None, **extra: Any) -> tuple[Outcome | None, dict[str, Any]]:
    """What arrives of an exception that says what its outcome says."""
    text, state = dump(text if text is not None else outcome.describe() if outcome else "", outcome, extra)
    assert isinstance(json.loads(state), dict)
    return load(text, state)


def weight(outcome: Outcome, **extra: Any) -> int:
    """Bytes of the two texts."""
    text, state = dump(outcome.describe(), outcome, extra)
    return len((text + state).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.id)
def test_the_outcome_of_every_row_travels_whole(entry: Entry) -> None:
    """The outcome of an ordinary body arrives as it left, with its row."""
    outcome = classify(body_of(entry))
    assert travel(outcome) == (outcome, {})


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("unknown"),
        classify(None),
        classify({"type": "error", "code": "server_error", "message": "m"}),
        classify({"type": "response.failed", "data": {"id": "resp_1"}}),
        classify({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Request too large"}}),
        classify({"status": "failed", "error": {"code": 503, "message": "m"}}),
        classify({"status": "failed", "error": {"type": "rate_limit_error", "retryable": True}}),
    ],
    ids=["bare", "no_body", "error_event", "webhook", "rule", "numeric", "claimed"],
)
def test_other_outcomes_travel_whole(outcome: Outcome) -> None:
    """Outcomes that no row decided alone arrive as they left, with row and rule."""
    assert travel(outcome) == (outcome, {})


def test_an_overlay_travels_by_name_only() -> None:
    """What an overlay decided arrives as decided, without the published row, which says something else."""
    mine = Catalog.load().extend({"name": "mine", "entries": [{"value": "image_too_large", "retryable": True}]})
    left = classify({"status": "failed", "error": {"code": "image_too_large"}}, catalog=mine)
    arrived, _ = travel(left)
    assert arrived == replace(left, entry=None)
    assert arrived is not None
    assert (arrived.retryable, arrived.overlay, "'mine'" in arrived.title) == (True, "mine", True)


def test_extra_values_travel_beside_it() -> None:
    """Extra values arrive, those that are None do not."""
    outcome = classify({"status": "failed", "error": None})
    assert travel(outcome, token="t", poll=200, nothing=None) == (outcome, {"token": "t", "poll": 200})


def test_without_an_outcome() -> None:
    """An error without an outcome keeps its text and its extra values."""
    assert dump("text", None, {"id": "resp_1"})[0] == "text"
    assert travel(None, "text", id="resp_1") == (None, {"id": "resp_1"})


def test_a_text_that_does_not_end_in_the_message() -> None:
    """The server's message arrives also where the text is somebody else's."""
    outcome = classify({"status": "failed", "error": {"code": "server_error", "message": "boom"}})
    assert travel(outcome, "my own words") == (outcome, {})


def test_the_message_is_there_once() -> None:
    """The server's message is in the text and not a second time in the state."""
    outcome = classify({"status": "failed", "error": {"code": "server_error", "message": "only once"}})
    text, state = dump(outcome.describe(), outcome, {})
    assert (text + state).count("only once") == 1


@pytest.mark.parametrize("length", [MESSAGE_CHARS - 1, MESSAGE_CHARS, MESSAGE_CHARS + 1, 5000])
def test_a_message_is_cut_at_its_limit(length: int) -> None:
    """A message up to 300 characters travels whole; a longer one is cut to 300, the last of them an ellipsis."""
    message = "m" * length
    arrived, _ = travel(classify({"status": "failed", "error": {"code": "server_error", "message": message}}))
    assert arrived is not None
    assert arrived.message == (message if length <= MESSAGE_CHARS else "m" * (MESSAGE_CHARS - 1) + "…")


@pytest.mark.parametrize("length", [CODE_CHARS - 1, CODE_CHARS, CODE_CHARS + 1, 5000])
def test_a_code_is_cut_at_its_limit(length: int) -> None:
    """A code up to 100 characters travels whole; a longer one is cut, marked with an ellipsis, in state and text."""
    code = "c" * length
    outcome = classify({"status": "failed", "error": {"code": code}})
    text, _ = dump(outcome.describe(), outcome, {})
    arrived, _ = travel(outcome)
    assert arrived is not None
    if length <= CODE_CHARS:
        assert arrived.code == code
    else:
        assert arrived.code is not None
        assert arrived.code.endswith("…")
        assert set(arrived.code) == {"c", "…"}
        assert len(arrived.code) <= CODE_CHARS
        assert code not in text


@pytest.mark.parametrize("words", WORDS)
def test_long_words_are_light(words: str) -> None:
    """However long the words of a body are, its snapshot stays light, and what was decided arrives."""
    assert_light(WORDS[words])


def assert_light(char: str) -> None:
    """Check snapshots of outcomes whose words are all made of very many `char`."""
    long = char * 2000
    error = {"code": long, "message": long, "param": long, "type": long}
    for body in (
        {"status": "failed", "error": {**error, "code": "server_error"}},
        {"status": "failed", "error": error},
        {"status": "incomplete", "incomplete_details": {"reason": long}},
        {"status": long},
    ):
        outcome = classify({**body, "id": long, "model": long})
        # An ellipsis stands for a message that had no room at all.
        assert weight(outcome) <= TOTAL_BYTES + len("…".encode())
        arrived, _ = travel(outcome)
        assert arrived is not None
        for name in DECIDED:
            kept = getattr(arrived, name)
            assert kept == getattr(outcome, name) or (isinstance(kept, str) and kept.endswith("…"))


@pytest.mark.parametrize(
    "state", ['{"v": 2}', "{}", '{"v": null, "phase": "terminal"}'], ids=["newer", "no_version", "null_version"]
)
def test_a_snapshot_of_another_version(state: str) -> None:
    """A state that is no snapshot of version 1 is a ValueError."""
    with pytest.raises(ValueError, match="version 1"):
        load("text", state)


@pytest.mark.parametrize("chars", [1, 2, 5, 100])
@pytest.mark.parametrize("char", WORDS.values(), ids=WORDS)
def test_cut(char: str, chars: int) -> None:
    """What is short enough stays as it is; what is cut ends in an ellipsis and keeps the limit."""
    assert cut(char * chars, chars) == char * chars
    assert cut(char * (chars + 1), chars) == char * (chars - 1) + "…"


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=60), st.integers(1, 60), st.integers(3, 200))
def test_cut_by_weight(text: str, chars: int, weight: int) -> None:
    """A cut text is a beginning of the text and an ellipsis, within both limits."""
    short = cut(text, chars, weight)
    assert len(short) <= chars
    assert len(short.encode("utf-8", "surrogatepass")) <= weight
    assert short == text or short.endswith("…")


ordinary = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
bodies = st.one_of(
    st.builds(lambda row: body_of(row), st.sampled_from(ROWS)),
    st.builds(
        lambda error, name: {"status": "failed", "id": name, "model": name, "error": error},
        st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {},
                optional={
                    "code": st.one_of(ordinary, st.integers(100, 700), st.sampled_from([row.value for row in ROWS])),
                    "message": st.text(alphabet=st.characters(max_codepoint=0x7FF), max_size=60),
                    "type": st.one_of(ordinary, st.sampled_from(list(Catalog.load().error_types))),
                    "param": ordinary,
                    "retryable": st.booleans(),
                },
            ),
        ),
        ordinary,
    ),
    st.builds(lambda word: {"status": word}, ordinary),
)


@given(bodies)
def test_any_ordinary_outcome_travels_whole(body: dict[str, Any]) -> None:
    """Whatever was decided about a body of ordinary size, it arrives as it left."""
    outcome = classify(body)
    assert travel(outcome) == (outcome, {})
