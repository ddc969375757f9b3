"""`Emulator` and `serve`: the application on a loopback socket, in a thread of its own."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import uvicorn

from ._app import create_app
from ._errors import EmulatorError
from ._journal import Journal
from ._ledger import Ledger, Settings
from ._loader import ScenarioSource, load_scenario
from ._record import RecordedRequest
from ._runs import Clock, EmulatedRun, SystemClock
from ._scenario import Scenario
from ._uvicorn import DroppableProtocol, LoopbackServer

HOST = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0
_REQUESTS_KEPT = 100_000


class Emulator:
    """The background part of the Responses API, scripted, for a real client: `with Emulator() as emulator: ...`.

    `scenario` is the name of a shipped one, the path of a TOML file, its keys as a mapping, or a `Scenario`.
    `seed` stands in for the scenario's own; `speed` divides every duration; `clock` is read in place of the
    wall clock; with `state_path` an emulator started later on the same file knows the runs of this one.
    Listens on 127.0.0.1 and on no other address. Raises ScenarioError for a wrong scenario and EmulatorError
    for a state file that cannot be used.
    """

    def __init__(
        self,
        scenario: ScenarioSource = "happy",
        *,
        port: int = 0,
        seed: int | None = None,
        speed: float = 1.0,
        clock: Clock | None = None,
        state_path: str | os.PathLike[str] | None = None,
    ) -> None:
        if not speed > 0:
            raise EmulatorError(f"speed divides durations, so it is more than 0; got {speed}")
        self._scenario = load_scenario(scenario)
        self._port = port
        self._clock = clock or SystemClock()
        journal = Journal(Path(state_path)) if state_path is not None else None
        own_seed = self._scenario.seed if seed is None else seed
        self._ledger = Ledger(Settings(self._scenario, self._clock, own_seed, speed, journal))
        self._requests: deque[RecordedRequest] = deque(maxlen=_REQUESTS_KEPT)
        self._lock = threading.Lock()
        self._server: LoopbackServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def scenario(self) -> Scenario:
        """What it plays."""
        return self._scenario

    @property
    def port(self) -> int:
        """The port it listens on; kept when it is started again. Raises EmulatorError before the first start."""
        if not self._port:
            raise EmulatorError("the emulator has no port until it is started")
        return self._port

    @property
    def base_url(self) -> str:
        """What a client takes as `base_url`."""
        return f"http://{HOST}:{self.port}/v1"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, oldest first; of very many, the last 100,000."""
        with self._lock:
            return list(self._requests)

    @property
    def runs(self) -> list[EmulatedRun]:
        """The runs created so far, oldest first: each would have been paid for."""
        return self._ledger.runs

    def start(self) -> Emulator:
        """Listen; returns when requests are answered. Raises EmulatorError if the port is taken."""
        if self._thread is not None:
            raise EmulatorError("the emulator is running already")
        listener = _listen(self._port)
        self._port = listener.getsockname()[1]
        app = create_app(self._ledger, self._clock, self._record)
        config = uvicorn.Config(app, http=DroppableProtocol, ws="none", lifespan="off", log_config=None)
        server = LoopbackServer(config)
        thread = threading.Thread(target=server.run_on, args=(listener,), name="runoutcome-emulator", daemon=True)
        thread.start()
        if not server.settled.wait(_START_SECONDS) or not server.started:
            server.should_exit = True
            raise EmulatorError(f"the emulator did not start on {HOST}:{self._port}") from server.failure
        self._server, self._thread = server, thread
        return self

    def stop(self) -> None:
        """Close every connection and the port; the runs stay known. Does nothing if not running."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise EmulatorError(f"the emulator did not stop within {_STOP_SECONDS:g} s")
        self._server = self._thread = None

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _record(self, request: RecordedRequest) -> None:
        with self._lock:
            self._requests.append(request)


def serve(
    scenario: ScenarioSource = "happy",
    port: int = 0,
    speed: float = 1.0,
    seed: int | None = None,
    state_path: str | os.PathLike[str] | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run an emulator until SIGINT or SIGTERM; only in the main thread. `on_ready` gets the base URL once it answers.

    Raises ScenarioError and EmulatorError as `Emulator` does.
    """
    emulator = Emulator(scenario, port=port, seed=seed, speed=speed, state_path=state_path)
    with _stop_signal() as stopped, emulator:
        if on_ready:
            on_ready(emulator.base_url)
        stopped.wait()


@contextmanager
def _stop_signal() -> Generator[threading.Event, None, None]:
    stopped = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, frame: stopped.set()) for number in signals]
    try:
        yield stopped
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise EmulatorError(
            f"port {port} on {HOST} cannot be used ({error}); choose another, or 0 for any free one"
        ) from error
