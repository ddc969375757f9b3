"""Reading one outcome of a scenario, from a file or from a builder: each value is checked, and the status implied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from .durations import DURATIONS, with_spans
from .position import Place
from .script import OutcomeScript, Seconds
from .table import Table

_NAME = re.compile(r"[\w.-]+")
_KEYS = tuple(field.name for field in fields(OutcomeScript) if field.name != "spans")
_ERROR_KEYS = ("code", "message", "type", "param", "raw_error", "error_headers")
_CANCEL_STATUSES = (200, 400, 409)


def read_outcome(value: object, place: Place, paces: Mapping[str, Seconds] = MappingProxyType({})) -> OutcomeScript:
    """One table of `[[outcomes]]`; `paces` are the durations it has if it does not say. Raises ScenarioError."""
    table = Table(value, place, _KEYS)
    name = table.text("name")
    if not _NAME.fullmatch(name):
        table.fail("name", f"'{name}' has more than letters, digits and . _ - in it")
    given = table.given(
        status=table.text,
        code=table.code,
        reason=table.text,
        message=table.string,
        type=table.text,
        param=table.text,
        error_headers=table.strings,
        raw_error=table.any_json,
        raw_body=table.json,
        body_fields=table.json,
        output_text=table.string,
        function_call=table.text,
        weight=table.number,
        cancel_status=lambda key: read_cancel_status(table, key),
        poll_after_ms=table.positive,
        poll_faults=table.faults,
        poll_faults_from=table.positive,
        create_faults=table.faults,
        cancel_faults=table.faults,
        stream_faults=lambda key: table.faults(key, of_streams=True),
    )
    durations = {**paces} | table.given(**dict.fromkeys(DURATIONS, table.seconds))
    if "missing_until_seconds" in table and "missing_from_seconds" not in table:
        table.fail("missing_until_seconds", "needs missing_from_seconds")
    return OutcomeScript(name, **{"status": _implied_status(given), **given}, **with_spans(durations))


def _implied_status(given: Mapping[str, Any]) -> str:
    if "reason" in given:
        return "incomplete"
    if any(key in given for key in _ERROR_KEYS):
        return "failed"
    body: Mapping[str, Any] = {**given.get("raw_body", {}), **given.get("body_fields", {})}
    status = body.get("status")
    return status if isinstance(status, str) else "completed"


def read_cancel_status(table: Table, key: str) -> int:
    """The HTTP status of a cancel of an ended run. Raises ScenarioError."""
    status = table.integer(key)
    if status not in _CANCEL_STATUSES:
        table.fail(key, f"expected one of {_CANCEL_STATUSES}, got {status}")
    return status
