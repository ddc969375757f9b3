"""`strict_client`: a copy of a client that raises for a run that did not complete."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from operator import attrgetter
from typing import Any

import openai
import pydantic
import pytest
from openai.resources.responses import Responses
from openai.types.responses import Response

import runoutcome
from bodies import REQUEST_ID, ROWS, body_of as body_of_row
from colours import COLOURS, PARAMS, WAYS, Colour, OpenWorld, Script, body_of, open_worlds, reply
from runoutcome import Catalog, RunError, error_for, strict_client

worlds = pytest.fixture(params=WAYS)(open_worlds)

FAILED = body_of("failed", error={"code": "rate_limit_exceeded", "message": "Slow down."})
CUT_OFF = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "incomplete",
    "content": [{"type": "output_text", "text": '{"name": "Ti', "annotations": []}],
}
INCOMPLETE = body_of("incomplete", incomplete_details={"reason": "max_output_tokens"}, output=[CUT_OFF])
AZURE = {"azure_endpoint": "https://a.test", "api_version": "2026-01-01"}


class Moon(pydantic.BaseModel):
    name: str


class Own:
    """A strict client of one colour, and the plain one it was made of."""

    def __init__(self, colour: Colour, loop: asyncio.AbstractEventLoop, plain: Any, **options: Any) -> None:
        self.colour, self.loop, self.plain = colour, loop, plain
        self.client = strict_client(plain, **options)

    def call(self, name: str, *args: Any, client: Any = None, **params: Any) -> Any:
        """The result of a method of `responses`, awaited if need be; `name` may begin with `with_raw_response.`."""
        return self.run(attrgetter(name)((client or self.client).responses)(*args, **params))

    def run(self, result: Any) -> Any:
        """The result, or that of awaiting it."""
        return self.loop.run_until_complete(result) if inspect.isawaitable(result) else result


Strict = Callable[..., Own]


@pytest.fixture(params=COLOURS)
def strict(request: pytest.FixtureRequest, http: Any) -> Iterator[Strict]:
    """Opens strict clients of either colour, closed after the test; a function stands in for the network."""
    colour: Colour = request.param
    loop = asyncio.new_event_loop()
    with ExitStack() as stack:
        stack.callback(loop.close)

        def strict(answer: Callable[[Any], Any], cls: str = "OpenAI", **options: Any) -> Own:
            kept = {name: options.pop(name) for name in ("accept", "require", "catalog") if name in options}
            http_class = http.Client if colour == "sync" else http.AsyncClient
            address = AZURE if cls == "AzureOpenAI" else {"base_url": "https://api.example.test/v1"}
            plain = getattr(openai, cls if colour == "sync" else f"Async{cls}")(
                **{**address, "api_key": "sk-secret-key", **options},
                http_client=http_class(transport=http.MockTransport(answer)),
            )
            own = Own(colour, loop, plain, **kept)
            stack.callback(lambda: own.run(plain.close()))
            return own

        yield strict


def answers(body: Any, **headers: str) -> Script:
    """A server that gives one body for everything."""
    return Script([reply(body, x_request_id=REQUEST_ID, **headers)])


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.id)
def test_every_row_as_raise_for_status(strict: Strict, entry: Any) -> None:
    """A retrieve raises what `raise_for_status` raises for its response, and returns what that returns."""
    own = strict(answers(body_of_row(entry)))
    plain = own.call("retrieve", "resp_1", client=own.plain)
    expected = error_for(plain) if runoutcome.classify(plain).phase != "pending" else None
    if expected is None:
        assert own.call("retrieve", "resp_1") == plain
        return
    with pytest.raises(type(expected)) as raised:
        own.call("retrieve", "resp_1")
    assert type(raised.value) is type(expected)
    assert (raised.value.outcome, raised.value.run) == (expected.outcome, plain)
    assert (raised.value.poll_status_code, raised.value.request_id) == (200, REQUEST_ID)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("name", ["create", "parse", "retrieve"])
def test_methods(strict: Strict, name: str) -> None:
    """`create`, `parse` and `retrieve` raise the SDK's class, with the run and its address, after one request."""
    script = answers(FAILED)
    own = strict(script)
    with pytest.raises(openai.RateLimitError) as raised:
        own.call(name, **(PARAMS if name != "retrieve" else {"response_id": "resp_1"}))
    error: Any = raised.value
    assert isinstance(error, RunError)
    assert isinstance(error.run, Response)
    assert (error.response_id, error.status_code, error.code) == ("resp_1", 429, "rate_limit_exceeded")
    assert (error.poll_status_code, error.request_id) == (200, REQUEST_ID)
    assert str(error.response.request.url) == "https://api.example.test/v1/responses/resp_1"
    assert len(script.requests) == 1


def test_no_request_id(strict: Strict) -> None:
    """The poll's status is known without a request id."""
    own = strict(Script([reply(FAILED)]))
    with pytest.raises(RunError) as raised:
        own.call("retrieve", "resp_1")
    assert (raised.value.poll_status_code, raised.value.request_id) == (200, None)


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed"])
@pytest.mark.parametrize("name", ["create", "retrieve"])
def test_returned(strict: Strict, name: str, status: str) -> None:
    """Pending and completed runs are returned as the SDK's own client returns them."""
    own = strict(answers(body_of(status)))
    params = PARAMS if name == "create" else {"response_id": "resp_1"}
    response = own.call(name, **params)
    assert response.status == status
    assert response._request_id == REQUEST_ID
    assert response == own.call(name, client=own.plain, **params)


def test_accept(strict: Strict) -> None:
    """Incomplete and cancelled runs raise, unless `accept` names them."""
    for body, word in ((INCOMPLETE, "incomplete"), (body_of("cancelled"), "cancelled")):
        with pytest.raises(RunError):
            strict(answers(body)).call("retrieve", "resp_1")
        assert strict(answers(body), accept=word).call("retrieve", "resp_1").status == word
        with pytest.raises(RunError):
            strict(answers(FAILED), accept=word).call("retrieve", "resp_1")


def test_require(strict: Strict) -> None:
    """With `require="output"` a completed run without output raises."""
    assert strict(answers(body_of("completed"))).call("retrieve", "resp_1").status == "completed"
    with pytest.raises(runoutcome.RunEmptyError):
        strict(answers(body_of("completed")), require="output").call("retrieve", "resp_1")


def test_catalog(strict: Strict) -> None:
    """The catalog that is given decides."""
    row = {"value": "gpu_lost", "error_type": "internal_server_error", "retryable": True}
    catalog = Catalog.load().extend({"name": "mine", "entries": [row]})
    body = body_of("failed", error={"code": "gpu_lost", "message": "x"})
    with pytest.raises(runoutcome.RunFailedError) as raised:
        strict(answers(body)).call("retrieve", "resp_1")
    assert not isinstance(raised.value, openai.InternalServerError)
    with pytest.raises(openai.InternalServerError):
        strict(answers(body), catalog=catalog).call("retrieve", "resp_1")


def test_cut_off_output_is_not_parsed(strict: Strict) -> None:
    """`parse` of an incomplete run raises its own error, not one about the JSON that was cut off."""
    with pytest.raises(runoutcome.RunIncompleteError) as raised:
        strict(answers(INCOMPLETE)).call("parse", **PARAMS, text_format=Moon)
    assert raised.value.run.output_text == '{"name": "Ti'


def test_parsed(strict: Strict) -> None:
    """`parse` of a completed run gives the parsed output."""
    whole = {**CUT_OFF, "status": "completed", "content": [{**CUT_OFF["content"][0], "text": '{"name": "Titan"}'}]}  # type: ignore[index,dict-item]
    response = strict(answers(body_of("completed", output=[whole]))).call("parse", **PARAMS, text_format=Moon)
    assert response.output_parsed == Moon(name="Titan")


def test_unknown_status(strict: Strict) -> None:
    """A status that nobody knows raises `RunUnknownError`: it is not taken for success."""
    with pytest.raises(runoutcome.RunUnknownError):
        strict(answers(body_of("paused"))).call("retrieve", "resp_1")


@pytest.mark.parametrize("body", [{}, {"id": "resp_1"}, [], None, 3])
def test_answers_without_a_status(strict: Strict, body: Any) -> None:
    """An answer without a status is no run: it stays what the SDK makes of it."""
    own = strict(Script([reply(body)]))
    assert own.call("retrieve", "resp_1") == own.call("retrieve", "resp_1", client=own.plain)


def test_a_page(strict: Strict) -> None:
    """A page in place of JSON is a string, as it is for the plain client."""
    own = strict(Script([reply(text="<html>", content_type="text/html")]))
    assert own.call("retrieve", "resp_1") == "<html>"


def test_raw_calls(strict: Strict) -> None:
    """Raw answers are not judged, not even when they are parsed."""
    own = strict(answers(FAILED))
    for name, params in (("create", PARAMS), ("parse", PARAMS), ("retrieve", {"response_id": "resp_1"})):
        raw = own.call(f"with_raw_response.{name}", **params)
        assert json.loads(raw.content)["status"] == "failed"
        assert raw.parse().status == "failed"


def test_raw_calls_of_the_client(strict: Strict) -> None:
    """The raw calls of the client itself are not judged either."""
    own = strict(answers(FAILED))
    raw = own.run(own.client.with_raw_response.responses.retrieve("resp_1"))
    assert raw.parse().status == "failed"


def test_streaming_answers(strict: Strict) -> None:
    """`with_streaming_response` is the plain one."""
    own = strict(answers(FAILED))
    if own.colour == "sync":
        with own.client.responses.with_streaming_response.retrieve("resp_1") as answer:
            assert answer.json()["status"] == "failed"
        return

    async def read() -> Any:
        async with own.client.responses.with_streaming_response.retrieve("resp_1") as answer:
            return await answer.json()

    assert own.loop.run_until_complete(read())["status"] == "failed"


def test_streams(strict: Strict) -> None:
    """The events of a stream are not judged: a failed run's last event is yielded."""
    event = {"type": "response.failed", "sequence_number": 0, "response": FAILED}
    own = strict(Script([reply(text=f"data: {json.dumps(event)}\n\n", content_type="text/event-stream")]))
    for name, params in (("create", PARAMS), ("retrieve", {"response_id": "resp_1"})):
        stream = own.call(name, stream=True, **params)
        assert _events(own, stream)[0].response.status == "failed"


def _events(own: Own, stream: Any) -> list[Any]:
    if own.colour == "sync":
        return list(stream)

    async def read() -> list[Any]:
        return [event async for event in stream]

    return own.loop.run_until_complete(read())


def test_cancel(strict: Strict) -> None:
    """The answer to a cancel says what became of the run, and is returned."""
    for body in (body_of("cancelled"), FAILED):
        assert strict(answers(body)).call("cancel", "resp_1").status == body["status"]


def test_refusals(strict: Strict) -> None:
    """An HTTP error stays the SDK's own, with the SDK's retries before it."""
    script = Script([reply({"error": {"code": "x"}}, 500, retry_after_ms="1"), reply(FAILED)])
    own = strict(script, max_retries=1)
    with pytest.raises(openai.RateLimitError):
        own.call("retrieve", "resp_1")
    assert len(script.requests) == 2, "the failed run is not asked about again"


def test_the_client_stays_as_it_is(strict: Strict) -> None:
    """The user's client returns the failed run, as before."""
    own = strict(answers(FAILED))
    assert own.client is not own.plain
    assert type(own.client) is type(own.plain)
    assert own.call("retrieve", "resp_1", client=own.plain).status == "failed"
    assert own.call("retrieve", "resp_1", client=own.plain.with_options(timeout=3)).status == "failed"


def test_settings_are_shared(strict: Strict) -> None:
    """Key, address, headers, limits and the HTTP client are those of the user's client."""
    script = answers(body_of("completed"))
    own = strict(script, max_retries=5, timeout=7.0, default_headers={"x-team": "moons"}, organization="org_1")
    own.call("retrieve", "resp_1")
    request = script.requests[0]
    assert (request.headers["authorization"], request.headers["x-team"]) == ("Bearer sk-secret-key", "moons")
    assert (own.client.max_retries, own.client.timeout, own.client.organization) == (5, 7.0, "org_1")
    assert own.client._client is own.plain._client


@pytest.mark.parametrize("make", [lambda c: c.copy(), lambda c: c.with_options(timeout=3.0, max_retries=0), copy.copy])
def test_copies_are_strict(strict: Strict, make: Callable[[Any], Any]) -> None:
    """Copies of the copy, and copies of those, are strict too, with the same options."""
    own = strict(answers(body_of("cancelled")), accept="cancelled")
    failing = strict(answers(FAILED))
    for client, other in (
        (make(own.client), make(failing.client)),
        (make(make(own.client)), make(make(failing.client))),
    ):
        assert own.call("retrieve", "resp_1", client=client).status == "cancelled"
        with pytest.raises(openai.RateLimitError):
            failing.call("retrieve", "resp_1", client=other)


def test_the_options_of_a_copy(strict: Strict) -> None:
    """Options given to `with_options` hold."""
    changed = strict(answers(FAILED)).client.with_options(timeout=3.0, max_retries=9)
    assert (changed.timeout, changed.max_retries) == (3.0, 9)


def test_of_a_strict_client(strict: Strict) -> None:
    """A strict client made of a strict one has the options of the last call."""
    own = strict(answers(body_of("cancelled")), accept="cancelled")
    with pytest.raises(runoutcome.RunCancelledError):
        own.call("retrieve", "resp_1", client=strict_client(own.client))


def test_azure(strict: Strict) -> None:
    """Azure's clients are served, and keep their class, key and addresses."""
    script = answers(FAILED)
    own = strict(script, cls="AzureOpenAI")
    for client in (own.client, own.client.with_options(max_retries=0)):
        assert type(client) is type(own.plain)
        with pytest.raises(openai.RateLimitError):
            own.call("retrieve", "resp_1", client=client)
    assert {request.headers["api-key"] for request in script.requests} == {"sk-secret-key"}
    assert {request.url.host for request in script.requests} == {"a.test"}
    assert {request.url.params["api-version"] for request in script.requests} == {"2026-01-01"}


def test_subclasses(answering: Callable[..., Any]) -> None:
    """A subclass of the user's keeps its class, and its own methods get strict responses."""

    class Mine(openai.OpenAI):
        def ask(self) -> Response:
            return self.responses.retrieve("resp_1")

    base = answering(lambda request: reply(FAILED))
    mine = Mine(api_key="any", base_url=base.base_url, http_client=base._client)
    assert mine.ask().status == "failed"
    for client in (strict_client(mine), strict_client(mine).with_options(max_retries=0)):
        assert type(client) is Mine
        with pytest.raises(openai.RateLimitError):
            client.ask()


def test_other_responses_are_refused(answering: Callable[..., Any]) -> None:
    """A client whose `responses` are somebody else's is refused: they would be lost."""
    base = answering(lambda request: reply(FAILED))

    class Settled(openai.OpenAI):
        @property
        def responses(self) -> Any:
            return Responses(self)

    class Other(openai.OpenAI):
        @property
        def responses(self) -> Any:
            return object()

    for cls, words in ((Settled, "cannot be set"), (Other, "not the SDK's own")):
        with pytest.raises(TypeError, match=words):
            strict_client(cls(api_key="any", http_client=base._client))


@pytest.mark.parametrize("client", [openai.OpenAI, openai, None, "sk-secret", object()])
def test_no_client(client: Any) -> None:
    """What is no client is a TypeError, and the message does not quote it."""
    with pytest.raises(TypeError, match="OpenAI or AsyncOpenAI client") as raised:
        strict_client(client)
    assert "sk-secret" not in str(raised.value)


def test_wrong_options(answering: Callable[..., Any]) -> None:
    """Other words in `accept` and `require` are a ValueError, and another catalog a TypeError."""
    client = answering(lambda request: reply(FAILED))
    with pytest.raises(ValueError, match="accept takes"):
        strict_client(client, accept="failed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="require is"):
        strict_client(client, require="text")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="catalog is"):
        strict_client(client, catalog={})  # type: ignore[arg-type]


def test_signatures(strict: Strict) -> None:
    """The methods have the signature and the documentation of the SDK's, for tools that look at them."""
    own = strict(answers(FAILED))
    for name in ("create", "parse", "retrieve"):
        ours, theirs = getattr(own.client.responses, name), getattr(own.plain.responses, name)
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert ours.__doc__ == theirs.__doc__


def test_no_prompt_in_frames(strict: Strict) -> None:
    """The frames of ours that an error passes through hold no prompt and no output."""
    own = strict(answers(FAILED))
    with pytest.raises(RunError) as raised:
        own.call("create", **PARAMS)
    frames = [entry.frame for entry in raised.traceback if "/runoutcome/" in str(entry.path)]
    assert frames
    assert not any(PARAMS["input"] in repr(frame.f_locals) for frame in frames)


def test_runs_over_a_strict_client(worlds: OpenWorld) -> None:
    """`Runs` waits, resubmits and cancels over a strict client as over a plain one."""
    for outcome in ("completed", "server_error"):
        world = worlds()
        plain = world.client
        world.client = lambda plain=plain: strict_client(plain())  # type: ignore[method-assign,misc]
        if outcome == "completed":
            assert world.create_and_poll(outcome).status == "completed"
            continue
        with pytest.raises(openai.InternalServerError) as raised:
            world.create_and_poll(outcome, resubmit=1)
        error: Any = raised.value
        assert (len(world.posts), len(error.attempts), error.run_token is not None) == (2, 2, True)


def test_create_of_runs_over_a_strict_client(worlds: OpenWorld) -> None:
    """A create that is answered with a failed run is judged once, by `Runs`, with its token."""
    script = Script([reply(FAILED)])
    world = worlds(answer=script)
    plain = world.client
    world.client = lambda: strict_client(plain())  # type: ignore[method-assign]
    assert world.create().status == "failed", "create returns what it is told, as over a plain client"
    with pytest.raises(openai.RateLimitError) as raised:
        world.call("create_and_poll", **PARAMS)
    error: Any = raised.value
    assert error.run_token is not None


def test_a_loop_of_the_user(worlds: OpenWorld) -> None:
    """A loop written by hand ends with the run's exception, and does not ask about the dead run again."""
    world = worlds()
    run_id = world.submitted("rate_limit_exceeded")

    async def poll(client: Any) -> None:
        try:
            while True:
                result = client.responses.retrieve(run_id)
                if inspect.isawaitable(result):
                    await result
                world.clock.advance(1.0)
        finally:
            closed = client.close()
            if inspect.isawaitable(closed):
                await closed

    with pytest.raises(openai.RateLimitError) as raised:
        asyncio.run(poll(strict_client(world.client())))
    assert isinstance(raised.value, RunError)
    polls = len(world.polls)
    assert world.status_of(run_id) == "failed"
    assert len(world.polls) == polls + 1
