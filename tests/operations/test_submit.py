"""The steps of a create, driven by hand: no client, no socket."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from runoutcome import SubmissionUnknownError
from runoutcome._operations.effects import Admit, Steps, Submit, Tell
from runoutcome._operations.stream_events import fault_in
from runoutcome._operations.submit import submit, with_key


def answered(answer: object) -> object:
    """What a create gives when the SDK makes this of the answer."""
    steps = submit({"model": "m"}, "key-1", 0)
    assert next(steps) == Admit()
    assert steps.send(nullcontext()) == Submit({"model": "m"}, "key-1")
    with pytest.raises(StopIteration) as end:
        steps.send(answer)
    return end.value.value


def test_a_run_in_an_answer_of_the_wrong_type_is_not_lost() -> None:
    """The SDK gives the bare text of `text/plain`; the run it names was paid for, so it is given as a response."""
    assert getattr(answered('{"id": "resp_1", "object": "response", "status": "queued"}'), "id", None) == "resp_1"


@pytest.mark.parametrize("answer", ["<html>", "", "[]", "{}", '{"id": 5}', None])
def test_an_answer_without_an_id_is_ambiguous(answer: object) -> None:
    """A 2xx that names no run may still have made one."""
    with pytest.raises(SubmissionUnknownError):
        answered(answer)


def test_an_ambiguous_create_keeps_the_words_of_the_server() -> None:
    """An error in place of a run, and an `error` event at the opening of a stream, are quoted in the exception."""
    answer = '{"error": {"code": "server_error", "message": "No GPU."}}'
    with pytest.raises(SubmissionUnknownError, match=r"without a response id: server_error: No GPU\."):
        answered(answer)
    event = {"type": "error", "error": {"code": "server_error", "message": "No GPU."}}
    steps = submit({}, "key-1", 0, post=lambda params: opening(event))
    next(steps)
    with pytest.raises(SubmissionUnknownError, match=r"error event \(server_error: No GPU\.\)|server_error: No GPU\."):
        steps.send(nullcontext())


def opening(event: object) -> Steps[object]:
    """A create whose stream begins with `event`."""
    yield from ()
    fault = fault_in(event)
    assert fault is not None
    raise fault


def test_an_intent_is_told_before_each_post() -> None:
    """What is to be noted before the POST is told before it."""
    steps = submit({}, "key-1", 0, on_submitting=print)
    assert next(steps) == Admit()
    assert steps.send(nullcontext()) == Tell(print, "key-1")
    assert steps.send(None) == Submit({}, "key-1")


def test_a_window_is_kept_with_the_run() -> None:
    """The completion window goes into the metadata, where whoever polls the run finds it."""
    options = {"background_options": {"completion_window": "8h"}}
    for params in (options, {"extra_body": options}):
        assert with_key(params, "k-1")["metadata"] == {"runoutcome_key": "k-1", "runoutcome_window": "8h"}


def test_a_run_names_the_one_before_it() -> None:
    """The id of the run that it is made in place of goes into the metadata; the first has none."""
    assert with_key({}, "k-2", "resp_1")["metadata"] == {"runoutcome_key": "k-2", "runoutcome_previous": "resp_1"}
    assert with_key({}, "k-1")["metadata"] == {"runoutcome_key": "k-1"}


@pytest.mark.parametrize(("pairs", "has"), [(14, True), (15, False), (16, False)])
def test_the_link_takes_no_room_from_the_user(pairs: int, has: bool) -> None:
    """Where 16 pairs are used the run is made without the link."""
    metadata = with_key({"metadata": {f"mine{n}": "x" for n in range(pairs)}}, "k-2", "resp_1")["metadata"]
    assert ("runoutcome_previous" in metadata) is has
    assert len(metadata) <= 16


def test_an_id_that_is_no_metadata_is_no_link() -> None:
    """An id longer than a value may be would have the whole create refused."""
    assert "runoutcome_previous" not in with_key({}, "k-2", "r" * 513)["metadata"]


class ClosedError(BaseException):
    """An exception that takes no attribute."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, ClosedError])
def test_an_interrupted_post_leaves_with_its_key(kind: type[BaseException]) -> None:
    """What interrupts the POST itself stays what it was, with the key by which the run can be found."""
    steps = submit({}, "key-1", 2)
    assert next(steps) == Admit()
    steps.send(nullcontext())
    interrupt = kind()
    with pytest.raises(kind) as caught:
        steps.throw(interrupt)
    assert caught.value is interrupt
    assert getattr(interrupt, "run_key", None) == (None if kind is ClosedError else "key-1")
