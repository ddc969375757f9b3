"""`error_for` and `raise_for_status`."""

from __future__ import annotations

import copy
import pickle
import traceback
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from hypothesis import given, strategies as st

from bodies import CARRIERS, ROWS, body_of, sdk_model
from runoutcome import (
    Outcome,
    RunCancelledError,
    RunContentFilterError,
    RunError,
    RunExpiredError,
    RunFailedError,
    RunIncompleteError,
    RunPendingError,
    RunStatusError,
    RunUnknownError,
    classify,
    error_for,
    raise_for_status,
)
from runoutcome._errors.raising import ACCEPTED, class_for, parse_accept

BODIES: dict[str, dict[str, Any]] = {
    "completed": {"status": "completed"},
    "queued": {"status": "queued"},
    "in_progress": {"status": "in_progress"},
    "failed": {"status": "failed", "error": {"code": "server_error"}},
    "incomplete": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    "content_filter": {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
    "cancelled": {"status": "cancelled"},
    "expired": {"status": "expired"},
    "unknown": {"status": "hibernating"},
    "nothing": {},
    "webhook": {"object": "event", "type": "response.completed", "data": {"id": "resp_1"}},
    "cancelled_webhook": {"object": "event", "type": "response.cancelled", "data": {"id": "resp_1"}},
    "error_event": {"type": "error", "code": "server_error"},
}
CLASSES: dict[str, type[RunError] | None] = {
    "completed": None,
    "queued": RunPendingError,
    "in_progress": RunPendingError,
    "failed": RunStatusError,
    "incomplete": RunIncompleteError,
    "content_filter": RunContentFilterError,
    "cancelled": RunCancelledError,
    "expired": RunExpiredError,
    "unknown": RunUnknownError,
    "nothing": RunUnknownError,
    "webhook": RunUnknownError,
    "cancelled_webhook": RunUnknownError,
    "error_event": RunUnknownError,
}
# Word -> the bodies that it makes acceptable.
ACCEPTS = {
    "incomplete": {"incomplete", "content_filter"},
    "cancelled": {"cancelled"},
    "pending": {"queued", "in_progress"},
}


def run_error(body: object) -> RunError:
    """The error for a body that is not completed."""
    error = error_for(body)
    assert error is not None
    return error


@pytest.mark.parametrize("name", BODIES)
def test_class(name: str) -> None:
    """Each kind of body raises its class; `error_for` gives the same, but None for what is completed or pending."""
    expected = CLASSES[name]
    error = error_for(BODIES[name])
    if expected is None:
        assert raise_for_status(BODIES[name]) is BODIES[name]
        assert error is None
        return
    with pytest.raises(expected) as caught:
        raise_for_status(BODIES[name])
    assert error is None if expected is RunPendingError else type(error) is type(caught.value)


def test_a_completed_run_is_returned_as_it_is() -> None:
    """The very object comes back, whatever carried the run."""
    body = body_of(next(row for row in ROWS if row.value == "completed"))
    for carry in CARRIERS.values():
        obj = carry(body)
        assert raise_for_status(obj) is obj
        assert error_for(obj) is None


def test_only_completed_runs_are_returned() -> None:
    """Of all rows only the completed one is returned."""
    assert [entry.id for entry in ROWS if is_returned(body_of(entry))] == ["response/status/completed"]


def is_returned(body: dict[str, Any], accept: Any = ()) -> bool:
    """True if `raise_for_status` returns this very body, False if it raises."""
    try:
        assert raise_for_status(body, accept=accept) is body
    except RunError:
        return False
    return True


@pytest.mark.parametrize("word", ACCEPTED)
def test_accept(word: Any) -> None:
    """A word in `accept`, also a bare one, returns exactly the bodies it names, and those that are completed."""
    forms = (lambda: word, lambda: [word], lambda: {word}, lambda: iter([word]))
    for accept in forms:
        returned = {name for name, body in BODIES.items() if is_returned(body, accept())}
        assert returned == {"completed"} | ACCEPTS[word]


def test_accept_takes_several_words() -> None:
    """Several words accept what each of them accepts, and nothing accepts what failed, expired or is unknown."""
    returned = {name for name, body in BODIES.items() if is_returned(body, ACCEPTED)}
    assert returned == {"completed"}.union(*ACCEPTS.values())


def test_accept_of_another_word() -> None:
    """A word that cannot be accepted is a ValueError that names it, also where the run is completed."""
    words: list[Any] = ["failed", "completed", "expired", "unknown", "", "canceled", "Incomplete"]
    for accept in (*words, ["incomplete", "failed"], [None], [5]):
        with pytest.raises(ValueError, match="accept takes 'incomplete', 'cancelled', 'pending'; got "):
            raise_for_status({"status": "completed"}, accept=accept)


def test_parse_accept() -> None:
    """The words of `accept` become a set."""
    assert parse_accept(()) == frozenset()
    assert parse_accept("pending") == frozenset({"pending"})
    assert parse_accept(["pending", "pending", "cancelled"]) == frozenset({"pending", "cancelled"})


def test_raised_from_none() -> None:
    """An error for a body has no cause and hides the context it is raised in: the body is the cause."""

    def raise_while_handling() -> None:
        try:
            raise KeyError("not this")
        except KeyError:
            raise_for_status(BODIES["failed"])

    with pytest.raises(RunFailedError) as caught:
        raise_while_handling()
    error = caught.value
    assert (error.__cause__, error.__suppress_context__) == (None, True)
    assert "not this" not in "".join(traceback.format_exception(error))


def test_named_surface_and_catalog(catalog: Any) -> None:
    """`surface` and `catalog` mean what they mean for `classify`."""
    with pytest.raises(RunUnknownError):
        raise_for_status(BODIES["completed"], surface="fine_tuning.job")
    assert isinstance(error_for(BODIES["completed"], surface="fine_tuning.job"), RunUnknownError)
    assert raise_for_status(BODIES["completed"], catalog=catalog) is BODIES["completed"]


def test_an_unknown_surface_is_refused() -> None:
    """A mistyped name is a ValueError that lists the surfaces: it says nothing about the run; `classify` is total."""
    surfaces: tuple[Any, ...] = ("nope", "", 5, ["response"])
    for surface in surfaces:
        for judge in (raise_for_status, error_for):
            with pytest.raises(ValueError, match="surface is one of 'response', 'batch', "):
                judge(BODIES["completed"], surface=surface)
        assert classify(BODIES["completed"], surface=surface).phase == "unknown"


def test_an_accept_without_words_is_refused() -> None:
    """An `accept` that holds no words is a TypeError that lists the words there are."""
    values: tuple[Any, ...] = (None, 5, True)
    for accept in values:
        with pytest.raises(
            TypeError, match="accept takes 'incomplete', 'cancelled', 'pending', or several of them; got"
        ):
            raise_for_status(BODIES["completed"], accept=accept)
    with pytest.raises(ValueError, match=r"accept takes .*; got .\['pending'\]."):
        raise_for_status(BODIES["completed"], accept=[["pending"]])  # type: ignore[list-item]


def test_a_call_that_was_not_awaited_says_so() -> None:
    """A coroutine in place of a body is no run, and the message says what is missing; the error can be copied."""

    async def create() -> None: ...

    coroutine = create()
    try:
        with pytest.raises(RunUnknownError, match=r"^This is a coroutine: did you forget await\?") as caught:
            raise_for_status(coroutine)
        error = error_for(coroutine)
    finally:
        coroutine.close()
    assert error is not None
    assert str(error) == str(caught.value) == str(pickle.loads(pickle.dumps(error)))
    assert copy.deepcopy(error).run is None


def test_other_objects_are_raised_as_unknown() -> None:
    """An object that is no run body is raised as unknown, and stands on `.run`."""
    for obj in (None, "", b"<html>", [], 5, object()):
        with pytest.raises(RunUnknownError) as caught:
            raise_for_status(obj, accept=ACCEPTED)
        assert caught.value.run is obj


class Evil:
    """A class whose name begins with a vowel."""


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        ("<html>", "This str is no JSON of a run. "),
        (None, "This is None, not a run. "),
        (Evil(), "This is an object of the class Evil without a run's fields, not a run. "),
        ({"object": "assistant"}, "This is an object of the kind 'assistant', not a run. "),
    ],
)
def test_an_object_that_is_no_run_is_named(obj: object, said: str) -> None:
    """The message says what was given, in one sentence."""
    error = error_for(obj)
    assert error is not None
    assert str(error).startswith(said)


@given(
    st.builds(
        Outcome,
        st.sampled_from(["pending", "terminal", "unknown"]),
        st.one_of(st.none(), st.text()),
        error_class=st.one_of(st.none(), st.sampled_from(sorted(vars(openai))), st.text()),
        status_code=st.one_of(st.none(), st.integers()),
    )
)
def test_any_outcome_has_a_class(outcome: Outcome) -> None:
    """Whatever an outcome says there is a class for it, and a status class only where there is a status."""
    cls = class_for(outcome)
    assert issubclass(cls, RunError)
    assert not issubclass(cls, RunStatusError) or outcome.status_code is not None


def test_a_foreign_object_with_a_request_id() -> None:
    """Only a text is a request id: a mock's attribute is none, and so no poll is claimed."""
    assert run_error(SimpleNamespace(status="failed", error=None, _request_id=5)).poll_status_code is None
    model = sdk_model(BODIES["failed"])
    model._request_id = "req_1"
    assert run_error(model).poll_status_code == 200


class Hostile:
    """An object whose attributes raise, some of them from inside the type."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("no class")

    @property
    def _request_id(self) -> str:
        raise RuntimeError("no id")


def test_an_object_that_raises_from_everywhere_is_no_run() -> None:
    """`error_for` and `raise_for_status` are total, as `classify` is."""
    assert isinstance(error_for(Hostile()), RunUnknownError)
    with pytest.raises(RunUnknownError):
        raise_for_status(Hostile())


def test_a_message_names_its_run() -> None:
    """The text of an error that knows its run starts with the run's id, cut if it is very long."""
    body = {"object": "response", "status": "failed", "error": None}
    assert str(error_for({**body, "id": "resp_1"})).startswith("run resp_1: failed: ")
    assert str(error_for(body)).startswith("failed: ")
    long = error_for({**body, "id": "x" * 500})
    assert long is not None
    assert str(long).startswith(f"run {'x' * 119}…: failed: ")
    assert long.response_id == "x" * 500
