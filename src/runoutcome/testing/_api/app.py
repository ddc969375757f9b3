"""Starlette application: the routes of the API over a ledger, and a record of each request and its response."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from .._errors import ApiError
from .._state.ledger import Effect, Ledger
from .._state.recorded_request import RecordedRequest, RequestRoute
from .._state.request import request_key, runoutcome_key
from .._state.runs import Clock, status_at
from .conversation_endpoints import ConversationEndpoints
from .endpoints import Endpoints, Handled
from .event_stream import EventStream
from .http_responses import DroppedConnection, StalledResponse, error_response

Record = Callable[[RecordedRequest], None]
Amend = Callable[[RecordedRequest, RecordedRequest], None]
Handler = Callable[[Request], Awaitable[Handled]]

_SECONDS = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII)
# The API's own addresses, and those of Azure with and without a version in the path.
_BASES = ("/v1", "/openai/v1", "/openai")
_VERSION = "2020-10-01"
_ORGANIZATION = "emulated"
# Routes whose response is the body of a run.
_WITH_BODY = ("create", "poll", "cancel")


def create_app(ledger: Ledger, clock: Clock, record: Record, amend: Amend | None = None) -> Starlette:
    """The ASGI application of one emulator.

    `record` is called before each response is sent; `amend` with the record of a stream and its replacement, whenever
    the stream tells the client a status.
    """
    endpoints, conversations = Endpoints(ledger, clock), ConversationEndpoints(ledger, clock)

    def route(path: str, methods: list[str], handle: Handler, name: RequestRoute = "other") -> Route:
        async def endpoint(request: Request) -> Response:
            started, effect = time.perf_counter(), Effect()
            try:
                _check_key(request)
                effect, response = await handle(request)
            except ApiError as error:
                response = error_response(error)
            except ClientDisconnect:
                return Response()  # the client left before its request was complete
            response.headers.update(_headers(started))
            recorded = _recorded(name, request, effect, response, clock.now())
            record(recorded)
            if amend and isinstance(response, EventStream):
                response.on_status = _amender(recorded, amend, clock)
            return response

        return Route(path, endpoint, methods=methods)

    calls: list[tuple[str, str, Handler, RequestRoute]] = [
        ("POST", "/responses", endpoints.create, "create"),
        ("POST", "/responses/input_tokens", endpoints.input_tokens, "input_tokens"),
        ("POST", "/responses/compact", endpoints.compact, "compact"),
        ("GET", "/responses/{id}", endpoints.poll, "poll"),
        ("DELETE", "/responses/{id}", endpoints.delete, "delete"),
        ("POST", "/responses/{id}/cancel", endpoints.cancel, "cancel"),
        ("GET", "/responses/{id}/input_items", endpoints.input_items, "input_items"),
        ("GET", "/models", endpoints.models, "models"),
        ("GET", "/models/{name:path}", endpoints.models, "models"),
        ("POST", "/conversations", conversations.create, "conversations"),
        ("GET", "/conversations/{conversation}", conversations.retrieve, "conversations"),
        ("POST", "/conversations/{conversation}", conversations.update, "conversations"),
        ("DELETE", "/conversations/{conversation}", conversations.delete, "conversations"),
        ("POST", "/conversations/{conversation}/items", conversations.add_items, "conversations"),
        ("GET", "/conversations/{conversation}/items", conversations.list_items, "conversations"),
        ("GET", "/conversations/{conversation}/items/{item}", conversations.retrieve_item, "conversations"),
        ("DELETE", "/conversations/{conversation}/items/{item}", conversations.delete_item, "conversations"),
    ]
    routes = [route(base + path, [method], handle, name) for base in _BASES for method, path, handle, name in calls]

    async def unknown(request: Request) -> Handled:
        method, path = request.method, request.scope["path"]
        others = [route for route in routes if route.matches(request.scope)[0] is Match.PARTIAL]
        if not others:
            raise ApiError(404, f"Invalid URL ({method} {path})")
        response = error_response(ApiError(405, f"Not allowed to {method} on {path}.", code="method_not_supported"))
        response.headers["allow"] = ", ".join(sorted({name for route in others for name in route.methods or ()}))
        return Effect(), response

    elsewhere = route("/{path:path}", [], unknown)

    async def refuse(request: Request, _: Exception) -> Response:
        response: Response = await elsewhere.endpoint(request)
        return response

    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse})
    app.router.redirect_slashes = False
    return app


def _headers(started: float) -> dict[str, str]:
    return {
        "x-request-id": f"req_{secrets.token_hex(16)}",
        "openai-processing-ms": str(int((time.perf_counter() - started) * 1000)),
        "openai-version": _VERSION,
        "openai-organization": _ORGANIZATION,
    }


def _amender(recorded: RecordedRequest, amend: Amend, clock: Clock) -> Callable[[str], None]:
    def on_status(status: str) -> None:
        nonlocal recorded
        before, recorded = recorded, replace(recorded, told=status, told_at=clock.now())
        amend(before, recorded)

    return on_status


def _check_key(request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not request.headers.get("api-key") and not (scheme.lower() == "bearer" and token.strip()):
        raise ApiError(401, "You didn't provide an API key. Any key that is not empty will do.", code="invalid_api_key")


def _recorded(route: RequestRoute, request: Request, effect: Effect, response: Response, now: float) -> RecordedRequest:
    run, fault, create = effect.run, effect.fault, effect.request
    if route == "poll" and request.query_params.get("stream") == "true":
        route = "stream"
    # The statuses that a stream tells are recorded as they are sent.
    readable = response.status_code == 200 and not isinstance(response, EventStream)
    told = readable and route in _WITH_BODY and (fault is None or fault.is_readable)
    return RecordedRequest(
        method=request.method,
        path=request.scope["path"],
        status=None if isinstance(response, (DroppedConnection, StalledResponse)) else response.status_code,
        response_id=run.id if run else request.path_params.get("id"),
        at=now,
        idempotency_key=request.headers.get("idempotency-key"),
        runoutcome_key=runoutcome_key(create) if create else None,
        route=route,
        job=run.job if run else request_key(create) if create else None,
        submission=run.submission if run else None,
        created=route == "create" and run is not None,
        run_status=status_at(run, now) if run else None,
        fault=fault.word if fault else None,
        retry_after=_retry_after(response.headers),
        told=status_at(run, now) if run and told else None,
        told_at=now if run and told else None,
        monotonic=time.monotonic(),
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of `retry-after-ms` or `retry-after`, in the order of the SDK; None for a date or anything else."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if _SECONDS.fullmatch(headers.get(name, "")):
            return float(headers[name]) * scale
    return None
