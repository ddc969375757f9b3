"""`Runs` and `AsyncRuns` are twins: the same methods, and call by call the same requests, sleeps and ends."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from colours import COLOURS, PARAMS, Colour, Script, World, body_of, refusal, reply
from runoutcome import AsyncRuns, Runs
from runoutcome._sdk.responses import native_http_library

LIBRARY = native_http_library()

# What they look like


def public_names(cls: type) -> list[str]:
    """What a user finds on a class."""
    return [name for name in dir(cls) if not name.startswith("_")]


METHODS = [name for name in public_names(Runs) if inspect.isfunction(getattr(Runs, name))]


def signature(cls: type, name: str) -> list[tuple[str, object, object, str]]:
    """The parameters of a method: names, kinds, defaults, and types as the sync twin names them."""
    found = inspect.signature(getattr(cls, name)).parameters.values()
    return [(one.name, one.kind, one.default, uncoloured(str(one.annotation))) for one in found]


def uncoloured(annotation: str) -> str:
    """A type as the sync twin would name it; what takes async iterables takes the others as well."""
    return annotation.replace(" | AsyncIterable[Run]", "").replace("Async", "")


def test_both_have_the_same_public_names() -> None:
    """Whatever one can do, the other can do, and under the same name."""
    assert public_names(Runs) == public_names(AsyncRuns)
    assert {"create", "poll", "create_and_poll", "poll_many", "gather", "cancel"} <= set(METHODS)


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_signatures_are_the_same(name: str) -> None:
    """The parameters are the same ones in the same order, with the same defaults and types."""
    assert signature(AsyncRuns, name) == signature(Runs, name)


@pytest.mark.parametrize("name", METHODS)
def test_the_async_one_points_to_its_twin(name: str) -> None:
    """What a method does is said once, on `Runs`; the docstring of its twin names it, and adds what differs."""
    assert len(inspect.getdoc(getattr(Runs, name)) or "") > 100
    said = inspect.getdoc(getattr(AsyncRuns, name)) or ""
    assert said.startswith(f"The async twin of `Runs.{name}`")


@pytest.mark.parametrize("name", METHODS)
def test_only_the_word_await_differs(name: str) -> None:
    """A method of `Runs` is a plain function; of its twin a coroutine, an async iterator or an async context."""
    assert not inspect.iscoroutinefunction(getattr(Runs, name))
    asynchronous = getattr(AsyncRuns, name)
    returned = str(inspect.signature(asynchronous).return_annotation)
    assert inspect.iscoroutinefunction(asynchronous) or "Async" in returned


# What they do


def failing(name: str) -> Callable[[Any], Exception]:
    """A network failure, fresh for each request."""
    return lambda request: getattr(LIBRARY, name)("It broke.", request=request)


@dataclass(frozen=True)
class Labelled:
    """One scripted answer."""

    label: str
    answer: Any = field(repr=False)


Answers = list[Labelled]


def run(status: str, **fields: Any) -> Any:
    """A run's body as an answer."""
    return reply(body_of(status, **fields))


def failed(code: str) -> Any:
    """A run that failed."""
    return run("failed", error={"code": code, "message": "Please try again in 2s."})


BODIES = {
    "queued": run("queued"),
    "in_progress": run("in_progress"),
    "hint 3 s": reply(body_of("in_progress"), openai_poll_after_ms="3000"),
    "hint 0": reply(body_of("in_progress"), openai_poll_after_ms="0"),
    "hint nonsense": reply(body_of("in_progress"), openai_poll_after_ms="soon"),
    "paused": run("paused"),
}
ENDS = {
    "completed": run("completed"),
    "server_error": failed("server_error"),
    "rate_limit_exceeded": failed("rate_limit_exceeded"),
    "insufficient_quota": failed("insufficient_quota"),
    "no code": run("failed"),
    "incomplete": run("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    "cancelled": run("cancelled"),
}
FAULTS = {
    **{str(status): refusal(status) for status in (408, 409, 429, 500, 503)},
    "429, wait 7 s": refusal(429, retry_after="7"),
    "503, wait 900 s": refusal(503, retry_after="900"),
    "a page": reply(text="<html>", content_type="text/html"),
    "a page that says 404": reply(text="<html>", status=404, content_type="text/html"),
    "{}": reply({}),
    "cut": reply(text='{"id": "resp_1", "status": "comp'),
    "nothing": reply(text=""),
    **{name: failing(name) for name in ("ConnectError", "ReadTimeout", "RemoteProtocolError", "PoolTimeout")},
}
REFUSALS = {str(status): refusal(status) for status in (400, 401, 403, 404, 422)}


def any_of(answers: dict[str, Any]) -> st.SearchStrategy[Labelled]:
    """One of these answers."""
    return st.sampled_from([Labelled(label, answer) for label, answer in answers.items()])


trouble = st.one_of(any_of(BODIES), any_of(BODIES), any_of(FAULTS), any_of(ENDS), any_of(REFUSALS))
scripts = st.tuples(st.lists(trouble, min_size=1, max_size=12), st.lists(trouble, min_size=1, max_size=2))
"""What the server answers to creates and polls, one after the other, and to cancels; the last answer for ever."""
waits = st.fixed_dictionaries(
    {"max_wait_seconds": st.sampled_from([0, 0.5, 4, 60, 200, 700])},
    optional={
        "poll_interval_ms": st.sampled_from([250, 2500, 30_000]),
        "on_timeout": st.sampled_from(["leave", "cancel"]),
        "accept": st.sampled_from(["incomplete", ["cancelled", "pending"]]),
        "completion_window": st.sampled_from(["2h", "8h"]),
    },
)


class Network:
    """Stands in for the network."""

    def __init__(self, answers: Answers, cancels: Answers) -> None:
        self.requests: list[Any] = []
        self._answers = Script([labelled.answer for labelled in answers])
        self._cancels = Script([labelled.answer for labelled in cancels])

    def __call__(self, request: Any) -> Any:
        """The next answer."""
        self.requests.append(request)
        return (self._cancels if request.url.path.endswith("/cancel") else self._answers)(request)


@dataclass
class Story:
    """Everything that one colour did."""

    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    log: list[tuple[str, Any]] = field(default_factory=list)
    end: Any = None
    elapsed: float = 0.0


def told(colour: Colour, scripts: tuple[Answers, Answers], method: str, *args: Any, **options: Any) -> Story:
    """What happens when a method meets these answers."""
    random.seed(99)
    network = Network(*scripts)
    # The SDK's own retries of a cancel sleep in real time.
    world, story = World(colour, answer=network, max_retries=0 if method == "cancel" else 2), Story()
    if method != "cancel":
        options["on_update"] = world.noting("update", lambda outcome: (outcome.status, outcome.code))
        options["on_fault"] = world.noting("fault", described)
    if method == "create_and_poll":
        for name in ("on_submitting", "on_submitted", "on_refused"):
            options[name] = world.noting(name)
    try:
        response = world.call(method, *args, **options)
        story.end = response.to_dict()
    except Exception as error:  # noqa: BLE001 - both colours must raise the same, whatever it is
        story.end = (described(error), described(error.__cause__), getattr(error, "run_token", None))
    finally:
        world.close()
    story.requests = [
        (request.method, str(request.url), request.extensions["timeout"]["read"]) for request in network.requests
    ]
    story.log, story.elapsed = world.log, world.elapsed
    return story


def described(error: BaseException | None) -> tuple[str, str]:
    """An exception as what it is and says."""
    return type(error).__name__, str(error)


def assert_same_story(script: tuple[Answers, Answers], method: str, *args: Any, **options: Any) -> None:
    """Both colours do and raise the same, and something at all."""
    sync, later = (told(colour, script, method, *args, **options) for colour in COLOURS)
    assert sync.requests
    assert sync == later


@settings(max_examples=80)
@given(scripts, waits, st.sampled_from(["resp_1", '{"runoutcome":1,"id":"resp_1","seen":true}']))
def test_poll_does_the_same_in_both_colours(script: tuple[Answers, Answers], wait: dict[str, Any], named: str) -> None:
    """Whatever the server answers, both make the same polls after the same sleeps, and end alike."""
    assert_same_story(script, "poll", named, **wait)


@settings(max_examples=80)
@given(scripts, waits, st.integers(0, 2))
def test_create_and_poll_does_the_same_in_both_colours(
    script: tuple[Answers, Answers], wait: dict[str, Any], resubmit: int
) -> None:
    """The same with creates, resubmissions and their callbacks."""
    assert_same_story(script, "create_and_poll", resubmit=resubmit, key="job", **wait, **PARAMS)


@settings(max_examples=60)
@given(scripts)
def test_cancel_does_the_same_in_both_colours(script: tuple[Answers, Answers]) -> None:
    """The same with cancels and the reads that confirm them."""
    assert_same_story(script, "cancel", "resp_1")
