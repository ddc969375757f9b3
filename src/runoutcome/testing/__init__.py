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
scenario decides; `load_scenario` reads one, and `_loader` shows the format.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._errors import EmulatorError, ScenarioError
    from ._fault import Fault, parse_fault
    from ._loader import load_scenario, scenario_names
    from ._record import RecordedRequest
    from ._runs import Clock, EmulatedRun, ManualClock
    from ._scenario import Scenario
    from ._script import FaultRule, JobRule, OutcomeScript
    from ._server import Emulator, serve

__all__ = [
    "Clock",
    "EmulatedRun",
    "Emulator",
    "EmulatorError",
    "Fault",
    "FaultRule",
    "JobRule",
    "ManualClock",
    "OutcomeScript",
    "RecordedRequest",
    "Scenario",
    "ScenarioError",
    "load_scenario",
    "parse_fault",
    "scenario_names",
    "serve",
]

_HOMES = MappingProxyType(
    {
        "_errors": ("EmulatorError", "ScenarioError"),
        "_fault": ("Fault", "parse_fault"),
        "_loader": ("load_scenario", "scenario_names"),
        "_record": ("RecordedRequest",),
        "_runs": ("Clock", "EmulatedRun", "ManualClock"),
        "_scenario": ("Scenario",),
        "_script": ("FaultRule", "JobRule", "OutcomeScript"),
        "_server": ("Emulator", "serve"),
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
