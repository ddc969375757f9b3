"""The Starlette application: the routes of the API over a ledger, each answer headed and recorded as the API would."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable
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
from .endpoints import Answered, Calls
from .event_stream import EventStream
from .faulty_responses import DroppedConnection, StalledAnswer
from .http_responses import refusal

Record = Callable[[RecordedRequest], None]
Amend = Callable[[RecordedRequest, RecordedRequest], None]
Handler = Callable[[Request], Awaitable[Answered]]

_SECONDS = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII)
_VERSION = "2020-10-01"
_ORGANIZATION = "emulated"
# The routes that answer with the body of a run.
_TELLING = ("create", "poll", "cancel")


def create_app(ledger: Ledger, clock: Clock, record: Record, amend: Amend | None = None) -> Starlette:
    """The ASGI application of one emulator.

    `record` is called before each answer is sent; `amend` with what was recorded of a stream and what stands in its
    place, whenever the stream tells the client a status.
    """
    calls = Calls(ledger, clock)

    async def nothing(request: Request) -> Answered:
        method, path = request.method, request.scope["path"]
        there = [route for route in known if route.matches(request.scope)[0] is Match.PARTIAL]
        if not there:
            raise ApiError(404, f"Invalid URL ({method} {path})")
        response = refusal(ApiError(405, f"Not allowed to {method} on {path}.", code="method_not_supported"))
        response.headers["allow"] = ", ".join(sorted({name for route in there for name in route.methods or ()}))
        return Effect(None, None), response

    def route(path: str, methods: list[str], handle: Handler, name: RequestRoute = "other") -> Route:
        async def endpoint(request: Request) -> Response:
            started = time.perf_counter()
            effect: Effect | None = None
            try:
                _check_key(request)
                effect, response = await handle(request)
            except ApiError as error:
                response = refusal(error)
            except ClientDisconnect:
                return Response()  # the request never came whole, and nobody is left to answer
            response.headers.update(_headers(started))
            noted = _recorded(name, request, effect, response, clock.now())
            record(noted)
            if amend and isinstance(response, EventStream):
                response.on_status = _teller(noted, amend)
            return response

        return Route(path, endpoint, methods=methods)

    known = [
        route("/v1/responses", ["POST"], calls.create, "create"),
        route("/v1/responses/{id}", ["GET"], calls.poll, "poll"),
        route("/v1/responses/{id}", ["DELETE"], calls.delete, "delete"),
        route("/v1/responses/{id}/cancel", ["POST"], calls.cancel, "cancel"),
        route("/v1/responses/{id}/input_items", ["GET"], calls.input_items, "input_items"),
        route("/v1/models", ["GET"], calls.models, "models"),
        route("/v1/models/{name:path}", ["GET"], calls.models, "models"),
    ]
    elsewhere = route("/{path:path}", [], nothing)

    async def refuse(request: Request, _: Exception) -> Response:
        # Whatever method or path it is: no route takes it.
        response: Response = await elsewhere.endpoint(request)
        return response

    app = Starlette(routes=known, exception_handlers={HTTPException: refuse})
    app.router.redirect_slashes = False
    return app


def _headers(started: float) -> dict[str, str]:
    return {
        "x-request-id": f"req_{secrets.token_hex(16)}",
        "openai-processing-ms": str(int((time.perf_counter() - started) * 1000)),
        "openai-version": _VERSION,
        "openai-organization": _ORGANIZATION,
    }


def _teller(noted: RecordedRequest, amend: Amend) -> Callable[[str], None]:
    def tell(status: str) -> None:
        nonlocal noted
        before, noted = noted, replace(noted, told=status)
        amend(before, noted)

    return tell


def _check_key(request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not request.headers.get("api-key") and not (scheme.lower() == "bearer" and token.strip()):
        raise ApiError(401, "You didn't provide an API key. Any key that is not empty will do.", code="invalid_api_key")


def _recorded(
    route: RequestRoute, request: Request, effect: Effect | None, response: Response, now: float
) -> RecordedRequest:
    run = effect.run if effect else None
    if route == "poll" and request.query_params.get("stream") == "true":
        route = "stream"
    request_body = effect.request if effect else None
    return RecordedRequest(
        method=request.method,
        path=request.scope["path"],
        status=None if isinstance(response, (DroppedConnection, StalledAnswer)) else response.status_code,
        response_id=run.id if run else request.path_params.get("id"),
        at=now,
        idempotency_key=request.headers.get("idempotency-key"),
        runoutcome_key=runoutcome_key(request_body) if request_body else None,
        route=route,
        job=run.job if run else request_key(request_body) if request_body else None,
        submission=run.submission if run else None,
        created=route == "create" and run is not None,
        run_status=status_at(run, now) if run else None,
        fault=effect.fault.word if effect and effect.fault else None,
        retry_after=parse_delay(response.headers.get("retry-after")),
        told=status_at(run, now) if run and effect and route in _TELLING and _is_readable(effect, response) else None,
        monotonic=time.monotonic(),
    )


def _is_readable(effect: Effect, response: Response) -> bool:
    if isinstance(response, EventStream) or response.status_code != 200:
        return False  # what a stream tells is noted as it is sent
    return effect.fault is None or effect.fault.is_readable


def parse_delay(header: str | None) -> float | None:
    """The seconds of a `retry-after` header; None for a date, and for what is neither."""
    return float(header) if header and _SECONDS.fullmatch(header) else None
