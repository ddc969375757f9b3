"""Scenarios from TOML: the ones that ship with the package, a file of yours, or the same keys as a mapping.

`docs/scenarios.md` describes the whole format.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from ..._catalog.validator import ValidationError, items, one_of, string, table, whole_number
from .._errors import ScenarioError, unknown
from .fault import parse_fault
from .readers import (
    checked,
    code,
    faults,
    json_table,
    json_value,
    number,
    positive,
    seconds,
    share,
    strings,
    text,
    words,
)
from .scenario import Scenario, check_names
from .script import DURATIONS, QUEUED_SECONDS, RUNNING_SECONDS, FaultRule, JobRule, OutcomeScript, Route, Span
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
_ERROR_KEYS = ("code", "message", "type", "param", "raw_error", "error_headers")
_CANCEL_STATUSES = (200, 400, 409)


def scenario_names() -> tuple[str, ...]:
    """The scenarios that ship with the package."""
    names = (path.name for path in _SHIPPED.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_scenario(source: ScenarioSource) -> Scenario:
    """The scenario of a shipped name, of a TOML file, or of a mapping with the same keys.

    Raises ScenarioError with the file, the line, the table, the key and what is allowed.
    """
    if isinstance(source, Scenario):
        return source
    if isinstance(source, Mapping):
        return Scenario(name="scenario", **checked(_fields, source, "scenario"))
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


scenario_names.__module__ = load_scenario.__module__ = "runoutcome.testing"


def _from_toml(content: bytes, name: str) -> Scenario:
    try:
        toml = content.decode()
        values = tomllib.loads(toml)
    except ValueError as error:
        raise ScenarioError(f"{name}: not TOML: {error}") from error
    return Scenario(name=name, **checked(_fields, values, name, lines_of(toml)))


def _fields(value: object) -> dict[str, Any]:
    """Reader of a whole scenario: the fields of a `Scenario`."""
    fields = _SCENARIO(value)
    defaults = {"queued_seconds": QUEUED_SECONDS, "running_seconds": RUNNING_SECONDS}
    durations = {name: fields.get(name, seconds) for name, seconds in defaults.items()}
    lists = {name: tuple(fields.get(name, ())) for name in ("outcomes", "jobs", "faults")}
    lists["outcomes"] = tuple(_outcome({**durations, **outcome}) for outcome in lists["outcomes"])
    check_names(**lists)
    return _with_spans({**fields, **lists})


def read_outcome(value: object) -> OutcomeScript:
    """Reader of one table of `[[outcomes]]`."""
    return _outcome(_outcome_fields(value))


def read_job(value: object) -> JobRule:
    """Reader of one table of `[[jobs]]`."""
    fields = _JOB(value)
    return JobRule(fields["outcome"], **fields["match"])


def read_fault_rule(value: object) -> FaultRule:
    """Reader of one table of `[[faults]]`."""
    fields = _FAULT_RULE(value)
    first, last = fields.pop("from", 1), fields.pop("to", None)
    if last is not None and last < first:
        raise ValidationError.at("to", problem=f"expected {first} or more, as `from` is {first}, got {last}")
    start, end = fields.get("after_seconds", 0), fields.get("until_seconds")
    if end is not None and end <= start:
        problem = f"expected more than {start}, as the window opens then, got {end}"
        raise ValidationError.at("until_seconds", problem=problem)
    if fields["fault"].is_of_a_stream and fields["route"] not in ("stream", "create"):
        raise ValidationError.at("fault", problem=f"'{fields['fault'].word}' is for streams only")
    return FaultRule(first=first, last=last, **fields)


def _outcome_fields(value: object) -> dict[str, Any]:
    fields = _OUTCOME(value)
    if "missing_until_seconds" in fields and "missing_from_seconds" not in fields:
        raise ValidationError.at("missing_until_seconds", problem="needs missing_from_seconds")
    return fields


def _outcome(fields: Mapping[str, Any]) -> OutcomeScript:
    values: dict[str, Any] = {"status": _implied_status(fields)}
    return OutcomeScript(**values | _with_spans(fields))


def _with_spans(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an `OutcomeScript` or a `Scenario`, with durations that are spans in `spans`."""
    spans: dict[str, Span] = {name: fields[name] for name in DURATIONS if isinstance(fields.get(name), tuple)}
    return {name: value for name, value in fields.items() if name not in spans} | {"spans": spans}


def _implied_status(fields: Mapping[str, Any]) -> str:
    if "reason" in fields:
        return "incomplete"
    if any(key in fields for key in _ERROR_KEYS):
        return "failed"
    status = {**fields.get("raw_body", {}), **fields.get("body_fields", {})}.get("status")
    return status if isinstance(status, str) else "completed"


def _outcome_name(value: object) -> str:
    name = text(value)
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' has more than letters, digits and . _ - in it")
    return name


def _cancel_status(value: object) -> int:
    if whole_number(value) not in _CANCEL_STATUSES:
        raise ValidationError.expected(f"one of {_CANCEL_STATUSES}", value)
    return whole_number(value)


_SECONDS = dict.fromkeys(DURATIONS, seconds)
_OUTCOME = table(
    {
        "name": _outcome_name,
        **dict.fromkeys(("status", "reason", "type", "param", "function_call"), text),
        "code": code,
        **dict.fromkeys(("message", "output_text"), string()),
        "error_headers": strings,
        "raw_error": json_value,
        **dict.fromkeys(("raw_body", "body_fields"), json_table),
        "weight": number,
        **_SECONDS,
        **dict.fromkeys(("poll_after_ms", "poll_faults_from"), positive),
        **dict.fromkeys(("poll_faults", "create_faults", "cancel_faults"), faults),
        "stream_faults": partial(faults, reader=parse_fault),
        "cancel_status": _cancel_status,
    },
    required=["name"],
)
_MATCH = table({"metadata": strings, "input_contains": text, "nth": positive})
_JOB = table({"match": _MATCH, "outcome": words}, required=["match", "outcome"])
_FAULT_RULE = table(
    {
        "route": one_of(*get_args(Route)),
        "fault": parse_fault,
        **dict.fromkeys(("from", "to", "times"), positive),
        "share": share,
        **dict.fromkeys(("after_seconds", "until_seconds"), number),
        "outcome": text,
    },
    required=["route", "fault"],
)
_SCENARIO = table(
    {
        "description": text,
        "seed": whole_number,
        **{name: _SECONDS[name] for name in ("queued_seconds", "running_seconds")},
        "outcomes": items(_outcome_fields),
        "jobs": items(read_job),
        "faults": items(read_fault_rule),
        "webhooks": read_webhooks,
        "cancel_finished": _cancel_status,
        "unstored_background": one_of("refuse", "keep"),
    }
)
