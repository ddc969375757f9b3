"""The guarded create: what goes out on the wire, what is sent again, and what must never be."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response

from colours import (
    COLOURS,
    PARAMS,
    OpenWorld,
    RawServer,
    Script,
    World,
    body_of,
    closed_port,
    keys_of,
    open_worlds,
    refusal,
    reply,
)
from runoutcome import AsyncRuns, RunRateLimitError, Runs, SubmissionUnknownError, is_retryable
from runoutcome._sdk.responses import native_http_library
from runoutcome.testing import OutcomeScript, Scenario, parse_fault

worlds = pytest.fixture(params=COLOURS)(open_worlds)
http: Any = native_http_library()
CREATED = body_of("queued")


def with_create_faults(*faults: Any) -> Scenario:
    """Every run completes; the POSTs of a request meet these faults first."""
    return Scenario(outcomes=(OutcomeScript("faulty", create_faults=tuple(parse_fault(fault) for fault in faults)),))


# On the wire


def test_a_create_is_in_the_background_stored_and_marked(worlds: OpenWorld) -> None:
    """`background`, `store`, the key in the metadata and the same key as `Idempotency-Key` are really sent."""
    world = worlds()
    response = world.create()
    (run,) = world.emulator.runs
    assert isinstance(response, Response)
    assert (response.id, response.status) == (run.id, "queued")
    assert (run.request["background"], run.request["store"]) == (True, True)
    assert run.runoutcome_key is not None
    assert run.runoutcome_key.endswith("-1")
    assert keys_of(world.posts) == [run.runoutcome_key]
    assert world.polls == []


def test_every_create_has_a_key_of_its_own(worlds: OpenWorld) -> None:
    """The key is a nonce, never made from the body: the same request twice is two runs."""
    world = worlds()
    world.create()
    world.create()
    assert len({run.runoutcome_key for run in world.emulator.runs}) == 2


def test_metadata_of_the_user_is_kept(worlds: OpenWorld) -> None:
    """The key is added to a copy: the user's own pairs are sent, and his dict is not touched."""
    world = worlds()
    metadata, headers = {"team": "a", "job": "7"}, {"X-Mine": "1"}
    world.create(metadata=metadata, extra_headers=headers)
    sent = world.emulator.runs[0].request["metadata"]
    assert {name: sent[name] for name in ("team", "job")} == {"team": "a", "job": "7"}
    assert set(sent) == {"team", "job", "runoutcome_key"}
    assert (metadata, headers) == ({"team": "a", "job": "7"}, {"X-Mine": "1"})


@pytest.mark.parametrize(("pairs", "marked"), [(15, True), (16, False)])
def test_a_key_needs_room_in_the_metadata(worlds: OpenWorld, pairs: int, marked: bool) -> None:
    """16 pairs are the API's limit: with all of them used the key goes out as `Idempotency-Key` only."""
    world = worlds()
    world.create(metadata={f"k{number}": "v" for number in range(pairs)})
    (run,) = world.emulator.runs
    assert len(run.request["metadata"]) == 16
    assert (run.runoutcome_key is not None) is marked
    assert keys_of(world.posts) != [None]


@pytest.mark.parametrize("others", [0, 15])
def test_the_users_own_key_is_the_base(worlds: OpenWorld, others: int) -> None:
    """A `runoutcome_key` of the user's is kept, with the attempt number behind it."""
    world = worlds()
    world.create(metadata={**{f"k{number}": "v" for number in range(others)}, "runoutcome_key": "invoice/7"})
    assert world.emulator.runs[0].runoutcome_key == "invoice/7-1"
    assert keys_of(world.posts) == ["invoice/7-1"]


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
def test_the_users_own_idempotency_key_is_kept(worlds: OpenWorld, name: str) -> None:
    """An `Idempotency-Key` of the user's is the one that is sent."""
    world = worlds()
    world.create(extra_headers={name: "mine"})
    assert keys_of(world.posts) == ["mine"]


def test_a_key_that_is_no_header_text_is_quoted(worlds: OpenWorld) -> None:
    """The metadata holds the key as it is, the header an ASCII form of it."""
    world = worlds()
    world.create(metadata={"runoutcome_key": "büro\n7"})
    assert world.emulator.runs[0].runoutcome_key == "büro\n7-1"
    assert keys_of(world.posts) == ["b%C3%BCro%0A7-1"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, (True, True)),
        ({"background": False}, (False, True)),
        ({"background": False, "store": False}, (False, False)),
    ],
)
def test_background_and_store_of_the_user_are_respected(
    worlds: OpenWorld, given: dict[str, bool], sent: tuple[bool, bool]
) -> None:
    """`background` and `store` are set only where the user says nothing."""
    world = worlds()
    response = world.create(**given)
    request = world.emulator.runs[0].request
    assert (request["background"], request["store"]) == sent
    assert response.status == ("queued" if sent[0] else "completed")


@pytest.mark.parametrize("method", ["create", "create_and_poll"])
def test_a_stream_is_refused_before_any_request(worlds: OpenWorld, method: str) -> None:
    """`stream=True` makes no run that can be polled: ValueError, and nothing is called or sent."""
    world = worlds()
    called: list[str] = []
    callbacks = {"on_submitting": called.append} if method == "create_and_poll" else {}
    with pytest.raises(ValueError, match="stream"):
        world.call(method, **PARAMS, stream=True, **callbacks)
    assert (world.emulator.requests, called) == ([], [])


def test_omitted_parameters_are_as_if_left_out(worlds: OpenWorld) -> None:
    """The SDK's own "not given" values are understood."""
    world = worlds()
    left_out = openai.NOT_GIVEN
    response = world.create(metadata=left_out, extra_headers=None, stream=left_out, instructions=left_out)
    assert response.status == "queued"
    assert set(world.emulator.runs[0].request["metadata"]) == {"runoutcome_key"}


# Proven not accepted


@pytest.mark.parametrize("max_retries", [0, 2])
def test_a_refused_connection_is_tried_again(worlds: OpenWorld, max_retries: int) -> None:
    """No connection was made, so it is tried `max_retries` times more, by the SDK's back-off, then its own error."""
    world = worlds(base_url=closed_port(), max_retries=max_retries)
    with pytest.raises(openai.APIConnectionError):
        world.create()
    assert len(world.sleeps) == max_retries


CONNECT_ERRORS = [http.ConnectError("refused"), http.ConnectTimeout("slow"), http.PoolTimeout("busy")]


@pytest.mark.parametrize("error", CONNECT_ERRORS, ids=lambda error: type(error).__name__)
def test_what_never_left_is_sent_again(worlds: OpenWorld, error: Exception) -> None:
    """DNS, connect and pool failures prove that nothing was accepted."""
    script = Script([error, error, reply(CREATED)])
    world = worlds(answer=script)
    assert world.create().id == "resp_1"
    assert len(script.requests) == 3
    assert 0.375 <= world.sleeps[0] <= 0.5 < 0.75 <= world.sleeps[1] <= 1.0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("409", openai.ConflictError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("503", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_an_envelope_that_may_pass_is_sent_again(
    worlds: OpenWorld, fault: str, error: type[Exception], max_retries: int
) -> None:
    """409, 429, 500 and 503 in the API's own envelope are sent again `max_retries` times, then the SDK's own error."""
    world = worlds(max_retries=max_retries)
    with pytest.raises(error) as caught:
        world.create(metadata={"emulate_create": ",".join([fault] * 10)})
    assert type(caught.value).__module__ == "openai"
    assert [post.status for post in world.posts] == [int(fault)] * (max_retries + 1)
    assert len(world.sleeps) == max_retries
    assert world.emulator.runs == []


def test_one_run_comes_of_a_create_that_is_sent_again(worlds: OpenWorld) -> None:
    """After proven refusals the same create is sent with the same key, and one run is made."""
    world = worlds()
    response = world.create(metadata={"emulate_create": "503,429"})
    assert [post.status for post in world.posts] == [503, 429, 200]
    assert [run.id for run in world.emulator.runs] == [response.id]
    assert len(set(keys_of(world.posts))) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (402, openai.APIStatusError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
    ],
)
def test_a_refusal_is_raised_at_once(worlds: OpenWorld, status: int, error: type[Exception]) -> None:
    """Other 4xx are the SDK's own error after one POST."""
    world = worlds()
    with pytest.raises(error) as caught:
        world.create(metadata={"emulate_create": f"{status},{status}"})
    assert type(caught.value) is error
    assert (len(world.posts), world.sleeps) == (1, [])


@pytest.mark.parametrize("code", ["insufficient_quota", "credit_balance_exhausted"])
def test_an_empty_account_is_not_asked_again(worlds: OpenWorld, code: str) -> None:
    """A 429 about quota or credit is raised at once: the SDK would send it twice more."""
    world = worlds(with_create_faults({"status": 429, "code": code}))
    with pytest.raises(openai.RateLimitError) as caught:
        world.create()
    assert caught.value.code == code
    assert len(world.posts) == 1


@pytest.mark.parametrize(("retry_after", "slept"), [(7, 7.0), (0.25, 0.25), (119, 119.0)])
def test_retry_after_is_honoured(worlds: OpenWorld, retry_after: float, slept: float) -> None:
    """The server's wish is the delay before the POST is sent again, as in the SDK."""
    world = worlds(with_create_faults({"status": 503, "retry_after": retry_after}))
    world.create()
    assert world.sleeps == [slept]


def test_a_retry_after_of_nothing_is_no_wish(worlds: OpenWorld) -> None:
    """`Retry-After: 0` means the SDK's own back-off, not a spin."""
    world = worlds(with_create_faults({"status": 503, "retry_after": 0}))
    world.create()
    assert 0.375 <= world.sleeps[0] <= 0.5


def test_a_retry_after_beyond_reason_is_raised(worlds: OpenWorld) -> None:
    """Above two minutes the SDK gives up, and so does a create."""
    world = worlds(with_create_faults({"status": 429, "retry_after": 121}))
    with pytest.raises(openai.RateLimitError):
        world.create()
    assert (len(world.posts), world.sleeps) == (1, [])


def test_the_server_may_forbid_another_post(worlds: OpenWorld) -> None:
    """`x-should-retry: false` ends it after one POST, whatever the status."""
    script = Script([refusal(429, x_should_retry="false")])
    with pytest.raises(openai.RateLimitError):
        worlds(answer=script).create()
    assert len(script.requests) == 1


def test_the_server_may_ask_for_another_post(worlds: OpenWorld) -> None:
    """`x-should-retry: true` sends a refusal again that would be final otherwise."""
    script = Script([refusal(400, x_should_retry="true"), reply(CREATED)])
    assert worlds(answer=script).create().id == "resp_1"
    assert len(script.requests) == 2


@pytest.mark.parametrize("text", ['{"detail": "no"}', "<html>no</html>", ""])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422, 451])
def test_a_4xx_about_the_request_is_a_refusal_in_any_form(worlds: OpenWorld, status: int, text: str) -> None:
    """The request was bad, whoever says it: the SDK's own error, at once."""
    script = Script([reply(None, status, text, x_should_retry="true")])
    with pytest.raises(openai.APIStatusError) as caught:
        worlds(answer=script).create()
    assert caught.value.status_code == status
    assert script.methods == ["POST"]


# Ambiguous


def ambiguous(world: World, **params: Any) -> SubmissionUnknownError:
    """The error of a create that may have gone through, checked for what they all have."""
    with pytest.raises(SubmissionUnknownError) as caught:
        world.create(**params)
    error = caught.value
    assert error.key is not None
    assert error.key in str(error)
    assert (error.retryable, is_retryable(error), error.token) == (False, False, None)
    assert world.sleeps == []
    return error


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("500-html", openai.InternalServerError),
        ("502-html", openai.InternalServerError),
        ("504-html", openai.InternalServerError),
        ("lost", openai.APIConnectionError),
        ("cut", ValueError),
        ("empty", ValueError),
        ("no-id", type(None)),
        ("html", type(None)),
    ],
)
def test_a_create_that_may_have_gone_through_is_not_sent_again(
    worlds: OpenWorld, fault: str, cause: type[BaseException]
) -> None:
    """After an ambiguous answer: `SubmissionUnknownError` with the run's key, one POST, one paid run."""
    world = worlds()
    error = ambiguous(world, metadata={"emulate_create": f"{fault},ok"})
    assert isinstance(error.__cause__, cause)
    assert len(world.posts) == 1
    assert [run.runoutcome_key for run in world.emulator.runs] == [error.key]


def test_a_page_of_a_proxy_is_ambiguous_even_if_nothing_was_made(worlds: OpenWorld) -> None:
    """A 502 page does not say whether the request was passed on, so it is not sent again either."""
    world = worlds()
    ambiguous(world, metadata={"emulate_create": "502-html-rejected,ok"})
    assert (len(world.posts), world.emulator.runs) == (1, [])


@pytest.mark.parametrize(
    ("status", "text"),
    [
        *((status, text) for status in (409, 429) for text in ('{"detail": "slow"}', '{"error": "slow"}', "<html>")),
        *((status, text) for status in (408, 499) for text in ('{"error": {"message": "m"}}', "<html>")),
        *((status, "{}") for status in (300, 302, 304)),
    ],
)
def test_an_answer_that_is_not_about_the_request_is_ambiguous(worlds: OpenWorld, status: int, text: str) -> None:
    """Such an answer of something in between may come after the API has read the request."""
    script = Script([reply(None, status, text, x_should_retry="true")])
    ambiguous(worlds(answer=script))
    assert script.methods == ["POST"]


def test_a_page_of_a_limit_is_ambiguous_even_if_nothing_was_made(worlds: OpenWorld) -> None:
    """A 429 page does not say whether the API has read the request."""
    world = worlds()
    ambiguous(world, metadata={"emulate_create": "429-html-rejected,ok"})
    assert (len(world.posts), world.emulator.runs) == (1, [])


def test_a_redirect_to_the_same_url_is_a_redirect(worlds: OpenWorld) -> None:
    """The first server has read the request, also if the next hop, to the same URL, makes no connection."""
    script = Script([reply(None, 307, "{}", location="https://api.example.test/v1/responses"), CONNECT_ERRORS[0]])
    ambiguous(worlds(answer=script))
    assert script.methods == ["POST", "POST"]


def test_a_read_timeout_is_ambiguous(worlds: OpenWorld) -> None:
    """An answer that does not come within the client's timeout: the run is made, and is not made again."""
    world = worlds(timeout=0.2)
    error = ambiguous(world, metadata={"emulate_create": "stall,ok"})
    assert isinstance(error.__cause__, openai.APITimeoutError)
    assert (len(world.posts), len(world.emulator.runs)) == (1, 1)


LATE_ERRORS = [
    http.ReadTimeout("late"),
    http.WriteTimeout("late"),
    http.ReadError("reset"),
    http.WriteError("reset"),
    http.RemoteProtocolError("closed"),
]


@pytest.mark.parametrize("late", LATE_ERRORS, ids=lambda error: type(error).__name__)
def test_what_breaks_after_sending_is_ambiguous(worlds: OpenWorld, late: Exception) -> None:
    """Whatever breaks once a connection was there leaves open whether the run was made."""
    script = Script([late])
    error = ambiguous(worlds(answer=script))
    assert isinstance(error.__cause__, openai.APIConnectionError)
    assert error.__cause__.__cause__ is late
    assert len(script.requests) == 1


@pytest.mark.parametrize("word", ["Event loop is closed", "Task <x> got Future <y> attached to a different loop"])
def test_a_connection_of_a_loop_that_has_ended_is_ambiguous(worlds: OpenWorld, word: str) -> None:
    """What a second `asyncio.run` over one client meets may come after the POST has been sent."""
    script = Script([RuntimeError(word)])
    ambiguous(worlds(answer=script))
    assert len(script.requests) == 1


def test_an_answer_that_breaks_off_is_ambiguous(worlds: OpenWorld) -> None:
    """A 200 whose body stops in the middle: the run is made, and is not made again."""

    def break_off(connection: socket.socket, head: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{")

    with RawServer(break_off) as server:
        error = ambiguous(worlds(base_url=server.base_url))
    assert isinstance(error.__cause__, openai.APIConnectionError)
    assert [head.split()[0] for head in server.requests] == ["POST"]


def test_a_refusal_proves_nothing_about_the_next_post(worlds: OpenWorld) -> None:
    """A proven refusal is sent again; if that POST is ambiguous, it ends there."""
    world = worlds()
    with pytest.raises(SubmissionUnknownError):
        world.create(metadata={"emulate_create": "503,lost,ok"})
    assert ([post.status for post in world.posts], len(world.emulator.runs)) == ([503, None], 1)


def test_a_refusal_that_is_cut_off_is_ambiguous(worlds: OpenWorld) -> None:
    """A 5xx whose envelope cannot be read is not the API's own word."""
    script = Script([reply(None, 503, '{"error": {"message": "It is')])
    ambiguous(worlds(answer=script))
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("options", "params"),
    [
        ({"default_headers": {"X-Team": "a\nb"}}, {}),
        ({}, {"metadata": {"runoutcome_key": " leading space"}}),
    ],
    ids=["header", "key"],
)
def test_a_request_that_cannot_be_written_is_not_ambiguous(
    worlds: OpenWorld, options: dict[str, Any], params: dict[str, Any]
) -> None:
    """A header that no HTTP library sends proves that nothing was sent."""
    with pytest.raises(openai.APIConnectionError) as caught:
        worlds(**options).create(**params)
    assert type(caught.value) is openai.APIConnectionError


# Not ours


class Killed(BaseException):
    """What Ctrl-C is; a class of its own, so that a test cannot end the tests."""


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, Killed])
def test_an_interruption_in_the_post_goes_through(worlds: OpenWorld, interruption: type[BaseException]) -> None:
    """What is no answer of the network is raised as it is, after one POST, with the key to look for."""
    script = Script([interruption()])
    with pytest.raises(interruption) as caught:
        worlds(answer=script).create(metadata={"runoutcome_key": "mine"})
    assert caught.value.run_key == "mine-1"  # type: ignore[attr-defined]
    assert len(script.requests) == 1


def test_an_error_of_the_users_own_goes_through(worlds: OpenWorld) -> None:
    """Parameters the SDK itself refuses raise its own TypeError, and nothing is sent."""
    world = worlds()
    with pytest.raises(TypeError):
        world.create(no_such_parameter=1)
    assert world.emulator.requests == []


def test_a_body_that_cannot_be_encoded_is_no_unknown_submission(worlds: OpenWorld) -> None:
    """Half an emoji in the input is a UnicodeEncodeError before anything is sent."""
    world = worlds()
    with pytest.raises(UnicodeEncodeError):
        world.create(input="\ud83d")
    assert world.emulator.requests == []


def test_a_cancelled_post_goes_through_with_its_key() -> None:
    """Cancelling the task of an async create in the middle of its POST leaves the key to look for, no second POST."""
    world = World("async")
    errors: list[Any] = []

    async def main() -> None:
        sending = asyncio.Event()

        async def hold(request: Any) -> None:
            sending.set()
            await asyncio.Event().wait()

        async def create(client: AsyncOpenAI) -> None:
            try:
                await AsyncRuns(client).create(**PARAMS)
            except asyncio.CancelledError as error:  # outside the task Python 3.10 makes a new one
                errors.append(error)
                raise

        world.hooks.append(hold)
        async with world.client() as client:
            task = asyncio.ensure_future(create(client))
            await sending.wait()
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(main())
    world.close()
    assert errors[0].run_key.endswith("-1")
    assert world.emulator.requests == []


# The user's client


def test_the_users_client_settings_hold_for_every_request(worlds: OpenWorld) -> None:
    """Base URL with a path prefix, own headers, query and organization are on POST, poll and cancel alike."""
    script = Script([reply(CREATED), "completed", "cancelled"])
    world = worlds(
        answer=script,
        base_url="https://gateway.example.test/some/prefix/v1/",
        default_headers={"X-Team": "seas"},
        default_query={"api-version": "7"},
        organization="org-1",
        project="proj-1",
    )
    world.create_and_poll()
    world.call("cancel", "resp_1")
    assert [(request.method, request.url.path) for request in script.requests] == [
        ("POST", "/some/prefix/v1/responses"),
        ("GET", "/some/prefix/v1/responses/resp_1"),
        ("POST", "/some/prefix/v1/responses/resp_1/cancel"),
        ("GET", "/some/prefix/v1/responses/resp_1"),
    ]
    for request in script.requests:
        assert request.url.host == "gateway.example.test"
        assert request.url.params["api-version"] == "7"
        assert request.headers["x-team"] == "seas"
        assert request.headers["openai-organization"] == "org-1"
        assert request.headers["openai-project"] == "proj-1"
        assert request.headers["authorization"] == "Bearer sk-secret-key"


@pytest.mark.skipif("admin_api_key" not in openai.OpenAI.__init__.__kwdefaults__, reason="this SDK knows no admin key")
def test_an_admin_key_is_never_sent(worlds: OpenWorld) -> None:
    """A client that also holds an admin key polls with its ordinary one."""
    script = Script([reply(CREATED), "completed", "cancelled"])
    world = worlds(answer=script, admin_api_key="sk-admin")
    world.create_and_poll()
    world.call("cancel", "resp_1")
    assert [request.headers["authorization"] for request in script.requests] == ["Bearer sk-secret-key"] * 4


@pytest.mark.skipif("admin_api_key" not in openai.OpenAI.__init__.__kwdefaults__, reason="this SDK knows no admin key")
def test_an_admin_key_alone_makes_no_poll(worlds: OpenWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that holds nothing but an admin key fails as `responses.retrieve` does, and sends nothing."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    script = Script(["completed"])
    world = worlds(answer=script, api_key=None, admin_api_key="sk-admin")
    with pytest.raises(TypeError, match="authentication"):
        world.call("poll", "resp_1")
    assert script.requests == []


def test_an_azure_client_will_do(worlds: OpenWorld) -> None:
    """Azure's clients create, poll and cancel with their own key header and API version."""
    script = Script([reply(CREATED), "completed", "cancelled"])
    world = worlds(
        answer=script, client_class="AzureOpenAI", base_url="https://x.example.test/openai/v1", api_version="preview"
    )
    assert world.create_and_poll().status == "completed"
    world.call("cancel", "resp_1")
    assert [request.headers["api-key"] for request in script.requests] == ["sk-secret-key"] * 4
    assert {request.url.params["api-version"] for request in script.requests} == {"preview"}
    # Whether the key is sent as a bearer token too depends on the SDK; a poll does as the POST does.
    assert len({request.headers.get("authorization") for request in script.requests}) == 1


def test_a_client_is_left_as_it_is(worlds: OpenWorld) -> None:
    """The user's client keeps its own retries: they are switched off for single requests only."""
    world = worlds()
    client = world.client()
    before = client.max_retries
    try:
        world.runs(client)
        assert client.max_retries == before == 2
    finally:
        client.close() if world.colour == "sync" else asyncio.run(client.close())


def test_each_colour_takes_its_own_client() -> None:
    """`Runs` takes a sync client and `AsyncRuns` an async one; the other kind is a TypeError that says so."""
    with OpenAI(api_key="k") as client, pytest.raises(TypeError, match="AsyncOpenAI"):
        AsyncRuns(client)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="AsyncRuns"):
        Runs(AsyncOpenAI(api_key="k"))  # type: ignore[arg-type]


def test_a_run_that_ends_in_its_create_is_accepted(worlds: OpenWorld) -> None:
    """A create in the foreground answers with the end: it is judged like any body, without a poll."""
    world = worlds()
    assert world.create_and_poll("completed", background=False).status == "completed"
    with pytest.raises(RunRateLimitError) as caught:
        world.create_and_poll("rate_limit_exceeded", background=False)
    assert caught.value.poll_status_code == 200
    assert world.polls == []
