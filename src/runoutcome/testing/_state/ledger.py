"""The runs an emulator has created, and how often each thing was asked: all the state there is."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._errors import ApiError, EmulatorError
from .._scenario.fault import Fault
from .._scenario.scenario import Scenario
from .._scenario.script import OutcomeScript, Route
from .choice import check_webhook_marker, create_faults_for, outcomes_for
from .fault_plan import FaultPlan
from .journal import Journal
from .outcome_queue import OutcomeQueue
from .request import request_key
from .runs import PENDING, Clock, EmulatedRun, is_forgotten, is_streamable, status_at


@dataclass(frozen=True)
class Settings:
    """What an emulator was started with; `speed` divides every duration of the scenario."""

    scenario: Scenario
    clock: Clock
    seed: int
    speed: float
    journal: Journal | None = None


@dataclass(frozen=True)
class Visit:
    """What one request came to: the run it is about (None: none was created) and the fault its answer meets."""

    run: EmulatedRun | None
    fault: Fault | None
    refused: Mapping[str, Any] | None = None
    """The create request by which no run was made."""

    @property
    def request(self) -> Mapping[str, Any] | None:
        """The create request it is about, if any."""
        return self.run.request if self.run else self.refused


class Ledger:
    """Creates, finds and cancels runs. Called from the server's thread; `runs` from any."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._runs: dict[str, EmulatedRun] = {}
        self.faults = FaultPlan(
            settings.scenario.faults, seed=settings.seed, speed=settings.speed, started_at=settings.clock.now()
        )
        self.queue = OutcomeQueue(settings.scenario)
        self._created: Counter[str] = Counter()
        if settings.journal:
            self._restore(settings.journal)

    @property
    def runs(self) -> list[EmulatedRun]:
        """Every created run, oldest first, as it stands."""
        with self._lock:
            return list(self._runs.values())

    def create(self, request: Mapping[str, Any]) -> Visit:
        """Take a checked create request. Raises ApiError (400) for a bad marker, and for what the ledger knows better.

        That is a previous response the server does not know, and a background run that is not to be stored.
        """
        settings, key = self._settings, request_key(request)
        self._check(request)
        script = self.queue.next_for(request, key) or self._chosen(request, key)
        check_webhook_marker(settings.scenario, request)
        faults = create_faults_for(request)
        if faults is None:
            faults = script.create_faults
        fault = self.faults.next("create", settings.clock.now(), subject=key, outcome=script.name, own=faults)
        if fault and not fault.applied:
            return Visit(None, fault, refused=request)
        run = self._add(f"resp_{secrets.token_hex(24)}", settings.clock.now(), request, script)
        self.queue.take(request, key)
        self._note(event="created", id=run.id, created_at=run.created_at, outcome=script.name, request=request)
        return Visit(run, fault)

    def poll(self, run_id: str) -> Visit:
        """Look a run up for a GET. Raises ApiError (404) for an id the server does not know."""
        run = self._find(run_id)
        return Visit(run, self._fault("poll", run))

    def stream(self, run_id: str) -> Visit:
        """Look a run up for a stream of its events. Raises ApiError: 404 for an unknown id, 400 if it has no stream."""
        run = self._find(run_id)
        _check_streamable(run, self._settings.clock.now())
        return Visit(run, self._fault("stream", run))

    def input_items(self, run_id: str) -> Visit:
        """Look a run up for its input. Raises ApiError (404) for an unknown id."""
        run = self._find(run_id)
        return Visit(run, self._fault("input_items", run))

    def models(self) -> Visit:
        """A question that is about no run."""
        return Visit(None, self.faults.next("models", self._settings.clock.now()))

    def current(self, run_id: str) -> EmulatedRun | None:
        """The run as it stands; None once the server has forgotten it."""
        run = self._runs.get(run_id)
        return None if run is None or run.deleted_at is not None else run

    def delete(self, run_id: str) -> Visit:
        """Forget a run. Raises ApiError (404) for an unknown id."""
        run = self._find(run_id)
        fault = self._fault("delete", run)
        if not fault or fault.applied:
            now = self._settings.clock.now()
            run = self._store(replace(run, deleted_at=now))
            self._note(event="deleted", id=run_id, at=now)
        return Visit(run, fault)

    def cancel(self, run_id: str) -> Visit:
        """Cancel a pending run; again is fine.

        Raises ApiError: 404 for an unknown id, 400 for a run in the foreground, and for an ended run unless its script
        says otherwise.
        """
        run = self._find(run_id)
        fault = self._fault("cancel", run)
        if fault and not fault.applied:
            return Visit(run, fault)
        if not run.request.get("background"):
            raise ApiError(400, "Cannot cancel a synchronous response.")
        now = self._settings.clock.now()
        status = status_at(run, now)
        refused = run.outcome.cancel_status or self._settings.scenario.cancel_finished
        if status in PENDING:
            run = self._store(replace(run, cancelled_at=now))
            self._note(event="cancelled", id=run_id, at=now)
        elif status != "cancelled" and refused != 200:
            raise ApiError(refused, f"Cannot cancel a {status} response.")
        return Visit(run, fault)

    def _chosen(self, request: Mapping[str, Any], key: str) -> OutcomeScript:
        scenario, seed = self._settings.scenario, self._settings.seed
        words = outcomes_for(scenario, request, nth=len(self._runs) + 1, seed=seed)
        return scenario.outcome(words[min(self._created[key], len(words) - 1)])

    def _find(self, run_id: str) -> EmulatedRun:
        run = self._runs.get(run_id)
        if run is None or is_forgotten(run, self._settings.clock.now()):
            raise ApiError(404, f"Response with id '{run_id}' not found.")
        return run

    def _check(self, request: Mapping[str, Any]) -> None:
        unstored = request.get("background") and request.get("store") is False
        if unstored and self._settings.scenario.unstored_background == "refuse":
            raise ApiError(400, "Background mode requires 'store' to be true.", param="store", code="invalid_value")
        if (previous := request.get("previous_response_id")) is None:
            return
        run = self._runs.get(previous)
        if run is None or is_forgotten(run, self._settings.clock.now()):
            raise ApiError(
                400,
                f"Previous response with id '{previous}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )

    def _fault(self, route: Route, run: EmulatedRun) -> Fault | None:
        now, own = self._settings.clock.now(), run.outcome.faults_on(route)
        return self.faults.next(route, now, subject=run.id, outcome=run.word, own=own)

    def _add(self, run_id: str, created_at: float, request: Mapping[str, Any], script: OutcomeScript) -> EmulatedRun:
        key = request_key(request)
        settings = self._settings
        word, script = script.name, script.paced(seed=settings.seed, nth=len(self._runs) + 1, speed=settings.speed)
        if not request.get("background"):
            # A foreground request waits for its answer; here that takes no time.
            script = replace(script, queued_seconds=0.0, running_seconds=0.0)
        self._created[key] += 1
        return self._store(
            EmulatedRun(run_id, created_at, request, word, script, self._created[key], speed=settings.speed)
        )

    def _store(self, run: EmulatedRun) -> EmulatedRun:
        with self._lock:
            self._runs[run.id] = run
        return run

    def _note(self, **event: Any) -> None:
        if self._settings.journal:
            self._settings.journal.append(event)

    def _restore(self, journal: Journal) -> None:
        for number, event in journal.events():
            try:
                if event["event"] == "created":
                    script = self._settings.scenario.outcome(event["outcome"])
                    self._add(event["id"], event["created_at"], event["request"], script)
                else:
                    change = {"cancelled": "cancelled_at", "deleted": "deleted_at"}[event["event"]]
                    self._store(replace(self._runs[event["id"]], **{change: event["at"]}))
            except (KeyError, ValueError) as error:
                name = self._settings.scenario.name
                raise EmulatorError(f"{journal.path}: line {number} does not fit scenario '{name}': {error}") from error
        # A request whose run exists was posted at least that often; faults before its run are not replayed.
        for key, runs in self._created.items():
            self.faults.skip("create", key, runs)


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
