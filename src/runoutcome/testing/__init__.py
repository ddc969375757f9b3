"""A local emulator of background runs, for tests and demos. Needs the extra `runoutcome[testing]`.

For example:

    from runoutcome.testing import Emulator

    with Emulator("mixed") as emulator:
        client = OpenAI(base_url=emulator.base_url, api_key="any")
        run = client.responses.create(
            model="gpt-5", input="Hello", background=True, metadata={"emulate": "rate_limit_exceeded,completed"}
        )

The marker `emulate` chooses the outcome of each submission of a request, `emulate_create` what goes wrong with its
POSTs; a model name such as `emulate-server_error` does for clients that set no metadata. Without a marker the
scenario decides; `load_scenario` reads one, `completed`, `failed` and the other builders write one in Python.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._builders import Course, completed, ended, failed, fault_on, incomplete, stuck
    from ._delivery import Delivery
    from ._errors import EmulatorError, ScenarioError
    from ._fault import Fault, parse_fault
    from ._loader import load_scenario, scenario_names
    from ._record import RecordedRequest
    from ._runs import Clock, EmulatedRun, ManualClock
    from ._scenario import Scenario
    from ._script import FaultRule, JobRule, OutcomeScript
    from ._serve import serve
    from ._server import Emulator
    from ._signing import DEFAULT_WEBHOOK_SECRET
    from ._transport import AsyncEmulatorTransport, EmulatorTransport
    from ._verdict import RunAccount, Verdict, assert_client_ok, judge_client
    from ._verdict_finding import Finding
    from ._webhooks import Webhooks

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
    "stuck",
]

_HOMES = MappingProxyType(
    {
        "_builders": ("Course", "completed", "ended", "failed", "fault_on", "incomplete", "stuck"),
        "_delivery": ("Delivery",),
        "_errors": ("EmulatorError", "ScenarioError"),
        "_fault": ("Fault", "parse_fault"),
        "_loader": ("load_scenario", "scenario_names"),
        "_record": ("RecordedRequest",),
        "_runs": ("Clock", "EmulatedRun", "ManualClock"),
        "_scenario": ("Scenario",),
        "_script": ("FaultRule", "JobRule", "OutcomeScript"),
        "_serve": ("serve",),
        "_server": ("Emulator",),
        "_transport": ("AsyncEmulatorTransport", "EmulatorTransport"),
        "_verdict": ("RunAccount", "Verdict", "assert_client_ok", "judge_client"),
        "_verdict_finding": ("Finding",),
        "_signing": ("DEFAULT_WEBHOOK_SECRET",),
        "_webhooks": ("Webhooks",),
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
