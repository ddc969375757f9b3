"""The calls of the API: what each reads of a request, asks of the ledger, and answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .._state.body import response_body
from .._state.ledger import Ledger, Visit
from .._state.runs import PENDING, Clock, status_at
from .create_request import parse_create
from .event_stream import EventStream
from .http_responses import answer
from .input_items import input_items_page
from .models import model_list, model_named
from .rate_limits import RateLimits
from .retrieve_query import parse_poll

Answered = tuple[Visit, Response]


class Calls:
    """One method per call. Each raises ApiError where the API refuses."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._limits = RateLimits()

    async def create(self, request: Request) -> Answered:
        """A new run: its body, or the stream of its events."""
        body = parse_create(await request.body())
        visit = self._ledger.create(body)
        response = self._events(visit, -1) if body.get("stream") else self._body(visit)
        response.headers.update(self._limits.headers(self._clock.now(), body))
        return visit, response

    async def poll(self, request: Request) -> Answered:
        """The body of a run as it stands, or the stream of its events."""
        query, run_id = parse_poll(request.query_params), request.path_params["id"]
        if query.stream:
            visit = self._ledger.stream(run_id)
            return visit, self._events(visit, query.starting_after)
        visit = self._ledger.poll(run_id)
        response = self._body(visit)
        if (hint := self._hint(visit)) is not None:
            response.headers["openai-poll-after-ms"] = str(hint)
        return visit, response

    async def cancel(self, request: Request) -> Answered:
        """The body of the run once it is cancelled."""
        visit = self._ledger.cancel(request.path_params["id"])
        return visit, self._body(visit)

    async def delete(self, request: Request) -> Answered:
        """What was deleted."""
        run_id = request.path_params["id"]
        visit = self._ledger.delete(run_id)
        return visit, answer({"id": run_id, "object": "response", "deleted": True}, visit.fault)

    async def input_items(self, request: Request) -> Answered:
        """A page of what the run was asked."""
        visit = self._ledger.input_items(request.path_params["id"])
        return visit, answer(input_items_page(visit.run, request.query_params) if visit.run else {}, visit.fault)

    async def models(self, request: Request) -> Answered:
        """The models, or the one that the path names."""
        name = request.path_params.get("name")
        visit = self._ledger.models()
        return visit, answer(model_list() if name is None else model_named(name), visit.fault)

    def _body(self, visit: Visit) -> Response:
        return answer(response_body(visit.run, self._clock.now()) if visit.run else {}, visit.fault)

    def _events(self, visit: Visit, starting_after: int) -> Response:
        run, fault = visit.run, visit.fault
        if run is None or (fault and not (fault.is_of_a_stream or fault.shape == "ok")):
            return self._body(visit)
        run_id = run.id
        return EventStream(
            lambda: self._ledger.current(run_id), self._clock, starting_after=starting_after, fault=fault
        )

    def _hint(self, visit: Visit) -> int | None:
        run = visit.run
        if run is None or visit.fault or status_at(run, self._clock.now()) not in PENDING:
            return None
        return run.outcome.poll_after_ms
