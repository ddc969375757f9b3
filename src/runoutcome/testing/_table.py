"""Reading one table of a scenario file: each value is checked, each error says where it is and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar, cast

from ._errors import ScenarioError, unknown
from ._fault import Fault, parse_fault
from ._words import split_words

T = TypeVar("T")


class Table:
    """A table of a scenario and the place it stands at. Raises ScenarioError for a key that is not in `allowed`."""

    def __init__(self, value: object, where: str, allowed: Sequence[str]) -> None:
        self._where = where
        if not isinstance(value, Mapping):
            raise ScenarioError(f"{where}: expected a table, got {value!r}")
        self._values = cast(Mapping[str, Any], value)
        for key in self._values:
            if key not in allowed:
                raise ScenarioError(f"{where}: {unknown('key', key, allowed)}")

    def given(self, **readers: Callable[[str], Any]) -> dict[str, Any]:
        """The keys that are present, each read by its reader; the others keep their defaults."""
        return {key: read(key) for key, read in readers.items() if key in self._values}

    def fail(self, key: str, problem: object) -> NoReturn:
        """Raises ScenarioError for a key of this table."""
        raise ScenarioError(f"{self._where}: {key}: {problem}") from None

    def raw(self, key: str) -> Any:
        """The value as it stands; a missing key is an error."""
        if key not in self._values:
            self.fail(key, "is missing")
        return self._values[key]

    def text(self, key: str) -> str:
        """A string that is not empty."""
        value = self.raw(key)
        if not isinstance(value, str) or not value:
            self.fail(key, f"expected a string that is not empty, got {value!r}")
        return value

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        """One of some words."""
        value = self.text(key)
        if value not in allowed:
            self.fail(key, unknown("word", value, allowed))
        return value

    def number(self, key: str) -> float:
        """A finite number, 0 or more."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            self.fail(key, f"expected a number, 0 or more, got {value!r}")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, f"expected a whole number, got {value!r}")
        return value

    def positive(self, key: str) -> int:
        """A whole number, 1 or more."""
        value = self.integer(key)
        if value < 1:
            self.fail(key, f"expected 1 or more, got {value}")
        return value

    def code(self, key: str) -> str | int:
        """A code: a string, or a whole number as some gateways send."""
        value = self.raw(key)
        return self.text(key) if isinstance(value, str) else self.integer(key)

    def strings(self, key: str) -> Mapping[str, str]:
        """A table of strings."""
        value = self.raw(key)
        if not isinstance(value, Mapping) or not all(
            isinstance(text, str) for text in cast(Mapping[str, object], value).values()
        ):
            self.fail(key, f"expected a table of strings, got {value!r}")
        return dict(cast(Mapping[str, str], value))

    def words(self, key: str) -> tuple[str, ...]:
        """Outcome words: a comma list."""
        try:
            return split_words(self.text(key))
        except ValueError as error:
            self.fail(key, error)

    def fault(self, key: str) -> Fault:
        """One fault: a word, a status or a table."""
        try:
            return parse_fault(self.raw(key))
        except ValueError as error:
            self.fail(key, error)

    def faults(self, key: str) -> tuple[Fault, ...]:
        """A list of faults."""
        try:
            return tuple(parse_fault(value) for value in self._list(key))
        except ValueError as error:
            self.fail(key, error)

    def each(self, key: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
        """The tables of an array, each read at its own place."""
        return tuple(read(value, f"{self._where}: [[{key}]] no. {n}") for n, value in enumerate(self._list(key), 1))

    def _list(self, key: str) -> list[object]:
        value = self.raw(key)
        if not isinstance(value, list):
            self.fail(key, f"expected a list, got {value!r}")
        return cast("list[object]", value)
