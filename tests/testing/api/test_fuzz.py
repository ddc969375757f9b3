"""What nobody would send: the emulator answers it as its OpenAPI document says, and never with a fault of its own."""

from __future__ import annotations

import json
import logging
import re
import socket
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings, strategies as st
from in_process import KEY, Api
from jsonschema import Draft202012Validator
from starlette.routing import Route

from runoutcome.testing import Emulator, ScenarioError, load_scenario
from runoutcome.testing._api.openapi import openapi_document
from runoutcome.testing._scenario.outcome_words import outcome_words

DOCUMENT = openapi_document()
HAPPY = load_scenario("happy")
SCHEMAS = DOCUMENT["components"]["schemas"]
API_PATHS = [path for path in DOCUMENT["paths"] if path.startswith("/v1/")]
OPERATIONS = [(path, method) for path in API_PATHS for method in DOCUMENT["paths"][path]]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MARKERS = st.sampled_from(
    [*outcome_words(), "failed:odd", "incomplete:odd", "status:odd", "failed,completed", "nonsense"]
)


def check(name: str) -> Draft202012Validator:
    """Validates against a schema of the document."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


# By the document; rarely drawn otherwise.
FORBIDDEN: list[dict[str, Any]] = [
    {"metadata": {str(number): "" for number in range(17)}},
    {"metadata": {"k": 1}},
    {"metadata": {"k" * 65: ""}},
    {"metadata": {"k": "v" * 513}},
    {"tools": [{"name": "look"}]},
    {"tools": ["look"]},
    {"input": [{"role": 5}]},
    {"input": [5]},
    {"include": ["everything"]},
    {"text": {"format": {"type": "xml"}}},
    {"max_output_tokens": 15},
    {"max_output_tokens": 2**31},
    {"background_options": {"completion_window": "1h"}},
    {"model": None, "prompt": None},
]
CREATE, ENVELOPE, EVENT = check("CreateResponse"), check("ErrorEnvelope"), check("Event")


def values(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema of a parameter allows: the keywords that the document uses for them."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", ["string"])
    return st.one_of([of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def of_kind(kind: str, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """The same for one type."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind == "string":
        return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 12), 12))
    if kind == "integer":
        return st.integers(low, high)
    if kind == "number":
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    if kind == "array":
        return st.lists(values(schema["items"]) if "items" in schema else JSON, max_size=3)
    if kind == "object":
        fields = {name: values(part) for name, part in schema.get("properties", {}).items()}
        named = st.fixed_dictionaries({}, optional=fields)
        more = values(schema["additionalProperties"]) if "additionalProperties" in schema else JSON
        return named if fields else st.dictionaries(st.text(max_size=8), more, max_size=3)
    return {"boolean": st.booleans(), "null": st.none()}[kind]


@st.composite
def create_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Create requests: most parameters as documented, some as they come."""
    fields = SCHEMAS["CreateResponse"]["properties"]
    body: dict[str, Any] = draw(st.sampled_from([{"model": "gpt-5", "input": "hi"}, {}]))
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=6, unique=True)):
        body = body | {name: draw(values(fields[name]) if draw(st.integers(0, 4)) else JSON)}
    if draw(st.booleans()):
        body = body | {"metadata": {"emulate": draw(MARKERS)}}
    return body if draw(st.integers(0, 2)) else body | draw(st.sampled_from(FORBIDDEN))


@st.composite
def queries(draw: st.DrawFn, operation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Query parameters of an operation: most as documented, some as they come."""
    pairs: list[tuple[str, str]] = []
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and draw(st.booleans()):
            value = draw(values(parameter["schema"]) if draw(st.integers(0, 3)) else st.text(max_size=8))
            for one in value if isinstance(value, list) else [value]:
                pairs.append((parameter["name"], json.dumps(one) if isinstance(one, (bool, int)) else one))
    return pairs


@pytest.fixture(scope="module")
def api() -> Api:
    """One emulator per module, for requests that stand alone."""
    return Api()


def with_runs() -> Api:
    """A new emulator that has a run of every kind."""
    api = Api(HAPPY)
    for params in ({"background": True, "stream": True}, {"background": True}, {"stream": True}, {}):
        api.create(**params)
    api.clock.advance(10)
    api.create(background=True, stream=True)
    return api


def document_problems(operation: Mapping[str, Any], reply: Any) -> Iterator[str]:
    """Where an answer contradicts the document."""
    answer = operation["responses"].get(str(reply.status))
    if answer is None:
        yield f"status {reply.status} is not documented"
        return
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    kind = reply.headers["content-type"].partition(";")[0]
    if kind not in answer["content"]:
        yield f"{kind} is not documented"
    elif kind == "application/json":
        schema = answer["content"][kind]["schema"] | {"components": DOCUMENT["components"]}
        yield from (error.message for error in Draft202012Validator(schema).iter_errors(reply.json))
    else:
        yield from (error.message for event in reply.events for error in EVENT.iter_errors(event))
    for name, reference in answer.get("headers", {}).items():
        header = DOCUMENT["components"]["headers"][reference["$ref"].rpartition("/")[2]]
        if not values_read(header["schema"], reply.headers.get(name)):
            yield f"header {name} is {reply.headers.get(name)!r}"


def values_read(schema: Mapping[str, Any], text: str | None) -> bool:
    """The text of a header is what its schema allows."""
    return text is not None and (schema["type"] == "string" or text.isdigit())


def test_the_document_is_served_without_a_key_and_to_nobody_s_charge(emulator: Emulator) -> None:
    """`/openapi.json` is the document; it is no request of a client."""
    before = len(emulator.requests)
    with urllib.request.urlopen(emulator.base_url.removesuffix("/v1") + "/openapi.json", timeout=60) as reply:
        assert reply.headers["content-type"] == "application/json"
        assert json.load(reply) == DOCUMENT
    assert len(emulator.requests) == before


def test_the_document_is_sound() -> None:
    """Every schema is one, every reference leads somewhere, and every place in a path is a parameter."""
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
    for target in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        found: Any = DOCUMENT
        for name in target.split("/"):
            found = found[name]
    for path, method in OPERATIONS:
        named = [one["name"] for one in DOCUMENT["paths"][path][method].get("parameters", ()) if one["in"] == "path"]
        assert named == re.findall(r"{(\w+)}", path)
    names = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)


def test_the_document_names_every_route(api: Api) -> None:
    """The routes of the application are the paths of the document."""
    served = {
        (re.sub(r"{\w+(:path)?}", "{}", route.path), method.lower())
        for route in api.app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    documented = {(re.sub(r"{\w+}", "{}", path), method) for path, method in OPERATIONS}
    azure = {("/openai" + path, method) for path, method in documented}
    unversioned = {("/openai" + path.removeprefix("/v1"), method) for path, method in documented}
    assert served == documented | azure | unversioned


@settings(max_examples=300)
@given(data=st.data())
def test_no_answer_contradicts_the_document(data: st.DataObject) -> None:
    """Whatever is asked of a documented route: a documented status, type and body, and a bad body is refused."""
    path, method = data.draw(st.sampled_from(OPERATIONS))
    operation = DOCUMENT["paths"][path][method]
    api = with_runs()
    word = data.draw(st.integers(0, 4) | st.just("gpt-5") | st.text(min_size=1, max_size=8))
    name = api.ledger.runs[word].id if isinstance(word, int) else word.replace("/", "-")
    target = re.sub(r"{\w+}", lambda _: name, path)
    body = data.draw(create_bodies() if "requestBody" in operation else st.just({}))
    headers = data.draw(st.sampled_from([KEY, KEY, KEY, KEY, []]))
    query = urlencode(data.draw(queries(operation)), errors="replace").encode()
    reply = api.ask(method.upper(), target, json.dumps(body).encode(), query=query, headers=headers)
    assert list(document_problems(operation, reply)) == []


@settings(max_examples=200)
@given(body=create_bodies())
@example({"model": "gpt-5", "input": "hi", "text": {"format": None}})
def test_a_create_is_refused_for_its_form_where_the_document_forbids_it(api: Api, body: dict[str, Any]) -> None:
    """And there alone: a type, a range or a missing parameter."""
    reply = api.ask("POST", "/v1/responses", json.dumps(body).encode())
    if not CREATE.is_valid(body):
        assert reply.status == 400
    elif reply.status == 400:
        error = reply.json["error"]
        about_a_schema = (error["param"] or "").startswith(("text.format", "tools[", "tool_choice"))
        assert error["code"] in ("invalid_value", "previous_response_not_found", None) or about_a_schema


KEYWORDS = ["type", "properties", "required", "items", "minItems", "maxItems", "minimum", "maximum", "multipleOf"]
KEYWORDS += ["enum", "const", "anyOf", "allOf", "$ref", "$defs", "minLength", "maxLength", "format", "exclusiveMinimum"]
KINDS = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null", "#", "#/$defs/a", "date"])
# Nearly JSON Schema.
SCHEMA_LIKE = st.recursive(
    JSON | KINDS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=10,
)


@settings(max_examples=200)
@given(schema=SCHEMA_LIKE, choice=st.sampled_from(["auto", "required", {"type": "function", "name": "f"}]) | JSON)
def test_any_schema_is_refused_or_answered(api: Api, schema: Any, choice: Any) -> None:
    """What is no schema is a 400; of anything else a run makes a value that is JSON."""
    form = {"type": "json_schema", "name": "n", "schema": schema}
    tool = {"type": "function", "name": "f", "parameters": schema}
    for params in ({"text": {"format": form}}, {"tools": [tool], "tool_choice": choice}):
        reply = api.create(**params)
        assert reply.status in (200, 400)
        for item in reply.json["output"] if reply.status == 200 else ():
            for part in item.get("content", ()) if "text" in params else ():
                json.loads(part["text"], parse_constant=pytest.fail)


RAW_BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.text(max_size=50).map(lambda text: text.encode("utf-16", errors="replace"))
    | st.fixed_dictionaries({"model": JSON, "input": JSON}, optional={"metadata": JSON, "tools": JSON}).map(
        lambda body: json.dumps(body).encode()
    )
    | st.dictionaries(
        st.sampled_from(["emulate", "emulate_create", "emulate_webhook", "runoutcome_key"]) | st.text(), MARKERS | JSON
    ).map(lambda metadata: json.dumps({"model": "gpt-5", "input": "hi", "metadata": metadata}).encode())
)
PATHS = st.sampled_from(
    ["/v1/responses", "/v1/responses/", "/v1/responses/x/cancel", "/v1/models", "/v1", "*", "", "//v1/models"]
) | st.text(max_size=20).map(lambda text: "/" + text)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"authorization", b"host", b"content-type", b"content-encoding", b"idempotency-key", b"x-a"]),
        st.binary(max_size=20),
    ),
    max_size=4,
)
GOOD = {"model": "gpt-5", "input": "hi"}


def create_of(**params: Any) -> bytes:
    """The body of a create."""
    return json.dumps({**GOOD, **params}).encode()


def nested(levels: int, inside: str) -> bytes:
    """A create whose input is nested so deep."""
    return b'{"model": "gpt-5", "input": [' + inside.encode() * levels + b'"x"' + b"}" * levels + b"]}"


@pytest.mark.parametrize(("levels", "status"), [(90, 200), (110, 400), (970, 400), (5_000, 400), (50_000, 400)])
def test_how_deep_a_request_can_be_nested(api: Api, levels: int, status: int) -> None:
    """As deep as anybody needs, and not so deep that whatever reads it fails."""
    assert api.ask("POST", "/v1/responses", nested(levels, '{"content":')).status == status


@settings(max_examples=400)
@given(method=METHODS, path=PATHS, query=st.binary(max_size=20), headers=HEADERS, body=RAW_BODIES)
@example("BREW", "/v1/responses", b"", [], b"")
@example("GET", "/a\nb", b"", [], b"")
@example("GET", "/v1/models", b"", [(b"host", b"[")], b"")
@example("POST", "/v1/responses", b"", [], create_of(input="x" * 5_000_000))
@example("POST", "/v1/responses", b"", [], create_of(model="emulate-" + "x" * 100_000))
@example(
    "POST", "/v1/responses", b"", [], create_of(model="emulate-max_output_tokens", max_output_tokens=int("9" * 4300))
)
@example("POST", "/v1/responses", b"", [], create_of(tools=[{"type": "x", "y": 1}]).replace(b"1", b"1e999"))
@example("POST", "/v1/responses", b"", [], create_of(metadata={"k": "\ud800"}))
@example("POST", "/v1/responses", b"", [], b"[" * 100_000)
@example("POST", "/v1/responses", b"", [], b"\xef\xbb\xbf" + create_of())
def test_garbage_gets_the_envelope(
    api: Api, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """No method, path, query, header or body makes the emulator fail; what it refuses, it refuses as the API does."""
    reply = api.ask(method, path, body, query=query, headers=[*headers, *KEY])
    if api.requests[-1].fault is not None:  # the body had scripted it
        return
    assert reply.status is not None
    assert reply.status < 500
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/json"
        assert [error.message for error in ENVELOPE.iter_errors(reply.json)] == []
    if reply.status == 405:
        assert method not in reply.headers["allow"].split(", ")


PARTS = st.fixed_dictionaries({"type": st.sampled_from(["output_text", "refusal"])}, optional={"text": JSON})
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "reasoning", "odd"])},
    optional={"content": JSON | st.lists(JSON | PARTS), "summary": JSON | st.lists(JSON), "arguments": JSON},
)


@settings(max_examples=100)
@given(output=JSON | st.lists(JSON | ITEMS, max_size=3))
@example([{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}])
def test_any_scripted_output_can_be_polled_and_streamed(output: Any) -> None:
    """A raw body is sent as it is, whatever it has for an output, and its stream ends with it."""
    script = {"name": "raw", "queued_seconds": 0, "running_seconds": 0, "body_fields": {"output": output}}
    api = Api({"outcomes": [script]})
    events = api.create(background=True, stream=True).events
    assert events[-1]["response"]["output"] == output
    assert api.ask("GET", f"/v1/responses/{api.ledger.runs[0].id}").json == events[-1]["response"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", date(2026, 1, 2), {"deep": [float("nan")]}])
@pytest.mark.parametrize("key", ["raw_body", "body_fields", "raw_error"])
def test_a_scenario_cannot_script_what_json_cannot_say(key: str, value: Any) -> None:
    """It is refused when it is read, and not when a client asks."""
    with pytest.raises(ScenarioError, match=f"{key}: cannot be sent as JSON"):
        Api({"outcomes": [{"name": "raw", key: {"value": value}}]})


@pytest.mark.parametrize(
    "headers", [{"x": "\u6a21"}, {"x": "a\r\nb: c"}, {"a b": "x"}, {"": "x"}, {"Content-Length": "3"}]
)
def test_a_scenario_cannot_script_a_header_that_cannot_be_sent(headers: dict[str, str]) -> None:
    """Nor one that belongs to HTTP itself."""
    with pytest.raises(ScenarioError, match="headers of a fault"):
        Api({"faults": [{"route": "poll", "fault": {"status": 503, "headers": headers}}]})


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2026 07:28:00 GMT", "soon", "nan", "-1", ""])
def test_a_scripted_retry_after_can_be_any_text(text: str) -> None:
    """It is sent as it is; that it is not a number of seconds is the client's matter."""
    api = Api({"faults": [{"route": "models", "fault": {"status": 503, "headers": {"retry-after": text}}}]})
    reply = api.ask("GET", "/v1/models")
    assert (reply.status, reply.headers["retry-after"]) == (503, text)
    assert api.requests[-1].retry_after is None


LINES = b"Host: localhost\r\nAuthorization: Bearer any\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /v1/responses HTTP/1.1\r\n" + LINES + b"Content-Length: 100\r\n\r\n{",
        b"POST /v1/responses HTTP/1.1\r\n" + LINES + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/responses HTTP/1.1\r\n" + LINES + b"Content-Length: many\r\n\r\n{}",
        b"GET /v1/models/%FF%00%E6%A8%A1 HTTP/1.1\r\n" + LINES + b"Connection: close\r\n\r\n",
        b"GET http://example.com/v1/models HTTP/1.1\r\n" + LINES + b"Connection: close\r\n\r\n",
        b"GET /v1/responses/x?stream=%ff HTTP/1.1\r\nHost: [\r\nAuthorization: \xff\xfe\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + LINES + b"Connection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"",
    ],
)
def test_the_server_survives_what_is_not_quite_http(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A client that speaks nonsense, or leaves within its request, costs no traceback and no run."""
    with caplog.at_level(logging.INFO), Emulator() as emulator:
        with socket.create_connection(("127.0.0.1", emulator.port), timeout=60) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert not answer or int(answer.split(b" ")[1]) in range(400, 500)
        assert emulator.runs == []
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR
    ] == []
