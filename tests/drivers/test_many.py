"""The runs that one call waits for: wherever it is interrupted, each run is handed on or named by its token."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from colours import body_of
from interrupts import Interrupt, interrupt_everywhere
from runoutcome import Catalog
from runoutcome._drivers import many as _many
from runoutcome._drivers.many import poll_many
from runoutcome._drivers.pending_run import PendingRun
from runoutcome._operations.effects import Steps, Tell
from runoutcome._waiting.resume_token import ResumeToken, loads

RUNS = ("resp_0", "resp_1", "resp_2", "resp_3")


class InlineScheduler:
    """A scheduler whose runs end while they are added."""

    driver: Any = SimpleNamespace(carry_out=lambda effect: effect.function(effect.argument))

    def add(self, run: PendingRun) -> None:
        """Run all steps."""
        run.advance(None)

    def remove(self, runs: Iterable[PendingRun]) -> None:
        """Leave the runs."""
        for run in runs:
            run.leave()


@dataclass
class Call:
    """One call of `poll_many`: the runs that its source created, and the results that it handed on."""

    created: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def source(self) -> Iterator[str]:
        """Create runs, one after the other."""
        for run in RUNS:
            self.created.append(run)
            yield run


def begin(run: str) -> tuple[ResumeToken, Steps[Any]]:
    """The token of a run, and steps that call a function and end."""

    def steps() -> Steps[Any]:
        yield Tell(str, run)
        return body_of("completed", run)

    return ResumeToken(run), steps()


@pytest.mark.parametrize("limit", [None, 1, 2])
def test_no_interrupt_loses_a_run(catalog: Catalog, limit: int | None) -> None:
    """Wherever Ctrl-C comes, a run that the source has created is in a result or in `.run_tokens`."""
    scheduler: Any = InlineScheduler()

    def act(call: Call) -> None:
        for result in poll_many(scheduler, call.source(), begin, catalog, limit):
            call.results.append(result.run)

    def check(call: Call, interrupt: Interrupt | None) -> None:
        tokens = getattr(interrupt, "run_tokens", ())
        assert {*call.results, *(loads(token).response_id for token in tokens)} == set(call.created)
        assert interrupt or call.results == list(RUNS)

    assert interrupt_everywhere([_many], Call, act, check) > 50


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a trace function's error skips the handlers of a generator")
@pytest.mark.parametrize("limit", [None, 1, 2])
def test_an_interrupt_names_the_runs_of_a_list_that_were_not_drawn(catalog: Catalog, limit: int | None) -> None:
    """A list names all its runs: those that wait for their turn are in `.run_tokens`, too."""
    scheduler: Any = InlineScheduler()

    def act(call: Call) -> None:
        def begin_noted(run: str) -> tuple[ResumeToken, Steps[Any]]:
            call.created.append(run)
            return begin(run)

        for result in poll_many(scheduler, list(RUNS), begin_noted, catalog, limit):
            call.results.append(result.run)

    def check(call: Call, interrupt: Interrupt | None) -> None:
        tokens = getattr(interrupt, "run_tokens", ())
        assert {*call.results, *(loads(token).response_id for token in tokens)} == set(RUNS)

    def has_begun(call: Call) -> bool:
        return bool(call.created)

    assert interrupt_everywhere([_many], Call, act, check, has_begun=has_begun) > 50
