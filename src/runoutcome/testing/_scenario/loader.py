"""Scenarios from TOML: the ones that ship with the package, a file of yours, or the same keys as a mapping.

The whole format is described in `docs/scenarios.md`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, cast, get_args

from .._errors import ScenarioError, unknown
from .durations import with_spans
from .outcome_table import read_cancel_status, read_outcome
from .position import Place
from .scenario import Scenario, check_fit
from .script import QUEUED_SECONDS, RUNNING_SECONDS, FaultRule, JobRule, Route, Seconds
from .table import Table
from .toml_lines import lines_of
from .webhooks import read_webhooks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ScenarioSource = Scenario | Mapping[str, Any] | str | os.PathLike[str]

_SHIPPED = files("runoutcome") / "data" / "scenarios"
_SUFFIX = ".toml"
_NAME = re.compile(r"[\w.-]+")
_TOP = (
    *("description", "seed", "queued_seconds", "running_seconds", "outcomes", "jobs", "faults", "webhooks"),
    *("cancel_finished", "unstored_background"),
)
_MATCH = ("metadata", "input_contains", "nth")
_FAULT = ("route", "fault", "from", "to", "share", "after_seconds", "until_seconds", "times", "outcome")


def scenario_names() -> tuple[str, ...]:
    """The scenarios that ship with the package."""
    found = (path.name for path in _SHIPPED.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def load_scenario(source: ScenarioSource) -> Scenario:
    """The scenario of a shipped name, of a TOML file, or of a mapping with the same keys.

    Raises ScenarioError naming the file, the line, the table, the key and what is allowed.
    """
    if isinstance(source, Scenario):
        return source
    if isinstance(source, Mapping):
        return _scenario(source, Place("scenario"))
    if isinstance(source, str) and _NAME.fullmatch(source) and not source.endswith(_SUFFIX):
        if source not in scenario_names():
            raise ScenarioError(unknown("scenario", source, scenario_names(), "or the path of a .toml file"))
        return _from_toml((_SHIPPED / (source + _SUFFIX)).read_bytes(), source)
    path = Path(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    return _from_toml(content, str(path))


def _from_toml(content: bytes, name: str) -> Scenario:
    try:
        text = content.decode()
        values = tomllib.loads(text)
    except ValueError as error:
        raise ScenarioError(f"{name}: not TOML: {error}") from error
    return _scenario(values, Place(name, lines=lines_of(text)))


def _scenario(values: Mapping[str, Any], place: Place) -> Scenario:
    top = Table(values, place, _TOP)
    given = top.given(description=top.text, seed=top.integer)
    paces: dict[str, Seconds] = {"queued_seconds": QUEUED_SECONDS, "running_seconds": RUNNING_SECONDS}
    paces |= top.given(queued_seconds=top.seconds, running_seconds=top.seconds)
    given |= with_spans(paces) | top.given(
        outcomes=lambda key: top.each(key, lambda value, place: read_outcome(value, place, paces)),
        jobs=lambda key: top.each(key, read_job),
        faults=lambda key: top.each(key, read_fault_rule),
        webhooks=lambda key: read_webhooks(top.raw(key), place.at(key)),
        cancel_finished=lambda key: read_cancel_status(top, key),
        unstored_background=lambda key: top.one_of(key, ("refuse", "keep")),
    )
    check_fit(place, given.get("outcomes", ()), given.get("jobs", ()), given.get("faults", ()))
    return Scenario(name=place.source, **given)


def read_job(value: object, place: Place) -> JobRule:
    """One table of `[[jobs]]`. Raises ScenarioError."""
    table = Table(value, place, ("match", "outcome"))
    match = Table(table.raw("match"), place.at("match"), _MATCH)
    conditions = match.given(metadata=match.strings, input_contains=match.text, nth=match.positive)
    return JobRule(table.words("outcome"), **conditions)


def read_fault_rule(value: object, place: Place) -> FaultRule:
    """One table of `[[faults]]`. Raises ScenarioError."""
    table = Table(value, place, _FAULT)
    route = cast(Route, table.one_of("route", get_args(Route)))
    given = table.given(
        **{"from": table.positive, "to": table.positive},
        share=table.share,
        after_seconds=table.number,
        until_seconds=table.number,
        times=table.positive,
        outcome=table.text,
    )
    first, last = given.pop("from", 1), given.pop("to", None)
    if last is not None and last < first:
        table.fail("to", f"expected {first} or more, as `from` is {first}, got {last}")
    start, end = given.get("after_seconds", 0), given.get("until_seconds")
    if end is not None and end <= start:
        table.fail("until_seconds", f"expected more than {start}, as the window opens then, got {end}")
    fault = table.fault("fault", of_streams=route in ("stream", "create"))
    return FaultRule(route, fault, first, last, **given)
