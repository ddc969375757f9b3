"""Which webhook is due when: the outbox without a network, driven by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from runoutcome.testing import EmulatedRun, OutcomeScript, Webhooks
from runoutcome.testing._delivery.event import Attempt, DeliverySettings
from runoutcome.testing._delivery.outbox import Outbox
from runoutcome.testing._state.runs import ended_at, status_at

TOLD = ("completed", "failed", "incomplete", "cancelled")
Log = list[tuple[str, int, int, float, tuple[str, ...]]]
"""Run, copy, attempt, when it was due, faults."""


def run_of(
    name: str = "1",
    status: str = "completed",
    *,
    created_at: float = 0.0,
    seconds: float = 1.0,
    background: bool = True,
    **metadata: str,
) -> EmulatedRun:
    """A run that takes so long."""
    request: dict[str, Any] = {"model": "m", "input": name, "background": background, "metadata": metadata}
    script = OutcomeScript(status, status=status, queued_seconds=0, running_seconds=seconds)
    return EmulatedRun(f"resp_{name}", created_at, request, status, script, 1)


def settings_of(seed: int = 0, speed: float = 1.0, **fields: Any) -> DeliverySettings:
    """Settings of a receiver that is never called here."""
    return DeliverySettings(Webhooks(url="http://127.0.0.1/", **fields), seed, speed)


def played(
    runs: list[EmulatedRun], settings: DeliverySettings, answers: dict[str, list[int | None]], moments: list[float]
) -> tuple[list[Attempt], Log]:
    """What is sent, one at a time, when the clock is looked at in these moments; each run's receiver answers so."""
    outbox, sent = Outbox(settings), list[Attempt]()
    left = {run_id: list(statuses) for run_id, statuses in answers.items()}
    for now in moments:
        outbox.update([run for run in runs if run.created_at <= now])
        while taken := outbox.take(now, 1):
            sent += taken
            statuses = left.get(taken[0].event.run_id)
            outbox.settle(taken[0], statuses.pop(0) if statuses else 200)
        assert outbox.is_idle(now)
    return sent, [(one.event.run_id, one.copy, one.number, one.due_at, one.faults) for one in sent]


RUNS = st.lists(
    st.tuples(
        st.sampled_from([*TOLD, "expired", "stuck", "odd"]),
        st.floats(0, 1000),
        st.floats(0, 1000),
        st.booleans(),
        st.none() | st.floats(0, 2000),
        st.lists(st.sampled_from([None, 302, 400, 503]), max_size=4),
    ),
    max_size=8,
)
SHARES = st.fixed_dictionaries(
    {
        share: st.sampled_from([0.0, 0.5, 1.0])
        for share in ("drop", "duplicates", "reorder", "delay", "wrong_secret", "old_timestamp", "bad_body")
    }
)


@given(RUNS, SHARES, st.integers(0, 5), st.lists(st.floats(0, 3000), max_size=10))
def test_every_run_that_ends_is_told_once_and_the_same_whenever_the_clock_is_looked_at(
    specs: list[Any], shares: dict[str, float], seed: int, looks: list[float]
) -> None:
    """Each ended background run has one event and, unless dropped, its attempts until 2xx, by seed alone."""
    settings = settings_of(seed, delay_seconds=30.0, retry_for_seconds=50.0, **shares)
    runs = list[EmulatedRun]()
    answers = dict[str, list[int | None]]()
    for number, (status, created_at, seconds, background, cancelled, statuses) in enumerate(specs):
        run = run_of(str(number), status, created_at=created_at, seconds=seconds, background=background)
        end = ended_at(run)
        if cancelled is not None and (end is None or created_at + cancelled < end):
            run = replace(run, cancelled_at=created_at + cancelled)
        runs.append(run)
        answers[run.id] = statuses
    runs.sort(key=lambda run: run.created_at)

    sent, log = played(runs, settings, answers, [5000.0])
    _, again = played(runs, settings, answers, sorted([*(run.created_at for run in runs), *looks, 5000.0]))
    assert sorted(again) == sorted(log)

    for run in runs:
        mine = [attempt for attempt in sent if attempt.event.run_id == run.id]
        end = ended_at(run)
        status = status_at(run, end) if end is not None else None
        if status not in TOLD or not run.request["background"] or shares["drop"] == 1:
            assert mine == []
            continue
        assert end is not None
        assert len({(one.event.id, one.event.webhook_id, one.event.type) for one in mine}) <= 1
        assert all(one.event.type == f"response.{status}" and one.due_at >= end for one in mine)
        copies = {one.copy for one in mine}
        usual: list[set[int]] = {0.0: [{1}], 0.5: [{1}, {1, 2}], 1.0: [{1, 2}]}[shares["duplicates"]]
        assert copies in usual if mine else shares["drop"] > 0
        for copy in copies:
            numbers = [one.number for one in mine if one.copy == copy]
            assert numbers == list(range(1, len(numbers) + 1))


def test_the_seed_decides_what_happens_to_which_event() -> None:
    """Another seed draws other events; shares are kept, and each has a draw of its own."""
    runs = [run_of(str(number), created_at=number) for number in range(400)]

    def dropped(seed: int, **shares: float) -> set[str]:
        sent, _ = played(runs, settings_of(seed, drop=0.3, **shares), {}, [1e6])
        return {run.id for run in runs} - {attempt.event.run_id for attempt in sent}

    assert dropped(1) == dropped(1, duplicates=0.5, bad_body=1.0)
    assert dropped(1) != dropped(2)
    assert 80 < len(dropped(1)) < 160


def test_pauses_double_until_the_time_is_over() -> None:
    """The pauses between attempts are 5, 10, 20, ... s, each within 20 %; all attempts are made within 72 h."""
    sent, _ = played([run_of()], settings_of(), {"resp_1": [500] * 100}, [1e9])
    pauses = [after.due_at - before.due_at for before, after in pairwise(sent)]
    for number, pause in enumerate(pauses):
        assert 0.8 <= pause / (5 * 2**number) <= 1.2
    assert 14 <= len(sent) <= 17
    assert sent[-1].due_at - sent[0].due_at <= 72 * 3600


def test_speed_divides_what_the_schedule_waits_for() -> None:
    """At 60 times the speed the delay, the second copy, the pauses and the end of the retries come 60 times as soon."""
    fields: dict[str, Any] = {"delay_seconds": 600.0, "duplicates": 1.0, "retry_for_seconds": 3600.0}
    moments = {}
    for speed in (1.0, 60.0):
        _, log = played([run_of(seconds=0)], settings_of(speed=speed, **fields), {"resp_1": [500] * 9}, [1e6])
        moments[speed] = [due * speed for _, _, _, due, _ in log]
    assert moments[60.0] == pytest.approx(moments[1.0])
    assert len(moments[1.0]) == 11


def test_a_cancel_moves_the_event_of_a_run_that_was_not_told() -> None:
    """A run that is cancelled before its end has the event `response.cancelled`, and no other."""
    outbox, run = Outbox(settings_of()), run_of(seconds=100)
    outbox.update([run])
    outbox.update([replace(run, cancelled_at=10.0)])
    assert outbox.take(9.9, 8) == []
    assert [(one.event.type, one.due_at) for one in outbox.take(1000, 8)] == [("response.cancelled", 10.0)]


def test_what_was_sent_stands() -> None:
    """A run that changes after its event was sent is not told again."""
    outbox, run = Outbox(settings_of()), run_of()
    outbox.update([run])
    (sent,) = outbox.take(10, 8)
    outbox.settle(sent, 200)
    outbox.update([replace(run, cancelled_at=5.0)])
    assert outbox.take(1e9, 8) == []


def test_an_outbox_does_not_tell_what_had_ended_before_it() -> None:
    """Of the runs of a state file only those are told that were pending."""
    outbox = Outbox(settings_of(), runs=[run_of("old"), run_of("pending", seconds=100)], now=50.0)
    assert [one.event.run_id for one in outbox.take(1e9, 8)] == ["resp_pending"]


def test_no_more_is_under_way_than_asked_for() -> None:
    """`take` gives at most so many, the oldest first, and the others later."""
    outbox = Outbox(settings_of())
    outbox.update([run_of(str(number), seconds=9 - number) for number in range(5)])
    assert [one.event.run_id for one in outbox.take(100, 2)] == ["resp_4", "resp_3"]
    assert [one.event.run_id for one in outbox.take(100, 8)] == ["resp_2", "resp_1", "resp_0"]
    assert not outbox.is_idle(100)


def test_an_attempt_that_is_given_back_is_due_again() -> None:
    """A delivery that we broke off is made later under the same number."""
    outbox = Outbox(settings_of())
    outbox.update([run_of()])
    (broken,) = outbox.take(10, 8)
    outbox.give_back(broken)
    assert outbox.take(10, 8) == [broken]


@pytest.mark.parametrize("later", [2.0, 25.0])
def test_what_is_held_back_goes_right_after_a_later_event(later: float) -> None:
    """A reordered event is due when the next one has been delivered, not when that was only tried."""
    outbox = Outbox(settings_of())
    outbox.update([run_of("first", emulate_webhook="reorder"), run_of("second", seconds=later)])
    (second,) = outbox.take(1000, 8)
    assert second.event.run_id == "resp_second"
    outbox.settle(second, 503)
    (second,) = outbox.take(1000, 8)
    assert (second.event.run_id, second.number) == ("resp_second", 2)
    outbox.settle(second, 200)
    (first,) = outbox.take(1000, 8)
    assert (first.event.run_id, first.due_at) == ("resp_first", second.due_at)


def test_what_is_held_back_does_not_wait_for_ever() -> None:
    """Without a later event a reordered one goes out after `reorder_seconds` at most, and half of it at least."""
    outbox = Outbox(settings_of(reorder=1.0, reorder_seconds=40.0))
    outbox.update([run_of()])
    assert outbox.take(1 + 19.9, 8) == []
    assert len(outbox.take(1 + 40.0, 8)) == 1


def test_only_the_first_attempts_are_faulty() -> None:
    """Signature and body are good again from the attempt after `fault_attempts`."""
    settings = settings_of(wrong_secret=1.0, old_timestamp=1.0, bad_body=1.0, fault_attempts=2)
    sent, _ = played([run_of()], settings, {"resp_1": [400, 400, 400]}, [1e6])
    assert [len(one.faults) for one in sent] == [3, 3, 0, 0]
    assert json.loads(sent[-1].body)["data"] == {"id": "resp_1"}
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(sent[0].body)
