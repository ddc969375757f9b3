"""Scenarios from TOML: the ones that ship with the package, a file of yours, or the same keys as a mapping.

Every top-level key is optional:

    description = "..."
    seed = 7                             # of the draw among the outcomes
    queued_seconds = 0.1                 # of the outcomes that do not say
    running_seconds = 0.4

    [[outcomes]]                         # a name, and any field of `OutcomeScript`
    name = "busy"
    status = "failed"
    code = "rate_limit_exceeded"
    weight = 2
    poll_faults = ["503", "html", {status = 503, retry_after = 1}]

    [[jobs]]                             # jobs with fixed outcomes; a comma list has one word per submission
    match = {metadata = {team = "a"}, input_contains = "report", nth = 3}
    outcome = "busy,completed"

    [[faults]]                           # a fault on every call of a route, from the nth to the mth
    route = "create"
    from = 2
    to = 4
    fault = "503"
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any, cast, get_args

from ._errors import ScenarioError, unknown
from ._scenario import Scenario
from ._script import QUEUED_SECONDS, RUNNING_SECONDS, FaultRule, JobRule, OutcomeScript, Route
from ._table import Table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ScenarioSource = Scenario | Mapping[str, Any] | str | os.PathLike[str]

_SHIPPED = files("runoutcome") / "data" / "scenarios"
_SUFFIX = ".toml"
_NAME = re.compile(r"[\w.-]+")
_TOP = ("description", "seed", "queued_seconds", "running_seconds", "outcomes", "jobs", "faults")
_OUTCOME = tuple(field.name for field in fields(OutcomeScript))
_MATCH = ("metadata", "input_contains", "nth")


def scenario_names() -> tuple[str, ...]:
    """The scenarios that ship with the package."""
    found = (path.name for path in _SHIPPED.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def load_scenario(source: ScenarioSource) -> Scenario:
    """The scenario of a shipped name, of a TOML file, or of a mapping with the same keys.

    Raises ScenarioError naming the file, the table, the key and what is allowed.
    """
    if isinstance(source, Scenario):
        return source
    if isinstance(source, Mapping):
        return _scenario(source, "scenario")
    if isinstance(source, str) and _NAME.fullmatch(source) and not source.endswith(_SUFFIX):
        if source not in scenario_names():
            raise ScenarioError(unknown("scenario", source, scenario_names(), "or the path of a .toml file"))
        return _scenario(_toml((_SHIPPED / (source + _SUFFIX)).read_bytes(), source), source)
    path = Path(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    return _scenario(_toml(content, str(path)), str(path))


def _toml(content: bytes, name: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except ValueError as error:
        raise ScenarioError(f"{name}: not TOML: {error}") from error


def _scenario(values: Mapping[str, Any], name: str) -> Scenario:
    top = Table(values, name, _TOP)
    given = top.given(description=top.text, seed=top.integer, queued_seconds=top.number, running_seconds=top.number)
    pace = {
        "queued_seconds": given.get("queued_seconds", QUEUED_SECONDS),
        "running_seconds": given.get("running_seconds", RUNNING_SECONDS),
    }
    given |= top.given(
        outcomes=lambda key: top.each(key, lambda value, where: _outcome(value, where, pace)),
        jobs=lambda key: top.each(key, _job),
        faults=lambda key: top.each(key, _fault_rule),
    )
    return Scenario(name=name, **given)


def _outcome(value: object, where: str, pace: Mapping[str, float]) -> OutcomeScript:
    table = Table(value, where, _OUTCOME)
    name = table.text("name")
    if not _NAME.fullmatch(name):
        table.fail("name", f"'{name}' has more than letters, digits and . _ - in it")
    given: dict[str, Any] = {**pace} | table.given(
        status=table.text,
        code=table.code,
        reason=table.text,
        message=table.text,
        type=table.text,
        param=table.text,
        error_headers=table.strings,
        raw_error=table.raw,
        output_text=table.text,
        weight=table.number,
        queued_seconds=table.number,
        running_seconds=table.number,
        expires_after_seconds=table.number,
        poll_after_ms=table.positive,
        poll_faults=table.faults,
        poll_faults_from=table.positive,
        create_faults=table.faults,
    )
    return OutcomeScript(name, **given)


def _job(value: object, where: str) -> JobRule:
    table = Table(value, where, ("match", "outcome"))
    match = Table(table.raw("match"), f"{where}: match", _MATCH)
    conditions = match.given(metadata=match.strings, input_contains=match.text, nth=match.positive)
    return JobRule(table.words("outcome"), **conditions)


def _fault_rule(value: object, where: str) -> FaultRule:
    table = Table(value, where, ("route", "from", "to", "fault"))
    route = cast(Route, table.one_of("route", get_args(Route)))
    calls = table.given(**{"from": table.positive, "to": table.positive})
    first, last = calls.get("from", 1), calls.get("to")
    if last is not None and last < first:
        table.fail("to", f"expected {first} or more, as `from` is {first}, got {last}")
    return FaultRule(route, table.fault("fault"), first, last)
