"""Routes beside those of runs: conversations, counts of tokens, compaction, and the addresses of Azure."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from in_process import Api, Reply

from runoutcome.testing import Emulator

HI = {"role": "user", "content": "hi"}


def ask(api: Api, method: str, path: str, query: bytes = b"", **body: Any) -> Reply:
    """A request with a JSON body."""
    return api.ask(method, path, json.dumps(body).encode() if body else b"", query=query)


def texts(reply: Reply) -> list[str]:
    """The text of each item of a page."""
    return [item["content"][0]["text"] for item in reply.json["data"]]


def test_a_conversation_is_made_read_changed_and_deleted() -> None:
    """It keeps its metadata and its items until it is deleted; no run is made."""
    api = Api()
    made = ask(api, "POST", "/v1/conversations", metadata={"a": "b"}, items=[HI]).json
    assert (made["object"], made["metadata"]) == ("conversation", {"a": "b"})
    path = f"/v1/conversations/{made['id']}"
    assert ask(api, "GET", path).json == made
    assert ask(api, "POST", path, metadata={"c": "d"}).json == {**made, "metadata": {"c": "d"}}
    added = ask(api, "POST", f"{path}/items", items=[{"role": "user", "content": "more"}])
    assert texts(added) == ["more"]
    assert texts(ask(api, "GET", f"{path}/items")) == ["more", "hi"]
    assert texts(ask(api, "GET", f"{path}/items", b"order=asc&limit=1")) == ["hi"]
    item = added.json["data"][0]
    assert ask(api, "GET", f"{path}/items/{item['id']}").json == item
    assert ask(api, "DELETE", f"{path}/items/{item['id']}").json["id"] == made["id"]
    assert texts(ask(api, "GET", f"{path}/items")) == ["hi"]
    assert ask(api, "DELETE", path).json == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
    for method, place in (("GET", path), ("POST", path), ("DELETE", path), ("GET", f"{path}/items/{item['id']}")):
        reply = ask(api, method, place)
        assert (reply.status, made["id"] in reply.json["error"]["message"]) == (404, True)
    assert (api.ledger.runs, {request.route for request in api.requests}) == ([], {"conversations"})


def test_a_conversation_has_the_items_of_its_runs() -> None:
    """Input and output of a run are in its conversation once the run has ended."""
    api = Api()
    made = ask(api, "POST", "/v1/conversations").json
    path = f"/v1/conversations/{made['id']}/items"
    api.create(background=True, conversation=made["id"], model="gpt-4o")
    api.create(background=True, conversation={"id": "conv_other"})
    assert ask(api, "GET", path).json["data"] == []
    api.clock.advance(10)
    items = ask(api, "GET", path, b"order=asc").json["data"]
    assert [item["role"] for item in items] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("method", "place", "body", "param"),
    [
        ("POST", "", {"metadata": {"a": 1}}, "metadata.a"),
        ("POST", "", {"items": "hi"}, "items"),
        ("POST", "/{}/items", {"items": ["hi"]}, "items[0]"),
        ("POST", "/{}/items", {"a": 1}, "items"),
    ],
)
def test_a_wrong_conversation_is_refused(method: str, place: str, body: dict[str, Any], param: str) -> None:
    """A 400 names the parameter."""
    api = Api()
    made = ask(api, "POST", "/v1/conversations").json
    reply = ask(api, method, "/v1/conversations" + place.format(made["id"]), **body)
    assert (reply.status, reply.json["error"]["param"]) == (400, param)


def test_the_tokens_of_an_input_are_counted() -> None:
    """The count grows with the input, as the usage of a run does; nothing else is required."""
    api = Api()
    short, long = (ask(api, "POST", "/v1/responses/input_tokens", input=text).json for text in ("hi", "hi" * 100))
    assert short["object"] == long["object"] == "response.input_tokens"
    assert 0 < short["input_tokens"] < long["input_tokens"]
    assert api.create(input="hi" * 100).json["usage"]["input_tokens"] == long["input_tokens"]
    assert ask(api, "POST", "/v1/responses/input_tokens", input=5).status == 400


def test_an_input_is_compacted() -> None:
    """The user's messages are kept, and one item stands for the rest; it can be sent back."""
    api = Api()
    items = [HI, {"role": "assistant", "content": "hello"}]
    body = ask(api, "POST", "/v1/responses/compact", model="gpt-5", input=items).json
    assert body["object"] == "response.compaction"
    assert [item["type"] for item in body["output"]] == ["message", "compaction"]
    assert body["usage"]["total_tokens"] > 0
    assert api.create(input=body["output"]).status == 200
    assert len(api.ledger.runs) == 1
    assert ask(api, "POST", "/v1/responses/compact", model="gpt-5").status == 400


def test_the_sdk_reads_the_other_routes(emulator: Emulator, client: openai.OpenAI) -> None:
    """The SDK's own methods work, where it has them."""
    if not hasattr(client, "conversations") or not hasattr(client.responses, "input_tokens"):
        pytest.skip("this line of the SDK has no such methods")
    conversation = client.conversations.create(items=[{"type": "message", "role": "user", "content": "hi"}])
    assert [item.type for item in client.conversations.items.list(conversation.id)] == ["message"]
    assert client.responses.input_tokens.count(model="gpt-5", input="hi").input_tokens > 0
    assert client.conversations.delete(conversation.id).deleted


@pytest.mark.parametrize("base", ["/openai/v1", "/openai"])
def test_azures_addresses(emulator: Emulator, base: str) -> None:
    """An Azure client finds the same runs, with a version in the path or in the query."""
    root = emulator.base_url.removesuffix("/v1")
    with openai.OpenAI(base_url=root + base, api_key="any", default_query={"api-version": "preview"}) as client:
        run = client.responses.create(model="gpt-5", input="hi", background=True)
        assert client.responses.retrieve(run.id).id == run.id
    assert emulator.requests[-1].path == f"{base}/responses/{run.id}"
    with openai.AzureOpenAI(azure_endpoint=root, api_key="any", api_version="preview") as azure:
        assert azure.responses.retrieve(run.id).id == run.id
