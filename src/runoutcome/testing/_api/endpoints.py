"""Endpoints of the API: each reads a request, looks it up in the ledger, and responds."""

from __future__ import annotations

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .._errors import ApiError
from .._state.body import response_body
from .._state.input_items import listed_items, request_items
from .._state.ledger import Effect, Ledger
from .._state.request import JsonObject, prompt_text, token_count
from .._state.runs import PENDING, Clock, status_at
from .compaction import compaction
from .create_request import parse_create, parse_fields
from .event_stream import EventStream
from .http_responses import body_response, error_response
from .item_pages import items_page
from .parameters import check_include, refuse

Handled = tuple[Effect, Response]

_MODEL_CREATED = 1_754_524_800
# The emulator runs any model; these are listed.
_MODELS = ("gpt-5.5", "gpt-5", "gpt-5-mini", "o3", "o4-mini", "gpt-4.1", "gpt-4o", "gpt-4o-mini")
_BOOLEANS = ("true", "false")
_MOST_DIGITS = 15


class Endpoints:
    """One method per endpoint. Each raises ApiError where the API refuses."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def create(self, request: Request) -> Handled:
        """Create a run: its body, or the stream of its events. Its answer has the headers of the rate limits."""
        body = parse_create(await request.body())
        headers, refusal = self._ledger.limits.take(self._clock.now(), body)
        effect, response = self._created(body) if refusal is None else (Effect(refused=body), error_response(refusal))
        response.headers.update(headers)
        return effect, response

    async def poll(self, request: Request) -> Handled:
        """Retrieve a run: its body as it stands, or the stream of its events."""
        starting_after, run_id = _stream_position(request.query_params), request.path_params["id"]
        if starting_after is not None:
            effect = self._ledger.read("stream", run_id)
            return effect, self._events(effect, starting_after)
        effect = self._ledger.read("poll", run_id)
        response, run = self._body(effect), effect.run
        hint = run.outcome.poll_after_ms if run else None
        if run and hint is not None and not effect.fault and status_at(run, self._clock.now()) in PENDING:
            response.headers["openai-poll-after-ms"] = str(hint)
        return effect, response

    async def cancel(self, request: Request) -> Handled:
        """Cancel a run: its body afterwards."""
        effect = self._ledger.cancel(request.path_params["id"])
        return effect, self._body(effect)

    async def delete(self, request: Request) -> Handled:
        """Delete a run."""
        run_id = request.path_params["id"]
        effect = self._ledger.delete(run_id)
        return effect, body_response({"id": run_id, "object": "response", "deleted": True}, effect.fault)

    async def input_items(self, request: Request) -> Handled:
        """List the input items of a run: one page."""
        effect = self._ledger.read("input_items", request.path_params["id"])
        run = effect.run
        items = listed_items(request_items(run.request), run.id) if run else []
        page = items_page(items, request.query_params)
        return effect, body_response(page, effect.fault)

    async def input_tokens(self, request: Request) -> Handled:
        """Count the tokens of an input, roughly."""
        tokens = token_count(prompt_text(parse_fields(await request.body())))
        return Effect(), JSONResponse({"object": "response.input_tokens", "input_tokens": tokens})

    async def compact(self, request: Request) -> Handled:
        """Compact an input: its messages by the user, and one item in place of the rest. No run is made."""
        return Effect(), JSONResponse(compaction(parse_create(await request.body()), self._clock.now()))

    async def models(self, request: Request) -> Handled:
        """List the models, or retrieve the one in the path."""
        name, effect = request.path_params.get("name"), self._ledger.models()
        return effect, body_response(_model_list() if name is None else _model(name), effect.fault)

    def _created(self, body: JsonObject) -> Handled:
        try:
            effect = self._ledger.create(body)
        except ApiError as error:
            return Effect(), error_response(error)
        return effect, self._events(effect, -1) if body.get("stream") else self._body(effect)

    def _body(self, effect: Effect) -> Response:
        return body_response(response_body(effect.run, self._clock.now()) if effect.run else {}, effect.fault)

    def _events(self, effect: Effect, starting_after: int) -> Response:
        run, fault = effect.run, effect.fault
        if run is None or (fault and not (fault.is_of_a_stream or fault.shape == "ok")):
            return self._body(effect)
        run_id = run.id
        return EventStream(lambda: self._ledger.current(run_id), self._clock, starting_after, fault)


def _stream_position(query: QueryParams) -> int | None:
    """The number of the event that a stream starts after (-1: from the beginning); None for a poll of the body."""
    check_include([*query.getlist("include"), *query.getlist("include[]")])
    for name in ("stream", "include_obfuscation"):
        if query.get(name, "false") not in _BOOLEANS:
            message = f"Invalid type for '{name}': expected a boolean, but got '{query[name]}' instead."
            refuse(name, message, "invalid_type")
    stream, after = query.get("stream") == "true", query.get("starting_after")
    if after is None:
        return -1 if stream else None
    if not stream:
        refuse("starting_after", "'starting_after' can only be used with 'stream' set to true.")
    if not (after.isascii() and after.isdigit() and len(after) <= _MOST_DIGITS):
        message = f"Invalid type for 'starting_after': expected an integer, 0 or more, but got '{after}' instead."
        refuse("starting_after", message, "invalid_type")
    return int(after)


def _model_list() -> JsonObject:
    return {"object": "list", "data": [_model(name) for name in _MODELS]}


def _model(name: str) -> JsonObject:
    if name not in _MODELS:
        raise ApiError(404, f"The model '{name}' does not exist", param="model", code="model_not_found")
    return {"id": name, "object": "model", "created": _MODEL_CREATED, "owned_by": "openai"}
