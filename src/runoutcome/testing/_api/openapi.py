"""OpenAPI document of the emulator: every route it serves, apart from the effects of scenarios and markers. Pure.

The schema of a create is made from the checks of a create, so that the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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
        "servers": [{"url": "/"}, {"url": "/openai", "description": "Azure's addresses; the `/v1` may be left out."}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": {**_api_paths(), **_conversation_paths(), **_page_paths()},
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
    run_id = _path_parameter("id")
    response = _json("Response") | {"text/event-stream": {"schema": _TEXT}}
    poll = [
        run_id,
        _query_parameter("stream", _FLAG, "The events, each an `Event`, and not the body."),
        _query_parameter(
            "starting_after", {**_COUNT, "maximum": 10**15 - 1}, "Needs `stream`: the events after this one."
        ),
        _query_parameter("include", {"type": "array", "items": {"enum": list(INCLUDABLE)}}),
        _query_parameter("include_obfuscation", _FLAG),
    ]
    page = [run_id, *_page_parameters()]
    body = {"required": True, "content": _json("CreateResponse")}
    count = {"required": True, "content": {"application/json": {"schema": _OBJECT}}}
    model = [_path_parameter("model")]
    return {
        "/v1/responses": {"post": _operation("createResponse", response, 400, requestBody=body)},
        "/v1/responses/input_tokens": {
            "post": _operation("countInputTokens", _json("InputTokens"), 400, requestBody=count)
        },
        "/v1/responses/compact": {"post": _operation("compactInput", _json("Compaction"), 400, requestBody=body)},
        "/v1/responses/{id}": {
            "get": _operation("retrieveResponse", response, 400, 404, parameters=poll),
            "delete": _operation("deleteResponse", _json("Deleted"), 404, parameters=[run_id]),
        },
        "/v1/responses/{id}/cancel": {
            "post": _operation("cancelResponse", _json("Response"), 400, 404, parameters=[run_id])
        },
        "/v1/responses/{id}/input_items": {
            "get": _operation("listInputItems", _json("ItemPage"), 400, 404, parameters=page)
        },
        "/v1/models": {"get": _operation("listModels", _json("ModelList"))},
        "/v1/models/{model}": {"get": _operation("retrieveModel", _json("Model"), 404, parameters=model)},
    }


def _conversation_paths() -> JsonObject:
    whole, items = _json("Conversation"), _json("ItemPage")
    ids = [_path_parameter("conversation")]
    item = {"parameters": [*ids, _path_parameter("item")]}
    body = {"content": {"application/json": {"schema": _OBJECT}}}
    required = {"requestBody": {"required": True, **body}, "parameters": ids}
    page = [*ids, *_page_parameters()]
    return {
        "/v1/conversations": {"post": _operation("createConversation", whole, 400, requestBody=body)},
        "/v1/conversations/{conversation}": {
            "get": _operation("retrieveConversation", whole, 404, parameters=ids),
            "post": _operation("updateConversation", whole, 400, 404, **required),
            "delete": _operation("deleteConversation", _json("DeletedConversation"), 404, parameters=ids),
        },
        "/v1/conversations/{conversation}/items": {
            "get": _operation("listItems", items, 400, 404, parameters=page),
            "post": _operation("createItems", items, 400, 404, **required),
        },
        "/v1/conversations/{conversation}/items/{item}": {
            "get": _operation("retrieveItem", {"application/json": {"schema": _OBJECT}}, 404, **item),
            "delete": _operation("deleteItem", whole, 404, **item),
        },
    }


def _page_parameters() -> list[JsonObject]:
    return [
        _query_parameter("order", {"enum": ["asc", "desc"]}),
        _query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": 100}),
        _query_parameter("after", _TEXT, "The id of an item."),
    ]


def _page_paths() -> JsonObject:
    """The pages beside the API, which need no key."""
    pages = {
        "/": ("showStatus", {"text/html": {"schema": _TEXT}}),
        "/_emulator/state.json": ("readState", {"application/json": {"schema": _OBJECT}}),
        "/openapi.json": ("readDocument", {"application/json": {"schema": _OBJECT}}),
    }
    return {
        path: {"get": {"operationId": name, "security": [], "responses": {"200": _response("What it shows.", content)}}}
        for path, (name, content) in pages.items()
    }


def _operation(name: str, content: JsonObject, *refusals: int, **fields: Any) -> JsonObject:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _headers()}
    responses = {str(status): {"$ref": f"#/components/responses/{status}"} for status in (401, *refusals)}
    ok = _response("The answer.", content) | {"headers": headers}
    return {"operationId": name, **fields, "responses": {"200": ok, **responses}}


def _response(description: str, content: JsonObject) -> JsonObject:
    return {"description": description, "content": content}


def _json(schema: str) -> JsonObject:
    return {"application/json": {"schema": _ref(schema)}}


def _ref(schema: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{schema}"}


def _path_parameter(name: str) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}


def _query_parameter(name: str, schema: JsonObject, description: str = "") -> JsonObject:
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
    return {str(status): _response(reason, _json("ErrorEnvelope")) for status, reason in reasons.items()}


def _schemas() -> JsonObject:
    error = _object(message=_TEXT, type=_TEXT, param=_MAYBE_TEXT, code=_MAYBE_TEXT)
    model = _object(id=_TEXT, object={"const": "model"}, created=_COUNT, owned_by=_TEXT)
    page = _object(
        object={"const": "list"},
        data=_array(_object(id=_TEXT, type=_TEXT)),
        first_id=_TEXT,
        last_id=_TEXT,
        has_more=_FLAG,
    )
    return {
        "CreateResponse": _create_schema(),
        "Response": _response_schema(),
        "Usage": _object(input_tokens=_COUNT, output_tokens=_COUNT, total_tokens=_COUNT),
        "Event": _object(type=_TEXT, sequence_number=_COUNT),
        "InputTokens": _object(object={"const": "response.input_tokens"}, input_tokens=_COUNT),
        "Compaction": _object(
            id=_TEXT,
            object={"const": "response.compaction"},
            created_at=_COUNT,
            output=_array(_object(id=_TEXT, type=_TEXT)),
            usage=_ref("Usage"),
        ),
        "Conversation": _object(id=_TEXT, object={"const": "conversation"}, created_at=_COUNT, metadata=_OBJECT),
        "DeletedConversation": _object(id=_TEXT, object={"const": "conversation.deleted"}, deleted={"const": True}),
        "Deleted": _object(id=_TEXT, object={"const": "response"}, deleted={"const": True}),
        "ItemPage": page,
        "Model": model,
        "ModelList": _object(object={"const": "list"}, data=_array(_ref("Model"))),
        "ErrorEnvelope": {**_object(error=error), "additionalProperties": False},
    }


def _object(**fields: JsonObject) -> JsonObject:
    return {"type": "object", "required": list(fields), "properties": fields}


def _array(items: JsonObject) -> JsonObject:
    return {"type": "array", "items": items}


def _response_schema() -> JsonObject:
    body = _object(
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
        output=_array(_object(id=_TEXT, type=_TEXT)),
        reasoning=_OBJECT,
        service_tier=_TEXT,
        text=_OBJECT,
        tools=_array(_object(type=_TEXT)),
        usage={"anyOf": [_ref("Usage"), {"type": "null"}]},
    )
    null, none = {"const": None}, {"maxItems": 0}
    pending = {"error": null, "incomplete_details": null, "output": none, "usage": null, "completed_at": null}
    return body | {
        "allOf": [
            _if_status(["queued", "in_progress"], pending),
            _if_status(["completed"], {"error": null, "incomplete_details": null, "usage": _ref("Usage")}),
            _if_status(["cancelled"], {"error": null, "output": none, "usage": null}),
        ]
    }


def _if_status(statuses: list[str], then: JsonObject) -> JsonObject:
    return {"if": {"properties": {"status": {"enum": statuses}}}, "then": {"properties": then}}


def _create_schema() -> JsonObject:
    fields = {name: _parameter(name, types) for name, types in TYPES.items()}
    fields["include"]["items"] = {"enum": list(INCLUDABLE)}
    fields["input"]["items"] = _object_with("type", "role", "id")
    fields["tools"]["items"] = _object_with("type") | {"required": ["type"], "properties": {"type": _TEXT}}
    fields["metadata"] |= {
        "maxProperties": MAX_PAIRS,
        "propertyNames": {"maxLength": MAX_KEY},
        "additionalProperties": {**_TEXT, "maxLength": MAX_VALUE},
    }
    for path, words in CHOICES.items():
        at, *names = path.split(".")
        _nested(fields[at], names)["enum"] = [*words, None]
    inputs = [_present(name) for name in INPUTS]
    return {
        "type": "object",
        "properties": fields,
        "allOf": [{"anyOf": [_present("model"), _present("prompt")]}, {"anyOf": inputs}],
    }


def _parameter(name: str, types: tuple[type, ...]) -> JsonObject:
    parameter: JsonObject = {"type": [*(_JSON_TYPES[type_] for type_ in types), "null"]}
    low, high = RANGES.get(name, (None, None))
    bounds = {"minimum": low, "maximum": high}
    return parameter | {key: bound for key, bound in bounds.items() if bound is not None}


def _object_with(*texts: str) -> JsonObject:
    return {"type": "object", "properties": dict.fromkeys(texts, _MAYBE_TEXT)}


def _nested(field: JsonObject, names: list[str]) -> JsonObject:
    for name in names:
        field = field.setdefault("properties", {}).setdefault(name, {"type": ["object", "null"]})
        if name == names[-1]:
            field["type"] = ["string", "null"]
    return field


def _present(name: str) -> JsonObject:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
