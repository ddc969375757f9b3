"""The Starlette application: three routes over a ledger, each answer headed and recorded as the API would."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ._answers import DroppedConnection, StalledAnswer, answer, refusal
from ._bodies import response_body
from ._errors import ApiError
from ._ledger import Ledger, Visit
from ._record import RecordedRequest, RequestRoute
from ._request import parse_create, request_key
from ._runs import PENDING, Clock, status_at

Handler = Callable[[Request], Awaitable[Visit]]
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(ledger: Ledger, clock: Clock, record: Callable[[RecordedRequest], None]) -> Starlette:
    """The ASGI application of one emulator; `record` is called before each answer is sent."""

    async def create(request: Request) -> Visit:
        return ledger.create(parse_create(await request.body()))

    async def poll(request: Request) -> Visit:
        if request.query_params.get("stream") == "true":
            raise ApiError(400, "This emulator does not stream yet.", param="stream", code="unsupported_value")
        return ledger.poll(request.path_params["id"])

    async def cancel(request: Request) -> Visit:
        return ledger.cancel(request.path_params["id"])

    async def nothing(request: Request) -> Visit:
        raise ApiError(404, f"Invalid URL ({request.method} {request.url.path})")

    def route(path: str, methods: list[str], handle: Handler, name: RequestRoute = "other") -> Route:
        async def endpoint(request: Request) -> Response:
            started = time.perf_counter()
            visit: Visit | None = None
            try:
                _check_key(request)
                visit = await handle(request)
                response = _answer(visit, clock.now(), polled=handle is poll)
            except ApiError as error:
                response = refusal(error)
            response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
            response.headers["openai-processing-ms"] = str(int((time.perf_counter() - started) * 1000))
            record(_recorded(name, request, visit, response, clock.now()))
            return response

        return Route(path, endpoint, methods=methods)

    return Starlette(
        routes=[
            route("/v1/responses", ["POST"], create, "create"),
            route("/v1/responses/{id}", ["GET"], poll, "poll"),
            route("/v1/responses/{id}/cancel", ["POST"], cancel, "cancel"),
            route("/{path:path}", _METHODS, nothing),
        ]
    )


def _check_key(request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not request.headers.get("api-key") and not (scheme.lower() == "bearer" and token.strip()):
        raise ApiError(401, "You didn't provide an API key. Any key that is not empty will do.", code="invalid_api_key")


def _answer(visit: Visit, now: float, *, polled: bool) -> Response:
    run = visit.run
    response = answer(response_body(run, now) if run else {}, visit.fault)
    hint = run.outcome.poll_after_ms if run and polled and not visit.fault else None
    if run and hint is not None and status_at(run, now) in PENDING:
        response.headers["openai-poll-after-ms"] = str(hint)
    return response


def _recorded(
    route: RequestRoute, request: Request, visit: Visit | None, response: Response, now: float
) -> RecordedRequest:
    run = visit.run if visit else None
    return RecordedRequest(
        method=request.method,
        path=request.url.path,
        status=None if isinstance(response, (DroppedConnection, StalledAnswer)) else response.status_code,
        response_id=run.id if run else request.path_params.get("id"),
        at=now,
        idempotency_key=request.headers.get("idempotency-key"),
        runoutcome_key=run.runoutcome_key if run else None,
        route=route,
        job=request_key(run.request) if run else None,
        submission=run.submission if run else None,
        created=route == "create" and run is not None,
        run_status=status_at(run, now) if run else None,
        fault=visit.fault.word if visit and visit.fault else None,
        retry_after=parse_delay(response.headers.get("retry-after")),
    )


def parse_delay(header: str | None) -> float | None:
    """The seconds of a `retry-after` header."""
    return float(header) if header else None
