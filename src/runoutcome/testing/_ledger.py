"""The runs an emulator has created, and how often each thing was asked: all the state there is."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ._choice import create_faults_for, outcomes_for
from ._errors import ApiError, EmulatorError
from ._fault import Fault
from ._journal import Journal
from ._request import request_key
from ._runs import PENDING, Clock, EmulatedRun, is_forgotten, status_at
from ._scenario import Scenario
from ._script import Route


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


class Ledger:
    """Creates, finds and cancels runs. Called from the server's thread; `runs` from any."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._runs: dict[str, EmulatedRun] = {}
        self._calls: Counter[Route] = Counter()
        self._polls: Counter[str] = Counter()
        self._posts: Counter[str] = Counter()
        self._created: Counter[str] = Counter()
        if settings.journal:
            self._restore(settings.journal)

    @property
    def runs(self) -> list[EmulatedRun]:
        """Every created run, oldest first, as it stands."""
        with self._lock:
            return list(self._runs.values())

    def create(self, request: Mapping[str, Any]) -> Visit:
        """Take a checked create request. Raises ApiError (400) for a bad marker."""
        settings, key = self._settings, request_key(request)
        words = outcomes_for(settings.scenario, request, nth=len(self._runs) + 1, seed=settings.seed)
        word = words[min(self._created[key], len(words) - 1)]
        faults = create_faults_for(request)
        if faults is None:
            faults = settings.scenario.outcome(word).create_faults
        self._posts[key] += 1
        fault = self._fault("create", faults, self._posts[key])
        if fault and not fault.applied:
            return Visit(None, fault)
        run = self._add(f"resp_{secrets.token_hex(24)}", settings.clock.now(), request, word)
        self._note(event="created", id=run.id, created_at=run.created_at, outcome=word, request=request)
        return Visit(run, fault)

    def poll(self, run_id: str) -> Visit:
        """Look a run up for a GET. Raises ApiError (404) for an id the server does not know."""
        run = self._find(run_id)
        self._polls[run_id] += 1
        nth = self._polls[run_id] - run.outcome.poll_faults_from + 1
        return Visit(run, self._fault("poll", run.outcome.poll_faults, nth))

    def cancel(self, run_id: str) -> Visit:
        """Cancel a pending run; again is fine. Raises ApiError: 404 for an unknown id, 400 for an ended run."""
        run = self._find(run_id)
        fault = self._fault("cancel", (), 0)
        if fault and not fault.applied:
            return Visit(run, fault)
        now = self._settings.clock.now()
        status = status_at(run, now)
        if status in PENDING:
            run = self._store(replace(run, cancelled_at=now))
            self._note(event="cancelled", id=run_id, at=now)
        elif status != "cancelled":
            raise ApiError(400, f"Cannot cancel a {status} response.")
        return Visit(run, fault)

    def _find(self, run_id: str) -> EmulatedRun:
        run = self._runs.get(run_id)
        if run is None or is_forgotten(run, self._settings.clock.now()):
            raise ApiError(404, f"Response with id '{run_id}' not found.")
        return run

    def _fault(self, route: Route, faults: tuple[Fault, ...], nth: int) -> Fault | None:
        """The fault of this call: a rule of the scenario comes before the nth of the run's own."""
        self._calls[route] += 1
        call, rules = self._calls[route], self._settings.scenario.faults
        own = faults[nth - 1] if 1 <= nth <= len(faults) else None
        fault = next((rule.fault for rule in rules if rule.covers(route, call)), own)
        return None if fault is None or fault.shape == "ok" else fault

    def _add(self, run_id: str, created_at: float, request: Mapping[str, Any], word: str) -> EmulatedRun:
        key = request_key(request)
        script, speed = self._settings.scenario.outcome(word), self._settings.speed
        # A foreground request waits for its answer; here that takes no time.
        scale = 1 / speed if request.get("background") else 0.0
        script = replace(
            script,
            queued_seconds=script.queued_seconds * scale,
            running_seconds=script.running_seconds * scale,
            expires_after_seconds=script.expires_after_seconds and script.expires_after_seconds / speed,
        )
        self._created[key] += 1
        return self._store(EmulatedRun(run_id, created_at, request, word, script, self._created[key]))

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
                    self._add(event["id"], event["created_at"], event["request"], event["outcome"])
                else:
                    self._store(replace(self._runs[event["id"]], cancelled_at=event["at"]))
            except (KeyError, ValueError) as error:
                name = self._settings.scenario.name
                raise EmulatorError(f"{journal.path}: line {number} does not fit scenario '{name}': {error}") from error
        # A request whose run exists was posted at least that often; faults before its run are not replayed.
        self._posts.update(self._created)
