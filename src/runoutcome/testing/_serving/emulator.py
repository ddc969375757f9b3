"""`Emulator`: the application on a loopback socket or without one, and what a test controls of it."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..._host_check import HostCheck
from .._api.app import create_app
from .._delivery.event import Delivery, DeliverySettings
from .._delivery.sender import WebhookSender
from .._errors import EmulatorError
from .._scenario.fault import FaultLike
from .._scenario.loader import ScenarioSource, load_scenario, read_fault_rule
from .._scenario.readers import checked
from .._scenario.scenario import Scenario
from .._scenario.script import Route
from .._state.journal import Journal
from .._state.ledger import Ledger, Settings
from .._state.outcome_queue import Match, Scripted
from .._state.recorded_request import RecordedRequest
from .._state.runs import Clock, EmulatedRun, ManualClock, SystemClock
from .._verdict.verdict import Verdict, judge_client
from .listener import HOST, Listener
from .loop_thread import LoopThread
from .status_page import with_status_page
from .transport import AsyncEmulatorTransport, EmulatorTransport

_REQUESTS_KEPT = 100_000
_HINT = "Another name is allowed by Emulator(allowed_hosts=[...]), or by runoutcome emulate --allow-host NAME."


class Emulator:
    """The background part of the Responses API, scripted, for a real client: `with Emulator() as emulator: ...`.

    `scenario` is the name of a shipped one, the path of a TOML file, its keys as a mapping, or a `Scenario`.
    `seed` replaces the scenario's own; `speed` divides every duration; `clock` replaces the wall clock; with
    `state_path` an emulator started later on the same file knows the runs of this one.
    `requests_per_minute` and `tokens_per_minute` replace the limits of the scenario: creates above them get a 429.
    `webhook_url`, on this machine, gets a webhook signed with `webhook_secret` for each background run that ends.
    Listens on 127.0.0.1 and on no other address, and answers to names of this machine in `Host`, so that no web page
    reaches it by a name of its own; `allowed_hosts` are further names, such as a container's. Raises ScenarioError for
    a wrong scenario and EmulatorError for a state file that cannot be used.
    """

    __module__ = "runoutcome.testing"

    def __init__(
        self,
        scenario: ScenarioSource = "happy",
        *,
        port: int = 0,
        seed: int | None = None,
        speed: float = 1.0,
        clock: Clock | None = None,
        state_path: str | os.PathLike[str] | None = None,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        allowed_hosts: Collection[str] = (),
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> None:
        if not speed > 0:
            raise EmulatorError(f"speed divides durations, so it is more than 0; got {speed}")
        loaded = load_scenario(scenario).limited_to(requests_per_minute, tokens_per_minute)
        self._scenario = replace(loaded, webhooks=loaded.webhooks.sent_to(webhook_url, webhook_secret))
        self._port = port
        self._speed = speed
        self._clock = clock or SystemClock()
        self._journal = journal = Journal(Path(state_path)) if state_path is not None else None
        self._seed = self._scenario.seed if seed is None else seed
        self._ledger = Ledger(Settings(self._scenario, self._clock, self._seed, speed, journal))
        self._sender = self._new_sender()
        self._requests: deque[RecordedRequest] = deque(maxlen=_REQUESTS_KEPT)
        self._lock = threading.Lock()
        self._app = with_status_page(create_app(self._ledger, self._clock, self._record, self._amend), self)
        self._hosts = frozenset(allowed_hosts)
        self._thread = LoopThread()
        self._listener: Listener | None = None

    @property
    def scenario(self) -> Scenario:
        """The scenario, with the receiver of webhooks."""
        return self._scenario

    @property
    def port(self) -> int:
        """The port, also after a restart. Raises EmulatorError before the first start."""
        if not self._port:
            raise EmulatorError("the emulator has no port until it is started")
        return self._port

    @property
    def base_url(self) -> str:
        """The `base_url` for a client."""
        return f"http://{HOST}:{self.port}/v1"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, oldest first; at most the last 100,000."""
        with self._lock:
            return list(self._requests)

    @property
    def runs(self) -> list[EmulatedRun]:
        """The runs created so far, oldest first: each would have been paid for."""
        return self._ledger.runs

    @property
    def about(self) -> dict[str, Any]:
        """Scenario, address, speed and time (Unix seconds by its clock), as JSON."""
        names = {"scenario": self._scenario.name, "description": self._scenario.description}
        address = self.base_url if self._port else None  # without a socket it has none
        return {**names, "base_url": address, "speed": self._speed, "now": self._clock.now()}

    def verdict(self, *, final: bool = True) -> Verdict:
        """The verdict on the client, from its requests so far.

        Ask when the client has finished: a run that it has not read to its end counts as left behind. With
        `final=False` it may still come back to it.
        """
        requests = self.requests
        is_whole = len(requests) < _REQUESTS_KEPT
        return judge_client(requests, self.runs, self._clock.now(), final=final, is_whole=is_whole)

    @property
    def webhook_secret(self) -> str:
        """The secret that signs the webhooks, for a receiver."""
        return self._scenario.webhooks.secret

    @property
    def deliveries(self) -> list[Delivery]:
        """The webhooks that were sent, oldest first; at most the last 100,000."""
        return self._sender.deliveries

    def settle_webhooks(self, timeout_seconds: float = 30.0) -> list[Delivery]:
        """`deliveries`, once every webhook that is due by the clock has been sent and answered, retries included.

        Raises EmulatorError if that takes longer (wall time), and if the emulator is not running.
        """
        self._sender.settle(timeout_seconds)
        return self.deliveries

    def send_webhooks_to(self, url: str, secret: str | None = None) -> None:
        """Send webhooks of the background runs that end from now on to this address; `deliveries` begins anew.

        Raises ScenarioError for a URL that is not on this machine, and for an unusable secret.
        """
        self._scenario = replace(self._scenario, webhooks=self._scenario.webhooks.sent_to(url, secret))
        self._sender.stop()
        self._sender = self._new_sender()
        if self._listener is not None:
            self._sender.start()

    def start(self) -> Emulator:
        """Listen; returns when requests are answered. Raises EmulatorError if the port or the state file is taken."""
        if self._listener is not None:
            raise EmulatorError("the emulator is running already")
        if self._journal:
            self._journal.hold()
        try:
            self._listener = Listener(HostCheck(self._app, self._hosts, hint=_HINT), self._port, self._thread)
        except EmulatorError:
            self._release()
            raise
        self._port = self._listener.port
        self._sender.start()
        return self

    def stop(self) -> None:
        """Close every connection and the port; the runs stay known. Does nothing if not running."""
        if self._listener is not None:
            self._sender.stop()
            self._listener.stop()
            self._listener = None
        self._thread.end()
        self._release()

    def _release(self) -> None:
        if self._journal:
            self._journal.release()

    def script(self, *outcomes: Scripted, match: Match | None = None) -> None:
        """Script the next jobs: one outcome each, in order; with `match`, the next jobs that fit it.

        An outcome is a word, a comma list of words (one for each submission of the job), or an `OutcomeScript`. `match`
        is a text within the input, a table as in a scenario's `[[jobs]]`, or a function of the request's body.
        Raises ScenarioError for an unknown word or a wrong match.
        """
        self._ledger.queue.add(outcomes, match)

    @property
    def unconsumed(self) -> list[str]:
        """The names of the scripted outcomes that no create has taken so far."""
        return self._ledger.queue.unconsumed

    def fault(
        self, route: Route, fault: FaultLike, *, from_: int = 1, to: int | None = None, **conditions: Any
    ) -> None:
        """Put a fault on the calls of a route: the `from_`th to the `to`th from now, both included.

        `conditions` are the other keys of a scenario's `[[faults]]`: share, times, after_seconds, until_seconds,
        outcome. A rule of the scenario comes first. Raises ScenarioError for an unknown route, fault or condition.
        """
        last = {} if to is None else {"to": to}
        rule = {"route": route, "fault": fault, "from": from_, **conditions, **last}
        self._ledger.faults.add(checked(read_fault_rule, rule, "fault"))

    def transport(self) -> EmulatorTransport:
        """A transport for `httpx.Client` or `httpx2.Client`: the same runs without a socket, and without a start."""
        return EmulatorTransport(self._app, self._thread, waits=self._takes_time)

    def async_transport(self) -> AsyncEmulatorTransport:
        """The same for `httpx.AsyncClient` or `httpx2.AsyncClient`, under asyncio."""
        return AsyncEmulatorTransport(self._app, self._thread, waits=self._takes_time)

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _new_sender(self) -> WebhookSender:
        settings = DeliverySettings(self._scenario.webhooks, self._seed, self._speed)
        return WebhookSender(settings, lambda: self._ledger.runs, self._clock)

    @property
    def _takes_time(self) -> bool:
        return not isinstance(self._clock, ManualClock)

    def _record(self, request: RecordedRequest) -> None:
        with self._lock:
            self._requests.append(request)

    def _amend(self, before: RecordedRequest, after: RecordedRequest) -> None:
        with self._lock:
            # A stream is mostly one of the latest requests.
            for index in range(len(self._requests) - 1, -1, -1):
                if self._requests[index] is before:
                    self._requests[index] = after
                    return
