"""A local emulator of background runs, for tests and demos. Needs the extra `runoutcome[testing]`.

For example:

    from runoutcome.testing import Emulator

    with Emulator("mixed") as emulator:
        client = OpenAI(base_url=emulator.base_url, api_key="any")
        run = client.responses.create(
            model="gpt-5", input="Hello", background=True, metadata={"emulate": "rate_limit_exceeded,completed"}
        )

The marker `emulate` chooses the outcome of each submission of a request, `emulate_create` the faults of its POSTs; a
model name such as `emulate-server_error` replaces the marker for clients that set no metadata. Without a marker the
scenario decides; `load_scenario` reads one, `completed`, `failed` and the other builders write one in Python.

Rooms, and their imports:
    _serving ─▶ _api ─────▶ _state ─▶ _scenario
    _serving ─▶ _verdict ─▶ _state
    _serving ─▶ _replay
    _serving ─▶ _delivery ▶ _state
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._delivery.event import Delivery
    from ._errors import EmulatorError, RecordingError, ScenarioError
    from ._scenario.builders import Course, completed, ended, failed, fault_on, incomplete, stuck
    from ._scenario.fault import Fault, parse_fault
    from ._scenario.loader import load_scenario, scenario_names
    from ._scenario.scenario import Scenario
    from ._scenario.script import FaultRule, JobRule, OutcomeScript
    from ._scenario.webhooks import DEFAULT_WEBHOOK_SECRET, Webhooks
    from ._serving.emulator import Emulator
    from ._serving.process import serve, serve_replay
    from ._serving.replay import Replay
    from ._serving.transport import AsyncEmulatorTransport, EmulatorTransport
    from ._state.recorded_request import RecordedRequest
    from ._state.runs import Clock, EmulatedRun, ManualClock
    from ._verdict.finding import Finding
    from ._verdict.verdict import RunAccount, Verdict, assert_client_ok, judge_client

__all__ = [
    "DEFAULT_WEBHOOK_SECRET",
    "AsyncEmulatorTransport",
    "Clock",
    "Course",
    "Delivery",
    "EmulatedRun",
    "Emulator",
    "EmulatorError",
    "EmulatorTransport",
    "Fault",
    "FaultRule",
    "Finding",
    "JobRule",
    "ManualClock",
    "OutcomeScript",
    "RecordedRequest",
    "RecordingError",
    "Replay",
    "RunAccount",
    "Scenario",
    "ScenarioError",
    "Verdict",
    "Webhooks",
    "assert_client_ok",
    "completed",
    "ended",
    "failed",
    "fault_on",
    "incomplete",
    "judge_client",
    "load_scenario",
    "parse_fault",
    "scenario_names",
    "serve",
    "serve_replay",
    "stuck",
]

_HOMES = MappingProxyType(
    {
        "_delivery.event": ("Delivery",),
        "_errors": ("EmulatorError", "RecordingError", "ScenarioError"),
        "_scenario.builders": ("Course", "completed", "ended", "failed", "fault_on", "incomplete", "stuck"),
        "_scenario.fault": ("Fault", "parse_fault"),
        "_scenario.loader": ("load_scenario", "scenario_names"),
        "_scenario.scenario": ("Scenario",),
        "_scenario.script": ("FaultRule", "JobRule", "OutcomeScript"),
        "_scenario.webhooks": ("DEFAULT_WEBHOOK_SECRET", "Webhooks"),
        "_serving.emulator": ("Emulator",),
        "_serving.process": ("serve", "serve_replay"),
        "_serving.replay": ("Replay",),
        "_serving.transport": ("AsyncEmulatorTransport", "EmulatorTransport"),
        "_state.recorded_request": ("RecordedRequest",),
        "_state.runs": ("Clock", "EmulatedRun", "ManualClock"),
        "_verdict.finding": ("Finding",),
        "_verdict.verdict": ("RunAccount", "Verdict", "assert_client_ok", "judge_client"),
    }
)
_EXTRA = ("starlette", "uvicorn")


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            try:
                return getattr(import_module(f".{home}", __name__), name)
            except ModuleNotFoundError as error:
                if error.name is None or error.name.partition(".")[0] not in _EXTRA:
                    raise
                raise ImportError(f"{name} needs {error.name}: install runoutcome[testing]") from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
