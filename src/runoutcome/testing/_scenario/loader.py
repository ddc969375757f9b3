"""Scenarios from TOML: the ones that ship with the package, a file of yours, or the same keys as a mapping.

`docs/scenarios.md` describes the whole format.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from ..._catalog.validator import Path as Steps, ValidationError, items, one_of, string, table, whole_number
from .._errors import ScenarioError, unknown
from .fault import parse_fault
from .outcome_words import builtin_outcome, outcome_words
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
from .toml_lines import lines_of, too_deep
from .webhooks import read_webhooks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ScenarioSource = Scenario | Mapping[str, Any] | str | os.PathLike[str]

_SHIPPED = files("runoutcome") / "data" / "scenarios"
_SUFFIX = ".toml"
_NAME = re.compile(r"[\w.-]+")
LARGEST_BYTES = 1024 * 1024
_DEEPEST = 100
_NEAR = 0.85
"""Likeness above which a name is a slip of a word."""
_ERROR_KEYS = ("code", "message", "type", "param", "raw_error", "error_headers")
_ENDS = ("status", "reason", "raw_body", "body_fields", *_ERROR_KEYS)
"""Keys that say how a run ends."""
_PLAIN = {"name", "weight", "queued_seconds", "running_seconds"}
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
        return _scenario("scenario", source)
    if isinstance(source, str) and _NAME.fullmatch(source) and not source.endswith(_SUFFIX):
        if source not in scenario_names():
            raise ScenarioError(unknown("scenario", source, scenario_names(), "or the path of a .toml file"))
        return _from_toml((_SHIPPED / (source + _SUFFIX)).read_bytes(), source)
    path = Path(source)
    return _from_toml(_read(path), str(path))


scenario_names.__module__ = load_scenario.__module__ = "runoutcome.testing"


def _read(path: Path) -> bytes:
    """The content of a regular file of a usual size: a pipe or a device may never end."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ScenarioError(f"{path}: cannot be read: not a regular file")
        if status.st_size > LARGEST_BYTES:
            raise ScenarioError(f"{path}: cannot be read: larger than {LARGEST_BYTES // 1024} KiB")
        return path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error


def _from_toml(content: bytes, name: str) -> Scenario:
    try:
        toml = content.decode()
        line = too_deep(toml, _DEEPEST)
        values = tomllib.loads(toml) if line is None else {}
    except ValueError as error:
        raise ScenarioError(f"{name}: not TOML: {error}") from error
    except RecursionError:  # of tomli, for a key of a thousand parts
        raise ScenarioError(f"{name}: nested too deeply") from None
    if line is not None:
        raise ScenarioError(f"{name}: line {line}: nested more than {_DEEPEST} deep")
    return _scenario(name, values, lines_of(toml))


def _scenario(name: str, values: Mapping[str, Any], lines: Mapping[Steps, int] = MappingProxyType({})) -> Scenario:
    try:
        return Scenario(name=name, **checked(_fields, values, name, lines))
    except RecursionError:
        raise ScenarioError(f"{name}: nested too deeply") from None


def _fields(value: object) -> dict[str, Any]:
    """Reader of a whole scenario: the fields of a `Scenario`."""
    fields = _SCENARIO(value)
    defaults = {"queued_seconds": QUEUED_SECONDS, "running_seconds": RUNNING_SECONDS, "cancelling_seconds": 0.0}
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
    name = fields["name"]
    if fields.keys() <= _PLAIN and builtin_outcome(name) is None:
        slip = next(iter(get_close_matches(name, outcome_words(), n=1, cutoff=_NEAR)), None)
        if slip is not None:
            problem = f"'{name}' is not an outcome by itself; did you mean '{slip}'? Else say how it ends, by `status`"
            raise ValidationError.at("name", problem=problem)
    return fields


def _outcome(fields: Mapping[str, Any]) -> OutcomeScript:
    if not any(key in fields for key in _ENDS) and (script := builtin_outcome(fields["name"])):
        return replace(script, **_with_spans(fields))  # the name says how it ends
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
        raise ValueError(f"'{name}': a name may contain only letters, digits and . _ -")
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
        **{name: _SECONDS[name] for name in ("queued_seconds", "running_seconds", "cancelling_seconds")},
        "outcomes": items(_outcome_fields),
        "jobs": items(read_job),
        "faults": items(read_fault_rule),
        "webhooks": read_webhooks,
        "cancel_finished": _cancel_status,
        "unstored_background": one_of("refuse", "keep"),
        **dict.fromkeys(("requests_per_minute", "tokens_per_minute"), positive),
    }
)
