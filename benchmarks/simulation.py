"""100,000 runs in one process, on a virtual clock: polls, how late they are, and what a run costs while it waits.

Run with `python benchmarks/simulation.py`: prints a section for `RESULTS.md`. No network and no sleeping. The schedule,
the bound on polls in flight (`Pace`) and the delays (all in `_waiting`) are the real ones; a poll is the time it takes,
drawn between 5 and 50 ms. What a waiting run costs is measured with its real steps as the scheduler holds them. The
polls are the same on every machine, the microseconds are not.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import median

from detection import mixture, window_for
from runoutcome import Catalog
from runoutcome._drivers.pending_run import PendingRun
from runoutcome._operations.effects import Pause
from runoutcome._operations.poll import Wait, poll, state_of
from runoutcome._sdk.responses import Answer, native_http_library
from runoutcome._waiting.pace import Pace
from runoutcome._waiting.polling import JITTER, Sleep, WaitPolicy, WaitState, pending, policy_for
from runoutcome._waiting.resume_token import ResumeToken
from runoutcome._waiting.schedule import Schedule
from tables import table

RUNS = 100_000
POLL_SECONDS = 0.005, 0.05
SUBMIT_SECONDS = 3600.0
"""In which the runs of 10 s to 8 h are submitted: 8 creates in flight that take 0.29 s each."""
INTERVAL_SECONDS, SLICE_SECONDS = 20.0, 120.0
ROUNDS = 5


# The simulation


@dataclass(eq=False, slots=True)
class Run:
    """One run, as the server and the wait see it. Times are virtual seconds."""

    created: float
    ends: float
    policy: WaitPolicy
    state: WaitState
    polls: int = 0
    lag: float = 0.0

    def after(self, now: float, jitter: float) -> float:
        """When to poll next, after an answer that found the run pending."""
        self.state, step = pending(self.policy, self.state, now, jitter=jitter)
        assert isinstance(step, Sleep)
        return now + step.seconds


@dataclass
class Tally:
    """What became of one simulation."""

    polls: int = 0
    lateness: Counter[int] = field(default_factory=Counter)
    """How many polls were so many milliseconds late for want of a place."""

    def late(self, share: float) -> float:
        """The lateness in seconds that this share of the polls does not exceed."""
        left = share * self.polls
        for milliseconds in sorted(self.lateness):
            left -= self.lateness[milliseconds]
            if left <= 0:
                break
        return milliseconds / 1000


def simulate(runs: Iterable[tuple[Run, float]], places: int, until: float = math.inf) -> Tally:
    """Poll these runs, each from its time on, until all have ended or the time is up."""
    rng, tally, pace, numbers = random.Random(13), Tally(), Pace(places), count()
    schedule: Schedule[Run] = Schedule()
    flying: list[tuple[float, int, float, Run]] = []
    """When a poll in flight is answered, a number, when it was sent, and whose it is."""
    for run, due in runs:
        schedule.put(run, due)
    now = 0.0
    while now < until:
        while flying and flying[0][0] <= now:
            _, _, sent, run = heapq.heappop(flying)
            pace.leave(run)
            if sent >= run.ends:
                run.lag = now - run.ends
            else:
                schedule.put(run, run.after(now, rng.uniform(1 - JITTER, 1 + JITTER)))
        while len(pace.in_flight) < places and (taken := schedule.take(now)):
            run, due = taken
            assert pace.enter(run, now) == 0
            heapq.heappush(flying, (now + rng.uniform(*POLL_SECONDS), next(numbers), now, run))
            run.polls += 1
            tally.polls += 1
            tally.lateness[int((now - due) * 1000)] += 1
        due_next = schedule.next_due() if len(pace.in_flight) < places else None
        now = min(flying[0][0] if flying else math.inf, math.inf if due_next is None else due_next)
    return tally


def mixed_runs(number: int) -> list[tuple[Run, float]]:
    """Runs of 10 s to 8 h that are submitted evenly, with the adaptive delay, the first of which has begun."""
    rng, made = random.Random(21), list[tuple[Run, float]]()
    for place, duration in enumerate(mixture(number)):
        created = place * SUBMIT_SECONDS / number
        state = WaitState(created, known=True, created=created)
        run = Run(created, created + duration, policy_for(None, None, window_for(duration)), state)
        made.append((run, run.after(created, rng.uniform(1 - JITTER, 1 + JITTER))))
    return made


def endless_runs(number: int) -> list[tuple[Run, float]]:
    """Runs that do not end in the time that is looked at, each polled at a constant interval."""
    rng, policy = random.Random(34), policy_for(None, INTERVAL_SECONDS * 1000, None)
    return [
        (Run(0.0, math.inf, policy, WaitState(0.0, known=True)), rng.uniform(0, INTERVAL_SECONDS))
        for _ in range(number)
    ]


# What a waiting run costs


class StoppedClock:
    """A clock that says what it is told to."""

    now = 0.0

    def monotonic(self) -> float:
        """The time it was set to."""
        return self.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        """Nobody sleeps here."""


@dataclass(frozen=True)
class Costs:
    """Of one waiting run: bytes, and CPU seconds for each poll."""

    schedule_bytes: float
    steps_bytes: float
    schedule_seconds: float
    wait_seconds: float
    poll_seconds: float


RUN_ID = "resp_68b4e2c0ffee"
BODY = {
    "id": RUN_ID,
    "object": "response",
    "created_at": 1_760_000_000,
    "status": "in_progress",
    "instructions": "Answer in one paragraph. " * 110,
    "output": [],
}


def costs(number: int) -> Costs:
    """What so many runs cost that are waited for at once, without the HTTP of their polls."""
    clock, rng = StoppedClock(), random.Random(55)
    library, catalog = native_http_library(), Catalog.load()
    answer = Answer(json.dumps(BODY).encode(), 200, {}, "https://api.example.test/v1/responses/r", library)
    wait = Wait(policy_for(None, None, None), clock, catalog)

    def pending_run(place: int) -> PendingRun:
        token = ResumeToken(RUN_ID, 0.0, f"{place:032x}-1")  # one answer serves them all
        steps = poll(wait, token, state_of(clock, token, known=True))
        made = PendingRun(token.response_id, steps, lambda tell: None, lambda made, ended: None)
        assert isinstance(_asked(made, answer), Pause)
        return made

    schedule: Schedule[PendingRun] = Schedule()
    tracemalloc.start()
    pending_runs = [pending_run(place) for place in range(number)]
    steps_bytes = tracemalloc.get_traced_memory()[0]
    for made in pending_runs:
        schedule.put(made, rng.uniform(0, 300))
    schedule_bytes = tracemalloc.get_traced_memory()[0] - steps_bytes
    tracemalloc.stop()

    state, policy = WaitState(0.0, known=True), wait.policy
    some = rng.sample(pending_runs, min(number, 10_000))

    def take_and_put() -> None:
        for due in dues:
            taken = schedule.take(math.inf)
            assert taken is not None
            schedule.put(taken[0], due)

    dues = [rng.uniform(300, 600) for _ in some]
    return Costs(
        schedule_bytes / number,
        steps_bytes / number,
        _seconds(take_and_put) / len(some),
        _seconds(lambda: [pending(policy, state, 60.0, jitter=1.1) for _ in some]) / len(some),
        _seconds(lambda: [_asked(made, answer) for made in some]) / len(some),
    )


def _asked(run: PendingRun, answer: Answer) -> object:
    run.advance(run.end_pause())
    return run.advance(answer)


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds, the median of some rounds."""
    rounds = list[float]()
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        rounds.append(time.process_time() - started)
    return median(rounds)


# The report


def section(quick: bool = False) -> str:
    """The section of `RESULTS.md`; `quick` takes a hundredth of the runs."""
    number = RUNS // 100 if quick else RUNS
    runs, rows = mixed_runs(number), list[Sequence[str]]()
    rows.append(_row("10 s to 8 h, adaptive delay", 48, runs, simulate(runs, 48)))
    lag = sum(run.lag / (run.ends - run.created) for run, _ in runs) / number
    for flying, places in ((number // 10, 48), (number, 48), (number, 192)):
        runs = endless_runs(flying)
        rows.append(_row("endless, every 20 s", places, runs, simulate(runs, places, SLICE_SECONDS)))
    cost, bearable = costs(number), 48 / (sum(POLL_SECONDS) / 2)
    shortest, longest = (f"{seconds * 1000:.0f}" for seconds in POLL_SECONDS)
    head = ("the runs", "number", "places", "polls", "of one run", "late: p50, s", "p99, s", "most, s")
    micros = [
        ("take the run that is due, and put it back", f"{cost.schedule_seconds * 1e6:.1f}"),
        ("decide when to poll it again", f"{cost.wait_seconds * 1e6:.1f}"),
        (
            "all steps of a poll but its HTTP: a body of 3 kB judged, that decision, the effects",
            f"{cost.poll_seconds * 1e6:.1f}",
        ),
    ]
    return f"""## {number:,} runs in one process, on a virtual clock

The simulation uses the real schedule, delays and limit of polls in flight ("places"). A poll takes {shortest} to
{longest} ms and no CPU time, so 48 places can make {bearable:,.0f} polls a second. First row: runs of 10 s to 8 h, as
many of each magnitude, submitted within {SUBMIT_SECONDS / 3600:.0f} h and polled to their ends. Other rows: runs that
do not end, polled for {SLICE_SECONDS / 60:.0f} minutes. A poll is late while it is due and has no place.

{table(head, rows)}

If more polls are due than the places can make, all polls become late by about the same time. No run is skipped, and no
poll is added. The ends of the runs in the first row were noticed late by {lag * 100:.1f} % of their durations, on
average.

A waiting run takes {cost.steps_bytes / 1000:.1f} kB for its steps and {cost.schedule_bytes:,.0f} bytes in the schedule
(`tracemalloc`). Each poll takes:

{table((f"{number:,} runs waiting", "CPU microseconds"), micros)}
"""


def _row(name: str, places: int, runs: Sequence[tuple[Run, float]], tally: Tally) -> Sequence[str]:
    polls = [run.polls for run, _ in runs]
    late = (f"{tally.late(share):.2f}" for share in (0.5, 0.99, 1.0))
    return (name, f"{len(runs):,}", str(places), f"{tally.polls:,}", f"{min(polls)} to {max(polls)}", *late)


if __name__ == "__main__":
    print(section("--quick" in sys.argv))
