"""Arguments of `Runs` that are none, in both colours: refused by name before anything is sent."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import openai
import pytest

import runoutcome
from colours import COLOURS, PARAMS, OpenWorld, Script, World, body_of, open_worlds
from runoutcome import AsyncRuns, Runs
from runoutcome._waiting.resume_token import ResumeToken
from runoutcome.webhooks import Inbox

worlds = pytest.fixture(params=COLOURS)(open_worlds)


def begin(world: World, method: str, **options: Any) -> None:
    """Call a method of `Runs` with what else it needs, as far as its arguments are read."""
    if method.startswith("create"):
        options = {**PARAMS, **options}
    elif method in ("gather", "poll_many"):
        options.setdefault("runs", ["resp_1"])
    else:
        options.setdefault("run", "resp_1")
    if method in ("stream", "create_and_stream", "poll_many"):  # these are not awaited
        getattr(world.runs(world.client()), method)(**options)
    else:
        world.call(method, **options)


WAITING = ("poll", "create_and_poll", "gather", "poll_many", "stream", "create_and_stream")
CREATING = ("create_and_poll", "create_and_stream")
REFUSED: list[tuple[tuple[str, ...], dict[str, Any], type[Exception], str]] = [
    (WAITING, {"max_wait_seconds": "60"}, TypeError, "max_wait_seconds is .* got str"),
    (WAITING, {"max_wait_seconds": True}, TypeError, "max_wait_seconds is .* got bool"),
    (WAITING, {"max_wait_seconds": math.nan}, ValueError, "max_wait_seconds is .* got nan"),
    (WAITING, {"poll_interval_ms": "5"}, TypeError, "poll_interval_ms is .* got str"),
    (WAITING, {"accept": None}, TypeError, "accept takes .* got NoneType"),
    (WAITING, {"completion_window": 7200}, TypeError, 'completion_window is .*"30m", "2h" or "8h"; got int'),
    (WAITING, {"completion_window": "2 h"}, ValueError, 'completion_window is "soonest", .*; got .2 h.'),
    (WAITING, {"completion_window": "99x"}, ValueError, "completion_window is .*; got .99x."),
    (WAITING, {"completion_window": "0h"}, ValueError, "completion_window is .*; got .0h."),
    (WAITING, {"on_update": "print"}, TypeError, "on_update is a function, or None; got str"),
    (WAITING, {"on_fault": 5}, TypeError, "on_fault is a function, or None; got int"),
    (CREATING, {"on_submitting": {}}, TypeError, "on_submitting is a function, or None; got dict"),
    (CREATING, {"on_submitted": "token.txt"}, TypeError, "on_submitted is a function, or None; got str"),
    (CREATING, {"on_refused": 5}, TypeError, "on_refused is a function, or None; got int"),
    (("create_and_poll",), {"on_resubmitting": 5}, TypeError, "on_resubmitting is a function, or None; got int"),
    (("create_and_poll",), {"resubmit": None}, TypeError, "resubmit is .* got NoneType"),
    (("create_and_poll",), {"resubmit": "2"}, TypeError, "resubmit is .* got str"),
    (("create_and_poll",), {"resubmit": True}, TypeError, "resubmit is .* got bool"),
    (("create_and_poll",), {"resume": 5}, TypeError, "a run is a response id, a resume token or a response; got int"),
    (("create_and_poll",), {"resume": "a/b"}, ValueError, "is not a response id"),
    (("gather", "poll_many"), {"max_in_flight": "2"}, TypeError, "max_in_flight is .* got str"),
    (("gather", "poll_many"), {"max_in_flight": 2.0}, TypeError, "max_in_flight is .* got float"),
    (("gather", "poll_many"), {"max_in_flight": math.nan}, TypeError, "max_in_flight is .* got float"),
    (("gather", "poll_many"), {"max_in_flight": True}, TypeError, "max_in_flight is .* got bool"),
    (("stream", "create_and_stream"), {"idle_timeout_seconds": "5"}, TypeError, "idle_timeout_seconds is .* got str"),
]


@pytest.mark.parametrize(
    ("method", "options", "kind", "message"),
    [(method, *case) for methods, *case in REFUSED for method in methods],
    ids=[f"{method}-{options}" for methods, options, *_ in REFUSED for method in methods],
)
def test_what_is_no_argument_is_named(
    worlds: OpenWorld, method: str, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """An argument that makes no sense is an error with its name and what was expected, and nothing is sent."""
    script = Script(["completed"])
    with pytest.raises(kind, match=message):
        begin(worlds(answer=script), method, **options)
    assert script.requests == []


@pytest.mark.parametrize("method", ["gather", "poll_many"])
@pytest.mark.parametrize(
    "runs",
    [
        "resp_1",
        b"resp_1",
        body_of("queued"),
        {"resp_1": "a row of ours"},
        openai.types.responses.Response.construct(**body_of("queued")),
        SimpleNamespace(id="resp_1"),
        5,
        None,
    ],
    ids=lambda runs: type(runs).__name__,
)
def test_a_single_run_is_not_taken_apart(worlds: OpenWorld, method: str, runs: Any) -> None:
    """One run in place of many would be read as its letters or fields: TypeError at the call, and nothing is sent."""
    script = Script(["completed"])
    with pytest.raises(TypeError, match=r"^runs is an iterable of runs; wrap a single one in a list; got "):
        begin(worlds(answer=script), method, runs=runs)
    assert script.requests == []


@pytest.mark.parametrize("of", [list, tuple, dict.fromkeys, iter], ids=["list", "tuple", "keys", "iterator"])
def test_any_iterable_holds_many_runs(worlds: OpenWorld, of: Any) -> None:
    """Whatever gives runs one by one is taken."""
    runs = of(["resp_1", "resp_1"])
    runs = runs.keys() if isinstance(runs, dict) else runs
    assert worlds(answer=Script(["completed"])).call("gather", runs)


def test_a_window_that_a_body_or_token_tells_is_no_argument(worlds: OpenWorld) -> None:
    """What the caller did not say himself is not held against him: a window that is not understood is as none."""
    world = worlds(answer=Script(["completed"]))
    world.call("poll", ResumeToken("resp_1", completion_window="99x").dumps())
    world.call("poll", body_of("queued", metadata={"runoutcome_window": "2 h"}))
    assert world.call("poll", "resp_1", completion_window="soonest").id == "resp_1"


def test_a_response_names_the_run_to_resume(worlds: OpenWorld) -> None:
    """`resume` takes what `poll` takes: nothing is submitted for a run that is there."""
    world = worlds()
    run = world.plain.responses.retrieve(world.submitted())
    for resume in (run, run.to_dict(), run.id):
        assert world.create_and_poll(resume=resume).id == run.id
    assert len(world.posts) == 1


def test_a_stored_run_that_is_completed_is_a_response(worlds: OpenWorld) -> None:
    """What was kept as JSON is given as the SDK's model by `poll` and `gather`, without a request."""
    script = Script([OSError("not asked")])
    world = worlds(answer=script)
    for response in (world.call("poll", body_of("completed")), *world.call("gather", [body_of("completed")])):
        assert (type(response), response.id) == (openai.types.responses.Response, "resp_1")
    assert script.requests == []


def test_a_stored_run_that_is_completed_ends_a_stream() -> None:
    """`get_final_response()` gives the SDK's model, too."""
    with openai.OpenAI(api_key="k") as client, Runs(client).stream(body_of("completed")) as stream:
        response = stream.get_final_response()
    assert (type(response), response.id) == (openai.types.responses.Response, "resp_1")


# The constructor


@pytest.mark.parametrize("cls", [Runs, AsyncRuns])
@pytest.mark.parametrize(
    "client",
    [None, "sk-key", openai, openai.OpenAI, openai.AsyncOpenAI, [5]],
    ids=lambda it: getattr(it, "__name__", repr(it)),
)
def test_what_is_no_client(cls: Any, client: Any) -> None:
    """Anything but a client is a TypeError at once that says what to pass, and does not repeat what was passed."""
    with pytest.raises(TypeError, match="client is an OpenAI or AsyncOpenAI client") as caught:
        cls(client)
    assert "sk-key" not in str(caught.value)
    if isinstance(client, type):
        assert f"got the class {client.__name__} itself" in str(caught.value)


def test_a_double_is_a_client() -> None:
    """What has the parts of a client is taken for one."""
    double: Any = SimpleNamespace(responses=SimpleNamespace(), max_retries=2, with_options=lambda **options: double)
    assert Runs(double)
    assert AsyncRuns(double)


def test_azure_clients_and_subclasses_are_clients() -> None:
    """The SDK's other clients, and the user's own, are taken."""

    class OwnClient(openai.OpenAI):
        pass

    azure = {"api_key": "k", "api_version": "1", "azure_endpoint": "https://example.test"}
    for client in (OwnClient(api_key="k"), openai.AzureOpenAI(**azure)):  # type: ignore[arg-type]
        with client:
            assert Runs(client)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"catalog": "catalog.json"}, "catalog is a Catalog, .* got str"),
        ({"resubmit_budget": 5}, "resubmit_budget is a ResubmitBudget, or None; got int"),
        ({"notices": "whsec_x"}, "notices is a webhooks.Inbox, .* got str"),
        ({"notices": Inbox}, "notices is a webhooks.Inbox, .* got type"),
    ],
)
def test_parts_of_another_type(worlds: OpenWorld, options: dict[str, Any], message: str) -> None:
    """What is no catalog, budget or inbox is a TypeError that names it, long before a run is paid for."""
    world = worlds(answer=Script(["completed"]))
    cls: Any = runoutcome.Runs if world.colour == "sync" else runoutcome.AsyncRuns
    with pytest.raises(TypeError, match=message):
        cls(world.client(), **options)
