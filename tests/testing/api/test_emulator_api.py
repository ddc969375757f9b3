"""What the API refuses, and how."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError

import openai
import pytest
from openai import OpenAI
from openai.types.responses import ResponseItemList

from runoutcome.testing import Emulator


def send(
    emulator: Emulator,
    data: bytes | None,
    headers: Mapping[str, str],
    path: str = "/responses",
    method: str | None = None,
) -> Any:
    """Status and JSON of a plain HTTP request, for what the SDK's client cannot be made to send."""
    request = urllib.request.Request(emulator.base_url + path, data, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


KEY = {"Authorization": "Bearer any"}
GOOD = json.dumps({"model": "gpt-5", "input": "hi"}).encode()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic abc"}])
def test_a_request_without_a_key_is_refused(emulator: Emulator, headers: dict[str, str]) -> None:
    """No token is a 401 in the API's envelope."""
    status, body = send(emulator, GOOD, headers)
    assert status == 401
    assert body["error"].pop("message")
    assert body == {"error": {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}}


@pytest.mark.parametrize("headers", [KEY, {"api-key": "any"}])
def test_any_key_will_do(emulator: Emulator, headers: dict[str, str]) -> None:
    """Any bearer token, or an `api-key` header, is accepted."""
    assert send(emulator, GOOD, headers)[0] == 200


@pytest.mark.parametrize("data", [b"{", b"[]", b'"x"', b"\xff", b""])
def test_a_body_that_is_no_json_object_is_refused(emulator: Emulator, data: bytes) -> None:
    """Malformed JSON is a 400 in the API's envelope."""
    status, body = send(emulator, data, KEY)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"background": "yes"}, "background"),
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["hi"]}, "input[0]"),
        ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
        ({"include": ["everything"]}, "include[0]"),
        ({"include": [5]}, "include[0]"),
        ({"previous_response_id": "resp_x"}, "previous_response_id"),
        ({"max_output_tokens": 15}, "max_output_tokens"),
        ({"max_output_tokens": "20"}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"truncation": "some"}, "truncation"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": "json"}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"properties": 5}}}},
            "text.format.schema",
        ),
        ({"extra_body": {"background_options": {"completion_window": "1h"}}}, "background_options.completion_window"),
        ({"extra_body": {"background_options": {"completion_window": "2h"}}}, "background_options"),
        (
            {"background": True, "stream": True, "extra_body": {"background_options": {"completion_window": "8h"}}},
            "stream",
        ),
        ({"tools": [{"name": "look"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": {"properties": 5}}]}, "tools[0].parameters"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "look"}}, "tool_choice"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"metadata": {"k" * 65: "v"}}, "metadata." + "k" * 64),
        ({"metadata": {str(n): "v" for n in range(17)}}, "metadata"),
        ({"tools": ["look"]}, "tools[0]"),
        ({"reasoning": "much"}, "reasoning"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(
    client: OpenAI, emulator: Emulator, params: dict[str, Any], param: str
) -> None:
    """A 400 names the parameter, and no run is created."""
    before = len(emulator.runs)
    arguments: dict[str, Any] = {"model": "gpt-5", "input": "hi", **params}
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**arguments)
    assert caught.value.param == param
    assert len(emulator.runs) == before


def test_metadata_at_its_limits_is_accepted(client: OpenAI) -> None:
    """16 pairs, keys of 64 and values of 512 characters are within bounds."""
    metadata = {f"{n:064}": "v" * 512 for n in range(16)}
    assert client.responses.create(model="gpt-5", input="hi", metadata=metadata).metadata == metadata


def test_a_previous_response_has_to_be_known(client: OpenAI) -> None:
    """A run can follow one the server has; any other id is a 400 with a code of its own."""
    first = client.responses.create(model="gpt-5", input="hi")
    second = client.responses.create(model="gpt-5", input="and?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="gpt-5", input="and?", previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_found"


def test_a_stored_prompt_stands_in_for_model_and_input(client: OpenAI) -> None:
    """A body with only a `prompt` is accepted, and answered by some model."""
    run = client.responses.create(prompt={"id": "pmpt_1", "variables": {"city": "Paris"}})
    assert (run.status, bool(run.model)) == ("completed", True)
    assert run.prompt is not None
    assert run.prompt.id == "pmpt_1"


@pytest.mark.parametrize(
    "data",
    [
        b'{"model": "m", "input": "hi", "temperature": NaN}',
        b'{"model": "m", "input": "hi", "reasoning": {"x": 1e999}}',
        b'{"model": "m", "input": "\\ud800"}',
        b"[" * 100_000,
    ],
)
def test_json_that_could_not_be_sent_back_is_refused(emulator: Emulator, data: bytes) -> None:
    """Numbers that are none, half a surrogate pair and bottomless nesting are a 400."""
    assert send(emulator, data, KEY)[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nothing", 404, "Invalid URL (GET /v1/nothing)"),
        ("GET", "/responses/resp_x/retrieve", 404, "Invalid URL (GET /v1/responses/resp_x/retrieve)"),
        ("GET", "/responses", 405, "Not allowed to GET on /v1/responses."),
        ("PUT", "/responses/resp_x", 405, "Not allowed to PUT on /v1/responses/resp_x."),
        ("GET", "/responses/resp_x/cancel", 405, "Not allowed to GET on /v1/responses/resp_x/cancel."),
        ("OPTIONS", "/models", 405, "Not allowed to OPTIONS on /v1/models."),
    ],
)
def test_paths_and_methods_that_are_not_there(
    emulator: Emulator, method: str, path: str, status: int, message: str
) -> None:
    """An unknown path is a 404, a known one under another method a 405, both in the API's envelope."""
    answered, body = send(emulator, None, KEY, path, method)
    assert (answered, body["error"]["message"]) == (status, message)


def test_a_deleted_run_is_not_found(client: OpenAI, emulator: Emulator) -> None:
    """A delete says what was deleted; afterwards the id is unknown to every route, and the run was paid for."""
    run = client.responses.create(model="gpt-5", input="hi", background=True)
    status, body = send(emulator, None, KEY, f"/responses/{run.id}", "DELETE")
    assert (status, body) == (200, {"id": run.id, "object": "response", "deleted": True})
    for ask in (
        client.responses.retrieve,
        client.responses.cancel,
        client.responses.delete,
        client.responses.input_items.list,
    ):
        with pytest.raises(openai.NotFoundError):
            ask(run.id)
    assert emulator.runs[-1].id == run.id
    routes = [request.route for request in emulator.requests[-5:]]
    assert routes == ["delete", "poll", "cancel", "delete", "input_items"]


CONVERSATION: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "Where is it?"}]},
    {"role": "assistant", "content": "Let me look."},
    {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "Paris"},
]


def test_the_input_of_a_run_is_listed(client: OpenAI, emulator: Emulator) -> None:
    """Every item comes with an id, the latest first, each valid for the SDK."""
    run = client.responses.create(model="gpt-5", input=CONVERSATION)
    page = send(emulator, None, KEY, f"/responses/{run.id}/input_items")[1]
    ResponseItemList.model_validate(page)
    kinds = [item["type"] for item in page["data"]]
    assert kinds == ["function_call_output", "function_call", "message", "message", "message"]
    assert page["data"][-1]["content"] == [{"type": "input_text", "text": "Be brief."}]
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_client_pages_through_the_input(client: OpenAI, order: Any) -> None:
    """Page by page the client gets every item once, in order."""
    run = client.responses.create(model="gpt-5", input=CONVERSATION)
    whole = [item.id for item in client.responses.input_items.list(run.id, order=order)]
    paged = [item.id for item in client.responses.input_items.list(run.id, order=order, limit=2)]
    assert len(paged) == 5
    assert paged == whole


@pytest.mark.parametrize(("query", "param"), [("limit=0", "limit"), ("limit=101", "limit"), ("after=x", "after")])
def test_a_page_that_cannot_be_is_refused(client: OpenAI, emulator: Emulator, query: str, param: str) -> None:
    """Limits run from 1 to 100, and a cursor is an item of the run."""
    run = client.responses.create(model="gpt-5", input="hi")
    status, body = send(emulator, None, KEY, f"/responses/{run.id}/input_items?{query}")
    assert (status, body["error"]["param"]) == (400, param)


def test_models_can_be_found(client: OpenAI, emulator: Emulator) -> None:
    """Models are listed and retrieved; another name is a 404 with the API's code."""
    names = [model.id for model in client.models.list()]
    assert client.models.retrieve(names[0]).id == names[0]
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("none")
    assert caught.value.code == "model_not_found"
    assert {request.route for request in emulator.requests[-3:]} == {"models"}


def test_creates_use_up_the_rate_limits(client: OpenAI) -> None:
    """Each create says what is left of a limit: one request and some tokens less than before."""
    first, second = (
        client.responses.with_raw_response.create(model="gpt-5", input="hello there").headers for _ in range(2)
    )
    for kind in ("requests", "tokens"):
        left = [int(headers[f"x-ratelimit-remaining-{kind}"]) for headers in (first, second)]
        assert int(first[f"x-ratelimit-limit-{kind}"]) > left[0] > left[1]
        assert first[f"x-ratelimit-reset-{kind}"].endswith("s")


def test_every_answer_has_the_headers_of_the_api(client: OpenAI) -> None:
    """Good answers and errors carry a request id of their own, and the processing time."""
    good = client.responses.with_raw_response.create(model="gpt-5", input="hi").headers
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve("resp_x")
    bad = caught.value.response.headers
    for headers in (good, bad):
        assert headers["x-request-id"].startswith("req_")
        assert int(headers["openai-processing-ms"]) >= 0
        assert headers["openai-version"] == "2020-10-01"
        assert headers["openai-organization"]
    assert good["x-request-id"] != bad["x-request-id"]
    assert caught.value.request_id == bad["x-request-id"]


@pytest.mark.parametrize(
    ("params", "param", "said"),
    [
        (
            {"metadata": {"emulate": "complted"}},
            "metadata.emulate",
            r"did you mean 'completed'\? Or: failed:CODE, .*, any row of `runoutcome catalog`",
        ),
        ({"metadata": {"emulate": "completed,,failed"}}, "metadata.emulate", "empty item"),
        ({"metadata": {"emulate": "failed:"}}, "metadata.emulate", "failed:CODE"),
        ({"model": "emulate-nothing"}, "model", "Allowed: completed, cancelled,"),
        ({"model": "emulate-compleeted"}, "model", "unknown outcome 'compleeted'; did you mean 'completed'?"),
        ({"metadata": {"emulate_create": "503,x"}}, "metadata.emulate_create", "unknown fault 'x'"),
    ],
)
def test_a_bad_marker_is_refused_with_what_is_allowed(
    client: OpenAI, params: dict[str, Any], param: str, said: str
) -> None:
    """A marker that names nothing is a 400 with the word and the words that would do."""
    arguments: dict[str, Any] = {"model": "gpt-5", "input": "hi", "background": True, **params}
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        client.responses.create(**arguments)
    assert caught.value.param == param
    assert len(str(caught.value)) < 700
