"""The OpenAPI document of the emulator: every route it serves, as long as no scenario and no marker spoils one. Pure.

What a create may hold is made from the checks themselves, so that the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .._state.request import JsonObject
from .create_request import CHOICES, INPUTS, RANGES, TYPES
from .parameters import INCLUDABLE, MAX_KEY, MAX_PAIRS, MAX_VALUE

_DESCRIPTION = (
    "The background part of the Responses API on this machine, scripted. A scenario, or the metadata keys `emulate`, "
    "`emulate_create` and `emulate_webhook` of a request, can put any status, body or fault in place of what is "
    "described here."
)
_JSON_TYPES: Mapping[type, str] = MappingProxyType(
    {str: "string", bool: "boolean", dict: "object", list: "array", int: "integer", float: "number"}
)
_TEXT: JsonObject = {"type": "string"}
_MAYBE_TEXT: JsonObject = {"type": ["string", "null"]}
_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_OBJECT: JsonObject = {"type": "object"}
_FLAG: JsonObject = {"type": "boolean"}


def openapi_document() -> JsonObject:
    """The document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "runoutcome emulator", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": {**_api_paths(), **_page_paths()},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Any token that is not empty."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "api-key"},
            },
            "headers": _headers(),
            "responses": _refusals(),
            "schemas": _schemas(),
        },
    }


def _api_paths() -> JsonObject:
    id_, body = _in_path("id"), {"required": True, "content": _json("CreateResponse")}
    answers = _json("Response") | {"text/event-stream": {"schema": _TEXT}}
    create: JsonObject = {"operationId": "createResponse", "requestBody": body}
    poll = [
        id_,
        _in_query("stream", _FLAG, "The events, each an `Event`, and not the body."),
        _in_query("starting_after", {**_COUNT, "maximum": 10**15 - 1}, "Needs `stream`: the events after this one."),
        _in_query("include", {"type": "array", "items": {"enum": list(INCLUDABLE)}}),
        _in_query("include_obfuscation", _FLAG),
    ]
    page = [
        id_,
        _in_query("order", {"enum": ["asc", "desc"]}),
        _in_query("limit", {"type": "integer", "minimum": 1, "maximum": 100}),
        _in_query("after", _TEXT, "The id of an item."),
    ]
    return {
        "/v1/responses": {"post": _answered(create, answers, 400)},
        "/v1/responses/{id}": {
            "get": _answered({"operationId": "retrieveResponse", "parameters": poll}, answers, 400, 404),
            "delete": _answered({"operationId": "deleteResponse", "parameters": [id_]}, _json("Deleted"), 404),
        },
        "/v1/responses/{id}/cancel": {
            "post": _answered({"operationId": "cancelResponse", "parameters": [id_]}, _json("Response"), 400, 404)
        },
        "/v1/responses/{id}/input_items": {
            "get": _answered({"operationId": "listInputItems", "parameters": page}, _json("ItemPage"), 400, 404)
        },
        "/v1/models": {"get": _answered({"operationId": "listModels"}, _json("ModelList"))},
        "/v1/models/{model}": {
            "get": _answered({"operationId": "retrieveModel", "parameters": [_in_path("model")]}, _json("Model"), 404)
        },
    }


def _page_paths() -> JsonObject:
    """What is served beside the API, without a key."""
    pages = {
        "/": ("showStatus", {"text/html": {"schema": _TEXT}}),
        "/_emulator/state.json": ("readState", {"application/json": {"schema": _OBJECT}}),
        "/openapi.json": ("readDocument", {"application/json": {"schema": _OBJECT}}),
    }
    return {
        path: {"get": {"operationId": name, "security": [], "responses": {"200": _answer("What it shows.", content)}}}
        for path, (name, content) in pages.items()
    }


def _answered(operation: JsonObject, content: JsonObject, *refusals: int) -> JsonObject:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _headers()}
    responses = {str(status): {"$ref": f"#/components/responses/{status}"} for status in (401, *refusals)}
    return {**operation, "responses": {"200": _answer("The answer.", content) | {"headers": headers}, **responses}}


def _answer(description: str, content: JsonObject) -> JsonObject:
    return {"description": description, "content": content}


def _json(schema: str) -> JsonObject:
    return {"application/json": {"schema": _ref(schema)}}


def _ref(schema: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{schema}"}


def _in_path(name: str) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}


def _in_query(name: str, schema: JsonObject, description: str = "") -> JsonObject:
    return {"name": name, "in": "query", "schema": schema, **({"description": description} if description else {})}


def _headers() -> JsonObject:
    texts = ("x-request-id", "openai-version", "openai-organization")
    required: JsonObject = {name: {"required": True, "schema": _TEXT} for name in texts}
    return {**required, "openai-processing-ms": {"required": True, "schema": _COUNT}}


def _refusals() -> JsonObject:
    reasons = {
        400: "The request cannot be carried out.",
        401: "The request has no key.",
        404: "The server does not know it, or does not know it any more.",
    }
    return {str(status): _answer(reason, _json("ErrorEnvelope")) for status, reason in reasons.items()}


def _schemas() -> JsonObject:
    error = _record(message=_TEXT, type=_TEXT, param=_MAYBE_TEXT, code=_MAYBE_TEXT)
    model = _record(id=_TEXT, object={"const": "model"}, created=_COUNT, owned_by=_TEXT)
    page = _record(
        object={"const": "list"},
        data=_list(_record(id=_TEXT, type=_TEXT)),
        first_id=_TEXT,
        last_id=_TEXT,
        has_more=_FLAG,
    )
    return {
        "CreateResponse": _create_schema(),
        "Response": _response_schema(),
        "Usage": _record(input_tokens=_COUNT, output_tokens=_COUNT, total_tokens=_COUNT),
        "Event": _record(type=_TEXT, sequence_number=_COUNT),
        "Deleted": _record(id=_TEXT, object={"const": "response"}, deleted={"const": True}),
        "ItemPage": page,
        "Model": model,
        "ModelList": _record(object={"const": "list"}, data=_list(_ref("Model"))),
        "ErrorEnvelope": {**_record(error=error), "additionalProperties": False},
    }


def _record(**fields: JsonObject) -> JsonObject:
    return {"type": "object", "required": list(fields), "properties": fields}


def _list(items: JsonObject) -> JsonObject:
    return {"type": "array", "items": items}


def _response_schema() -> JsonObject:
    body = _record(
        id=_TEXT,
        object={"const": "response"},
        created_at=_COUNT,
        completed_at={"type": ["integer", "null"]},
        status={**_TEXT, "examples": ["queued", "in_progress", "completed", "failed", "incomplete", "cancelled"]},
        background=_FLAG,
        error={"type": ["object", "null"]},
        incomplete_details={"type": ["object", "null"]},
        metadata={"type": "object", "additionalProperties": _TEXT},
        model=_TEXT,
        output=_list(_record(id=_TEXT, type=_TEXT)),
        reasoning=_OBJECT,
        service_tier=_TEXT,
        text=_OBJECT,
        tools=_list(_record(type=_TEXT)),
        usage={"anyOf": [_ref("Usage"), {"type": "null"}]},
    )
    null, none = {"const": None}, {"maxItems": 0}
    pending = {"error": null, "incomplete_details": null, "output": none, "usage": null, "completed_at": null}
    return body | {
        "allOf": [
            _where(["queued", "in_progress"], pending),
            _where(["completed"], {"error": null, "incomplete_details": null, "usage": _ref("Usage")}),
            _where(["cancelled"], {"error": null, "output": none, "usage": null}),
        ]
    }


def _where(statuses: list[str], then: JsonObject) -> JsonObject:
    return {"if": {"properties": {"status": {"enum": statuses}}}, "then": {"properties": then}}


def _create_schema() -> JsonObject:
    fields = {name: _parameter(name, types) for name, types in TYPES.items()}
    fields["include"]["items"] = {"enum": list(INCLUDABLE)}
    fields["input"]["items"] = _item("type", "role", "id")
    fields["tools"]["items"] = _item("type") | {"required": ["type"], "properties": {"type": _TEXT}}
    fields["metadata"] |= {
        "maxProperties": MAX_PAIRS,
        "propertyNames": {"maxLength": MAX_KEY},
        "additionalProperties": {**_TEXT, "maxLength": MAX_VALUE},
    }
    for path, words in CHOICES.items():
        at, *names = path.split(".")
        _inner(fields[at], names)["enum"] = [*words, None]
    given = [_given(name) for name in INPUTS]
    return {
        "type": "object",
        "properties": fields,
        "allOf": [{"anyOf": [_given("model"), _given("prompt")]}, {"anyOf": given}],
    }


def _parameter(name: str, types: tuple[type, ...]) -> JsonObject:
    parameter: JsonObject = {"type": [*(_JSON_TYPES[type_] for type_ in types), "null"]}
    low, high = RANGES.get(name, (None, None))
    bounds = {"minimum": low, "maximum": high}
    return parameter | {key: bound for key, bound in bounds.items() if bound is not None}


def _item(*texts: str) -> JsonObject:
    return {"type": "object", "properties": dict.fromkeys(texts, _MAYBE_TEXT)}


def _inner(field: JsonObject, names: list[str]) -> JsonObject:
    for name in names:
        field = field.setdefault("properties", {}).setdefault(name, {"type": ["object", "null"]})
        if name == names[-1]:
            field["type"] = ["string", "null"]
    return field


def _given(name: str) -> JsonObject:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
