"""The calls of the API: what each reads of a request, asks of the ledger, and answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .._state.body import response_body
from .._state.ledger import Effect, Ledger
from .._state.runs import PENDING, Clock, status_at
from .create_request import parse_create
from .event_stream import EventStream
from .http_responses import answer
from .input_items import input_items_page
from .models import model_list, model_named
from .rate_limits import RateLimits
from .retrieve_query import parse_poll

Answered = tuple[Effect, Response]


class Calls:
    """One method per call. Each raises ApiError where the API refuses."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._limits = RateLimits()

    async def create(self, request: Request) -> Answered:
        """A new run: its body, or the stream of its events."""
        body = parse_create(await request.body())
        effect = self._ledger.create(body)
        response = self._events(effect, -1) if body.get("stream") else self._body(effect)
        response.headers.update(self._limits.headers(self._clock.now(), body))
        return effect, response

    async def poll(self, request: Request) -> Answered:
        """The body of a run as it stands, or the stream of its events."""
        query, run_id = parse_poll(request.query_params), request.path_params["id"]
        if query.stream:
            effect = self._ledger.read("stream", run_id)
            return effect, self._events(effect, query.starting_after)
        effect = self._ledger.read("poll", run_id)
        response = self._body(effect)
        if (hint := self._hint(effect)) is not None:
            response.headers["openai-poll-after-ms"] = str(hint)
        return effect, response

    async def cancel(self, request: Request) -> Answered:
        """The body of the run once it is cancelled."""
        effect = self._ledger.cancel(request.path_params["id"])
        return effect, self._body(effect)

    async def delete(self, request: Request) -> Answered:
        """What was deleted."""
        run_id = request.path_params["id"]
        effect = self._ledger.delete(run_id)
        return effect, answer({"id": run_id, "object": "response", "deleted": True}, effect.fault)

    async def input_items(self, request: Request) -> Answered:
        """A page of what the run was asked."""
        effect = self._ledger.read("input_items", request.path_params["id"])
        return effect, answer(input_items_page(effect.run, request.query_params) if effect.run else {}, effect.fault)

    async def models(self, request: Request) -> Answered:
        """The models, or the one that the path names."""
        name = request.path_params.get("name")
        effect = self._ledger.models()
        return effect, answer(model_list() if name is None else model_named(name), effect.fault)

    def _body(self, effect: Effect) -> Response:
        return answer(response_body(effect.run, self._clock.now()) if effect.run else {}, effect.fault)

    def _events(self, effect: Effect, starting_after: int) -> Response:
        run, fault = effect.run, effect.fault
        if run is None or (fault and not (fault.is_of_a_stream or fault.shape == "ok")):
            return self._body(effect)
        run_id = run.id
        return EventStream(
            lambda: self._ledger.current(run_id), self._clock, starting_after=starting_after, fault=fault
        )

    def _hint(self, effect: Effect) -> int | None:
        run = effect.run
        if run is None or effect.fault or status_at(run, self._clock.now()) not in PENDING:
            return None
        return run.outcome.poll_after_ms
