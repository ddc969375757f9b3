"""The two texts of an exception, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bodies import ROWS, body_of
from runoutcome import Attempt, Catalog, Outcome, classify
from runoutcome._errors.snapshot import (
    CODE_CHARS,
    MAX_ATTEMPTS,
    MESSAGE_CHARS,
    TOTAL_BYTES,
    Snapshot,
    cut,
    cut_bytes,
    token_in,
)
from runoutcome._waiting.attempts import attempt_key
from runoutcome._waiting.resume_token import ResumeToken

DECIDED = ("phase", "status", "retryable", "action", "error_class", "error_type", "status_code")
WORDS = {"ascii": "a", "quotes": '"', "umlauts": "ü", "emoji": "\U0001f600", "nul": "\0", "surrogates": "\ud800"}
TOKEN = ResumeToken("resp_1", 1_760_000_000.0, "job-3", "2h").dumps()


def dump(snapshot: Snapshot, text: str | None = None) -> tuple[str, str]:
    """The texts of an exception that says `text`, or what its outcome says."""
    if text is None:
        text = snapshot.outcome.describe() if snapshot.outcome else ""
    return snapshot.dump(text)


def reload(snapshot: Snapshot, text: str | None = None) -> Snapshot:
    """The snapshot after a dump, JSON and a load."""
    return Snapshot.load(*json.loads(json.dumps(dump(snapshot, text))))


def outcome_after(outcome: Outcome, text: str | None = None) -> Outcome:
    """The outcome after a dump and a load; its id stands beside it."""
    loaded = reload(Snapshot(outcome, response_id=outcome.response_id), text).outcome
    assert loaded is not None
    return loaded


def test_the_outcome_of_every_row_is_kept_whole() -> None:
    """The outcome of an ordinary body comes back as it was, with its row."""
    for entry in ROWS:
        outcome = classify(body_of(entry))
        assert outcome_after(outcome) == outcome


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
def test_other_outcomes_are_kept_whole(outcome: Outcome) -> None:
    """Outcomes that no row decided alone come back as they were, with row and rule."""
    assert outcome_after(outcome) == outcome


def test_an_overlay_is_kept_by_name_only() -> None:
    """The decision of an overlay is kept without the published row, which says something else."""
    mine = Catalog.load().extend({"name": "mine", "entries": [{"value": "image_too_large", "retryable": True}]})
    outcome = classify({"status": "failed", "error": {"code": "image_too_large"}}, catalog=mine)
    loaded = outcome_after(outcome)
    assert loaded == replace(outcome, entry=None)
    assert (loaded.retryable, loaded.overlay, "'mine'" in loaded.title) == (True, "mine", True)


def test_other_values_are_kept_beside_it() -> None:
    """Every value beside the outcome comes back; one that is None takes no space."""
    snapshot = Snapshot(
        classify({"status": "failed", "error": None}),
        poll_status_code=200,
        request_id="req_1",
        upstream_type="t",
        not_resubmitted="budget",
        body={"code": "c"},
    )
    assert reload(snapshot) == snapshot
    assert json.loads(dump(Snapshot())[1]) == {"v": 1}


def test_without_an_outcome() -> None:
    """An error without an outcome keeps its text and its values."""
    snapshot = Snapshot(response_id="resp_1", key="job-1")
    assert dump(snapshot, "text")[0] == "text"
    assert reload(snapshot, "text") == snapshot


def test_id_and_key_stand_once() -> None:
    """The token's id and key are not repeated beside it, and come back for the outcome, too."""
    outcome = classify({"status": "queued", "id": "resp_1"})
    snapshot = Snapshot(outcome, TOKEN, "resp_1", "job-3")
    assert dump(snapshot)[1].count("resp_1") == dump(snapshot)[1].count("job-3") == 1
    assert reload(snapshot) == snapshot


def test_another_id_than_that_of_the_token_is_kept() -> None:
    """An id or a key that the token does not hold is kept beside it."""
    snapshot = Snapshot(run_token=TOKEN, response_id="resp_2", key="another")
    assert reload(snapshot) == snapshot


def test_a_token_that_cannot_be_read() -> None:
    """A text that is no token is None."""
    assert [token_in(text) for text in (None, "", "{", '{"runoutcome": 99}')] == [None] * 4


def test_a_text_that_does_not_end_in_the_message() -> None:
    """The server's message is kept also where the text is somebody else's."""
    outcome = classify({"status": "failed", "error": {"code": "server_error", "message": "boom"}})
    assert outcome_after(outcome, "my own words") == outcome


def test_the_message_is_there_once() -> None:
    """The server's message is in the text and not a second time in the state."""
    outcome = classify({"status": "failed", "error": {"code": "server_error", "message": "only once"}})
    assert "".join(dump(Snapshot(outcome))).count("only once") == 1


def test_a_message_is_cut_at_its_limit() -> None:
    """A message up to 300 characters is kept whole; a longer one is cut to 300, the last of them an ellipsis."""
    for char in ("m", "語"):
        for length in (MESSAGE_CHARS - 1, MESSAGE_CHARS, MESSAGE_CHARS + 1, 5000):
            error = {"code": "server_error", "message": char * length}
            loaded = outcome_after(classify({"status": "failed", "error": error}))
            assert loaded.message == cut(char * length, MESSAGE_CHARS)


def test_a_code_is_cut_at_its_limit() -> None:
    """A code up to 100 characters is kept whole; a longer one is cut, marked with an ellipsis, in state and text."""
    for length in (CODE_CHARS - 1, CODE_CHARS, CODE_CHARS + 1, 5000):
        outcome = classify({"status": "failed", "error": {"code": "c" * length}})
        assert outcome_after(outcome).code == cut("c" * length, CODE_CHARS)
        assert ("c" * (CODE_CHARS + 1)) not in dump(Snapshot(outcome))[0]


@pytest.mark.parametrize("char", WORDS.values(), ids=WORDS)
def test_long_words_are_light(char: str) -> None:
    """However long the words of a body are, its snapshot stays light, and the decision is kept."""
    long = char * 2000
    error = {"code": long, "message": long, "param": long, "type": long}
    for body in (
        {"status": "failed", "error": {**error, "code": "server_error"}},
        {"status": "failed", "error": error},
        {"status": "incomplete", "incomplete_details": {"reason": long}},
        {"status": long},
    ):
        outcome = classify({**body, "id": long, "model": long})
        snapshot = Snapshot(outcome, response_id=outcome.response_id, request_id=long, upstream_type=long)
        assert len("".join(dump(snapshot)).encode("utf-8", "surrogatepass")) <= TOTAL_BYTES
        loaded = outcome_after(outcome)
        for name in DECIDED:
            value = getattr(loaded, name)
            assert value == getattr(outcome, name) or (isinstance(value, str) and value.endswith("…"))


def test_details_go_before_the_text() -> None:
    """Where not all of it fits, details are left out; token, key and decision are whole, and then the text is cut."""
    message = "\U0001f600" * MESSAGE_CHARS
    outcome = classify({**body_of(ROWS[0]), "error": {"code": "server_error", "message": message}})
    snapshot = Snapshot(outcome, ResumeToken("x" * 290, key="k" * 290).dumps(), "x" * 290, "k" * 290)
    loaded = reload(snapshot)
    assert loaded.outcome is not None
    assert loaded.outcome.message is not None
    assert (loaded.run_token, loaded.response_id, loaded.key) == (snapshot.run_token, "x" * 290, "k" * 290)
    assert (loaded.outcome.model, loaded.outcome.usage) == (None, None)
    assert (loaded.outcome.entry, loaded.outcome.retryable) == (outcome.entry, True)
    assert message.startswith(loaded.outcome.message.removesuffix("…"))
    assert loaded.outcome.message.endswith("…")


@pytest.mark.parametrize(
    "state", ['{"v": 2}', "{}", '{"v": null, "phase": "terminal"}'], ids=["newer", "no_version", "null_version"]
)
def test_a_snapshot_of_another_version(state: str) -> None:
    """A state that is no snapshot of version 1 is a ValueError."""
    with pytest.raises(ValueError, match="version 1"):
        Snapshot.load("text", state)


@pytest.mark.parametrize("char", WORDS.values(), ids=WORDS)
def test_cut(char: str) -> None:
    """A text that is short enough stays as it is; a longer one ends in an ellipsis and keeps the limit."""
    for chars in (1, 2, 5, 100):
        assert cut(char * chars, chars) == char * chars
        assert cut(char * (chars + 1), chars) == char * (chars - 1) + "…"


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=60), st.integers(3, 200))
def test_cut_bytes(text: str, size: int) -> None:
    """A cut text is a beginning of the text and an ellipsis, within the limit."""
    short = cut_bytes(text, size)
    assert len(short.encode("utf-8", "surrogatepass")) <= size
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
def test_any_ordinary_outcome_is_kept_whole(body: dict[str, Any]) -> None:
    """Everything that was decided about a body of ordinary size comes back as it was."""
    outcome = classify(body)
    assert outcome_after(outcome) == outcome


# --- the attempts of a job -----------------------------------------------------------------------------------------


def attempts(count: int, base: str = "job") -> tuple[Attempt, ...]:
    """So many attempts that failed."""
    return tuple(
        Attempt.of(number, attempt_key(base, number), classify({**body_of(ROWS[0]), "id": f"resp_{number}"}))
        for number in range(1, count + 1)
    )


def attempts_after(attempts: tuple[Attempt, ...], key: str | None = "job-1") -> tuple[Attempt, ...]:
    """The attempts after a dump and a load; `key` is that of the exception."""
    return reload(Snapshot(key=key, attempts=attempts)).attempts


def test_attempts_are_kept() -> None:
    """A few attempts come back as they were, without their outcomes."""
    for count in range(MAX_ATTEMPTS + 1):
        loaded = attempts_after(attempts(count))
        assert loaded == attempts(count)
        assert all(attempt.outcome is None for attempt in loaded)


def test_any_end_of_an_attempt_is_kept() -> None:
    """Status, code, tokens and retryability of an attempt come back whatever they are."""
    kinds = (
        Attempt(1, None, None, None, None, False, None),
        Attempt(2, None, "resp_2", "incomplete", "max_output_tokens", False, 7),
        Attempt(3, None, "resp_3", "failed", None, True, 0),
    )
    assert attempts_after(kinds, None) == kinds


def test_the_errors_own_attempt_has_its_outcome() -> None:
    """The attempt that the exception itself is about is kept as its number, and has its outcome again."""
    last = attempts(2)[-1]
    snapshot = Snapshot(last.outcome, TOKEN, "resp_2", "job-3", attempts(2))
    assert json.loads(dump(snapshot)[1])["tries"][-1] == [2]
    loaded = reload(snapshot)
    assert loaded.attempts == attempts(2)
    assert loaded.attempts[-1].outcome == last.outcome


def test_an_attempt_with_the_errors_id_but_no_outcome_is_kept() -> None:
    """Without an outcome on the exception every attempt is kept in full."""
    kinds = (Attempt(1, None, "resp_1", "incomplete", "max_output_tokens", False, 7),)
    assert reload(Snapshot(response_id="resp_1", attempts=kinds)).attempts == kinds


def test_of_many_attempts_the_newest_are_kept() -> None:
    """Older attempts are left out: the number of the first says how many are missing."""
    assert attempts_after(attempts(50)) == attempts(50)[-MAX_ATTEMPTS:]


def test_keys_of_attempts_are_made_again() -> None:
    """The keys of all attempts are made again from that of any; without one there is none."""
    jobs = attempts(2, base="a/b-c")
    assert [attempt.key for attempt in attempts_after(jobs, key="a/b-c-7")] == ["a/b-c-1", "a/b-c-2"]
    assert [attempt.key for attempt in attempts_after(jobs, key=None)] == [None, None]


def test_attempts_of_early_releases() -> None:
    """An attempt whose row leaves out its end failed, retryably."""
    state = '{"v":1,"key":"job-3","tries":[[2,"resp_2","slow_down",30]]}'
    assert Snapshot.load("", state).attempts == (Attempt(2, "job-2", "resp_2", "failed", "slow_down", True, 30),)


words = st.text(alphabet=st.characters(exclude_categories=[]), max_size=600)


@given(st.lists(st.tuples(words, words, words, st.one_of(st.none(), st.integers(0, 10**15))), max_size=20))
def test_any_attempts_are_light(rows: list[tuple[str, str, str, int | None]]) -> None:
    """Whatever their words are made of and however many there are, the texts stay light and can be read."""
    jobs = tuple(Attempt(n, None, i, s, c, True, t) for n, (i, s, c, t) in enumerate(rows, 1))
    snapshot = Snapshot(attempts=jobs)
    assert len("".join(dump(snapshot, "text")).encode("utf-8", "surrogatepass")) <= TOTAL_BYTES
    loaded = Snapshot.load(*dump(snapshot, "text")).attempts
    assert [attempt.number for attempt in loaded] == [attempt.number for attempt in jobs[len(jobs) - len(loaded) :]]
