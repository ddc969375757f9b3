"""Validation of documents that people write, with readers. Pure.

A reader is a function: it takes a value and returns it checked, or raises `ValidationError`. `table`, `mapping` and
`items` make readers out of readers; they read every part and raise one error with all problems. A problem is data, with
the path to the value, so that each caller words it in its own way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, TypeVar

T = TypeVar("T")
Reader = Callable[[Any], T]
Path = tuple[str | int, ...]
"""Keys, and positions in lists from 0."""

_RESERVED = "is a name with a meaning of its own, and cannot stand here"


class Problem(NamedTuple):
    """One mistake in a document."""

    kind: Literal["expected", "word", "key", "missing", "other"]
    text: str = ""
    """Description of the expected value; the whole problem for the kind `other`."""
    value: object = None
    allowed: tuple[Any, ...] = ()
    path: Path = ()
    or_null: bool = False
    """Null is allowed, too."""

    @property
    def nearest(self) -> str | None:
        """The allowed word that the value resembles most; None without one."""
        return nearest(str(self.value), self.allowed)


class ValidationError(ValueError):
    """A value with problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    @classmethod
    def expected(cls, text: str, value: object) -> ValidationError:
        """The error for a value of another kind than described."""
        return cls(Problem("expected", text, value))

    @classmethod
    def at(cls, *path: str | int, problem: object) -> ValidationError:
        """The error for any other problem, in words."""
        return cls(Problem("other", str(problem), path=path))


def nearest(word: str, allowed: Iterable[object]) -> str | None:
    """The allowed word that resembles this one most; None without one."""
    return next(iter(get_close_matches(word, [each for each in allowed if isinstance(each, str)], n=1)), None)


def shown(value: object) -> str:
    """A value as JSON, cut after 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"


def anything(value: Any) -> Any:
    """Reader of any value."""
    return value


def flag(value: object) -> bool:
    """Reader of true or false."""
    if not isinstance(value, bool):
        raise ValidationError.expected("true or false", value)
    return value


def string(least: int = 0, most: int | None = None, pattern: str = "") -> Reader[str]:
    """Reader of a string with a length within the bounds that matches the pattern."""

    def read(value: object) -> str:
        text: str = _instance(value, str, "a string")
        if len(text) < least:
            raise ValidationError.at(problem=f"{shown(text)} is shorter than {least}")
        if most is not None and len(text) > most:
            raise ValidationError.at(problem=f"{shown(text)} is longer than {most}")
        if not re.search(pattern, text):
            raise ValidationError.at(problem=f"{shown(text)} does not have the form {pattern}")
        return text

    return read


def whole_number(value: object) -> int:
    """Reader of a whole number."""
    # In Python a bool is an int; in JSON it is not.
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValidationError.expected("a whole number", value)
    return value


def between(least: int, most: int) -> Reader[int]:
    """Reader of a whole number from `least` to `most`."""

    def read(value: object) -> int:
        number = whole_number(value)
        if not least <= number <= most:
            raise ValidationError.at(
                problem=f"{number} is " + (f"less than {least}" if number < least else f"more than {most}")
            )
        return number

    return read


def one_of(*allowed: T) -> Reader[T]:
    """Reader of one of these values."""

    def read(value: object) -> T:
        for each in allowed:
            if type(value) is type(each) and value == each:
                return each
        raise ValidationError(Problem("word", value=value, allowed=allowed))

    return read


def optional(reader: Reader[T]) -> Reader[T | None]:
    """Reader of the same or null."""

    def read(value: object) -> T | None:
        try:
            return None if value is None else reader(value)
        except ValidationError as error:
            raise ValidationError(*(problem._replace(or_null=True) for problem in error.problems)) from None

    return read


def table(readers: Mapping[str, Reader[Any]], required: Collection[str] = ()) -> Reader[dict[str, Any]]:
    """Reader of a table with these keys and no others; those that are not required may be left out."""

    def read(value: object) -> dict[str, Any]:
        values: Mapping[str, Any] = _instance(value, Mapping, "a table")
        problems = [Problem("key", "", key, tuple(readers), (str(key),)) for key in values if key not in readers]
        problems += [Problem("missing", path=(key,)) for key in required if key not in values]
        return _read_each(((key, reader, values[key]) for key, reader in readers.items() if key in values), problems)

    return read


def mapping(
    reader: Reader[T], pattern: str = "", *, reserved: Collection[str] = (), least: int = 0
) -> Reader[dict[str, T]]:
    """Reader of a table of at least this many keys, any that match the pattern and are not reserved."""

    def read(value: object) -> dict[str, T]:
        values: Mapping[str, Any] = _instance(value, Mapping, "a table")
        problems = [Problem("key", "", key, (), (key,)) for key in values if not re.search(pattern, key)]
        problems += [Problem("other", _RESERVED, path=(key,)) for key in values if key in reserved]
        if len(values) < least:
            problems.append(Problem("other", f"{shown(values)} has fewer keys than {least}"))
        return _read_each(((key, reader, value) for key, value in values.items()), problems)

    return read


def items(reader: Reader[T], *, least: int = 0, unique: bool = False) -> Reader[list[T]]:
    """Reader of a list of at least this many items, each once if they are `unique`."""

    def read(value: object) -> list[T]:
        values: list[Any] = _instance(value, list, "a list")
        texts = [json.dumps(item, sort_keys=True, default=str) for item in values] if unique else []
        problems = [
            Problem("other", "is there twice", path=(number,))
            for number, text in enumerate(texts)
            if text in texts[:number]
        ]
        if len(values) < least:
            problems.append(Problem("other", f"{shown(values)} has fewer items than {least}"))
        return list(_read_each(((number, reader, item) for number, item in enumerate(values)), problems).values())

    return read


def _instance(value: object, kind: type[Any], text: str) -> Any:
    if not isinstance(value, kind):
        raise ValidationError.expected(text, value)
    return value


def _read_each(parts: Iterable[tuple[Any, Reader[Any], Any]], problems: list[Problem]) -> dict[Any, Any]:
    """The values of the parts by key or position; raises ValidationError for `problems` and those of the parts."""
    values: dict[Any, Any] = {}
    for step, reader, value in parts:
        try:
            values[step] = reader(value)
        except ValidationError as error:
            problems += [problem._replace(path=(step, *problem.path)) for problem in error.problems]
        except ValueError as error:
            problems.append(Problem("other", str(error), path=(step,)))
    if problems:
        raise ValidationError(*problems)
    return values
