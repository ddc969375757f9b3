"""Readers of the values in a scenario, and the errors for refused values. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

from ..._catalog.validator import Path, Problem, Reader, ValidationError, whole_number
from .._errors import ScenarioError, cut, unknown
from .fault import Fault, parse_fault
from .outcome_words import split_words
from .script import Seconds
from .toml_lines import line_of

T = TypeVar("T")


def checked(reader: Reader[T], value: object, source: str, lines: Mapping[Path, int] = MappingProxyType({})) -> T:
    """The value as its reader returns it. Raises ScenarioError with its position in `source`, a file or a name."""
    try:
        return reader(value)
    except ValidationError as error:
        raise _error(error.problems[0], source, lines) from None


def _error(problem: Problem, source: str, lines: Mapping[Path, int]) -> ScenarioError:
    path, line = problem.path, line_of(problem.path, lines)
    sentence = {
        "expected": f"expected {problem.text}, got {cut(repr(problem.value))}",
        "missing": "is missing",
        "word": unknown("word", str(problem.value), problem.allowed),
        "key": unknown("key", str(problem.value), problem.allowed),
    }.get(problem.kind, problem.text)
    tables, key = path, ""
    if path and isinstance(path[-1], str) and problem.text != "a table":
        tables, key = path[:-1], path[-1] if problem.kind != "key" else ""
    parts = (source, f"line {line}" if line else "", *_names(tables), key, sentence)
    return ScenarioError(": ".join(part for part in parts if part))


def _names(path: Path) -> list[str]:
    """The tables on a path: `[webhooks]`, `[[jobs]] no. 1`, `match`."""
    names: list[str] = []
    for step in path:
        if isinstance(step, int):
            names[-1] = f"[[{names[-1].strip('[]')}]] no. {step + 1}"
        else:
            names.append(step if names else f"[{step}]")
    return names


def text(value: object) -> str:
    """Reader of a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValidationError.expected("a string that is not empty", value)
    return value


def number(value: Any) -> float:
    """Reader of a finite number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValidationError.expected("a number, 0 or more", value)
    return value


def share(value: object) -> float:
    """Reader of a number from 0 to 1."""
    if number(value) > 1:
        raise ValidationError.expected("a number from 0 to 1", value)
    return number(value)


def seconds(value: object) -> Seconds:
    """Reader of a duration, or of the least and the most of a span: `[0.2, 1.0]`."""
    if not isinstance(value, list):
        return number(value)
    try:
        least, most = map(number, cast("list[object]", value))
    except ValueError:
        raise ValidationError.expected("a number, or the least and the most of a span", value) from None
    if most < least:
        raise ValidationError.expected("a span [least, most]", value)
    return least, most


def positive(value: object) -> int:
    """Reader of a whole number, 1 or more."""
    if whole_number(value) < 1:
        raise ValidationError.expected("1 or more", value)
    return whole_number(value)


def code(value: object) -> str | int:
    """Reader of a code: a string, or a whole number as some gateways send."""
    return text(value) if isinstance(value, str) else whole_number(value)


def strings(value: object) -> dict[str, str]:
    """Reader of a table of strings."""
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise ValidationError.expected("a table of strings", value)
    return dict(cast("Mapping[str, str]", value))


def json_table(value: object) -> dict[str, Any]:
    """Reader of a table, or of the text of a JSON object, which can hold null."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValidationError.at(problem=f"is not JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise ValidationError.expected("a table, or the text of a JSON object", value)
    return json_value(dict(cast("Mapping[str, Any]", value)))


def json_value(value: T) -> T:
    """Reader of any value that JSON can hold."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ValidationError.at(problem=f"cannot be sent as JSON: {error}") from None
    return value


def words(value: object) -> tuple[str, ...]:
    """Reader of outcome words: a comma list."""
    return split_words(text(value))


def fault(value: object) -> Fault:
    """Reader of a fault: a word, a status or a table."""
    fault = parse_fault(value)
    if fault.is_of_a_stream:
        raise ValueError(f"'{fault.word}' is for streams only")
    return fault


def faults(value: object, reader: Reader[Fault] = fault) -> tuple[Fault, ...]:
    """Reader of a list of faults."""
    if not isinstance(value, list):
        raise ValidationError.expected("a list", value)
    return tuple(map(reader, cast("list[object]", value)))
