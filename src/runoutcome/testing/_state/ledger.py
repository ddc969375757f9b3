"""Ledger of an emulator: the runs it has created, and the faults and outcomes used up. All the state there is."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from .._errors import ApiError, EmulatorError
from .._scenario.fault import Fault
from .._scenario.scenario import Scenario
from .._scenario.script import OutcomeScript, Route
from .fault_plan import FaultPlan
from .journal import Journal
from .outcome_choice import check_webhook_marker, create_faults_for, outcomes_for
from .outcome_queue import OutcomeQueue
from .output import output_of
from .rate_limits import RateLimits
from .request import JsonObject, request_key
from .runs import PENDING, Clock, EmulatedRun, is_forgotten, is_streamable, status_at
from .tool_calls import check_tool_calls, input_items


@dataclass(frozen=True)
class Settings:
    """Settings of an emulator; `speed` divides every duration of the scenario."""

    scenario: Scenario
    clock: Clock
    seed: int
    speed: float
    journal: Journal | None = None


@dataclass(frozen=True)
class Effect:
    """Effect of one request: the run it is about (None: none was created), and the fault its response meets."""

    run: EmulatedRun | None = None
    fault: Fault | None = None
    refused: Mapping[str, Any] | None = None
    """The create request, if it made no run."""

    @property
    def request(self) -> Mapping[str, Any] | None:
        """The create request it is about, if any."""
        return self.run.request if self.run else self.refused


class Ledger:
    """Creates, finds and cancels runs. Called from the server's thread; `runs` from any."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._scenario = settings.scenario
        self._lock = threading.Lock()
        self._runs: dict[str, EmulatedRun] = {}
        self.faults = FaultPlan(
            self._scenario.faults, seed=settings.seed, speed=settings.speed, started_at=settings.clock.now()
        )
        self.queue = OutcomeQueue(self._scenario)
        self.limits = RateLimits(
            self._scenario.requests_per_minute,
            self._scenario.tokens_per_minute,
            now=settings.clock.now(),
            speed=settings.speed,
        )
        self._submissions: Counter[str] = Counter()
        if settings.journal:
            self._restore(settings.journal)

    @property
    def runs(self) -> list[EmulatedRun]:
        """Every created run, oldest first, as it stands."""
        with self._lock:
            return list(self._runs.values())

    def current(self, run_id: str) -> EmulatedRun | None:
        """The run as it stands; None once it is deleted."""
        run = self._runs.get(run_id)
        return None if run is None or run.deleted_at is not None else run

    def create(self, request: Mapping[str, Any]) -> Effect:
        """Take a checked create request.

        Raises ApiError (400) for a wrong marker, for a previous response that is not known, and for a background run
        that is not to be stored.
        """
        key = request_key(request)
        self._check(request)
        script = self.queue.next_for(request, key) or self._chosen(request, key)
        check_webhook_marker(self._scenario, request)
        own = create_faults_for(request)
        own = script.create_faults if own is None else own
        streams = bool(request.get("stream"))
        fault = self.faults.next("create", self._now, subject=key, outcome=script.name, own=own, streams=streams)
        if fault and not fault.applied:
            return Effect(None, fault, refused=request)
        run = self._add(f"resp_{secrets.token_hex(24)}", self._now, request, script)
        self.queue.take(request, key)
        self._note(event="created", id=run.id, created_at=run.created_at, outcome=script.name, request=request)
        return Effect(run, fault)

    def read(self, route: Literal["poll", "stream", "input_items"], run_id: str) -> Effect:
        """Look up a run. Raises ApiError: 404 for an unknown id, 400 for a stream of a run that has none."""
        run = self._find(run_id)
        if route == "stream":
            _check_streamable(run, self._now)
        return Effect(run, self._fault(route, run))

    def models(self) -> Effect:
        """Look up models, not a run."""
        return Effect(None, self.faults.next("models", self._now))

    def delete(self, run_id: str) -> Effect:
        """Forget a run. Raises ApiError (404) for an unknown id."""
        run = self._find(run_id)
        fault = self._fault("delete", run)
        if not fault or fault.applied:
            run = self._change(run, "deleted")
        return Effect(run, fault)

    def cancel(self, run_id: str) -> Effect:
        """Cancel a pending run; a second cancel changes nothing.

        Raises ApiError: 404 for an unknown id, 400 for a run in the foreground, and for an ended run unless its script
        says otherwise.
        """
        run = self._find(run_id)
        fault = self._fault("cancel", run)
        if fault and not fault.applied:
            return Effect(run, fault)
        if not run.request.get("background"):
            raise ApiError(400, "Cannot cancel a synchronous response.")
        status = status_at(run, self._now)
        cancel_status = run.outcome.cancel_status or self._scenario.cancel_finished
        if status in PENDING:
            run = run if run.cancelled_at is not None else self._change(run, "cancelled")
        elif status != "cancelled" and cancel_status != 200:
            raise ApiError(cancel_status, f"Cannot cancel a {status} response.")
        return Effect(run, fault)

    @property
    def _now(self) -> float:
        return self._settings.clock.now()

    def _chosen(self, request: Mapping[str, Any], key: str) -> OutcomeScript:
        words = outcomes_for(self._scenario, request, nth=len(self._runs) + 1, seed=self._settings.seed)
        return self._scenario.outcome(words[min(self._submissions[key], len(words) - 1)])

    def _known(self, run_id: str) -> EmulatedRun | None:
        run = self._runs.get(run_id)
        return None if run is None or is_forgotten(run, self._now) else run

    def _find(self, run_id: str) -> EmulatedRun:
        if run := self._known(run_id):
            return run
        raise ApiError(404, f"Response with id '{run_id}' not found.")

    def _check(self, request: Mapping[str, Any]) -> None:
        unstored = request.get("background") and request.get("store") is False
        if unstored and self._scenario.unstored_background == "refuse":
            raise ApiError(400, "Background mode requires 'store' to be true.", param="store", code="invalid_value")
        previous = request.get("previous_response_id")
        if previous is not None and not self._known(previous):
            raise ApiError(
                400,
                f"Previous response with id '{previous}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        earlier = self._earlier_items(previous)
        if earlier is not None:
            check_tool_calls(request, earlier)

    def _earlier_items(self, previous: str | None) -> list[JsonObject] | None:
        """The items before a run that follows on `previous`; None if some are not known."""
        items: list[JsonObject] = []
        while previous is not None:
            run = self._known(previous)
            if run is None or run.outcome.raw_body is not None or run.request.get("conversation"):
                return None
            items = [*input_items(run.request), *output_of(run, status_at(run, self._now)), *items]
            previous = run.request.get("previous_response_id")
        return items

    def _fault(self, route: Route, run: EmulatedRun) -> Fault | None:
        own = run.outcome.faults_on(route)
        return self.faults.next(route, self._now, subject=run.id, outcome=run.word, own=own)

    def _add(self, run_id: str, created_at: float, request: Mapping[str, Any], script: OutcomeScript) -> EmulatedRun:
        key, speed = request_key(request), self._settings.speed
        paced = script.paced(seed=self._settings.seed, nth=len(self._runs) + 1, speed=speed)
        if not request.get("background"):
            # A request in the foreground waits for its response; here that takes no time.
            paced = replace(paced, queued_seconds=0.0, running_seconds=0.0)
        self._submissions[key] += 1
        return self._store(
            EmulatedRun(run_id, created_at, request, script.name, paced, self._submissions[key], speed=speed)
        )

    def _store(self, run: EmulatedRun) -> EmulatedRun:
        with self._lock:
            self._runs[run.id] = run
        return run

    def _change(self, run: EmulatedRun, event: Literal["cancelled", "deleted"]) -> EmulatedRun:
        now = self._now
        self._note(event=event, id=run.id, at=now)
        return self._store(_changed(run, event, now))

    def _note(self, **event: Any) -> None:
        if self._settings.journal:
            self._settings.journal.append(event)

    def _restore(self, journal: Journal) -> None:
        for number, event in journal.events():
            try:
                if event["event"] == "created":
                    script = self._scenario.outcome(event["outcome"])
                    self._add(event["id"], event["created_at"], event["request"], script)
                else:
                    self._store(_changed(self._runs[event["id"]], event["event"], event["at"]))
            except (KeyError, ValueError) as error:
                text = f"{journal.path}: line {number} does not fit scenario '{self._scenario.name}': {error}"
                raise EmulatorError(text) from error
        # A request whose run exists was posted at least that often; faults before its run are not replayed.
        for key, runs in self._submissions.items():
            self.faults.skip("create", key, runs)


def _changed(run: EmulatedRun, event: str, at: float) -> EmulatedRun:
    """The run after an event of the journal at `at` (Unix seconds). Raises KeyError for an unknown event."""
    change: dict[str, Any] = {{"cancelled": "cancelled_at", "deleted": "deleted_at"}[event]: at}
    return replace(run, **change)


def _check_streamable(run: EmulatedRun, now: float) -> None:
    for param in ("background", "stream"):
        if not run.request.get(param):
            raise ApiError(
                400,
                f"This response cannot be streamed because it was not created with {param}=true.",
                param="stream",
                code="invalid_request_error",
            )
    if not is_streamable(run, now):
        raise ApiError(400, "This response can no longer be streamed because it is more than 5 minutes old.")
