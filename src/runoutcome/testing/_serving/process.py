"""`serve`, `serve_replay`: an emulator or a recording as a process of its own, until a signal stops it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager

from .._scenario.loader import ScenarioSource
from .emulator import Emulator
from .replay import Replay


def serve(
    scenario: ScenarioSource = "happy",
    port: int = 0,
    speed: float = 1.0,
    seed: int | None = None,
    state_path: str | os.PathLike[str] | None = None,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    allowed_hosts: Collection[str] = (),
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    on_ready: Callable[[str], None] | None = None,
    on_stop: Callable[[Emulator], None] | None = None,
) -> None:
    """Run an emulator until SIGINT or SIGTERM; only in the main thread.

    `on_ready` gets the base URL once the emulator answers, `on_stop` the stopped emulator, for its verdict. Raises
    ScenarioError and EmulatorError as `Emulator` does.
    """
    emulator = Emulator(
        scenario,
        port=port,
        seed=seed,
        speed=speed,
        state_path=state_path,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        allowed_hosts=allowed_hosts,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
    )
    with _stop_signal() as stopped, emulator:
        if on_ready:
            on_ready(emulator.base_url)
        stopped.wait()
    if on_stop:
        on_stop(emulator)


serve.__module__ = "runoutcome.testing"


def serve_replay(
    path: str | os.PathLike[str],
    port: int = 0,
    speed: float = 1.0,
    allowed_hosts: Collection[str] = (),
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run a `Replay` until SIGINT or SIGTERM; only in the main thread.

    `on_ready` gets the base URL once it answers. Raises RecordingError and EmulatorError as `Replay` does.
    """
    replay = Replay(path, port=port, speed=speed, allowed_hosts=allowed_hosts)
    with _stop_signal() as stopped, replay:
        if on_ready:
            on_ready(replay.base_url)
        stopped.wait()


serve_replay.__module__ = "runoutcome.testing"


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
