"""The steps of a create, driven by hand: no client, no socket."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from runoutcome import SubmissionUnknownError
from runoutcome._effects import Admit, Submit, Tell
from runoutcome._submit import attempt_key, prepare, split_key, submit


def answered(answer: object) -> object:
    """What a create gives when the SDK makes this of the answer."""
    steps = submit({"model": "m"}, "key-1", 0)
    assert next(steps) == Admit()
    assert steps.send(nullcontext()) == Submit({"model": "m"})
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


def test_an_intent_is_told_before_each_post() -> None:
    """What is to be noted before the POST is told before it."""
    steps = submit({}, "key-1", 0, on_submitting=print)
    assert next(steps) == Admit()
    assert steps.send(nullcontext()) == Tell(print, "key-1")
    assert steps.send(None) == Submit({})


@pytest.mark.parametrize("base", ["a", "a-1", "nonce/wörk-12", "-", "a\nb"])
@pytest.mark.parametrize("attempt", [1, 2, 999])
def test_a_key_tells_its_attempt(base: str, attempt: int) -> None:
    """A key can be taken apart into what it was made of."""
    assert split_key(attempt_key(base, attempt)) == (base, attempt)


def test_a_window_is_kept_with_the_run() -> None:
    """The completion window goes into the metadata, where whoever polls the run finds it."""
    options = {"background_options": {"completion_window": "8h"}}
    for params in (options, {"extra_body": options}):
        assert prepare(params, "k-1")["metadata"] == {"runoutcome_key": "k-1", "runoutcome_window": "8h"}
