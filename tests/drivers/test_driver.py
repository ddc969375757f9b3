"""The two loops that carry effects out, and that no one can tell them apart by what they do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import openai
import pytest

from colours import COLOURS, Colour, OpenWorld, Script, World, body_of, open_worlds, refusal, reply
from interrupts import Interrupt, interrupt_everywhere
from runoutcome import RunError
from runoutcome._drivers import driver as _driver
from runoutcome._drivers.clock import AsyncSystemClock, SystemClock
from runoutcome._drivers.driver import AsyncDriver, Driver
from runoutcome._drivers.limiter import AsyncLimiter, Limiter
from runoutcome._operations.effects import Pause, Poll, Steps, Submit, Tell
from runoutcome._waiting.pace import Pace
from runoutcome._waiting.resume_token import loads
from runoutcome.testing import FaultRule, OutcomeScript, Scenario, parse_fault

worlds = pytest.fixture(params=COLOURS)(open_worlds)


class StoppedClock:
    """A clock that only records what it is asked to sleep."""

    def __init__(self, colour: Colour) -> None:
        self.colour = colour
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        """No time passes."""
        return 0.0

    def time(self) -> float:
        """No time passes."""
        return 0.0

    def sleep(self, seconds: float) -> Any:
        """Record, and answer with what the effect may give back."""
        self.sleeps.append(seconds)
        return asyncio.sleep(0, f"slept {seconds}") if self.colour == "async" else f"slept {seconds}"


def carry_out(colour: Colour, steps: Steps[Any], clock: Any = None) -> Any:
    """Run steps that need no client, in either colour."""
    clock = clock or StoppedClock(colour)
    none: Any = None
    if colour == "sync":
        return Driver(none, clock, none, Limiter(Pace(1), clock), Limiter(Pace(1), clock)).run(steps)
    return asyncio.run(
        AsyncDriver(none, clock, none, AsyncLimiter(Pace(1), clock), AsyncLimiter(Pace(1), clock)).run(steps)
    )


both = pytest.mark.parametrize("colour", COLOURS)


# The loops


@both
def test_results_are_sent_back(colour: Colour) -> None:
    """The steps get what each effect gave, and their own result is what the loop gives."""
    told: list[str] = []

    def steps() -> Steps[list[Any]]:
        first = yield Pause(1.5)
        second = yield Tell(told.append, "hello")
        return [first, second]

    clock = StoppedClock(colour)
    assert carry_out(colour, steps(), clock) == [False, None]
    assert (clock.sleeps, told) == ([1.5], ["hello"])


@both
def test_steps_may_need_nothing(colour: Colour) -> None:
    """Steps without an effect end at once."""

    def steps() -> Steps[str]:
        return "done"
        yield Pause(1)  # makes this a generator

    assert carry_out(colour, steps()) == "done"


@both
@pytest.mark.parametrize("kind", [ValueError, OSError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_exceptions_are_thrown_in(colour: Colour, kind: type[BaseException]) -> None:
    """Whatever an effect raises arrives in the steps, which may go on after it."""

    def fail(argument: object) -> None:
        raise kind("boom")

    def steps() -> Steps[list[str]]:
        try:
            yield Tell(fail, None)
        except BaseException as error:  # noqa: BLE001 - it is what is tested
            caught = type(error).__name__
        yield Pause(1)
        return [caught, "went on"]

    assert carry_out(colour, steps()) == [kind.__name__, "went on"]


@both
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_what_the_steps_raise_leaves(colour: Colour, kind: type[BaseException]) -> None:
    """An exception that the steps do not handle leaves the loop as it is."""
    error = kind("boom")

    def fail(argument: object) -> None:
        raise error

    def steps() -> Steps[None]:
        yield Tell(fail, None)

    with pytest.raises(kind) as caught:
        carry_out(colour, steps())
    if kind is not asyncio.CancelledError:  # a task that is cancelled raises one of its own
        assert caught.value is error


@both
def test_steps_clean_up_behind_them(colour: Colour) -> None:
    """`finally` in the steps runs whatever happens, and before the loop is left."""
    cleaned: list[bool] = []

    def fail(argument: object) -> None:
        raise KeyboardInterrupt

    def steps() -> Steps[None]:
        try:
            yield Tell(fail, None)
        finally:
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        carry_out(colour, steps())
    assert cleaned == [True]


def test_an_interrupt_between_two_effects_reaches_the_steps() -> None:
    """Wherever Ctrl-C comes while steps go on, it is thrown into them, and they can say how to go on."""

    @dataclass
    class Wait:
        has_begun: bool = False
        error: BaseException | None = None
        has_ended: bool = False

        def steps(self) -> Steps[None]:
            self.has_begun = True
            try:
                yield Tell(str, 1)
                yield Pause(1.0)
            except BaseException as error:
                self.error = error
                raise
            self.has_ended = True

    def check(wait: Wait, interrupt: Interrupt | None) -> None:
        assert wait.error is interrupt or not wait.has_begun or wait.has_ended

    assert interrupt_everywhere([_driver], Wait, lambda wait: carry_out("sync", wait.steps()), check) > 10


@both
@pytest.mark.parametrize(
    "effect", [Pause(1.0), Poll("id", 1.0), Submit({}, "key-1"), Tell(print, 1)], ids=lambda e: type(e).__name__
)
def test_effects_are_values(colour: Colour, effect: Any) -> None:
    """An effect is frozen: what was asked for cannot be changed on its way."""
    with pytest.raises(FrozenInstanceError):
        setattr(effect, next(iter(effect.__dataclass_fields__)), None)


def test_the_machines_own_clocks() -> None:
    """The clocks of real life give the time of the machine, and sleep."""
    for clock in (SystemClock(), AsyncSystemClock()):
        assert clock.monotonic() <= clock.monotonic()
        assert clock.time() > 1_700_000_000
    assert SystemClock().sleep(0) is None
    assert asyncio.run(AsyncSystemClock().sleep(0)) is None


def test_a_connection_is_used_for_many_polls(worlds: OpenWorld) -> None:
    """A poll reads its answer to the end and gives the connection back: polls do not connect anew each time."""
    ports: set[Any] = set()
    world = worlds(
        Scenario(outcomes=(OutcomeScript("s", running_seconds=30, poll_faults=script_faults(*["503"] * 3)),))
    )
    run_id = world.plain.responses.create(model="m", input="x", background=True).id
    world.response_hooks.append(
        lambda response: ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
    )
    assert world.call("poll", run_id).status == "completed"
    assert len(world.polls) > 5
    assert len(ports) == 1


# Both colours do the same


def script_faults(*faults: Any) -> tuple[Any, ...]:
    """Faults by their words."""
    return tuple(parse_fault(fault) for fault in faults)


TROUBLED = Scenario(
    outcomes=(
        OutcomeScript("completed", weight=0),
        OutcomeScript("troubled", poll_faults=script_faults("503", "html", "ok", {"status": 429, "retry_after": 7})),
        OutcomeScript("long", queued_seconds=5, running_seconds=300, poll_faults=script_faults("reset", "cut", "{}")),
        OutcomeScript("dead", poll_faults=script_faults(*["503"] * 400)),
        OutcomeScript("gone", running_seconds=20, expires_after_seconds=0),
        OutcomeScript("hinted", running_seconds=20, poll_after_ms=1234),
        OutcomeScript(
            "busy", status="failed", code="rate_limit_exceeded", error_headers={"retry-after": "3"}, running_seconds=9
        ),
        OutcomeScript("refused", running_seconds=9, poll_faults=script_faults("ok", "403")),
    ),
    faults=(FaultRule("cancel", parse_fault("409"), 1, 1),),
)

JOBS: dict[str, dict[str, Any]] = {
    "completed": {},
    "troubled": {},
    "long": {},
    "dead": {},
    "gone": {},
    "hinted": {"poll_interval_ms": None},
    "constant": {"emulate": "long", "poll_interval_ms": 2500},
    "busy": {"emulate": "busy,server_error,server_is_overloaded,completed", "resubmit": 3},
    "tired": {"emulate": "server_error", "resubmit": 2},
    "refused": {},
    "content_filter": {},
    "accepted": {"emulate": "max_output_tokens", "accept": ["incomplete"]},
    "stuck": {"max_wait_seconds": 100},
    "cancelled late": {"emulate": "stuck", "max_wait_seconds": 30, "on_timeout": "cancel"},
    "paused": {"emulate": "status:paused", "max_wait_seconds": 100},
    "create again": {"emulate_create": "503,429,ok"},
    "create refused": {"emulate_create": "400"},
    "create tired": {"emulate_create": "503,503,503,503"},
    "create lost": {"emulate_create": "lost"},
    "create page": {"emulate_create": "502-html"},
    "create cut": {"emulate_create": "cut"},
}


def story(colour: Colour) -> list[tuple[str, Any]]:
    """Everything that one world sees of a bundle of jobs: requests, sleeps, callbacks and ends, in order."""
    world = World(colour, TROUBLED, max_retries=2)
    random.seed(734)

    def job(name: str, options: dict[str, Any]) -> None:
        options = dict(options)
        marks = {mark: options.pop(mark) for mark in ("emulate", "emulate_create") if mark in options}
        metadata = {"emulate": "completed" if "emulate_create" in marks else name, **marks, "runoutcome_key": name}
        response = world.create_and_poll(
            metadata.pop("emulate"),
            metadata=metadata,
            on_submitting=world.noting("submitting"),
            on_submitted=world.noting("submitted", lambda token: loads(token).key),
            on_update=world.noting("update", lambda outcome: (outcome.status, outcome.known)),
            on_fault=world.noting("fault", lambda error: type(error).__name__),
            **options,
        )
        world.note("returned", (response.status, response.metadata["runoutcome_key"]))

    def others() -> None:
        for word in ("stuck", "completed"):
            run_id = world.submitted(word)
            world.clock.advance(5)
            for _ in range(2):
                world.note("cancelled", world.call("cancel", run_id).status)
        world.note("polled", world.call("poll", world.submitted("hinted")).status)

    for name, options in JOBS.items():
        world.note("job", name)
        _noting_the_end(world, lambda name=name, options=options: job(name, options))
    _noting_the_end(world, others)
    world.note("time", world.elapsed)
    world.close()
    return world.log


def _noting_the_end(world: World, act: Callable[[], None]) -> None:
    try:
        act()
    except (RunError, openai.OpenAIError) as error:
        key = getattr(error, "run_key", None) or getattr(error, "key", None)
        cause = type(error.__cause__).__name__
        retryable = getattr(error, "retryable", None)
        world.note("raised", (type(error).__name__, cause, retryable, key, hasattr(error, "run_token")))


def test_both_colours_do_exactly_the_same() -> None:
    """With the jitter fixed, the whole sequence of requests, sleeps, callbacks and ends is equal."""
    sync, later = story("sync"), story("async")
    assert sync == later
    assert {what[0] for kind, what in sync if kind == "raised"} == {
        "PollingLostError",
        "RunGoneError",
        "RunInternalServerError",
        "PermissionDeniedError",
        "RunContentFilterError",
        "WaitTimeoutError",
        "RunUnknownError",
        "BadRequestError",
        "InternalServerError",
        "SubmissionUnknownError",
    }
    assert len(sync) > 300


def test_the_story_can_be_told_again() -> None:
    """The same seed gives the same sequence: nothing else in it is left to chance."""
    assert story("sync") == story("sync")


def test_scripted_answers_are_the_same_too(worlds: OpenWorld) -> None:
    """Hints, unknown statuses and refusals in one sequence, against one list for both colours."""
    answers = [
        reply(body_of("queued")),
        reply(body_of("queued"), openai_poll_after_ms="300"),
        refusal(503, retry_after="2"),
        reply({}),
        "paused",
        reply(body_of("in_progress"), openai_poll_after_ms="0"),
        "completed",
    ]
    world = worlds(answer=Script(answers))
    random.seed(1)
    world.create_and_poll(on_update=world.noting("update", lambda outcome: outcome.status))
    random.seed(1)
    jitters = [random.uniform(0.8, 1.2) for _ in range(5)]
    assert world.log == [
        ("update", "queued"),
        ("sleep", 0.5 * jitters[0]),
        ("sleep", 0.3),
        ("sleep", 2.0),
        ("sleep", 1.0 * jitters[3]),
        ("update", "paused"),
        ("sleep", pytest.approx(0.5 * jitters[4])),
        ("update", "in_progress"),
        ("sleep", 0.1),
        ("update", "completed"),
    ]
